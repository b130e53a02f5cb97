"""Analyses of experiments: what is said, what is refused, and that intervals cover what is true."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, UnknownNameError

ex = vt.experiments
tea_tasting = pytest.importorskip("tea_tasting")
EVEN = {"old": 0.5, "new": 0.5}


def shop(n=4000, effect=1.0, seed=0):
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, n)
    before = rng.exponential(10, n)
    return pl.DataFrame(
        {
            "user": np.arange(n), "group": np.array(["old", "new"])[arm], "before": before, "revenue": before * 0.7 + rng.exponential(3, n) + effect * arm,
            "orders": rng.poisson(2, n), "bought": (rng.random(n) < 0.2).astype(int), "errors": rng.poisson(1 + 0.2 * arm),
        }
    )  # fmt: skip


def only(analysis, metric, arm="new"):
    return analysis.table.row(by_predicate=(pl.col("metric") == metric) & (pl.col("arm") == arm), named=True)


def test_a_plain_experiment_says_what_tea_tasting_says():
    table = shop()
    metrics = {
        "revenue": ex.Mean(column="revenue", covariate="before"), "per order": ex.Ratio(numerator="revenue", denominator="orders"),
        "bought": ex.Share(column="bought"),
    }  # fmt: skip
    found = ex.analyse(table, metrics, arm="group", unit="user", control="old", shares=EVEN)
    theirs = tea_tasting.Experiment(
        revenue=tea_tasting.Mean("revenue", "before"),
        per_order=tea_tasting.RatioOfMeans("revenue", "orders"),
        bought=tea_tasting.Mean("bought"),
    ).analyze(table.with_columns(variant=(pl.col("group") == "new").cast(int)))
    for name, theirs_of in theirs.items():
        row = only(found, name.replace("_", " "))
        assert row["difference"] == pytest.approx(theirs_of.effect_size)
        assert (row["low"], row["high"]) == pytest.approx((theirs_of.effect_size_ci_lower, theirs_of.effect_size_ci_upper))
        assert (row["relative_low"], row["relative_high"]) == pytest.approx(
            (theirs_of.rel_effect_size_ci_lower, theirs_of.rel_effect_size_ci_upper)
        )
        assert row["p"] == pytest.approx(theirs_of.pvalue)
    assert found.checks.verdict == "pass"
    assert only(found, "revenue")["verdict"] == "better"
    assert any(s.startswith("revenue: 'new' is better than 'old', ") for s in found.sentences)


def test_no_difference_says_what_could_have_been_seen():
    found = ex.analyse(shop(effect=0), {"revenue": ex.Mean(column="revenue")}, arm="group", unit="user", control="old", shares=EVEN)
    row = only(found, "revenue")
    assert row["verdict"] == "no measurable difference"
    assert row["detectable"] == pytest.approx((1.96 + 0.8416) * row["error"], rel=1e-3)
    assert "could have been seen" in row["sentence"]


def test_lower_is_better_turns_the_verdict():
    found = ex.analyse(shop(), {"errors": ex.Mean(column="errors", lower_is_better=True)}, arm="group", control="old", shares=EVEN)
    assert only(found, "errors")["verdict"] == "worse"


@pytest.mark.parametrize(("effect", "verdict"), [(0.5, "holds"), (-2.0, "broken"), (-0.4, "not proved")])
def test_a_guard_holds_is_broken_or_is_not_proved(effect, verdict):
    metric = ex.Mean(column="revenue", covariate="before", margin=0.05)
    found = ex.analyse(shop(8000, effect), {"revenue": metric}, arm="group", unit="user", control="old", shares=EVEN)
    row = only(found, "revenue")
    assert (row["role"], row["verdict"], row["p_adjusted"]) == ("guard", verdict, None)
    assert row["sentence"].startswith("revenue (guard): ")


def test_rows_of_a_unit_are_added_up():
    table = shop(600)
    rows = pl.concat([table.with_columns(revenue=pl.col("revenue") * share) for share in (0.25, 0.75)]).sample(
        fraction=1, shuffle=True, seed=1
    )
    metrics = {"revenue": ex.Mean(column="revenue"), "bought": ex.Share(column="bought"), "per row": ex.Ratio(numerator="revenue")}
    whole = ex.analyse(table, metrics, arm="group", unit="user", control="old", shares=EVEN).table
    split = ex.analyse(rows, metrics, arm="group", unit="user", control="old", shares=EVEN).table
    for name, factor in (("revenue", 1), ("bought", 1), ("per row", 0.5)):
        for key in ("difference", "error", "low"):
            assert split.filter(metric=name)[key][0] == pytest.approx(whole.filter(metric=name)[key][0] * factor)


def test_a_broken_assignment_is_refused_and_shown_only_by_force():
    table = shop(8000).filter((pl.col("group") == "old") | (pl.col("user") % 8 > 0))
    asked = {"arm": "group", "unit": "user", "control": "old", "shares": EVEN}
    found = ex.analyse(table, {"revenue": ex.Mean(column="revenue")}, **asked)
    assert found.refused
    assert found.table.select("difference", "low", "p", "sentence").row(0) == (None, None, None, None)
    assert len(found.sentences) == 1
    assert "chance alone doesn't do that" in str(found).replace("\n", " ")
    forced = ex.analyse(table, {"revenue": ex.Mean(column="revenue")}, **asked, force=True)
    assert forced.table["difference"][0] is not None
    assert forced.checks.verdict == "refuse"


def test_many_comparisons_are_one_family():
    rng = np.random.default_rng(5)
    n = 6000
    table = pl.DataFrame({"arm": rng.integers(0, 4, n)} | {f"m{k}": rng.normal(size=n) for k in range(3)})
    found = ex.analyse(table, {f"m{k}": ex.Mean(column=f"m{k}") for k in range(3)}, arm="arm", shares=dict.fromkeys(range(4), 1)).table
    order = found["p"].arg_sort()
    known = np.maximum.accumulate(found["p"].gather(order).to_numpy() * np.arange(9, 0, -1)).clip(max=1)
    assert found["p_adjusted"].gather(order).to_numpy() == pytest.approx(known)


def test_units_without_a_number_are_said_and_a_loss_that_depends_on_the_arm_too():
    table = shop().with_columns(revenue=pl.when(pl.col("user") % 100 == 0).then(float("nan")).otherwise(pl.col("revenue")))
    found = ex.analyse(table, {"revenue": ex.Mean(column="revenue")}, arm="group", control="old", shares=EVEN)
    assert only(found, "revenue")["units"] + only(found, "revenue")["units_control"] == 3960
    assert "40 of 4,000 units have no 'revenue' and are left out of it" in found.sentences[0]
    worse = table.with_columns(
        revenue=pl.when((pl.col("user") % 3 == 0) & (pl.col("group") == "new")).then(None).otherwise(pl.col("revenue"))
    )
    assert (
        "depends on the arm"
        in ex.analyse(worse, {"revenue": ex.Mean(column="revenue")}, arm="group", control="old", shares=EVEN).sentences[0]
    )


def test_new_users_have_no_covariate_and_stay_in():
    table = shop().with_columns(before=pl.when(pl.col("user") % 4 == 0).then(None).otherwise(pl.col("before")))
    metrics = {"plain": ex.Mean(column="revenue"), "cuped": ex.Mean(column="revenue", covariate="before")}
    found = ex.analyse(table, metrics, arm="group", control="old", shares=EVEN)
    assert only(found, "cuped")["units"] == only(found, "plain")["units"]
    assert only(found, "cuped")["error"] < 0.8 * only(found, "plain")["error"]
    assert any("have no covariate" in c.sentence for c in found.checks.rows)


def test_a_covariate_measured_after_the_start_is_noticed():
    table = shop().with_columns(before=pl.col("revenue"))
    found = ex.analyse(table, {"revenue": ex.Mean(column="revenue", covariate="before")}, arm="group", control="old", shares=EVEN)
    assert "was it measured after the start?" in found.sentences[0]


def test_a_heavy_tail_has_both_numbers():
    rng = np.random.default_rng(6)
    table = pl.DataFrame({"arm": np.arange(2000) % 2, "revenue": rng.pareto(1.2, 2000)})
    found = ex.analyse(table, {"revenue": ex.Mean(column="revenue", winsorised=0.99)}, arm="arm", shares={0: 1, 1: 1})
    assert found.table["role"].to_list() == ["goal", "beside"]
    cap = np.quantile(table["revenue"], 0.99)
    assert found.table["control_value"][1] == pytest.approx(np.minimum(table.filter(arm=0)["revenue"], cap).mean())
    assert "of the spread of 'revenue'" in found.sentences[0]
    assert found.table["p_adjusted"].to_list() == [found.table["p"][0], None]


def test_a_number_that_depends_on_the_arm_has_no_verdict():
    """Orders of buyers alone: ten per cent off brings buyers who spend less each, and the mean over those who bought says that it does harm."""
    rng = np.random.default_rng(3)
    arm = np.arange(8000) % 2
    bought = rng.random(8000) < np.where(arm, 0.4, 0.2)
    table = pl.DataFrame(
        {"arm": arm, "order": np.where(bought, rng.gamma(4, np.where(arm, 4.0, 5.0)), np.nan), "visits": rng.poisson(3, 8000)}
    )
    metrics = {"order": ex.Mean(column="order"), "guarded": ex.Mean(column="order", margin=0.1), "visits": ex.Mean(column="visits")}
    found = ex.analyse(table, metrics, arm="arm", shares={0: 1, 1: 1})
    assert dict(found.table.select("metric", "verdict").rows()) == {
        "order": "not known",
        "guarded": "not proved",
        "visits": "no measurable difference",
    }
    assert found.table["p_adjusted"][0] is None
    assert "order: not known of '1', as who has a number depends on the arm." in found.sentences
    assert ex.analyse(table, metrics, arm="arm", shares={0: 1, 1: 1}, force=True).table["verdict"][0] == "worse"


def test_one_large_cluster_decides_though_no_unit_does():
    """A home of 60 among homes of one: the unit's numbers are as tame as can be, and the difference hangs on where the home is."""
    rng = np.random.default_rng(6)
    home = np.concatenate([np.arange(100), np.full(60, 100)])
    table = pl.DataFrame({"home": home, "arm": home % 2, "spent": rng.normal(5, 1, 101)[home] + (home == 100), "orders": 1})
    told = {}
    for cluster in (None, "home"):
        metrics = {"spent": ex.Mean(column="spent"), "per order": ex.Ratio(numerator="spent", denominator="orders")}
        found = ex.analyse(table, metrics, arm="arm", cluster=cluster, shares={0: 1, 1: 1}, force=True)
        told[cluster] = [c.sentence for c in found.checks.rows if c.name.startswith("tail")]
    sums, sizes = (np.bincount(home, table[column]) for column in ("spent", "orders"))
    off = sums - sums.sum() / sizes.sum() * sizes
    share = (off**2).max() / (off**2).sum()
    assert share > 0.5
    assert told[None] == []
    assert [
        f"One cluster makes {share:.0%} of the spread of '{name}'" in text for name, text in zip(metrics, told["home"], strict=True)
    ] == [True, True]


