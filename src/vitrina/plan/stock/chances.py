"""Chances of demand in one period, for the closed forms: whole units, or a normal law."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self, final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, ndtr, ndtri, xlogy

from vitrina.base.errors import ParameterError
from vitrina.types import Float64, Int64

LEAST = 1e-18  # chances that are left out at the end of a law: together below what a float64 can add to 1
MOST = 10_000_000  # units of demand that a law may reach


@final
@dataclass(frozen=True, eq=False, repr=False)
class Discrete:
    """Demand of whole units: `chances[k]` is the chance of k units in a period.

    Args:
        chances: (units,) from 0 up, of sum 1.

    Raises:
        ParameterError: they are no chances.

    >>> Discrete.poisson(6.0), Discrete.of_samples([0, 0, 1, 3])
    (Discrete(mean 6, sd 2.449), Discrete(mean 1, sd 1.225))
    >>> round(Discrete.poisson(6.0).over(3).mean, 9)
    18.0
    """

    chances: Float64

    def __post_init__(self) -> None:
        chances = np.asarray(self.chances, np.float64)
        if chances.ndim != 1 or not len(chances) or not (chances >= 0).all() or abs(chances.sum() - 1) > 1e-9:
            raise ParameterError(
                f"The chances of 0, 1, 2 ... units are numbers from 0 up whose sum is 1. Got {np.array2string(chances, threshold=6)}."
            )
        object.__setattr__(self, "chances", chances)

    def __repr__(self) -> str:
        return f"Discrete(mean {self.mean:.4g}, sd {self.sd:.4g})"

    @classmethod
    def poisson(cls, mean: float) -> Self:
        """Buyers who come one by one, independently of each other."""
        _check_mean(mean)
        units = np.arange(_reach(mean, mean))
        return cls(_kept(np.exp(xlogy(units, mean) - mean - gammaln(units + 1))))

    @classmethod
    def negative_binomial(cls, mean: float, variance: float) -> Self:
        """Poisson demand whose mean varies as a gamma law does: variance above the mean."""
        _check_mean(mean)
        if not mean < variance < np.inf:
            raise ParameterError(
                f"The 'variance' of a negative binomial demand must be above its mean, {mean:g}; Discrete.poisson is the case where they are equal. "
                f"Got {variance:g}."
            )
        size, success = mean * mean / (variance - mean), mean / variance
        units = np.arange(_reach(mean, variance, 1 / -np.log1p(-success)))
        logs = gammaln(units + size) - gammaln(size) - gammaln(units + 1) + size * np.log(success) + units * np.log1p(-success)
        return cls(_kept(np.exp(logs)))

    @classmethod
    def of_samples(cls, samples: ArrayLike) -> Self:
        """What was seen, each time as likely as another. Whole units only: `newsvendor` takes others as they are."""
        seen = np.asarray(samples, np.float64).ravel()
        if not len(seen) or not (seen >= 0).all() or not (seen == np.round(seen)).all() or seen.max() > MOST:
            raise ParameterError(
                f"Samples of a discrete demand are whole numbers from 0 to {MOST:,}, one at least. Round them, or take returns off, first."
            )
        return cls(np.bincount(seen.astype(np.int64)) / len(seen))

    @classmethod
    def mixed(cls, laws: Sequence[Discrete], weights: ArrayLike | None = None) -> Self:
        """One of the laws, each with the chance of its weight, all alike by default: a lead time that varies."""
        shares = np.full(len(laws), 1 / len(laws)) if weights is None else np.asarray(weights, np.float64)
        chances = np.zeros(max(len(law.chances) for law in laws))
        for law, share in zip(laws, shares, strict=True):
            chances[: len(law.chances)] += share * law.chances
        return cls(chances)

    @property
    def mean(self) -> float:
        return float(self.chances @ np.arange(len(self.chances)))

    @property
    def sd(self) -> float:
        return float(np.sqrt(self.chances @ (np.arange(len(self.chances)) - self.mean) ** 2))

    def over(self, periods: int) -> Discrete:
        """The sum of so many independent periods; 0 periods want nothing."""
        total, power = Discrete(np.ones(1)), self
        while periods:
            if periods & 1:
                total = Discrete(_kept(np.convolve(total.chances, power.chances)))
            periods >>= 1
            power = Discrete(_kept(np.convolve(power.chances, power.chances))) if periods else power
        return total

    def quantile(self, level: float) -> int:
        """The least number of units that suffices with this chance."""
        return int(np.searchsorted(np.cumsum(self.chances), level * (1 - 1e-15)))

    def left_over(self, levels: Int64) -> Float64:
        """Expected units left of so many: E(level - demand)+, also for levels below 0, where nothing is."""
        within = np.cumsum(np.cumsum(self.chances))
        return np.where(levels <= 0, 0.0, within[np.clip(levels - 1, 0, len(within) - 1)] + np.maximum(levels - len(within), 0))


class Normal(NamedTuple):
    """Demand of any amount, normal. It may be below 0: take it where the mean is some standard deviations above it."""

    mean: float
    sd: float

    def quantile(self, level: float) -> float:
        """The amount that suffices with this chance."""
        return float(self.mean + self.sd * ndtri(level))

    def left_over(self, levels: Float64) -> Float64:
        """E(level - demand)+ = sd (z Phi(z) + phi(z)), z = (level - mean) / sd."""
        z = (levels - self.mean) / self.sd
        return self.sd * (z * ndtr(z) + np.exp(-z * z / 2) / np.sqrt(2 * np.pi))


def _check_mean(mean: float) -> None:
    if not 0 <= mean <= MOST:
        raise ParameterError(f"The 'mean' of a demand must be from 0 to {MOST:,} units. Got {mean!r}.", parameter="mean", value=mean)


def _reach(mean: float, variance: float, scale: float = 1.0) -> int:
    """Units beyond which nothing is left: ten standard deviations, and the slow end of a law of small counts."""
    return int(mean + 10 * np.sqrt(variance) + 60 * scale) + 1


def _kept(chances: Float64) -> Float64:
    """Without what is nothing at the end; of sum 1."""
    last = np.flatnonzero(chances > LEAST)[-1] + 1
    return chances[:last] / chances[:last].sum()
