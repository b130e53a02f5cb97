"""The form of fixed item vectors: the mean of the history's vectors beside that of the item."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from scipy import sparse

from vitrina.base.kernels import Spread
from vitrina.base.state import State
from vitrina.catalogue import Catalogue, unit_rows
from vitrina.forms.base import SPARSE_QUERIES
from vitrina.forms.decay import Decay
from vitrina.forms.faint import cosines
from vitrina.forms.history import faint, faint_history, history_matrix
from vitrina.forms.levels import DEEP
from vitrina.forms.matrices import columns_of, sparse_arrays, sparse_of_arrays
from vitrina.forms.vectors import Vectors
from vitrina.retrieve.products import Products
from vitrina.retrieve.top_k import block_size, top_k_dense
from vitrina.types import Eligibility, Float32, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary


@final
@dataclass(frozen=True, eq=False, repr=False)
class Embeddings(Vectors):
    """The cosine of the item's vector and the mean vector of the history's items, old events fading.

    Vectors are sparse or dense, their rows of length 1. An item with a vector of zeros has no score, and with sparse
    vectors neither has one that shares no dimension with the history.

    Cost: dense vectors: items x dimensions x queries; sparse ones: for each query the entries of the columns that its history has.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    vectors: sparse.csr_matrix | Float32  # (items, dim)
    decay: Decay | None = None

    @property
    def item_vectors(self) -> sparse.csr_matrix | Float32:  # type: ignore[override]
        """(items, dim) of each item."""
        return self.vectors

    @property
    def is_sparse(self) -> bool:
        return not isinstance(self.vectors, np.ndarray)

    @cached_property
    def by_dimension(self) -> sparse.csr_matrix:
        """(dim, items) sparse vectors turned round."""
        return sparse.csr_matrix(self.vectors).T.tocsr()

    def encode(self, queries: Queries) -> Float32:
        """(queries, dim) direction of each history, of length 1, or 0 where nothing is known of its items."""
        out = np.empty((len(queries), columns_of(self.vectors)), np.float32)
        for part, block in queries.blocks(SPARSE_QUERIES):
            mean = self._mean(block.counted())
            out[part] = unit_rows(np.asarray(mean if isinstance(mean, np.ndarray) else mean.toarray(), np.float32))
        return out

    def _mean(self, queries: Queries) -> sparse.csr_matrix | Float32:
        """(queries, dim) the weighted sum of each history's vectors."""
        return history_matrix(queries, len(self.vocabulary), self.decay, relative=True) @ self.vectors

    def products(self, queries: Queries) -> Products:
        return Products.of(self.encode(queries), self.table_of_items)

    def queries_per_block(self) -> int:
        return block_size(len(self.vocabulary)) if self.is_sparse else super().queries_per_block()

    def answer_block(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        if not self.is_sparse:
            return super().answer_block(queries, k, eligible)
        return top_k_dense(self.score_block(queries), queries, k, eligible, self.catalogue, self.vocabulary)

    def score_block(self, queries: Queries) -> Float32:
        return super().score_block(queries) if isinstance(self.vectors, np.ndarray) else self._sparse_scores(queries, self.vectors)

    def pairs_block(self, queries: Queries, items: Ragged) -> Float32:
        if not self.is_sparse:
            return super().pairs_block(queries, items)
        return self.score_block(queries)[items.row_of, items.values]

    def _sparse_scores(self, queries: Queries, vectors: sparse.csr_matrix) -> Float32:
        mean, turned = sparse.csr_matrix(self._mean(queries)), self.by_dimension
        squares = np.bincount(np.repeat(np.arange(len(queries)), np.diff(mean.indptr)), mean.data.astype(np.float64) ** 2, len(queries))
        scores = np.full((len(queries), len(self.vocabulary)), -np.inf, np.float32)
        _add_columns(
            len(queries), mean.indptr, mean.indices, mean.data, np.sqrt(squares), turned.indptr, turned.indices, turned.data, scores
        )
        deep = faint(queries, self.decay, DEEP)
        if self.decay is not None and deep.any() and vectors.data.min(initial=0) >= 0:
            scores[deep] = cosines(*faint_history(queries[deep], len(self.vocabulary), self.decay), vectors)
        return scores

    def state(self) -> State:
        vectors = {"vectors": self.vectors} if isinstance(self.vectors, np.ndarray) else sparse_arrays(self.vectors)
        return State({"decay": self.decay}, vectors)

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Embeddings:
        vectors = state.arrays["vectors"] if "vectors" in state.arrays else sparse_of_arrays(state.arrays)
        return cls(vocabulary, catalogue, vectors, **state.config)


@Spread
def _add_columns(first, last, indptr, dimensions, weights, lengths, column_indptr, items, values, out):  # pragma: no cover
    """out[q, i] = sum over the dimensions of q of weight * value / length; what shares none, or sums to 0, stays -inf."""
    for q in range(first, last):
        row = out[q]
        for at in range(indptr[q], indptr[q + 1]):
            if not lengths[q] > 0:
                break
            weight, dimension = np.float32(weights[at] / lengths[q]), dimensions[at]
            for place in range(column_indptr[dimension], column_indptr[dimension + 1]):
                item, term = items[place], weight * values[place]
                row[item] = term if row[item] == -np.inf else row[item] + term
        for item in range(len(row)):
            if row[item] == 0:
                row[item] = -np.inf
