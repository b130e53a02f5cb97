"""What an item is usually worth, by the values of its events."""

from __future__ import annotations

import numpy as np

from vitrina.data.dataset import Dataset
from vitrina.types import Float32


def usual_values(data: Dataset) -> Float32 | None:
    """(items,) the mean value of the events of each item that count; the mean of all for an item without one. None where the log has no values.

    >>> import vitrina as vt
    >>> usual_values(vt.testing.synthetic()).shape
    (120,)
    """
    sums, counts = np.zeros(data.n_items), np.zeros(data.n_items)
    for shard in data.shards():
        events = shard.counted().events
        if events.values is not None:
            sums += np.bincount(events.items, events.values, data.n_items)
            counts += np.bincount(events.items, minlength=data.n_items)
    if not counts.any():
        return None
    return np.divide(sums, counts, out=np.full(len(sums), sums.sum() / counts.sum()), where=counts > 0).astype(np.float32)
