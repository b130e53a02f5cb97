"""Effects by segment: whether they differ at all comes first."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

import vitrina as vt

pytest.importorskip("tea_tasting")
ex = vt.experiments
EVEN = {0: 1, 1: 1}


def table_of(seed, n=3000, effects=(0.0, 0.0, 0.0)):
    rng = np.random.default_rng(seed)
    group, arm = rng.integers(0, 3, n), rng.integers(0, 2, n)
    return pl.DataFrame(
        {
            "arm": arm,
            "city": np.array(["a", "b", "c"])[group],
            "age": rng.integers(18, 80, n),
            "spent": rng.exponential(5, n) + np.array(effects)[group] * arm,
        }
    )


def by_city(table, **more):
    return ex.analyse(table, {"spent": ex.Mean(column="spent")}, arm="arm", shares=EVEN, slices=["city"], **more)


def test_each_group_is_the_analysis_of_its_units():
    table = table_of(0, effects=(0, 1, 2))
    found = by_city(table)
    for city in "abc":
        own = found.slices.row(by_predicate=pl.col("group") == city, named=True)
        known = ex.analyse(table.filter(city=city), {"spent": ex.Mean(column="spent")}, arm="arm", shares=EVEN).table.row(0, named=True)
        for key in ("difference", "error", "low", "high", "relative_low", "p", "units"):
            assert own[key] == pytest.approx(known[key])


def test_q_is_cochrans():
    for seed in range(10):
        found = by_city(table_of(seed))
        d, se = found.slices["difference"].to_numpy(), found.slices["error"].to_numpy()
        mean = np.average(d, weights=1 / se**2)
        q = (((d - mean) / se) ** 2).sum()
        assert found.heterogeneity["q"][0] == pytest.approx(q)
        assert found.heterogeneity["p"][0] == pytest.approx(stats.chi2.sf(q, 2))


def test_a_difference_between_groups_is_told_and_none_is_not_fished_for():
    differing = by_city(table_of(1, effects=(0, 0, 3)))
    assert differing.heterogeneity["p_adjusted"][0] < 0.001
    assert differing.sentences[-1].startswith("spent of '1' by city: the effect differs between groups")
    assert "Try it again on new units" in differing.sentences[-1]
    alike = by_city(table_of(6, effects=(1, 1, 1)))
    assert "no sign that the effect differs between groups" in alike.sentences[-1]


def test_false_signs_are_rare_over_many_slices():
    rng, signs = np.random.default_rng(3), 0
    for _ in range(60):
        table = pl.DataFrame(
            {"arm": rng.integers(0, 2, 600), "spent": rng.exponential(5, 600)}
            | {f"s{k}": rng.integers(0, 4, 600).astype(str) for k in range(6)}
        )
        found = ex.analyse(table, {"spent": ex.Mean(column="spent")}, arm="arm", slices=[f"s{k}" for k in range(6)], force=True)
        signs += (found.heterogeneity["p_adjusted"] < 0.05).any()
        assert sum("no sign" in s for s in found.sentences) + (found.heterogeneity["p_adjusted"] < 0.05).sum() == 6
    assert signs / 60 < 0.05 + 2 * np.sqrt(0.05 * 0.95 / 60)


def test_a_slice_that_came_of_the_treatment_is_noticed():
    table = table_of(4).with_columns(
        city=pl.when((pl.col("arm") == 1) & (pl.int_range(pl.len()) % 3 == 0)).then(pl.lit("a")).otherwise(pl.col("city"))
    )
    assert "was it known before the assignment?" in by_city(table).sentences[0]


def test_units_whose_group_nobody_knows_are_a_group():
    found = by_city(table_of(5).with_columns(city=pl.when(pl.col("city") == "a").then(None).otherwise(pl.col("city"))))
    assert set(found.slices["group"]) == {"b", "c", "unknown"}
