"""Price and stock together, against closed forms and brute force."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import ParameterError
from vitrina.plan import Forecast, Goods, OrderUpTo, PriceResponse, best_price, repriced, simulate
from vitrina.vocabulary import Vocabulary


def response_of(elasticity, error=1e-6, base=10.0, least=4.0, most=40.0):
    rows = len(elasticity)
    sizes = (np.full(rows, float(v)) for v in (base, least, most))
    return PriceResponse(
        Vocabulary.of(range(rows)), np.arange(rows, dtype=np.int32), np.asarray(elasticity, float), np.broadcast_to(error, (rows,)).astype(float), *sizes, False, pl.DataFrame()
    )  # fmt: skip


def forecast_of(samples):
    return Forecast(np.asarray(samples, np.float32), date(2027, 1, 1))


def test_without_costs_of_stock_the_price_is_the_cost_times_e_over_one_plus_e():
    elasticity = np.array([-1.6, -2.0, -3.0, -5.0])
    forecast = forecast_of(np.random.default_rng(0).gamma(4.0, 5.0, (4, 40, 14)))
    best = best_price(forecast, Goods(price=10, cost=6), response_of(elasticity), checked=4)
    closed = 6 * elasticity / (1 + elasticity)
    assert np.abs(best.price / closed - 1).max() < 0.02
    earned = forecast.total().mean(axis=1) * (closed / 10) ** elasticity * (closed - 6)
    assert (best.table["profit"].to_numpy() > 0.9 * earned).all()
    assert best.gap.share < 0.001


def test_newsvendor_with_price_as_petruzzi_and_dada_solve_it():
    """Petruzzi and Dada 1999, theorem 2 (multiplicative demand): p = b / (b - 1) (c + (c + h) E[z - e]+ / E min(e, z)), z the critical quantile of e; what is left is worth nothing."""
    rng = np.random.default_rng(1)
    noise, b, cost = rng.lognormal(0, 0.6, 4000), 2.5, 6.0
    price = 20.0
    for _ in range(200):
        z = np.quantile(noise, 1 - cost / price)
        price = b / (b - 1) * (cost + cost * np.maximum(z - noise, 0).mean() / np.minimum(noise, z).mean())
    forecast = forecast_of(np.tile(10 * noise, 2)[None, :, None])
    best = best_price(forecast, Goods(price=10, cost=cost), response_of([-b]), leftover=0.0, draws=2)
    assert abs(best.price[0] / price - 1) < 0.03
    profit = 10 * (price / 10) ** -b * (price * np.minimum(noise, z).mean() - cost * z)
    assert abs(best.now.profit.mean() + best.difference[0] - profit) < 0.005 * profit
    assert price > 1.1 * cost * b / (b - 1)  # the price without risk is another one


def test_with_packs_and_spoilage_no_other_price_and_level_earns_more():
    forecast = forecast_of(np.random.default_rng(2).poisson(np.array([1.0, 4.0])[:, None, None], (2, 40, 28)))
    goods, response = Goods(price=10, cost=6, pack=6, shelf_life=5, lead=1, storage=0.05), response_of([-2.5, -2.5], least=7, most=25)
    best = best_price(forecast, goods, response, draws=2, seed=3)
    found = np.full(2, -np.inf)
    for price in np.geomspace(7, 25, 30):
        paths = repriced(forecast, response.factor(price, 10.0), seed=3).samples[:, :20]
        there = Goods(price=price, cost=6, pack=6, shelf_life=5, lead=1, storage=0.05)
        for safety in np.linspace(-8, 8, 17):
            earned = simulate(forecast_of(paths), there, OrderUpTo(safety=safety), seed=3).profit.mean(axis=1)
            found = np.maximum(found, earned)
    assert (best.best.chosen_at > found - 0.01 * np.abs(found)).all()
    assert (
        best.price[0] < 6 * 2.5 / 1.5 - 1
    )  # packs of six that spoil in five days are better sold off cheaply than held for the price without costs


def test_the_interval_holds_what_the_price_brings_and_nothing_beyond_limits():
    rng = np.random.default_rng(4)
    rows = 150
    error = rng.uniform(0.1, 0.6, rows)
    true = rng.normal(-2.2, 0.4, rows)
    response = response_of(true + rng.normal(0, error), error)
    forecast = forecast_of(rng.poisson(30.0, (rows, 40, 10)))
    best = best_price(forecast, Goods(price=10, cost=6), response, draws=60)
    expected = 300 * ((best.price / 10) ** true * (best.price - 6) - 4)
    low, high = best.interval
    moved = best.price != 10
    assert moved.mean() > 0.9
    assert 0.82 < ((low <= expected) & (expected <= high))[moved].mean() < 0.97


def test_limits_ticks_and_endings():
    forecast, response = forecast_of(np.random.default_rng(5).poisson(9.0, (3, 8, 7))), response_of([-1.2, -2.0, -6.0], least=8, most=14)
    goods = Goods(price=10, cost=6)
    best = best_price(forecast, goods, response, ending=0.99, least_margin=0.3, draws=2)
    assert all(price == 10 or abs(price % 1 - 0.99) < 1e-9 for price in best.price)
    assert (best.price >= 6 / 0.7).all()
    assert (best.price <= 14).all()
    best = best_price(forecast, goods, response, draws=2)
    assert best.edge[0] == "highest"
    assert best.price[0] == pytest.approx(14)
    assert "end of the range" in " ".join(best.sentences)
    wide = best_price(forecast, goods, response, beyond=True, lowest=8, highest=30, tick=0.25, draws=2)
    assert wide.beyond[0]
    assert np.allclose(wide.price * 4, np.round(wide.price * 4))
    assert best.profile.filter(pl.col("series") == 0)["price"].is_sorted()
    assert best.table.height == 3


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"tick": 0.0}, "'tick'"), ({"tick": 0.1, "ending": 0.99}, "not both"), ({"ending": 1.5}, "'ending'"), ({"beyond": True}, "lowest= and highest="),
        ({"lowest": -1.0}, "'lowest'"), ({"least_margin": 1.0}, "least_margin"), ({"lowest": 30.0, "highest": 20.0}, "No price is allowed"), ({"draws": 1}, "'draws'"),
    ],
)  # fmt: skip
def test_bad_parameters(more, told):
    forecast, response = forecast_of(np.ones((1, 4, 3))), response_of([-2.0])
    with pytest.raises(ParameterError, match=told):
        best_price(forecast, Goods(price=10, cost=6), response, **more)
    with pytest.raises(ParameterError, match="response per series"):
        best_price(forecast, Goods(price=10, cost=6), response_of([-2.0, -1.0]))
