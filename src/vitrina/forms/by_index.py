"""The form of vectors whose best items an approximate index finds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.blended import own_places
from vitrina.forms.vectors import Vectors
from vitrina.request import list_width
from vitrina.retrieve.graph import Graph
from vitrina.retrieve.products import ItemVectors, Products, top_k_product
from vitrina.retrieve.top_k import allowed_mask, top_k_ragged
from vitrina.types import Eligibility, Float32, Int64, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary

FEW = 0.05  # of the indexed items: where fewer are eligible for everybody, multiplying them is quicker than finding them
MOST = 0.1  # of the indexed items: who needs more of them gets all scores
FOUND = 1 << 20  # items that are found at a time


@final
@dataclass(frozen=True, eq=False, repr=False)
class ByIndex(Vectors):
    """The scores of another form of vectors; the items of a list are those that an index finds, with their exact scores.

    For each query the index is asked for as many as its list, what it must not get, and what its eligibility for everybody leaves out, come to, a power of
    two and `search` at least; where too few of them are eligible, for twice as many, and where that is a tenth of all, every item is scored. So a list is short only
    where nothing eligible is left, and hangs on nobody else who asks. An eligibility that leaves few items is answered by their products.

    Cost: a query walks through some hundreds of items times the logarithm of their number, and not through all; memory of the vectors once more, and the edges.

    Args:
        inner: what is indexed.
        graph: of its items that may be recommended.
        search: how many of the nearest a search keeps.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    inner: Vectors
    graph: Graph
    search: int

    @property
    def item_vectors(self) -> Float32:
        return self.inner.item_vectors

    @property
    def adds(self) -> str:
        return self.inner.adds

    @cached_property
    def table_of_items(self) -> ItemVectors:
        return self.inner.table_of_items

    def encode(self, queries: Queries) -> Float32:
        return self.inner.encode(queries)

    def products(self, queries: Queries) -> Products:
        return self.inner.products(queries)

    def answer_block(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        products, n_indexed = self.products(queries), len(self.graph.items)
        share = allowed_mask(eligible, self.catalogue)[self.graph.items].sum() / max(n_indexed, 1)
        if not len(queries) or isinstance(eligible.include, Ragged) or share < FEW:
            return top_k_product(products, queries, k, eligible, self.catalogue, self.vocabulary)
        k = list_width(k, self.catalogue)
        sizes, left = self._sizes(products, eligible.banned(queries), k / share), np.arange(len(queries))
        rows, lists = [], []
        while len(left):
            size = int(sizes[left].min())
            whole = size > MOST * n_indexed
            now = left if whole else left[sizes[left] == size][: max(FOUND // size, 1)]
            asked = products.take(now), queries[now], k, eligible.take(now)
            answer = top_k_product(*asked, self.catalogue, self.vocabulary) if whole else self._found(*asked, size)
            enough = whole | ~asked[0].known | own_places(answer).all(axis=1)
            rows.append(now[enough])
            lists.append(answer[enough])
            sizes[now[~enough]] *= 2
            left = np.setdiff1d(left, now[enough])
        return Recommendations.concat(lists)[np.argsort(np.concatenate(rows))]

    def _sizes(self, products: Products, banned: Ragged, least: float) -> Int64:
        """(queries,) how many items are asked for at first: `least` are eligible for everybody, and there are those of each query's own."""
        own = banned.lengths + products.added_rows.lengths
        return np.maximum(2 ** np.ceil(np.log2(least + own)).astype(np.int64), self.search)

    def _found(self, products: Products, queries: Queries, k: int, eligible: Eligibility, size: int) -> Recommendations:
        """The best of so many items that the graph finds, and of those to which something is added."""
        found = self.graph.nearest(np.where(products.known[:, None], products.states, 0), size)
        found[~products.known] = -1
        candidates = Ragged.of_lengths((found >= 0).sum(axis=1), found[found >= 0])
        late = products.items.late  # of which the graph may know nothing, or what they were
        others = [products.added_rows, Ragged.of_lengths(np.full(len(queries), len(late)), np.tile(late, len(queries)))]
        others = [rows for rows in others if len(rows.values)]
        if others:
            keys = np.unique(np.concatenate([rows.row_of * len(self.vocabulary) + rows.values for rows in (candidates, *others)]))
            counts = np.bincount(keys // len(self.vocabulary), minlength=len(queries))
            candidates = Ragged.of_lengths(counts, keys % len(self.vocabulary))
        return top_k_ragged(candidates, products.pairs(candidates), queries, k, eligible, self.catalogue, self.vocabulary)

    def state(self) -> State:
        return State({"search": self.search}, {"items": self.graph.items}, {"graph": self.graph.to_bytes()}, {"inner": self.inner})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> ByIndex:
        search, written = state.config["search"], state.files["graph"]
        assert isinstance(written, bytes)
        return cls(vocabulary, catalogue, state.children["inner"], Graph.of_bytes(state.arrays["items"], written, search), search)
