"""Days on which a shop sold nothing at all: weekdays on which it is closed, and holidays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np

from vitrina.plan.demand.demand import SEEN, Demand
from vitrina.plan.demand.lines import Lines
from vitrina.types import Bool, Int32

BUSY = 10  # lines on a slow day of a shop, below which a day without one may be chance
SLOW = 0.05  # quantile of its days with a sale that is a slow day
STEADY = 0.9  # share of the days of other weekdays with a sale, below which a day without one may be chance
ALWAYS = 0.9  # share of the days of a weekday without a sale, from which the shop is closed on it
EVIDENCE = 120  # sales, from which a weekday without one is closed: (6/7)^120 is 1e-8
NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


def shut_days(lines: Lines, places: int, start: int, length: int) -> tuple[Bool, Bool]:
    """(places, days) whether it was a weekday on which the place is closed, and whether it was closed although the weekday isn't.

    Only places that sell ten lines even on a slow day (19 of 20 days with a sale have more), and something on nine of ten days of the weekdays on which they
    are open, are judged; elsewhere a day without a sale may be chance. Days before the first sale of a place are not judged.

    Args:
        lines: of the whole log.
        places: how many.
        start: the first day, in days since 1970.
        length: how many days.
    """
    counts = np.zeros((places, length))
    np.add.at(counts, (lines.place, lines.day - start), lines.lines)
    open_ = counts > 0
    slow = np.array([np.quantile(own[own > 0], SLOW) if (own > 0).any() else 0 for own in counts])
    judged = (slow >= BUSY)[:, None] & (np.maximum.accumulate(open_, axis=1))
    empty = judged & ~open_
    weekday = (start + 3 + np.arange(length)) % 7  # 1970-01-01 was a Thursday
    weekly = np.zeros((places, length), bool)
    for day in range(7):
        of_day = weekday == day
        seen = judged[:, of_day].sum(axis=1)
        always = (seen >= 4) & (empty[:, of_day].sum(axis=1) >= ALWAYS * seen)
        weekly[:, of_day] = empty[:, of_day] & always[:, None]
    rest = judged & ~weekly
    steady = ((rest & open_).sum(axis=1) >= STEADY * rest.sum(axis=1)) & (8 * rest.sum(axis=1) >= judged.sum(axis=1))
    return weekly & steady[:, None], empty & ~weekly & steady[:, None]


def said_of(weekly: Bool, holidays: Bool, start: date, *, kept: bool) -> list[str]:
    """Sentences on closed days."""
    notes = []
    if weekly.any():
        weekday = (start.weekday() + np.arange(weekly.shape[1])) % 7
        which = " and ".join(NAMES[day] for day in range(7) if weekly[:, weekday == day].any())
        where = f" at {int(weekly.any(axis=1).sum()):,} places" if len(weekly) > 1 else ""
        notes.append(f"The shop sells nothing on {which}{where}: they count as days of 0.")
    if holidays.any():
        first = [start + timedelta(days=int(day)) for day in np.flatnonzero(holidays.any(axis=0))]
        how = (
            "count as days of 0"
            if kept
            else "are unknown: nobody could buy, and usual weeks are not like them (holidays='zero' makes 0 of them)"
        )
        over = f", {int(holidays.sum()):,} days of single places" if len(holidays) > 1 else ""
        notes.append(f"Besides, there are days on which nothing at all was sold ({listed(first)}{over}). They {how}.")
    return notes


def listed(days: Sequence[date]) -> str:
    """Days as a sentence has them."""
    return ", ".join(str(day) for day in days[:4]) + (f" and {len(days) - 4:,} more" if len(days) > 4 else "")


def closed_weekdays(demand: Demand, *, last: int = 91) -> Bool:
    """(series, 7) the weekdays, from Monday, on which the place of a series sells nothing, by the last days of all its series.

    A weekday is closed where none of the series of the place sold anything on it, although they had 120 sales on the other days: with sales
    spread over the week the chance of that is (6/7)^120, a hundred-millionth.

    Args:
        demand: in days; of weeks no weekday is closed.
        last: days that are looked at.

    >>> from datetime import date
    >>> import numpy as np, vitrina as vt
    >>> units = np.ones((10, 28), np.float32) * (np.arange(28) % 7 < 5)  # from a Monday on
    >>> week = vt.plan.Demand(units, np.ones((10, 28), np.int8), np.arange(10, dtype=np.int32), vt.Vocabulary.of(range(10)), date(2027, 3, 1))
    >>> vt.plan.closed_weekdays(week)[0].tolist()
    [False, False, False, False, False, True, True]
    """
    place: Int32 = np.zeros(len(demand), np.int32) if demand.place is None else demand.place
    shut = np.zeros((int(place.max(initial=0)) + 1, 7), bool)
    if demand.step == 1:
        sold = (demand.units[:, -last:] > 0) & (demand.state[:, -last:] >= SEEN)
        by_day = np.zeros((len(shut), 7))
        weekday = demand.weekday[-last:]
        for day in range(7):
            by_day[:, day] = np.bincount(place, sold[:, weekday == day].sum(axis=1), len(shut))
        shut = (by_day == 0) & (by_day.sum(axis=1) >= EVIDENCE)[:, None] & np.isin(np.arange(7), weekday)
    return shut[place]
