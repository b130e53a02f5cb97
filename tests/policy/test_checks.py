"""Checks of a log: the right verdict on sound logs, on logs that are broken in one way each, and on the real ones."""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats

from vitrina.policy import Always, AtRandom, DecisionLog
from vitrina.policy.repeats import summed_moments

DATA = Path(os.environ.get("VITRINA_DATA", Path(__file__).parents[3] / "shared" / "data"))
HILLSTROM, BANDIT = DATA / "hillstrom" / "customers.parquet", DATA / "open-bandit"
ARMS = ("none", "mail", "call")
CHANCES = np.array([0.5, 0.3, 0.2])
KNOWN = {"propensity": dict(zip(ARMS, CHANCES.tolist(), strict=True))}
PER_ROW = {"propensity": {arm: f"p_{arm}" for arm in ARMS}}


def table(n=4000, seed=0, *, vary=False, actions=None, **columns):
    """A sound log of three arms; with `vary` each row has chances of its own."""
    rng = np.random.default_rng(seed)
    rides = rng.exponential(3.0, n)
    chances = rng.dirichlet([5, 3, 2], n) if vary else np.broadcast_to(CHANCES, (n, 3))
    drawn = (rng.random(n)[:, None] > chances.cumsum(axis=1)).sum(axis=1) if actions is None else actions
    return pl.DataFrame({
        "arm": np.array(ARMS)[drawn], "spent": rng.exponential(1.0, n), "p": chances[np.arange(n), drawn], "rides": rides,
        "city": rng.choice(["Omsk", "Perm", "Ufa"], n), "adult": rng.random(n) < 0.8, "at": 1_700_000_000 + np.arange(n) * 60,
        **{f"p_{arm}": chances[:, k] for k, arm in enumerate(ARMS)}, **columns,
    })  # fmt: skip


def read(frame, **changes):
    features = ["rides", "city", "adult"]
    return DecisionLog.of_frame(
        frame, **({"action": "arm", "reward": "spent", "features": features, "time": "at", "arms": ARMS} | KNOWN | changes)
    )


def verdicts(checks, policy=None):
    return {row.name: row.verdict for row in checks.rows if row.policy == policy}


def row(checks, name, policy=None):
    return next(row for row in checks.rows if (row.name, row.policy) == (name, policy))


@pytest.mark.parametrize("changes", [KNOWN, PER_ROW, {"propensity": "p"}])
def test_a_sound_log_passes(changes):
    checks = read(table(vary=changes is not KNOWN), **changes).check({"mail": Always("mail"), "any": AtRandom()})
    assert set(verdicts(checks).values()) == {"pass"}, checks
    assert set(verdicts(checks, "mail").values()) == {"pass"}
    assert checks.verdict == checks.verdict_of("mail") == "pass"
    assert checks.refusals("mail") == ()
    assert ("sample ratio" in verdicts(checks)) == (changes != {"propensity": "p"})
    assert checks.table.columns == ["check", "policy", "verdict", "sentence", "statistic", "p", "detail"]


def test_pearsons_test_is_what_one_design_gives():
    frame = table()
    check = row(read(frame).check(), "sample ratio")
    counts = np.array([(frame["arm"] == arm).sum() for arm in ARMS])
    wanted = stats.chisquare(counts, CHANCES * len(frame))
    assert check.statistic == pytest.approx(wanted.statistic, rel=1e-9)
    assert check.p == pytest.approx(wanted.pvalue, rel=1e-9)


def test_counts_against_chances_that_vary_written_out_slowly():
    frame = table(600, 3, vary=True)
    chances = frame.select("p_none", "p_mail", "p_call").to_numpy()
    hits = np.stack([(frame["arm"] == arm).to_numpy() for arm in ARMS], axis=1)
    variance = sum(np.diag(p) - np.outer(p, p) for p in chances)
    off = (hits - chances).sum(axis=0)
    check = row(read(frame, **PER_ROW).check(), "sample ratio")
    assert check.statistic == pytest.approx(off @ np.linalg.pinv(variance) @ off, rel=1e-8)


