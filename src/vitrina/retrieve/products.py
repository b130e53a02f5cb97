"""The best k of a product of vectors: blocks of queries by chunks of items, so that memory is bounded whatever there is of both.

A matrix product finds what may be among the best, and what it finds is scored again, summed in float64 in an order of its
own: a BLAS rounds a pair of vectors by where the two stand in their blocks, and lists must not depend on who else asks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import final

import numpy as np
from scipy import sparse

from vitrina.base.kernels import Spread
from vitrina.catalogue import Catalogue
from vitrina.retrieve.top_k import Best, Exactly, Offered, Slices, dot, known_candidates, top_k_ragged
from vitrina.types import Bool, Eligibility, Float32, Int32, Int64, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary

ROWS, COLUMNS = 512, 8192  # queries and items whose scores are there at a time, about: 16 MB
WIDEST = 1 << 17  # items of a chunk where few ask
FEW = 0.5  # of the items: where fewer are eligible for everybody, only those are multiplied


@final
@dataclass(frozen=True, eq=False)
class ItemVectors:
    """A table of item vectors, and which items it says nothing of.

    What changed after the table was made may stand beside it, so that a few new vectors don't copy all.
    """

    vectors: Float32  # (items, dim); fewer rows where all items beyond them are late
    described: Bool  # (items,) which items have a vector; the others have no score
    late: Int32 = field(default_factory=lambda: np.empty(0, np.int32))  # (late,) items, ascending, whose vectors are
    of_late: Float32 = field(default_factory=lambda: np.empty((0, 0), np.float32))  # (late, dim) these, whatever the table says

    @classmethod
    def of(cls, vectors: Float32) -> ItemVectors:
        """A row of zeros is no vector."""
        return cls(vectors, np.asarray(vectors.any(axis=1)))

    @cached_property
    def longest(self) -> float:
        """The largest length of a vector."""
        return max(_longest(self.vectors), _longest(self.of_late))

    @cached_property
    def place_of(self) -> Int64:
        """(items,) the row of each item: of the vectors, and of those that are late behind them."""
        place = np.arange(len(self.described))
        place[self.late] = len(self.vectors) + np.arange(len(self.late))
        return place


@final
@dataclass(frozen=True, eq=False)
class Products:
    """Scores before anybody multiplies: score[q, i] = states[q] . vectors[i] + added[q, i]; none where q or i has no vector.

    >>> two = Products.of(np.eye(2, dtype=np.float32), ItemVectors.of(np.array([[1, 2], [0, 0], [3, 4]], np.float32)))
    >>> two.scores().tolist()
    [[1.0, -inf, 3.0], [2.0, -inf, 4.0]]
    """

    states: Float32  # (queries, dim)
    items: ItemVectors
    known: Bool  # (queries,) of which queries anything is known
    added: sparse.csr_matrix | None = None  # (queries, items), each entry once

    @classmethod
    def of(cls, states: Float32, items: ItemVectors, added: sparse.csr_matrix | None = None) -> Products:
        """A state of zeros knows nothing."""
        return cls(states, items, np.asarray(states.any(axis=1)), added)

    @cached_property
    def added_rows(self) -> Ragged:
        """(queries) the items to whose scores something is added."""
        if self.added is None:
            return Ragged.empty(len(self.states))
        return Ragged(self.added.indptr.astype(np.int64), self.added.indices.astype(np.int32))

    def take(self, index: Int64) -> Products:
        """Those of some of the queries."""
        added = None if self.added is None else self.added[index]
        return Products(self.states[index], self.items, self.known[index], added)

    def scores(self) -> Float32:
        """(queries, items) of all; few queries at a time."""
        scores = np.matmul(self.states, self.items.vectors.T)
        if len(self.items.late):
            missing = len(self.items.described) - scores.shape[1]
            scores = np.pad(scores, ((0, 0), (0, missing)))
            scores[:, self.items.late] = np.matmul(self.states, self.items.of_late.T)
        if self.added is not None:
            scores[self.added_rows.row_of, self.added_rows.values] += self.added.data
        if not self.items.described.all():
            scores[:, ~self.items.described] = -np.inf
        scores[~self.known] = -np.inf
        return scores

    def pairs(self, items: Ragged) -> Float32:
        """(pairs,) of each query's own items."""
        out = np.empty(len(items.values), np.float32)
        late = self.items.of_late if len(self.items.late) else self.items.vectors[:0]
        place = self.items.place_of
        _pairs(len(items), items.indptr, items.values, self.states, self.items.vectors, late, place, self.items.described, self.known, out)
        if self.added is not None and self.added.nnz:
            n_items = len(self.items.described)
            keys, wanted = (rows.row_of * n_items + rows.values for rows in (self.added_rows, items))
            order = np.argsort(keys)
            at = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
            out += np.where(keys[at] == wanted, self.added.data[at], np.float32(0))
        return out


