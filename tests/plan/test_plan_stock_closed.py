"""Stock played day by day beside closed forms: the costs that they promise are within the intervals of the simulation."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from vitrina.plan import (
    Discrete,
    FixedQuantity,
    Forecast,
    Goods,
    MinMaxStock,
    Newsvendor,
    Normal,
    OrderUpTo,
    base_stock,
    fixed_quantity,
    min_max,
    newsvendor,
    simulate,
)

ZHENG_FEDERGRUEN = {
    10: (6, 40), 15: (10, 49), 20: (14, 62), 25: (19, 56), 30: (23, 66), 35: (28, 77), 40: (33, 87), 45: (37, 97), 50: (42, 108), 55: (47, 118), 60: (52, 129),
    65: (56, 75), 70: (62, 81), 75: (67, 86),
}  # fmt: skip
PATHS, DAYS = 60, 1000


def forecast_of(samples: object) -> Forecast:
    return Forecast(np.asarray(samples, np.float32), date(2027, 1, 1))


def agrees(cost: np.ndarray, expected: list[float], *, least: float = 0.85) -> None:
    """Costs per day (series, paths): narrow intervals, each closed form within 99.9%, and nearly all within 95%."""
    mean, half = cost.mean(axis=1), cost.std(axis=1, ddof=1) / np.sqrt(cost.shape[1])
    errors = np.abs(mean - expected) / half
    assert (half < 0.01 * mean).all()
    assert (errors < 3.5).all(), errors
    assert (errors < 2.0).mean() >= least, errors


def test_min_max_costs_what_zheng_and_federgruen_say() -> None:
    """Their fourteen rows, and two of stockpyl's; the stock begins at S, where the chain has just renewed itself."""
    means = np.array([*ZHENG_FEDERGRUEN, 6, 6], float)
    low, high = np.array([*ZHENG_FEDERGRUEN.values(), (4, 10), (6, 18)], float).T
    holding, penalty, fixed = 1.0, np.where(means == 6, 4.0, 9.0), np.where(means == 6, 5.0, 64.0)
    forecast = forecast_of(np.random.default_rng(0).poisson(means[:, None, None], (len(means), PATHS, DAYS)))
    goods = Goods(price=0, cost=0, storage=holding, penalty=penalty, order_cost=fixed, stock=high)
    simulated = simulate(forecast, goods, MinMaxStock(low=low, high=high), lost=False)
    closed = [
        min_max(Discrete.poisson(mean), holding=1, shortage=p, order_cost=k, levels=(int(s), int(top))).cost
        for mean, p, k, s, top in zip(means, penalty, fixed, low, high, strict=True)
    ]
    agrees(simulated.costs / DAYS, closed)


def test_base_stock_with_leads_and_reviews() -> None:
    cases = [(0, 1, 8), (0, 1, 5), (2, 1, 22), (1, 3, 26), (4, 2, None)]
    law = Discrete.poisson(6.0)
    best = [base_stock(law, holding=1, shortage=4, lead=lead, review=review, level=level) for lead, review, level in cases]
    lead, review = np.array([case[:2] for case in cases], float).T
    level = np.array([b.level for b in best], float)
    forecast = forecast_of(np.random.default_rng(1).poisson(6.0, (len(cases), PATHS, DAYS + 20)))
    goods = Goods(price=0, cost=0, storage=1, penalty=4, lead=lead, review=review, stock=level)
    early = simulate(
        forecast_of(forecast.samples[:, :, :20]), goods, MinMaxStock(low=level, high=level), lost=False
    )  # before the first orders are there
    whole = simulate(forecast, goods, MinMaxStock(low=level, high=level), lost=False)
    agrees((whole.costs - early.costs) / DAYS, [b.cost for b in best])


def test_fixed_quantity_orders_whole_lots() -> None:
    law = Discrete.poisson(4.0)
    best = fixed_quantity(law, holding=1, shortage=9, order_cost=20, lead=2)
    forecast = forecast_of(np.random.default_rng(2).poisson(4.0, (1, 200, DAYS)))
    goods = Goods(price=0, cost=0, storage=1, penalty=9, order_cost=20, lead=2, stock=best.reorder + best.quantity)
    simulated = simulate(forecast, goods, FixedQuantity(point=best.reorder, quantity=best.quantity), lost=False)
    agrees(simulated.costs / DAYS, [best.cost], least=1)
    assert (simulated.units("arrived") % best.quantity == 0).all()


def test_newsvendor_of_goods_that_last_a_day() -> None:
    """What is left over is written off the next morning, and its salvage on the last evening: N(50, 8), .18 over, .7 under."""
    forecast = forecast_of(np.random.default_rng(3).normal(50, 8, (1, 4000, 30)).clip(0))
    goods = Goods(price=0.88, cost=0.18, shelf_life=1, pack=0.001)
    best = newsvendor(Normal(50, 8), holding=0.18, shortage=0.7)
    rule = Newsvendor()
    assert rule.critical(goods) == pytest.approx(0.7 / 0.88)
    assert rule.targets(forecast, goods).level.mean() == pytest.approx(best.level, abs=0.1)
    chosen = simulate(forecast, goods, rule, leftover=0.0)
    cost = (chosen.ideal - chosen.profit) / 30
    assert cost.mean() == pytest.approx(best.cost, abs=4 * cost.std() / np.sqrt(4000))
    other = simulate(forecast, goods, OrderUpTo(safety=-10), leftover=0.0)  # 40
    cost = (other.ideal - other.profit) / 30
    assert cost.mean() == pytest.approx(7.356132, abs=4 * cost.std() / np.sqrt(4000))
