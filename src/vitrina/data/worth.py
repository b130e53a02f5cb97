"""What an item is usually worth, by the values of its events."""

from __future__ import annotations

import numpy as np

from vitrina.data.dataset import Dataset
from vitrina.types import Float32, Float64


def usual_values(data: Dataset) -> Float32 | None:
    """(items,) the mean value of the events of each item that count; the mean of all for an item without one. None where the log has no values.

    >>> import vitrina as vt
    >>> usual_values(vt.testing.synthetic()).shape
    (120,)
    """
    sums, counts = np.zeros(data.n_items), np.zeros(data.n_items)
    for part in data.map_shards(_valued):
        sums, counts = sums + part[0], counts + part[1]
    if not counts.any():
        return None
    return np.divide(sums, counts, out=np.full(len(sums), sums.sum() / counts.sum()), where=counts > 0).astype(np.float32)


def _valued(shard: Dataset) -> Float64:
    """(2, items) the sum of the values of each item, and how many there are."""
    events = shard.counted().events
    if events.values is None:
        return np.zeros((2, shard.n_items))
    sums, counts = np.bincount(events.items, events.values, shard.n_items), np.bincount(events.items, minlength=shard.n_items)
    return np.stack([sums, counts]).astype(np.float64)