def top_k_product(
    products: Products, queries: Queries, k: int, eligible: Eligibility, catalogue: Catalogue, vocabulary: Vocabulary
) -> Recommendations:
    """The best k by `products` for each query, as `top_k_dense` gives them of all scores: eligibility first, ties to the lower code, then popularity.

    The same list whoever else asks. With an `include` per query only its items are scored, and where few items are eligible for everybody only those.

    Cost: queries x items x dim, and little beside; memory for 16 MB of scores, and the lists.
    """
    if isinstance(eligible.include, Ragged):
        own = known_candidates(eligible.include, products.items.described)
        return top_k_ragged(own, products.pairs(own), queries, k, eligible, catalogue, vocabulary)
    best = Best(queries, k, eligible, catalogue, vocabulary)
    if not len(queries):
        return best.lists()
    banned = _keys(best.banned, len(vocabulary))
    added = products.added_rows
    if len(added.values):
        best.offer_rows(added, products.pairs(added))
        banned = np.concatenate([banned, _keys(added, len(vocabulary))])
    banned.sort()
    _multiply(best, products, banned)
    return best.lists()


def _multiply(best: Best, products: Products, banned: Int64) -> None:
    """Offer all products to the lists, but those of pairs that are `banned`: sorted keys, query * items + item."""
    table = products.items
    opened = best.allowed & table.described
    if len(table.late):
        late = np.zeros(len(opened), bool)
        late[table.late] = True
        _multiply_by(best, products, banned, opened & late, table.of_late, table.place_of - len(table.vectors), some=True)
        opened &= ~late
    few = opened.sum() < FEW * len(opened)
    _multiply_by(best, products, banned, opened, table.vectors, table.place_of, some=few)


def _multiply_by(best: Best, products: Products, banned: Int64, opened: Bool, vectors: Float32, place_of: Int64, *, some: bool) -> None:
    """The same by one table, of the items that are `opened`.

    Args:
        place_of: (items,) the row of each item in `vectors`.
        some: only the rows of items that are opened are multiplied; else all of them, of items in their order.
    """
    n_items = len(opened)
    items = np.flatnonzero(opened).astype(np.int32) if some else np.arange(len(vectors), dtype=np.int32)
    if some:  # places among those that are left stand for items
        kept = banned[opened[banned % n_items]]
        banned = kept - kept % n_items + (np.cumsum(opened) - 1)[kept % n_items]
    places, slack = (banned % n_items).astype(np.int32), _slack(products)
    rows = min(ROWS, len(products.states))
    width = min(ROWS * COLUMNS // rows, WIDEST, max(len(items), 1))
    cuts = np.append(np.arange(0, len(items), width), len(items))
    room = np.empty(rows * width, np.float32)
    for first in range(0, len(products.states), rows):
        part = slice(first, min(first + rows, len(products.states)))
        states, asked = products.states[part], np.arange(part.start, part.stop)
        bans = np.searchsorted(banned, asked[:, None] * n_items + cuts)
        for chunk, (low, high) in enumerate(pairwise(cuts.tolist())):
            own = vectors[place_of[items[low:high]]] if some else vectors[low:high]
            scores = room[: len(asked) * (high - low)].reshape(len(asked), -1)
            np.matmul(states, own.T, out=scores)
            start = np.arange(len(asked)) * (high - low)
            offered = Offered(start, start + (high - low) * products.known[part], scores.reshape(-1), items[low:high], True)
            seen = Slices(bans[:, chunk], bans[:, chunk + 1], places)
            best.offer(part, offered, opened[items[low:high]], seen, low, Exactly(states, own, slack[part]))


def _longest(vectors: Float32) -> float:
    squares = np.einsum("id,id->i", vectors, vectors, dtype=np.float64)
    return float(np.sqrt(squares[np.isfinite(squares)].max(initial=0)))


def _slack(products: Products) -> Float32:
    """(queries,) how far the sums of a product in float32 may be from those in float64: dim * 2^-24 of the lengths, and a little for rounding once more."""
    dim = products.states.shape[1]
    lengths = np.sqrt(np.einsum("qd,qd->q", products.states, products.states, dtype=np.float64))
    apart = (dim + 8) * 2.0**-24 * lengths * products.items.longest
    return np.nextafter(np.where(np.isnan(apart), np.inf, apart).astype(np.float32), np.float32(np.inf))


def _keys(rows: Ragged, n_items: int) -> Int64:
    """query * items + item of each value that is an item."""
    real = (rows.values >= 0) & (rows.values < n_items)
    return rows.row_of[real] * n_items + rows.values[real]


@Spread
def _pairs(first, last, indptr, items, states, vectors, late, place, described, known, out):  # pragma: no cover
    for q in range(first, last):
        for at in range(indptr[q], indptr[q + 1]):
            row = place[items[at]]
            out[at] = -np.inf
            if known[q] and described[items[at]]:
                out[at] = dot(states[q], vectors[row] if row < len(vectors) else late[row - len(vectors)])
