"""One critical value for many differences: what makes their intervals, their p and their power.

Difference j has a value, the error of its jackknife over people and the degrees of freedom of that error; t_j is their quotient. Draw b
of the multiplier bootstrap (`bootstrap.drawn`) says by how many errors each would be off if all models were equal, z_bj, with the
correlation that people show; every draw has one doubt of the errors, s_b^2 ~ chi^2(f) / f with the median f of the freedoms. The
quantile c of the largest |z_bj| / s_b is the critical value of the multivariate t distribution: with equal correlations Dunnett's
and Tukey's, with people's own those of [Hothorn, Bretz and Westfall 2008](https://doi.org/10.1002/bimj.200810425). It asks for less than Bonferroni
because it knows how models move together, and with one comparison it is Student's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from vitrina.base.power import FEWEST_PEOPLE, POWER
from vitrina.evaluate.bootstrap import Bootstrap, Jackknife, drawn
from vitrina.evaluate.people import OwnDifferences
from vitrina.types import Float64

FEWEST_DIFFER = 10  # of them, whose difference isn't zero
ENUMERATED = 20  # people who differ, below whom the signs are flipped in all ways
NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Difference:
    """One model's mean minus another's over the queries where both have a value.

    Args:
        value: the difference; NaN where no query has both.
        error: its standard error; NaN where fewer than two people have both.
        freedom: degrees of freedom of the error.
        people: who have a value for both.
        differ: of them, whose difference isn't zero on every query.
        exact: what no p may be below: that of flipping the signs of the few people who differ; 0 where many do.
    """

    value: float
    error: float
    freedom: float
    people: int
    differ: int
    exact: float = 0.0

    @property
    def enough(self) -> bool:
        """Whether so many people differ that a verdict may be given."""
        return self.people >= FEWEST_PEOPLE and self.differ >= FEWEST_DIFFER

    @property
    def turned(self) -> Difference:
        """The second model's mean minus the first's."""
        return replace(self, value=-self.value)

    @property
    def t(self) -> float:
        """By how many errors it is off zero."""
        return abs(self.value) / self.error if self.error > 0 else (np.inf if self.value else 0.0)

    @property
    def p(self) -> float:
        """Two-sided, of this comparison alone."""
        return max(_beyond(self.t, self.freedom), self.exact) if self.error >= 0 else NAN


def differences_of(own: Sequence[OwnDifferences], values: Float64, jackknife: Jackknife, noise: Sequence[float]) -> list[Difference]:
    """Differences with their values and errors, to which `noise`, further variance, is added."""
    found = []
    for i, one in enumerate(own):
        error = float(np.sqrt(jackknife.error[i] ** 2 + noise[i]))
        exact = exact_of(one.sums, one.differ)
        found.append(Difference(float(values[i]), error, float(jackknife.freedom[i]), one.people, one.differ, exact))
    return found


@dataclass(frozen=True, eq=False)
class Correction:
    """What many comparisons together ask of each.

    Args:
        largest: (draws,) the largest |z| of each draw over its doubt, sorted.
        count: of the comparisons.
        freedom: of that doubt.
        confidence: of all verdicts together.
        together: c; but a comparison is asked for no less than it would ask of itself.
    """

    largest: Float64
    count: int
    freedom: float
    confidence: float
    together: float

    @classmethod
    def of(cls, found: Sequence[Difference], parts: Float64, bootstrap: Bootstrap) -> Correction:
        """Over the differences of which there is enough; `parts` (people, differences) are those of their jackknives."""
        counted = [i for i, one in enumerate(found) if one.enough]
        return cls.over([found[i] for i in counted], largest_of(drawn(parts[:, counted], bootstrap), parts[:, counted]), bootstrap)

    @classmethod
    def over(cls, counted: Sequence[Difference], largest: Float64, bootstrap: Bootstrap) -> Correction:
        """Over comparisons whose largest |z| (draws,) is known."""
        freedom = float(np.median([one.freedom for one in counted])) if counted else 1.0
        doubt = np.random.default_rng([bootstrap.seed, 1]).chisquare(freedom, len(largest)) / freedom
        largest = np.sort(largest / np.sqrt(doubt))
        alpha, count = 1 - bootstrap.confidence, max(len(counted), 1)
        bonferroni = float(stdtrit(freedom, 1 - alpha / (2 * count)))
        reached = float(largest[-int(alpha * (1 + len(largest)) + 1e-6)])
        return cls(largest, count, freedom, bootstrap.confidence, min(reached, bonferroni) if count > 1 else bonferroni)

    @property
    def alpha(self) -> float:
        """What p_adjusted is held against."""
        return 1 - self.confidence

    def critical(self, one: Difference) -> float:
        """What t is held against."""
        return max(self.together, float(stdtrit(one.freedom, 1 - self.alpha / 2)))

    def p(self, one: Difference) -> float:
        """p_adjusted: the share of draws in which some comparison is off by as much, or Bonferroni's bound where that is smaller."""
        if not one.enough:
            return NAN
        share = 1 - np.searchsorted(self.largest, one.t) / (1 + len(self.largest)) if self.count > 1 else 1.0
        return max(min(float(share), self.count * _beyond(one.t, self.freedom)), one.p)

    def interval(self, one: Difference) -> tuple[float, float]:
        """The ends; they hold zero where only the exact test says that nothing was seen."""
        if not one.enough:
            return NAN, NAN
        reach = self.critical(one) * one.error
        if self.p(one) > self.alpha:
            reach = max(reach, abs(one.value))
        return one.value - reach, one.value + reach

    def detectable(self, one: Difference) -> float:
        """The difference that would have been seen in four runs of five; NaN where people leave no doubt, or there are too few."""
        return (self.critical(one) + float(ndtri(POWER))) * one.error if one.enough and one.error > 0 else NAN


def largest_of(sums: Float64, parts: Float64) -> Float64:
    """(draws,) the largest |z| of the sums (draws, differences) of `parts` (people, differences); one without doubt is never off."""
    size = np.sqrt((parts**2).sum(axis=0))
    return np.divide(np.abs(sums), size, out=np.zeros_like(sums), where=size > 0).max(axis=1, initial=0.0)


def exact_of(sums: Float64, differ: int) -> float:
    """What no p may be below: that of the exact test where few people differ, else 0."""
    return sign_flip(sums) if differ < ENUMERATED else 0.0


def sign_flip(sums: Float64) -> float:
    """The share of all ways to flip the signs of `sums` (people,) whose total is at least as far from zero: an exact test of symmetry.

    >>> sign_flip(np.array([1.0, 1.0, 0.0, 1.0, 1.0]))
    0.125
    """
    totals = np.zeros(1)
    for size in np.abs(sums[sums != 0]):
        totals = np.concatenate([totals + size, totals - size])
    return float((np.abs(totals) >= abs(sums.sum()) * (1 - 1e-9)).mean())


def _beyond(t: float, freedom: float) -> float:
    """The share of Student's t beyond both ends."""
    return float(2 * stdtr(freedom, -t)) if np.isfinite(t) else 0.0
