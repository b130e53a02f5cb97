"""The same weekday of one of the last weeks: the forecaster that every other one has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from pydantic import Field

from vitrina.base.config import Config
from vitrina.plan.demand.demand import Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.forecasters.paths import UNREAD, WEEK, Horizon, drawn
from vitrina.types import Float32, Int64


@final
class SeasonalNaive(Config):
    """Each week of a path is one of the last `weeks` weeks, drawn at random and taken whole: y[T + h] = y[T + h - 7 j], j drawn per path and week.

    With `weeks=1` all paths are the last week again, which is the seasonal naive of textbooks
    ([Hyndman and Athanasopoulos 2021](https://otexts.com/fpp3/simple-methods.html), 5.2) and has no spread. Days that were sold out, or of which nothing is
    known, are not drawn: the same weekday of another of these weeks stands in, then any seen day of them, then any seen day of the series, and 0 where
    a series has none, which the notes say.

    Where a step is not one day, a "week" is one step.

    Args:
        weeks: how many of the last weeks are drawn from.

    Cost: series x paths x days.

    >>> from datetime import date
    >>> from vitrina.vocabulary import Vocabulary
    >>> week = np.float32([[3, 0, 1, 2, 4, 9, 0]])
    >>> demand = Demand(week, np.ones((1, 7), np.int8), np.zeros(1, np.int32), Vocabulary.of(["tea"]), date(2027, 1, 4))
    >>> SeasonalNaive(weeks=1).fit(demand).forecast(9, paths=1).samples[0, 0].tolist()
    [3.0, 0.0, 1.0, 2.0, 4.0, 9.0, 0.0, 3.0, 0.0]
    """

    weeks: int = Field(default=8, ge=1)

    def fit(self, demand: Demand) -> LastWeeks:
        """Keep the last weeks, gaps filled."""
        period = WEEK if demand.step == 1 else 1
        weeks = min(self.weeks, max(demand.days // period, 1))
        span = weeks * period
        units = np.full((len(demand), span), np.nan, np.float32)
        known = np.where(demand.seen, demand.units, np.float32(np.nan))
        units[:, -min(span, demand.days) :] = known[:, -span:]
        lacking = np.isnan(units).all(axis=1)
        for row in np.flatnonzero(lacking):
            seen = known[row][~np.isnan(known[row])]
            units[row, -min(span, len(seen)) :] = seen[-span:] if len(seen) else 0.0
        never = int((~demand.seen.any(axis=1)).sum())
        notes = (f"{never:,} of {len(demand):,} series have no seen day, and are forecast as 0.",) if never else ()
        return LastWeeks(Horizon.of(demand), units.reshape(len(demand), weeks, period), notes)


@final
@dataclass(frozen=True, eq=False, repr=False)
class LastWeeks:
    """The last weeks of each series (series, weeks, days of a week); NaN where a day isn't known."""

    horizon: Horizon
    units: Float32
    notes: tuple[str, ...] = ()

    def forecast(self, days: int, *, paths: int = 200, seed: int = 0, prices: Float32 | None = None) -> Forecast:
        self.horizon.check(days, paths, prices)
        samples = drawn(lambda rows, rng: self.draw(self.units[rows], days, paths, rng), len(self.units), paths, days, seed)
        unread = () if prices is None else (UNREAD.format("SeasonalNaive"),)
        return self.horizon.forecast(samples, seed, self.notes + unread)

    def draw(self, units: Float32, days: int, paths: int, rng: np.random.Generator) -> Float32:
        """A week at random per path and week of the horizon; a gap in it is drawn again, from its weekday where that has a seen day."""
        series, weeks, period = units.shape
        chosen = rng.integers(weeks, size=(series, paths, -(-days // period)))
        samples = units[np.arange(series)[:, None, None], chosen].reshape(series, paths, -1)[:, :, :days]
        rows, path, day = np.nonzero(np.isnan(samples))
        if len(rows):
            samples[rows, path, day] = filled(units, rows, day % period, rng)
        return samples


def filled(units: Float32, rows: Int64, at: Int64, rng: np.random.Generator) -> Float32:
    """(gaps,) seen units of the same weekday of these series; of any day where the weekday has none."""
    by_day = np.sort(units.transpose(0, 2, 1), axis=2)  # gaps come last
    counts = (~np.isnan(by_day)).sum(axis=2)[rows, at]
    values = by_day[rows, at, (rng.random(len(rows)) * counts).astype(np.int64)]
    bare = np.flatnonzero(counts == 0)
    flat = np.sort(units.reshape(len(units), -1), axis=1)
    values[bare] = flat[rows[bare], (rng.random(len(bare)) * (~np.isnan(flat)).sum(axis=1)[rows[bare]]).astype(np.int64)]
    return values