def test_the_omnibus_test_is_a_score_test_written_out_slowly():
    frame = table(500, 5, vary=True)
    x = np.stack([frame["rides"], (frame["city"] == "Omsk"), (frame["city"] == "Perm"), frame["adult"]], axis=1).astype(float)
    x -= x.mean(axis=0)
    chances = frame.select("p_none", "p_mail").to_numpy()
    hits = np.stack([(frame["arm"] == arm).to_numpy() for arm in ARMS[:2]], axis=1)
    off = sum(np.outer(e, xi).ravel() for e, xi in zip(hits - chances, x, strict=True))
    variance = sum(np.kron(np.diag(p) - np.outer(p, p), np.outer(xi, xi)) for p, xi in zip(chances, x, strict=True))
    check = row(read(frame, **PER_ROW).check(), "omnibus")
    assert check.statistic == pytest.approx(off @ np.linalg.solve(variance, off), rel=1e-8)
    assert check.p == pytest.approx(stats.chi2.sf(check.statistic, 8), rel=1e-6)


@pytest.mark.parametrize("kind", ["one design", "per row", "logged", "clusters"])
def test_sound_logs_raise_few_alarms(kind):
    """The share of p below 0.05 is that, within three errors; much more would be a wrong variance. The large simulation is a benchmark."""
    logs, found = 40, []
    for seed in range(logs):
        frame = clustered(900, seed=seed) if kind == "clusters" else table(600, seed, vary=kind != "one design")
        changes = {"one design": KNOWN, "per row": PER_ROW, "logged": {"propensity": "p"}, "clusters": {"cluster": "house"}}[kind]
        checks = read(frame, **changes).check({"mail": Always("mail")})
        found += [row.p for row in checks.rows if row.p is not None]
        assert not [row for row in checks.rows if row.verdict == "refuse" and row.name != "effective size"]
    assert (
        np.mean(np.array(found) < 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(found)) * 1.5
    )  # the checks of one log go together a little


