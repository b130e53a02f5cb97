"""Ranked lists beside what the people really took: the one pass over ranked ids that every metric reads."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, final

import numpy as np

from vitrina.base.errors import ParameterError
from vitrina.base.kernels import Spread
from vitrina.catalogue import Catalogue
from vitrina.grades import Grades, require_grades
from vitrina.types import Bool, Float32, Int32, Int64, Queries, Ragged, Recommendations

T = TypeVar("T")


@final
@dataclass(frozen=True, eq=False)
class Judged:
    """Lists, truth and catalogue of the same queries, with the hit matrix computed once.

    An item that a list names again keeps its place there, as a blank: it is no second hit. An item that the truth names
    again counts once. An item of the truth that no list can hold (outside the catalogue, or code -1) is a miss that
    counts among the relevant.

    Args:
        recommendations: ranked lists, (queries, k).
        truth: item codes that the person took, a row per query.
        catalogue: item statistics of the training part.
        queries: histories, for the metrics that ask what is a repeat.
        grades: how good each item is, where people judged them; the truth is then `grades.relevant`. Metrics that know only yes and no
            never read them.

    Cost: one pass over lists and truth, parallel; 5 bytes per place, 8 per query, and 4 per item for each thread.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> lists = vt.Popularity().fit(data).recommend(data.queries(), k=2)
    >>> Judged(lists, vt.Ragged.of([[0], [1], [2], [3], [0], [1]]), data.catalogue).hits.shape
    (6, 2)
    """

    recommendations: Recommendations
    truth: Ragged
    catalogue: Catalogue
    queries: Queries | None = None
    grades: Grades | None = None
    _cache: dict[Hashable, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        sizes = {len(self.recommendations), len(self.truth), len(self.truth if self.queries is None else self.queries)}
        if self.grades is not None:
            sizes.add(len(self.grades))
        if len(sizes) > 1:
            raise ParameterError(f"Recommendations, truth and queries must speak of the same queries. Got {sorted(sizes)} rows.")

    def __len__(self) -> int:
        return len(self.truth)

    @cached_property
    def _pass(self) -> tuple[Int32, Bool, Int64]:
        items = self.recommendations.items
        top = max(int(items.max(initial=-1)), int(self.truth.values.max(initial=-1)))
        blanked, hits = np.array(items, dtype=np.int32, order="C"), np.zeros(items.shape, np.bool_)
        relevant = np.zeros(len(self), np.int64)
        _judge(len(blanked), blanked, self.truth.indptr, self.truth.values, top + 1, hits, relevant)
        return blanked, hits, relevant

    @property
    def items(self) -> Int32:
        """(queries, k) item codes, -1 for a pad or a repeated item."""
        return self._pass[0]

    @property
    def hits(self) -> Bool:
        """(queries, k) whether the item at a place was taken."""
        return self._pass[1]

    @property
    def relevant(self) -> Int64:
        """(queries,) how many different items were taken."""
        return self._pass[2]

    @cached_property
    def gains(self) -> Float32:
        """(queries, k) how good the item at each place is: its grade, NaN where nobody judged it or there is no item.

        Raises:
            DataError: there are no grades.
        """
        grades = require_grades(self.grades, "Judged.gains")
        gains = np.full(self.items.shape, np.nan, np.float32)
        judged = grades.items
        top = max(int(self.items.max(initial=-1)), int(judged.values.max(initial=-1)))
        _look_up(len(gains), self.items, judged.indptr, judged.values, grades.gains, top + 1, gains)
        return gains

    def first(self, k: int, metric: str) -> slice:
        """The columns of the first k places.

        Raises:
            ParameterError: the lists are shorter than k.
        """
        if k > self.recommendations.k:
            raise ParameterError(f"{metric} needs lists of {k} items. Got lists of {self.recommendations.k}; recommend with k={k}.")
        return slice(0, k)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` returns, computed once for this object."""
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]

    def against(self, truth: Ragged) -> Judged:
        """The same lists judged against another truth; of the grades what is relevant to it stays, with what was found bad."""
        return replace(self, truth=truth, grades=None if self.grades is None else self.grades.within(truth), _cache={})

    def counts(self, k: int, metric: str) -> Int64:
        """(items,) in how many lists each item of the vocabulary is among the first k."""
        places = self.items[:, self.first(k, metric)]
        width = len(self.catalogue.users)

        def count() -> Int64:
            return np.bincount((places + 1).reshape(-1), minlength=width + 1)[1 : width + 1]

        return self.once(("counts", k), count)


@Spread
def _judge(first, last, items, truth_indptr, truth_items, n_items, hits, relevant):  # pragma: no cover
    """Blank repeated items, mark hits, count the relevant. A stamp of 2q: taken in query q; 2q + 1: listed already."""
    stamp = np.full(n_items, -1, np.int64)
    for q in range(first, last):
        distinct = 0
        for at in range(truth_indptr[q], truth_indptr[q + 1]):
            item = truth_items[at]
            if item < 0 or stamp[item] != 2 * q:
                distinct += 1
            if item >= 0:
                stamp[item] = 2 * q
        relevant[q] = distinct
        for place in range(items.shape[1]):
            item = items[q, place]
            if item < 0:
                continue
            hits[q, place] = stamp[item] == 2 * q
            if stamp[item] == 2 * q + 1:
                items[q, place] = -1
            stamp[item] = 2 * q + 1


@Spread
def _look_up(first, last, items, indptr, judged, grades, n_items, gains):  # pragma: no cover
    """(queries, k) the grade of each place; what isn't judged stays as it is."""
    stamp, own = np.full(n_items, -1, np.int64), np.empty(n_items, np.float32)
    for q in range(first, last):
        for at in range(indptr[q], indptr[q + 1]):
            if judged[at] >= 0:
                stamp[judged[at]], own[judged[at]] = q, grades[at]
        for place in range(items.shape[1]):
            item = items[q, place]
            if item >= 0 and stamp[item] == q:
                gains[q, place] = own[item]
