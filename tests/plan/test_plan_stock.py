"""Stock played day by day: against a slow simulator whose units are objects, against sums that must agree, and against refusals."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stock_by_objects import Shop, lots, needed

import vitrina as vt
from vitrina.plan import FixedQuantity, Forecast, Goods, MinMaxStock, Newsvendor, OrderUpTo, simulate
from vitrina.plan.stock.days import LEADS, TALLIES, chance, stream


def forecast_of(samples: object) -> Forecast:
    return Forecast(np.asarray(samples, np.float32), date(2027, 1, 1))


def conserved(simulated: vt.plan.Simulated) -> np.ndarray:
    """What came in less what went out and what is left: 0 on every path."""
    of = simulated.units
    return of("start") + of("arrived") + of("returned") - of("sold") - of("spoilt") - of("written_off") - of("left")


def test_a_week_counted_by_hand() -> None:
    """Packs of 5 that last 2 days, a look each day, a lead of 1 day, 3 wanted per day and 4 on the shelf."""
    goods = Goods(price=10.0, cost=6.0, storage=0.5, volume=2.0, pack=5, shelf_life=2, lead=1, stock=4, order_cost=1.0)
    simulated = simulate(forecast_of(np.full((1, 1, 4), 3)), goods, MinMaxStock(low=4, high=6), trace=True)
    # day 0: 4 there, order 5; 3 sold, 1 left. Day 1: 5 come, the 1 is of day 0 and goes on; 6 there, no order; 3 sold (1 old), 3 left.
    # Day 2: 3 there, order 5; 3 sold, 0 left. Day 3: 5 come; no order; 3 sold, 2 left.
    assert simulated.evenings[0, 0].tolist() == [1, 3, 0, 2]
    assert simulated.units("written_off").item() == 0
    assert simulated.units("orders").item() == 2
    assert simulated.profit.item() == pytest.approx(12 * 4 - 6 * 0.5 * 2 - 2)
    assert (conserved(simulated) == 0).all()


@pytest.mark.parametrize(
    "rule", [OrderUpTo(safety=2), OrderUpTo(service=0.9), MinMaxStock(low=8, high=20), FixedQuantity(point=9, quantity=7), Newsvendor()]
)
@pytest.mark.parametrize("lost", [True, False])
def test_nothing_is_made_or_lost(rule: vt.plan.OrderRule, *, lost: bool) -> None:
    random = np.random.default_rng(1)
    forecast = forecast_of(random.gamma(0.5, 4, (6, 5, 60)))
    goods = Goods(
        price=9, cost=5, pack=[1, 2.5, 6, 12, 1, 1], minimum=4, shelf_life=[3, np.inf, 9, 14, 2, 30], lead=[[0.2, 0.3, 0.1, 0.4]], review=[1, 2, 3, 1, 1, 7],
        returns=0.2, resold=0.6, return_days=4, stock=[[3, 0, 2]], coming=[[0, 5]],
    )  # fmt: skip
    simulated = simulate(forecast, goods, rule, lost=lost, seed=4)
    assert np.abs(conserved(simulated)).max() < 1e-6
    assert np.abs(simulated.units("demand") - forecast.samples.sum(axis=2)).max() < 1e-3
    missed = simulated.units("lost") if lost else simulated.units("waiting")
    assert np.abs(simulated.units("demand") - simulated.units("sold") - missed).max() < 1e-6


@st.composite
def shops(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, object], object, bool, int]:
    """Demand (paths, days), arguments of Goods, a rule, whether demand is lost, a seed."""
    days, paths = draw(st.integers(1, 14)), draw(st.integers(1, 4))
    demand = np.array(draw(st.lists(st.integers(0, 6), min_size=days * paths, max_size=days * paths))).reshape(paths, days)
    few = st.lists(st.integers(0, 3), min_size=1, max_size=4)
    goods = {
        "price": 10.0, "cost": 6.0, "shelf_life": draw(st.sampled_from([1, 2, 3, 5, np.inf])), "pack": draw(st.integers(1, 5)), "minimum": draw(st.integers(0, 7)),
        "review": draw(st.integers(1, 4)), "stock": [draw(few)], "coming": [draw(few)], "returns": draw(st.integers(0, 1)), "resold": draw(st.integers(0, 1)),
        "return_days": draw(st.integers(1, 4)), "lead": draw(st.sampled_from([0, 1, 3, 20, [[0.25, 0.25, 0.0, 0.5]], [[0.0, 1.0]]])),
    }  # fmt: skip
    rule = draw(
        st.sampled_from(
            [OrderUpTo(), OrderUpTo(safety=2.5), OrderUpTo(service=0.7, safety=-1), MinMaxStock(low=3, high=9), MinMaxStock(low=-1, high=-1), FixedQuantity(point=4, quantity=3),
             FixedQuantity(point=2.5, quantity=7), Newsvendor()]
        )
    )  # fmt: skip
    return demand, goods, rule, draw(st.booleans()), draw(st.integers(0, 5))


def wish_of(rule: object, demand: np.ndarray, goods: Goods) -> object:
    length = math.ceil(goods.mean_lead[0] - 1e-9) + int(goods.review[0])
    match rule:
        case MinMaxStock():
            return lambda _day, position: rule.high - position if position <= rule.low else 0.0
        case FixedQuantity():
            return lambda _day, position: lots(position, rule.point, rule.quantity)
        case Newsvendor():  # margin 4, a unit left over costs 6
            return lambda day, position: needed(demand, day, length, 0.4) - position
        case OrderUpTo():
            return lambda day, position: needed(demand, day, length, rule.service) + rule.safety - position
    raise AssertionError(rule)


@settings(max_examples=150, deadline=None)
@given(shops())
def test_every_count_is_that_of_a_shop_of_objects(shop: tuple[np.ndarray, dict[str, Any], Any, bool, int]) -> None:
    demand, arguments, rule, lost, seed = shop
    goods = Goods(**arguments)
    simulated = simulate(forecast_of(demand[None]), goods, rule, lost=lost, seed=seed, trace=True)
    chances = np.cumsum(goods.lead[0]) if goods.lead.ndim == 2 else None
    for path, wanted in enumerate(demand.tolist()):
        drawn = [chance(np.uint64(stream(seed, 0, path)), day, LEADS, 0) for day in range(len(wanted))]
        leads = [int(goods.lead[0]) if chances is None else next(lead for lead, sum_ in enumerate(chances) if u <= sum_) for u in drawn]
        counts, evenings = Shop(
            wanted, goods.shelf_life[0], arguments["pack"], arguments["minimum"], arguments["review"], leads, arguments["stock"][0], arguments["coming"][0],
            bool(arguments["returns"]), arguments["return_days"], bool(arguments["resold"]), lost,
        ).play(wish_of(rule, demand, goods))  # fmt: skip
        assert {name: simulated.units(name)[0, path] for name in TALLIES} == {name: counts[name] for name in TALLIES}
        assert simulated.evenings[0, path].tolist() == evenings


def test_leads_and_returns_come_in_their_shares_and_belong_to_the_day() -> None:
    forecast = forecast_of(np.random.default_rng(5).poisson(40, (2, 100, 200)))
    goods = Goods(price=9, cost=5, lead=[[0.2, 0.0, 0.8]], returns=[0.1, 0.4], resold=0.75, return_days=3, stock=500)
    done = simulate(forecast, goods, OrderUpTo(safety=20), seed=1)
    returned = (done.units("returned").sum(axis=1) / done.units("sold").sum(axis=1)).round(3)
    spoilt = (done.units("spoilt").sum(axis=1) / done.units("returned").sum(axis=1)).round(3)
    assert np.abs(returned - [0.1, 0.4]).max() < 0.003  # 800,000 units sold
    assert np.abs(spoilt - 0.25).max() < 0.006
    drawn = np.array([[chance(np.uint64(stream(1, i, p)), day, LEADS, 0) for day in range(50)] for i in range(2) for p in range(100)])
    assert np.abs((drawn <= 0.2).mean() - 0.2) < 0.02
    assert len(np.unique(drawn)) == drawn.size
    again, other = (simulate(forecast, goods, OrderUpTo(safety=20), seed=seed) for seed in (1, 2))
    assert (again.tally == done.tally).all()
    assert (other.tally != done.tally).any()
    alone = simulate(forecast.select([0]), goods.select([0]), OrderUpTo(safety=20), seed=1)
    assert (alone.tally[0] == done.tally[0]).all()


def test_a_rule_is_told_the_forecast_and_never_the_path() -> None:
    """What happens may be another sample than what is read: orders are the same as long as nothing that was sold differs."""
    forecast = forecast_of(np.full((1, 4, 20), 2))
    later = np.full((1, 4, 20), 2)
    later[:, :, 15:] = 9
    goods = Goods(price=9, cost=5, lead=2, review=2)
    same, changed = (simulate(forecast, goods, OrderUpTo(safety=3), actual=actual, trace=True) for actual in (None, forecast_of(later)))
    assert (same.evenings[:, :, :15] == changed.evenings[:, :, :15]).all()
    assert (same.evenings[:, :, 15:] != changed.evenings[:, :, 15:]).any()
    assert (changed.units("lost") > 0).all()


def test_packs_of_slow_goods_that_spoil() -> None:
    """Half a unit a day, 13 days of sale, paid for from the first day, nothing left over counts: near +80%, -30% and -192% of the ideal margin for packs of 1, 12 and 20."""
    forecast = forecast_of(np.repeat(np.random.default_rng(1).poisson(0.5, (1, 4000, 120)), 3, axis=0))
    goods = Goods(price=1, cost=0.6, pack=[1, 12, 20], shelf_life=13, lead=2, review=3, stock=4)
    done = simulate(forecast, goods, MinMaxStock(low=4, high=4), leftover=0.0)
    assert done.profit.sum(axis=1) / done.ideal.sum(axis=1) == pytest.approx([0.8, -0.3, -1.92], abs=0.035)
