"""The forms of factored item maps: a history through weights from item to item that are never made, only the factors whose product they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from vitrina.base.config import parameters_of
from vitrina.base.errors import ParameterError
from vitrina.base.kernels import Spread, kernel
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.base import SPARSE_QUERIES, Form
from vitrina.forms.combine import Sum
from vitrina.forms.matrices import columns_of, sparse_arrays, sparse_of_arrays
from vitrina.forms.reading import History, Reading
from vitrina.forms.vectors import Vectors
from vitrina.retrieve.products import Products
from vitrina.retrieve.top_k import block_size, top_k_ragged
from vitrina.types import Bool, Eligibility, Float32, Int32, Int64, Queries, Ragged, Recommendations, cuts, ranges
from vitrina.vocabulary import Vocabulary

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


@final
@dataclass(frozen=True, eq=False, repr=False)
class FactoredMap(Form):
    """score = sum over the paths of weight * x F1 F2 ... + x diag(own), with x the history by the `reading`, whose weights are summed.

    A path of sparse factors alone scores what it leads to; one with a dense factor all items that its last factor has something for, where it has something for an item of
    the history. What no path leads to, and `own` has nothing for, is -inf.

    Cost: sparse factors: the entries that the walk from the history comes by; dense ones their size. Memory beside the factors, whatever the number of queries:
    32 MB of entries, a block of scores of 16 MB, and 8 bytes x the widest factor x threads.

    Args:
        paths: at least one.
        own: (items,) what an item of the history adds to its own score; None for nothing.
        reading: how the history is read; its weights are combined by `Sum`.

    Raises:
        ParameterError: the factors don't follow one another from items to items, or the reading combines otherwise.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    paths: tuple[Path, ...]
    own: Float32 | None = None
    reading: Reading = field(default_factory=Reading)

    def __post_init__(self) -> None:
        for path in self.paths or (Path(()),):
            _require_chain(path.factors, len(self.vocabulary), len(self.vocabulary))
        _require_sum(self.reading)

    @property
    def is_sparse(self) -> bool:
        return all(path.is_sparse for path in self.paths)

    @cached_property
    def ways(self) -> tuple[Path, ...]:
        """The paths, with the own weights as one more."""
        if self.own is None:
            return self.paths
        return (*self.paths, Path((sparse.csr_matrix(sparse.diags(self.own, dtype=np.float32)),)))

    def queries_per_block(self) -> int:
        return SPARSE_QUERIES if self.is_sparse else block_size(len(self.vocabulary))

    def score_block(self, queries: Queries) -> Float32:
        return self._scores(self.reading.read(queries, len(self.vocabulary)))

    def item_relations(self, items: Int32) -> Float32:
        """The scores of a history of each of `items` alone."""
        places = np.arange(len(items), dtype=np.int64)
        return self._scores(History(places, np.ones(len(items), np.int64), items, np.ones(len(items), np.float32)))

    def _scores(self, history: History) -> Float32:
        out = np.full((len(history.start), len(self.vocabulary)), -np.inf, np.float32)
        for path in self.ways:
            for part in path.blocks(history):
                path.add_scores(history.rows(part), out[part])
        return out

    def answer_block(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        if not self.is_sparse:
            return super().answer_block(queries, k, eligible)
        history = self.reading.read(queries, len(self.vocabulary))
        room = np.sum([room for path in self.ways for room in path.rooms(history)], axis=0)
        return Recommendations.concat(
            [self._answer(history.rows(p), queries[p], k, eligible.rows(p)) for p in list(cuts(room, ENTRIES)) or [slice(0, 0)]]
        )

    def _answer(self, history: History, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        room = np.sum([path.rooms(history)[-1] for path in self.ways], axis=0)
        out = Rows.of_room(np.minimum(room, len(self.vocabulary)))
        for path in self.ways:
            out.add(path.rows(history, len(path.factors) - 1), path.factors[-1], path.weight)
        return top_k_ragged(out.items, out.weights, queries, k, eligible, self.catalogue, self.vocabulary)

    def state(self) -> State:
        own = {} if self.own is None else {"own": self.own}
        distinct = {id(factor): factor for path in self.paths for factor in path.factors}  # a chain may go the same way twice
        places = {key: place for place, key in enumerate(distinct)}
        paths = [{"factors": [places[id(f)] for f in path.factors], "weight": path.weight} for path in self.paths]
        return State({"reading": parameters_of(self.reading), "paths": paths}, own | arrays_of(distinct.values()))

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> FactoredMap:
        factors = factors_of_arrays(state.arrays)
        paths = tuple(Path(tuple(factors[place] for place in p["factors"]), p["weight"]) for p in state.config["paths"])
        return cls(vocabulary, catalogue, paths, state.arrays.get("own"), Reading(**state.config["reading"]))


@final
@dataclass(frozen=True, eq=False, repr=False)
class FactoredEncoder(Vectors):
    """score[j] = x F1 F2 ... v_j + x_j own_j: the history as a vector beside that of the item, which is one path whose last factor is dense.

    An item whose vector is of zeros has no score, and a history that leads to a vector of zeros gives none.

    Cost: a query costs history x dim, and items x dim for the product. Memory beside the vectors: 16 MB of scores.

    Args:
        vectors: (items, dim) of the items that are scored.
        factors: from the items of the history to dim, the first (items, something), the last (..., dim); empty where an item of the history has the
            same vector as one that is scored.
        own: (items,) what an item of the history adds to its own score; None for nothing.
        reading: how the history is read; its weights are combined by `Sum`.

    Raises:
        ParameterError: the factors don't lead from the items to the dimensions of the vectors, or the reading combines otherwise.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    vectors: Float32
    factors: tuple[Factor, ...] = ()
    own: Float32 | None = None
    reading: Reading = field(default_factory=Reading)

    def __post_init__(self) -> None:
        _require_chain((*self.path.factors, self.vectors.T), len(self.vocabulary), len(self.vocabulary))
        _require_sum(self.reading)

    @cached_property
    def path(self) -> Path:
        """From the items of the history to the dimensions."""
        return Path(self.factors or (self.vectors,))

    @property
    def item_vectors(self) -> Float32:
        """(items, dim) of each item."""
        return self.vectors

    @property
    def adds(self) -> str:
        """What a score has beside the product of the two vectors."""
        return "" if self.own is None else "the own weight of an item of the history"

    def encode(self, queries: Queries) -> Float32:
        """(queries, dim) the history as a vector; zeros where nothing is known of its items."""
        out = np.empty((len(queries), self.vectors.shape[1]), np.float32)
        for part, block in queries.blocks(SPARSE_QUERIES):
            history = self.reading.read(block.counted(), len(self.vocabulary))
            for rows in self.path.blocks(history):
                out[part][rows] = self.path.dense(history.rows(rows))
        return out

    def products(self, queries: Queries) -> Products:
        return Products.of(self.encode(queries), self.table_of_items, self._added(queries))

    def _added(self, queries: Queries) -> sparse.csr_matrix | None:
        """(queries, items) what the items of the history add to their own scores."""
        if self.own is None:
            return None
        history = self.reading.read(queries, len(self.vocabulary))
        items, weights = (column[ranges(history.start, history.counts)] for column in (history.items, history.weights))
        indptr = np.append(0, np.cumsum(history.counts))
        added = sparse.csr_matrix((weights * self.own[items], items, indptr), (len(queries), len(self.vocabulary)))
        added.sum_duplicates()
        return added

    def state(self) -> State:
        own = {} if self.own is None else {"own": self.own}
        return State({"reading": parameters_of(self.reading)}, {"vectors": self.vectors} | own | arrays_of(self.factors))

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> FactoredEncoder:
        factors = tuple(factors_of_arrays(state.arrays))
        return cls(vocabulary, catalogue, state.arrays["vectors"], factors, state.arrays.get("own"), Reading(**state.config["reading"]))


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


def _require_chain(factors: tuple[Factor, ...], rows: int, columns: int) -> None:
    shapes = [tuple(f.shape) for f in factors]  # type: ignore[union-attr]
    ends = [rows, *(shape[1] for shape in shapes)]
    if not shapes or any(shape[0] != before for shape, before in zip(shapes, ends, strict=False)) or ends[-1] != columns:
        raise ParameterError(
            f"The factors of a path must lead from the {rows:,} items of the vocabulary to themselves, each with as many rows as the one before has "
            f"columns. Got {' '.join(map(str, shapes)) or 'none'}."
        )


def _require_sum(reading: Reading) -> None:
    if not isinstance(reading.combine, Sum):
        raise ParameterError(
            f"The reading of a factored map combines by vt.combine.Sum(), as the weights from item to item are never made. Got {reading.combine!r}."
        )


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
