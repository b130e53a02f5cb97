"""The difference of two arms from their moments: by tea-tasting for one look, and by the same formulas as arrays for many looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from vitrina.base.errors import MissingExtraError
from vitrina.experiments.moments import Moments
from vitrina.types import Float64

PARTS = ("numerator", "denominator", "covariate", "covariate_denominator")  # the order of the columns of moments
NAN = float("nan")
NEAR_ZERO = 100.0  # errors for each unit of the value; the logarithm of a quotient with more of them doesn't fit a number


class Effect(NamedTuple):
    """Treatment minus control, each adjusted by the covariate where there is one; NaN where there is no number."""

    control: float
    treatment: float
    difference: float
    error: float
    low: float
    high: float
    relative: float
    relative_low: float
    relative_high: float
    p: float

    def named(self) -> dict[str, float]:
        """By the names of columns."""
        return {
            "control_value" if name == "control" else "value" if name == "treatment" else name: value
            for name, value in self._asdict().items()
        }


def effect_of(names: Sequence[str], control: Moments, treatment: Moments, confidence: float) -> Effect:
    """What tea-tasting says of two arms: Welch's t of means or, with a denominator, of ratios by the delta method, with CUPED.

    Args:
        names: the columns of the moments, of `PARTS`.
        control, treatment: of one arm each.
        confidence: of the intervals.

    Raises:
        MissingExtraError: tea-tasting isn't installed.
    """
    looks = differences(names, control, treatment)
    error = float(np.sqrt(looks.variance))
    if not error > 0:
        old, new = float(looks.control), float(looks.treatment)
        return Effect(old, new, new - old, error, NAN, NAN, NAN, NAN, NAN, NAN)
    if not (looks.control > 0 and looks.treatment > 0 and error < NEAR_ZERO * min(looks.control, looks.treatment)):
        return _absolute(looks, np.array([control.counts, treatment.counts]), confidence)
    try:
        from tea_tasting import RatioOfMeans  # noqa: PLC0415  an extra
    except ImportError:
        raise MissingExtraError.of("tea-tasting", "experiments", "The analysis of an experiment") from None

    metric = RatioOfMeans(
        "numerator", *(part if part in names else None for part in PARTS[1:]),
        alternative="two-sided", confidence_level=confidence, equal_var=False, use_t=True,
    )  # fmt: skip
    found = metric.analyze_aggregates(aggregates(names, control), aggregates(names, treatment))
    return Effect(
        found.control, found.treatment, found.effect_size, error, found.effect_size_ci_lower, found.effect_size_ci_upper,
        found.rel_effect_size, found.rel_effect_size_ci_lower, found.rel_effect_size_ci_upper, found.pvalue,
    )  # fmt: skip


def aggregates(names: Sequence[str], arm: Moments) -> Any:
    """The moments of one arm, as tea-tasting takes them."""
    from tea_tasting.aggr import Aggregates  # noqa: PLC0415  an extra

    mean, cov = arm.means.tolist(), arm.covariances.tolist()
    pairs = {(a, b): cov[i][j] for i, a in enumerate(names) for j, b in enumerate(names) if a < b}
    return Aggregates(int(arm.counts), dict(zip(names, mean, strict=True)), {n: cov[i][i] for i, n in enumerate(names)}, pairs)


def _absolute(looks: Looks, counts: Float64, confidence: float) -> Effect:
    """Welch's t without the interval of the quotient, which means nothing where a value is 0 or below, and which tea-tasting can't make near 0."""
    variances = np.array([looks.control_variance, looks.treatment_variance])
    freedom = variances.sum() ** 2 / (variances**2 / (counts - 1)).sum()
    difference, error = float(looks.treatment - looks.control), float(np.sqrt(looks.variance))
    half = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    p = float(2 * stdtr(freedom, -abs(difference) / error))
    return Effect(float(looks.control), float(looks.treatment), difference, error, difference - half, difference + half, NAN, NAN, NAN, p)


class Looks(NamedTuple):
    """Arrays of any shape: values of the two arms and the variance of each."""

    control: Float64
    treatment: Float64
    control_variance: Float64
    treatment_variance: Float64

    @property
    def variance(self) -> Float64:
        """Of the difference."""
        return self.control_variance + self.treatment_variance


def differences(names: Sequence[str], control: Moments, treatment: Moments) -> Looks:
    """The values of two arms and the variance of their difference, for each group of the moments.

    Of arm a with the ratio R_a = mean(numerator) / mean(denominator), a covariate ratio C_a and theta = cov(R, C) / var(C) over both arms together,
    the value is R_a - theta (C_a - C), and its variance that of the same ratio linearised, over the units of the arm.
    Where a denominator or the variance of a covariate is 0, the covariate adds nothing and the value is NaN.
    """
    both = control + treatment
    has = "covariate" in names
    with np.errstate(divide="ignore", invalid="ignore"):
        theta, middle = np.zeros(control.counts.shape), np.zeros(control.counts.shape)
        if has:
            spread = both.covariances
            a, b, middle = gradient_of(names, both, PARTS[:2]), gradient_of(names, both, PARTS[2:]), _ratio(names, both, PARTS[2:])
            own = _form(b, spread, b)
            theta = np.divide(_form(a, spread, b), own, out=np.zeros_like(own), where=own > 0)
        values, variances = [], []
        for arm in (control, treatment):
            gradient = gradient_of(names, arm, PARTS[:2])
            value = _ratio(names, arm, PARTS[:2])
            if has:
                gradient = gradient - theta[..., None] * gradient_of(names, arm, PARTS[2:])
                value = value - theta * (_ratio(names, arm, PARTS[2:]) - middle)
            values.append(value)
            variances.append(_form(gradient, arm.covariances, gradient) / arm.counts)
    return Looks(*values, *(np.maximum(v, 0.0) for v in variances))


def _ratio(names: Sequence[str], arm: Moments, parts: Sequence[str]) -> Float64:
    top, below = parts
    means = arm.means
    if below not in names:
        return means[..., names.index(top)]
    return means[..., names.index(top)] / np.where(means[..., names.index(below)] == 0, NAN, means[..., names.index(below)])


def gradient_of(names: Sequence[str], arm: Moments, parts: Sequence[str]) -> Float64:
    """(..., columns) of the ratio of two parts, or of the first alone, by the means of the columns."""
    top, below = parts
    gradient = np.zeros((*arm.counts.shape, len(names)))
    mean = arm.means[..., names.index(below)] if below in names else np.ones(arm.counts.shape)
    mean = np.where(mean == 0, NAN, mean)  # a ratio to nothing is no number
    gradient[..., names.index(top)] = 1 / mean
    if below in names:
        gradient[..., names.index(below)] = -_ratio(names, arm, parts) / mean
    return gradient


def influence_of(names: Sequence[str], columns: Iterable[Float64], whole: Moments) -> Float64:
    """(n,) by how much each of those who are independent is off the mean, or moves the ratio of totals: linearised, without its covariate.

    Args:
        names: of the columns.
        columns: (n,) each.
        whole: moments of one group, around whose means it is.
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # of a total of 0 nothing is known
        slope, means = gradient_of(names, whole, PARTS[:2]), whole.means
    return np.asarray(sum(g * (v - m) for g, v, m in zip(slope, columns, means, strict=True) if g))


def effective(off: Float64) -> float:
    """(sum |d|)^2 / sum d^2: as many of one size would tell as much; 0 where nothing differs.

    >>> effective(np.array([1.0, -1.0, 1.0])), round(effective(np.array([9.0, -1.0, 1.0])), 2)
    (3.0, 1.46)
    """
    square = float(np.square(off).sum())
    return float(np.abs(off).sum()) ** 2 / square if square > 0 else 0.0


def _form(a: Float64, spread: Float64, b: Float64) -> Float64:
    return np.einsum("...i,...ij,...j->...", a, spread, b)
