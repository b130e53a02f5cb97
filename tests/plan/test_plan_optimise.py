"""The search for levels beside every level played one by one, closed forms, and paths that it never saw."""

from datetime import date

import numpy as np
import pytest

from vitrina.base.errors import ParameterError
from vitrina.plan import (
    Discrete,
    FixedQuantity,
    Forecast,
    Goods,
    MinMaxStock,
    Newsvendor,
    OrderUpTo,
    base_stock,
    min_max,
    optimise,
    simulate,
)

START = date(2027, 1, 1)


def forecast_of(rates, paths: int, days: int, seed: int = 0) -> Forecast:
    rates = np.asarray(rates, np.float64)
    return Forecast(np.random.default_rng(seed).poisson(rates[:, None, None], (len(rates), paths, days)).astype(np.float32), START)


GOODS = Goods(
    price=10, cost=[6.0, 6.0, 9.0, 5.0, 8.0], storage=0.03, deposit=0.16, pack=[1, 6, 12, 1, 4], shelf_life=[np.inf, 9, 30, 5, np.inf], lead=[0, 2, 1, 3, 2],
    review=[1, 3, 1, 2, 7], order_cost=[0, 2, 0, 1, 3], returns=[0, 0, 0, 0.2, 0], minimum=[0, 0, 0, 3, 0],
)  # fmt: skip
FORECAST = forecast_of([2.0, 1.2, 0.3, 3.0, 0.8], paths=24, days=40)


@pytest.mark.parametrize("lost", [True, False])
def test_safety_is_that_of_all_levels_played_one_by_one(lost):
    found = optimise(FORECAST, GOODS, OrderUpTo, lost=lost, fresh=FORECAST, checked=0)
    base = found.levels["safety"] % 1
    played = [simulate(FORECAST, GOODS, OrderUpTo(safety=base + n), lost=lost).profit.mean(axis=1) for n in range(-16, 40)]
    assert found.profit.mean(axis=1) == pytest.approx(found.chosen_at, rel=1e-9)
    assert found.chosen_at == pytest.approx(np.max(played, axis=0), rel=2e-3)
    assert (found.chosen_at >= np.max(played, axis=0) - 1e-9).sum() >= 4


@pytest.mark.parametrize("family", [MinMaxStock, FixedQuantity])
def test_two_levels_are_those_of_a_grid_of_all(family):
    found = optimise(FORECAST, GOODS, family, fresh=FORECAST, checked=0, none=False)
    best = np.full(5, -np.inf)
    for low in range(16):
        for more in range(1, 16):
            rule = (
                MinMaxStock(low=float(low), high=float(low + more))
                if family is MinMaxStock
                else FixedQuantity(point=float(low), quantity=float(more))
            )
            best = np.maximum(best, simulate(FORECAST, GOODS, rule).profit.mean(axis=1))
    assert (found.chosen_at > best - 0.005 * np.abs(best)).all()
    whole = optimise(FORECAST, GOODS, family, fresh=FORECAST, checked=5, none=False)
    assert whole.gap.series == 5
    assert 0 <= whole.gap.share <= 0.005


def test_back_orders_come_to_the_levels_of_the_closed_forms():
    law = Discrete.poisson(2.0)
    goods = Goods(price=10, cost=6, storage=0.1, penalty=0.9, lead=2, order_cost=0.0)
    forecast = forecast_of([2.0], paths=400, days=120)
    exact = base_stock(law, holding=0.1, shortage=0.9, lead=2)
    safety = optimise(forecast, goods, OrderUpTo, lost=False, checked=0).levels["safety"][0]
    base = OrderUpTo().targets(forecast, goods).level[0, 0]
    assert abs(np.ceil(base + safety - 1e-6) - exact.level) <= 1
    levels = min_max(law, holding=0.1, shortage=0.9, order_cost=4, lead=2)
    found = optimise(
        forecast, Goods(price=10, cost=6, storage=0.1, penalty=0.9, lead=2, order_cost=4.0), MinMaxStock, lost=False, checked=0
    )
    cost = min_max(
        law, holding=0.1, shortage=0.9, order_cost=4, lead=2, levels=(int(found.levels["order_at"][0]), int(found.levels["order_up_to"][0]))
    ).cost
    assert cost <= 1.02 * levels.cost


def test_what_earns_nothing_is_not_held():
    goods = Goods(price=10, cost=[6.0, 9.9, 11.0], storage=0.05, shelf_life=6, pack=[1, 24, 1], lead=1)
    found = optimise(forecast_of([3.0, 0.2, 3.0], paths=40, days=60), goods, checked=3)
    assert found.held.tolist() == [True, False, False]
    assert found.profit[1:].tolist() == np.zeros((2, 20)).tolist()
    assert "1 of 3 series are worth holding" in found.sentences[0]
    forced = optimise(forecast_of([3.0, 0.2, 3.0], paths=40, days=60), goods, none=False, checked=0)
    assert (forced.profit[1:].mean(axis=1) < 0).all()
    assert forced.held.all()


def test_optimism_is_what_fresh_paths_take_off():
    """Over many small searches: the profit on the paths that chose is too high, and that on the others is what many more paths say."""
    forecast = forecast_of(np.full(300, 1.0), paths=8, days=30)
    goods = Goods(price=10, cost=8, storage=0.2, lead=2)
    found = optimise(forecast, goods, checked=0)
    long = forecast_of(np.full(300, 1.0), paths=400, days=30, seed=1)
    first = Forecast(np.ascontiguousarray(forecast.samples[:, :4]), START)
    truth = simulate(first, goods, found.simulated.rule, actual=Forecast(long.samples, START)).profit.mean(axis=1)
    judged, chosen = found.profit.mean(axis=1), found.chosen_at
    error = (judged - truth).std() / np.sqrt(300)
    assert abs((judged - truth).mean()) < 3 * error
    assert (chosen - truth).mean() > 3 * error


def test_units_that_are_not_whole_scale_with_their_measure():
    small = Forecast(FORECAST.samples * np.float32(0.125), START)
    goods = Goods(price=80, cost=48, storage=0.24, deposit=0.16, pack=0.125, lead=2)
    one = optimise(FORECAST, Goods(price=10, cost=6, storage=0.03, deposit=0.16, lead=2), checked=0)
    assert optimise(small, goods, checked=0).chosen_at == pytest.approx(one.chosen_at, rel=5e-3)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: optimise(FORECAST, GOODS, Newsvendor), "must be OrderUpTo, MinMaxStock or FixedQuantity, the class itself"),
        (lambda: optimise(FORECAST, GOODS, OrderUpTo()), "the class itself. Got OrderUpTo()"),
        (lambda: optimise(forecast_of([1.0], 3, 5), GOODS.select([0])), "need 4 paths at least"),
        (lambda: optimise(FORECAST, GOODS, fresh=forecast_of([1.0] * 5, 4, 9)), "same series and days"),
    ],
)
def test_what_optimise_refuses(call, says):
    with pytest.raises(ParameterError, match=says.replace("(", r"\(").replace(")", r"\)")):
        call()
