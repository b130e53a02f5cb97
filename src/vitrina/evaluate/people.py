"""What single people say: their own means, how many have a hit, who gains and who loses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vitrina.types import Float64, Int64

ROUNDING = 1e-12  # of the largest: what is below it is no difference but arithmetic
TENTH = 0.1  # of the people, who lose most


def persons_of(users: NDArray[Any]) -> Int64:
    """(queries,) people numbered from 0 without a gap; a negative code is a visitor of its own.

    >>> persons_of(np.array([7, -1, 7, 3, -1])).tolist()
    [1, 2, 1, 0, 3]
    """
    users = np.asarray(users, np.int64)
    strangers = users < 0
    _, known = np.unique(users[~strangers], return_inverse=True)
    out = np.empty(len(users), np.int64)
    out[~strangers] = known
    out[strangers] = known.max(initial=-1) + 1 + np.arange(strangers.sum())
    return out


class People(NamedTuple):
    """How many people have a value, how many of them one that isn't zero, and the mean over people of their own means."""

    people: int
    hits: int
    by_person: float

    @classmethod
    def of(cls, column: Float64, persons: Int64) -> People:
        """Of one column (queries,), NaN where a query says nothing; `persons` from `persons_of`."""
        known = ~np.isnan(column)
        means = _own_means(column[known], persons[known])
        hits = int((np.bincount(persons[known], column[known] != 0) > 0).sum())
        return cls(len(means), hits, float(means.mean()) if len(means) else float("nan"))


class Moved(NamedTuple):
    """What a difference means for single people; shares are of those who have a value for both models."""

    helped: float  # share whose own mean is better
    harmed: float
    worst: float  # mean difference of the tenth of people who lose most

    @classmethod
    def of(cls, difference: Float64, persons: Int64, lower_is_better: bool) -> Moved:
        """Of one column of differences (queries,), NaN where a model says nothing."""
        known = ~np.isnan(difference)
        means = _own_means(difference[known], persons[known])
        means[np.abs(means) < ROUNDING * np.abs(means).max(initial=0.0)] = 0.0
        gains = -means if lower_is_better else means
        if not len(gains):
            return cls(float("nan"), float("nan"), float("nan"))
        tenth = int(np.ceil(TENTH * len(gains)))
        lost = float(np.partition(gains, tenth - 1)[:tenth].mean())
        return cls(float((gains > 0).mean()), float((gains < 0).mean()), -lost if lower_is_better else lost)


def who_differs(difference: Float64, persons: Int64) -> tuple[int, int, Float64]:
    """How many people have a value, how many of them one that isn't zero, and (people,) the sums of each."""
    known = ~np.isnan(difference)
    differ = np.bincount(persons[known], difference[known] != 0) > 0
    sums = _own(difference[known], persons[known])
    return len(sums), int(differ.sum()), sums


def _own(values: Float64, persons: Int64) -> Float64:
    """(people,) sums of those who are there."""
    return np.bincount(persons, np.asarray(values, np.float64))[np.bincount(persons) > 0].astype(np.float64)


def _own_means(values: Float64, persons: Int64) -> Float64:
    counts = np.bincount(persons)
    return _own(values, persons) / counts[counts > 0]
