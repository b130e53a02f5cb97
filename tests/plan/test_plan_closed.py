"""Closed forms of stock beside published figures, a grid over all levels, and the stationary law of the chain itself."""

import numpy as np
import pytest

from vitrina.base.errors import ParameterError
from vitrina.plan import Discrete, Normal, base_stock, fixed_quantity, min_max, newsvendor

ZHENG_FEDERGRUEN = [
    (10, 6, 40, 35.022), (15, 10, 49, 42.698), (20, 14, 62, 49.173), (25, 19, 56, 54.262), (30, 23, 66, 57.819), (35, 28, 77, 61.215),
    (40, 33, 87, 64.512), (45, 37, 97, 67.776), (50, 42, 108, 70.975), (55, 47, 118, 74.149), (60, 52, 129, 77.306), (65, 56, 75, 78.518),
    (70, 62, 81, 79.037), (75, 67, 86, 79.554),
]  # fmt: skip


def chain_cost(law: Discrete, order, holding: float, shortage: float, order_cost: float, lead: int, floor: int, top: int) -> float:
    """Cost per period from the stationary law of what is there and on the way after ordering; `order(y)` is what is ordered at y."""
    until = law.over(lead + 1)
    levels = np.arange(floor, top + 1)
    move, fixed = np.zeros((len(levels), len(levels))), np.zeros(len(levels))
    for row, y in enumerate(levels):
        for units, chance in enumerate(law.chances):
            left = y - units
            more = order(left)
            move[row, left + more - floor] += chance
            fixed[row] += chance * order_cost * (more > 0)
    still = np.vstack([move.T - np.eye(len(levels)), np.ones(len(levels))])
    chances = np.linalg.lstsq(still, np.r_[np.zeros(len(levels)), 1.0], rcond=None)[0]
    units = np.arange(len(until.chances))
    held = [until.chances @ (holding * np.maximum(y - units, 0) + shortage * np.maximum(units - y, 0)) for y in levels]
    return float(chances @ (fixed + np.array(held)))


@pytest.mark.parametrize(("mean", "low", "high", "cost"), ZHENG_FEDERGRUEN)
def test_table_of_zheng_and_federgruen(mean, low, high, cost):
    best = min_max(Discrete.poisson(mean), holding=1, shortage=9, order_cost=64)
    assert best[:2] == (low, high)
    assert abs(best.cost - cost) <= 0.5001e-3


def test_figures_of_the_reference():
    first = newsvendor(Normal(50, 8), holding=0.18, shortage=0.7)
    assert (first.level, first.cost) == pytest.approx((56.603956, 1.997605), abs=1e-6)
    assert newsvendor(Normal(50, 8), holding=0.18, shortage=0.7, level=40).cost == pytest.approx(7.356132, abs=1e-6)
    second = base_stock(Normal(900, 60), holding=43, shortage=79)
    assert (second.level, second.cost) == pytest.approx((922.721403, 2718.196782), abs=1e-6)
    six = Discrete.poisson(6.0)
    assert newsvendor(six, holding=1, shortage=4) == (8, pytest.approx(3.570107, abs=1e-6))
    assert newsvendor(six, holding=1, shortage=4, level=5).cost == pytest.approx(6.590296, abs=1e-6)
    costs = [min_max(six, holding=1, shortage=4, order_cost=5, levels=levels).cost for levels in ((4, 10), (6, 18))]
    assert costs == pytest.approx([8.034112, 10.193799], abs=1e-6)


@pytest.mark.parametrize("lead", [0, 2])
@pytest.mark.parametrize("order_cost", [0.0, 3.0, 40.0])
def test_best_levels_are_those_of_a_grid(lead, order_cost):
    for law in (Discrete.poisson(0.4), Discrete.negative_binomial(2.0, 7.0), Discrete(np.array([0.5, 0, 0, 0.2, 0, 0.3]))):
        costs = {"holding": 0.7, "shortage": 5.0, "order_cost": order_cost, "lead": lead}
        grid = min(min_max(law, **costs, levels=(s, s + n)).cost for s in range(-6, 30) for n in range(1, 60))
        assert min_max(law, **costs).cost == pytest.approx(grid, rel=1e-12)
        grid = min(fixed_quantity(law, **costs, levels=(r, q)).cost for r in range(-6, 30) for q in range(1, 60))
        assert fixed_quantity(law, **costs).cost == pytest.approx(grid, rel=1e-12)


