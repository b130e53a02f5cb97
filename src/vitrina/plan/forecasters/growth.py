"""Growth per day of series of counts: a regression whose old days fade, shrunken to that of all series."""

from __future__ import annotations

import math

import numpy as np

from vitrina.base.kernels import Spread
from vitrina.types import Bool, Float32, Float64

STEPS = 12  # of Newton
FLAT = 1e-3  # standard deviation of the growth per day among series, at least: 3% in four weeks


def growth_of(units: Float32, known: Bool, scale: Float32, excess: Float64, half_life: float) -> tuple[Float64, Float64]:
    """(series,) growth of the logarithm of the level per day, and its standard error, shrunken to the series' common one.

    log mean = c + g (t - T) + log scale, by quasi-likelihood with weights 2^(-(T - t) / half_life) / (1 + excess mean of all days). The growths of series are taken for normal around
    their common one, with the variance that errors leave (DerSimonian and Laird 1986).
    """
    days = units.shape[1]
    weight = 0.5 ** ((days - 1 - np.arange(days)) / half_life)
    found = np.zeros((len(units), 3))
    regress(len(units), units, known, scale, excess, weight, found)
    slope, information = found[:, 1], found[:, 2]
    if not (information > 0).any():
        return np.zeros(len(units)), np.full(len(units), FLAT)
    centre = float((information * slope).sum() / information.sum())
    spare = (information * (slope - centre) ** 2).sum() - ((information > 0).sum() - 1)
    among = max(spare / (information.sum() - (information**2).sum() / information.sum() + 1e-300), FLAT**2)
    after = information + 1 / among
    return (information * slope + centre / among) / after, 1 / np.sqrt(after)


@Spread
def regress(first, last, units, known, scale, excess, weight, out):
    """(series, 3) out: level of the last day in logarithms, growth per day, and the information on the growth; 0 where nothing was sold."""
    days = units.shape[1]
    for row in range(first, last):
        sold, would = 0.0, 0.0
        for day in range(days):
            if known[row, day] and scale[row, day] > 0:
                sold += weight[day] * units[row, day]
                would += weight[day] * scale[row, day]
        if sold <= 0:
            continue
        level, growth = math.log(sold / would), 0.0
        base, i00, det = sold / would, 0.0, 0.0
        for _ in range(STEPS):
            s0, s1, i00, i01, i11 = 0.0, 0.0, 0.0, 0.0, 0.0
            for day in range(days):
                s = scale[row, day]
                if known[row, day] and s > 0:
                    t = day - (days - 1.0)
                    mean = s * math.exp(level + growth * t)
                    w = weight[day] / (1 + excess[row] * base * s)
                    off = w * (units[row, day] - mean)
                    s0 += off
                    s1 += off * t
                    i00 += w * mean
                    i01 += w * mean * t
                    i11 += w * mean * t * t
            det = i00 * i11 - i01 * i01
            if det <= 1e-12 * i00 * i11:
                break
            up, more = (i11 * s0 - i01 * s1) / det, (i00 * s1 - i01 * s0) / det
            short = min(1.0, 1.0 / max(abs(up), abs(more) * 56, 1e-12))
            level += short * up
            growth += short * more
            if abs(up) < 1e-9 and abs(more) < 1e-11:
                break
        out[row, 0], out[row, 1], out[row, 2] = level, growth, (det / i00 if i00 > 0 and det > 0 else 0.0)
