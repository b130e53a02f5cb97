"""The form of random lists: each query has random scores of its own, and the same ones when it is asked again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.base import Form
from vitrina.forms.history import known_only
from vitrina.types import Float32, Queries, Ragged, ranges
from vitrina.vocabulary import Vocabulary, id_hashes

Keys = NDArray[np.uint64]
GOLDEN = 0x9E3779B97F4A7C15


@final
@dataclass(frozen=True, eq=False, repr=False)
class Shuffled(Form):
    """score = u(seed, person, history, item), uniform in [0, 1) with 24 bits: a hash, so that codes and batches don't matter.

    Cost: a hash per query and item.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    seed: int

    @cached_property
    def hashes(self) -> Keys:
        """(items,) a number for each item id."""
        return id_hashes(self.vocabulary)

    def score_block(self, queries: Queries) -> Float32:
        return _uniform(self._keys(queries)[:, None] + self.hashes)

    def pairs_block(self, queries: Queries, items: Ragged) -> Float32:
        return _uniform(self._keys(queries)[items.row_of] + self.hashes[items.values])

    def _keys(self, queries: Queries) -> Keys:
        return query_keys(queries, self.hashes, self.seed)

    def state(self) -> State:
        return State({"seed": self.seed})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Shuffled:
        return cls(vocabulary, catalogue, **state.config)


def query_keys(queries: Queries, hashes: Keys, seed: int) -> Keys:
    """(queries,) a number for each person and history, of the seed and the (items,) hashes of the item ids."""
    queries = known_only(queries, len(hashes))
    places = ranges(np.zeros(len(queries), np.int64), queries.lengths).astype(np.uint64)
    sums = np.append(np.uint64(0), np.cumsum(mixed(hashes[queries.histories().values] + places), dtype=np.uint64))
    ends = np.append(0, np.cumsum(queries.lengths))
    people = mixed(queries.persons.astype(np.uint64)) + np.uint64(seed * GOLDEN % 2**64)
    return mixed(sums[ends[1:]] - sums[ends[:-1]] + people)


def mixed(value: Keys) -> Keys:
    """The finaliser of splitmix64."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _uniform(keys: Keys) -> Float32:
    return (mixed(keys) >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
