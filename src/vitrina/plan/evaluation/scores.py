"""How far a forecast was off, per series: errors, quantiles, and where in the forecast the days fell."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil

import numpy as np

from vitrina.plan.demand.demand import SEEN, SOLD_OUT, Demand
from vitrina.plan.demand.steps import share_of_step, step_of
from vitrina.plan.evaluation.scales import Known
from vitrina.types import Bool, Float32, Float64

LEVELS = (0.005, 0.025, 0.165, 0.25, 0.5, 0.75, 0.835, 0.975, 0.995)  # of the M5 competition on uncertainty
BINS = 20  # of the histogram of where days fall
BLOCK = 1 << 22  # samples that are sorted at once: some 100 MB with what is made of them


@dataclass(frozen=True, eq=False)
class Scores:
    """Of one forecast, or of several one after another; all (series,), sums over the days that count.

    Args:
        days: seen days.
        rmsse: root mean squared error of the mean of the paths over the scale; NaN without a seen day or a scale.
        pinball: mean over levels and days of the pinball loss over the scale; NaN likewise.
        inside: days inside the interval, each counted with the share of its step of the distribution function that is.
        closed: days from the lower to the upper quantile, both ends included.
        total_inside: the same for the sum over seen days: 0 to 1; NaN without a seen day.
        total_closed: likewise.
        units: sum of demand.
        expected: sum of the mean of the paths.
        relative: sum over days with a sale of the absolute error over the demand.
        selling: days with a sale.
        sold_out: days that ended sold out.
        beyond: of them, those whose sales are above the upper quantile.
        histogram: (series, bins) seen days by where they fell.
    """

    days: Float64
    rmsse: Float64
    pinball: Float64
    inside: Float64
    closed: Float64
    total_inside: Float64
    total_closed: Float64
    units: Float64
    expected: Float64
    relative: Float64
    selling: Float64
    sold_out: Float64
    beyond: Float64
    histogram: Float64

    @classmethod
    def joined(cls, parts: list[Scores]) -> Scores:
        """One after another."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))

    def select(self, series: np.ndarray) -> Scores:
        """These series, in this order."""
        return Scores(*(getattr(self, one.name)[series] for one in fields(self)))


def scores_of(samples: Float32, truth: Demand, known: Known, share: float = 0.9, levels: tuple[float, ...] = LEVELS) -> Scores:
    """Judge (series, paths, days) samples by what came true; `share` is that of the interval. In blocks of series."""
    each = max(1, BLOCK // (samples.shape[1] * samples.shape[2]))
    parts = []
    for first in range(0, len(samples), each):
        rows = slice(first, first + each)
        scale = known.squared[rows], known.absolute[rows]
        parts.append(_block(samples[rows], truth.units[rows].astype(np.float64), truth.state[rows], scale, share, levels))
    return Scores.joined(parts)


def _block(
    samples: Float32, units: Float64, state: np.ndarray, scale: tuple[Float64, Float64], share: float, levels: tuple[float, ...]
) -> Scores:
    seen = state == SEEN
    days = seen.sum(axis=1).astype(np.float64)
    ordered = np.sort(np.swapaxes(samples, 1, 2), axis=2)  # (series, days, paths)
    point = samples.mean(axis=1, dtype=np.float64)
    ends = (1 - share) / 2, (1 + share) / 2
    low, high = (_quantile(ordered, level) for level in ends)
    step = step_of(ordered, units)
    total = np.sort(np.einsum("spd,sd->sp", samples, seen.astype(np.float32)), axis=1)[:, None]  # (series, 1, paths)
    sold = np.where(seen, units, 0.0).sum(axis=1)
    of_total = share_of_step(*step_of(total, sold[:, None]), *ends)[:, 0]
    total_closed = ((sold >= _quantile(total, ends[0])[:, 0]) & (sold <= _quantile(total, ends[1])[:, 0])).astype(np.float64)
    selling, out = seen & (units > 0), state == SOLD_OUT
    nothing = days == 0
    return Scores(
        days, np.sqrt(_mean((units - point) ** 2, seen) / scale[0]), _mean(_pinball(ordered, units, levels), seen) / scale[1],
        _sum(share_of_step(*step, *ends), seen), _sum((units >= low) & (units <= high), seen),
        np.where(nothing, np.nan, of_total), np.where(nothing, np.nan, total_closed), sold, _sum(point, seen),
        _sum(np.abs(units - point) / np.maximum(units, 1e-12), selling), selling.sum(axis=1).astype(np.float64),
        out.sum(axis=1).astype(np.float64), _sum(units > high, out), _histogram(*step, seen),
    )  # fmt: skip


def _histogram(low: Float64, high: Float64, seen: Bool) -> Float64:
    """(series, bins) seen days, each spread over the bins as its step is."""
    edges = np.linspace(0, 1, BINS + 1)
    out = np.empty((len(seen), BINS))
    for i in range(BINS):
        out[:, i] = _sum(share_of_step(low, high, edges[i], edges[i + 1]), seen)
    return out


def _pinball(ordered: Float32, units: Float64, levels: tuple[float, ...]) -> Float64:
    """(series, days) mean over the levels."""
    out = np.zeros(units.shape)
    for level in levels:
        off = units - _quantile(ordered, level)
        out += np.maximum(level * off, (level - 1) * off)
    return out / len(levels)


def _quantile(ordered: Float32 | Float64, level: float) -> Float64:
    """The smallest sample that is reached with the chance `level`, as `Forecast.quantile` has it."""
    paths = ordered.shape[-1]
    return ordered[..., max(ceil(level * paths - 1e-9), 1) - 1].astype(np.float64)


def _sum(values: np.ndarray, seen: Bool) -> Float64:
    return np.where(seen, values, 0.0).sum(axis=1).astype(np.float64)


def _mean(values: Float64, seen: Bool) -> Float64:
    """(series,) over the seen days; NaN without one."""
    days = seen.sum(axis=1)
    return np.divide(_sum(values, seen), days, out=np.full(len(days), np.nan), where=days > 0)
