"""The doubt of a seed: how far the mean over a few fits may be from that over all seeds, beside the doubt of people."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from vitrina.evaluate.bootstrap import Buckets
from vitrina.types import Float64


def variance_of_fits(values: Float64, users: NDArray[Any], confidence: float = 0.95) -> float:
    """Further variance of the mean over `fits` fits that differ by their seed alone: what `more` of intervals and comparisons takes.

    The means of the fits spread by s^2. A part of it, w, is not the seeds' but the people's: where fits answer the same person
    differently, fewer people make the means of fits differ more. The error of the mean over fits has that part already, so

        more = (t / z)^2 max(s^2 - w, 0) / fits,   w = fits / (fits - 1) * mean of the variance of (fit - mean of fits) over people.

    s^2 of so few fits is itself in doubt, which t(fits - 1) in the place of z says: interval^2 = (z error of people)^2 + (t error of seeds)^2
    ([Howe 1974](https://doi.org/10.1080/01621459.1974.10480180)). Of two fits that is 42 times the variance, of three 5, of five 2.

    Args:
        values: (fits, queries) of one metric, NaN where a query says nothing.
        users: (queries,) codes.
        confidence: of the interval that it is for.

    Returns:
        A variance in the metric's unit squared; 0 for one fit, which says nothing of its seed.

    >>> import numpy as np
    >>> people = np.random.default_rng(0).random(100)
    >>> variance_of_fits(np.stack([people, people + 0.01, people + 0.02]), np.arange(100)) > 0.01**2 / 3
    True
    """
    fits = len(values)
    if fits < 2:
        return 0.0
    apart = [one - np.nanmean(values, axis=0) for one in values]
    of_people = fits / (fits - 1) * np.mean(Buckets.of(apart, users).jackknife().error ** 2)
    seeds = max(np.nanmean(values, axis=1).var(ddof=1) - of_people, 0.0) / fits
    return float(seeds * (stdtrit(fits - 1, (1 + confidence) / 2) / ndtri((1 + confidence) / 2)) ** 2)
