"""Several logs as one: balanced weights, whose units are whose, and what is refused."""

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import DataError, ParameterError
from vitrina.policy import IPS, SNIPS, Always, Columns, DecisionLog, evaluate, pooled


def a_log(seed, share, n=400, ids=None, features=None):
    rng = np.random.default_rng(seed)
    arm = (rng.random(n) < share).astype(int)
    table = pl.DataFrame(
        {
            "who": np.arange(n) if ids is None else ids,
            "arm": np.array(["a", "b"])[arm],
            "r": 1 + arm + rng.normal(0, 1, n),
            "x": rng.normal(0, 1, n),
        }
    )
    return DecisionLog.of_frame(
        table, unit=None if ids is None else "who", action="arm", reward="r", propensity={"a": 1 - share, "b": share}, features=features
    )


def test_weights_are_balanced():
    logs = {"seldom": a_log(0, 0.02, n=500), "often": a_log(1, 0.7, n=300)}
    both = pooled(logs)
    chance_b = (500 * 0.02 + 300 * 0.7) / 800
    np.testing.assert_allclose(both.propensity, np.where(both.actions == 1, chance_b, 1 - chance_b))
    weights = (both.actions == 1) / both.propensity
    got = evaluate(both, {"b": Always("b")}, estimators=[IPS()]).table.row(0, named=True)
    assert got["value"] == pytest.approx(np.mean(weights * both.reward()))
    assert got["largest_weight"] == pytest.approx(1 / chance_b)
    assert abs(got["value"] - 2) < 4 * got["error"]
    rare = evaluate(logs["seldom"], {"b": Always("b")}, estimators=[SNIPS()], force=True).table.row(0, named=True)
    assert got["ess"] > 10 * rare["ess"]


def test_units_of_the_same_id_are_one_cluster():
    logs = {
        "one": a_log(0, 0.5, n=100, ids=[f"u{i}" for i in range(100)]),
        "two": a_log(1, 0.3, n=100, ids=[f"u{i}" for i in range(60, 160)]),
    }
    both = pooled(logs)
    assert len(both.cluster_ids) == 160
    names = both.cluster_ids.gather(both.clusters).to_list()
    assert names == [f"u{i}" for i in [*range(100), *range(60, 160)]]
    assert "40 clusters are in more than one" in both.notes[-1]


def test_rows_without_ids_are_nobody_twice():
    both = pooled({"one": a_log(0, 0.5, n=100), "two": a_log(1, 0.3, n=100)})
    assert len(both.cluster_ids) == 200
    assert "nobody is taken to be in two of them" in both.notes[-1]


def by_unit(seed, n=300):
    """A log whose chances depend on the unit, and the policy that made it."""
    rng = np.random.default_rng(seed)
    chance = rng.choice([0.2, 0.8], n)
    arm = (rng.random(n) < chance).astype(int)
    table = pl.DataFrame({"arm": np.array(["a", "b"])[arm], "r": rng.normal(1, 1, n), "pa": 1 - chance, "pb": chance})
    log = DecisionLog.of_frame(table, action="arm", reward="r", propensity={"a": "pa", "b": "pb"}, features=["pa", "pb"])
    return log, Columns(chances={"a": "pa", "b": "pb"})


def test_chances_that_depend_on_the_unit_take_the_policy():
    (one, maker), (two, _) = by_unit(0), by_unit(1)
    with pytest.raises(
        DataError,
        match="the chances by which 'one' was made must be known on the rows of the others too, and it has chances that depend on the unit",
    ):
        pooled({"one": one, "two": two}, {"two": maker})
    both = pooled({"one": one, "two": two}, {"one": maker, "two": maker})
    np.testing.assert_allclose(both.propensity, np.concatenate([one.propensity, two.propensity]))
    wrong = Columns(chances={"a": "pb", "b": "pa"})
    with pytest.raises(DataError, match="The policy given for 'one' isn't the one that made it"):
        pooled({"one": one, "two": two}, {"one": wrong, "two": maker})


def test_logs_that_dont_fit():
    log = a_log(0, 0.5)
    with pytest.raises(ParameterError, match=r"Two logs or more are pooled\. Got 1"):
        pooled({"one": log})
    with pytest.raises(ParameterError, match="have the same rewards"):
        pooled({"one": log, "two": a_log(1, 0.5).with_reward("s", np.ones(400))})
