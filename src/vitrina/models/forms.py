"""The few fitted forms that many algorithms share: how they score, answer, and what an artifact keeps of them.

Save, load, serve and top-k are written once per form. `arrays()` and `of_arrays()` are what persistence uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from vitrina.catalogue import Catalogue, unit_rows
from vitrina.errors import ParameterError
from vitrina.models.decay import Decay
from vitrina.models.faint import cosines
from vitrina.models.form import SPARSE_QUERIES, Arrays, Form
from vitrina.models.history import decay_arrays, decay_of_arrays, faint, faint_history, history_matrix, own_scores
from vitrina.models.levels import DEEP
from vitrina.models.nearest import blend_with_nearest, runs_of_people
from vitrina.models.profile import BasketProfile
from vitrina.models.shuffle import Keys, places, query_keys, walk
from vitrina.models.similar import id_arrays, ids_of_arrays, similar_people, vector_cosines
from vitrina.topk import allowed_mask, block_size, top_k_ragged
from vitrina.types import Bool, Eligibility, Float32, Float64, Int32, Int64, Queries, Ragged, Recommendations, ranges
from vitrina.vocabulary import Vocabulary, id_hashes


@final
@dataclass(frozen=True, eq=False, repr=False)
class Static(Form):
    """The same scores for everybody; -inf for items that are never shown but as a fallback.

    Cost: the ranking is sorted once; a query looks at k items and one more for each that it must not get.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    scores: Float32  # (items,)

    @cached_property
    def ranking(self) -> Int32:
        """The items with a score, best first; ties by code."""
        order = np.argsort(-self.scores, kind="stable")
        return order[np.isfinite(self.scores[order]) & self.catalogue.mask[order]].astype(np.int32)

    def queries_a_block(self) -> int:
        return SPARSE_QUERIES

    def score_block(self, queries: Queries) -> Float32:
        return np.tile(self.scores, (len(queries), 1))

    def answer_block(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        if isinstance(eligible.include, Ragged):
            candidates = known_candidates(eligible.include, np.isfinite(self.scores))
        else:
            head = self.ranking[allowed_mask(eligible, self.catalogue)[self.ranking]]
            lengths = np.minimum(k + eligible.banned(queries).lengths, len(head))
            candidates = Ragged.of_lengths(lengths, head[ranges(np.zeros(len(lengths), np.int64), lengths)])
        return top_k_ragged(candidates, self.scores[candidates.values], queries, k, eligible, self.catalogue, self.vocabulary)

    def arrays(self) -> Arrays:
        return {"scores": self.scores}

    @classmethod
    def of_arrays(cls, vocabulary: Vocabulary, catalogue: Catalogue, arrays: Arrays) -> Static:
        return cls(vocabulary, catalogue, arrays["scores"])


@final
@dataclass(frozen=True, eq=False, repr=False)
class Shuffled(Form):
    """The catalogue in an order of each query's own; asked again, a query gets the same order.

    The score of an item is 1 - place / items, the place being that in the query's order.

    Cost: a query looks at k items and one more for each that it must not get.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    seed: int

    @cached_property
    def hashes(self) -> Keys:
        """(items,) a number for each item id."""
        return id_hashes(self.vocabulary)

    @cached_property
    def order(self) -> Int32:
        """The catalogue by the hash of its ids, so that codes don't matter."""
        return self.catalogue.items[np.argsort(self.hashes[self.catalogue.items], kind="stable")]

    @cached_property
    def position(self) -> Int64:
        """(items,) place of each item in `order`; -1 outside the catalogue."""
        position = np.full(len(self.vocabulary), -1, np.int64)
        position[self.order] = np.arange(len(self.order))
        return position

    def queries_a_block(self) -> int:
        return SPARSE_QUERIES

    def score_block(self, queries: Queries) -> Float32:
        n_items = len(self.vocabulary)
        every = np.tile(np.arange(n_items, dtype=np.int32), len(queries))
        rows = Ragged.of_lengths(np.full(len(queries), n_items), every)
        return self.pairs_block(queries, rows).reshape(len(queries), n_items)

    def pairs_block(self, queries: Queries, items: Ragged) -> Float32:
        return self._scores(query_keys(queries, self.hashes, self.seed), items)

    def answer_block(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        keys = query_keys(queries, self.hashes, self.seed)
        candidates = self._candidates(keys, queries, k, eligible)
        return top_k_ragged(candidates, self._scores(keys, candidates), queries, k, eligible, self.catalogue, self.vocabulary)

    def _candidates(self, keys: Keys, queries: Queries, k: int, eligible: Eligibility) -> Ragged:
        if isinstance(eligible.include, Ragged):
            return known_candidates(eligible.include, self.catalogue.mask)
        wanted = np.minimum(k + eligible.banned(queries).lengths, len(self.order))
        room = Ragged.of_lengths(wanted, np.full(int(wanted.sum()), -1))
        walk(keys, self.order, allowed_mask(eligible, self.catalogue), wanted, room.indptr, room.values)
        return room.keep(room.values >= 0)

    def _scores(self, keys: Keys, items: Ragged) -> Float32:
        found = places(keys, items.row_of, self.position[items.values], len(self.order))
        return np.where(found < 0, -np.inf, 1 - found / max(len(self.order), 1)).astype(np.float32)

    def arrays(self) -> Arrays:
        return {"seed": np.array([self.seed])}

    @classmethod
    def of_arrays(cls, vocabulary: Vocabulary, catalogue: Catalogue, arrays: Arrays) -> Shuffled:
        return cls(vocabulary, catalogue, int(arrays["seed"][0]))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Personal(Form):
    """How often the person took an item before, old events fading; no opinion of items that the person never took.

    Cost: the length of the history.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    decay: Decay | None = None

    def queries_a_block(self) -> int:
        return SPARSE_QUERIES

    def score_block(self, queries: Queries) -> Float32:
        own = own_scores(queries, len(self.vocabulary), self.decay)
        scores = np.full((len(queries), len(self.vocabulary)), -np.inf, np.float32)
        scores[np.repeat(np.arange(len(queries)), np.diff(own.indptr)), own.indices] = own.data
        return scores

    def answer_block(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        own = own_scores(queries, len(self.vocabulary), self.decay)
        candidates = Ragged(np.asarray(own.indptr, np.int64), np.asarray(own.indices, np.int32))
        return top_k_ragged(candidates, np.asarray(own.data, np.float32), queries, k, eligible, self.catalogue, self.vocabulary)

    def arrays(self) -> Arrays:
        return decay_arrays(self.decay)

    @classmethod
    def of_arrays(cls, vocabulary: Vocabulary, catalogue: Catalogue, arrays: Arrays) -> Personal:
        return cls(vocabulary, catalogue, decay_of_arrays(arrays))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Neighbours(Form):
    """alpha * own vector + (1 - alpha) * mean vector of the nearest people, by Euclidean distance; -inf where both are 0.

    The own vector is made of the query's history. The people to search are those of the fit, whose vectors it keeps (not
    their logs): somebody who is among them, asked with an unchanged history, is the nearest neighbour of himself.

    Cost: a query costs the people that share an item with it, one pass over all, and the vectors of the neighbours; queries of one
    person that follow each other share most of it. Memory O(threads x (people + items)).
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    profile: BasketProfile
    vectors: sparse.csr_matrix  # (people, items), indices sorted
    neighbours: int
    alpha: float
    people: Vocabulary | None = None  # who the rows of `vectors` are; None in an artifact from before they were kept

    @cached_property
    def by_item(self) -> sparse.csr_matrix:
        """(items, people)."""
        return self.vectors.T.tocsr()

    @cached_property
    def squares(self) -> Float64:
        """(people,) squared lengths of the vectors."""
        square = sparse.csr_matrix(
            (self.vectors.data.astype(np.float64) ** 2, self.vectors.indices, self.vectors.indptr), self.vectors.shape
        )
        return np.asarray(square.sum(axis=1)).ravel()

    def score_block(self, queries: Queries) -> Float32:
        own = self.profile.vectors(queries, len(self.vocabulary))
        runs = runs_of_people(queries)
        return blend_with_nearest(own, self.vectors, self.by_item, self.squares, self.neighbours, self.alpha, runs)

    def similar_users(self, users: Sequence[Any] | pl.Series, k: int = 10, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The `k` people of the fit whose vectors are nearest; the score is minus the Euclidean distance. See `Form.similar_users`."""
        if self.people is None:
            raise ParameterError("This artifact was written before the ids of its people were kept. Fit the model again.")
        return similar_people(self.vectors, self.squares, self.people, users, k, eligible)

    def arrays(self) -> Arrays:
        settings = np.array([self.neighbours, self.alpha], np.float64)
        return sparse_arrays(self.vectors) | {"profile": self.profile.array(), "settings": settings} | id_arrays(self.people)

    @classmethod
    def of_arrays(cls, vocabulary: Vocabulary, catalogue: Catalogue, arrays: Arrays) -> Neighbours:
        neighbours, alpha = arrays["settings"].tolist()
        vectors = sparse_of_arrays(arrays, len(vocabulary))
        profile, people = BasketProfile.of_array(arrays["profile"]), ids_of_arrays(arrays)
        return cls(vocabulary, catalogue, profile, vectors, int(neighbours), alpha, people)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Embeddings(Form):
    """The cosine of the item's vector and the mean vector of the history's items, old events fading.

    Vectors are sparse or dense, their rows of length 1. An item with a vector of zeros has no score, and with sparse
    vectors neither has one that shares no dimension with the history.

    Cost: entries of the item vectors x queries; memory for a block of queries x the larger of items and dimensions.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    vectors: sparse.csr_matrix | Float32  # (items, dim)
    decay: Decay | None = None

    @cached_property
    def described(self) -> Bool:
        """(items,) which items have a vector."""
        if isinstance(self.vectors, np.ndarray):
            return np.any(self.vectors != 0, axis=1)
        return np.diff(self.vectors.indptr) > 0

    def queries_a_block(self) -> int:
        return block_size(max(len(self.described), columns_of(self.vectors)))

    def encode(self, queries: Queries) -> Float32:
        """(queries, dim) direction of each history, of length 1, or 0 where nothing is known of its items."""
        out = np.empty((len(queries), columns_of(self.vectors)), np.float32)
        for part, block in queries.blocks(SPARSE_QUERIES):
            mean = history_matrix(block.counted(), len(self.vocabulary), self.decay, relative=True) @ self.vectors
            out[part] = unit_rows(np.asarray(mean if isinstance(mean, np.ndarray) else mean.toarray(), np.float32))
        return out

    def score_block(self, queries: Queries) -> Float32:
        encoded = self.encode(queries)
        scores = np.ascontiguousarray((self.vectors @ np.ascontiguousarray(encoded.T)).T)
        scores[:, ~self.described] = -np.inf
        scores[~encoded.any(axis=1)] = -np.inf
        if not isinstance(self.vectors, np.ndarray):
            scores[scores == 0] = -np.inf
            deep = faint(queries, self.decay, DEEP)
            if self.decay is not None and deep.any() and self.vectors.data.min(initial=0) >= 0:
                scores[deep] = cosines(*faint_history(queries[deep], len(self.vocabulary), self.decay), self.vectors)
        return scores

    def item_relations(self, items: Int32) -> Float32:
        return vector_cosines(self.vectors, items)

    def arrays(self) -> Arrays:
        vectors = {"vectors": self.vectors} if isinstance(self.vectors, np.ndarray) else sparse_arrays(self.vectors)
        return vectors | decay_arrays(self.decay)

    @classmethod
    def of_arrays(cls, vocabulary: Vocabulary, catalogue: Catalogue, arrays: Arrays) -> Embeddings:
        vectors = arrays["vectors"] if "vectors" in arrays else sparse_of_arrays(arrays, int(arrays["dim"][0]))
        return cls(vocabulary, catalogue, vectors, decay_of_arrays(arrays))


def known_candidates(include: Ragged, known: Bool) -> Ragged:
    """Each query's own `include`, once each, without what is not `known`."""
    rows = include.keep((include.values >= 0) & (include.values < len(known)))
    return rows.keep(known[rows.values]).unique()


def columns_of(matrix: sparse.csr_matrix | Float32) -> int:
    """The width of a matrix."""
    _, columns = matrix.shape  # type: ignore[misc]
    return int(columns)


def sparse_arrays(matrix: sparse.csr_matrix) -> dict[str, NDArray[Any]]:
    """What an artifact keeps of a sparse matrix."""
    return {"indptr": matrix.indptr, "indices": matrix.indices, "data": matrix.data, "dim": np.array([columns_of(matrix)])}


def sparse_of_arrays(arrays: Arrays, columns: int) -> sparse.csr_matrix:
    """The inverse of `sparse_arrays`."""
    shape = (len(arrays["indptr"]) - 1, columns)
    return sparse.csr_matrix((arrays["data"], arrays["indices"], arrays["indptr"]), shape=shape)
