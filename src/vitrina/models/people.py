"""The vectors of all people, for models that look for neighbours among them."""

from __future__ import annotations

from functools import partial
from typing import Protocol

import numpy as np
import polars as pl
import psutil
from scipy import sparse

from vitrina.base.errors import MemoryBudgetError
from vitrina.data.dataset import Dataset
from vitrina.models.base import ModelConfig
from vitrina.models.cost import MEMORY_SHARE
from vitrina.types import Queries
from vitrina.vocabulary import Vocabulary

PEOPLE = 1 << 16  # whose vectors are made at once
BYTES = 24  # of an entry of a vector: it is joined to others, and kept by item too


class Profile(Protocol):
    """Makes a vector of each history."""

    def vectors(self, queries: Queries, n_items: int) -> sparse.csr_matrix: ...


def kept_vectors(model: ModelConfig, profile: Profile, data: Dataset) -> tuple[sparse.csr_matrix, Vocabulary]:
    """The (people, items) vectors of all people, and their ids.

    Raises:
        MemoryBudgetError: they won't fit.
    """
    parts, ids, entries, free = [], [], 0, psutil.virtual_memory().available
    for vectors, own in data.map_shards(partial(_vectors_of, profile)):
        parts.append(vectors)
        ids.append(own)
        entries += vectors.nnz
        _require_room(model, entries, free)
    return sparse.csr_matrix(sparse.vstack(parts, format="csr")), Vocabulary(pl.concat(ids))


def _require_room(model: ModelConfig, entries: int, free: int) -> None:
    """Refuse vectors that won't fit: they are kept, and once more by item."""
    needed = BYTES * entries
    if needed > MEMORY_SHARE * free:
        raise MemoryBudgetError(
            f"{model!r} keeps a vector of each person, which takes {needed / 2**30:.1f} GiB and more here, and {free / 2**30:.1f} GiB are "
            "free. Use TopPersonal() or Cooccurrence(), which keep nothing of people, or fit on fewer of them."
        )


def _vectors_of(profile: Profile, shard: Dataset) -> tuple[sparse.csr_matrix, pl.Series]:
    """The vectors of the people of a shard, and their ids."""
    queries = shard.queries()
    parts = [profile.vectors(block, shard.n_items) for _, block in queries.blocks(PEOPLE)]
    nobody = sparse.csr_matrix((0, shard.n_items), dtype=np.float32)
    return sparse.csr_matrix(sparse.vstack([nobody, *parts], format="csr")), shard.users.decode(queries.users)
