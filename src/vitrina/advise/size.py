"""What of a log decides on the cost of a fit, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset
from vitrina.data.order import last_of_pairs
from vitrina.models.cost import Size
from vitrina.types import Bool


def size_of(data: Dataset) -> Size:
    """The size of a log, of the events that count: one pass over its shards.

    Raises:
        DataError: nothing counts.

    >>> import vitrina as vt
    >>> size_of(vt.testing.toy())
    Size(users=6, items=4, events=20, entries=19, pairs=61.0, events_pairs=68.0)
    """
    total, taken = np.zeros(5), np.zeros(data.n_items, bool)
    for numbers, items in data.map_shards(_of_shard):
        total += numbers
        taken |= items
    users, events, entries, pairs, events_pairs = total.tolist()
    if not events:
        raise DataError(f"{data!r} has no events that count, so there is nothing to fit. Name a log with events of weights above 0.")
    return Size(int(users), int(taken.sum()), int(events), int(entries), pairs, events_pairs)


def _of_shard(shard: Dataset) -> tuple[Any, Bool]:
    """The sums of a shard, and the items that have events there."""
    counted = shard.counted()
    events = np.diff(counted.indptr)
    once = last_of_pairs(counted.events.items, counted.indptr, shard.n_items)
    entries = np.diff(np.append(0, np.cumsum(once))[counted.indptr])
    sums = (events > 0).sum(), events.sum(), entries.sum(), (entries.astype(float) ** 2).sum(), (events.astype(float) ** 2).sum()
    return np.array(sums, float), np.bincount(counted.events.items, minlength=shard.n_items) > 0
