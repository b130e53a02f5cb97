"""What is known of the person who is asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar, cast, final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from vitrina.base.config import Config, Names
from vitrina.base.errors import DataError
from vitrina.base.state import State
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.forms.matrices import sparse_arrays, sparse_of_arrays
from vitrina.sequence.embed.coding import Bags, Coding
from vitrina.types import Bool, Float32, Int64, Queries
from vitrina.vocabulary import hashes

R = TypeVar("R")


@final
class UserFeatures(Config):
    """The person's features, added to every token of the history: x = item + position + sum of the vectors of the person's features.

    Every token, and not the state alone: there attention and gates can use them, and the score is more than that of the history shifted by a
    ranking of the group. Values are coded as by `Features`; an unknown person adds nothing.

    When asked, the features come from `Queries.context` where it has one of the columns; otherwise from the user table of the fit, by the
    user's id, so that the log may have grown. Queries made by hand have no ids: they are taken by the codes of the log of the fit.

    Args:
        columns: columns of categories, lists of categories or numbers of the user table; None takes all of them.

    Raises:
        DataError: the log has no user table, or the columns can't be used.
    """

    columns: Names | None = None

    def build(self, data: Dataset, dim: int) -> Bags:
        """A module that gives the vectors of user codes, zeros for -1."""
        parts = of_shards(data, _people)
        table = FeatureTable.joined([part.table for part in parts])
        if table is None:
            raise DataError(f"{self!r} needs a table of users, and {data!r} has none. Read the log with users=..., or leave users out.")
        return Bags(Coding.of(table, self.columns, np.flatnonzero(np.concatenate([part.present for part in parts]))), table.frame, dim)


def of_shards(data: Dataset, function: Callable[[Dataset], R]) -> list[R]:
    """What a function makes of each shard; a log in memory is one, however it hands itself out."""
    return [function(data)] if data.in_memory else list(data.map_shards(function))


@dataclass(frozen=True, eq=False)
class _Persons:
    """Of a shard: its table of users, and who has events."""

    table: FeatureTable | None
    present: Bool  # (users,)


def _people(shard: Dataset) -> _Persons:
    return _Persons(shard.user_table, np.diff(shard.indptr) > 0)


@final
@dataclass(frozen=True, eq=False)
class KnownUsers:
    """The fitted side of `UserFeatures`."""

    coding: Coding
    vectors: Float32  # (terms, dim)
    features: sparse.csr_matrix  # (users, terms)
    ids: NDArray[np.uint64]  # (users,) `hashes` of their ids

    @classmethod
    def of(cls, bags: Bags, ids: NDArray[np.uint64]) -> KnownUsers:
        return cls(bags.coding, bags.vectors.weight.detach().cpu().numpy().copy(), bags.coding.matrix(bags.frame), ids)

    def of_queries(self, queries: Queries) -> Float32:
        """(queries, dim)"""
        context = queries.context
        if context is not None and any(name in context.columns for name in self.coding.columns):
            return self.coding.matrix(context) @ self.vectors
        out = np.zeros((len(queries), self.vectors.shape[1]), np.float32)
        place = self._place(queries)
        rows = cast(sparse.csr_matrix, self.features[place[place >= 0]])
        out[place >= 0] = rows @ self.vectors
        return out

    def _place(self, queries: Queries) -> Int64:
        """(queries,) the row of each person, -1 for one that the fit didn't know."""
        if queries.people is None:
            return np.where(queries.users < len(self.ids), queries.users, -1).astype(np.int64)
        out = np.full(len(queries), -1, np.int64)
        named = np.flatnonzero((queries.users >= 0) & (queries.users < len(queries.people)))
        if not len(named) or not len(self.ids):
            return out
        asked = hashes(queries.people.decode(queries.users[named]))
        at = np.minimum(np.searchsorted(self.ids, asked, sorter=self._order), len(self.ids) - 1)
        rows = self._order[at]
        out[named] = np.where(self.ids[rows] == asked, rows, -1)
        return out

    @cached_property
    def _order(self) -> Int64:
        return np.argsort(self.ids, kind="stable")

    def state(self) -> State:
        arrays = {"terms": self.vectors, "ids": self.ids, **sparse_arrays(self.features)}
        return State({"coding": self.coding.plain()}, arrays)

    @classmethod
    def of_state(cls, state: State) -> KnownUsers:
        coding, arrays = Coding.of_plain(state.config["coding"]), state.arrays
        return cls(coding, arrays["terms"], sparse_of_arrays(arrays), arrays["ids"])
