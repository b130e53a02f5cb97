"""Re-rankers that have no use but in tests: of what holds re-rankers, and as the smallest examples of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vitrina.base.state import State
from vitrina.data.dataset import Dataset
from vitrina.rerank.base import Candidates, RerankerConfig
from vitrina.types import Eligibility, Queries, Recommendations
from vitrina.vocabulary import id_hashes


@final
class KeepOrder(RerankerConfig):
    """The order that the candidates have; needs nothing of the log."""

    def fit(self, data: Dataset) -> KeepOrder:
        return self

    def rerank(
        self, queries: Queries, recommendations: Recommendations, k: int, *, eligible: Eligibility = Eligibility()
    ) -> Recommendations:
        candidates = Candidates.of(queries, recommendations, k, eligible)
        places = np.arange(candidates.k)
        chosen = np.where(places < candidates.counts[:, None], places, -1)
        return candidates.listed(chosen, candidates.lists.scores[:, : candidates.k])

    def state(self) -> State:
        return State()

    @classmethod
    def of_state(cls, state: State) -> KeepOrder:
        return cls()


@final
class ByHash(RerankerConfig):
    """Candidates by a number that each item's id has, whatever the model said of them.

    Args:
        seed: another seed gives other numbers.
    """

    seed: int = Field(default=0, ge=0, lt=2**31)

    def fit(self, data: Dataset) -> Hashed:
        mixed = (id_hashes(data.items) ^ np.uint64(self.seed)) * np.uint64(0x9E3779B97F4A7C15)
        return Hashed((mixed >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24))


@final
@dataclass(frozen=True, eq=False)
class Hashed:
    """Args:
    numbers: (items,) what orders the candidates.
    """

    numbers: NDArray[Any]

    def rerank(
        self, queries: Queries, recommendations: Recommendations, k: int, *, eligible: Eligibility = Eligibility()
    ) -> Recommendations:
        candidates = Candidates.of(queries, recommendations, k, eligible)
        scored = np.arange(candidates.lists.k) < candidates.counts[:, None]
        scores = np.where(scored, self.numbers[candidates.lists.items], -1)
        order = np.lexsort((candidates.lists.items, -scores), axis=-1)[:, : candidates.k]
        scores = np.take_along_axis(scores, order, axis=1)
        return candidates.listed(np.where(scores >= 0, order, -1), scores)

    def state(self) -> State:
        return State(arrays={"numbers": self.numbers})

    @classmethod
    def of_state(cls, state: State) -> Hashed:
        return cls(np.asarray(state.arrays["numbers"]))