def broken(n=4000, seed=1):
    """What goes wrong with logs, one thing each: name -> (table, changes, the checks that must not pass)."""
    rng = np.random.default_rng(seed)
    frame = table(n, seed)
    lost = frame.filter(~((pl.col("arm") == "mail") & (pl.Series(rng.random(n)) < 0.3)))
    rides = frame["rides"].to_numpy()
    chosen = np.where(rides > 5, 1, (rng.random(n)[:, None] > CHANCES.cumsum()).sum(axis=1))
    half = np.where(np.arange(n) < n // 2, (rng.random(n) < 0.5) * 1, np.where(rng.random(n) < 0.4, 2, (rng.random(n) < 1 / 6) * 1))
    return {
        "rows of an arm are lost": (lost, KNOWN, {"sample ratio", "mean weight"}),
        "other chances were used": (frame, {"propensity": {"none": 0.4, "mail": 0.4, "call": 0.2}}, {"sample ratio", "mean weight"}),
        "logged chances are wrong": (frame.with_columns(p=pl.col("p") * 0.7), {"propensity": "p"}, {"mean weight"}),
        "all chances are 1": (frame.with_columns(p=pl.lit(1.0)), {"propensity": "p"}, {"chances"}),
        "arms are chosen": (table(n, seed, actions=chosen), KNOWN, {"balance", "omnibus", "sample ratio"}),
        "arms are chosen, one chance logged": (table(n, seed, actions=chosen, p=CHANCES[chosen] + rng.random(n) * 1e-3), {"propensity": "p"}, {"balance", "omnibus"}),
        "chances change in time": (table(n, seed, actions=half), KNOWN, {"drift"}),
        "nobody knows chances": (frame, {"propensity": None}, {"chances"}),
        "one arm": (frame.with_columns(arm=pl.lit("none")), {"propensity": None, "arms": None}, {"chances"}),
        "an arm that was never drawn": (frame.filter(pl.col("arm") != "call"), KNOWN, {"sample ratio", "mean weight"}),
    }  # fmt: skip


@pytest.mark.parametrize("name", broken())
def test_what_is_broken_is_refused(name):
    frame, changes, wanted = broken()[name]
    checks = read(frame, **changes).check()
    assert {check for check in wanted if verdicts(checks)[check] == "refuse"} == wanted, checks
    assert checks.verdict == checks.verdict_of("any policy") == "refuse"
    assert checks.refusals()


def test_a_policy_that_nobody_tried():
    frame = table(vary=True).with_columns(p_call=pl.lit(0.0)).filter(pl.col("arm") != "call")
    total = frame["p_none"] + frame["p_mail"]
    log = read(frame.with_columns(p_none=pl.col("p_none") / total, p_mail=pl.col("p_mail") / total), **PER_ROW)
    checks = log.check({"call": Always("call"), "mail": Always("mail"), "some": np.tile([0.5, 0.495, 0.005], (len(log), 1))})
    assert (checks.verdict, checks.verdict_of("mail"), checks.verdict_of("call"), checks.verdict_of("some")) == (
        "pass",
        "pass",
        "refuse",
        "warn",
    )
    assert "In 100.0% of the decisions the policy would do what had no chance in the log" in row(checks, "overlap", "call").sentence


def test_a_policy_that_was_seldom_followed():
    rng = np.random.default_rng(0)
    frame = table(2000, 2).with_columns(
        p_none=pl.lit(0.98), p_mail=pl.lit(0.01), p_call=pl.lit(0.01), arm=pl.Series(rng.choice(ARMS, 2000, p=[0.98, 0.01, 0.01]))
    )
    checks = read(frame, **PER_ROW).check({"mail": Always("mail"), "none": Always("none")})
    seen = int((frame["arm"] == "mail").sum())
    assert row(checks, "effective size", "mail").statistic == pytest.approx(seen)
    assert row(checks, "effective size", "mail").verdict == "refuse"
    assert checks.verdict_of("none") == "pass"


def test_one_unit_with_half_of_the_rows():
    actions = np.random.default_rng(0).integers(0, 2, 4000)
    frame = pl.DataFrame(
        {"unit": np.where(np.arange(4000) < 2000, 0, np.arange(4000)), "arm": np.array(["a", "b"])[actions], "reward": 1.0}
    )
    log = DecisionLog.of_frame(frame, unit="unit", action="arm", reward="reward", propensity={"a": 0.5, "b": 0.5})
    check = row(log.check({"a": Always("a")}), "effective size", "a")
    assert check.verdict == "refuse"
    assert "of all weight" in check.sentence
    assert "seldom" not in check.sentence


def clustered(n=3000, share=0.0, seed=4, *, by="cluster"):
    """Rows of households that keep one arm, but for a share of them."""
    rng = np.random.default_rng(seed)
    house = rng.integers(0, n // 3, n)
    arm = (rng.random(n // 3)[:, None] > CHANCES.cumsum()).sum(axis=1)[house]
    other = (rng.random(n)[:, None] > CHANCES.cumsum()).sum(axis=1)
    actions = np.where(rng.random(n // 3)[house] < share, other, arm) if by == "cluster" else other
    return table(n, seed, actions=actions, house=house, rides=rng.exponential(3.0, n // 3)[house])


def test_clusters_that_keep_their_arm_and_those_that_do_not():
    for frame, verdict, words in (
        (clustered(), "pass", "Every cluster keeps its arm"),
        (clustered(share=0.02), "warn", "few enough to go on"),
        (clustered(share=0.3), "refuse", "leave them out of all arms"),
        (clustered(by="row"), "pass", "drawn anew for each decision"),
    ):
        check = row(read(frame, cluster="house").check(), "clusters")
        assert (check.verdict, words in check.sentence) == (verdict, True), check
    checks = read(clustered(), cluster="house").check()
    assert set(verdicts(checks).values()) == {"pass"}
    assert "Hotelling's test over" in row(checks, "omnibus").detail


def test_units_that_come_back():
    frame = clustered(by="row")
    checks = read(frame, unit="house").check()
    assert verdicts(checks)["units"] == "pass"
    assert "clusters" not in verdicts(checks)
    both = read(frame.with_columns(city_block=pl.col("house") // 10), unit="house", cluster="city_block").check()
    assert {"units", "clusters"} <= set(verdicts(both))


def test_small_and_odd_logs_are_looked_at_without_a_fault():
    rng = np.random.default_rng(0)
    for seed in range(24):
        n = int(rng.integers(1, 40))
        frame = table(n, seed, vary=True, house=rng.integers(0, 3 + n // 2, n)).with_columns(
            city=pl.when(pl.Series(rng.random(n) < 0.2)).then(None).otherwise("city"),
            rides=pl.when(pl.Series(rng.random(n) < 0.3)).then(None).otherwise("rides"),
            adult=pl.lit(True),
        )
        changes = [KNOWN, PER_ROW, {"propensity": "p"}, {"propensity": None}][seed % 4] | ({"cluster": "house"} if seed % 3 == 0 else {})
        log = read(frame, **changes, arms=ARMS)
        checks = log.check({"mail": Always("mail"), "any": AtRandom()})
        assert checks.verdict_of("mail") == "refuse"
        assert str(checks)
        assert not any(row.p is not None and not 0 <= row.p <= 1 for row in checks.rows)


def test_many_arms_of_which_only_logged_chances_are_known():
    rng = np.random.default_rng(2)
    frame = pl.DataFrame(
        {
            "item": rng.integers(0, 2000, 6000),
            "who": rng.integers(0, 900, 6000),
            "click": rng.integers(0, 2, 6000),
            "p": 0.9 / 2000 * (1 + 0.2 * rng.random(6000)),
            "old": rng.random(6000),
        }
    )
    checks = DecisionLog.of_frame(frame, unit="who", action="item", reward="click", propensity="p", features=["old"]).check()
    assert row(checks, "omnibus").p == 1  # three rows per arm tell nothing
    assert verdicts(checks)["units"] == "pass"


def test_what_cannot_be_looked_at_is_said():
    checks = DecisionLog.of_frame(table(), action="arm", reward="spent", propensity="p").check()
    assert any("name columns with features=" in s for s in checks.skipped)
    assert any("name the column of times" in s for s in checks.skipped)
    assert "Not looked at: whether chances changed in time" in str(checks)


def test_the_order_of_rows_and_arms_does_not_matter():
    frame = table(1500, 8, vary=True)
    a = read(frame, **PER_ROW).check({"mail": Always("mail")})
    b = read(frame.sample(fraction=1.0, shuffle=True, seed=1), **PER_ROW).check({"mail": Always("mail")})
    for left, right in zip(a.rows, b.rows, strict=True):
        assert (left.name, left.verdict) == (right.name, right.verdict)
        assert left.statistic == pytest.approx(right.statistic, rel=1e-6, abs=1e-9), left.name
    c = read(frame, **PER_ROW, arms=ARMS[::-1], control="none").check({"mail": Always("mail")})
    for name in ("sample ratio", "omnibus", "drift"):
        assert row(a, name).statistic == pytest.approx(row(c, name).statistic, rel=1e-6)


@pytest.mark.skipif(not HILLSTROM.exists(), reason=f"the Hillstrom log is not at {HILLSTROM}")
def test_hillstrom_is_sound():
    mails = ("No E-Mail", "Mens E-Mail", "Womens E-Mail")
    names = ["recency", "history", "mens", "womens", "newbie", "zip_code", "channel", "history_segment"]
    frame = pl.read_parquet(HILLSTROM)
    log = DecisionLog.of_frame(frame, action="segment", reward="spend", propensity=dict.fromkeys(mails, 1 / 3), features=names)
    checks = log.check({"mens": Always("Mens E-Mail")})
    assert set(verdicts(checks).values()) == {"pass"}
    assert round(row(checks, "sample ratio").statistic, 4) == 0.2025
    assert round(row(checks, "sample ratio").p, 3) == 0.904
    assert round(checks.balance["difference"].abs().max(), 4) == 0.0164
    assert round(row(checks, "omnibus").p, 3) == 0.613
    for mail, wanted in zip(mails[1:], (0.65, 0.79), strict=True):  # each mail against none, with the logarithm of the history too
        two = frame.filter(pl.col("segment").is_in([mails[0], mail])).with_columns(log=pl.col("history").log1p())
        pair = DecisionLog.of_frame(two, action="segment", reward="spend", propensity={mails[0]: 0.5, mail: 0.5}, features=[*names, "log"])
        assert round(row(pair.check(), "omnibus").p, 2) == wanted


@pytest.mark.skipif(not BANDIT.exists(), reason=f"the Open Bandit logs are not at {BANDIT}")
@pytest.mark.parametrize(("campaign", "size", "verdict"), [("men", 656, "warn"), ("women", 2.1, "refuse"), ("all", 340, "warn")])
def test_the_random_policy_from_the_logs_of_a_bandit(campaign, size, verdict):
    frame = pl.read_parquet(BANDIT / f"bts_{campaign}.parquet")
    log = DecisionLog.of_frame(
        frame,
        action="item_id",
        reward="click",
        propensity="propensity_score",
        time="timestamp",
        features=["position", "user_feature_0", "user_feature_1"],
    )
    checks = log.check({"random": AtRandom()})
    assert checks.verdict == "warn"  # chances below 1 in 1,000
    assert checks.verdict_of("random") == verdict
    assert row(checks, "effective size", "random").statistic == pytest.approx(size, rel=0.02)
    if campaign == "women":
        assert "tell no more of it than 2.1 rows of its own would" in checks.refusals("random")[0]
        assert "largest weight 2.174e+04" in row(checks, "effective size", "random").detail
        assert "mean weight 3.1342" in row(checks, "mean weight", "random").detail


def test_sound_logs_of_clusters_with_small_chances_are_believed():
    """Households drawn as one, chances that differ widely: a small chance that happened not to be drawn is no fault. With the variance that is seen 1 of 40 such logs was refused, and as many policies."""
    refused, warned = 0, 0
    for seed in range(60):
        rng = np.random.default_rng([51, seed])
        home = np.repeat(np.arange(500), 3)
        x = rng.normal(size=500)[home]
        chances = np.exp(np.stack([0 * x, x, -x], axis=1))
        chances /= chances.sum(axis=1, keepdims=True)
        arm = (rng.random(500)[home][:, None] > chances.cumsum(axis=1)).sum(axis=1).clip(0, 2)
        table = pl.DataFrame({"arm": arm, "r": 0.0, "home": home} | {f"p{a}": chances[:, a] for a in range(3)})
        log = DecisionLog.of_frame(
            table, action="arm", reward="r", propensity={a: f"p{a}" for a in range(3)}, cluster="home", arms=[0, 1, 2]
        )
        found = log.check({"one": np.ones(1500, int), "by x": (x > 0).astype(int)})
        weights = [row.verdict for row in found.rows if row.name == "mean weight"]
        assert len(weights) == 3
        refused, warned = refused + weights.count("refuse"), warned + weights.count("warn")
    assert refused == 0
    assert warned <= 6  # 180 tests at 1%


def test_moments_of_clusters_are_those_of_their_draws():
    """Two rows drawn as one, each with a chance of 0.1 (weights 20 or 0 together), and the same rows drawn one by one."""
    arms = np.array([0, 0, 1, 1], np.int32)
    clusters = np.array([0, 0, 1, 1], np.int32)
    p = 0.1
    variances, thirds = np.full(4, (1 - p) / p), np.full(4, (1 - p) * (1 - 2 * p) / p**2)
    sums = np.array([2 / p, 0.0])
    off = sums - 2
    exact = [2 * float((np.array([p, 1 - p]) * off**power).sum()) for power in (2, 3)]
    assert summed_moments(variances, thirds, arms, clusters, 0.0, 4.0) == pytest.approx(exact)
    crossing = np.array([0, 1, 1, 0], np.int32)
    assert summed_moments(variances, thirds, crossing, clusters, 0.0, 4.0) == pytest.approx((variances.sum(), thirds.sum()))
    assert summed_moments(variances, thirds, crossing, clusters, 50.0, 4.0) == (50.0, 625.0)
