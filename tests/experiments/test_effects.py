"""Differences of arms: tea-tasting, the same as arrays, and slow obvious formulas."""

import numpy as np
import pytest
from scipy import stats

from vitrina.experiments.effects import PARTS, differences, effect_of
from vitrina.experiments.moments import Moments

pytest.importorskip("tea_tasting")
SHAPES = [("numerator",), PARTS[:2], ("numerator", "covariate"), PARTS, ("numerator", "covariate", "covariate_denominator")]


def arms_of(rng, n=120):
    """Columns of two arms that depend on one another."""
    base = rng.exponential(2, n)
    return {
        "numerator": base * rng.uniform(0.5, 2, n) + rng.normal(0, 1, n), "denominator": rng.integers(1, 6, n).astype(float),
        "covariate": base + rng.normal(0, 0.5, n), "covariate_denominator": rng.integers(1, 4, n).astype(float),
    }, (rng.random(n) < rng.uniform(0.2, 0.8)).astype(int)  # fmt: skip


@pytest.mark.parametrize("names", SHAPES)
def test_arrays_of_looks_say_what_tea_tasting_says(names):
    rng = np.random.default_rng(0)
    for _ in range(40):
        columns, arm = arms_of(rng)
        moments = Moments.of([columns[name] for name in names], arm, 2)
        ours, theirs = differences(names, moments[0], moments[1]), effect_of(names, moments[0], moments[1], 0.95)
        assert ours.treatment - ours.control == pytest.approx(theirs.difference, abs=1e-10)
        half = (theirs.high - theirs.low) / 2
        freedom = _welch(ours, moments.counts)
        assert half == pytest.approx(float(np.sqrt(ours.variance)) * stats.t.ppf(0.975, freedom), rel=1e-9)


def _welch(looks, counts):
    parts = np.array([looks.control_variance, looks.treatment_variance])
    return parts.sum() ** 2 / (parts**2 / (counts - 1)).sum()


def test_a_mean_is_welchs_test():
    rng = np.random.default_rng(1)
    for _ in range(20):
        columns, arm = arms_of(rng)
        y = columns["numerator"]
        found = effect_of(["numerator"], *_two(Moments.of([y], arm, 2)), 0.9)
        known = stats.ttest_ind(y[arm == 1], y[arm == 0], equal_var=False)
        interval = known.confidence_interval(0.9)
        assert found.p == pytest.approx(known.pvalue)
        assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_the_error_of_a_ratio_is_that_of_leaving_units_out():
    rng = np.random.default_rng(2)
    columns, arm = arms_of(rng, 3000)
    found = differences(PARTS[:2], *_two(Moments.of([columns["numerator"], columns["denominator"]], arm, 2)))
    variance = 0.0
    for a in (0, 1):
        x, y = columns["numerator"][arm == a], columns["denominator"][arm == a]
        left_out = (x.sum() - x) / (y.sum() - y)
        variance += (len(x) - 1) / len(x) * ((left_out - left_out.mean()) ** 2).sum()
    assert found.variance == pytest.approx(variance, rel=0.01)


def test_a_covariate_takes_away_what_it_predicts_and_no_more():
    rng = np.random.default_rng(3)
    n = 40_000
    before, arm = rng.normal(10, 3, n), np.arange(n) % 2
    y = before + rng.normal(0, 1, n) + 0.1 * arm
    plain = effect_of(["numerator"], *_two(Moments.of([y], arm, 2)), 0.95)
    cuped = effect_of(["numerator", "covariate"], *_two(Moments.of([y, before], arm, 2)), 0.95)
    slope = np.linalg.lstsq(np.column_stack([np.ones(n), arm, before]), y, rcond=None)[0]
    assert cuped.difference == pytest.approx(slope[1], abs=1e-4)
    assert cuped.error / plain.error == pytest.approx(np.sqrt(1 - np.corrcoef(y, before)[0, 1] ** 2), rel=0.01)


def test_moments_add_up_and_lose_no_digits():
    rng = np.random.default_rng(4)
    values, other = 1e8 + rng.normal(0, 1, 500), rng.normal(0, 1, 500)
    day = rng.integers(0, 5, 500)
    so_far = Moments.of([values, other], day, 5).cumulated()
    for d in range(5):
        assert so_far.covariances[d] == pytest.approx(np.cov(values[day <= d], other[day <= d]), rel=1e-5)
        assert so_far.means[d] == pytest.approx([values[day <= d].mean(), other[day <= d].mean()], rel=1e-12)


def test_nothing_is_said_of_no_spread():
    moments = Moments.of([np.zeros(10)], np.arange(10) % 2, 2)
    found = effect_of(["numerator"], moments[0], moments[1], 0.95)
    assert (found.difference, found.error) == (0.0, 0.0)
    assert np.isnan([found.low, found.high, found.p, found.relative]).all()


def _two(moments):
    return moments[0], moments[1]
