"""Items that sell on few days: when they sell, and how much then, as two smoothed numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from pydantic import Field

from vitrina.base.config import Config
from vitrina.plan.demand.demand import Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.forecasters.paths import UNREAD, Horizon, drawn
from vitrina.plan.forecasters.profiles import closed_days, closed_weekdays
from vitrina.types import Bool, Float32, Float64, Int64

KEPT = 100  # sizes of a series, at most: older ones weigh next to nothing


@final
class Croston(Config):
    """Smooth the sizes of sales and the days between them, and forecast size / interval. [Croston 1972](https://doi.org/10.1057/jors.1972.50).

    z <- z + alpha (y - z), i <- i + alpha (days since the last sale - i), both on days with a sale only. The forecast is too high by about alpha / 2
    ([Syntetos and Boylan 2005](https://doi.org/10.1016/j.ijforecast.2004.10.001)), which `sba` takes off. Each day of a path has a sale with the chance (1 - alpha / 2) / i, of a size drawn from the past
    with the weights of the smoothing, so that the mean of the paths is the forecast. Chance and sizes are as uncertain as 2 / alpha - 1
    sales leave them: the chance is drawn per path from a beta distribution, and sizes come from as many that were drawn per path.

    Neither the week nor prices are read; weekdays on which the shop is closed have 0. Unknown and sold-out days are left out.

    Args:
        alpha: share of the newest sale.
        sba: take off the bias.

    >>> from datetime import date
    >>> from vitrina.vocabulary import Vocabulary
    >>> demand = Demand(np.float32([[0, 0, 6, 0, 0, 6]]), np.ones((1, 6), np.int8), np.zeros(1, np.int32), Vocabulary.of(["tea"]), date(2027, 1, 4))
    >>> Croston(sba=False).fit(demand).point.tolist()
    [2.0]
    """

    alpha: float = Field(default=0.1, gt=0, lt=1)
    sba: bool = True

    def fit(self, demand: Demand) -> Occasional:
        """Smooth each series once."""
        days = _Days.of(demand)
        interval, waited, sold = (np.zeros(len(demand)) for _ in range(3))
        for units, known in zip(days.units.T, days.known.T, strict=True):
            waited += known
            sells = known & (units > 0)
            step = np.where(sold > 0, self.alpha, 1.0)
            interval = np.where(sells, interval + step * (waited - interval), interval)
            waited[sells] = 0
            sold += sells
        off = 1 - self.alpha / 2 if self.sba else 1.0
        chance = np.divide(off, interval, out=np.zeros(len(demand)), where=interval > 0)
        return days.model(chance, 2 / self.alpha - 1, np.minimum(chance, 1) * (2 / self.alpha - 1), self.alpha, type(self).__name__)


@final
class TSB(Config):
    """Smooth the chance of a sale every day, and the sizes on days with one. [Teunter, Syntetos and Babai 2011](https://doi.org/10.1016/j.ejor.2011.05.018).

    p <- p + alpha_chance ((y > 0) - p) every day, z <- z + alpha_size (y - z) on days with a sale; the forecast is p z. Unlike Croston's it falls while nothing
    is sold, so that items which go out of use are noticed. Paths are made as Croston's; the chance is as uncertain as 2 / alpha_chance - 1 days
    leave it.

    Neither the week nor prices are read; weekdays on which the shop is closed have 0. Unknown and sold-out days are left out.

    Args:
        alpha_chance: share of the newest day.
        alpha_size: share of the newest sale.
    """

    alpha_chance: float = Field(default=0.03, gt=0, lt=1)
    alpha_size: float = Field(default=0.1, gt=0, lt=1)

    def fit(self, demand: Demand) -> Occasional:
        """Smooth each series once."""
        days = _Days.of(demand)
        chance, begun = np.zeros(len(demand)), np.zeros(len(demand), np.bool_)
        for units, known in zip(days.units.T, days.known.T, strict=True):
            step = np.where(begun, self.alpha_chance, 1.0) * known
            chance += step * ((units > 0) - chance)
            begun |= known
        trials = 2 / self.alpha_chance - 1
        return days.model(chance, trials, np.minimum(chance, 1) * trials, self.alpha_size, type(self).__name__)


@final
@dataclass(frozen=True, eq=False)
class _Days:
    """The days that count: known, and of an open shop."""

    demand: Demand
    units: Float32
    known: Bool
    shut: Bool

    @classmethod
    def of(cls, demand: Demand) -> _Days:
        closed = closed_days(demand)
        shut = closed_weekdays(demand, closed) if demand.step == 1 else np.zeros(7, np.bool_)
        known = demand.seen & ~closed & ~shut[demand.weekday]
        return cls(demand, np.where(known, demand.units, np.float32(0)), known, shut)

    def model(self, chance: Float64, trials: float, successes: Float64, alpha: float, name: str) -> Occasional:
        sells = self.units > 0
        count = sells.sum(axis=1)
        sizes = np.zeros((len(self.units), max(1, min(KEPT, int(count.max(initial=1))))), np.float32)
        rows, days = np.nonzero(sells)
        age = count[rows] - (np.cumsum(sells, axis=1)[rows, days])  # 0 for the newest
        kept = age < sizes.shape[1]
        sizes[rows[kept], age[kept]] = self.units[rows[kept], days[kept]]
        left_out = int((self.demand.state == 2).sum())
        never = int((~self.demand.seen.any(axis=1)).sum())
        said = [
            (left_out, f"{left_out:,} sold-out days are left out by {name}."),
            (never, f"{never:,} of {len(self.units):,} series have no seen day, and are forecast as 0 by {name}."),
        ]
        notes = tuple(text for there, text in said if there)
        return Occasional(
            name,
            Horizon.of(self.demand),
            np.minimum(chance, 1.0),
            np.maximum(successes, 1e-9),
            trials,
            sizes,
            count,
            alpha,
            self.shut,
            notes,
        )


@final
@dataclass(frozen=True, eq=False, repr=False)
class Occasional:
    """A chance of a sale per day, and the last sizes.

    Args:
        chance: (series,) of a sale on an open day.
        successes, trials: (series,) and one number: what the chance is as sure as.
        sizes: (series, sales) the newest first.
        count: (series,) of all sales.
        alpha: share of the newest of the sizes.
        shut: (7,) closed weekdays.
    """

    name: str
    horizon: Horizon
    chance: Float64
    successes: Float64
    trials: float
    sizes: Float32
    count: Int64
    alpha: float
    shut: Bool
    notes: tuple[str, ...] = ()

    @property
    def point(self) -> Float64:
        """(series,) expected units on an open day: chance x smoothed size."""
        return self.chance * (self.sizes * self.weights()).sum(axis=1)

    def weights(self) -> Float64:
        """(series, sales) of the smoothing: alpha (1 - alpha)^age, the oldest with all that is left."""
        age = np.arange(self.sizes.shape[1])
        weight = self.alpha * (1 - self.alpha) ** np.broadcast_to(age, self.sizes.shape)
        oldest = np.minimum(self.count, self.sizes.shape[1]) - 1
        weight = np.where(age == oldest[:, None], (1 - self.alpha) ** age, weight)
        return np.where(age <= oldest[:, None], weight, 0.0)

    def forecast(self, days: int, *, paths: int = 200, seed: int = 0, prices: Float32 | None = None) -> Forecast:
        self.horizon.check(days, paths, prices)
        opened = ~self.shut[self.horizon.weekdays(days)] if self.horizon.step == 1 else np.ones(days, np.bool_)
        samples = drawn(lambda rows, rng: self.draw(rows, days, paths, rng) * opened, len(self.chance), paths, days, seed)
        unread = () if prices is None else (UNREAD.format(self.name),)
        return self.horizon.forecast(samples, seed, self.notes + unread)

    def draw(self, rows: slice, days: int, paths: int, rng: np.random.Generator) -> Float32:
        chance, series = self.chance[rows], rows.stop - rows.start
        if self.trials > 1:
            failures = np.maximum(self.trials * (1 - chance), 1e-9)
            drawn_chance = rng.beta(self.successes[rows, None], failures[:, None], (series, paths))
            drawn_chance = np.where((chance[:, None] <= 0) | (chance[:, None] >= 1), chance[:, None], drawn_chance)
        else:
            drawn_chance = np.broadcast_to(chance[:, None], (series, paths))
        pool = max(1, round(2 / self.alpha - 1))
        age = np.log(rng.random((series, paths, pool))) / np.log(1 - self.alpha)  # the logarithm of chances of the smoothing
        age = np.minimum(age.astype(np.int64), np.clip(self.count[rows, None, None], 1, self.sizes.shape[1]) - 1)
        sizes = self.sizes[rows][np.arange(series)[:, None, None], age]
        taken = np.take_along_axis(sizes, rng.integers(pool, size=(series, paths, days)), axis=2)
        return np.where(rng.random((series, paths, days)) < drawn_chance[:, :, None], taken, np.float32(0))
