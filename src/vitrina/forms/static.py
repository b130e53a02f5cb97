"""The form of popularity: the same scores for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.base import SPARSE_QUERIES, Form
from vitrina.retrieve.top_k import allowed_mask, known_candidates, top_k_ragged
from vitrina.types import Eligibility, Float32, Int32, Queries, Ragged, Recommendations, ranges
from vitrina.vocabulary import Vocabulary


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

    def queries_per_block(self) -> int:
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

    def state(self) -> State:
        return State(arrays={"scores": self.scores})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Static:
        return cls(vocabulary, catalogue, state.arrays["scores"])
