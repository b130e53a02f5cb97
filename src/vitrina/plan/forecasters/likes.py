"""New items by their likes: what has hardly a history sells as similar items sold when they were as new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from pydantic import Field
from scipy.special import gammaln

from vitrina.base.config import Config, Names
from vitrina.plan.demand.demand import ABSENT, Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.demand.protocols import DemandModel, Forecaster
from vitrina.plan.forecasters.likeness import likes_of
from vitrina.plan.forecasters.paths import WEEK, Horizon, drawn
from vitrina.types import Bool, Float32, Float64, Int64

FEWEST = 5  # launches, below which nothing is known of how items begin


@final
class ByLikes(Config):
    """Another forecaster for items with a history; for new ones the first days of their likes.

    A new series has fewer than `days` days that are known; one that hasn't begun is taken to begin on the first day of the forecast. Each path of it is what one launch, the days of another series from its first sale on, went on to sell
    at the same age: y[a + h] of a like, on the same weekday. The like is drawn with the weight

        w = K(log price - log price of the like) NB(s / f; m / f + 1/2, 1/2)

    with K a normal kernel of width `price_width` (1 where a price isn't known), s what the new series sold in its a days, m what the like sold in its first a days, f the usual
    ratio of variance to mean of a day. NB is the chance of s when both sell at one rate, of which m is all that is known (gamma with the prior of Jeffreys), so a new item
    that does well is soon like those that did well. As m is a number of few days too, intervals are somewhat too wide: where all rates are known to be of one gamma
    law, those of 90% cover some 95%. Only launches that the log saw count: series that begin `days` columns after its start or later.

    Args:
        forecaster: of the series with a history.
        days: columns from which a series is no longer new.
        by: columns of the table of items that say what is alike, from narrow to wide: categories, words, or vectors. The first one with `peers` likes
            decides; all launches are likes where none has.
        peers: likes that are enough.
        price_width: of the kernel, in logarithms: 0.5 is a factor of 1.6. None leaves prices out.

    Cost: that of the other forecaster; new series x launches beside it.

    >>> from datetime import date
    >>> import numpy as np, vitrina as vt
    >>> units = np.zeros((7, 60), np.float32)
    >>> units[:6, 30:], units[6, 58:] = 4, 4  # six items began a month ago, one yesterday
    >>> state = (np.arange(60) >= np.array([30] * 6 + [58])[:, None]).astype(np.int8)
    >>> demand = vt.plan.Demand(units, state, np.arange(7, dtype=np.int32), vt.Vocabulary.of(range(7)), date(2027, 1, 1))
    >>> vt.plan.ByLikes(forecaster=vt.plan.SeasonalNaive()).fit(demand).forecast(7, paths=10).mean()[6].tolist()
    [4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]
    """

    forecaster: Forecaster
    days: int = Field(default=28, ge=1)
    by: Names = ()
    peers: int = Field(default=50, ge=1)
    price_width: float | None = Field(default=0.5, gt=0)

    def fit(self, demand: Demand) -> FittedByLikes:
        """Fit the other forecaster, and take the launches."""
        begun = demand.state != ABSENT
        first = np.where(begun.any(axis=1), begun.argmax(axis=1), demand.days)
        known = begun.sum(axis=1)
        new = np.flatnonzero(known < self.days)
        seen = np.flatnonzero((first >= self.days) & (known >= self.days))
        launches = Launches.of(demand, seen, first[seen])
        likes = likes_of(demand.table, self.by, demand.item[new].astype(np.int64), demand.item[seen].astype(np.int64), self.peers)
        price = last_prices(demand)
        own = np.where(demand.seen[new], demand.units[new], 0).sum(axis=1, dtype=np.float64)
        age = demand.days - np.minimum(first[new], demand.days)
        of_new = Newcomers(new, age, own, price[new], likes)
        return FittedByLikes(self.forecaster.fit(demand), Horizon.of(demand), launches, of_new, price[seen], self.price_width)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Launches:
    """What series sold from their first day on.

    Args:
        units: (launches, days) from the first day on; days that aren't known have the units of the same weekday of the week before, or after.
        length: (launches,) days.
        weekday: (launches,) of the first day; 0 where a step is no single day.
        spread: the usual ratio of the variance of a day to its mean.
    """

    units: Float32
    length: Int64
    weekday: Int64
    spread: float

    @classmethod
    def of(cls, demand: Demand, series: Int64, first: Int64) -> Launches:
        """The series, each from its own first column on."""
        longest = int(demand.days - first.min()) if len(first) else 0
        column = first[:, None] + np.arange(longest)
        inside = column < demand.days
        column = np.minimum(column, demand.days - 1)
        known = inside & demand.seen[series[:, None], column]
        units = filled(np.where(known, demand.units[series[:, None], column], np.float32(np.nan)), WEEK if demand.step == 1 else 1)
        units[~inside] = np.nan
        mean, variance = _moments(units)
        ratio = variance[mean > 0] / mean[mean > 0]
        spread = max(float(np.median(ratio)), 1.0) if len(ratio) else 1.0
        return cls(units, demand.days - first, demand.weekday[first].astype(np.int64) if len(first) else first, spread)

    def __len__(self) -> int:
        return len(self.length)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Newcomers:
    """Series that are new: their places, ages in columns, units so far, prices, and (new, launches) which launches are alike."""

    series: Int64
    age: Int64
    units: Float64
    price: Float64
    likes: Bool


@final
@dataclass(frozen=True, eq=False, repr=False)
class FittedByLikes:
    """A fitted forecaster, and launches for the series that are new to it."""

    model: DemandModel
    horizon: Horizon
    launches: Launches
    new: Newcomers
    price: Float64  # (launches,)
    price_width: float | None

    def forecast(self, days: int, *, paths: int = 200, seed: int = 0, prices: Float32 | None = None) -> Forecast:
        made = self.model.forecast(days, paths=paths, seed=seed, prices=prices)
        count = len(self.new.series)
        price = self.new.price if prices is None else np.asarray(prices, np.float64)[self.new.series, 0]
        chosen = [self.weights(row, price[row], days) for row in range(count)]
        some = np.array([row for row in range(count) if len(chosen[row][0])], np.int64)
        if len(some):
            samples = made.samples.copy()
            samples[self.new.series[some]] = drawn(
                lambda rows, rng: np.stack([self._draw(row, chosen[row], days, paths, rng) for row in some[rows]]),
                len(some),
                paths,
                days,
                seed,
            )
            made = self.horizon.forecast(samples, seed, made.notes)
        return self.horizon.forecast(made.samples, seed, (*made.notes, *self._said(count, len(some))))

    def weights(self, row: int, price: float, days: int) -> tuple[Int64, Float64, Int64]:
        """The launches that a new series may go on as, the weight of each, and the column of the first day, on the same weekday.

        None where fewer than five of them are long enough.
        """
        age = int(self.new.age[row])
        ahead = (int(self.horizon.weekdays(1)[0]) - self.launches.weekday - age + 3) % WEEK - 3 if self.horizon.step == 1 else 0
        start = np.broadcast_to(age + ahead, self.launches.length.shape)
        long = np.maximum(start + days, WEEK + 1) <= self.launches.length
        usable = long & self.new.likes[row]
        usable = long if usable.sum() < FEWEST else usable
        if usable.sum() < FEWEST:
            return np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64)
        at = np.flatnonzero(usable)
        score = self._alike_in_price(self.price[at], price)
        if age:
            theirs = self.launches.units[at, :age].sum(axis=1, dtype=np.float64) / self.launches.spread
            score = score + chance_of(self.new.units[row] / self.launches.spread, theirs)
        weight = np.exp(score - score.max())
        return at, weight / weight.sum(), start[at]

    def _alike_in_price(self, prices: Float64, price: float) -> Float64:
        """(launches,) logarithm of the kernel of prices."""
        known = np.isfinite(prices) & (prices > 0)
        if self.price_width is None or not (np.isfinite(price) and price > 0):
            return np.zeros(len(prices))
        return -0.5 * (np.log(np.where(known, prices, price) / price) / self.price_width) ** 2

    def _draw(self, row: int, likes: tuple[Int64, Float64, Int64], days: int, paths: int, rng: np.random.Generator) -> Float32:
        """(paths, days) of launches that are drawn."""
        at, weight, start = likes
        chosen = rng.choice(len(at), size=paths, p=weight)
        return self.launches.units[at[chosen][:, None], columns_of(start[chosen], int(self.new.age[row]), days)]

    def _said(self, count: int, forecast: int) -> tuple[str, ...]:
        if not count:
            return ()
        rest = f" {count - forecast:,} have none that is long enough, and are forecast as the others are." if forecast < count else ""
        return (
            f"{count:,} series are new: {forecast:,} are forecast by the launches of their likes, of which the log saw {len(self.launches):,}.{rest}",
        )


def columns_of(start: Int64, age: int, days: int) -> Int64:
    """(likes, days) columns of launches for the days of a forecast.

    The first day of a launch has a sale by its nature: it stands for the first day of a series that hasn't begun, and for no other. A day before it is the same weekday of the
    week after.

    >>> columns_of(np.array([-1, 2]), 0, 4).tolist(), columns_of(np.array([-1]), 1, 3).tolist()
    ([[0, 7, 1, 2], [0, 3, 4, 5]], [[6, 7, 1]])
    """
    columns = start[:, None] + np.arange(days)
    columns += np.where(columns < 1, WEEK, 0)
    if age == 0:
        columns[:, 0] = 0
    return columns


def chance_of(sold: float, theirs: Float64) -> Float64:
    """(likes,) logarithm, up to a constant, of the chance of so many units at the rate of a like that sold `theirs` in as many days."""
    return gammaln(sold + theirs + 0.5) - gammaln(theirs + 0.5) - theirs * np.log(2)


def last_prices(demand: Demand) -> Float64:
    """(series,) the last known price; NaN where there is none."""
    if demand.price is None:
        return np.full(len(demand), np.nan)
    known = np.isfinite(demand.price)
    last = demand.days - 1 - known[:, ::-1].argmax(axis=1)
    return demand.price[np.arange(len(demand)), last].astype(np.float64)


def filled(units: Float32, period: int) -> Float32:
    """(series, days) with NaN replaced by what was sold whole periods before, or after; 0 where no such day is known.

    >>> filled(np.array([[1.0, np.nan, 3.0, np.nan]], np.float32), 2).tolist()
    [[1.0, 0.0, 3.0, 0.0]]
    """
    series, days = units.shape
    weeks = np.full((series, -(-days // period) * period), np.nan, np.float32)
    weeks[:, :days] = units
    weeks = weeks.reshape(series, -(-days // period), period)
    for order in (slice(None), slice(None, None, -1)):
        turned = weeks[:, order]
        last = np.where(np.isnan(turned), 0, np.arange(turned.shape[1], dtype=np.int32)[:, None])
        np.maximum.accumulate(last, axis=1, out=last)
        weeks = np.take_along_axis(turned, last, axis=1)[:, order]
    return np.nan_to_num(weeks.reshape(series, weeks.shape[1] * period)[:, :days])


def _moments(units: Float32) -> tuple[Float64, Float64]:
    """(launches,) mean and variance of the days."""
    known = np.isfinite(units)
    count = np.maximum(known.sum(axis=1), 1)
    values = np.nan_to_num(units, nan=0.0).astype(np.float64)
    mean = values.sum(axis=1) / count
    return mean, (values**2).sum(axis=1) / count - mean**2
