"""Uplift by depth: the curve of Zhao et al., tenths, and the classic curves beside those of scikit-uplift."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from vitrina import policy
from vitrina.base.errors import ParameterError
from vitrina.policy import modified_uplift, qini, uplift_by_part, uplift_curve

UNIT = np.arange(40)
PREDICTIONS = np.where(UNIT % 5 == 0, 1.5, np.round(((UNIT * 37) % 41) / 10, 1))
TREATED = ((UNIT * 7) % 3 == 0).astype(int)
REWARDS = (((UNIT * 13) % 17) + 6 * TREATED * (PREDICTIONS > 2) > 9).astype(int)


def world(seed: int, n: int = 2000):
    """Predictions, and scores of a randomised log: three arms of equal chance."""
    rng = np.random.default_rng(seed)
    x = rng.random(n)
    mean = np.column_stack([np.ones(n), 1 + x, 0.5 + 2 * x])
    arm = rng.integers(0, 3, n)
    reward = mean[np.arange(n), arm] + rng.normal(0, 1, n)
    return mean, 3.0 * (np.arange(3) == arm[:, None]) * reward[:, None], arm, reward


def test_classic_curves_are_those_of_scikit_uplift():
    """uplift_curve and qini_curve of scikit-uplift 0.5.1 on these 40 units (benchmarks/peers), with ten equal predictions; area by sklearn.metrics.auc."""
    table = uplift_curve(REWARDS, TREATED, PREDICTIONS).table
    assert table["units"].to_list() == [*range(22), *range(30, 41)]
    assert table["uplift"].round(6).to_list() == [
        0.0, -1.0, -2.0, -1.5, -2.666667, -2.5, -3.6, -4.2, -4.0, -1.5, -2.380952, -3.208333, -1.5, -0.722222, 0.622222, 0.0, 0.872727, -0.772727, -1.5,
        -0.730769, 0.659341, 1.5, 0.574163, 1.409091, 2.21645, 3.0, 3.762846, 5.199275, 6.0, 7.352564, 8.184615, 9.0, 10.32967,
    ]  # fmt: skip
    assert table["qini"].round(6).to_list() == [
        0.0, 0.0, -1.0, -0.5, -0.666667, -0.5, -0.6, -1.2, -1.0, -0.5, -0.714286, -0.875, -0.5, -0.222222, 0.222222, 0.0, 0.272727, -0.272727, -0.5,
        -0.230769, 0.230769, 0.5, 0.210526, 0.5, 0.761905, 1.0, 1.217391, 1.782609, 2.0, 2.583333, 2.8, 3.0, 3.615385,
    ]  # fmt: skip
    assert np.trapezoid(table["uplift"], table["units"]) == pytest.approx(30.03310943442522)
    assert np.trapezoid(table["qini"], table["units"]) == pytest.approx(12.449609600925392)


def test_coefficients_are_those_of_scikit_uplift():
    """uplift_auc_score and qini_auc_score of scikit-uplift 0.5.1."""
    curve = uplift_curve(REWARDS, TREATED, PREDICTIONS)
    assert curve.auuc == pytest.approx(-0.4221211702191738)
    assert curve.qini_coefficient == pytest.approx(-0.27174963338151564)
    with pytest.raises(ParameterError, match="defined for rewards of 0 and 1"):
        _ = uplift_curve(REWARDS * 2.5, TREATED, PREDICTIONS).auuc


def test_the_curve_of_costs_is_the_classic_one_where_the_treated_are_as_many_at_every_depth():
    """Pairs of equal predictions, one of each treated: then chances of one half are shares of one half, and both curves are the same number."""
    rng = np.random.default_rng(0)
    predictions, treated = np.repeat(rng.random(200) + 0.1, 2), np.tile([0, 1], 200)
    rewards = rng.random(400) < 0.3 + 0.3 * treated * predictions
    scores = np.column_stack([2 * rewards * (1 - treated), 2 * rewards * treated])
    curve = qini(scores, np.column_stack([np.zeros(400), predictions]), [0, 1])
    classic = uplift_curve(rewards, treated, predictions).table
    np.testing.assert_allclose(
        400 * curve.at(classic["units"].to_numpy() / 400)["gain"].to_numpy(), classic["uplift"].to_numpy(), atol=1e-9
    )
    np.testing.assert_allclose(classic["qini"].to_numpy(), classic["uplift"].to_numpy() / 2, atol=1e-9)


def by_hand(scores, chosen, benefit, share):
    """The mean over units of the score of the policy's arm for the best, and of the control for the others."""
    n = len(scores)
    best = np.argsort(-benefit, kind="stable")[: round(share * n)]
    given = scores[:, 0].copy()
    given[best] = scores[best, chosen[best]]
    return given.mean(), given.std(ddof=1) / np.sqrt(n)


def test_the_value_at_a_share_is_that_of_the_mixed_policy():
    predictions, scores, _, _ = world(1)
    chosen, benefit = predictions.argmax(axis=1), predictions.max(axis=1) - predictions[:, 0]
    table = modified_uplift(scores, predictions)
    for share, value in zip(table["share"], table["value"], strict=True):
        assert value == pytest.approx(by_hand(scores, chosen, benefit, share)[0])
    assert table["error"][0] == pytest.approx(by_hand(scores, chosen, benefit, 0)[1])
    assert table["error"][20] == pytest.approx(by_hand(scores, chosen, benefit, 1)[1])
    assert table["gain"][0] == 0 == table["gain_error"][0]
    assert table["gain"].to_list() == pytest.approx((table["value"] - table["value"][0]).to_list())


