"""The histories of a log as co-occurrence reads them: compact, a piece per shard, so that many shards fit together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from vitrina.data.dataset import Dataset
from vitrina.data.order import last_of_pairs
from vitrina.forms.decay import Decay, factors_of
from vitrina.forms.levels import DEEP
from vitrina.forms.reading import kind_weights
from vitrina.models.pairs import pair_sums, places_of_items, sort_histories
from vitrina.models.weighting import Weighting
from vitrina.types import Float64, Int32, Int64


@dataclass(frozen=True, eq=False)
class Histories:
    """Of some people with events that count; they are numbered anew. A column that is empty is 1 everywhere (there are no times at all).

    Without a gap between events each item is once in a history; `weights` are the entries of X with the largest weight of their events. With
    one the events are all there as they came, and `factors` are the entries of X.
    """

    indptr: Int64  # (people + 1,)
    items: Int32  # (entries,)
    weights: Float64  # (entries,), above 0 in events
    times: Int64  # (entries,)
    factors: Float64  # (entries,)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Those of all parts, one after another."""
        if len(parts) == 1:
            return parts[0]
        lengths = [np.diff(part.indptr) for part in parts] or [np.empty(0, np.int64)]
        columns = [np.concatenate([getattr(part, name) for part in parts]) for name in ("items", "weights", "times", "factors")]
        return cls(indptr_of(np.concatenate(lengths)), *columns)

    @property
    def users(self) -> Int32:
        """(entries,) user of each."""
        return np.repeat(np.arange(len(self.indptr) - 1, dtype=np.int32), np.diff(self.indptr))

    def counts(self, n_items: int) -> sparse.csr_matrix:
        """(people, items) how many events each has of each item, indices sorted."""
        shape = (len(self.indptr) - 1, n_items)
        matrix = sparse.csr_matrix((np.ones(len(self.items)), self.items.copy(), self.indptr.copy()), shape=shape)
        matrix.sum_duplicates()
        return matrix

    def entry_of(self, matrix: sparse.csr_matrix, n_items: int) -> Int64:
        """(entries,) place in `matrix.data` of each event's user and item."""
        keys = np.repeat(np.arange(len(self.indptr) - 1, dtype=np.int64), np.diff(matrix.indptr)) * n_items + matrix.indices
        return np.searchsorted(keys, self.users.astype(np.int64) * n_items + self.items)


@dataclass(frozen=True, eq=False)
class Sums:
    """What adds up over shards.

    Args:
        squares: (items,) the diagonal of co.
        work: (items,) how many pairs the row of an item is made of, which is also the most that it can point to.
        rows, columns: (items,) sums of co, where a weighting asks for them.
        entries: of the histories of each shard.
        longest: events of the longest history.
        faint: whether the gap leaves less of some pair than float32 holds.
    """

    squares: Float64
    work: Float64
    rows: Float64
    columns: Float64
    entries: tuple[int, ...]
    longest: int
    faint: bool

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.squares + other.squares, self.work + other.work, self.rows + other.rows, self.columns + other.columns,
            self.entries + other.entries, max(self.longest, other.longest), self.faint or other.faint,
        )  # fmt: skip


