"""The doubt of a seed: how far the mean over a few fits may be from that over all seeds, beside the doubt of people."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from vitrina.evaluate.bootstrap import Buckets
from vitrina.types import Float64


class FitSpread(NamedTuple):
    """How far the fits of one model are apart on one metric.

    Args:
        fits: that differ by their seed alone; one says nothing of its seed.
        variance: of their means, with one less than their number; 0 for one fit.
        of_people: the part of it that is not the seeds' but the people's, who would be others another time.
    """

    fits: int
    variance: float = 0.0
    of_people: float = 0.0

    @property
    def own(self) -> float:
        """The seeds' part of the variance of one fit."""
        return max(self.variance - self.of_people, 0.0)


def spread_of_fits(values: Float64, users: NDArray[Any]) -> FitSpread:
    """The spread of fits (fits, queries) that differ by their seed; NaN where a query says nothing. `users` are (queries,) codes.

    The means of the fits spread by s^2. Where fits answer the same person differently, fewer people make them differ more: that part is

        w = fits / (fits - 1) * mean of the variance of (fit - mean of fits) over people.

    >>> people = np.random.default_rng(0).random(100)
    >>> spread = spread_of_fits(np.stack([people, people + 0.01, people + 0.02]), np.arange(100))
    >>> spread.fits, round(spread.own, 6)
    (3, 0.0001)
    """
    fits = len(values)
    if fits < 2:
        return FitSpread(fits)
    apart = [one - np.nanmean(values, axis=0) for one in values]
    of_people = fits / (fits - 1) * np.mean(Buckets.of(apart, users).jackknife().error ** 2)
    return FitSpread(fits, float(np.nanmean(values, axis=1).var(ddof=1)), float(of_people))


def variance_of_fits(values: Float64, users: NDArray[Any], confidence: float = 0.95) -> float:
    """Further variance of the mean over `fits` fits that differ by their seed alone: what `more` of intervals and comparisons takes.

    The means of the fits spread by s^2, of which w is the people's (`spread_of_fits`). The error of the mean over fits has that part already, so

        more = (t / z)^2 max(s^2 - w, 0) / fits.

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
    return doubt_of(spread_of_fits(values, users), confidence)


def doubt_of(spread: FitSpread, confidence: float) -> float:
    """The variance of `variance_of_fits`, of a spread that is known already."""
    if spread.fits < 2:
        return 0.0
    return spread.own / spread.fits * float(stdtrit(spread.fits - 1, (1 + confidence) / 2) / ndtri((1 + confidence) / 2)) ** 2
