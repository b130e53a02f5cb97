"""The nearest values that rise ever less and then fall, and whether measured ones contradict that shape."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import nnls

from vitrina.types import Float64

DRAWS = 1000  # of straight lines with noise


class Concave(NamedTuple):
    """Values of a concave function.

    Args:
        values: (levels,) nearest to the measured ones, each weighed by 1 / error^2.
        p: the chance that values measured on a straight line are as far from concave as these.
    """

    values: Float64
    p: float


def concave_fit(levels: ArrayLike, values: ArrayLike, errors: ArrayLike, *, seed: int = 0) -> Concave:
    """Fit a concave function at levels by least squares: f(x) = a + b x - sum_j w_j max(x - x_j, 0) with w_j >= 0 at the inner levels.

    The straight line is the concave function that noise contradicts most often (Robertson, Wright and Dykstra 1988), so p is the share of lines with independent normal errors whose distance is as large. Errors that
    the values share move none of the bends and make p too large.

    Args:
        levels: (levels,) rising.
        values, errors: (levels,) measured, with their standard errors above 0.
        seed: of the draws.

    >>> fit = concave_fit([1, 2, 3, 4], [0.0, 3.0, 2.0, 2.5], [1.0, 1.0, 1.0, 1.0])
    >>> (fit.values.round(3) + 0).tolist()
    [0.0, 2.75, 2.5, 2.25]
    >>> fit.p > 0.2
    True
    """
    x, y, sd = (np.asarray(column, np.float64) for column in (levels, values, errors))
    bends = np.maximum(x[:, None] - x[1:-1], 0)
    line = np.stack([np.ones_like(x), x], axis=1)
    whole = np.concatenate([line, -line, -bends], axis=1)
    scaled = whole / sd[:, None]
    weights, distance = nnls(scaled, y / sd)
    free = np.linalg.qr(line / sd[:, None])[0]
    noise = np.random.default_rng(seed).standard_normal((DRAWS, len(x)))
    noise -= noise @ free @ free.T  # the line itself takes nothing away from the shape
    away = np.array([nnls(scaled, one)[1] for one in noise])
    return Concave(whole @ weights, float((away >= distance - 1e-9).mean()))
