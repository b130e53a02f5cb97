"""The few fitted forms that many algorithms share: how they score, answer, and what an artifact keeps of them.

Save, load, serve and top-k are written once per form. `arrays()` and `of_arrays()` are what persistence uses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from vitrina.catalogue import Catalogue
from vitrina.topk import block_size, top_k_dense, top_k_ragged
from vitrina.types import Eligibility, Float32, Int32, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary

Arrays = Mapping[str, NDArray[Any]]


class Form(ABC):
    """A fitted recommender that can score any item of its vocabulary."""

    vocabulary: Vocabulary
    catalogue: Catalogue

    @abstractmethod
    def score_block(self, queries: Queries) -> Float32:
        """(queries, items) float32, C-contiguous; -inf where the form has no opinion. Called with few queries at a time."""

    @abstractmethod
    def arrays(self) -> Arrays:
        """The parameters, by name; the catalogue is kept apart."""

    @classmethod
    @abstractmethod
    def of_arrays(cls, vocabulary: Vocabulary, catalogue: Catalogue, arrays: Arrays) -> Form: ...

    def recommend(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The best k eligible items for each query. Memory: one block of scores, about 16 MB, whatever the queries."""
        parts = [self.answer_block(block, k, eligible.rows(part)) for part, block in queries.blocks(block_size(len(self.vocabulary)))] or [
            self.answer_block(queries, k, eligible)
        ]
        return Recommendations.concat(parts)

    def answer_block(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        return top_k_dense(self.score_block(queries), queries, k, eligible, self.catalogue, self.vocabulary)

    def score(self, queries: Queries, items: Int32) -> Float32:
        """(queries, items) scores of the given item codes."""
        out = np.empty((len(queries), len(items)), np.float32)
        for part, block in queries.blocks(block_size(len(self.vocabulary))):
            out[part] = self.score_block(block)[:, items]
        return out

    def score_pairs(self, queries: Queries, items: Ragged) -> Float32:
        """Scores of each query's own items, (pairs,)."""
        out = np.empty(len(items.values), np.float32)
        for part, block in queries.blocks(block_size(len(self.vocabulary))):
            own = items.rows(part)
            out[items.indptr[part.start] : items.indptr[part.stop]] = self.score_block(block)[own.row_of, own.values]
        return out


@final
@dataclass(frozen=True, eq=False)
class Static(Form):
    """The same scores for everybody; -inf for items that are never shown but as a fallback."""

    vocabulary: Vocabulary
    catalogue: Catalogue
    scores: Float32  # (items,)

    def score_block(self, queries: Queries) -> Float32:
        return np.tile(self.scores, (len(queries), 1))

    def answer_block(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        """Only the head of the ranking is looked at: k places, and one for each item that a query must not get."""
        order = np.lexsort((np.arange(len(self.scores)), -self.scores))
        order = order[np.isfinite(self.scores[order]) & self.catalogue.mask[order]].astype(np.int32)
        most_banned = int(eligible.banned(queries).lengths.max(initial=0))
        common = eligible.include is None and eligible.exclude is None
        head = order[: k + most_banned] if common else order
        candidates = Ragged(np.arange(len(queries) + 1, dtype=np.int64) * len(head), np.tile(head, len(queries)))
        return top_k_ragged(candidates, self.scores[candidates.values], queries, k, eligible, self.catalogue, self.vocabulary)

    def arrays(self) -> Arrays:
        return {"scores": self.scores}

    @classmethod
    def of_arrays(cls, vocabulary: Vocabulary, catalogue: Catalogue, arrays: Arrays) -> Static:
        return cls(vocabulary, catalogue, arrays["scores"])
