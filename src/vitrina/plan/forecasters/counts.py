"""Counts with a level that moves, a week, the shop's year, growth and prices: Poisson or negative binomial, all series at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Literal, final

import numpy as np
from pydantic import Field

from vitrina.base.config import Config
from vitrina.base.errors import UnknownNameError
from vitrina.plan.demand.demand import SEEN, Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.forecasters.count_filter import run_filter, score_excess
from vitrina.plan.forecasters.growth import growth_of
from vitrina.plan.forecasters.paths import UNREAD, Horizon, drawn
from vitrina.plan.forecasters.profiles import closed_days, closed_weekdays, groups_of, mean_of_seen, shop_year, week_profile
from vitrina.plan.price.elasticity import price_response
from vitrina.plan.price.response import PriceResponse
from vitrina.types import Bool, Float32, Float64, Int64

EXCESS = np.array([0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2])  # dispersions that are tried
AHEAD = 400  # days for which the year is kept
LIVES, SHARES = (7.0, 14.0, 28.0, 56.0, 112.0), (0.0, 0.03, 0.1, 0.3)  # half-lives and pulls that are tried
LAG, WARM, CLASSES, LIKES = 14, 28, 6, 5.0  # days ahead that are scored, after how many; classes of volume; series that a class counts as
FADE, YOUNG = 182.0, 3.0  # half-life of what dispersion and week are learned from; days of its category that stand in for a new item
STEP = 1e-2  # the least shape of a level


@final
class Counts(Config):
    """y ~ NB(mean l s, variance mean + k mean^2), s = week x year of the shop x growth x price; the level l is a gamma distribution that forgets.

    [Harvey and Fernandes 1989](https://doi.org/10.1080/07350015.1989.10509750), with a pull to a level of longer memory: each day (a, b) <- d (a, b) + rho (long level, 1), then
    (a, b) <- (a, b) + w (y, s), w = 1 / (1 + k mean s). d and rho are chosen for each series by the likelihood 14 days ahead, k by that one day ahead, both
    together with five typical series of the same volume. What isn't known of the level goes into the paths: it is drawn, and moves with
    the variance by which the filter forgets, so that sums over days have the right spread.

    A sold-out day says "at least that": the level becomes the gamma distribution with the mean and variance of the mixture over Y >= y, and the week is
    learned from the units that are then expected. A sold-out day of 0 says nothing. A day without any sale of the whole shop is a closed one and says nothing;
    a weekday that is mostly closed is forecast as 0. Items without a seen day are forecast as those of their category.

    Args:
        noise: what days vary as around their mean.
        by: column of `demand.table` whose groups share weeks and starts; None: all together.
        half_life: days after which a day counts half in the level; None: chosen.
        long: half-life of the level that pulls, in days.
        week: units of its group that the week of an item counts as.
        year: power to which the change of the shop a year before repeats, in logs longer than 420 days; 0: not at all.
        trend: whether series grow or fall by themselves; their growth fades by half every four weeks of the forecast.
        price: whether prices matter, by `price_response` of what was seen; without it prices that are given are named in the notes.
        closed: days of the future on which the shop is closed, as dates: holidays.

    Cost: some 25 passes of the filter, 50 nanoseconds per series and day each.

    >>> from vitrina.vocabulary import Vocabulary
    >>> units = np.random.default_rng(0).poisson(3.0, (1, 400)).astype(np.float32)
    >>> demand = Demand(units, np.ones((1, 400), np.int8), np.zeros(1, np.int32), Vocabulary.of(["tea"]), date(2027, 1, 4))
    >>> total = Counts().fit(demand).forecast(28, paths=1000).total()
    >>> bool(75 < total.mean() < 95), bool(8 < total.std() < 15)
    (True, True)
    """

    noise: Literal["negative binomial", "poisson"] = "negative binomial"
    by: str | None = None
    half_life: float | None = Field(default=None, gt=0)
    long: float = Field(default=70.0, gt=0)
    week: float = Field(default=50.0, gt=0)
    year: float = Field(default=0.5, ge=0, le=1)
    trend: bool = False
    price: bool = False
    closed: Annotated[tuple[date, ...], Field(strict=False)] = ()

    def fit(self, demand: Demand) -> CountModel:
        """Learn the levels, and all that moves them.

        Raises:
            UnknownNameError: the table of items has no such column.
            ParameterError: prices should matter and can't be read.
        """
        columns = [] if demand.table is None else demand.table.columns
        if self.by is not None and self.by not in columns:
            raise UnknownNameError.of("column of the table of items", self.by, columns)
        return _Fit.of(self, demand).model()


@final
@dataclass(frozen=True, eq=False)
class _Fit:
    """What is on the way from a demand to its model.

    Args:
        state: (series, days) of the demand, 0 on closed days.
        scale: (series, days) what a level of 1 sells but for the week.
        start: (series,) mean units.
    """

    config: Counts
    demand: Demand
    state: np.ndarray
    scale: Float32
    start: Float64
    group: Int64
    shut: Bool
    response: PriceResponse | None

    @classmethod
    def of(cls, config: Counts, demand: Demand) -> _Fit:
        group, closed = groups_of(demand, config.by), closed_days(demand)
        state = np.where(closed, np.int8(0), demand.state)
        response = price_response(demand, by=config.by, at_least=True).of(demand.item) if config.price else None
        scale = np.ones(demand.units.shape, np.float32) if response is None else _of_prices(demand, response)
        start = mean_of_seen(replace(demand, state=state), group, YOUNG)
        return cls(config, demand, state, scale, start, group, closed_weekdays(demand, closed), response)

    def model(self) -> CountModel:
        config, demand = self.config, self.demand
        filled, excess = demand.units, np.full(len(demand), 0.0 if config.noise == "poisson" else 1.0)
        kept, share = self.memory(config.half_life or 56.0), np.full(len(demand), 0.1)
        fade = 0.5 ** ((demand.days - 1 - np.arange(demand.days)) / FADE)
        sold_out = bool((self.state > SEEN).any())
        scale, week, year, growth = self.scale, np.ones((len(demand), 7)), np.ones(AHEAD), np.zeros(len(demand))
        for _ in range(3 if sold_out else 1):  # what is expected of sold-out days needs the week, which needs them
            week = week_profile(filled, self.state > 0 if sold_out else self.state == SEEN, demand.weekday, fade, config.week, self.group)
            week = np.where(self.shut, 0.0, week) if demand.step == 1 else np.ones_like(week)
            scale = (self.scale * week[:, demand.weekday]).astype(np.float32)
            filled = self.filter(scale, kept, share, excess)[3] if sold_out else filled
        scale, year = self.with_year(filled, scale)
        excess = self.dispersion(scale, kept, share, excess, fade)
        if config.trend:
            growth, _ = growth_of(filled, self.state > 0, scale, excess, 2 * config.long)
            scale = (scale * np.exp(growth[:, None] * (np.arange(demand.days) - demand.days + 1))).astype(np.float32)
        kept, share = self.memories(scale, excess)
        excess = self.dispersion(scale, kept, share, excess, fade)
        end = self.filter(scale, kept, share, excess)[0]
        never = int((~(self.state > 0).any(axis=1)).sum())
        notes = (f"{never:,} of {len(demand):,} series have no known day, and are forecast as others of their group.",) if never else ()
        return CountModel(config, Horizon.of(demand), end, week, year, growth, kept, share, excess, self.response, notes)

    def memory(self, half_life: float) -> Float64:
        return np.full(len(self.demand), 0.5 ** (1 / half_life))

    def filter(
        self, scale: Float32, kept: Float64, share: Float64, excess: Float64, *, warm: int = 0, full: bool = True
    ) -> tuple[Float64, Float64, Float32, Float32]:
        """Ends, scores, expected units and filled units."""
        series, days = self.demand.units.shape
        end, score = np.zeros((series, 4)), np.zeros(series)
        expected, filled = (np.zeros((series, days) if full else (0, 0), np.float32) for _ in range(2))
        run_filter(
            series, self.demand.units, self.state, scale, self.start, kept, share, excess, 0.5 ** (1 / self.config.long), LAG, warm,
            max(days - AHEAD, 0), end, score, expected, filled,
        )  # fmt: skip
        return end, score, expected, filled

    def with_year(self, filled: Float32, scale: Float32) -> tuple[Float32, Float64]:
        """Scales with the level of the shop, and that of the next days."""
        expected = scale * self.start[:, None]
        year = None
        if self.demand.step == 1:
            worth = 1 / (self.start * (1 + 3 * self.start))
            year = shop_year(filled, self.state == SEEN, expected, worth, self.config.year, AHEAD)
        return (scale, np.ones(AHEAD)) if year is None else ((scale * year[0]).astype(np.float32), year[1])

    def dispersion(self, scale: Float32, kept: Float64, share: Float64, excess: Float64, fade: Float64) -> Float64:
        """(series,) by the likelihood one day ahead."""
        if self.config.noise == "poisson":
            return np.zeros(len(excess))
        expected = self.filter(scale, kept, share, excess)[2]
        scores = np.zeros((len(excess), len(EXCESS)))
        score_excess(len(excess), self.demand.units, self.state, expected, EXCESS, fade, scores)
        return EXCESS[self.likely(scores)]

    def memories(self, scale: Float32, excess: Float64) -> tuple[Float64, Float64]:
        """(series,) how long each remembers, and how hard the longer memory pulls, by the likelihood 14 days ahead."""
        lives = LIVES if self.config.half_life is None else (self.config.half_life,)
        tried = [(self.memory(life), np.full(len(excess), share)) for life in lives for share in SHARES]
        scores = np.stack([self.filter(scale, *one, excess, warm=WARM, full=False)[1] for one in tried], axis=1)
        best = self.likely(scores)
        kept, share = (np.stack([one[i] for one in tried], axis=1)[np.arange(len(best)), best] for i in range(2))
        return kept, share

    def likely(self, scores: Float64) -> Int64:
        """(series,) the most likely column, of each series with five typical ones of its volume."""
        logs = np.log(self.start)
        kind = np.searchsorted(np.quantile(logs, np.linspace(0, 1, CLASSES + 1)[1:-1]), logs)
        typical = np.stack([scores[kind == k].mean(axis=0) if (kind == k).any() else scores[0] for k in range(CLASSES)])
        return (scores + LIKES * typical[kind]).argmax(axis=1)


def _of_prices(demand: Demand, response: PriceResponse) -> Float32:
    """(series, days) demand at each day's price over that at the last one; 1 before the first price."""
    assert demand.price is not None
    at = np.maximum.accumulate(np.where(np.isfinite(demand.price), np.arange(demand.days), -1), axis=1)
    price = np.take_along_axis(demand.price, np.maximum(at, 0), axis=1)
    ratio = np.where((at >= 0) & np.isfinite(response.base)[:, None], price / response.base[:, None], 1.0)
    return np.exp(response.elasticity[:, None] * np.log(ratio)).astype(np.float32)


@final
@dataclass(frozen=True, eq=False, repr=False)
class CountModel:
    """Levels on the last day, and what will move them.

    Args:
        end: (series, 4) shape and rate of the level, and of the one with the longer memory.
        week: (series, 7) from Monday on.
        year: (days,) the shop on the next days.
        growth: (series,) of the logarithm of the level per day.
        kept, share, excess: (series,) what is kept of a level per day; the pull of the longer memory; the dispersion.
        response: to prices, a row per series.
    """

    config: Counts
    horizon: Horizon
    end: Float64
    week: Float64
    year: Float64
    growth: Float64
    kept: Float64
    share: Float64
    excess: Float64
    response: PriceResponse | None = None
    notes: tuple[str, ...] = ()

    def forecast(self, days: int, *, paths: int = 200, seed: int = 0, prices: Float32 | None = None) -> Forecast:
        self.horizon.check(days, paths, prices)
        mean, shape = self.ahead(days)
        notes, slope = self.notes, None
        if prices is not None and self.response is None:
            notes += (UNREAD.format("Counts(price=False)"),)
        elif prices is not None and self.response is not None:
            slope = np.log(np.asarray(prices, np.float64) / np.where(np.isfinite(self.response.base), self.response.base, 1.0)[:, None])
            notes += self.response.sentences[:1] if self.response.observed else ()

        def draw(rows: slice, rng: np.random.Generator) -> Float32:
            level = self.levels(shape[rows], self.end[rows, 0], paths, rng) * mean[rows, None].astype(np.float32)
            if slope is not None and self.response is not None:
                level *= self.moved(rows, slope[rows], paths, rng)
            return noisy(level, self.excess[rows], rng)

        return self.horizon.forecast(drawn(draw, len(mean), paths, days, seed), seed, notes)

    def ahead(self, days: int) -> tuple[Float64, Float64]:
        """(series, days) expected units, and the shapes of the level."""
        at = np.arange(1, days + 1)
        far = self.kept[:, None] ** at
        gained = self.share[:, None] * (1 - far) / (1 - self.kept[:, None])
        shape = far * self.end[:, :1] + gained * self.end[:, 2:3] / self.end[:, 3:]
        rate = far * self.end[:, 1:2] + gained
        fading = 0.5 ** (1 / 28)
        grown = np.exp(self.growth[:, None] * fading * (1 - fading**at) / (1 - fading))
        shut = np.isin(np.array(self.horizon.dates(days), "datetime64[D]"), np.array(self.config.closed, "datetime64[D]"))
        year = self.year[np.arange(days) % len(self.year)] * ~shut
        return shape / rate * self.week[:, self.horizon.weekdays(days)] * year * grown, shape

    @staticmethod
    def levels(shape: Float64, first: Float64, paths: int, rng: np.random.Generator) -> Float32:
        """(series, paths, days) the level over its expectation: a gamma on the last day, then steps whose variance makes up for what is forgotten."""
        now = np.maximum(first, STEP)[:, None]
        variance = np.maximum.accumulate(np.maximum(np.log1p(1 / np.maximum(shape, STEP)), np.log1p(1 / now)), axis=1)
        steps = np.diff(variance, axis=1, prepend=np.log1p(1 / now)).astype(np.float32)
        walk = rng.standard_normal((len(shape), paths, shape.shape[1]), np.float32) * np.sqrt(steps)[:, None]
        np.cumsum(walk, axis=2, out=walk)
        walk -= np.cumsum(steps, axis=1)[:, None] / 2
        begin = rng.standard_gamma(now, (len(shape), paths)) / now
        return np.exp(walk, out=walk) * begin[:, :, None].astype(np.float32)

    def moved(self, rows: slice, slope: Float64, paths: int, rng: np.random.Generator) -> Float32:
        """(series, paths, days) what the prices do, with an elasticity per path."""
        assert self.response is not None
        chosen = self.response.select(np.arange(len(self.excess))[rows])
        drawn_slopes = chosen.sample(paths, seed=int(rng.integers(1 << 31)))  # (paths, series)
        return np.exp(drawn_slopes.T[:, :, None] * slope[:, None]).astype(np.float32)


def noisy(mean: Float32, excess: Float64, rng: np.random.Generator) -> Float32:
    """Counts around the means (series, paths, days): Poisson of a gamma of variance `excess`."""
    rows = np.flatnonzero(excess > 0)
    if len(rows):
        size = (1 / excess[rows])[:, None, None].astype(np.float32)
        mean[rows] *= rng.standard_gamma(np.broadcast_to(size, mean[rows].shape), dtype=np.float32) / size
    return rng.poisson(np.minimum(mean, 1e9)).astype(np.float32)
