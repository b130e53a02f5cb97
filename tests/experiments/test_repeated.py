"""Repeated looks against published constants, the one-look formula, and simulated tests."""

import numpy as np
import pytest
from scipy.stats import norm

from vitrina.base.errors import ParameterError
from vitrina.experiments.repeated import RepeatedTest

Z = norm.ppf(0.975)


def test_one_look_is_the_formula():
    one = RepeatedTest(np.array([4.0]), np.array([Z]))
    for effect in (0.0, 0.3, 1.4, 3.0, -1.4):
        by_hand = norm.sf(Z - 2 * effect) + norm.cdf(-Z - 2 * effect)
        assert one.ended(effect)[-1] == pytest.approx(by_hand, abs=1e-10)
    assert one.detectable(0.8)[-1] == pytest.approx((Z + norm.ppf(0.8)) / 2, abs=1e-4)


@pytest.mark.parametrize(
    ("looks", "alarms"), [(1, 0.05), (2, 0.083), (3, 0.107), (4, 0.126), (5, 0.142), (10, 0.193), (20, 0.248), (50, 0.320)]
)
def test_ordinary_intervals_looked_at_again_and_again(looks, alarms):
    """Armitage, McPherson and Rowe 1969, table 2, at 5%."""
    assert RepeatedTest(np.arange(1.0, looks + 1), np.full(looks, Z)).ended(0)[-1] == pytest.approx(alarms, abs=6e-4)


@pytest.mark.parametrize(("looks", "bound"), [(2, 2.178), (5, 2.413), (10, 2.555)])
def test_pocock(looks, bound):
    """Pocock 1977: the constant bounds that keep 5%."""
    assert RepeatedTest(np.arange(1.0, looks + 1), np.full(looks, bound)).ended(0)[-1] == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize(("looks", "bound"), [(2, 1.977), (5, 2.040), (10, 2.087)])
def test_obrien_fleming(looks, bound):
    """O'Brien and Fleming 1979: falling bounds that keep 5%."""
    at = np.arange(1.0, looks + 1)
    assert RepeatedTest(at, bound * np.sqrt(looks / at)).ended(0)[-1] == pytest.approx(0.05, abs=1e-4)


def test_it_agrees_with_simulated_tests():
    rng = np.random.default_rng(0)
    information = np.array([1.0, 3.0, 3.5, 8.0])
    bounds, effect = np.array([3.0, 2.4, 2.5, 2.1]), 0.8
    steps = rng.normal(effect * np.diff(information, prepend=0), np.sqrt(np.diff(information, prepend=0)), (100_000, 4))
    out = np.abs(steps.cumsum(axis=1)) >= bounds * np.sqrt(information)
    simulated = np.maximum.accumulate(out, axis=1).mean(axis=0)
    assert RepeatedTest(information, bounds).ended(effect) == pytest.approx(simulated, abs=0.005)


def test_scale_of_information_does_not_matter():
    one, other = (RepeatedTest(scale * np.arange(1.0, 4.0), np.full(3, 2.3)) for scale in (1.0, 1e6))
    assert one.ended(1.1) == pytest.approx(other.ended(1.1e-3), abs=1e-9)
    assert one.detectable(0.9) == pytest.approx(1e3 * other.detectable(0.9), rel=1e-6)
    assert one.ended(one.detectable(0.9)) == pytest.approx(np.full(3, 0.9), abs=1e-9)


def test_short_steps_are_integrated_as_well():
    """Of many short steps, against simulated tests."""
    rng = np.random.default_rng(1)
    information = 1.006 ** np.arange(100)
    path = rng.normal(0, np.sqrt(np.diff(information, prepend=0)), (40_000, 100)).cumsum(axis=1)
    simulated = (np.abs(path) >= Z * np.sqrt(information)).any(axis=1).mean()
    assert RepeatedTest(information, np.full(100, Z)).ended(0)[-1] == pytest.approx(simulated, abs=0.005)


@pytest.mark.parametrize(
    ("information", "bounds"), [([1.0, 1.004], [2.0, 2.0]), ([1.0, 1.0], [2.0, 2.0]), ([], []), ([1.0], [2.0, 2.0]), ([1.0], [0.0])]
)
def test_what_are_no_looks_is_refused(information, bounds):
    with pytest.raises(ParameterError, match="must grow"):
        RepeatedTest(np.array(information), np.array(bounds))
