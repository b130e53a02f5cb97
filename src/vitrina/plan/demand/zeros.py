"""Runs of days without a sale that are too long for chance: perhaps the item was sold out, and nobody said so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
import polars as pl

from vitrina.base.arrays import cuts
from vitrina.base.errors import ParameterError
from vitrina.plan.demand.demand import SEEN, SOLD_OUT, Demand
from vitrina.plan.demand.opening import closed_weekdays
from vitrina.types import Bool, Float64, Int64

BLOCK = 1 << 22  # series x days that are looked at at a time


@final
@dataclass(frozen=True, eq=False, repr=False)
class ZeroRuns:
    """Runs of seen days without a sale that the series' own rate does not explain.

    Args:
        demand: that they are of.
        series: (runs,) the series of each.
        first: (runs,) its first column.
        last: (runs,) its last column.
        chance: (runs,) that a run as long or longer comes up anywhere in the series.
        most: the chance below which a run is taken.
    """

    demand: Demand
    series: Int64
    first: Int64
    last: Int64
    chance: Float64
    most: float

    def __len__(self) -> int:
        return len(self.series)

    def __repr__(self) -> str:
        return f"ZeroRuns({len(self):,} runs in {len(np.unique(self.series)):,} of {len(self.demand):,} series)"

    @property
    def sentences(self) -> list[str]:
        """What to know of them; nothing where there are none."""
        if not len(self):
            return []
        days = int((self.last - self.first + 1).sum())
        return [
            f"Nothing says when items were sold out. {len(self):,} runs of days without a sale in {len(np.unique(self.series)):,} of "
            f"{len(self.demand):,} series ({days:,} days) are longer than the rate of the item explains (chance below {self.most:g}): sold out, out of season "
            "or no longer sold. vt.plan.suspicious_runs(demand).table lists them, suspicious='censor' takes them for sold out."
        ]

    @cached_property
    def table(self) -> pl.DataFrame:
        """A row per run: series, its name, first and last day, length, chance."""
        names = self.demand.names()
        step = self.demand.step
        day = pl.Series("first", [self.demand.start] * len(self), dtype=pl.Date)
        return pl.DataFrame({
            "series": self.series, "name": pl.Series([names[at] for at in self.series], dtype=pl.String),
            "first": day + pl.Series(self.first * step * 86_400_000, dtype=pl.Duration("ms")),
            "last": day + pl.Series(self.last * step * 86_400_000, dtype=pl.Duration("ms")),
            "days": self.last - self.first + 1, "chance": self.chance,
        })  # fmt: skip

    @cached_property
    def mask(self) -> Bool:
        """(series, days) whether a day is in such a run."""
        edge = np.zeros((len(self.demand), self.demand.days + 1), np.int8)
        edge[self.series, self.first] = 1
        edge[self.series, self.last + 1] = -1
        return np.cumsum(edge, axis=1, dtype=np.int8)[:, :-1] > 0

    def censored(self, demand: Demand) -> Demand:
        """The demand with the seen days of these runs taken for sold out."""
        taken = self.mask & (demand.state == SEEN)
        said = f"{int(taken.sum()):,} days in {len(self):,} runs without a sale were taken for sold out: the rate of the item does not explain them."
        state = np.where(taken, np.int8(SOLD_OUT), demand.state)
        return replace(demand, state=state, notes=(*demand.notes, said) if len(self) else demand.notes)


def suspicious_runs(demand: Demand, *, chance: float = 0.001) -> ZeroRuns:
    """Runs of seen days without a sale that are too long for the rate at which the series sells on its other days.

    With q the share of days with a sale outside the run, of the n days of the series, a run of at least L zeros comes up with a chance of at most
    q (1 - q)^L n, which counts the places at which it may begin. Days on which the place is closed, unknown and sold out days don't count, and end no run.

    Args:
        demand: of days or weeks.
        chance: below which a run is taken, from 0 to 1.

    Cost: a pass over the units.

    >>> from datetime import date
    >>> import numpy as np, vitrina as vt
    >>> units = np.array([[1, 0, 2] * 20 + [0] * 20 + [1, 0, 1] * 20], np.float32)
    >>> demand = vt.plan.Demand(units, np.ones((1, 140), np.int8), np.zeros(1, np.int32), vt.Vocabulary.of(["tea"]), date(2027, 1, 1))
    >>> vt.plan.suspicious_runs(demand).table.select("first", "days").rows()
    [(datetime.date(2027, 3, 2), 20)]
    """
    if not 0 < chance < 1:
        raise ParameterError(f"The 'chance' of suspicious_runs must be between 0 and 1. Got {chance!r}.", parameter="chance", value=chance)
    shut = closed_weekdays(demand, last=demand.days)
    parts = [_runs(demand, shut, block, chance) for block in cuts(np.full(len(demand), demand.days), BLOCK)]
    series, first, last, tail = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return ZeroRuns(demand, series, first, last, tail, chance)


def _runs(demand: Demand, shut: Bool, block: slice, chance: float) -> tuple[Int64, Int64, Int64, Float64]:
    """Series, first and last column, and chance of the runs of some series."""
    units = demand.units[block]
    counted = demand.state[block] == SEEN
    if demand.step == 1:
        counted &= ~shut[block][:, demand.weekday] | (units > 0)
    sold = counted & (units > 0)
    open_days, sales = counted.sum(axis=1), sold.sum(axis=1)
    rows, columns = np.nonzero(counted)
    zero = ~sold[rows, columns]
    same = np.zeros(len(rows), bool)
    same[1:] = (rows[1:] == rows[:-1]) & zero[1:] & zero[:-1]
    begin = np.flatnonzero(zero & ~same)
    stop = np.flatnonzero(zero & ~np.append(same[1:], False))
    length, series = stop - begin + 1, rows[begin]
    rest = open_days[series] - length
    rate = np.divide(sales[series], rest, out=np.zeros(len(series)), where=rest > 0)
    tail = np.minimum(open_days[series] * rate * (1 - rate) ** length, 1.0)
    found = (rate > 0) & (tail < chance) & (length > 1)
    return series[found] + block.start, columns[begin][found], columns[stop][found], tail[found]
