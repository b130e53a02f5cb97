"""What is known of the person who is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from vitrina.config import Config
from vitrina.data.dataset import Dataset
from vitrina.errors import DataError
from vitrina.models.forms import Arrays, sparse_arrays, sparse_of_arrays
from vitrina.sequence.embed.coding import Bags, Coding
from vitrina.types import Float32, Queries


@final
class UserFeatures(Config):
    """The person's features, added to every token of the history: x = item + position + sum of the vectors of the person's features.

    Every token, and not the state alone: there attention and gates can use them, and the score is more than that of the history shifted by a
    ranking of the group. Values are coded as by `Features`; an unknown person adds nothing.

    When asked, the features come from `Queries.context` where it has one of the columns; otherwise from the user table of the fit, by user
    code: ask with queries of that log (or one that has its users first), or give the context.

    Args:
        columns: columns of categories, lists of categories or numbers of the user table; None takes all of them.

    Raises:
        DataError: the log has no user table, or the columns can't be used.
    """

    columns: tuple[str, ...] | None = None

    def build(self, data: Dataset, dim: int) -> Bags:
        """A module that gives the vectors of user codes, zeros for -1."""
        if data.user_table is None:
            raise DataError(f"{self!r} needs a table of users, and {data!r} has none. Read the log with users=..., or leave users out.")
        return Bags(Coding.of(data.user_table, self.columns, np.flatnonzero(np.diff(data.indptr))), data.user_table.frame, dim)


@final
@dataclass(frozen=True, eq=False)
class KnownUsers:
    """The fitted side of `UserFeatures`."""

    coding: Coding
    vectors: Float32  # (terms, dim)
    features: sparse.csr_matrix  # (users, terms)

    @classmethod
    def of(cls, bags: Bags) -> KnownUsers:
        return cls(bags.coding, bags.vectors.weight.detach().cpu().numpy().copy(), bags.coding.matrix(bags.frame))

    def of_queries(self, queries: Queries) -> Float32:
        """(queries, dim)"""
        context = queries.context
        if context is not None and any(name in context.columns for name in self.coding.columns):
            return self.coding.matrix(context) @ self.vectors
        out = np.zeros((len(queries), self.vectors.shape[1]), np.float32)
        known = (queries.users >= 0) & (queries.users < len(self.features.indptr) - 1)
        rows = cast(sparse.csr_matrix, self.features[queries.users[known]])
        out[known] = rows @ self.vectors
        return out

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"coding": self.coding.to_array(), "terms": self.vectors, **sparse_arrays(self.features)}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> KnownUsers:
        coding = Coding.of_array(arrays["coding"])
        return cls(coding, np.asarray(arrays["terms"]), sparse_of_arrays(arrays, len(coding.names)))
