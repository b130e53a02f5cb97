"""What an offline gain is worth online, where both were measured with error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import stdtrit

from vitrina.base.arrays import Float64

FEWEST = 5  # experiments below which no worth is said
Z = 1.959964  # half widths of 95% intervals, in errors
GRID = 33  # slopes at which the likelihood is looked at
WIDEST = 20.0  # times the spread online over the spread offline: beyond it an end of the interval isn't known


class Calibration(NamedTuple):
    """Of pairs of changes. None where it can't be said."""

    experiments: int
    agree: int
    correlation: float | None
    correlation_low: float | None
    correlation_high: float | None
    slope: float | None
    slope_low: float | None
    slope_high: float | None


def calibrated(offline: Float64, online: Float64) -> Calibration:
    """The worth of an offline change online, free of the dilution that errors of the offline change bring.

    The true offline changes are normal around their mean, the true online ones are slope times these, and something of each experiment's own, and both are measured with the
    errors of their intervals: (x, y) is normal with means (m, slope m), variances w^2 + sx^2 and slope^2 w^2 + t^2 + sy^2, and the covariance slope w^2
    ([Fuller 1987](https://doi.org/10.1002/9780470316665), a structural model without intercept: no change offline promises none online). The slope is that of the largest likelihood, its interval by the
    profile of it, with Student's t for the normal, as there are few experiments.

    Args:
        offline: (experiments, 3) change, low and high of 95% intervals.
        online: the same.

    Cost: a second at most.
    """
    (x, sx), (y, sy) = ((side[:, 0], (side[:, 2] - side[:, 1]) / (2 * Z)) for side in (offline, online))
    n, agree = len(x), int((np.sign(x) == np.sign(y)).sum())
    if n < FEWEST or x.std() == 0 or y.std() == 0:
        return Calibration(n, agree, *[None] * 6)
    correlation, low, high = _correlation(x, y)
    return Calibration(n, agree, correlation, low, high, *_slope(x, sx, y, sy))


def _correlation(x: Float64, y: Float64) -> tuple[float, float, float]:
    """Pearson's, with Fisher's interval."""
    found = float(np.clip(np.corrcoef(x, y)[0, 1], -0.999999, 0.999999))
    middle, half = np.arctanh(found), Z / np.sqrt(len(x) - 3)
    return found, float(np.tanh(middle - half)), float(np.tanh(middle + half))


def _slope(x: Float64, sx: Float64, y: Float64, sy: Float64) -> tuple[float | None, float | None, float | None]:
    """The slope and its interval; None for an end that the experiments leave open, and for all where they leave both."""
    unit_x, unit_y = np.sqrt(np.mean(x**2)), np.sqrt(np.mean(y**2))
    x, sx, y, sy = x / unit_x, sx / unit_x, y / unit_y, sy / unit_y
    slopes = np.sinh(np.linspace(-np.arcsinh(WIDEST), np.arcsinh(WIDEST), GRID))
    fits = np.array([_fitted(slope, x, sx, y, sy) for slope in slopes])
    best = int(fits.argmin())
    around = slopes[max(best - 1, 0)], slopes[min(best + 1, GRID - 1)]
    found = minimize_scalar(lambda slope: _fitted(slope, x, sx, y, sy), bounds=around, method="bounded", options={"xatol": 1e-4})
    limit = found.fun + float(stdtrit(len(x) - 2, 0.975)) ** 2
    within = np.flatnonzero(fits <= limit)
    first, last = (int(within[0]), int(within[-1])) if len(within) else (best, best)
    inside = [slopes[first], slopes[last]] if len(within) else [found.x, found.x]
    low = None if first == 0 else _crossing(slopes[first - 1], inside[0], limit, x, sx, y, sy)
    high = None if last == GRID - 1 else _crossing(slopes[last + 1], inside[1], limit, x, sx, y, sy)
    if low is None and high is None:
        return None, None, None
    scale = float(unit_y / unit_x)
    return float(found.x) * scale, None if low is None else low * scale, None if high is None else high * scale


def _crossing(outside: float, inside: float, limit: float, *pairs: Float64) -> float:
    """Where the likelihood falls below the limit, between a slope outside and one inside."""
    for _ in range(10):
        middle = (outside + inside) / 2
        outside, inside = (outside, middle) if _fitted(middle, *pairs) <= limit else (middle, inside)
    return float(inside)


def _fitted(slope: float, x: Float64, sx: Float64, y: Float64, sy: Float64) -> float:
    """-2 log likelihood of the slope, with the best mean and spreads."""

    def misfit(spreads: Float64) -> float:
        true, own = np.exp(2 * spreads)
        xx, yy, xy = true + sx**2, slope**2 * true + own + sy**2, slope * true
        det = xx * yy - xy**2
        ends = (yy - slope * xy) / det, (slope * xx - xy) / det  # the inverse of the covariance times (1, slope)
        mean = (ends[0] @ x + ends[1] @ y) / (ends[0] + slope * ends[1]).sum()
        dx, dy = x - mean, y - slope * mean
        return float((np.log(det) + (yy * dx**2 - 2 * xy * dx * dy + xx * dy**2) / det).sum())

    return float(minimize(misfit, np.log([0.5, 0.3]), method="L-BFGS-B", bounds=[(-8, 3), (-8, 3)]).fun)
