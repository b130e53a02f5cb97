"""A forecaster whose spread is mended by how its past forecasts came true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from pydantic import Field

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.plan.demand.demand import Demand
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.demand.protocols import DemandModel
from vitrina.plan.demand.steps import step_of
from vitrina.plan.forecasters.average import Average
from vitrina.types import Bool, Float32, Float64, Int64

BINS = 40
IDENTITY = 100.0  # series that say that nothing need be mended
BLOCK = 256


@final
class Recalibrated(Config):
    """Forecast from past days, see where in the forecasts the days that followed fell, and stretch the next forecast until they would fall evenly.

    G(u) is the share of past days at or below the quantile u of their forecast ([Kuleshov, Fenner and Ermon 2018](https://arxiv.org/abs/1807.00263), for counts with the step of
    [Czado, Gneiting and Held 2009](https://doi.org/10.1111/j.1541-0420.2009.01191.x)). First the sums over the days, then the days: a path with the rank u among its series' gets the quantile of rank G^-1(u), so that paths
    keep their order, and their days what they share. G is made per class of volume, and counts 100 series that nothing need be mended for. Only days
    before the forecast are read.

    Args:
        forecaster: a config.
        origins: past days from which it forecasts, at most.
        days: columns of the past forecasts, and from one origin to the next.
        classes: of volume, with series in equal numbers.
        paths: of the past forecasts.
        seed: of the past forecasts.

    Raises:
        ParameterError: there are fewer than twice `days` columns.

    Cost: that of the forecaster, `origins` + 1 times.
    """

    forecaster: Any = Average()
    origins: int = Field(default=3, ge=1)
    days: int = Field(default=28, ge=1)
    classes: int = Field(default=4, ge=1)
    paths: int = Field(default=200, ge=20)
    seed: int = 0

    def fit(self, demand: Demand) -> RecalibratedModel:
        """Fit on past days, and on all."""
        starts = [start for i in range(1, self.origins + 1) if (start := demand.days - i * self.days) >= self.days]
        if not starts:
            raise ParameterError(
                f"Recalibrated needs twice its days of history: {2 * self.days}. Got {demand.days}. Give a smaller days=, or use the forecaster alone."
            )
        past = [_Past.of(self, demand, start) for start in starts]
        totals = _maps([one.of_totals() for one in past], self.classes)
        past = [replace(one, samples=stretched(one.samples, totals[one.kind], one.whole, self.seed)) for one in past]
        days = _maps([one.of_days() for one in past], self.classes)
        return RecalibratedModel(self.forecaster.fit(demand), _kinds(demand, self.classes), totals, days, _whole(demand))


@final
@dataclass(frozen=True, eq=False)
class _Past:
    """A forecast from a past day, and what followed."""

    samples: Float32
    units: Float64
    seen: Bool
    kind: Int64
    whole: bool

    @classmethod
    def of(cls, config: Recalibrated, demand: Demand, start: int) -> _Past:
        before, after = demand.between(0, start), demand.between(start, start + config.days)
        forecast = config.forecaster.fit(before).forecast(config.days, paths=config.paths, seed=config.seed + start)
        alive = np.any(before.seen, axis=1, keepdims=True)
        return cls(forecast.samples, after.units.astype(np.float64), after.seen & alive, _kinds(before, config.classes), _whole(demand))

    def of_totals(self) -> tuple[Float64, Float64, Float64, Int64]:
        """Steps of sums over the seen days, what they count, and classes."""
        total = np.sort(np.einsum("spd,sd->sp", self.samples, self.seen.astype(np.float32)), axis=1)
        low, high = step_of(total, np.asarray(np.where(self.seen, self.units, 0).sum(axis=1), np.float64))
        return low, high, np.any(self.seen, axis=1, keepdims=True)[:, 0].astype(np.float64), self.kind

    def of_days(self) -> tuple[Float64, Float64, Float64, Int64]:
        """Steps of days, each of which counts as one of the series' days."""
        low, high = step_of(np.sort(self.samples.swapaxes(1, 2), axis=2), self.units)
        count = self.seen / np.maximum(self.seen.sum(axis=1), 1)[:, None]
        return low.ravel(), high.ravel(), count.ravel(), np.repeat(self.kind, self.units.shape[1])


def _maps(parts: list[tuple[Float64, Float64, Float64, Int64]], classes: int) -> Float64:
    """(classes, bins + 1) G at even places."""
    low, high, count, kind = (np.concatenate(each) for each in zip(*parts, strict=True))
    edges = np.linspace(0, 1, BINS + 1)
    out = np.empty((classes, BINS + 1))
    for k in range(classes):
        own = kind == k
        at, to, weight = low[own], high[own], count[own]
        below = [(weight * np.clip((edge - at) / (to - at), 0, 1)).sum() for edge in edges]
        out[k] = (np.array(below) + IDENTITY * edges) / (weight.sum() + IDENTITY)
    return out


def _kinds(demand: Demand, classes: int) -> Int64:
    """(series,) class of volume over the last quarter."""
    recent = demand.between(max(0, demand.days - 91), demand.days)
    rank = np.argsort(np.argsort(np.where(recent.seen, recent.units, 0).sum(axis=1), kind="stable"), kind="stable")
    return rank * classes // len(demand)


def _whole(demand: Demand) -> bool:
    return bool((demand.units == np.rint(demand.units)).all())


def mended(maps: Float64, ranks: Float64) -> Float64:
    """(series, ranks) G^-1 of even ranks."""
    edges = np.linspace(0, 1, maps.shape[1])
    kinds, place = np.unique(maps, axis=0, return_inverse=True)
    return np.stack([np.interp(ranks, one, edges) for one in kinds])[place.ravel()]


def remapped(values: Float32, maps: Float64) -> Float32:
    """(series, paths, ...) along paths: each value becomes the quantile whose rank is G^-1 of its own."""
    paths = values.shape[1]
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    at = mended(maps, (np.arange(paths) + 0.5) / paths) * paths - 0.5
    shape = (len(values), paths) + (1,) * (values.ndim - 2)
    low = np.clip(np.floor(at), 0, paths - 1).astype(np.int64).reshape(shape)
    part = np.clip(at, 0, paths - 1).reshape(shape) - low
    new = (1 - part) * np.take_along_axis(ordered, low, axis=1) + part * np.take_along_axis(ordered, np.minimum(low + 1, paths - 1), axis=1)
    out = np.empty_like(values)
    np.put_along_axis(out, order, new.astype(values.dtype), axis=1)
    return out


def stretched(samples: Float32, maps: Float64, whole: bool, seed: int) -> Float32:
    """Paths whose sums are mended, days in proportion."""
    out = np.empty_like(samples)
    rng = np.random.default_rng(seed)
    for first in range(0, len(samples), BLOCK):
        rows = slice(first, first + BLOCK)
        total = samples[rows].sum(axis=2)
        factor = np.divide(remapped(total, maps[rows]), total, out=np.ones_like(total), where=total > 0)
        out[rows] = rounded(samples[rows] * factor[:, :, None], rng) if whole else samples[rows] * factor[:, :, None]
    return out


def rounded(values: Float32, rng: np.random.Generator) -> Float32:
    """Whole numbers with the same expectation: up with the chance of the fraction."""
    return np.floor(values + rng.random(values.shape, np.float32))


@final
@dataclass(frozen=True, eq=False, repr=False)
class RecalibratedModel:
    """A fitted forecaster, and the maps of each class.

    Args:
        kind: (series,) class.
        totals, days: (classes, bins + 1) G of sums over days, and of days.
        whole: whether units are whole numbers.
    """

    model: DemandModel
    kind: Int64
    totals: Float64
    days: Float64
    whole: bool

    def forecast(self, days: int, *, paths: int = 200, seed: int = 0, prices: Float32 | None = None) -> Forecast:
        made = self.model.forecast(days, paths=paths, seed=seed, prices=prices)
        samples = stretched(made.samples, self.totals[self.kind], self.whole, seed)
        rng = np.random.default_rng([seed, 1])
        for first in range(0, len(samples), BLOCK):
            rows = slice(first, first + BLOCK)
            new = remapped(samples[rows], self.days[self.kind[rows]])
            samples[rows] = rounded(new, rng) if self.whole else new
        return replace(made, samples=samples)
