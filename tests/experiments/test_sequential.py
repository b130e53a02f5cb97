"""The interval that may be looked at every day."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.experiments.sequential import half_width, tuning

ex = vt.experiments
EVEN = {0: 1, 1: 1}


def slow_half_width(n, error, planned, alpha):
    """As GrowthBook writes it, from the variance s2 = error^2 n."""
    s2 = error**2 * n
    r = math.sqrt((-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / planned)
    return math.sqrt(s2) * math.sqrt(2 * (n * r**2 + 1) / (n * r) ** 2 * math.log(math.sqrt(n * r**2 + 1) / alpha))


def test_the_width_is_the_formula():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n, planned = int(rng.integers(2, 10**6)), int(rng.integers(2, 10**6))
        error, alpha = float(rng.exponential()), float(rng.uniform(0.001, 0.3))
        assert half_width(n, error, planned, alpha) == pytest.approx(slow_half_width(n, error, planned, alpha), rel=1e-12)


def test_it_is_narrowest_near_the_plan():
    n = np.arange(100, 40_000, 10)
    best = n[np.argmin(half_width(n, 1.0, 5000))]
    assert abs(best / 5000 - 1) < 0.05
    assert half_width(5000, 1.0, 5000) == pytest.approx(half_width(50_000, 1.0, 50_000))
    assert tuning(5000, 0.05) == pytest.approx(0.0398398, abs=1e-6)


def daily(n=8000, effect=0.0, days=14, seed=0, more=()):
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, n)
    before = rng.exponential(10, n)
    return pl.DataFrame(
        {"user": np.arange(n), "arm": arm, "day": rng.integers(0, days, n), "before": before, "revenue": before + rng.exponential(5, n) + effect * arm, "orders": 1 + rng.poisson(2, n)}
    ).with_columns(known=pl.lit(dt.datetime(2026, 3, 1, 9)) + pl.duration(days=pl.col("day")))  # fmt: skip


def test_each_look_is_the_analysis_of_what_was_known_then():
    table = daily()
    metrics = {
        "revenue": ex.Mean(column="revenue"), "cuped": ex.Mean(column="revenue", covariate="before"), "ratio": ex.Ratio(numerator="revenue", denominator="orders"),
    }  # fmt: skip
    found = ex.sequential(table, metrics, arm="arm", unit="user", time="known", planned=8000, shares=EVEN)
    pytest.importorskip("tea_tasting")
    for look in (3, 14):
        known = ex.analyse(table.filter(pl.col("day") < look), metrics, arm="arm", unit="user", shares=EVEN).table
        for name in metrics:
            ours = found.table.row(by_predicate=(pl.col("look") == look) & (pl.col("metric") == name), named=True)
            one = known.row(by_predicate=pl.col("metric") == name, named=True)
            for key in ("difference", "error", "value", "control_value"):
                assert ours[key] == pytest.approx(one[key])
            assert ours["units"] == one["units"] + one["units_control"]
            half = half_width(ours["units"], one["error"], 8000, 0.05 / 3)
            assert (ours["low"], ours["high"]) == pytest.approx((one["difference"] - half, one["difference"] + half))


def test_what_was_said_once_is_never_taken_back():
    found = ex.sequential(daily(effect=1.2), {"revenue": ex.Mean(column="revenue")}, arm="arm", time="known", planned=8000, shares=EVEN)
    low, high = found.table["low_so_far"].drop_nulls().to_numpy(), found.table["high_so_far"].drop_nulls().to_numpy()
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) <= 0).all()
    first = found.stops["look"][0]
    assert found.table.filter(pl.col("look") >= first)["verdict"].unique().to_list() == ["better"]
    assert found.stops["until"][0] == dt.datetime(2026, 3, 1) + dt.timedelta(days=first)
    assert f"decided at look {first}" in str(found)


def test_nothing_is_decided_before_the_burn_in():
    table = daily(effect=9.0)
    asked = {"arm": "arm", "time": "day", "planned": 8000, "shares": EVEN}
    found = ex.sequential(table, {"revenue": ex.Mean(column="revenue")}, burn_in=1000, **asked).table
    for row in found.iter_rows(named=True):
        least = np.inf
        for arm in (0, 1):
            x = table.filter((pl.col("day") < row["look"]) & (pl.col("arm") == arm))["revenue"].to_numpy()
            least = min(least, np.abs(x - x.mean()).sum() ** 2 / ((x - x.mean()) ** 2).sum())
        assert row["verdict"] == ("better" if least >= 1000 else "too early")
        assert (row["low_so_far"] is None) == (least < 1000)


def test_few_buyers_are_few_units():
    rng = np.random.default_rng(3)
    n = 80_000
    table = pl.DataFrame(
        {"arm": (rng.random(n) < 0.1).astype(int), "day": np.arange(n) // 400, "bought": (rng.random(n) < 0.01).astype(int)}
    )
    found = ex.sequential(table, {"bought": ex.Share(column="bought")}, arm="arm", time="day", planned=n).table
    first = found.filter(pl.col("verdict") != "too early")["look"][0]
    buyers = table.filter((pl.col("day") < first) & (pl.col("arm") == 1))["bought"].sum()
    assert 50 <= buyers <= 56


def test_guards_are_decided_by_their_margin():
    asked = {"arm": "arm", "time": "day", "planned": 40_000, "shares": EVEN}
    metric = {"revenue": ex.Mean(column="revenue", margin=0.1)}
    assert ex.sequential(daily(40_000), metric, **asked).table["verdict"][-1] == "holds"
    assert ex.sequential(daily(40_000, -3.0), metric, **asked).table["verdict"][-1] == "broken"
    lower = {"revenue": ex.Mean(column="revenue", margin=0.1, lower_is_better=True)}
    assert ex.sequential(daily(40_000, 3.0), lower, **asked).table["verdict"][-1] == "broken"


def test_an_effect_that_changes_its_sign_is_said():
    table = daily(60_000).with_columns(revenue=pl.col("revenue") + pl.when(pl.col("day") < 5).then(3.0).otherwise(-3.0) * pl.col("arm"))
    found = ex.sequential(table, {"revenue": ex.Mean(column="revenue")}, arm="arm", time="day", planned=60_000, shares=EVEN)
    assert found.table["verdict"][-1] == "contradictory"
    assert "the effect isn't the same all the time" in str(found)


def test_a_unit_counts_once():
    with pytest.raises(DataError, match="must be the same in all rows of a unit"):
        ex.sequential(
            pl.concat([daily(500), daily(500, seed=1)]).with_columns(arm=pl.col("user") % 2),
            {"r": ex.Mean(column="revenue")},
            arm="arm",
            unit="user",
            time="day",
            planned=500,
        )
    with pytest.raises(ParameterError, match="'planned' of sequential must be above 0"):
        ex.sequential(daily(500), {"r": ex.Mean(column="revenue")}, arm="arm", time="day", planned=0)


@pytest.mark.parametrize(
    "draw",
    [lambda rng, n: rng.normal(size=n), lambda rng, n: (rng.random(n) < 0.01).astype(float), lambda rng, n: np.where(rng.random(n) < 0.05, rng.lognormal(3, 1.2, n), 0.0)],
    ids=["normal", "one per cent", "revenue with zeros"],
)  # fmt: skip
def test_looking_all_the_time_raises_few_false_alarms(draw):
    rng = np.random.default_rng(1)
    worlds, n, first, alarms, naive = 300, 6000, 500, 0, 0
    for _ in range(worlds):
        x, y = draw(rng, n), draw(rng, n)
        count = np.arange(1, n + 1)
        mean = (np.cumsum(y) - np.cumsum(x)) / count
        variance = sum((np.cumsum(v**2) - np.cumsum(v) ** 2 / count) / np.maximum(count - 1, 1) for v in (x, y)) / count
        error = np.sqrt(variance)
        alarms += (np.abs(mean) > half_width(2 * count, error, 2 * n))[first:].any()
        naive += (np.abs(mean) > 1.96 * error)[first:].any()
    assert alarms / worlds < 0.05 + 2 * math.sqrt(0.05 * 0.95 / worlds)
    assert naive / worlds > 0.2


@pytest.mark.parametrize(
    ("planned", "alpha", "bounds"),
    [
        (5000, 0.05, {100: 66.94388617066039, 1000: 106.37547006557504, 5000: 214.6216859413423, 40000: 642.4315659848478}),
        (800, 0.01, {100: 41.36506341429052, 1000: 113.02391468349718, 5000: 261.6226254012917, 40000: 789.8448112030106}),
    ],
)
def test_the_width_is_that_of_another_library(planned, alpha, bounds):
    """`TwoSidedNormalMixture(planned, alpha).bound(v, log(1 / alpha))` of expectation 0.6.1: the boundary of a sum whose terms have the variance 1."""
    for n, bound in bounds.items():
        assert n * half_width(n, 1 / np.sqrt(n), planned, alpha) == pytest.approx(bound, rel=1e-12)


def test_a_number_that_depends_on_the_arm_is_never_decided():
    """Orders of buyers alone, where one arm has twice the buyers: what those who bought spent is another question."""
    rng = np.random.default_rng(3)
    arm = np.arange(8000) % 2
    bought = rng.random(8000) < np.where(arm, 0.4, 0.2)
    order = np.where(bought, rng.gamma(4, np.where(arm, 4.0, 5.0)), np.nan)
    table = pl.DataFrame({"arm": arm, "order": order, "day": np.sort(rng.integers(0, 10, 8000))})
    asked = {"arm": "arm", "time": "day", "planned": 8000, "shares": {0: 1, 1: 1}}
    found, forced = (ex.sequential(table, {"order": ex.Mean(column="order")}, **asked, force=force) for force in (False, True))
    assert found.stops.height == 0
    assert "as who has a number depends on the arm" in found.sentences[-1]
    assert forced.stops["verdict"].to_list() == ["worse"]
