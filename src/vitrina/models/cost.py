"""What a fit will cost, by a formula of the log's size, before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

MEMORY_SHARE = 0.85  # of what is free, that a fit may take


@final
@dataclass(frozen=True)
class Size:
    """What of a log decides on the cost of a fit.

    Args:
        users, items, events: how many there are.
        entries: distinct pairs of a person and an item.
        pairs: sum over the people of the square of their distinct items: what a count of all pairs goes through.
        events_pairs: the same of all their events.
    """

    users: int
    items: int
    events: int
    entries: int
    pairs: float
    events_pairs: float


@final
@dataclass(frozen=True)
class Cost:
    """An estimate, good to about a factor of two; time is work by the rates that a machine has.

    Args:
        memory: bytes that a fit needs at its most beside the log.
        kept: bytes of the fitted form.
        flops: of dense products (BLAS, LAPACK, networks).
        steps: of compiled loops that jump about in memory.
    """

    memory: float
    kept: float
    flops: float = 0
    steps: float = 0
