"""The interval of a mean over queries, when people come with all their queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from vitrina.base.errors import ParameterError
from vitrina.evaluate.bootstrap import Buckets
from vitrina.types import Float64

TRUSTED = 50  # people whose value isn't zero, below whom an interval can't be trusted


class Interval(NamedTuple):
    """The ends of an interval; NaN where fewer than two people say something."""

    low: float
    high: float


def mean_interval(values: Float64, users: NDArray[Any], confidence: float = 0.95, weights: Float64 | None = None) -> Interval:
    """The interval of the mean of `values` over queries, when other people might have come, each with all their queries.

    Student's t with the jackknife over people: its error, and the degrees of freedom that the spread of its squares leaves (see
    `vitrina.evaluate.bootstrap`). Where all values are within [0, 1] it is made on the scale of log(v / (1 - v)) and turned back, so that it
    reaches further to the side where there is more room. Where all of them are 0, or all 1, it ends where people of whom none
    is another would be seen with the probability (1 - confidence) / 2, as Clopper and Pearson's does.

    Args:
        values: (queries,), NaN where a query says nothing.
        users: (queries,) codes; a negative one is a visitor of its own.
        confidence: of the interval.
        weights: (queries,) from 0 up, of the mean; what is left out without a person takes its weight along.

    Raises:
        ParameterError: there is not one user for each value, the confidence is not between 0 and 1, or weights are no weights.

    >>> import numpy as np
    >>> hits = np.arange(400) % 20 == 0
    >>> low, high = mean_interval(hits.astype(float), np.arange(400))
    >>> f"{hits.mean():.3f} ({low:.3f} to {high:.3f})"
    '0.050 (0.032 to 0.077)'
    """
    if not 0 < confidence < 1:
        raise ParameterError(f"The 'confidence' of an interval is between 0 and 1. Got {confidence}.", parameter="confidence")
    column = np.asarray(values, np.float64)
    return intervals_within(Buckets.of([column], users, weights), [Ends.of(column)], confidence)[0]


def intervals_of(columns: Sequence[Float64], users: NDArray[Any], confidence: float, more: Sequence[float] = ()) -> list[Interval]:
    """Of each column (queries,), NaN where a query says nothing; `more` is further variance of each mean."""
    return intervals_within(Buckets.of(columns, users), [Ends.of(column) for column in columns], confidence, more)


class Ends(NamedTuple):
    """The smallest and the largest value of a column; infinite where it says nothing."""

    least: float
    most: float

    @classmethod
    def of(cls, column: Float64) -> Ends:
        """Of values (queries,), NaN where a query says nothing."""
        known = ~np.isnan(column)
        return cls(float(column.min(initial=np.inf, where=known)), float(column.max(initial=-np.inf, where=known)))

    def wider(self, other: Ends) -> Ends:
        """Those of both."""
        return Ends(min(self.least, other.least), max(self.most, other.most))


def intervals_within(state: Buckets, ends: Sequence[Ends], confidence: float, more: Sequence[float] = ()) -> list[Interval]:
    """Of the sums of each column, whose values lie between its ends; `more` is further variance of each mean."""
    jackknife, people = state.jackknife(), (state.counts > 0).sum(axis=0)
    error = np.sqrt(jackknife.error**2 + (np.asarray(more, np.float64) if len(more) else 0.0))
    half = stdtrit(jackknife.freedom, (1 + confidence) / 2) * error
    return [
        _interval(e, v, h, n, confidence) for e, v, h, n in zip(ends, state.value.tolist(), half.tolist(), people.tolist(), strict=True)
    ]


def _interval(ends: Ends, value: float, half: float, people: int, confidence: float) -> Interval:
    if np.isnan(half):
        return Interval(half, half)
    if ends.least < 0 or ends.most > 1:
        return Interval(value - half, value + half)
    if value in (0.0, 1.0):
        none = 1 - ((1 - confidence) / 2) ** (1 / people)
        return Interval(0.0, max(none, half)) if value == 0 else Interval(1 - max(none, half), 1.0)
    reach = half / (value * (1 - value))
    return Interval(float(expit(logit(value) - reach)), float(expit(logit(value) + reach)))
