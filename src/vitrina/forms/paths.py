"""Chains of sparse and dense factors that rows go through one after another, so that their product is never made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from vitrina.base.kernels import Spread, kernel
from vitrina.forms.matrices import columns_of, sparse_arrays, sparse_of_arrays
from vitrina.forms.reading import History
from vitrina.types import Bool, Float32, Int64, Ragged, cuts

Factor = sparse.csr_matrix | Float32
ENTRIES = 1 << 22  # of the rows of a block: 32 MB of places and weights


@final
@dataclass(frozen=True, eq=False)
class Path:
    """One way from the items of a history to those that are scored: weight * F1 F2 ..., each factor sparse or dense.

    Args:
        factors: F1 is (items, something), the next (something, ...), the last (..., items).
        weight: of this way in the sum over all.

    >>> import numpy as np
    >>> Path((np.ones((3, 2), np.float32), np.ones((2, 3), np.float32)), 0.5).is_sparse
    False
    """

    factors: tuple[Factor, ...]
    weight: float = 1.0

    @property
    def is_sparse(self) -> bool:
        return not any(isinstance(factor, np.ndarray) for factor in self.factors)

    @cached_property
    def steps(self) -> tuple[NDArray[np.float64], ...]:
        """For each of the leading sparse factors, (items,) how many of its entries a walk from the item comes by."""
        leading = _leading(self.factors)
        return tuple(_walks(leading[: last + 1]) for last in range(len(leading)))

    @cached_property
    def described(self) -> Bool:
        """(items,) the columns of the last factor that have an entry."""
        last = self.factors[-1]
        if isinstance(last, np.ndarray):
            return np.any(last != 0, axis=0)
        return np.bincount(last.indices[last.data != 0], minlength=last.get_shape()[1]) > 0

    def rooms(self, history: History) -> list[Int64]:
        """For each of the leading sparse factors, (queries,) how many entries the rows behind it can have."""
        return [
            np.minimum(_sums(history, steps), columns_of(f)).astype(np.int64) for steps, f in zip(self.steps, self.factors, strict=False)
        ]

    def blocks(self, history: History) -> Iterator[slice]:
        """Runs of queries whose rows fit into memory."""
        return cuts(np.sum([np.ones(len(history.start), np.int64), *self.rooms(history)], axis=0), ENTRIES)

    def rows(self, history: History, factors: int) -> History:
        """The rows behind so many of the leading sparse factors."""
        for room, factor in zip(self.rooms(history)[:factors], self.factors, strict=False):
            rows = Rows.of_room(room)
            rows.add(history, factor, 1.0)
            history = History(rows.items.indptr[:-1], rows.counts, rows.items.values, rows.weights)
        return history

    def dense(self, history: History) -> Float32:
        """(queries, columns of the last factor) history F1 F2 ..., without the weight; a block of queries."""
        leading = len(self.steps)
        if leading == len(self.factors):
            last = self.factors[-1]
            out = np.zeros((len(history.start), columns_of(last)), np.float32)
            _add_entries(len(out), *self.rows(history, leading - 1), *_arrays(last), 1.0, out)
            return out
        rows, first = self.rows(history, leading), self.factors[leading]
        out = np.zeros((len(history.start), columns_of(first)), np.float32)
        _add_vectors(len(out), *rows, first, out)
        for factor in self.factors[leading + 1 :]:
            out = np.asarray(out @ factor, np.float32)
        return out

    def add_scores(self, history: History, out: Float32) -> None:
        """Add what the path gives to scores of a block of queries, where -inf is what has none yet."""
        if self.is_sparse:
            last = self.factors[-1]
            _add_entries(len(out), *self.rows(history, len(self.factors) - 1), *_arrays(last), self.weight, out)
        else:
            _add_products(len(out), self.dense(history), self.described, self.weight, out)


@final
@dataclass(frozen=True, eq=False)
class Rows:
    """Sparse rows that are being made, with room for what they can have."""

    items: Ragged
    weights: Float32  # -inf where there is nothing yet
    counts: Int64  # (rows,) how many places are filled

    @classmethod
    def of_room(cls, room: Int64) -> Rows:
        items = Ragged.of_lengths(room, np.zeros(int(room.sum()), np.int32))
        return cls(items, np.full(len(items.values), -np.inf, np.float32), np.zeros(len(room), np.int64))

    def add(self, rows: History, factor: Factor, weight: float) -> None:
        """Add weight * rows through a sparse factor."""
        _add_rows(
            len(self.counts), *rows, *_arrays(factor), weight, columns_of(factor), self.items.indptr[:-1], self.counts, self.items.values,
            self.weights,
        )  # fmt: skip


def arrays_of(factors: Any) -> dict[str, NDArray[Any]]:
    """What an artifact keeps of factors, which are told by their places."""
    parts = [{"dense": f} if isinstance(f, np.ndarray) else sparse_arrays(f) for f in factors]
    return {f"factor_{place}_{name}": array for place, part in enumerate(parts) for name, array in part.items()}


def factors_of_arrays(arrays: Any) -> list[Factor]:
    """The inverse of `arrays_of`."""
    parts: dict[int, dict[str, NDArray[Any]]] = {}
    for key, array in arrays.items():
        if key.startswith("factor_"):
            _, place, name = key.split("_")
            parts.setdefault(int(place), {})[name] = array
    return [parts[place]["dense"] if "dense" in parts[place] else sparse_of_arrays(parts[place]) for place in sorted(parts)]


def _arrays(factor: Factor) -> tuple[NDArray[Any], ...]:
    assert not isinstance(factor, np.ndarray)
    return factor.indptr, factor.indices, factor.data


def _leading(factors: tuple[Factor, ...]) -> tuple[sparse.csr_matrix, ...]:
    """The sparse factors before the first dense one."""
    return tuple(takewhile(lambda factor: not isinstance(factor, np.ndarray), factors))  # type: ignore[arg-type]


def _walks(chain: tuple[sparse.csr_matrix, ...]) -> NDArray[np.float64]:
    """(rows of the first,) how many entries of the last a walk from the row comes by."""
    reached = np.diff(chain[-1].indptr).astype(np.float64)
    for factor in reversed(chain[:-1]):
        out = np.zeros(factor.get_shape()[0])
        _add_reached(factor.indptr, factor.indices, reached, out)
        reached = out
    return reached


def _sums(history: History, per_item: NDArray[np.float64]) -> NDArray[np.float64]:
    """(queries,) the sum over the items of each history."""
    sums = np.concatenate([[0], np.cumsum(per_item[history.items])])
    return sums[history.start + history.counts] - sums[history.start]


@kernel
def _add_reached(indptr, indices, reached, out):  # pragma: no cover
    for row in range(len(out)):
        for at in range(indptr[row], indptr[row + 1]):
            out[row] += reached[indices[at]]


@Spread
def _add_rows(
    first, last, start, counts, items, weights, indptr, indices, data, scale, columns, out_start, out_counts, out_items, out_weights
):  # fmt: skip  # pragma: no cover
    """Entries of the row of q are added to those that it has; `mark` says of which row a sum in `total` is."""
    mark, total = np.full(columns, -1, np.int64), np.empty(columns, np.float32)
    for q in range(first, last):
        begin, size = out_start[q], out_counts[q]
        for at in range(begin, begin + size):
            mark[out_items[at]], total[out_items[at]] = q, out_weights[at]
        for h in range(start[q], start[q] + counts[q]):
            weight, row = np.float32(scale * weights[h]), items[h]
            for at in range(indptr[row], indptr[row + 1]):
                to = indices[at]
                if mark[to] == q:
                    total[to] += weight * data[at]
                else:
                    mark[to], total[to] = q, weight * data[at]
                    out_items[begin + size] = to
                    size += 1
        for at in range(begin, begin + size):
            out_weights[at] = total[out_items[at]]
        out_counts[q] = size


@Spread
def _add_entries(first, last, start, counts, items, weights, indptr, indices, data, scale, out):  # pragma: no cover
    """out[q] += scale * row of q through a sparse factor, where -inf is nothing yet."""
    for q in range(first, last):
        to_row = out[q]
        for h in range(start[q], start[q] + counts[q]):
            weight, row = np.float32(scale * weights[h]), items[h]
            for at in range(indptr[row], indptr[row + 1]):
                to, term = indices[at], weight * data[at]
                to_row[to] = term if to_row[to] == -np.inf else to_row[to] + term


@Spread
def _add_vectors(first, last, start, counts, items, weights, vectors, out):  # pragma: no cover
    """out[q] += row of q through a dense factor."""
    for q in range(first, last):
        total = out[q]
        for h in range(start[q], start[q] + counts[q]):
            weight, vector = np.float32(weights[h]), vectors[items[h]]
            for j in range(len(total)):
                total[j] += weight * vector[j]


@Spread
def _add_products(first, last, products, described, scale, out):  # pragma: no cover
    """out += scale * products in the columns that are described, for rows that are not of zeros alone; -inf is nothing yet."""
    for q in range(first, last):
        product, row = products[q], out[q]
        if not np.any(product):
            continue
        for j in range(len(row)):
            if described[j]:
                term = np.float32(scale) * product[j]
                row[j] = term if row[j] == -np.inf else row[j] + term