@dataclass(frozen=True)
class Reader:
    """Makes histories of a shard, and what adds up of them: a function that goes to other processes.

    Args:
        weighting: makes the entries of X.
        kinds: weights by the name of the kind of event.
        lengths: (items,) events of each item in the whole log that count; empty where the entries are 1 whatever they are.
        gap, back, itself: the decay with the gap, the share of pairs in the other direction, and whether an item goes with itself.
        gapped: whether events are kept.
        weighted: whether events have weights.
        n_items: size of the item vocabulary.
        keep: whether the histories go back with the sums.
    """

    weighting: Weighting
    kinds: Mapping[str, float]
    lengths: Int64
    gap: Decay | None
    back: float
    itself: bool
    gapped: bool
    weighted: bool
    n_items: int
    keep: bool = True

    @property
    def plain(self) -> bool:
        """Whether all entries of X are 1."""
        return type(self.weighting).entries is Weighting.entries

    @property
    def counts(self) -> bool:
        """Whether co counts people."""
        return self.plain and not self.gapped and not self.weighted and not self.kinds

    def events(self, shard: Dataset) -> Histories:
        """The events of a shard that count, with their weights and times."""
        items, codes, times, nothing = shard.events.items, shard.events.kinds, shard.events.times, np.empty(0)
        weights = nothing if shard.events.weights is None else shard.events.weights.astype(np.float64)
        if self.kinds and codes is not None:
            of_kinds = kind_weights(self.kinds, shard.kind_names).astype(np.float64)[codes]
            weights = weights * of_kinds if len(weights) else of_kinds
        times = times if self.gapped and times is not None else np.empty(0, np.int64)
        lengths, counted = np.diff(shard.indptr), weights > 0
        if not counted.all():
            lengths = np.bincount(shard.user_of[counted], minlength=len(lengths))
            items, weights, times = items[counted], weights[counted], times[counted] if len(times) else times
        return Histories(indptr_of(lengths[lengths > 0]), items, weights, times, nothing)

    def histories(self, shard: Dataset) -> Histories:
        """Those of a shard, in the form that the product takes."""
        events = self.events(shard)
        return events if self.gapped and self.plain else self._entered(events)[0]

    def __call__(self, shard: Dataset) -> tuple[Histories | None, Sums]:
        events = self.events(shard)
        histories, squares = self._entered(events)
        lengths = np.diff(histories.indptr)
        longest = int(lengths.max(initial=0))
        reach = int(np.ceil(min(self.gap.reach() if self.gap else np.inf, longest)))
        pairs = np.minimum(lengths, 2 * reach + 1) if self.gapped else lengths
        work = np.bincount(histories.items, np.repeat(pairs, lengths), self.n_items).astype(np.float64)
        faint, rows, columns = self._faint(histories), *np.zeros((2, self.n_items if self.weighting.every_pair else 0))
        if self.weighting.every_pair:
            gaps = self.gaps(longest, faint)
            pair_sums(self.n_items, places_of_items(0, self.n_items, histories.items), log_of(histories), gaps, rows, columns)
        return histories if self.keep else None, Sums(squares, work, rows, columns, (len(histories.items),), longest, faint)

    def gaps(self, longest: int, faint: bool) -> tuple[Any, ...]:
        """The gap in the form that kernels read."""
        reach = min(self.gap.reach() if self.gap else np.inf, longest)
        return *factors_of(self.gap), int(np.ceil(reach)), self.back, faint, self.itself

    def _entered(self, events: Histories) -> tuple[Histories, Float64]:
        """The histories with the entries of X, and the diagonal of co."""
        if self.plain and not len(events.weights):
            once = last_of_pairs(events.items, events.indptr, self.n_items)
            squares = np.bincount(events.items[once], minlength=self.n_items).astype(np.float64)
            if self.gapped:
                return events, squares
            lengths = np.diff(np.append(0, np.cumsum(once))[events.indptr])
            distinct = Histories(indptr_of(lengths), events.items[once], events.weights, events.times, events.factors)
            sort_histories(distinct.indptr, distinct.items)
            return distinct, squares
        matrix = events.counts(self.n_items)
        factors = self.weighting.entries(matrix, self.lengths)
        place = events.entry_of(matrix, self.n_items) if self.gapped or len(events.weights) else np.empty(0, np.int64)
        entries = factors * _largest(events.weights, place, len(factors)) if len(events.weights) else factors
        squares = np.bincount(matrix.indices, entries**2, minlength=self.n_items).astype(np.float64)
        if self.gapped:
            return Histories(
                events.indptr, events.items, events.weights, events.times, np.empty(0) if self.plain else factors[place]
            ), squares
        indptr, items = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)
        return Histories(indptr, items, entries, events.times, np.empty(0)), squares

    def _faint(self, histories: Histories) -> bool:
        if self.gap is None or not len(histories.items):
            return False
        indptr, times = histories.indptr, histories.times
        spans = times[indptr[1:] - 1] - times[indptr[:-1]] if len(times) else np.zeros(len(indptr) - 1, np.int64)
        return bool((self.gap.halvings(np.diff(indptr) - 2, spans) >= DEEP).any())

    @property
    def bytes_per_entry(self) -> int:
        """Of memory, of histories and of what finds them by item."""
        return 40 if self.gapped else 8 if self.counts else 24


def summed(parts: Iterable[tuple[Histories | None, Sums]]) -> tuple[list[Histories], Sums]:
    """The histories that were kept of each shard, and the sums over all of them, in their order."""
    kept: list[Histories] = []
    sums: Sums | None = None
    for histories, more in parts:
        kept += [] if histories is None else [histories]
        sums = more if sums is None else sums + more
    assert sums is not None
    return kept, sums


def log_of(histories: Histories) -> tuple[Any, ...]:
    """Events in the form that kernels read."""
    return histories.items, histories.users, histories.indptr, histories.times, histories.weights, histories.factors


def indptr_of(lengths: NDArray[Any]) -> Int64:
    """Where each row begins, from the lengths."""
    indptr = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=indptr[1:])
    return indptr


def _largest(weights: Float64, place: Int64, entries: int) -> Float64:
    """The largest weight of the events of each entry."""
    largest = np.zeros(entries)
    np.maximum.at(largest, place, weights)
    return largest
