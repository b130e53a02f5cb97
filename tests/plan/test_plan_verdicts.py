"""Orders of a morning, verdicts on items and what-ifs: beside the simulation's first day, every level played, and what practitioners conclude."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.plan import (
    FixedQuantity,
    Forecast,
    Goods,
    MinMaxStock,
    Newsvendor,
    OrderUpTo,
    diagnose_goods,
    optimise,
    order_now,
    simulate,
    vary,
)

START = date(2027, 1, 1)


def forecast_of(rates, paths: int = 60, days: int = 60, seed: int = 0) -> Forecast:
    rates = np.asarray(rates, np.float64)
    return Forecast(np.random.default_rng(seed).poisson(rates[:, None, None], (len(rates), paths, days)).astype(np.float32), START)


@pytest.mark.parametrize(
    "rule", [OrderUpTo(safety=3.0), MinMaxStock(low=9.0, high=17.0), FixedQuantity(point=8.0, quantity=5.0), Newsvendor()]
)
def test_orders_are_those_of_the_first_day_of_a_simulation(rule):
    generator, n = np.random.default_rng(0), 40
    goods = Goods(
        price=10, cost=generator.uniform(4, 8, n), pack=generator.choice([1, 6, 12], n), minimum=generator.choice([0, 10], n), lead=generator.choice([0, 1, 4], n),
        review=20, shelf_life=generator.choice([2, 5, np.inf], n), stock=generator.poisson(2.0, (n, 4)), coming=generator.poisson(1.0, (n, 3)),
    )  # fmt: skip
    forecast = forecast_of(generator.uniform(0.2, 1.0, n), paths=20, days=15)
    played = simulate(forecast, goods, rule)
    placed = played.units("arrived") + played.units("coming") - goods.coming.sum(axis=1)[:, None]
    orders = order_now(forecast, goods, rule).table.sort("item")
    assert orders["order"].to_numpy() == pytest.approx(placed[:, 0])
    assert (placed == placed[:, :1]).all()
    assert 0 < (placed[:, 0] > 0).sum() < n
    assert orders["money"].to_numpy() == pytest.approx(placed[:, 0] * goods.cost)


def test_orders_say_why():
    goods = Goods(
        price=3,
        cost=2,
        pack=[12, 1, 1],
        minimum=[0, 30, 0],
        lead=2,
        review=3,
        stock=[[3, 4], [0, 5], [60, 0]],
        shelf_life=[np.inf, 1, np.inf],
        coming=[[0, 2.0]] * 3,
    )
    forecast = Forecast(np.full((3, 2, 10), 4, np.float32), START)
    orders = order_now(forecast, goods, OrderUpTo(safety=2), waiting=[0, 1.5, 0], names=["tea", "milk", "salt"])
    assert orders.table.select("item", "order", "expired").rows() == [("milk", 30.0, 5.0), ("tea", 24.0, 0.0), ("salt", 0.0, 0.0)]
    assert orders.table["why"].to_list() == [
        "0 on hand and 2 on the way, 1.5 owed for about 20 wanted in 5 days: up to 22 takes 21.5, at least 30.",
        "7 on hand and 2 on the way for about 20 wanted in 5 days: up to 22 takes 13, 2 packs of 12.",
        "60 on hand and 2 on the way for about 20 wanted in 5 days: above the level to order at, 22.",
    ]
    assert len(orders) == 2
    assert "2 of 3 series are ordered today: 54 units for 108.0." in orders.sentences
    assert "5.000 units on hand are past their shelf life and count for nothing." in orders.sentences
    with pytest.raises(ParameterError, match="one number or one per series"):
        order_now(forecast, goods, OrderUpTo(), waiting=[1.0])
    with pytest.raises(ParameterError, match="'names' of order_now must be one per series"):
        order_now(forecast, goods, OrderUpTo(), names=["tea"])


NAMES = ["sells well", "big pack", "below cost", "dear to store", "spoils", "nearly nothing"]
GOODS = Goods(
    price=10, cost=[6, 6, 11, 6, 9, 9], pack=[6, 24, 1, 1, 12, 6], shelf_life=[30, 12, np.inf, np.inf, 3, np.inf], storage=[0.01, 0.01, 0.01, 15.0, 0.01, 0.01],
    lead=1, review=2, stock=50,
)  # fmt: skip
FORECAST = forecast_of([4.0, 0.3, 2.0, 1.0, 1.0, 0.01])


def best_by_hand(goods: Goods, row: int) -> float:
    """The best mean profit per day of one item over all levels from 1 to 40: levels over the means of the first half of the paths, played on the second."""
    chosen, judging = (Forecast(half[row : row + 1].copy(), START) for half in (FORECAST.samples[:, :30], FORECAST.samples[:, 30:]))
    base = -OrderUpTo().targets(chosen, goods).level.max()
    return (
        max(simulate(chosen, goods, OrderUpTo(safety=base + level), actual=judging).profit.mean() for level in range(1, 41)) / FORECAST.days
    )


def test_verdicts_name_what_stands_in_the_way():
    found = diagnose_goods(FORECAST, GOODS, names=NAMES)
    verdicts = dict(found.table.select("item", "verdict").rows())
    assert [verdicts[name] for name in NAMES[:5]] == ["pays", "never pays", "never pays", "never pays", "never pays"]
    why = dict(found.table.select("item", "why").rows())
    assert why["below cost"] == "the price isn't above the cost"
    assert why["dear to store"].split(", ")[0] == "storage"
    assert {"pack too big", "too fresh"} & set(why["big pack"].split(", "))
    assert "pack too big" in why["spoils"]
    assert why["sells well"] is None
    bare = Goods(**{n: getattr(GOODS, n) for n in ("price", "cost", "pack", "shelf_life", "storage", "lead", "review")})
    for row, name in enumerate(NAMES[:5]):
        mine, best = found.table.filter(pl.col("item") == name)["profit"][0], best_by_hand(bare.select([row]), row)
        assert best - 0.02 * abs(best) - 0.02 <= mine <= best + 1e-9
    assert best_by_hand(Goods(price=10, cost=9, pack=1, shelf_life=3, storage=0.01, lead=1, review=2), 4) > 0
    pays_from = found.table.filter(pl.col("item") == "spoils")["pays_from"][0]
    assert pays_from is None or pays_from >= 1.5


def test_gains_are_paired_and_add_up():
    found = diagnose_goods(FORECAST, GOODS, names=NAMES, changes={"packs of 1": {"pack": 1}, "two weeks": {"shelf_life": 14}})
    for change, series, gain, low, high in found.totals.rows():
        assert found.offers.filter(pl.col("change") == change)["gain"].sum() == pytest.approx(gain, abs=1e-9)
        assert low <= gain <= high
        assert series == {"packs of 1": 4, "two weeks": 6}[change]
    assert found.offers["gain"].to_list() == sorted(found.offers["gain"].to_list(), reverse=True)
    row = found.offers.filter((pl.col("item") == "big pack") & (pl.col("change") == "packs of 1")).row(0, named=True)
    assert row["low"] > 0
    profit = optimise(FORECAST.select([1]), Goods(price=10, cost=6, pack=1, shelf_life=12, storage=0.01, lead=1, review=2), checked=0)
    assert row["gain"] == pytest.approx(profit.profit.mean() / 60, rel=0.02)


def test_verdicts_do_not_depend_on_the_order_of_the_series():
    turned = diagnose_goods(FORECAST.select([5, 4, 3, 2, 1, 0]), GOODS.select([5, 4, 3, 2, 1, 0]), names=NAMES[::-1])
    table = diagnose_goods(FORECAST, GOODS, names=NAMES).table
    assert turned.table.sort("item").equals(table.sort("item"))


def test_changes_that_are_none_are_refused():
    with pytest.raises(UnknownNameError, match="no argument of Goods 'packs'"):
        diagnose_goods(FORECAST, GOODS, changes={"small": {"packs": 1}})
    with pytest.raises(UnknownNameError, match="no argument of Goods 'packs'"):
        vary(FORECAST, GOODS, packs=[1])
    with pytest.raises(ParameterError, match="needs values of at least one"):
        vary(FORECAST, GOODS)
    with pytest.raises(ParameterError, match="The 'pack' of Goods"):
        vary(FORECAST, GOODS, pack=[1, 0])


def test_small_volume_does_not_pay():
    forecast = forecast_of([0.1, 0.3, 1.0, 3.0, 10.0], days=90)
    table = optimise(forecast, Goods(price=10, cost=7, pack=12, shelf_life=14, storage=0.02, lead=2, review=3), none=False, checked=0).table
    share = (table["profit"] / table["ideal"]).to_list()
    assert share == sorted(share)
    assert table["high"][0] < 0 < table["low"][-1]


def test_small_packs_are_worth_much():
    table = vary(
        forecast_of([0.5], days=90), Goods(price=10, cost=6, shelf_life=14, storage=0.02, lead=2, review=3), pack=[20, 12, 6, 1]
    ).table
    assert table["profit"].to_list() == sorted(table["profit"].to_list())
    assert (table["difference_low"][1:] > 0).all()
    assert table["high"][0] < 0 < table["low"][3]


def test_goods_of_four_days_or_less_lose():
    table = vary(
        forecast_of([1.5], days=90), Goods(price=10, cost=7, pack=12, storage=0.02, lead=1, review=2), shelf_life=[2, 4, 8, 16]
    ).table
    assert (table["high"][:2] < 0).all()
    assert (table["low"][2:] > 0).all()


def test_rare_deliveries_with_a_long_lead_raise_storage():
    varied = vary(forecast_of([2.0], days=120), Goods(price=10, cost=6, storage=0.02), review=[1, 7, 14], lead=[1, 14])
    storage = varied.table["storage_paid"].to_list()
    assert storage[5] > 4 * storage[0]
    together = varied.found[0].simulated.interval(
        (varied.found[5].simulated.money["storage"] - varied.found[0].simulated.money["storage"]).sum(axis=0)
    )
    assert together.low > 0


def test_a_small_seller_of_low_margin_earns_more_on_a_deposit():
    small, large = (
        vary(forecast_of([rate], days=360), Goods(price=100, cost=95, pack=6, lead=3, review=7), deposit=[0.0, 0.16, 0.18])
        for rate in (0.02, 3.0)
    )
    assert small.table["deposit"].to_list() == [0.0, 0.16, 0.18]
    assert small.table["low"][0] > 0
    assert (small.table["high"][1:] < 0).all()
    assert (small.table["earned_per_year"] < 0.16).all()
    assert (large.table["low"] > 0).all()
    assert (large.table["earned_per_year"] > 0.18).all()
