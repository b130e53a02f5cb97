"""The rows of a co-occurrence: blocks of items, each of which goes over the people in groups that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from vitrina.base.arrays import cuts
from vitrina.data.dataset import Dataset
from vitrina.data.sharded import Parts, over_parts, workers_of
from vitrina.forms.levels import DEEP
from vitrina.models.histories import Histories, Reader, Sums, indptr_of, log_of
from vitrina.models.pairs import best_gaps, best_products, columns_of, dealt, places_of_items
from vitrina.types import Int32, Int64

HISTORIES = 2 << 30  # bytes of histories that a worker holds at once
CELLS = 2 << 30  # bytes of sums that wait there for the people who come later
ROWS = 1 << 18  # items of a block at most: so many rows of neighbours are made compact at a time
FINE = 1 << 40  # shares of a block are whole numbers of this

Group = tuple[int, int]  # of shards, from the first to before the last


def fit_here(data: Dataset, reader: Reader) -> bool:
    """Whether the histories of the whole log are held by this process, whose kernels use all its cores; else blocks go to the log's executor."""
    if data.in_memory:
        return True
    return workers_of(data) == 1 and int(data.catalogue.events.sum()) * reader.bytes_per_entry <= HISTORIES


@dataclass(frozen=True, eq=False)
class Rows:
    """Makes the rows of a block of items: a function that goes to other processes.

    Sums of a row that wait for more people lie in `sums.work` places at most, so a block has as many rows as fit, and another block goes over
    the people again. Whatever the groups and blocks, each sum is of the same numbers in the same order.

    Args:
        reader: makes the histories of a shard.
        room: neighbours of a row.
        sums: what is known of the whole log.
        rest: likeness of contents and its weight, what sums are divided by, the diagonal, and the items that may be pointed to.
    """

    reader: Reader
    room: int
    sums: Sums
    rest: tuple[Any, ...]

    def of_histories(self, histories: Histories) -> sparse.csr_matrix:
        """All rows of histories that are at hand."""
        return _stacked(self._best(block, [lambda: histories]) for block in cuts(np.zeros(self.reader.n_items, np.int64), 1, self._most))

    def of_pairs(self, pairs: sparse.csr_matrix) -> sparse.csr_matrix:
        """All rows of sums that are at hand, without a diagonal."""
        own = self.rest[3]
        sums = sparse.csr_matrix(pairs + sparse.diags_array(own, dtype=self._dtype)) if len(own) else pairs
        none = np.empty(0)
        nobody = Histories(np.zeros(1, np.int64), none.astype(np.int32), none, none.astype(np.int64), none)
        held = sums.indptr.astype(np.int64), np.diff(sums.indptr).astype(np.int64), sums.indices, sums.data
        size, scores = len(held[1]), np.float64 if self.sums.faint else np.float32
        out = np.empty((size, self.room), np.int32), np.empty((size, self.room), scores), np.zeros(size, np.int64)
        self._add(slice(0, size), nobody, dealt(self.sums.work), (*held, False, True), out)
        return _stacked(iter([_csr(*out, self.reader.n_items)]))

    def sums_of(self, block: slice, histories: Histories) -> sparse.csr_matrix:
        """(items of the block, items) the sums of all pairs, without a diagonal."""
        held, nothing = self._held(block), (np.empty((0, 0), np.int32), np.empty((0, 0), np.float32), np.empty(0, np.int64))
        self._add(block, histories, dealt(self.sums.work[block]), (*held, True, False), nothing)
        places, filled, columns, sums = held
        taken = np.repeat(places[:-1] - indptr_of(filled)[:-1], filled) + np.arange(filled.sum())
        return sparse.csr_matrix((sums[taken], columns[taken], indptr_of(filled)), shape=(len(filled), self.reader.n_items))

    def of_log(self, data: Dataset) -> sparse.csr_matrix:
        """All rows of a log whose histories are read for each block, by its executor."""
        sizes = np.array(self.sums.entries, np.int64) * self.reader.bytes_per_entry
        groups = tuple((part.start, part.stop) for part in cuts(sizes, HISTORIES, len(sizes)))
        return _stacked(over_parts(data, self, [(block, groups) for block in self._blocks(len(groups), workers_of(data))]))

    def __call__(self, parts: Parts, asked: tuple[slice, Sequence[Group]]) -> sparse.csr_matrix:
        block, groups = asked
        return self._best(block, [partial(self._read, parts, group) for group in groups])

    def _read(self, parts: Parts, group: Group) -> Histories:
        return Histories.joined([self.reader.histories(parts.load(shard)) for shard in range(*group)])

    def _blocks(self, groups: int, workers: int) -> Iterator[slice]:
        """Runs of items of which each worker has its share of the work, and the sums fit."""
        work = self.sums.work
        shares = workers * work / max(work.sum(), 1)
        if groups > 1:
            shares = np.maximum(shares, self._cells(slice(0, len(work))) * 12 / CELLS)
        return cuts(np.ceil(shares * FINE).astype(np.int64), FINE, self._most)

    @property
    def _most(self) -> int:
        """Rows of a block: fewer where each has room for very many."""
        return max(min(ROWS, CELLS // (12 * self.room)), 1)

    def _cells(self, block: slice) -> Int64:
        """(rows,) how many sums each row of a block can have."""
        return np.minimum(self.sums.work[block], self.reader.n_items).astype(np.int64)

    def _best(self, block: slice, groups: Sequence[Callable[[], Histories]]) -> sparse.csr_matrix:
        """(items of the block, items) the best neighbours of each, best first; float64 where float32 may not hold them."""
        size, scores = block.stop - block.start, np.float64 if self.sums.faint else np.float32
        out = np.empty((size, self.room), np.int32), np.empty((size, self.room), scores), np.zeros(size, np.int64)
        order, last = dealt(self.sums.work[block]), len(groups) - 1
        held = (
            self._held(block) if last else (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, self._dtype))
        )
        for number, read in enumerate(groups):
            self._add(block, read(), order, (*held, number == 0, number == last), out)
        return _csr(*out, self.reader.n_items)

    @property
    def _dtype(self) -> Any:
        """Of the sums: counts of people are whole."""
        return np.int32 if self.reader.counts else np.float64

    def _held(self, block: slice) -> tuple[NDArray[Any], ...]:
        """Where the sums of each row begin, how many there are, their items, and they themselves."""
        places = indptr_of(self._cells(block))
        return places, np.zeros(len(places) - 1, np.int64), np.empty(places[-1], np.int32), np.empty(places[-1], self._dtype)

    def _add(self, block: slice, histories: Histories, order: Int32, held: tuple[Any, ...], out: tuple[NDArray[Any], ...]) -> None:
        content, weight, denominator, diagonal, allowed = self.rest
        low, rest = block.start, (held, content, weight, denominator, diagonal, allowed, *out)
        if self.reader.gapped:
            gaps, every = self.reader.gaps(self.sums.longest, self.sums.faint), self.reader.weighting.every_pair
            best_gaps(len(order), order, low, places_of_items(low, block.stop, histories.items), log_of(histories), gaps, every, *rest)
        else:
            by_user = histories.indptr, histories.items, histories.weights
            best_products(len(order), order, low, columns_of(low, block.stop, *by_user), by_user, *rest)


def _csr(items: Int32, scores: NDArray[Any], sizes: Int64, n_items: int) -> sparse.csr_matrix:
    """Rows of which the first `sizes` places are filled."""
    filled = np.arange(items.shape[1]) < sizes[:, None]
    return sparse.csr_matrix((scores[filled], items[filled], indptr_of(sizes)), shape=(len(items), n_items))


def _stacked(blocks: Iterator[sparse.csr_matrix]) -> sparse.csr_matrix:
    """All rows; float32 if that holds them."""
    parts = list(blocks)
    rows = parts[0] if len(parts) == 1 else sparse.csr_matrix(sparse.vstack(parts, format="csr"))
    if rows.data.min(initial=1) >= 2.0**-DEEP:
        rows.data = rows.data.astype(np.float32, copy=False)
    return rows
