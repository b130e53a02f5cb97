"""The form of factor models: item vectors, and a person's own vector that is solved for when the question comes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import final

import numpy as np

from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.base import SPARSE_QUERIES
from vitrina.forms.least_squares import Penalty, solved
from vitrina.forms.reading import Reading
from vitrina.forms.vectors import Vectors
from vitrina.retrieve.products import Products
from vitrina.types import Float32, Float64, Queries, ranges
from vitrina.vocabulary import Vocabulary


@final
@dataclass(frozen=True, eq=False, repr=False)
class FoldedIn(Vectors):
    """score = w v_i, where w is the least-squares vector of the history: the solution of the person's normal equations

        (V_S' C V_S + unobserved * V'V + l2 * (n + unobserved * |I|)^nu * I) w = V_S' c

    with V_S the vectors of the history's distinct items, c their weights (1, or the largest of an item's events where the log has weights), n
    the sum of c and |I| the number of items that have a vector. So a new visitor is served as a known one is, and somebody whose history grows gets
    another w at once. Items without a vector have no score and are not read; who has no known item has no scores.

    Cost: a query of n items costs 20 * n * dim multiplications and the product with all items; memory 16 MB of scores.

    Args:
        vectors: (items, dim) float32, turned so that V'V is diagonal (`least_squares.straightened`); zeros where an item has none.
        squares: (dim,) the diagonal of V'V.
        penalty: unobserved, l2 and nu.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    vectors: Float32
    squares: Float64
    penalty: Penalty

    @property
    def item_vectors(self) -> Float32:
        """(items, dim) of each item."""
        return self.vectors

    def encode(self, queries: Queries) -> Float32:
        """(queries, dim) the w of each history; zeros where nothing is known of its items."""
        out = np.empty((len(queries), self.vectors.shape[1]), np.float32)
        for part, block in queries.blocks(SPARSE_QUERIES):
            out[part] = self._solved(block.counted())
        return out

    def _solved(self, queries: Queries) -> Float32:
        history = Reading().read(queries, len(self.vocabulary))
        places, rows = ranges(history.start, history.counts), np.repeat(np.arange(len(queries)), history.counts)
        known = self.described[history.items[places]]
        places, indptr = places[known], np.append(0, np.cumsum(np.bincount(rows[known], minlength=len(queries))))
        weights = np.empty(0, np.float32) if queries.events.weights is None else history.weights[places].astype(np.float32)
        return solved(indptr, history.items[places], weights, self.vectors, self.squares, int(self.described.sum()), self.penalty)

    def products(self, queries: Queries) -> Products:
        return Products.of(self.encode(queries), self.table_of_items)

    def state(self) -> State:
        return State({"penalty": asdict(self.penalty)}, {"vectors": self.vectors, "squares": self.squares})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> FoldedIn:
        return cls(vocabulary, catalogue, state.arrays["vectors"], state.arrays["squares"], Penalty(**state.config["penalty"]))
