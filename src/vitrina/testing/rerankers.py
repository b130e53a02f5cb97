"""Re-rankers that have no use but in tests: of what holds re-rankers, and as the smallest examples of one."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vitrina.base.state import Arrays
from vitrina.data.dataset import Dataset
from vitrina.rerank.base import Candidates, RerankerConfig
from vitrina.types import Queries
from vitrina.vocabulary import id_hashes

GOLDEN = 0x9E3779B97F4A7C15


@final
class KeepOrder(RerankerConfig):
    """The order that the candidates have; needs nothing of the log.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> lists = vt.Popularity().fit(data).recommend(data.queries(), k=4)
    >>> again = KeepOrder().fit(data).rerank(data.queries(), lists, k=2)
    >>> (again.items == lists.items[:, :2]).all()
    np.True_
    """

    def order(self, queries: Queries, candidates: Candidates, items: Arrays) -> tuple[NDArray[Any], NDArray[Any]]:
        return candidates.best_first(candidates.lists.scores)


@final
class ByHash(RerankerConfig):
    """Candidates by a number that each item's id has, whatever the model said of them.

    Args:
        seed: another seed gives other numbers.

    >>> import vitrina as vt
    >>> data = vt.testing.toy()
    >>> lists = ByHash().fit(data).rerank(data.queries(), vt.Popularity().fit(data).recommend(data.queries(), k=4), k=2)
    >>> "relevance" in lists.extra
    True
    """

    seed: int = Field(default=0, ge=0, lt=2**31)

    def of_items(self, data: Dataset) -> Arrays:
        mixed = (id_hashes(data.items) ^ np.uint64(self.seed)) * np.uint64(GOLDEN)
        return {"numbers": (mixed >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)}

    def order(self, queries: Queries, candidates: Candidates, items: Arrays) -> tuple[NDArray[Any], NDArray[Any]]:
        return candidates.best_first(items["numbers"][candidates.lists.items])