@pytest.mark.parametrize("lead", [0, 3])
def test_costs_are_those_of_the_stationary_chain(lead):
    law = Discrete(np.array([0.3, 0.25, 0.2, 0.0, 0.15, 0.1]))
    costs = {"holding": 1.0, "shortage": 6.0, "order_cost": 9.0, "lead": lead}
    chain = chain_cost(law, lambda y: 0 if y > 3 else 11 - y, *costs.values(), floor=4, top=11)
    assert min_max(law, **costs, levels=(3, 11)).cost == pytest.approx(chain, rel=1e-9)
    chain = chain_cost(law, lambda y: 0 if y > 3 else 4 * -((y - 4) // 4), *costs.values(), floor=4, top=7)
    assert fixed_quantity(law, **costs, levels=(3, 4)).cost == pytest.approx(chain, rel=1e-9)
    chain = chain_cost(law, lambda y: 8 - y, 1.0, 6.0, 0.0, lead, floor=8, top=8)
    assert base_stock(law, holding=1, shortage=6, lead=lead, level=8).cost == pytest.approx(chain, rel=1e-9)


def test_base_stock_by_review_is_what_a_long_run_costs():
    law, generator = Discrete.negative_binomial(3.0, 5.0), np.random.default_rng(1)
    lead, review, level = 2, 3, 22
    demand = generator.choice(len(law.chances), 300_000, p=law.chances)
    since = np.concatenate([[0], np.cumsum(demand)])
    ends = np.arange(0, len(demand) - lead - review, review)
    left = level - np.concatenate([since[ends + lead + n] - since[ends] for n in range(1, review + 1)])
    costs = np.where(left > 0, left, -5.0 * left).reshape(review, -1).mean(axis=0)
    error = costs.std() / np.sqrt(len(costs)) * 3  # neighbours share demand
    assert base_stock(law, holding=1, shortage=5, lead=lead, review=review, level=level).cost == pytest.approx(costs.mean(), abs=3 * error)
    best = base_stock(law, holding=1, shortage=5, lead=lead, review=review)
    around = [base_stock(law, holding=1, shortage=5, lead=lead, review=review, level=level).cost for level in range(60)]
    assert best == (int(np.argmin(around)), min(around))


def test_laws_of_demand():
    law = Discrete.negative_binomial(4.0, 9.0)
    assert (law.mean, law.sd) == pytest.approx((4.0, 3.0), rel=1e-12)
    assert np.allclose(Discrete.poisson(2.0).over(3).chances[:30], Discrete.poisson(6.0).chances[:30], rtol=0, atol=1e-15)
    samples = np.random.default_rng(0).poisson(5.0, 500)
    assert newsvendor(samples, holding=1, shortage=3) == pytest.approx(
        newsvendor(Discrete.of_samples(samples), holding=1, shortage=3), rel=1e-12
    )
    assert Discrete.poisson(0.0).over(4).mean == 0
    assert law.over(0).mean == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: newsvendor([3.0], holding=0, shortage=1), "'holding' of newsvendor must be above 0. Got 0"),
        (lambda: newsvendor([], holding=1, shortage=1), "one at least"),
        (lambda: Discrete(np.array([0.5, 0.4])), "whose sum is 1"),
        (lambda: Discrete.of_samples([1, -1]), "take returns off"),
        (lambda: Discrete.negative_binomial(3.0, 2.0), "above its mean, 3"),
        (lambda: min_max(Discrete.poisson(3.0), holding=1, shortage=1, order_cost=-1), "'order_cost' of min_max must be 0 or more"),
        (lambda: min_max(Discrete.poisson(3.0), holding=1, shortage=1, order_cost=1, levels=(3, 3)), "need S above s"),
        (lambda: min_max(Discrete.poisson(0.0), holding=1, shortage=1, order_cost=1), "something is wanted"),
        (lambda: base_stock(Discrete.poisson(3.0), holding=1, shortage=1, lead=-1), "'lead' of base_stock must be whole periods, 0 or more"),
        (lambda: fixed_quantity(Discrete(np.array([0.5, 0, 0.5])), holding=1, shortage=1, order_cost=1), "multiples of 2"),
    ],
)  # fmt: skip
def test_what_is_refused(call, says):
    with pytest.raises(ParameterError, match=says):
        call()
