"""Assignments within a budget beside the exact integer optimum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from vitrina.base.errors import ParameterError
from vitrina.policy import assign_with_budget


def best(value, cost, budget, allowed=None, roi=None) -> float | None:
    """The integer optimum by branch and bound; None where nothing is within the constraints."""
    n, arms = value.shape
    one = np.kron(np.eye(n), np.ones(arms))
    rows = [LinearConstraint(one, 1, 1), LinearConstraint(cost.ravel()[None], -np.inf, budget)]
    if roi is not None:
        rows.append(LinearConstraint((roi * cost - value).ravel()[None], -np.inf, 0))
    upper = np.ones(n * arms) if allowed is None else allowed.ravel().astype(float)
    found = milp(-value.ravel(), constraints=rows, integrality=np.ones(n * arms), bounds=Bounds(0, upper))
    return None if found.x is None else -found.fun


def drawn(seed: int):
    """A small instance: ties, arms that cost nothing or save money, values below 0, arms that may not be given."""
    rng = np.random.default_rng(seed)
    n, arms = int(rng.integers(1, 8)), int(rng.integers(2, 5))
    value = rng.integers(-3, 8, (n, arms)).astype(float) if seed % 2 else rng.normal(1, 2, (n, arms))
    cost = rng.integers(-2, 6, (n, arms)).astype(float) if seed % 3 else rng.normal(1, 2, (n, arms))
    allowed = rng.random((n, arms)) < 0.8
    allowed[np.arange(n), rng.integers(0, arms, n)] = True
    least = np.where(allowed, cost, np.inf).min(axis=1).sum()
    return value, cost, float(np.round(least + rng.uniform(-1, 3 * n), seed % 4)), allowed


def one_step(value, cost, allowed) -> float:
    """The most that a step of one unit gains."""
    low = np.where(allowed, value, np.inf).min(axis=1)
    return float((np.where(allowed, value, -np.inf).max(axis=1) - low).max())


@pytest.mark.parametrize("seed", range(200))
def test_at_most_one_unit_from_the_integer_optimum(seed):
    value, cost, budget, allowed = drawn(seed)
    optimum = best(value, cost, budget, allowed)
    if optimum is None:
        with pytest.raises(ParameterError, match="cheapest arms of all units come to"):
            assign_with_budget(value, cost, budget, allowed=allowed)
        return
    found = assign_with_budget(value, cost, budget, allowed=allowed)
    rows = np.arange(len(value))
    assert allowed[rows, found.arms].all()
    assert found.spent == pytest.approx(cost[rows, found.arms].sum())
    assert found.spent <= budget + 1e-9
    assert found.value <= optimum + 1e-6 <= found.bound + 2e-6
    assert optimum - found.value <= one_step(value, cost, allowed) + 1e-6
    assert found.bound - found.value <= one_step(value, cost, allowed) + 1e-6
    if found.multiplier == 0:
        assert found.value == pytest.approx(optimum)


@pytest.mark.parametrize("seed", range(200))
def test_a_return_is_kept_and_costs_no_more_than_one_unit_per_constraint(seed):
    value, cost, budget, _ = drawn(seed)
    value[:, 0] = cost[:, 0] = 0
    cost[:, 1:] = np.where(cost[:, 1:] == 0, 0.5, cost[:, 1:])
    budget, roi = (np.inf, abs(budget) + len(value))[seed % 2], (0.5, 1.0, 2.0)[seed % 3]
    optimum = best(value, cost, budget, roi=roi)
    assert optimum is not None  # the control does it
    found = assign_with_budget(value, cost, budget, roi=roi)
    assert found.value - roi * found.spent >= -1e-9
    assert found.spent <= budget + 1e-9
    assert found.value <= optimum + 1e-6 <= found.bound + 2e-6
    assert optimum - found.value <= 2 * one_step(value, cost, np.ones(value.shape, bool)) + 1e-6


def test_the_free_lunch_is_a_budget_of_lost_revenue():
    rng = np.random.default_rng(3)
    trips, revenue = np.zeros((6, 3)), np.zeros((6, 3))
    trips[:, 1:], revenue[:, 1:] = rng.uniform(0, 1, (6, 2)), rng.normal(-0.2, 1, (6, 2))
    found = assign_with_budget(trips, -revenue, 0.0)
    assert -found.spent >= 0
    assert found.value <= best(trips, -revenue, 0.0) + 1e-9 <= found.bound + 1e-8
    assert found.value > 0


def test_a_multiplier_decides_for_each_unit_by_itself():
    rng = np.random.default_rng(0)
    value, cost = rng.normal(1, 1, (500, 4)), rng.normal(0.5, 1, (500, 4))
    found = assign_with_budget(value, cost, 40.0)
    alone = np.argmax(value - found.multiplier * cost, axis=1)
    assert (alone != found.arms).sum() <= 3  # the unit at the margin, and who was given what was left
    dual = found.multiplier * 40.0 + (value - found.multiplier * cost).max(axis=1).sum()
    assert found.bound == pytest.approx(dual)
    assert found.gap < 0.01


def test_identical_units_are_treated_as_far_as_the_money_goes_in_their_order():
    found = assign_with_budget(np.tile([0.0, 2.0], (10, 1)), [0.0, 3.0], 10.0)
    assert found.arms.tolist() == [1, 1, 1] + [0] * 7
    assert (found.spent, found.value, found.multiplier) == (9.0, 6.0, pytest.approx(2 / 3))
    assert found.bound == pytest.approx(20 / 3)


def test_a_budget_that_is_met_exactly_by_parts_that_have_no_binary_form():
    found = assign_with_budget([[0, 1.0], [0, 1.0]], [[0, 0.1], [0, 0.2]], 0.3)
    assert found.arms.tolist() == [1, 1]
    assert found.gap == 0


def test_a_budget_that_does_not_bind_has_no_price():
    found = assign_with_budget([[0, 1.0, 3.0], [0, -1.0, -2.0]], [0, 1.0, 2.0], 100.0)
    assert found.arms.tolist() == [2, 0]
    assert (found.multiplier, found.gap) == (0.0, 0.0)
    assert assign_with_budget([[0, 1.0]], [0, 1.0], np.inf).arms.tolist() == [1]


def test_what_is_left_after_a_step_that_is_too_dear_goes_to_later_ones():
    found = assign_with_budget([[0, 10.0], [0, 1.0]], [[0, 5.0], [0, 1.0]], 3.0)
    assert found.arms.tolist() == [0, 1]
    assert found.multiplier == 2.0


def test_permuted_and_doubled_units_and_other_units_of_money_change_nothing():
    rng = np.random.default_rng(5)
    value, cost = rng.normal(1, 1, (60, 3)), rng.uniform(0.1, 2, (60, 3))
    found, order = assign_with_budget(value, cost, 50.0), rng.permutation(60)
    np.testing.assert_array_equal(assign_with_budget(value[order], cost[order], 50.0).arms, found.arms[order])
    doubled = assign_with_budget(np.repeat(value, 2, axis=0), np.repeat(cost, 2, axis=0), 100.0)
    assert doubled.bound == pytest.approx(2 * found.bound)
    cents = assign_with_budget(value, 100 * cost, 5000.0)
    np.testing.assert_array_equal(cents.arms, found.arms)
    assert cents.multiplier == pytest.approx(found.multiplier / 100)
    single = assign_with_budget(value.astype(np.float32), cost.astype(np.float32), 50.0)
    assert single.value == pytest.approx(found.value, rel=1e-3)


def test_tables_by_arm_and_segment():
    found = assign_with_budget([[0, 2.0], [0, 1.0], [0, 3.0]], [0, 1.0], 2.0)
    assert found.table.to_dict(as_series=False) == {
        "arm": [0, 1], "units": [1, 2], "share": [1 / 3, 2 / 3], "cost": [0.0, 2.0], "value": [0.0, 5.0],
    }  # fmt: skip
    by = found.by(["new", "new", "old"], names=["none", "mail"])
    assert by.rows() == [
        ("new", "none", 1, 0.5, 0.0, 0.0),
        ("new", "mail", 1, 0.5, 1.0, 2.0),
        ("old", "none", 0, 0.0, 0.0, 0.0),
        ("old", "mail", 1, 1.0, 1.0, 3.0),
    ]
    assert "spent, worth 5.00" in repr(found)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"value": [1.0, 2.0]}, "'value' of assign_with_budget is \\(units, arms\\)"),
        ({"value": [["a", "b"]]}, "'value' of assign_with_budget must be numbers"),
        ({"value": [[0, np.nan]]}, "must be finite wherever an arm is allowed. Got nan for unit 0, arm 1"),
        ({"cost": [0, 1, 2]}, "'cost' of assign_with_budget is \\(2,\\)"),
        ({"cost": [0, np.inf]}, "'cost' of assign_with_budget must be finite"),
        ({"allowed": [0, 1]}, "mask of True and False"),
        ({"allowed": [False, False]}, "must be allowed one arm at least"),
        ({"budget": float("nan")}, "'budget' of assign_with_budget is one number"),
        ({"budget": -1.0}, "come to 0 together. Give a budget of that at least"),
        ({"roi": -1.0}, "'roi' of assign_with_budget is a value per cost"),
    ],
)
def test_refusals(wrong, sentence):
    with pytest.raises(ParameterError, match=sentence):
        assign_with_budget(**({"value": [[0, 1.0]], "cost": [0, 1.0], "budget": 5.0} | wrong))


def test_a_return_that_nobody_brings_is_refused_with_what_can_be_had():
    with pytest.raises(ParameterError, match="brings 2 per 1 spent: the best of them comes to a value of 1 for 1"):
        assign_with_budget([[1.0]], [1.0], 5.0, roi=2.0)


def test_the_remedy_of_an_arm_without_a_number_works():
    assert assign_with_budget([[0, np.nan], [0, 1.0]], [0, 1.0], 5.0, allowed=[[True, False], [True, True]]).arms.tolist() == [0, 1]
