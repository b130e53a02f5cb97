"""Elasticities: held against another way to the same estimate, and against worlds where the truth is known."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.plan import Demand, price_response
from vitrina.plan.price.panel import Panel, fit_panel
from vitrina.plan.price.pooled import shrunk
from vitrina.vocabulary import Vocabulary

WEEKS = 26


def demand_of(units, price, category=None, state=None):
    items = len(units)
    return Demand(
        np.asarray(units, np.float32), np.ones(units.shape, np.int8) if state is None else state, np.arange(items, dtype=np.int32),
        Vocabulary.of([f"item {i}" for i in range(items)]), date(2026, 1, 5), price=np.asarray(price, np.float32),
        table=pl.DataFrame({"category": ["all"] * items if category is None else category}),
    )  # fmt: skip


def world(seed, items=40, spread=0.6, confounded=0.0):
    """Days of shops that cut prices at random, or in weeks of strong demand. Returns the demand and the true elasticities."""
    rng = np.random.default_rng(seed)
    true, level, usual = (
        np.minimum(rng.normal(-2, spread, items), -0.01),
        np.exp(rng.uniform(-1, 1.1, items)),
        np.exp(rng.normal(2, 0.3, items)),
    )
    own = rng.normal(0, 0.4, (items, WEEKS))  # of each item in each week, which no control takes out
    cut = rng.random((items, WEEKS)) < np.clip(0.2 + confounded * own, 0.02, 0.9)
    change = np.repeat(np.where(cut, np.log(rng.choice([0.7, 0.8, 0.9], cut.shape)), 0.0), 7, axis=1)
    weekday = np.tile([0, -0.1, -0.1, 0, 0.2, 0.4, 0.3], WEEKS) + np.repeat(rng.normal(0, 0.3, WEEKS), 7)
    mean = level[:, None] * np.exp(weekday + change * true[:, None] + (np.repeat(own, 7, axis=1) if confounded else 0.0))
    return demand_of(rng.poisson(mean), usual[:, None] * np.exp(change)), true


def test_eight_schools_as_published():
    """Gelman et al. 2013, table 5.2 and its text: a flat prior of centre and spread; the means of Stan to the half unit that their draws leave."""
    found = shrunk(
        np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.array([15.0, 10, 16, 11, 9, 11, 10, 18]), width=1e4, spread=np.inf, avoid=0
    )
    assert np.abs(found.mean - [11.4, 7.9, 6.1, 7.6, 5.2, 6.1, 10.6, 8.4]).max() < 0.5
    assert abs(found.centre - 7.9) < 0.3


def test_the_fit_is_the_maximum_that_a_general_optimiser_finds():
    from scipy.optimize import minimize

    rng = np.random.default_rng(3)
    item = np.array([0, 0, 1, 2])  # two series share an elasticity
    change, controls = rng.normal(0, 0.2, (4, 42)), (np.arange(6) == (np.arange(42) // 7)[:, None]).astype(float)
    units, weight, dispersion = rng.poisson(3.0, (4, 42)).astype(float), rng.random((4, 42)), np.array([1.0, 1.5, 2.0])
    fit = fit_panel(Panel(units, change, weight, np.zeros((4, 42), bool), item, controls), -2.0, 0.7, dispersion)

    def loss(theta):
        level, slope, z = np.split(theta, [4, 7])
        log_mean = level[:, None] + slope[item][:, None] * change + controls @ z
        w = weight / dispersion[item][:, None]
        return (w * (np.exp(log_mean) - units * log_mean)).sum() + ((slope + 2) ** 2).sum() / (2 * 0.7**2) + 0.0005 * (z @ z)

    best = minimize(loss, np.zeros(13), method="BFGS", options={"gtol": 1e-6})
    assert np.allclose(fit.slope, best.x[4:7], atol=1e-3)
    # the inverse of the Hessian, by differences
    eye = np.eye(13) * 1e-3
    hessian = np.array(
        [[(loss(best.x + a + b) - loss(best.x + a - b) - loss(best.x - a + b) + loss(best.x - a - b)) / 4e-6 for a in eye] for b in eye]
    )
    assert np.allclose(fit.variance, np.diag(np.linalg.inv(hessian))[4:7], rtol=0.01)


def test_pooled_beats_alone_and_intervals_hold():
    covered, pooled, alone = [], [], []
    for seed in range(25):
        demand, true = world(seed)
        response = price_response(demand)
        covered += list((response.low <= true) & (true <= response.high))
        pooled.append(np.mean((response.elasticity - true) ** 2))
        alone.append(np.nanmean((response.table["own"].to_numpy() - true) ** 2))
        assert (response.elasticity < 0).all()
        assert (response.high <= 0).all()
    assert np.mean(pooled) < 0.5 * np.mean(alone)
    assert 0.86 < np.mean(covered) < 0.94


def test_factor_never_rises_with_the_price_and_marks_what_was_not_seen():
    demand, _ = world(1, items=8)
    response = price_response(demand)
    prices = response.base[:, None] * np.linspace(0.5, 2, 30)
    for drawn in (response.factor(prices)[None], response.factors(prices, draws=50)):
        assert (np.diff(drawn, axis=-1) <= 0).all()
    assert np.allclose(response.factor(response.base), 1)
    at = response.at(response.base * 1.5)
    assert at.beyond.all()
    assert "outside" in at.sentences[-1]
    assert (at.low <= at.factor).all()
    assert (at.factor <= at.high).all()
    assert response.observed
    assert response.sentences[0].startswith("These prices were chosen")
    again = response.of(np.array([3, 3, 0]))
    assert again.elasticity.tolist() == response.elasticity[[3, 3, 0]].tolist()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda p: p * 0, "numbers above 0"), (lambda p: -p, "numbers above 0"), (lambda p: p * np.nan, "missing"), (lambda p: p * 0 + 3, "two prices"),
    ],
)  # fmt: skip
def test_bad_prices_are_refused(change, told):
    demand, _ = world(0, items=3)
    with pytest.raises(ParameterError, match=told):
        price_response(demand_of(demand.units, change(demand.price)))


def test_other_bad_input():
    demand, _ = world(0, items=3)
    with pytest.raises(UnknownNameError, match="categori"):
        price_response(demand, by="categori")
    with pytest.raises(UnknownNameError, match="month"):
        price_response(demand, controls=["month"])
    with pytest.raises(DataError, match="Missing: propensity"):
        price_response(demand, randomised=pl.DataFrame({"item": ["item 0"], "day": [date(2026, 1, 5)], "price": [1.0]}))
    with pytest.raises(ParameterError, match="above 0"):
        price_response(demand).factor(0.0)
