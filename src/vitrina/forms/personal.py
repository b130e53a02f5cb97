"""The forms of own favourites: what the person took before."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy import sparse

from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.base import SPARSE_QUERIES, Form
from vitrina.forms.decay import Decay
from vitrina.forms.history import own_scores
from vitrina.retrieve.top_k import top_k_ragged
from vitrina.types import Eligibility, Float32, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False, repr=False)
class OwnItems(Form):
    """Scores of the items of the history; no opinion of items that the person never took.

    Cost: the length of the history.
    """

    @abstractmethod
    def own(self, queries: Queries) -> sparse.csr_matrix:
        """(queries, items) float32 scores of what each took."""

    def queries_per_block(self) -> int:
        return SPARSE_QUERIES

    def score_block(self, queries: Queries) -> Float32:
        own = self.own(queries)
        scores = np.full((len(queries), len(self.vocabulary)), -np.inf, np.float32)
        scores[np.repeat(np.arange(len(queries)), np.diff(own.indptr)), own.indices] = own.data
        return scores

    def answer_block(self, queries: Queries, k: int, eligible: Eligibility) -> Recommendations:
        own = self.own(queries)
        candidates = Ragged(np.asarray(own.indptr, np.int64), np.asarray(own.indices, np.int32))
        return top_k_ragged(candidates, np.asarray(own.data, np.float32), queries, k, eligible, self.catalogue, self.vocabulary)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Personal(OwnItems):
    """How often the person took an item before, old events fading."""

    vocabulary: Vocabulary
    catalogue: Catalogue
    decay: Decay | None = None

    def own(self, queries: Queries) -> sparse.csr_matrix:
        return own_scores(queries, len(self.vocabulary), self.decay)

    def state(self) -> State:
        return State({"decay": self.decay})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Personal:
        return cls(vocabulary, catalogue, **state.config)
