"""Who asked: how many people, how many queries, and whether one of them asks so much that the means are this person's."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vitrina.evaluate.people import persons_of


class Asked(NamedTuple):
    """People and queries of a board; `busiest` is the share of the queries that the person asks who asks most."""

    people: int
    queries: int
    busiest: float

    @classmethod
    def of(cls, users: NDArray[Any]) -> Asked:
        """Of (queries,) codes; each negative one is a visitor of its own.

        >>> Asked.of(np.array([3, 3, 3, 7, -1, -1]))
        Asked(people=4, queries=6, busiest=0.5)
        """
        queries = np.bincount(persons_of(users))
        return cls(len(queries), len(users), float(queries.max(initial=0) / max(len(users), 1)))
