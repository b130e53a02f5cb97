"""What re-rankers share that choose one item after another: how much diversity each request wants, and how alike two candidates are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vitrina.base.arrays import Float32, Float64, Int32, Int64
from vitrina.base.errors import ParameterError
from vitrina.base.heap import sift_down, sift_up
from vitrina.base.kernels import kernel, sum_kernel
from vitrina.base.state import Arrays
from vitrina.data.dataset import Dataset
from vitrina.forms.matrices import columns_of
from vitrina.protocols import Recommender
from vitrina.rerank.base import Candidates, RerankerConfig
from vitrina.rerank.similarity import ItemVectors, Vectors, chosen_vectors
from vitrina.types import Queries


class Greedy(RerankerConfig, ABC):
    """The base of what fills one place after another, within the limits of its candidates: a subclass fills `chosen` and `values` for all queries."""

    obeys_limits: ClassVar[bool] = True
    diversity: float = Field(default=0.3, ge=0, le=1)

    @abstractmethod
    def choose(self, queries: Queries, candidates: Candidates, items: Arrays, diversity: Float64, chosen: Int64, values: Float64) -> None:
        """Write the lists.

        Args:
            diversity: (queries,) what each request wants, in [0, 1].
            chosen: (queries, k) to be filled with places among the candidates; -1 stays where a query has no more.
            values: the same shape, for the value that each choice had.
        """

    def order(self, queries: Queries, candidates: Candidates, items: Arrays) -> tuple[NDArray[Any], NDArray[Any]]:
        diversity = queries.setting("diversity", self.diversity)
        if len(diversity) and not 0 <= diversity.min() <= diversity.max() <= 1:
            raise ParameterError(f"The 'diversity' of a query must be between 0 and 1. Got {diversity.min():g} to {diversity.max():g}.")
        chosen = np.full((len(queries), candidates.k), -1, np.int64)
        values = np.full(chosen.shape, np.nan)
        self.choose(queries, candidates, items, diversity, chosen, values)
        return chosen, values


class ByVectors(Greedy, ABC):
    """The base of those that compare item vectors."""

    vectors: ItemVectors | None = None

    def of_fitted(self, data: Dataset, recommender: Recommender | None) -> Arrays:
        return arrays_of(chosen_vectors(self.vectors, data, recommender))


class Rows(NamedTuple):
    """Item vectors in the form that kernels read: dense, or sparse as one row of all values with `indptr` and `indices`."""

    values: Float32  # (items, dim), or (1, entries)
    indptr: NDArray[Any]  # (items + 1,), or empty where dense
    indices: NDArray[Any]
    dim: int


def arrays_of(vectors: Vectors) -> Arrays:
    """What an artifact keeps of vectors; `rows_of` reads it."""
    if isinstance(vectors, np.ndarray):
        return {"vectors": vectors}
    dim = np.array([columns_of(vectors)])
    return {"indptr": vectors.indptr.astype(np.int64), "indices": vectors.indices.astype(np.int32), "values": vectors.data, "dim": dim}


def rows_of(arrays: Arrays) -> Rows:
    """The vectors among what a re-ranker took of the log."""
    if "vectors" in arrays:
        vectors = np.asarray(arrays["vectors"])
        return Rows(vectors, np.empty(0, np.int64), np.empty(0, np.int32), vectors.shape[1])
    return Rows(np.asarray(arrays["values"])[None], np.asarray(arrays["indptr"]), np.asarray(arrays["indices"]), int(arrays["dim"][0]))


def known_items(candidates: Candidates, arrays: Arrays) -> Int32:
    """(queries, candidates) codes of the candidates; -1 for what is newer than the vectors, and like nothing."""
    items = candidates.lists.items
    known = len(arrays["vectors"]) if "vectors" in arrays else len(arrays["indptr"]) - 1
    return np.where(items < known, items, -1).astype(np.int32)


@sum_kernel
def products(row, table, others, out):  # pragma: no cover
    """out[n] = the product of a row and row others[n] of a table, four at a time, so that the row is read once for four."""
    last = len(others) - 1
    for n in range(0, last + 1, 4):
        n2, n3, n4 = min(n + 1, last), min(n + 2, last), min(n + 3, last)
        a, b, c, d = table[others[n]], table[others[n2]], table[others[n3]], table[others[n4]]
        p, q, r, s = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for at in range(len(row)):
            value = row[at]
            p, q, r, s = p + value * a[at], q + value * b[at], r + value * c[at], s + value * d[at]
        out[n4], out[n3], out[n2], out[n] = s, r, q, p


@kernel
def cosines(vectors, item, others, out):  # pragma: no cover
    """out[n] = the cosine of the item and others[n], in [-1, 1]; 0 where one of them is not known."""
    values, indptr, indices, _ = vectors
    if item >= 0 and not len(indptr):
        products(values[item], values, others, out)  # of an unknown other, -1, that of the last row: overwritten below
    for n in range(len(others)):
        if item < 0 or others[n] < 0:
            out[n] = 0
        elif len(indptr):
            out[n] = _sparse_product(values[0], indptr, indices, item, others[n])
        out[n] = min(max(out[n], np.float32(-1)), np.float32(1))


@kernel
def _sparse_product(values, indptr, indices, one, other):  # pragma: no cover
    total, a, b = np.float32(0), indptr[one], indptr[other]
    while a < indptr[one + 1] and b < indptr[other + 1]:
        if indices[a] == indices[b]:
            total += values[a] * values[b]
        step = indices[b] - indices[a]
        a, b = a + (step >= 0), b + (step <= 0)
    return total


# What waits for a place stands in a queue: a heap of (-place among the candidates, -bound of its value), so that the largest bound is on top, and of equal
# ones the first candidate. A value that can only fall need not be known but for the candidates that come to the top.


@kernel
def opened_queue(bounds):  # pragma: no cover
    """A queue of all candidates; `bounds` must not rise, as a sorted list is a heap."""
    return -np.arange(len(bounds)), -bounds


@kernel
def opened_again(bounds, left):  # pragma: no cover
    """A queue of the candidates that are left; `bounds` of all of them must not rise. Beside it, how many wait."""
    places = np.flatnonzero(left)
    return -places, -bounds[places], len(places)


@kernel
def second(keys, size):  # pragma: no cover
    """The largest bound but that of the one on top."""
    return -min(keys[1] if size > 1 else np.inf, keys[2] if size > 2 else np.inf)


@kernel
def bring_up(queue, keys, size, out, may):  # pragma: no cover
    """Put candidates that may not stand here behind the queue until the one on top may. How many wait in the queue, and behind it."""
    while not may[-queue[0]]:
        size -= 1
        queue[0], queue[size] = queue[size], queue[0]
        keys[0], keys[size] = keys[size], keys[0]
        sift_down(queue, keys, size)
        out += 1
    return size, out


@kernel
def lower(queue, keys, size, bound):  # pragma: no cover
    """The bound of the one on top has become smaller."""
    keys[0] = -bound
    sift_down(queue, keys, size)


@kernel
def leave(queue, keys, size, out):  # pragma: no cover
    """The one on top leaves the queue, and those behind it come back. How many wait."""
    size -= 1
    queue[0], keys[0] = queue[size], keys[size]
    sift_down(queue, keys, size)
    for _ in range(out):
        queue[size], keys[size] = queue[size + 1], keys[size + 1]
        sift_up(queue, keys, size)
        size += 1
    return size