def test_the_tail_of_a_ratio_is_that_of_what_a_unit_moves():
    """Who has a thousand times the orders and pays the usual price for each moves the price by nothing; who pays another price for them does."""
    orders = np.where(np.arange(2000) == 7, 2000, 1 + np.arange(2000) % 3)
    price = np.random.default_rng(2).normal(10, 1, 2000)
    usual = np.average(price, weights=np.where(np.arange(2000) == 7, 0, orders))
    for whale, warned in ((usual, False), (usual + 2, True)):
        paid = np.where(np.arange(2000) == 7, whale, price) * orders
        table = pl.DataFrame({"arm": np.arange(2000) % 2, "paid": paid, "orders": orders})
        found = ex.analyse(table, {"price": ex.Ratio(numerator="paid", denominator="orders")}, arm="arm", shares={0: 1, 1: 1})
        assert any("of the spread of 'price'" in s for s in found.sentences) == warned


def test_an_arm_without_units_and_a_metric_without_spread():
    table = shop(400).with_columns(nothing=pl.lit(0))
    found = ex.analyse(table, {"nothing": ex.Mean(column="nothing")}, arm="group", shares={"old": 1, "new": 1, "third": 1}, force=True)
    assert "all units of 'new' and 'old' have 0, so nothing can differ" in only(found, "nothing")["sentence"]
    assert "'third' has no units" in only(found, "nothing", "third")["sentence"]
    assert found.checks.verdict == "refuse"


