"""How models read a history: as a weighted matrix, as baskets, and with old events fading."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from vitrina.kernels import kernel
from vitrina.models.decay import Decay, factors_of, faded, of_plain, plain_of
from vitrina.types import Float32, Int64, Queries, ranges


@dataclass(frozen=True)
class Baskets:
    """What was taken together: the events of each query in groups, oldest first.

    A basket is all events of a history with one basket id, wherever they stand; its age is that of its first event. Events without an
    id (-1, or no such column) are one basket where they have one time; without times each is a basket of its own.

    >>> import vitrina as vt
    >>> queries = vt.Queries.of_histories(vt.Vocabulary.of(["tea", "milk"]), [["tea", "milk", "tea"]], times=[[1, 1, 5]])
    >>> Baskets.of(queries).of_event.tolist()
    [0, 0, 1]
    """

    indptr: Int64  # (queries + 1,) the baskets of query q are indptr[q]..indptr[q + 1] - 1
    of_event: Int64  # (events,) basket of each event of the histories, one after another

    @classmethod
    def of(cls, queries: Queries) -> Baskets:
        lengths = queries.lengths
        row, begins = _row_of(lengths), np.ones(int(lengths.sum()), bool)
        label = _basket_labels(queries)
        same = row[1:] == row[:-1]
        if (same & (label[1:] < label[:-1])).any():  # baskets that are resumed
            return cls._gathered(row, label, len(queries))
        begins[1:] = ~same | (label[1:] != label[:-1])
        return cls(_indptr(row[begins], len(queries)), np.cumsum(begins) - 1)

    @classmethod
    def _gathered(cls, row: Int64, label: Int64, n_queries: int) -> Baskets:
        """Baskets whose events may lie apart, numbered in the order of their first events."""
        order = np.lexsort((label, row))
        begins = np.append(True, (row[order][1:] != row[order][:-1]) | (label[order][1:] != label[order][:-1]))
        first = order[begins]  # lexsort is stable: the first event of each basket
        number = np.empty(len(first), np.int64)
        number[np.argsort(first)] = np.arange(len(first))
        of_event = np.empty(len(row), np.int64)
        of_event[order] = number[np.cumsum(begins) - 1]
        return cls(_indptr(row[first], n_queries), of_event)

    @property
    def counts(self) -> Int64:
        """(queries,) how many baskets each history has."""
        return np.diff(self.indptr)

    @property
    def places(self) -> Int64:
        """(baskets,) 0 for the oldest basket of a history, 1 for the next."""
        return ranges(np.zeros(len(self.counts), np.int64), self.counts)

    def items(self, queries: Queries, n_items: int) -> sparse.csr_matrix:
        """(baskets, items) 1 where a basket holds an item."""
        items = queries.histories().values
        shape = (int(self.indptr[-1]), n_items)
        matrix = sparse.csr_matrix((np.ones(len(items), np.float32), (self.of_event, items)), shape=shape)
        matrix.data[:] = 1
        return matrix


def _basket_labels(queries: Queries) -> Int64:
    """(events,) equal for the events of one basket of a history; ascending where each basket is a run of events."""
    place, times, baskets = ranges(queries.start, queries.lengths), queries.events.times, queries.events.baskets
    alone = place if times is None else times[place]
    if baskets is None:
        return alone
    label = baskets[place].astype(np.int64)
    if (label < 0).any():
        _, rank = np.unique(alone, return_inverse=True)
        label = np.where(label < 0, -1 - rank, label)
    return label


def event_weights(queries: Queries, decay: Decay | None) -> Float32:
    """(events,) the weight of each event of the histories, one after another: 1, or what the decay leaves of it.

    The distance of an event is the number of later ones, or the days until the moment of asking (until the newest event
    where that moment is not known). A history without times doesn't fade by days.
    """
    weights = np.ones(int(queries.lengths.sum()), np.float32)
    if decay is None:
        return weights
    times = queries.events.times
    newest = np.zeros(len(queries), np.int64)
    if times is not None and len(times):
        newest = times[np.maximum(queries.stop - 1, 0)] if queries.now is None else queries.now
    _fade(queries.start, queries.stop, newest, np.empty(0, np.int64) if times is None else times, *factors_of(decay), weights)
    return weights


@kernel
def _fade(start, stop, newest, times, shapes, scales, by_time, weights):  # pragma: no cover
    place = 0
    for q in range(len(start)):
        for at in range(start[q], stop[q]):
            elapsed = newest[q] - times[at] if len(times) else 0
            weights[place] = faded(shapes, scales, by_time, float(stop[q] - 1 - at), float(elapsed))
            place += 1


def decay_arrays(decay: Decay | None) -> dict[str, NDArray[Any]]:
    """What an artifact keeps of a decay: JSON as bytes."""
    return {} if decay is None else {"decay": np.frombuffer(json.dumps(plain_of(decay)).encode(), np.uint8)}


def decay_of_arrays(arrays: Mapping[str, NDArray[Any]]) -> Decay | None:
    """The inverse of `decay_arrays`."""
    return of_plain(json.loads(arrays["decay"].tobytes())) if "decay" in arrays else None


def history_matrix(queries: Queries, n_items: int, decay: Decay | None = None) -> sparse.csr_matrix:
    """(queries, items) how often each item is in each history, old events fading.

    Items beyond `n_items` are left out, and so are events of which the decay leaves nothing.
    """
    queries = known_only(queries, n_items)
    items, weights = queries.histories().values, event_weights(queries, decay)
    read = weights > 0
    indptr = _indptr(_row_of(queries.lengths)[read], len(queries))
    matrix = sparse.csr_matrix((weights[read], items[read], indptr), shape=(len(queries), n_items))
    matrix.sum_duplicates()
    return matrix


def known_only(queries: Queries, n_items: int) -> Queries:
    """The queries without the events of items that came after the fit, whose codes are `n_items` or more."""
    items = queries.histories().values
    if not len(items) or items.max() < n_items:
        return queries
    known = items < n_items
    places = ranges(queries.start, queries.lengths)[known]
    stop = np.cumsum(np.bincount(_row_of(queries.lengths)[known], minlength=len(queries)))
    return replace(queries, events=queries.events.take(places), start=np.append(0, stop[:-1]), stop=stop)


def _row_of(lengths: Int64) -> Int64:
    return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)


def _indptr(rows: Int64, n_rows: int) -> Int64:
    """Where each row begins, from the row of each entry."""
    indptr = np.zeros(n_rows + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=n_rows), out=indptr[1:])
    return indptr
