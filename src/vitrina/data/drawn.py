"""People drawn by a hash of their ids: the same ones on every machine, whatever is asked of the log and however it is cut into shards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.data.dataset import Dataset
from vitrina.data.sharded import Sharded, of_people
from vitrina.types import Int32, Int64
from vitrina.vocabulary import hashes

BUCKETS = 4096  # of people


def bucket_of(ids: pl.Series) -> Int32:
    """(ids,) the bucket of each person, by the id alone.

    >>> bucket_of(pl.Series(["ann", "bob"])).tolist() == bucket_of(pl.Series(["bob", "ann"])).tolist()[::-1]
    True
    """
    return (hashes(ids) >> np.uint64(52)).astype(np.int32)


def buckets_within(sizes: Int64, limits: NDArray[np.int64]) -> int:
    """How many of the first buckets come to no more than `limits`; at least one that holds something.

    Args:
        sizes: (kinds, buckets) what each bucket holds, of each kind.
        limits: (kinds,).

    >>> buckets_within(np.array([[5, 0, 5, 5]]), np.array([11])), buckets_within(np.array([[0, 50, 5]]), np.array([11]))
    (3, 2)
    """
    within = (np.cumsum(sizes, axis=1) <= limits[:, None]).all(axis=0)
    return sizes.shape[1] if within.all() else max(int(np.argmin(within)), int(np.flatnonzero(sizes.any(axis=0))[0]) + 1)


def drawn(data: Dataset, events: int) -> Dataset:
    """A log in memory: the whole of it where it is there or has no more than so many events, else people drawn by a hash, with all their events.

    Cost: two passes over shards.

    >>> import vitrina as vt
    >>> drawn(vt.testing.toy(), 5)
    Dataset('toy': 20 events, 6 users, 4 items)
    """
    if not isinstance(data, Sharded):
        return data
    if data.n_events <= events:
        return data.to_memory()
    sizes = sum(data.map_shards(events_of_buckets), np.zeros((1, BUCKETS), np.int64))
    return data.mapped(Drawn(buckets_within(sizes, np.array([events])))).to_memory()


def events_of_buckets(shard: Dataset) -> Int64:
    """(1, buckets) the events of the people of each."""
    return np.bincount(bucket_of(shard.users.ids), np.diff(shard.indptr), BUCKETS).astype(np.int64)[None]


@final
@dataclass(frozen=True)
class Drawn:
    """The people of a shard who are in the first buckets."""

    buckets: int

    def __call__(self, shard: Dataset) -> Dataset:
        return of_people(shard, np.flatnonzero(bucket_of(shard.users.ids) < self.buckets))