def test_chances_are_policies_too():
    predictions, scores, _, _ = world(2)
    half = modified_uplift(scores, predictions, np.full((2000, 3), 1 / 3))
    assert half["value"][20] == pytest.approx(scores.mean())
    one = modified_uplift(scores, predictions, np.full(2000, 2), shares=[1.0])
    assert one["value"][0] == pytest.approx(scores[:, 2].mean())


def test_at_all_units_it_is_what_evaluate_says():
    predictions, _, arm, reward = world(3)
    people = (np.arange(2000) ** 0.9).astype(int)  # homes of one unit, and of two
    table = pl.DataFrame({"unit": np.arange(2000), "arm": [f"arm {a}" for a in arm], "reward": reward, "home": people})
    log = policy.DecisionLog.of_frame(
        table,
        unit="unit",
        action="arm",
        reward="reward",
        propensity={f"arm {a}": 1 / 3 for a in range(3)},
        cluster="home",
        arms=[f"arm {a}" for a in range(3)],
    )
    chosen = predictions.argmax(axis=1)
    for estimator, mu in ((policy.DR(), predictions), (policy.IPS(), np.zeros_like(predictions))):
        said = policy.evaluate(log, {"best": chosen}, estimators=[estimator], predictions=mu, force=True).table.row(0, named=True)
        ours = modified_uplift(policy.aipw_scores(log, mu), predictions, chosen, clusters=log.clusters, shares=[1.0])
        assert ours["value"][0] == pytest.approx(said["value"])
        for column in ("error", "low", "high"):
            assert ours[column][0] == pytest.approx(said[column]), column


def test_parts_add_up_to_the_whole():
    predictions, scores, _, _ = world(4)
    parts = uplift_by_part(scores, predictions, parts=10)
    whole = modified_uplift(scores, predictions, shares=[1.0])
    assert parts["units"].to_list() == [200] * 10
    assert parts["gain"].mean() == pytest.approx(whole["gain"][0])
    assert parts["predicted"].is_sorted(descending=True)
    best = np.argsort(-(predictions.max(axis=1) - predictions[:, 0]), kind="stable")[:200]
    gained = scores[best, predictions[best].argmax(axis=1)] - scores[best, 0]
    assert parts["error"][0] == pytest.approx(gained.std(ddof=1) / np.sqrt(200), rel=0.01)


def test_parts_with_weights_are_parts_with_copies():
    predictions, scores, _, _ = world(5, 60)
    counts = np.random.default_rng(0).integers(1, 3, 60)
    weighted = uplift_by_part(scores, predictions, parts=1, weights=counts)
    rows = np.repeat(np.arange(60), counts)
    copied = uplift_by_part(scores[rows], predictions[rows], parts=1, clusters=rows)
    assert weighted.drop("units").row(0) == pytest.approx(copied.drop("units").row(0))


def test_intervals_of_a_share_cover_the_truth():
    """300 worlds; with x even over [0, 1] the better arm gains x below .5 and 2x - .5 above, so the upper 40% gain the integral of 2x - .5 from .6 on."""
    inside, truth = 0, 1 + (1 - 0.36) - 0.5 * 0.4
    for seed in range(300):
        predictions, scores, _, _ = world(seed, 1000)
        row = modified_uplift(scores, predictions, shares=[0.4])
        inside += row["low"][0] <= truth <= row["high"][0]
    assert 0.925 <= inside / 300 <= 0.98


@pytest.mark.parametrize(
    ("function", "wrong", "sentence"),
    [
        (modified_uplift, {"predictions": np.ones((3, 2))}, "of one shape"),
        (modified_uplift, {"policy": [0, 1, 5]}, "columns of arms from 0 to 1"),
        (modified_uplift, {"policy": np.full((3, 2), 0.4)}, "chances whose rows sum to 1"),
        (modified_uplift, {"control": 2}, "'control' of modified_uplift"),
        (modified_uplift, {"shares": [0.5, 0.2]}, "'shares' of modified_uplift rise"),
        (modified_uplift, {"scores": [[0, np.nan]] * 3, "policy": [1, 1, 1]}, "must be finite"),
        (uplift_by_part, {"parts": 4}, "'parts' of uplift_by_part go from 1"),
    ],
)
def test_refusals(function, wrong, sentence):
    given = {"scores": np.ones((3, 2)), "predictions": np.arange(6.0).reshape(3, 2)} | wrong
    if "predictions" in wrong:
        given["scores"] = np.ones((3, 3))
    with pytest.raises(ParameterError, match=sentence):
        function(**given)


@pytest.mark.parametrize("treated", [[1, 1, 1], [0, 0, 0], [0, 1, 2]])
def test_the_classic_curves_need_treated_and_others(treated):
    with pytest.raises(ParameterError, match="'treated' of uplift_curve are 0 and 1"):
        uplift_curve([0, 1, 0], treated, [1, 2, 3])
