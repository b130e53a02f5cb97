"""Whom a split asks, and how large a difference between two models their answers could show: known before any model is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitrina.base.power import ERRORS_SEEN, people_needed
from vitrina.data.split import Split

WISHED = (0.01, 0.005, 0.002)  # differences of nDCG@10
SPREAD = 0.1


@dataclass(frozen=True)
class Asked:
    """Whom the recommended split asks, and what they let be seen.

    People count by what they ask: one who asks half of the questions is worth fewer than half of the people. `effective` is the number of people
    who would tell as much if all asked equally often, (sum n)^2 / sum n^2 with n the queries of each. The difference of nDCG@10 that two
    models would show in four runs of five is `seen` = 2.80 * SPREAD / sqrt(effective), for one comparison at 5%.

    Args:
        people, queries: of the test part; a visitor without a name is one person.
        busiest: share of the queries that one person asks.
        effective: people, if all asked alike.
        seen: the difference of nDCG@10.
        needed: how many people such as these would show a difference of .01, .005 and .002.
    """

    people: int
    queries: int
    busiest: float
    effective: float
    seen: float
    needed: dict[str, int]


def asked(split: Split | None) -> Asked | None:
    """None where no split can be made."""
    if split is None or not len(split.queries):
        return None
    users = np.asarray(split.queries.users, np.int64)
    _, counts = np.unique(np.where(users < 0, -1 - np.arange(len(users)), users), return_counts=True)
    effective = float(counts.sum() ** 2 / (counts.astype(np.float64) ** 2).sum())
    seen = ERRORS_SEEN * SPREAD / effective**0.5
    needed = {f"{d:g}": people_needed(d, seen, len(counts)) for d in WISHED}
    return Asked(len(counts), len(users), float(counts.max() / counts.sum()), effective, seen, needed)
