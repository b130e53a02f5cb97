"""Profit at several prices: the closed form where nothing is held, and `best_price` where it looked."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from vitrina import Vocabulary
from vitrina.base.errors import ParameterError
from vitrina.plan import Forecast, Goods, PriceResponse, best_price, profit_by_price

DAYS, RATE = 14, np.array([20.0, 6.0])
FORECAST = Forecast(np.random.default_rng(0).poisson(RATE[:, None, None], (2, 200, DAYS)).astype(np.float32), date(2027, 1, 1))
GOODS = Goods(price=10, cost=6)


def response(error):
    one = np.ones(2)
    return PriceResponse(
        Vocabulary.of(["tea", "milk"]),
        np.arange(2, dtype=np.int32),
        -2 * one,
        error * one,
        10 * one,
        7 * one,
        16 * one,
        False,
        pl.DataFrame(),
    )


def test_what_arrives_at_once_and_costs_nothing_to_hold_earns_margin_times_demand():
    table = profit_by_price(FORECAST, GOODS, response(1e-3), [8.0, 10.0, 12.0, 15.0])
    assert table["series"].to_list() == [0] * 4 + [1] * 4
    price = table["price"].to_numpy()
    wanted = (price - 6) * RATE[table["series"].to_numpy()] * DAYS * (price / 10) ** -2
    assert table["profit"].to_numpy() == pytest.approx(wanted, rel=0.04)


def test_what_is_not_known_grows_with_the_way_from_today():
    table = profit_by_price(FORECAST, GOODS, response(0.5)).filter(series=0).with_columns(wide=pl.col("high") - pl.col("low"))
    today = table.filter(price=10.0).row(0, named=True)
    assert today["low"] == today["profit"] == today["high"]
    assert table["price"].is_sorted()
    assert table.row(0, named=True)["wide"] > table.filter(pl.col("price") < 9.5)["wide"][-1] > 0


def test_it_is_the_difference_of_best_price_where_that_looked():
    best = best_price(FORECAST, GOODS, response(0.3), draws=20)
    table = profit_by_price(FORECAST, GOODS, response(0.3), best.price[:, None], draws=20)
    for series, price in enumerate(best.price):
        row = table.filter(pl.col("series") == series, (pl.col("price") - price).abs() < 1e-9).row(0, named=True)
        earned = best.now.profit.mean(axis=1)[series]
        assert row["profit"] == pytest.approx(earned + best.difference[series])
        assert (row["low"], row["high"]) == pytest.approx(tuple(earned + best.interval[:, series]))


def test_prices_that_are_none():
    with pytest.raises(ParameterError, match="'prices' are numbers above 0"):
        profit_by_price(FORECAST, GOODS, response(0.3), [0.0, 5.0])
