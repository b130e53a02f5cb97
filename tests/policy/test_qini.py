"""Qini curves beside linear programmes, a published example, and worlds whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from vitrina.base.errors import ParameterError
from vitrina.policy import qini
from vitrina.policy.hull import Steps, Table

ALICE_BOB_EVE = [[0, 30, 10], [0, 40, 50], [0, 10, 55]]


def drawn(seed: int):
    """Predictions, scores and costs of a few units, with ties."""
    rng = np.random.default_rng(seed)
    n, arms = int(rng.integers(2, 12)), int(rng.integers(2, 5))
    predictions = np.column_stack([np.zeros(n), rng.integers(-2, 6, (n, arms - 1)) if seed % 2 else rng.normal(1, 2, (n, arms - 1))])
    cost = np.column_stack([np.zeros(n), rng.integers(1, 4, (n, arms - 1)) if seed % 3 else rng.uniform(0.1, 3, (n, arms - 1))])
    return predictions.astype(float), rng.normal(1, 2, predictions.shape), cost.astype(float)


def by_linear_programme(predictions, cost, spend):
    """The most that predictions promise per unit when a share of each unit may have each arm and the mean cost is `spend`."""
    n, arms = predictions.shape
    found = linprog(
        -predictions.ravel(),
        A_ub=cost.ravel()[None],
        b_ub=[spend * n],
        A_eq=np.kron(np.eye(n), np.ones(arms)),
        b_eq=np.ones(n),
        bounds=(0, 1),
    )
    return -found.fun / n


@pytest.mark.parametrize("seed", range(200))
def test_at_every_spend_the_path_is_the_best_of_all_shares(seed):
    predictions, scores, cost = drawn(seed)
    curve = qini(scores, predictions, cost)
    if curve.path.end == 0:
        assert (predictions <= 0).all()
        return
    spends = np.sort(np.random.default_rng(seed).uniform(0, 1.2 * curve.path.end, 3))
    promised = curve.at(spends)["promised"].to_list()
    assert promised == pytest.approx([by_linear_programme(predictions, cost, spend) for spend in spends], abs=1e-7)


def test_the_published_example():
    """Alice, Bob and Eve of the reference of the package maq: at 5 per unit Alice has A, Bob and Eve have B."""
    curve = qini(np.array(ALICE_BOB_EVE) * 1.0 + [[0, 0, 1]], ALICE_BOB_EVE, [0, 3, 6])
    assert curve.path.spend.tolist() == [1, 2, 4, 5]
    assert curve.at([1, 2, 4, 5])["promised"].to_list() == pytest.approx([40 / 3, 70 / 3, 125 / 3, 135 / 3])
    assert [curve.arms(spend).tolist() for spend in (0, 1, 2, 3, 4, 5)] == [
        [0, 0, 0],
        [0, 1, 0],
        [1, 1, 0],
        [1, 1, 0],
        [1, 1, 2],
        [1, 2, 2],
    ]
    assert curve.at([0, 1, 2, 4, 5])["multiplier"].round(2).to_list() == [13.33, 10.0, 9.17, 3.33, 0.0]
    assert curve.at([1, 2, 4, 5])["treated"].to_list() == pytest.approx([1 / 3, 2 / 3, 1, 1])


def test_gain_and_error_are_those_of_the_units_that_were_given_the_arms():
    rng = np.random.default_rng(1)
    n = 400
    predictions, scores, cost = rng.normal(0.5, 1, (n, 3)), rng.normal(1, 3, (n, 3)), rng.uniform(0.5, 2, (n, 3))
    cost[:, 0] = 0
    curve = qini(scores, predictions, cost)
    end = curve.at(curve.path.end + 1)  # no constraint binds: the mean of independent units
    gained = scores[np.arange(n), np.argmax(np.where(np.arange(3) == 0, predictions[:, :1], predictions), axis=1)] - scores[:, 0]
    assert end["gain"][0] == pytest.approx(gained.mean())
    assert end["error"][0] == pytest.approx(gained.std(ddof=1) / np.sqrt(n))
    where = float(curve.path.spend[150])
    arms = curve.arms(where)
    assert curve.at(where)["gain"][0] == pytest.approx((scores[np.arange(n), arms] - scores[:, 0]).mean())
    assert cost[np.arange(n), arms].mean() == pytest.approx(where)


def test_one_price_for_all_is_a_straight_line():
    """Units that are predicted alike are treated in any share: the curve is that of a random share."""
    scores = np.random.default_rng(2).normal(1, 2, (300, 2))
    curve = qini(scores, np.tile([0.0, 1.0], (300, 1)), [0, 2])
    table = curve.at([0.5, 1.0, 2.0])
    assert table["gain"].to_list() == pytest.approx([0.25 * curve.path.gain[-1], 0.5 * curve.path.gain[-1], curve.path.gain[-1]])
    assert np.abs(table["over_random"].to_numpy()).max() < 1e-12
    assert table["over_random_error"].max() < 1e-12
    assert curve.area(over=curve.random).error < 1e-12


def test_the_random_share_takes_the_arm_that_is_best_for_its_cost_and_then_dearer_ones():
    rng = np.random.default_rng(4)
    predictions = np.column_stack([np.zeros(200), rng.normal(2, 1, 200), rng.normal(3, 1, 200)])
    scores = np.column_stack([np.zeros(200), rng.normal(2, 1, 200), rng.normal(3, 1, 200)])
    curve = qini(scores, predictions, [0, 1, 4])
    means = scores.mean(axis=0)
    assert curve.random.arms == (0, 1, 2)
    assert curve.at([0.5, 1.0, 2.5, 4.0])["random"].to_list() == pytest.approx(
        [means[1] / 2, means[1], (means[1] + means[2]) / 2, means[2]]
    )


def test_an_area_is_the_sum_of_gains_and_its_error_that_of_their_influences():
    rng = np.random.default_rng(6)
    predictions, scores, cost = rng.normal(0.5, 1, (200, 3)), rng.normal(1, 3, (200, 3)), rng.uniform(0.5, 2, (200, 3))
    cost[:, 0] = 0
    curve = qini(scores, predictions, cost, clusters=np.arange(200) // 2)
    for until in (0.3, curve.path.end + 0.5):
        fine = np.linspace(0, until, 1001)
        total = np.trapezoid([at.gain for at in curve.path.at(fine.tolist())], fine)
        assert curve.area(until).value == pytest.approx(total, rel=1e-3)
        random = np.trapezoid([at.gain for at in curve.random.at(fine.tolist())], fine)
        assert curve.area(until, over=curve.random).value == pytest.approx(total - random, rel=1e-3)
    everywhere = [at.influence for at in curve.random.at(fine.tolist())]
    np.testing.assert_allclose(curve.random.area(until).influence, np.trapezoid(everywhere, fine, axis=0), atol=2e-3)


def test_weights_count_as_copies_and_clusters_as_one():
    rng = np.random.default_rng(7)
    predictions, scores = rng.normal(0.5, 1, (150, 3)), rng.normal(1, 3, (150, 3))
    counts = rng.integers(1, 4, 150)
    weighted = qini(scores, predictions, [0, 1, 2], weights=counts)
    rows = np.repeat(np.arange(150), counts)
    copied = qini(scores[rows], predictions[rows], [0, 1, 2], clusters=rows)
    columns = ["gain", "error", "random", "over_random_error", "promised"]
    spends = [0.2, 0.7, weighted.path.end, 2.0]
    for column in columns:
        assert weighted.at(spends)[column].to_list() == pytest.approx(copied.at(spends)[column].to_list()), column
    assert weighted.area(over=weighted.random) == pytest.approx(copied.area(over=copied.random))


def test_order_of_units_and_the_scale_of_predictions_and_money_change_nothing():
    rng = np.random.default_rng(8)
    predictions, scores, order = rng.normal(0.5, 1, (150, 3)), rng.normal(1, 3, (150, 3)), rng.permutation(150)
    curve, other = qini(scores, predictions, [0, 1, 2]), qini(scores[order], 7 * predictions[order], [0, 10, 20])
    assert other.table["gain"].to_list() == pytest.approx(curve.table["gain"].to_list())
    assert other.table["error"].to_list() == pytest.approx(curve.table["error"].to_list())
    assert other.area().value == pytest.approx(10 * curve.area().value)
    single = qini(scores.astype(np.float32), predictions.astype(np.float32), np.array([0, 1, 2], np.float32))
    assert single.table["gain"].to_list() == pytest.approx(curve.table["gain"].to_list(), abs=1e-4)


def test_two_curves_of_the_same_units_are_paired():
    rng = np.random.default_rng(9)
    effects = rng.normal(1, 1, (2000, 1)) * [[0, 1, 2]]
    scores = effects + rng.normal(0, 5, (2000, 3))
    good, better = effects + rng.normal(0, 0.05, (2000, 3)), effects + rng.normal(0, 0.04, (2000, 3))
    one, two = qini(scores, good, [0, 1, 3]), qini(scores, better, [0, 1, 3])
    paired = two.minus(one, 0.8)
    assert paired["difference"][0] == pytest.approx(two.at(0.8)["gain"][0] - one.at(0.8)["gain"][0])
    assert paired["error"][0] < 0.5 * one.at(0.8)["error"][0]
    assert one.minus(one)["error"].max() == 0
    assert two.area(0.8, over=one).value == pytest.approx(two.area(0.8).value - one.area(0.8).value)
    with pytest.raises(ParameterError, match="same units, weights and clusters"):
        one.minus(qini(scores[:100], good[:100], [0, 1, 3]))


def test_arms_that_are_not_allowed_are_neither_given_nor_shared_at_random():
    rng = np.random.default_rng(10)
    predictions, scores = rng.normal(1, 1, (100, 3)), rng.normal(1, 1, (100, 3))
    allowed = rng.random((100, 3)) < 0.7
    allowed[:, 0] = True
    predictions[~allowed], scores[~allowed] = np.nan, np.nan
    curve = qini(scores, predictions, [0, 1, 2], allowed=allowed)
    arms = curve.arms(curve.path.end)
    assert allowed[np.arange(100), arms].all()
    assert np.isfinite(curve.table["over_random"].to_numpy()).all()


@pytest.mark.parametrize("clustered", [False, True])
def test_intervals_cover_the_truth(clustered):
    """400 worlds: the share of 95% intervals that hold the value of the same rule in the population; the large run is in benchmarks/quality."""
    inside = np.zeros(4)
    for seed in range(400):
        rng = np.random.default_rng(seed)
        n, each = 1500, 3 if clustered else 1
        household = np.repeat(np.arange(n // each), each)
        x = np.repeat(rng.random(n // each), each)
        effects = np.column_stack([np.zeros(n), x, 2 * x**2])
        rewards = effects + np.repeat(rng.normal(0, 1, n // each), each)[:, None] + rng.normal(0, 0.5, (n, 3))
        arm = np.repeat(rng.integers(0, 3, n // each), each)
        scores = 3 * (np.arange(3) == arm[:, None]) * rewards
        curve = qini(scores, effects, [0, 1, 2], clusters=household if clustered else None)
        low, high = curve.at(0.5).select("low", "high").row(0)
        inside[0] += low <= TRUTH[0] <= high
        area = curve.area(0.5)
        inside[1] += area.low <= TRUTH[1] <= area.high
        over = curve.at(0.5).select("over_random_low", "over_random_high").row(0)
        inside[2] += over[0] <= TRUTH[0] - 0.25 - OVER <= over[1]
        whole = curve.area(0.5, over=curve.random)
        inside[3] += whole.low <= TRUTH[1] - RANDOM_AREA <= whole.high
    assert (inside / 400 > 0.93).all(), inside
    assert (inside / 400 < 0.975).all(), inside


def _truth() -> tuple[float, float]:
    """Of the rule with the true effects at a spend of .5, and its area, for units that are spread evenly over [0, 1]."""
    x = (np.arange(200_000) + 0.5) / 200_000
    effects = np.column_stack([np.zeros(len(x)), x, 2 * x**2])
    curve = qini(effects * [[0, 1, 1 + 1e-12]], effects, [0, 1, 2])
    return float(curve.at(0.5)["gain"][0]), curve.area(0.5).value


TRUTH = _truth()
OVER, RANDOM_AREA = 0.0, 0.0625  # a random half has arm 1, which gains .5


def test_steps_of_one_slope_are_kept_in_the_order_of_units():
    steps = Steps.of(Table.of("test", np.tile([0.0, 1.0, 1.5], (4, 1)), [0, 1, 2], None))
    assert steps.units.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert steps.arms.tolist() == [1] * 4 + [2] * 4


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"cost": [0, 0, 1]}, "must cost more than 0. Got 0 for arm 1. An arm that is free"),
        ({"cost": [1, 2, 3]}, "control of qini must cost 0"),
        ({"control": 3}, "'control' of qini is a column from 0 to 2"),
        ({"confidence": 1.0}, "'confidence' of qini"),
        ({"budget": 0.0}, "'budget' of qini is a spend per unit above 0"),
        ({"allowed": [False, True, True]}, "control of qini must be allowed to everybody"),
        ({"scores": [[0, 1]]}, "'scores' of qini must have a row and a column for each"),
        ({"scores": [[0, np.nan, 1]] * 3}, "'scores' of qini must be finite"),
        ({"scores": ALICE_BOB_EVE}, "'predictions' of qini are the scores themselves"),
        ({"clusters": [1, 2]}, "'clusters' of qini must be one per unit"),
        ({"clusters": [1, 1, 1]}, "two units or clusters at least"),
        ({"weights": [0, 0, 0]}, "'weights' of qini"),
    ],
)
def test_refusals(wrong, sentence):
    with pytest.raises(ParameterError, match=sentence):
        qini(**({"scores": np.ones((3, 3)), "predictions": ALICE_BOB_EVE, "cost": [0, 3, 6]} | wrong))


@pytest.mark.parametrize("spend", [-1.0, [1.0, 0.5], float("nan"), []])
def test_spends_rise_from_0(spend):
    curve = qini(np.ones((3, 3)), ALICE_BOB_EVE, [0, 3, 6])
    with pytest.raises(ParameterError, match="'spend' of a Qini"):
        curve.at(spend)


def test_a_path_without_a_step_gains_nothing():
    curve = qini(np.ones((3, 2)), -np.ones((3, 2)) * [[0, 1]], [0, 1], budget=2.0)
    assert curve.table["gain"].abs().sum() == 0
    assert "area" in repr(curve)
