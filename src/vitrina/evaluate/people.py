"""What single people say: their own means, how many have a hit, who gains and who loses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vitrina.types import Float64, Int64

ROUNDING = 1e-12  # of the largest: what is below it is no difference but arithmetic
TENTH = 0.1  # of the people, who lose most
FEW = 20  # people who differ, up to whom their sums are kept


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
        means = _own_means(column[known], persons[known], np.ones(known.sum()))
        hits = int((np.bincount(persons[known], column[known] != 0) > 0).sum())
        return cls(len(means), hits, float(means.mean()) if len(means) else float("nan"))

    def __add__(self, other: People) -> People:  # type: ignore[override]
        """Of these and others."""
        sums = [part.by_person * part.people if part.people else 0.0 for part in (self, other)]
        people = self.people + other.people
        return People(people, self.hits + other.hits, sum(sums) / people if people else float("nan"))


class Moved(NamedTuple):
    """What a difference means for single people; shares are of those who have a value for both models."""

    helped: float  # share whose own mean is better
    harmed: float
    worst: float  # mean difference of the tenth of people who lose most


@dataclass(frozen=True, eq=False)
class OwnDifferences:
    """What a difference is to each person: parts of other people add up.

    Args:
        values: different means of single people, ascending; lists of a few places have a few of them.
        counts: how many people have each.
        people: who have a value for both models.
        differ: of them, whose difference isn't zero on every query.
        sums: the (differ,) sums of these, where they are few enough to flip their signs in all ways; else empty.
    """

    values: Float64
    counts: Int64
    people: int
    differ: int
    sums: Float64

    @classmethod
    def of(cls, difference: Float64, persons: Int64, weights: Float64 | None = None) -> OwnDifferences:
        """Of one column (queries,), NaN where a model says nothing; `persons` from `persons_of`, `weights` (queries,) of the mean."""
        known = ~np.isnan(difference) if weights is None else ~np.isnan(difference) & (weights > 0)
        own = np.asarray(difference[known], np.float64)
        weigh = np.ones(len(own)) if weights is None else weights[known]
        values, counts = np.unique(_own_means(own, persons[known], weigh), return_counts=True)
        differ = np.bincount(persons[known], own != 0) > 0
        sums = np.bincount(persons[known], own * weigh, len(differ))[differ].astype(np.float64)
        return cls(values, counts, int(counts.sum()), len(sums), sums if len(sums) <= FEW else sums[:0])

    def __add__(self, other: OwnDifferences) -> OwnDifferences:
        values, place = np.unique(np.concatenate([self.values, other.values]), return_inverse=True)
        counts = np.bincount(place, np.concatenate([self.counts, other.counts]), len(values)).astype(np.int64)
        differ = self.differ + other.differ
        sums = np.concatenate([self.sums, other.sums])
        return OwnDifferences(values, counts, self.people + other.people, differ, sums if differ <= FEW else sums[:0])

    def moved(self, lower_is_better: bool) -> Moved:
        """Who gains and who loses."""
        if not self.people:
            return Moved(float("nan"), float("nan"), float("nan"))
        values = np.where(np.abs(self.values) < ROUNDING * np.abs(self.values).max(), 0.0, self.values)
        gains, counts = (-values[::-1], self.counts[::-1]) if lower_is_better else (values, self.counts)
        tenth = int(np.ceil(TENTH * self.people))
        taken = np.clip(tenth - (np.cumsum(counts) - counts), 0, counts)  # of the smallest gains
        lost = float((gains * taken).sum() / tenth)
        helped, harmed = (float(counts[side].sum() / self.people) for side in (gains > 0, gains < 0))
        return Moved(helped, harmed, -lost if lower_is_better else lost)


def _own(values: Float64, persons: Int64) -> Float64:
    """(people,) sums of those who are there."""
    return np.bincount(persons, np.asarray(values, np.float64))[np.bincount(persons) > 0].astype(np.float64)


def _own_means(values: Float64, persons: Int64, weights: Float64) -> Float64:
    return _own(values * weights, persons) / _own(weights, persons)
