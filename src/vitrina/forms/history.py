"""How models read a history: as a weighted matrix, as baskets, and with old events fading."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from vitrina.base.kernels import kernel
from vitrina.forms.decay import Decay, factors_of, faded, faded_level
from vitrina.forms.levels import ABSORBED, DEEP, products, scores_of, sums, weights_of
from vitrina.types import Bool, Float32, Float64, Int32, Int64, Queries, ranges


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
        """(baskets, items) 1 where a basket holds an item, or the largest weight of its events there."""
        items = queries.histories().values
        shape = (int(self.indptr[-1]), n_items)
        matrix = sparse.csr_matrix((np.ones(len(items), np.float32), (self.of_event, items)), shape=shape)
        if queries.events.weights is None:
            matrix.data[:] = 1
        else:
            put_largest(matrix, self.of_event, items, own_weights(queries))
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
    """(events,) the weight of each event of the histories, one after another: its own (1 where the log has none), times what the decay leaves.

    The distance of an event is the number of later ones, or the days until the moment of asking (until the newest event
    where that moment is not known). A history without times doesn't fade by days.
    """
    own = own_weights(queries)
    if decay is None:
        return own
    weights = np.empty_like(own)
    _fade(queries.start, queries.stop, *moments(queries), *factors_of(decay), weights)
    return weights * own


def own_weights(queries: Queries) -> Float32:
    """(events,) the weights that the events of the histories have in the log, one after another."""
    if queries.events.weights is None:
        return np.ones(int(queries.lengths.sum()), np.float32)
    return queries.events.weights[ranges(queries.start, queries.lengths)]


def event_levels(queries: Queries, decay: Decay | None) -> Float64:
    """As `event_weights`, in levels: an exponential decay leaves something of each event."""
    levels = np.zeros(int(queries.lengths.sum()))
    if decay is not None:
        _fade_levels(queries.start, queries.stop, *moments(queries), *factors_of(decay), levels)
    return levels if queries.events.weights is None else products(levels, own_weights(queries))


def faint(queries: Queries, decay: Decay | None, halvings: float) -> Bool:
    """(queries,) whether the decay halves the weight of the oldest event so many times."""
    if decay is None:
        return np.zeros(len(queries), bool)
    now, times = moments(queries)
    elapsed = now - times[np.minimum(queries.start, len(times) - 1)] if len(times) else np.zeros(len(queries), np.int64)
    return (decay.halvings(queries.lengths - 1, elapsed) >= halvings) & (queries.lengths > 0)


def moments(queries: Queries) -> tuple[Int64, Int64]:
    """(queries,) the moment of asking, or of the newest event where it is not known; and the times of the events, empty without times."""
    times = queries.events.times
    if times is None or not len(times):
        return np.zeros(len(queries), np.int64), np.empty(0, np.int64)
    return times[np.maximum(queries.stop - 1, 0)] if queries.now is None else queries.now, times


@kernel
def _fade(start, stop, newest, times, shapes, scales, by_time, weights):  # pragma: no cover
    place = 0
    for q in range(len(start)):
        for at in range(start[q], stop[q]):
            elapsed = newest[q] - times[at] if len(times) else 0
            weights[place] = faded(shapes, scales, by_time, float(stop[q] - 1 - at), float(elapsed))
            place += 1


@kernel
def _fade_levels(start, stop, newest, times, shapes, scales, by_time, levels):  # pragma: no cover
    place = 0
    for q in range(len(start)):
        for at in range(start[q], stop[q]):
            elapsed = newest[q] - times[at] if len(times) else 0
            levels[place] = faded_level(shapes, scales, by_time, float(stop[q] - 1 - at), float(elapsed))
            place += 1


def history_matrix(queries: Queries, n_items: int, decay: Decay | None = None, *, relative: bool = False) -> sparse.csr_matrix:
    """(queries, items) how often each item is in each history, old events fading.

    Items beyond `n_items` are left out, and so are events of which the decay leaves nothing. Only the direction of a `relative` row
    counts: where all events are old, it is in units of the largest weight.
    """
    queries = known_only(queries, n_items)
    items, weights = queries.histories().values, event_weights(queries, decay)
    if relative and decay is not None and faint(queries, decay, DEEP).any():
        weights = _relative(event_levels(queries, decay), _row_of(queries.lengths), len(queries))
    read = weights > 0
    indptr = _indptr(_row_of(queries.lengths)[read], len(queries))
    matrix = sparse.csr_matrix((weights[read], items[read], indptr), shape=(len(queries), n_items))
    matrix.sum_duplicates()
    return matrix


def _relative(levels: Float64, rows: Int64, n_rows: int) -> Float32:
    """The weights of the levels, in units of the power of 2 below the largest of each row."""
    top = np.full(n_rows, -np.inf)
    np.maximum.at(top, rows, levels)
    shifted = levels - np.floor(np.where(np.isfinite(top), top, 0.0))[rows]
    return weights_of(np.where(np.isfinite(shifted), shifted, -2000.0)).astype(np.float32)


def own_scores(queries: Queries, n_items: int, decay: Decay | None) -> sparse.csr_matrix:
    """(queries, items) float32 as `history_matrix`, in which faint weights keep their items and their order."""
    if decay is None or not faint(queries, decay, ABSORBED).any():
        return history_matrix(queries, n_items, decay)
    indptr, items, levels = faint_history(queries, n_items, decay)
    pairs, group = np.unique(_row_of(np.diff(indptr)) * n_items + items, return_inverse=True)
    rows, items = pairs // n_items, (pairs % n_items).astype(np.int32)
    scores = scores_of(sums(levels, group, len(pairs)), rows)
    return sparse.csr_matrix((scores, items, _indptr(rows, len(queries))), shape=(len(queries), n_items))


def faint_history(queries: Queries, n_items: int, decay: Decay) -> tuple[Int64, Int32, Float64]:
    """The events of which the decay leaves something: where each history begins, the items, and the levels of the weights."""
    queries = known_only(queries, n_items)
    levels = event_levels(queries, decay)
    read = levels > -np.inf
    return _indptr(_row_of(queries.lengths)[read], len(queries)), queries.histories().values[read], levels[read]


def put_largest(matrix: sparse.csr_matrix, rows: NDArray[Any], columns: NDArray[Any], weights: Float32) -> None:
    """Make each entry the largest weight of its (row, column), all of which the matrix has; its indices get sorted."""
    matrix.sort_indices()
    width = matrix.get_shape()[1]
    held = _row_of(np.diff(matrix.indptr).astype(np.int64)) * width + matrix.indices
    matrix.data[:] = 0
    np.maximum.at(matrix.data, np.searchsorted(held, np.asarray(rows, np.int64) * width + columns), weights)


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
