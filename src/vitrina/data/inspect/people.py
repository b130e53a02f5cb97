"""Whom a split asks, and how large a difference between two models their answers could show: known before any model is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.base.power import ERRORS_SEEN, FEWEST_PEOPLE, people_needed
from vitrina.data.split import Split
from vitrina.data.split.tally import Lengths

WISHED = (0.01, 0.005, 0.002)  # differences of nDCG@10
# The standard deviation of the difference in nDCG@10 of two models, between people and between the queries of one, in the middle of six logs
# (.02 to .07 and .08 to .20): `python -m benchmarks.quality.spread` measures them, benchmarks/RESULTS.md has the table.
OF_PEOPLE, OF_QUERIES = 0.03, 0.17


@dataclass(frozen=True)
class Asked:
    """Whom the recommended split asks, and how small a difference between two models their answers let be seen.

    Queries of one person resemble one another. With n_u of N queries asked by person u the standard error of a difference is the root of
    OF_PEOPLE^2 / effective + OF_QUERIES^2 / N, where effective = (sum n_u)^2 / sum n_u^2 is the number of people who would tell as much if all asked
    alike. What is seen in four runs of five, in one comparison at 5%, is 2.80 of it; a board of many models asks for more.

    Args:
        people, queries: of the test part; a visitor without a name is one person.
        busiest: share of the queries that one person asks.
        effective: people, if all asked alike.
        seen: the difference of nDCG@10.
        needed: how many people who ask as these do would let a difference of .01, .005 and .002 be seen.
    """

    people: int
    queries: int
    busiest: float
    effective: float
    seen: float
    needed: dict[str, int]

    @classmethod
    def of(cls, users: NDArray[Any]) -> Asked:
        """(queries,) codes of who asks; negative for visitors without a name.

        >>> found = Asked.of(np.array([0, 0, 1, 2]))
        >>> found.people, round(found.effective, 2), found.busiest
        (3, 2.67, 0.5)
        """
        return cls.of_lengths(_queries_each(users))

    @classmethod
    def of_split(cls, split: Split) -> Asked:
        """Who asks in a split; a pass, of one in shards."""
        return cls.of_lengths(reduce(add, split.map_shards(_queries_each_of)))

    @classmethod
    def of_lengths(cls, queries: Lengths) -> Asked:
        """How many queries people ask."""
        total = int(queries.values @ queries.counts)
        effective = float(total**2 / (queries.values.astype(np.float64) ** 2 @ queries.counts))
        seen = ERRORS_SEEN * float(np.sqrt(OF_PEOPLE**2 / effective + OF_QUERIES**2 / total))
        needed = {f"{wished:g}": max(people_needed(wished, seen, queries.total), FEWEST_PEOPLE) for wished in WISHED}
        return cls(queries.total, total, queries.most / total, effective, seen, needed)


def _queries_each(users: NDArray[Any]) -> Lengths:
    _, counts = np.unique(np.where(users < 0, -1 - np.arange(len(users)), users), return_counts=True)
    return Lengths.of(counts)


def _queries_each_of(split: Split) -> Lengths:
    return _queries_each(split.queries.users)
