"""The tree that is found is the best of all: against brute force over every tree on small data."""

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import MemoryBudgetError
from vitrina.policy import Units
from vitrina.policy.encoder import Encoder
from vitrina.policy.tree import grown

ARMS = ("none", "mail", "call")


def units_of(columns, allowed=None):
    table = pl.DataFrame(columns)
    if allowed is None:
        return Units.of_frame(table, features=table.columns, arms=ARMS)
    names = {arm: f"may {arm}" for arm in ARMS}
    masked = table.with_columns(**{names[arm]: pl.Series(allowed[:, at]) for at, arm in enumerate(ARMS)})
    return Units.of_frame(masked, features=table.columns, arms=ARMS, allowed=names)


def best_of_all(X, scores, depth, min_rows):
    """The largest sum that any tree of this depth reaches."""
    best = scores.sum(axis=0).max()
    if depth == 0:
        return best
    for column in range(X.shape[1]):
        for cut in np.unique(X[:, column])[:-1]:
            low = X[:, column] <= cut
            if min(low.sum(), (~low).sum()) >= min_rows:
                best = max(best, sum(best_of_all(X[part], scores[part], depth - 1, min_rows) for part in (low, ~low)))
    return best


@pytest.mark.parametrize(("depth", "cases", "rows"), [(1, 80, 14), (2, 80, 12), (3, 12, 10)])
@pytest.mark.parametrize("min_rows", [1, 3])
def test_no_tree_is_better(depth, cases, rows, min_rows):
    rng = np.random.default_rng(depth)
    for _ in range(cases):
        columns = {
            "a": rng.integers(0, 5, rows),
            "b": rng.normal(size=rows).round(1),
            "c": pl.Series(rng.integers(0, 3, rows)).cast(pl.String),
        }
        units, scores = units_of(columns), rng.normal(size=(rows, 3))
        tree = grown(units, scores, depth=depth, bins=32, min_rows=min_rows)
        reached = (tree.probabilities(units) * scores).sum()
        assert reached == pytest.approx(best_of_all(Encoder.of(units).matrix(units), scores, depth, min_rows))
        assert np.bincount(tree.leaves(units), minlength=len(tree.arm))[tree.arm >= 0].min() >= min_rows


def test_it_obeys_masks_and_knows_what_the_masked_get():
    rng = np.random.default_rng(0)
    for _ in range(50):
        allowed = np.column_stack([np.ones(12, bool), rng.random((12, 2)) < 0.6])
        columns, scores = {"a": rng.integers(0, 5, 12), "b": rng.normal(size=12)}, rng.normal(size=(12, 3))
        units = units_of(columns, allowed)
        tree = grown(units, scores, depth=2, bins=32, min_rows=1)
        chances = tree.probabilities(units)
        assert not (chances * ~allowed).any()
        given = np.where(allowed, scores, scores[:, :1])
        assert (chances * scores).sum() == pytest.approx(best_of_all(Encoder.of(units).matrix(units), given, 2, 1))


def test_scores_of_twice_the_size_or_in_another_order_give_the_same_tree():
    rng = np.random.default_rng(1)
    units, scores = units_of({"a": rng.normal(size=200), "b": rng.integers(0, 9, 200)}), rng.normal(size=(200, 3))
    tree, order = grown(units, scores, depth=2, bins=32, min_rows=10), rng.permutation(200)
    for other in (
        grown(units, 2 * scores, depth=2, bins=32, min_rows=10),
        grown(units.rows(order), scores[order], depth=2, bins=32, min_rows=10),
    ):
        assert np.array_equal(other.probabilities(units), tree.probabilities(units))
    both = np.concatenate([np.arange(200)] * 2)
    assert np.array_equal(
        grown(units.rows(both), scores[both], depth=2, bins=32, min_rows=20).probabilities(units), tree.probabilities(units)
    )


def test_rules_say_what_it_does():
    rng = np.random.default_rng(2)
    rides, city = rng.integers(0, 20, 4000), rng.choice(["north", "hill"], 4000)
    scores = np.zeros((4000, 3))
    scores[:, 1] = np.where(rides <= 6, 1.0, -1.0)
    scores[:, 2] = np.where((rides > 6) & (city == "hill"), 2.0, -2.0)
    age = np.where(rng.random(4000) < 0.1, None, rng.integers(18, 80, 4000).astype(object))
    units = units_of({"rides": rides, "city": city, "age": pl.Series(age.tolist(), dtype=pl.Int64)})
    tree = grown(units, scores, depth=2, bins=32, min_rows=50)
    assert set(tree.rules["rule"].str.replace(" and .*", "")) <= {"rides ≤ 6.5", "rides > 6.5", "city is hill", "city is not hill"}
    assert tree.rules.filter(arm="call")["rule"].item() in (
        "rides > 6.5 and city is not north",
        "city is hill and rides > 6.5",
        "rides > 6.5 and city is hill",
    )
    assert tree.rules["share"].sum() == pytest.approx(1)
    assert "rides ≤ 6.5" in str(tree)
    known = grown(
        units,
        np.where(units.features["age"].is_null().to_numpy()[:, None], [0, 1, 0], [1, 0, 0]).astype(float),
        depth=1,
        bins=8,
        min_rows=1,
    )
    assert known.rules["rule"].to_list() == ["age is known", "age is not known"]


def test_without_features_it_is_a_leaf():
    units = Units.of_frame(pl.DataFrame({"unit": [1, 2]}), unit="unit", arms=ARMS)
    tree = grown(units, np.array([[0.0, 1, 0], [0, 1, 3]]), depth=2, bins=32, min_rows=1)
    assert tree.rules["rule"].to_list() == ["everybody"]
    assert tree.rules["arm"].to_list() == ["call"]


def test_what_would_take_hours_is_refused():
    rng = np.random.default_rng(0)
    units = units_of({f"x{i}": rng.normal(size=20_000) for i in range(20)})
    with pytest.raises(MemoryBudgetError, match="depth=2, fewer bins"):
        grown(units, np.zeros((20_000, 3)), depth=3, bins=32, min_rows=1)