def test_pandas_with_whole_numbers_as_arms():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(
        {
            "Kunde": range(1000),
            "Variante": [0.0, 1.0, float("nan"), 1.0, 0.0] * 200,
            "Umsatz": np.random.default_rng(0).exponential(5, 1000),
        }
    )
    found = ex.analyse(table, {"Umsatz": ex.Mean(column="Umsatz")}, arm="Variante", unit="Kunde", shares={0: 0.5, 1: 0.5})
    assert found.table.select("arm", "control", "units", "units_control").row(0) == ("1", "0", 400, 400)
    assert any("200 of 1,000 rows have no arm" in s for s in found.sentences)


def test_what_is_asked_wrongly_is_refused():
    table = shop(200)
    mean = {"revenue": ex.Mean(column="revenue")}
    with pytest.raises(ParameterError, match="name: metric"):
        ex.analyse(table, [ex.Mean(column="revenue")], arm="group")
    with pytest.raises(DataError, match="no column 'Revenue'"):
        ex.analyse(table, {"r": ex.Mean(column="Revenue")}, arm="group")
    with pytest.raises(UnknownNameError, match="no arm 'olds'"):
        ex.analyse(table, mean, arm="group", control="olds")
    with pytest.raises(UnknownNameError, match="no arm of the design 'new'"):
        ex.analyse(table, mean, arm="group", shares={"old": 1, "other": 1})
    with pytest.raises(DataError, match="must hold 0 and 1"):
        ex.analyse(table, {"orders": ex.Share(column="orders")}, arm="group")
    with pytest.raises(DataError, match="must be the same in all rows of a unit"):
        ex.analyse(
            table.with_columns(user=pl.col("user") // 2, group=pl.lit("old")).vstack(table),
            mean | {"c": ex.Mean(column="revenue", covariate="before")},
            arm="group",
            unit="user",
        )
    with pytest.raises(ParameterError, match="are a list of columns"):
        ex.analyse(table, mean, arm="group", slices="orders")
    with pytest.raises(ParameterError, match="must leave something"):
        ex.analyse(
            table.with_columns(revenue=(pl.col("user") == 3).cast(float)),
            {"revenue": ex.Mean(column="revenue", winsorised=0.99)},
            arm="group",
        )
    with pytest.raises(ParameterError, match="covariate_numerator"):
        ex.Ratio(numerator="a", covariate_denominator="b")
    with pytest.raises(ParameterError, match="share above 0"):
        ex.analyse(table, mean, arm="group", shares={"old": 1, "new": 0})


def test_the_plan_of_an_experiment_is_its_shares():
    plan = ex.Experiment(name="prices", arms={"old": 0.8, "new": 0.2})
    users = pl.DataFrame({"user": np.arange(5000)})
    table = users.with_columns(plan.assign(users["user"])["arm"]).with_columns(
        revenue=pl.Series(np.random.default_rng(1).exponential(3, 5000))
    )
    found = ex.analyse(table, {"revenue": ex.Mean(column="revenue")}, arm="arm", unit="user", shares=plan)
    assert (found.table["control"][0], found.checks.verdict) == ("old", "pass")
    sessions = plan.model_copy(update={"unit": "session"})
    warned = ex.analyse(table, {"revenue": ex.Mean(column="revenue")}, arm="arm", unit="user", shares=sessions)
    assert warned.sentences[0].startswith("Sessions are assigned, not people")


def households(rng, homes=300, effect=0.0):
    """Homes are assigned, people are asked; people of one home are alike."""
    size = rng.integers(1, 6, homes)
    home = np.repeat(np.arange(homes), size)
    arm = rng.integers(0, 2, homes)[home]
    spent = rng.exponential(5, homes)[home] + rng.exponential(2, len(home)) + effect * arm
    return pl.DataFrame({"person": np.arange(len(home)), "home": home, "arm": arm, "spent": spent})


def test_whole_clusters_are_what_is_independent():
    rng = np.random.default_rng(7)
    covered = {"naive": 0, "clustered": 0}
    for _ in range(80):
        table = households(rng)
        for name, cluster in (("naive", None), ("clustered", "home")):
            found = ex.analyse(
                table, {"spent": ex.Mean(column="spent")}, arm="arm", unit="person", cluster=cluster, shares={0: 1, 1: 1}, force=True
            ).table
            covered[name] += found["low"][0] <= 0 <= found["high"][0]
    assert covered["clustered"] / 80 > 0.9
    assert covered["naive"] / 80 < 0.85


def test_the_mean_over_people_stays_that_of_people_when_homes_are_assigned():
    table = households(np.random.default_rng(8))
    asked = {"arm": "arm", "unit": "person", "shares": {0: 1, 1: 1}, "force": True}
    naive, clustered = (ex.analyse(table, {"spent": ex.Mean(column="spent")}, cluster=c, **asked).table for c in (None, "home"))
    assert clustered["difference"][0] == pytest.approx(naive["difference"][0])
    assert clustered["error"][0] > naive["error"][0]
    assert clustered["units"][0] == naive["units"][0]


def test_homes_in_two_arms_are_seen():
    table = households(np.random.default_rng(9)).with_columns(arm=pl.col("person") % 2)
    found = ex.analyse(table, {"spent": ex.Mean(column="spent")}, arm="arm", unit="person", cluster="home", shares={0: 1, 1: 1})
    assert found.refused
    assert "were in more than one arm" in found.sentences[-1] or "were in more than one arm" in found.sentences[0]


def test_the_order_of_rows_and_the_scale_change_nothing():
    table = shop(500)
    asked = {"arm": "group", "unit": "user", "control": "old", "shares": EVEN}
    metric = {"revenue": ex.Mean(column="revenue", covariate="before")}
    first = ex.analyse(table, metric, **asked).table.select("difference", "low", "high", "relative", "p")
    turned = ex.analyse(table.reverse(), metric, **asked).table.select(first.columns)
    scaled = ex.analyse(table.with_columns(pl.col("revenue") * 100), metric, **asked).table.select(first.columns)
    assert turned.row(0) == pytest.approx(first.row(0))
    assert scaled.row(0) == pytest.approx(np.array(first.row(0)) * [100, 100, 100, 1, 1])


def test_false_winners_are_rare_over_arms_and_metrics():
    rng = np.random.default_rng(10)
    won, worlds = 0, 100
    for _ in range(worlds):
        n = 600
        base = rng.exponential(1, n)
        table = pl.DataFrame(
            {"arm": rng.integers(0, 3, n), "a": base, "b": base + rng.exponential(1, n), "c": (rng.random(n) < 0.3).astype(int)}
        )
        found = ex.analyse(
            table,
            {"a": ex.Mean(column="a"), "b": ex.Mean(column="b"), "c": ex.Share(column="c")},
            arm="arm",
            shares={0: 1, 1: 1, 2: 1},
            force=True,
        )
        won += found.table["verdict"].is_in(["better", "worse"]).any()
    assert won / worlds < 0.05 + 2 * np.sqrt(0.05 * 0.95 / worlds)


def test_values_of_zero_and_below_have_no_quotient_and_keep_their_interval():
    rng = np.random.default_rng(11)
    table = pl.DataFrame({"arm": np.arange(2000) % 2, "profit": rng.normal(0, 5, 2000)}).with_columns(
        bought=((pl.col("arm") == 1) & (pl.int_range(pl.len()) % 40 == 1)).cast(int)
    )
    metrics = {"bought": ex.Share(column="bought"), "profit": ex.Mean(column="profit"), "loss": ex.Mean(column="loss")}
    found = ex.analyse(table.with_columns(loss=pl.col("profit") - 20), metrics, arm="arm", shares={0: 1, 1: 1})
    for name in metrics:
        row, values = only(found, name, "1"), table.with_columns(loss=pl.col("profit") - 20).partition_by("arm", as_dict=True)
        known = stats.ttest_ind(values[(1,)][name], values[(0,)][name], equal_var=False)
        assert (row["p"], row["low"]) == pytest.approx((known.pvalue, known.confidence_interval(0.95).low))
        assert row["relative"] is None
    assert only(found, "bought", "1")["verdict"] == "better"


def test_what_says_nothing_is_told():
    table = shop(400).with_columns(nothing=pl.lit(0.0), unknown=pl.lit(None, dtype=pl.Float64))
    metrics = {
        "a": ex.Mean(column="revenue", covariate="unknown"),
        "b": ex.Mean(column="revenue", covariate="nothing"),
        "c": ex.Ratio(numerator="revenue", denominator="nothing"),
    }
    found = ex.analyse(table, metrics, arm="group", control="old", shares=EVEN)
    assert sum("takes no noise away" in s for s in found.sentences) == 2
    assert "the total that it is divided by is 0" in only(found, "c")["sentence"]
