"""The level of a series of counts, day by day: a gamma distribution that forgets, and reads sold-out days as "at least that"."""

from __future__ import annotations

import math

import numpy as np

from vitrina.base.kernels import Spread, kernel

LONG, SOLD = 0.5, 2  # days of prior experience of a level; the state of a day that ended sold out
LEAST = 1e-9  # below it a chance, or a mean, is none


@kernel
def log_chance(units, mean, excess):
    """log P(Y = units) without the factorial of the units, Y negative binomial with variance mean + excess mean^2; Poisson at excess 0."""
    if mean <= LEAST:
        return 0.0 if units == 0 else units * math.log(LEAST)
    if excess < 1e-6:
        return units * math.log(mean) - mean
    size = 1 / excess
    out = -size * math.log1p(excess * mean)
    if units > 0:
        out += math.lgamma(units + size) - math.lgamma(size) + units * math.log(excess * mean / (1 + excess * mean))
    return out


@kernel
def tail(least, mean, excess):
    """P(Y >= least), and the mean and the variance of Y given that: what a sold-out day says. Sums what is below, so it costs `least` steps."""
    below, first, second = 0.0, 0.0, 0.0
    chance = math.exp(log_chance(0.0, mean, excess))
    ratio, size = (excess * mean / (1 + excess * mean), 1 / excess) if excess >= 1e-6 else (mean, 0.0)
    for units in range(math.ceil(least)):
        below += chance
        first += chance * units
        second += chance * units * units
        chance *= ratio * (units + size if excess >= 1e-6 else 1.0) / (units + 1)
    above = 1 - below
    if above < 1e-7:  # it was all but impossible: the sales themselves are the best guess
        return LEAST, max(least, mean), max(least, mean)
    given = max((mean - first) / above, least)
    square = (mean + (1 + excess) * mean * mean - second) / above
    return above, given, max(square - given * given, 0.0)


@kernel
def updated(shape, rate, units, state, scale, weight):
    """The level after a day: Gamma(shape + w y, rate + w s); after a sold-out one the gamma of the same mean and variance as the mixture over Y >= y."""
    if state != SOLD:
        return shape + weight * units, rate + weight * scale
    mean = shape / rate * scale
    _, given, variance = tail(units, mean, (mean / weight + mean * mean / shape - mean) / (mean * mean))
    after = rate + weight * scale
    level = (shape + weight * given) / after
    spread = level / after + variance * (weight / after) ** 2
    return level * level / spread, level / spread


@Spread
def run_filter(first, last, units, state, scale, start, kept, share, excess, long_kept, lag, warm, begin, end, score, expected, filled):
    """Levels after the last day, and how well each day was foretold `lag` days before.

    Per day: (a, b) <- d (a, b) + rho (A / B, 1), where A / B is the same level with a longer memory, then w (y, s) is added. With rho 0 and w 1 it is the filter of Harvey
    and Fernandes. w = 1 / (1 + excess mean s) is what a day says beside one of a Poisson distribution; it is made of the mean of all days, not of the
    level, since a weight that falls with the level forgets low days first, and the level comes out too high.

    Args:
        units, state, scale: (series, days); a day with scale 0 says nothing.
        start: (series,) the mean of the first level, which counts half a day.
        kept, share, excess: (series,) d, rho and the dispersion.
        long_kept: d of the longer memory.
        lag: days ahead for which the score is.
        warm: known days before which nothing is scored.
        begin: the first day that is scored.
        end: (series, 4) out: shape and rate of the level, shape and rate of the long one.
        score: (series,) out: sum of logarithms of chances.
        expected: (series, days) out: means one day ahead; not written where it has one row.
        filled: (series, days) out: units, and what is expected of sold-out days; not written where it has one row.
    """
    days = units.shape[1]
    shapes, rates = np.zeros(lag + 1), np.zeros(lag + 1)
    for row in range(first, last):
        d, rho = kept[row], share[row]
        far = d**lag
        gained = rho * (1 - far) / (1 - d)
        long_shape, long_rate = LONG, LONG / start[row]
        shape, rate = long_shape, long_rate
        total, known = 0.0, 0
        for day in range(days):
            s, y, seen = scale[row, day], units[row, day], state[row, day]
            usual = long_shape / long_rate
            shape, rate = d * shape + rho * usual, d * rate + rho
            mean = shape / rate * s
            if len(expected) > 1:
                expected[row, day] = mean
            if seen != 0 and s > 0:
                if known >= warm and day >= max(begin, lag):
                    at = (day - lag) % (lag + 1)
                    a, b = far * shapes[at] + gained * usual, far * rates[at] + gained
                    if seen == SOLD:
                        total += math.log(max(tail(y, a / b * s, excess[row] + 1 / a)[0], LEAST))
                    else:
                        total += log_chance(y, a / b * s, excess[row] + 1 / a)
                weight = 1 / (1 + excess[row] * start[row] * s)
                if len(filled) > 1:
                    filled[row, day] = y if seen != SOLD else tail(y, mean, excess[row] + 1 / shape)[1]
                shape, rate = updated(shape, rate, y, seen, s, weight)
                long_shape, long_rate = updated(long_kept * long_shape, long_kept * long_rate, y, seen, s, weight)
                known += 1
            shapes[day % (lag + 1)], rates[day % (lag + 1)] = shape, rate
        end[row, 0], end[row, 1], end[row, 2], end[row, 3] = shape, rate, long_shape, long_rate
        score[row] = total


@Spread
def score_excess(first, last, units, state, expected, grid, weight, out):
    """(series, grid) logarithms of the chances of the days under each dispersion, weighted per day."""
    for row in range(first, last):
        for day in range(units.shape[1]):
            if state[row, day] != 0 and expected[row, day] > 0:
                for i in range(len(grid)):
                    if state[row, day] == SOLD:
                        out[row, i] += weight[day] * math.log(max(tail(units[row, day], expected[row, day], grid[i])[0], LEAST))
                    else:
                        out[row, i] += weight[day] * log_chance(units[row, day], expected[row, day], grid[i])
