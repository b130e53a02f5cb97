"""The levels of an ordering rule that earn most, per item, and how far that can be trusted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vitrina.base.errors import ParameterError
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.stock.days import TALLIES
from vitrina.plan.stock.goods import Goods
from vitrina.plan.stock.optimised import Family, Gap, Optimised
from vitrina.plan.stock.rules import FixedQuantity, MinMaxStock, OrderRule, OrderUpTo, Targets
from vitrina.plan.stock.search import MIN_MAX, QUANTITY, UP_TO, Bounds, Ground, search
from vitrina.plan.stock.simulate import fitting, simulate, terms_of
from vitrina.plan.stock.simulated import Simulated
from vitrina.plan.stock.windows import window_means, window_quantiles
from vitrina.types import Bool, Float32, Float64, Int64

KINDS: dict[Any, int] = {OrderUpTo: UP_TO, MinMaxStock: MIN_MAX, FixedQuantity: QUANTITY}
COARSE = {UP_TO: (24, 1), MIN_MAX: (12, 10), QUANTITY: (12, 10)}  # points per level of the first grid
FINE = {UP_TO: (1500, 1), MIN_MAX: (50, 40), QUANTITY: (50, 40)}  # of the grid that the search is held against
PARTS = 1000  # steps between nothing and the most that is wanted, where units aren't whole
ROUGH = 4, 16  # paths of the first grid, a quarter of all within these
EOQS = 3  # economic order quantities up to which the second level is looked for
LEAST = 4  # paths: two to search on, two to judge on


def optimise(
    forecast: Forecast, goods: Goods, family: Family = OrderUpTo, *, lost: bool = True, leftover: float = 1.0, fresh: Forecast | None = None,
    none: bool = True, checked: int = 32, seed: int = 0,
) -> Optimised:  # fmt: skip
    """Find the levels of a rule that earn most on the paths of a forecast, for every series by itself, and judge them on paths that they weren't chosen by.

    `OrderUpTo`: its `safety`. `MinMaxStock`: `low` and `high`. `FixedQuantity`: `point` and `quantity`. All candidates of a series meet the same demand, leads and returns (common random
    numbers), so that their differences are told apart long before their means are. A grid over all that can matter comes first, then steps to neighbours, which shrink to one unit (a thousandth
    of the most that is ever wanted, where units aren't whole).

    What is best on some paths is partly the best for their accidents. So the first half of the paths chooses, and the other half judges: profits and intervals are those of the second, and the
    difference, the optimism, is told. `OrderUpTo` reads means of the paths that choose, too; the rule that is returned has the same levels over the means of all. How far the search stays below a fine grid is measured on some of the series, and told too.

    Args:
        forecast: its mean and its paths.
        goods: a row per series, or one for all.
        family: `OrderUpTo`, `MinMaxStock` or `FixedQuantity`.
        lost, leftover, seed: as in `simulate`.
        fresh: paths that judge, of the same series and days; all paths of the forecast choose then. None halves those of the forecast.
        none: whether to order nothing is a choice too, where it earns more than the best levels. Where demand waits it never is.
        checked: series on which the search is held against a fine grid, drawn by the seed; 0 for none.

    Raises:
        ParameterError: as `simulate`; there are fewer than 4 paths, or the family is another one.

    Cost: some 40 candidates per series with one level, 250 with two, of paths / 2 * days * 10 to 20 nanoseconds each on one core; and 1,500 to 2,000 for each that is checked.

    >>> from datetime import date
    >>> forecast = Forecast(np.random.default_rng(0).poisson(2.0, (3, 200, 60)).astype(np.float32), date(2027, 1, 1))
    >>> best = optimise(forecast, Goods(price=10, cost=6, storage=0.05, shelf_life=9, pack=[1, 6, 24], lead=2))
    >>> best.held.tolist(), best.table["safety"].round(1).to_list()
    ([True, True, True], [4.6, 3.4, 0.4])
    """
    kind = _kind_of(family)
    search_on, judge_on = halves(forecast) if fresh is None else (forecast, fresh)
    goods = fitting(forecast, goods, judge_on, leftover)
    ground = _ground(search_on, goods, kind, lost, leftover, seed)
    bounds = _bounds(search_on, goods, kind, ground.base, lost)
    every = np.arange(len(forecast))
    found = _searched(every, _rough(ground), ground, kind, bounds, COARSE[kind])
    gap = _gap(found, ground, kind, bounds, min(checked, len(forecast)), seed)
    held = np.ones(len(forecast), np.bool_)
    profit = found[:, 2]
    if none and lost:
        idle = _idle(kind, ground.base, bounds)
        nothing = simulate(forecast, goods, _rule(family, idle), lost=lost, actual=search_on, leftover=leftover, seed=seed).profit.mean(
            axis=1
        )
        held = profit > nothing
        found, profit = np.where(held[:, None], found, np.column_stack([idle, nothing, found[:, 3]])), np.maximum(profit, nothing)
    played = simulate(search_on, goods, _rule(family, found), lost=lost, actual=judge_on, leftover=leftover, seed=seed)
    if kind == UP_TO and fresh is None:  # the rule reads the whole forecast from now on: the same levels
        found[:, 0] += _aim(ground.base, window_means(forecast, goods), held)
    return Optimised(_rule(family, found), played, held, profit, search_on.paths, int(found[:, 3].sum()), gap)


def _kind_of(family: Family) -> int:
    if family not in KINDS:
        raise ParameterError(
            f"The 'family' of optimise must be OrderUpTo, MinMaxStock or FixedQuantity, the class itself. Got {family!r}.",
            owner="optimise",
            parameter="family",
        )
    return KINDS[family]


def halves(forecast: Forecast) -> tuple[Forecast, Forecast]:
    """The paths that choose, and those that judge.

    Raises:
        ParameterError: there are fewer than 4.
    """
    if forecast.paths < LEAST:
        raise ParameterError(
            f"Levels need {LEAST} paths at least: one half chooses, the other half judges. Got {forecast.paths}: forecast more of them."
        )
    half = forecast.paths // 2
    chosen, judging = (np.ascontiguousarray(s) for s in (forecast.samples[:, :half], forecast.samples[:, half:]))
    return replace(forecast, samples=chosen), replace(forecast, samples=judging)


def _ground(search_on: Forecast, goods: Goods, kind: int, lost: bool, leftover: float, seed: int) -> Ground:
    series = len(search_on)
    base = window_means(search_on, goods) if kind == UP_TO else np.zeros((series, 1))
    terms = terms_of(goods, Targets(np.zeros_like(base), np.zeros_like(base), np.zeros(series)))
    single = np.broadcast_to(np.eye(len(TALLIES)), (series, len(TALLIES), len(TALLIES)))
    nothing = np.empty((0, search_on.paths, search_on.days), np.float32)
    rates = Simulated(goods, single, OrderUpTo(), search_on.days, leftover, lost, seed, np.empty(0, np.int64), nothing).profit
    tally = np.zeros((series, search_on.paths, len(TALLIES)))
    return Ground(search_on.samples, terms, rates, base, lost, seed, np.full(series, -1), nothing, tally)


def _bounds(search_on: Forecast, goods: Goods, kind: int, base: Float64, lost: bool) -> Bounds:
    """Levels beyond which nothing changes on these paths, or only storage grows."""
    fixed = goods if goods.lead.ndim == 1 else replace(goods, lead=goods.lead.shape[1] - 1.0)
    reach = window_quantiles(search_on, fixed, np.ones(len(goods))) * np.where(goods.shelf_life < np.inf, 2.0, 1.0)[:, None]
    most = np.maximum(reach.max(axis=1), goods.pack)
    whole = _whole(search_on.samples, goods)
    unit = np.where(whole, 1.0, most / PARTS)
    if kind == UP_TO:
        low = unit - base.max(axis=1) - (0.0 if lost else most)
        first, second = np.column_stack([low, np.maximum((reach - base).max(axis=1), low + unit)]), np.zeros((len(goods), 2))
    else:
        least = goods.pack if kind == QUANTITY else unit
        first, second = np.column_stack([np.zeros(len(goods)) if lost else -most, most]), np.column_stack([least, _room(search_on, goods)])
    steps = np.column_stack([unit, np.where(kind == QUANTITY, goods.pack, unit)])
    return Bounds(np.ascontiguousarray(first), np.ascontiguousarray(second), np.ascontiguousarray(steps))


def _whole(samples: Float32, goods: Goods) -> Bool:
    """(series,) whether units are whole in every number."""
    numbers = np.column_stack([goods.pack, goods.minimum, goods.stock.reshape(len(goods), -1), goods.coming])
    return (samples == np.round(samples)).all(axis=(1, 2)) & (numbers == np.round(numbers)).all(axis=1)


def _room(search_on: Forecast, goods: Goods) -> Float64:
    """(series,) the most that one order could bring with profit, in whole packs."""
    total = search_on.total().max(axis=1)
    daily = search_on.samples.mean(axis=(1, 2), dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        eoq = np.where(goods.order_cost > 0, np.sqrt(2 * goods.order_cost * daily / goods.holding), 0.0)
    wanted = np.maximum(EOQS * eoq, 2 * daily * goods.review)
    return np.ceil(np.maximum(np.minimum(np.nan_to_num(wanted, posinf=np.inf), total), goods.minimum) / goods.pack + 1) * goods.pack


def _idle(kind: int, base: Float64, bounds: Bounds) -> Float64:
    """(series, 2) levels at which nothing is ever ordered, where no demand waits."""
    return np.column_stack([-base.max(axis=1) - 1 if kind == UP_TO else np.full(len(base), -1.0), bounds.second[:, 0]])


def _aim(base: Float64, whole: Float64, held: Bool) -> Float64:
    """(series,) what the safety over another forecast's means has to be higher, so that levels are as high on average, or below all demand."""
    return np.where(
        held, (base.sum(axis=1) - whole.sum(axis=1)) / np.maximum((base > 0).sum(axis=1), 1), base.max(axis=1) - whole.max(axis=1)
    )


def _rough(ground: Ground) -> Ground:
    """Some of the paths: enough to find the neighbourhood of the best."""
    paths = min(ground.samples.shape[1], int(np.clip(ground.samples.shape[1] // 4, *ROUGH)))
    few = np.ascontiguousarray(ground.samples[:, :paths])
    return ground._replace(samples=few, tally=np.zeros((len(few), paths, ground.tally.shape[2])))


def _searched(rows: Int64, rough: Ground, ground: Ground, kind: int, bounds: Bounds, points: tuple[int, int]) -> Float64:
    found = np.zeros((len(rows), 4))
    search(len(rows), rows, rough, ground, kind, bounds, points, found)
    return found


def _gap(found: Float64, ground: Ground, kind: int, bounds: Bounds, checked: int, seed: int) -> Gap | None:
    if not checked:
        return None
    rows = np.sort(np.random.default_rng(seed).choice(len(found), checked, replace=False))
    fine = _searched(rows, ground, ground, kind, bounds, FINE[kind])
    return Gap.of(found[rows, 2], fine[:, 2])


def _rule(family: Family, levels: Float64) -> OrderRule:
    """The rule with these levels, a row per series."""
    first, second = levels[:, 0], levels[:, 1]
    if family is OrderUpTo:
        return OrderUpTo(safety=tuple(first.tolist()))
    if family is MinMaxStock:
        return MinMaxStock(low=tuple(first.tolist()), high=tuple((first + second).tolist()))
    return FixedQuantity(point=tuple(first.tolist()), quantity=tuple(second.tolist()))
