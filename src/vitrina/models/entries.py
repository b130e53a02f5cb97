"""The matrix of people and items of a whole log, put together out of its shards."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from vitrina.data.dataset import Dataset
from vitrina.forms.history import put_largest
from vitrina.models.histories import indptr_of
from vitrina.types import Float32, Int32


def entries_of(data: Dataset) -> sparse.csr_matrix:
    """(people, items) float32, people in the order of the shards: 1, or the largest weight of the events of a pair.

    Cost: 8 bytes per pair, twice while the shards are joined.

    >>> import vitrina as vt
    >>> entries_of(vt.testing.toy()).sum(axis=1).A1.tolist()
    [3.0, 3.0, 4.0, 3.0, 3.0, 3.0]
    """
    lengths, items, weights = zip(*data.map_shards(_entries_of_shard), strict=True)
    shape = (sum(map(len, lengths)), data.n_items)
    return sparse.csr_matrix((np.concatenate(weights), np.concatenate(items), indptr_of(np.concatenate(lengths))), shape=shape)


def _entries_of_shard(shard: Dataset) -> tuple[Int32, Int32, Float32]:
    """How many distinct items each person of a shard has, which, and their entries."""
    matrix = shard.csr()
    if shard.events.weights is not None:
        put_largest(matrix, shard.user_of, shard.events.items, shard.events.weights)
    return np.diff(matrix.indptr), matrix.indices, matrix.data
