"""Many noisy numbers of one kind, each drawn towards the others by as much as its noise and their spread say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vitrina.types import Float64

SPREADS = 60  # of a grid on which the spread between the true values is weighed
AVOID = 0.5  # power of the spread in its prior: a flat one puts too much on 0, and 90% intervals held 86% where the spread is about as large as the errors
WIDEST = 2.0  # scale of the prior of that spread, which matters only where a handful of items speak


class Shrunk(NamedTuple):
    """What is known of each true value after the others were heard.

    Args:
        mean: (values,) of each.
        error: (values,) standard deviations, with the doubt about centre and spread in them.
        centre: of all true values.
        centre_error: of the centre.
        spread: the standard deviation between true values, as expected.
    """

    mean: Float64
    error: Float64
    centre: float
    centre_error: float
    spread: float


def shrunk(
    values: Float64, errors: Float64, centre: float = 0.0, width: float = 10.0, spread: float = WIDEST, avoid: float = AVOID
) -> Shrunk:
    """Estimates b_i = t_i + noise of the standard deviation s_i, true values t_i from a normal of unknown centre m and spread tau, m from N(centre, width^2).

    For each tau of a grid m and t are known in closed form ([Gelman et al. 2013](http://www.stat.columbia.edu/~gelman/book/), 5.4): with B_i = s_i^2 / (s_i^2 + tau^2)
    and V = 1 / (1 / width^2 + sum_i 1 / (s_i^2 + tau^2)), the mean of t_i is b_i + B_i (m - b_i) and its variance s_i^2 (1 - B_i) + B_i^2 V. The grid is weighed by the
    chance of the estimates and a prior of tau, tau^avoid times a half-normal, which keeps off 0 ([Chung et al. 2013](https://doi.org/10.1007/s11336-013-9328-2)); so the doubt about tau is in the errors: a
    plugged-in tau of 0 would make all values alike and certain.

    Args:
        values: (values,) estimates.
        errors: (values,) standard errors above 0; infinite where an estimate says nothing.
        centre, width: what is known of m beforehand.
        spread: scale of the half-normal of the prior of tau; infinite for none.
        avoid: power of tau in its prior.

    Cost: values times 60.

    >>> one = shrunk(np.array([-2.0, -2.0, -4.0]), np.array([0.1, 0.1, 2.0]))
    >>> one.mean.round(1).tolist(), bool(one.error[2] < 1.5)
    ([-2.0, -2.0, -2.5], True)
    """
    known = np.isfinite(errors) & np.isfinite(values)
    b, s2 = np.where(known, values, 0.0), np.where(known, errors, 1.0) ** 2
    typical = float(np.sqrt(np.median(s2[known]))) if known.any() else 1.0
    top = 5 * max(float(np.std(b[known])) if known.any() else 0.0, typical, min(spread, 10.0))
    taus = np.concatenate(
        [np.linspace(0, typical, SPREADS // 2, endpoint=False), np.geomspace(typical, max(top, 2 * typical), SPREADS // 2)]
    )
    heavy = known / (s2 + taus[:, None] ** 2)  # (taus, values)
    V = 1 / (1 / width**2 + heavy.sum(axis=1))
    m = V * (centre / width**2 + heavy @ b)
    off = ((b - m[:, None]) ** 2 * heavy).sum(axis=1) + (m - centre) ** 2 / width**2
    chance = 0.5 * (np.log(V) + np.log(np.where(known, heavy, 1.0)).sum(axis=1) - off) - 0.5 * (taus / spread) ** 2
    weight = np.exp(chance - chance.max()) * np.gradient(taus) * taus**avoid
    weight /= weight.sum()
    B = np.where(known, s2 * heavy, 1.0)
    means = b + B * (m[:, None] - b)
    variances = np.where(known, s2 * (1 - B), taus[:, None] ** 2) + B**2 * V[:, None]
    mean, middle = weight @ means, float(weight @ m)
    error = np.sqrt(weight @ (variances + (means - mean) ** 2))
    return Shrunk(mean, error, middle, float(np.sqrt(weight @ (V + (m - middle) ** 2))), float(weight @ taus))
