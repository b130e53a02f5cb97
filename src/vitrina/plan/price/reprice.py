"""The same days at another price: sample paths with more or fewer customers, unit by unit, so that they stay counts of the right spread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import ArrayLike

from vitrina.base.errors import ParameterError
from vitrina.base.kernels import Spread, kernel
from vitrina.plan.demand.forecast import Forecast
from vitrina.types import Bool, Float64

CHUNK = 128.0  # of expected units that are drawn at a time: what is drawn for the first ones doesn't change when there are more
GOLDEN, MIX, MORE = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB  # of splitmix64


def repriced(forecast: Forecast, factor: ArrayLike, *, seed: int = 0) -> Forecast:
    """Paths of a demand that is `factor` times as large, as counts.

    Below 1 each unit of a path stays with the chance `factor`: of a Poisson process, mixed by whatever makes days good or bad, that leaves the same process with less of it, exactly.
    Above 1 a path is joined by Poisson units of (factor - 1) times its rate. The rate of a path and day isn't seen; it is drawn from what the units of the path say of it under gamma
    mixing of whole paths and of days, whose variances are those of the forecast, and its mean over paths is set to the mean of the units.

    The mean is factor times the mean of the paths, in expectation over seeds. With one seed a larger factor never gives fewer units on any path and day, and factor 1 gives the
    forecast back: profits at several prices have common random numbers. Series whose samples aren't whole numbers are multiplied.

    Args:
        forecast: paths at today's prices.
        factor: one number, (series,), or (series, days), from 0 up: `PriceResponse.factor`.
        seed: of the units that go or come.

    Raises:
        ParameterError: a factor isn't a number from 0 up, or there isn't one per series or per series and day.

    Cost: one pass over the samples, and one step per unit.

    >>> from datetime import date
    >>> today = Forecast(np.random.default_rng(0).poisson(3.0, (1, 5000, 7)).astype(np.float32), date(2027, 1, 1))
    >>> [round(float(repriced(today, f).samples.mean()), 1) for f in (0.5, 1, 2)]
    [1.5, 3.0, 6.0]
    """
    return Rates.of(forecast, seed).at(factor)


@final
@dataclass(frozen=True, eq=False)
class Rates:
    """A forecast with the rate of each path and day, which is what several prices share.

    Args:
        forecast: at factor 1.
        whole: (series,) whether the samples are whole numbers.
        rate: (series, paths, days) expected units.
        seed: of units that go or come.
    """

    forecast: Forecast
    whole: Bool
    rate: Float64
    seed: int

    @classmethod
    def of(cls, forecast: Forecast, seed: int) -> Rates:
        samples = forecast.samples.astype(np.float64)
        whole = (samples == np.floor(samples)).all(axis=(1, 2))
        paths, days = _spreads(samples)
        rng = np.random.default_rng(seed)
        mean = samples.mean(axis=1, keepdims=True)
        total = mean.sum(axis=2)  # (series, 1)
        noise = 1 + np.divide(
            days[:, None] * (mean[:, 0] ** 2).sum(axis=1, keepdims=True), total, out=np.zeros_like(total), where=total > 0
        )
        good = _posterior(rng, paths, samples.sum(axis=2) / noise, total / noise)[:, :, None]
        rate = mean * good
        rate = rate * _posterior(rng, days, samples, rate)
        off = rate.mean(axis=1, keepdims=True)
        return cls(forecast, whole, rate * np.divide(mean, off, out=np.zeros_like(mean), where=off > 0), seed)

    def at(self, factor: ArrayLike) -> Forecast:
        """The forecast at a factor: see `repriced`."""
        series, _, days = self.forecast.samples.shape
        given = np.asarray(factor, np.float64)
        if given.shape not in ((), (series,), (series, days)):
            raise ParameterError(
                f"A factor of demand is one number, one per series ({series:,}), or (series, days). Got the shape {given.shape}.",
                parameter="factor",
            )
        if not (np.isfinite(given) & (given >= 0)).all():
            raise ParameterError(
                f"A factor of demand is a number from 0 up. Got {given[~(np.isfinite(given) & (given >= 0))].flat[0]:g}.",
                parameter="factor",
            )
        per_day = np.ascontiguousarray(np.broadcast_to(given[:, None] if given.ndim == 1 else given, (series, days)))
        out = np.empty_like(self.forecast.samples)
        _units(series, self.forecast.samples, self.rate, self.whole, per_day, np.uint64(self.seed % 2**64), out)
        note = (
            ()
            if self.whole.all()
            else (f"{(~self.whole).sum():,} series have samples that aren't whole numbers: at other prices they are multiplied.",)
        )
        return replace(self.forecast, samples=out, seed=self.seed, notes=(*self.forecast.notes, *note))


def _spreads(samples: Float64) -> tuple[Float64, Float64]:
    """(series,) variances of the mixing of whole paths and of single days, relative to the mean.

    Var(day) = m + (a + b) m^2 and Var(total) = M + a M^2 + b sum m^2, of which a is that of paths and b that of days.
    """
    mean, variance = samples.mean(axis=1), samples.var(axis=1)
    squares, total = (mean**2).sum(axis=1), mean.sum(axis=1)
    both = np.divide((variance - mean).sum(axis=1), squares, out=np.zeros_like(squares), where=squares > 0).clip(0)
    pairs = total**2 - squares
    over = samples.sum(axis=2).var(axis=1) - total - both * squares
    paths = np.divide(over, pairs, out=np.full_like(pairs, np.inf), where=pairs > 1e-9 * squares)
    paths = np.clip(paths, 0.0, both)
    return paths, both - paths


def _posterior(rng: np.random.Generator, spread: Float64, units: Float64, mean: Float64) -> Float64:
    """How good a path, or a day, was: a draw from gamma(1 / spread + units, 1 / spread + mean); 1 where nothing mixes."""
    shape = (-1,) + (1,) * (units.ndim - 1)
    mixes = np.broadcast_to((spread > 1e-9).reshape(shape), units.shape)
    prior = 1 / np.where(spread > 1e-9, spread, 1.0).reshape(shape)
    return np.where(mixes, rng.standard_gamma(prior + units) / (prior + mean), 1.0)


@kernel
def _uniform(state):  # pragma: no cover
    """A number in (0, 1) of 64 bits, by splitmix64 ([Steele, Lea and Flood 2014](https://doi.org/10.1145/2660193.2660195))."""
    z = state + np.uint64(GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(MIX)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(MORE)
    z = z ^ (z >> np.uint64(31))
    return (np.float64(z >> np.uint64(11)) + 0.5) / 9007199254740992.0


@kernel
def _poisson(mean, u):  # pragma: no cover
    """The count that a Poisson variable reaches with the chance u: for one u it never falls when the mean rises."""
    chance = np.exp(-mean)
    reached, count = chance, 0
    while reached < u and count < 2000:
        count += 1
        chance *= mean / count
        reached += chance
    return count


@Spread
def _units(first, last, samples, rate, whole, factor, seed, out):  # pragma: no cover
    _, paths, days = samples.shape
    for series in range(first, last):
        for path in range(paths):
            for day in range(days):
                f, units = factor[series, day], samples[series, path, day]
                if f == 1.0 or not whole[series]:
                    out[series, path, day] = f * units
                    continue
                cell = np.uint64((series * paths + path) * days + day)
                state = (cell + np.uint64(1)) * np.uint64(MIX) ^ (seed + np.uint64(1)) * np.uint64(MORE)
                if f < 1.0:
                    kept = 0
                    for unit in range(int(units)):
                        kept += _uniform(state + np.uint64(unit + 1) * np.uint64(GOLDEN)) < f
                    out[series, path, day] = kept
                    continue
                more, left, chunk = 0, (f - 1.0) * rate[series, path, day], 0
                while left > 0:
                    u = _uniform(state - np.uint64(chunk + 1) * np.uint64(GOLDEN))
                    more += _poisson(min(left, CHUNK), u)
                    left -= CHUNK
                    chunk += 1
                out[series, path, day] = units + more
