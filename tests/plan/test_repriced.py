"""Paths at another price: the right mean and spread, and never more demand at a higher price."""

from datetime import date

import numpy as np
import pytest

from vitrina.base.errors import ParameterError
from vitrina.plan import Forecast, repriced

PATHS, DAYS = 3000, 7


def mixed(seed, factor=1.0):
    """Poisson days whose rates vary by path, by day, by both, and not at all: the process at any factor, drawn anew."""
    rng = np.random.default_rng(seed)
    good = np.stack([np.ones((PATHS, 1)), rng.gamma(4, 1 / 4, (PATHS, 1)), np.ones((PATHS, 1)), rng.gamma(4, 1 / 4, (PATHS, 1))])
    day = np.stack([np.ones((PATHS, DAYS)), np.ones((PATHS, DAYS)), *rng.gamma(2, 1 / 2, (2, PATHS, DAYS))])
    return rng.poisson(3.0 * factor * good * day)


def forecast_of(samples):
    return Forecast(np.asarray(samples, np.float32), date(2027, 1, 1))


@pytest.mark.parametrize("factor", [0.4, 1.7, 3.0])
def test_mean_and_spread_are_those_of_the_process_at_that_factor(factor):
    made, drawn = repriced(forecast_of(mixed(0)), factor, seed=5).samples, mixed(1, factor)
    ratio = made.mean(axis=(1, 2)) / (factor * mixed(0).mean(axis=(1, 2)))
    assert np.abs(ratio - 1).max() < 0.01  # five errors of the mean of 21,000 days
    assert np.abs(made.var(axis=1).mean(axis=1) / drawn.var(axis=1).mean(axis=1) - 1).max() < 0.1
    assert np.abs(made.sum(axis=2).var(axis=1) / drawn.sum(axis=2).var(axis=1) - 1).max() < 0.12


def test_more_at_a_larger_factor_path_by_path():
    forecast = forecast_of(mixed(0)[:, :200] * np.array([1, 1, 10, 200])[:, None, None])
    before = repriced(forecast, 0.0).samples
    assert not before.any()
    for factor in (0.2, 0.5, 0.9, 1.0, 1.001, 1.4, 2.0, 3.5):
        after = repriced(forecast, factor).samples
        assert (after >= before).all()
        before = after
    assert (repriced(forecast, 1.0).samples == forecast.samples).all()
    assert (repriced(forecast, np.ones((4, DAYS))).samples == forecast.samples).all()


def test_fractions_are_multiplied_and_told():
    made = repriced(forecast_of(np.full((1, 4, 3), 0.5)), 1.5)
    assert np.allclose(made.samples, 0.75)
    assert "multiplied" in made.notes[-1]


@pytest.mark.parametrize("factor", [-1.0, np.nan, np.ones(3)])
def test_bad_factors(factor):
    with pytest.raises(ParameterError, match="factor of demand"):
        repriced(forecast_of(np.ones((2, 4, 3))), factor)
