"""Within groups: who leads there, where the best of all is behind, and whom a model helps; by differences of the same queries."""

import numpy as np
import polars as pl
import pytest

from vitrina.board.groups import groups
from vitrina.board.leads import losses
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.leads import leads_within
from vitrina.evaluate.significance import compare_paired

DRAWS = Bootstrap(draws=400)


@pytest.fixture(scope="module", params=[False, True], ids=["higher", "lower"])
def world(request):
    """The leader is ahead but among the young; a coin divides by nothing."""
    rng, lower = np.random.default_rng(0), request.param
    users = np.arange(2000)
    young = users < 600
    leader = rng.random(2000)
    other = leader + np.where(young, 0.2, -0.3) + 0.05 * rng.standard_normal(2000)
    same = leader + 0.3 * rng.standard_normal(2000)
    labels = {"age": pl.Series(np.where(young, "young", "old")), "coin": pl.Series(rng.choice(["a", "b", "c"], 2000))}
    columns = {"leader": leader, "other": other, "same": same}
    return {n: -v if lower else v for n, v in columns.items()}, labels, users, lower


def test_a_loss_is_found_where_it_is_and_not_where_there_is_only_noise(world):
    columns, labels, users, lower = world
    table = leads_within(columns, labels, users, bootstrap=DRAWS, lower_is_better=lower)
    (loss,) = losses(table, "leader", 0.05)
    assert (loss.slice, loss.group, loss.model, loss.queries) == ("age", "young", "other", 600)
    assert loss.difference == pytest.approx(0.2, abs=0.01)


def test_what_seeds_change_is_doubt_of_groups_too(world):
    columns, labels, users, lower = world
    more = {"other": 0.1**2}
    assert losses(leads_within(columns, labels, users, bootstrap=DRAWS, lower_is_better=lower, more=more), "leader", 0.05) == []
    plain, wide = (groups(columns, "leader", labels, users, bootstrap=DRAWS, lower_is_better=lower, more=m) for m in (None, more))
    width = [(t["high"] - t["low"]).to_numpy() for t in (plain, wide)]
    other = (plain["model"] == "other").to_numpy()
    assert (width[1][other] > 3 * width[0][other]).all()
    np.testing.assert_allclose(width[1][~other], width[0][~other])


def test_a_group_of_all_queries_is_the_comparison_itself(world):
    columns, _, users, lower = world
    table = groups(columns, "leader", {"all": pl.Series(["one"] * 2000)}, users, bootstrap=DRAWS, lower_is_better=lower)
    whole = compare_paired({n: columns[n] for n in ("leader", "other")}, "leader", users, bootstrap=DRAWS, lower_is_better=lower)
    names = ["difference", "low", "high", "people", "helped", "harmed", "verdict"]
    assert table.filter(model="other").select(names).rows() == whole.select(names).rows()


def test_who_is_helped_and_harmed_in_groups_equals_counting(world):
    columns, labels, users, lower = world
    table = groups(columns, "leader", labels, users, bootstrap=DRAWS, lower_is_better=lower)
    assert len(table) == 2 * 5
    for row in table.iter_rows(named=True):
        mask = (labels[row["slice"]] == row["group"]).to_numpy()
        gain = (columns[row["model"]] - columns["leader"])[mask]
        assert row["queries"] == row["people"] == mask.sum()
        assert row["difference"] == pytest.approx(gain.mean())
        assert row["helped"] == pytest.approx(((gain < 0) if lower else (gain > 0)).mean())
    said = dict(table.filter(slice="age", model="other").select("group", "verdict").iter_rows())
    assert said["young"].startswith("better by 0.198")
    assert said["old"].startswith("worse by 0.299")


def test_groups_of_few_queries_are_left_out():
    labels = {"g": pl.Series(["few"] * 29 + ["many"] * 30 + [None] * 50)}
    found = groups({"a": np.zeros(109), "b": np.ones(109)}, "a", labels, np.arange(109), bootstrap=DRAWS)
    assert found.select("slice", "group", "queries").rows() == [("g", "many", 30)]
    assert groups({"a": np.zeros(3), "b": np.zeros(3)}, "a", {}, np.arange(3), bootstrap=DRAWS).is_empty()
