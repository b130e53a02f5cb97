"""Stock played day by day: what an ordering rule earns on the paths of a forecast, with all that holding and spoiling costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vitrina.base.errors import ParameterError
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.stock.days import TALLIES, Terms, play
from vitrina.plan.stock.goods import Goods
from vitrina.plan.stock.goods_table import NEVER
from vitrina.plan.stock.rules import OrderRule, Targets
from vitrina.plan.stock.simulated import Simulated


def simulate(
    forecast: Forecast, goods: Goods, rule: OrderRule, *, lost: bool = True, actual: Forecast | None = None, leftover: float = 1.0,
    trace: bool | Sequence[int] = False, seed: int = 0,
) -> Simulated:  # fmt: skip
    """Play every path of a forecast, day by day, and count what comes of it.

    A day, in this order. In the morning: (1) orders that are due arrive; (2) what has reached the end of its shelf life is written off; (3) what was sold
    `return_days` ago and is returned comes back; (4) every `review` days, from the first day on, the stock is looked at: where what is on the shelf and on its
    way, less what is waited for, calls for it by the rule, an order leaves, `minimum` at least, rounded up to packs, which arrives `lead` mornings later (0: at
    once); (5) who waits is served. In the day: (6) demand is met, the oldest units first; the rest is lost, or waits. In the evening: (7) what is there pays
    storage and the deposit rate, and who waits pays the penalty.

    profit = (price - cost) * (sold - returned) - storage - deposit - written off * cost * (1 - salvage) - returned and spoilt * cost - orders - penalty
             - left * cost * (1 - leftover).

    Stock at the start was paid for at cost, and what is left at the end is worth its cost times `leftover`: a simulation of few days is otherwise about its ends. What
    was sold in the last days and comes back after them is settled at the end.

    Args:
        forecast: what the rule reads; its paths are what happens. The rule sees means and quantiles over the paths only; with few paths its quantiles are those of
            the very paths that are played, so give 200 or more where it reads quantiles, or another sample as `actual`.
        goods: a row per series, or one for all.
        rule: `OrderUpTo`, `MinMaxStock`, `FixedQuantity`, `Newsvendor`, or your own `OrderRule`.
        lost: whether demand that isn't met is lost; False: it waits, and is served first (back-orders).
        actual: paths that happen, of the same series and days; None for those of the forecast. What a rule costs when its forecast is wrong.
        leftover: share of its cost that stock is worth at the end.
        trace: keep the stock of each evening: of all series, or of those that are named.
        seed: of leads and returns. Draws belong to (series, path, day), so two rules meet the same ones (common random numbers).

    Raises:
        ParameterError: sizes don't fit, a price or cost isn't known, or a step of the forecast is no single day.

    Cost: series * paths * days, 20 nanoseconds each on one core, four times that with returns; memory 16 numbers per series and path, and what `trace` keeps.

    >>> from datetime import date
    >>> from vitrina.plan import OrderUpTo
    >>> demand = np.random.default_rng(0).poisson(0.5, (1, 500, 120)).astype(np.float32)
    >>> forecast = Forecast(demand, date(2027, 1, 1))
    >>> for pack in (1, 12):
    ...     goods = Goods(price=10, cost=6, pack=pack, shelf_life=14, lead=2, review=3)
    ...     done = simulate(forecast, goods, OrderUpTo(service=0.84))
    ...     print(f"packs of {pack}: {done.profit.sum() / done.ideal.sum():.0%} of the ideal margin, {done.fill_rate[0]:.0%} served")
    packs of 1: 87% of the ideal margin, 90% served
    packs of 12: -1% of the ideal margin, 81% served
    """
    actual = forecast if actual is None else actual
    goods = fitting(forecast, goods, actual, leftover)
    targets = rule.targets(forecast, goods)
    kept = np.arange(len(forecast))[_traced(trace, len(forecast))]
    slot = np.full(len(forecast), -1, np.int64)
    slot[kept] = np.arange(len(kept))
    evenings = np.zeros((len(kept), actual.paths, actual.days), np.float32)
    tally = np.zeros((len(forecast), actual.paths, len(TALLIES)))
    play(len(forecast), actual.samples, terms_of(goods, targets), lost, seed, slot, evenings, tally)
    return Simulated(goods, tally, rule, actual.days, leftover=float(leftover), lost=lost, seed=seed, traced=kept, evenings=evenings)


def terms_of(goods: Goods, targets: Targets) -> Terms:
    """What the compiled days read: goods and targets as arrays of one type each."""
    life = np.minimum(goods.shelf_life, NEVER).astype(np.int64)
    fixed = goods.lead.ndim == 1
    chances = np.empty((len(goods), 0)) if fixed else np.cumsum(goods.lead, axis=1)
    lead = goods.lead.astype(np.int64) if fixed else np.full(len(goods), goods.lead.shape[1] - 1)
    return Terms(
        np.ascontiguousarray(targets.point, np.float64), np.ascontiguousarray(targets.level, np.float64), np.ascontiguousarray(targets.lot, np.float64),
        goods.pack, goods.minimum, life, lead, chances, goods.review.astype(np.int64),
        goods.returns, goods.return_days.astype(np.int64), goods.resold, goods.stock.reshape(len(goods), -1), goods.coming,
    )  # fmt: skip


def fitting(forecast: Forecast, goods: Goods, actual: Forecast, leftover: float) -> Goods:
    """Goods with a row per series.

    Raises:
        ParameterError: sizes don't fit, a price or cost isn't known, or a step is no single day.
    """
    if forecast.step != 1 or actual.step != 1:
        raise ParameterError("Stock is simulated day by day. Got a forecast in steps of several days: forecast days (step=1).")
    if actual is not forecast and (len(actual), actual.days) != (len(forecast), forecast.days):
        raise ParameterError(
            f"What happens must be of the same series and days as the forecast ({len(forecast):,}, {forecast.days}). Got {len(actual):,}, {actual.days}."
        )
    if not (np.isfinite(leftover) and leftover <= 1):
        raise ParameterError(
            f"The 'leftover' of a simulation must be a share of the cost, 1 at most. Got {leftover}.", parameter="leftover"
        )
    if len(goods) not in (1, len(forecast)):
        raise ParameterError(
            f"A simulation needs goods for each series ({len(forecast):,}), or one row for all. Got {len(goods):,}: goods.select(demand.item) has a row per series."
        )
    if not goods.known.all():
        unknown = np.flatnonzero(~goods.known)
        first = int(unknown[0]) if goods.ids is None else goods.ids[int(unknown[0])]
        raise ParameterError(
            f"Nothing can be simulated of {len(unknown):,} of {len(goods):,} items, whose price or cost isn't known (first: {first!r}). Give them, or leave these "
            "items out: where = np.flatnonzero(goods.known), then forecast.select(where) and goods.select(where)."
        )
    return goods if len(goods) == len(forecast) else goods.select(np.zeros(len(forecast), np.int64))


def _traced(trace: bool | Sequence[int], series: int) -> NDArray[np.int64] | slice:
    if isinstance(trace, bool):
        return slice(None) if trace else slice(0, 0)
    named = np.asarray(trace, np.int64)
    if named.ndim != 1 or (named < 0).any() or (named >= series).any() or len(np.unique(named)) < len(named):
        raise ParameterError(
            f"The 'trace' must be True, False, or series from 0 to {series - 1}, each once. Got {trace!r}.", parameter="trace"
        )
    return named
