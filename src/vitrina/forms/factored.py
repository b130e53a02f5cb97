"""The forms of factored item maps: a history through weights from item to item that are never made, only the factors whose product they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import numpy as np
from scipy import sparse

from vitrina.base.config import parameters_of
from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.base import SPARSE_QUERIES, Form
from vitrina.forms.combine import Sum
from vitrina.forms.paths import ENTRIES, Factor, Path, Rows, arrays_of, factors_of_arrays
from vitrina.forms.reading import History, Reading
from vitrina.forms.vectors import Vectors
from vitrina.retrieve.products import Products
from vitrina.retrieve.top_k import block_size, top_k_ragged
from vitrina.types import Eligibility, Float32, Int32, Queries, Recommendations, cuts, ranges
from vitrina.vocabulary import Vocabulary


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
        places = ranges(history.start, history.counts)
        items, indptr = history.items[places], np.append(0, np.cumsum(history.counts))
        added = sparse.csr_matrix((history.weights[places] * self.own[items], items, indptr), (len(queries), len(self.vocabulary)))
        added.sum_duplicates()
        return added

    def state(self) -> State:
        own = {} if self.own is None else {"own": self.own}
        return State({"reading": parameters_of(self.reading)}, {"vectors": self.vectors} | own | arrays_of(self.factors))

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> FactoredEncoder:
        factors = tuple(factors_of_arrays(state.arrays))
        return cls(vocabulary, catalogue, state.arrays["vectors"], factors, state.arrays.get("own"), Reading(**state.config["reading"]))


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
