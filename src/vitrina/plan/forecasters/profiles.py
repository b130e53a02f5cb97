"""What series share: the week, shrunken from the item to its category and the shop, and the year of the shop."""

from __future__ import annotations

import numpy as np

from vitrina.plan.demand.demand import SEEN, Demand
from vitrina.plan.forecasters.paths import WEEK
from vitrina.types import Bool, Float32, Float64, Int32, Int64

YEAR = 364  # whole weeks
SMOOTH = 14  # days on each side
RECENT = 8  # weeks that say which weekdays are closed
SURE = 10  # series that sell on a usual day, from which on a day without any sale is a closed one


def closed_days(demand: Demand) -> Bool:
    """(days,) days on which no series sold anything, in a shop where it can't be by chance; none elsewhere."""
    selling = ((demand.units > 0) & (demand.state > 0)).sum(axis=0)
    open_days = selling[selling > 0]
    return (selling == 0) if len(open_days) and np.median(open_days) >= SURE else np.zeros(demand.days, np.bool_)


def closed_weekdays(demand: Demand, closed: Bool) -> Bool:
    """(7,) weekdays of which more than half of the last eight were closed."""
    recent, weekday = closed[-RECENT * WEEK :], demand.weekday[-RECENT * WEEK :]
    return np.array([closed.any() and recent[weekday == d].mean() > 0.5 if (weekday == d).any() else False for d in range(WEEK)])


def week_profile(units: Float32, known: Bool, weekday: Int32, decay: Float64, pseudo: float, group: Int64) -> Float64:
    """(series, 7) by how much each weekday differs from the days around it: 1 for a usual one.

    f = (sum y + k f_group) / (sum m + k), sums over the days of that weekday, m the mean of the four weeks around a day, k = `pseudo` units; f_group is shrunken in
    the same way to that of the shop. In both a series counts by what it knows: at most as one of 50 units.
    """
    count = known.astype(np.float32)
    sold = np.where(known, units, np.float32(0))
    level = around(sold) / np.maximum(around(count), 1)
    of_day = (weekday[:, None] == np.arange(WEEK)) * decay[:, None]  # (days, 7)
    num, den = sold.astype(np.float64) @ of_day, (level * count).astype(np.float64) @ of_day
    cap = (1 / (1 + num.sum(axis=1) / pseudo))[:, None]
    shop = (num * cap).sum(axis=0)
    below = (den * cap).sum(axis=0)
    shop = np.divide(shop, below, out=np.ones(WEEK), where=below > 0)
    groups = np.zeros((int(group.max(initial=0)) + 1, 2, WEEK))
    np.add.at(groups, group, np.stack([num * cap, den * cap], axis=1))
    pooled = (groups[:, 0] + pseudo * shop) / (groups[:, 1] + pseudo)
    return (num + pseudo * pooled[group]) / (den + pseudo)


def around(values: Float32) -> Float64:
    """(series, days) sums over the four weeks around each day: every weekday four times, but at the ends."""
    days = values.shape[1]
    sums = np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1, dtype=np.float64)], axis=1)
    at = np.arange(days)
    return sums[:, np.minimum(at + SMOOTH, days)] - sums[:, np.maximum(at - SMOOTH, 0)]


def shop_year(units: Float32, known: Bool, expected: Float64, weight: Float64, repeats: float, days: int) -> tuple[Float64, Float64] | None:
    """The level of the shop on past days, and on the next ones, beside that of the last four weeks; None where there is no year to learn from.

    The level is the sum of units over that of their means, of the series that were on sale, so that a growing assortment is no growing
    demand. The next days grow as a year before, to the power `repeats`.

    Args:
        expected: (series, days) what a level of 1 would sell.
        weight: (series,) what a unit of each counts.
    """
    past = units.shape[1]
    if past < YEAR + 4 * SMOOTH or repeats <= 0:
        return None
    sums = np.stack([(np.where(known, x, 0) * weight[:, None]).sum(axis=0) for x in (units, expected)])
    sums = np.concatenate([np.zeros((2, 1)), np.cumsum(sums, axis=1)], axis=1)

    def level(first: Int64, last: Int64) -> Float64:
        sold, would = sums[:, np.clip(last, 0, past)] - sums[:, np.clip(first, 0, past)]
        return np.log(np.maximum(sold, 1e-9) / np.maximum(would, 1e-9))

    at, now = np.arange(past), np.array([past])
    ahead = past - YEAR + np.arange(days)
    ahead = np.where(ahead + SMOOTH <= past, ahead, ahead - YEAR * ((ahead + SMOOTH - past - 1) // YEAR + 1))
    before = level(now - YEAR - 2 * SMOOTH, now - YEAR)
    then = level(at - SMOOTH, at + SMOOTH) - level(now - 2 * SMOOTH, now)
    return np.exp(repeats * then), np.exp(repeats * (level(ahead - SMOOTH, ahead + SMOOTH) - before))


def groups_of(demand: Demand, category: str | None) -> Int64:
    """(series,) codes of the category of each series; all 0 without one."""
    if category is None or demand.table is None:
        return np.zeros(len(demand), np.int64)
    found = demand.table[category].gather(demand.item)
    return found.rank("dense").fill_null(0).to_numpy().astype(np.int64)


def mean_of_seen(demand: Demand, group: Int64, pseudo: float) -> Float64:
    """(series,) mean units on seen days, with `pseudo` days of the geometric mean of the category: what stands in for a new item."""
    seen = demand.state == SEEN
    days = seen.sum(axis=1)
    sold = np.where(seen, demand.units, 0).sum(axis=1, dtype=np.float64)
    sells = sold > 0
    if not sells.any():
        return np.full(len(demand), 1e-3)
    logs = np.log(sold[sells] / days[sells])
    many = int(group.max(initial=0)) + 1
    count = np.bincount(group[sells], minlength=many)
    usual = np.exp((np.bincount(group[sells], logs, minlength=many) + logs.mean()) / (count + 1))
    return (sold + pseudo * usual[group]) / (days + pseudo)
