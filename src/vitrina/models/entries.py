"""Who took which items, as a sparse matrix: of a shard, and of a whole log, put together out of its shards."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from vitrina.data.dataset import Dataset
from vitrina.forms.history import put_largest
from vitrina.models.histories import indptr_of
from vitrina.types import Float32, Int32, Int64


class Entries(NamedTuple):
    """The distinct items of each person who has some."""

    indptr: Int64  # (people + 1,)
    items: Int32  # (entries,)
    weights: Float32  # (entries,) the largest of the pair's events; empty where the log has no weights, and all are 1

    @classmethod
    def of(cls, data: Dataset) -> Entries:
        """Those of a log, people in the order of the shards. Memory 8 bytes per entry (16 with weights), twice while the shards are joined."""
        lengths, items, weights = zip(*data.map_shards(_of_shard), strict=True)
        return cls(indptr_of(np.concatenate(lengths)), np.concatenate(items), np.concatenate(weights))


def entries_of(data: Dataset) -> sparse.csr_matrix:
    """(people with events, items) float32, people in the order of the shards: 1, or the largest weight of the pair's events.

    Memory: 8 bytes per entry, twice while the shards are joined.

    >>> import vitrina as vt
    >>> entries_of(vt.testing.toy()).sum(axis=1).A1.tolist()
    [3.0, 3.0, 4.0, 3.0, 3.0, 3.0]
    """
    indptr, items, weights = Entries.of(data)
    values = weights if data.has_weights else np.ones(len(items), np.float32)
    return sparse.csr_matrix((values, items, indptr), shape=(len(indptr) - 1, data.n_items))


def users_items(shard: Dataset) -> sparse.csr_matrix:
    """(users, items) float32 of a log in memory, indices sorted: 1, or the largest weight of the pair's events."""
    matrix = shard.csr()
    if shard.events.weights is not None:
        put_largest(matrix, shard.user_of, shard.events.items, shard.events.weights)
    return matrix


def _of_shard(shard: Dataset) -> tuple[Int64, Int32, Float32]:
    """How many distinct items each person has, which, and their weights."""
    matrix = users_items(shard)
    lengths = np.diff(matrix.indptr).astype(np.int64)
    weights = np.empty(0) if shard.events.weights is None else matrix.data
    return lengths[lengths > 0], np.asarray(matrix.indices, np.int32), np.asarray(weights, np.float32)
