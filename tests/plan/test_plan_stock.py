"""Stock played day by day: against a slow simulator whose units are objects, against sums that must agree, and against refusals."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

import vitrina as vt
from vitrina.plan import FixedQuantity, Forecast, Goods, MinMax, Newsvendor, OrderUpTo, simulate


def forecast_of(samples: object) -> Forecast:
    return Forecast(np.asarray(samples, np.float32), date(2027, 1, 1))


def conserved(simulated: vt.plan.Simulated) -> np.ndarray:
    """What came in less what went out and what is left: 0 on every path."""
    of = simulated.units
    return of("start") + of("arrived") + of("returned") - of("sold") - of("spoilt") - of("written_off") - of("left")


def test_a_week_counted_by_hand() -> None:
    """Packs of 5 that last 2 days, a look each day, a lead of 1 day, 3 wanted per day and 4 on the shelf."""
    goods = Goods(price=10.0, cost=6.0, storage=0.5, volume=2.0, pack=5, shelf_life=2, lead=1, stock=4, order_cost=1.0)
    simulated = simulate(forecast_of(np.full((1, 1, 4), 3)), goods, MinMax(low=4, high=6), trace=True)
    # day 0: 4 there, order 5; 3 sold, 1 left. Day 1: 5 come, the 1 is of day 0 and goes on; 6 there, no order; 3 sold (1 old), 3 left.
    # Day 2: 3 there, order 5; 3 sold, 0 left. Day 3: 5 come; no order; 3 sold, 2 left.
    assert simulated.evenings[0, 0].tolist() == [1, 3, 0, 2]
    assert simulated.units("written_off").item() == 0
    assert simulated.units("orders").item() == 2
    assert simulated.profit.item() == pytest.approx(12 * 4 - 6 * 0.5 * 2 - 2)
    assert (conserved(simulated) == 0).all()


@pytest.mark.parametrize(
    "rule", [OrderUpTo(safety=2), OrderUpTo(service=0.9), MinMax(low=8, high=20), FixedQuantity(point=9, quantity=7), Newsvendor()]
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
