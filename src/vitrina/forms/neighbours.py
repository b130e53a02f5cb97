"""The form of user neighbours: the own vector beside those of the nearest people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl
from scipy import sparse

from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.base import Form
from vitrina.forms.matrices import sparse_arrays, sparse_of_arrays
from vitrina.forms.nearest import blend_with_nearest, runs_of_people
from vitrina.forms.profile import BasketProfile
from vitrina.forms.similar import similar_people
from vitrina.types import Eligibility, Float32, Float64, Int32, Queries, Recommendations
from vitrina.vocabulary import Vocabulary


@final
@dataclass(frozen=True, eq=False, repr=False)
class Neighbours(Form):
    """alpha * own vector + (1 - alpha) * mean vector of the nearest people, by Euclidean distance; -inf where both are 0.

    The own vector is made of the query's history. The people to search are those of the fit, whose vectors it keeps (not
    their logs): somebody who is among them, asked with an unchanged history, is the nearest neighbour of himself.

    Cost: a query costs the people that share an item with it, one pass over all, and the vectors of the neighbours; queries of one
    person that follow each other share most of it. Memory O(threads x (people + items)).
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    profile: BasketProfile
    vectors: sparse.csr_matrix  # (people, items), indices sorted
    neighbours: int
    alpha: float
    people: Vocabulary | None = None  # who the rows of `vectors` are; None in an artifact from before they were kept

    @cached_property
    def by_item(self) -> sparse.csr_matrix:
        """(items, people)."""
        return self.vectors.T.tocsr()

    @cached_property
    def squares(self) -> Float64:
        """(people,) squared lengths of the vectors."""
        square = sparse.csr_matrix(
            (self.vectors.data.astype(np.float64) ** 2, self.vectors.indices, self.vectors.indptr), self.vectors.shape
        )
        return np.asarray(square.sum(axis=1)).ravel()

    def score_block(self, queries: Queries) -> Float32:
        own = self.profile.vectors(queries, len(self.vocabulary))
        runs = runs_of_people(queries)
        return blend_with_nearest(own, self.vectors, self.by_item, self.squares, self.neighbours, self.alpha, runs)

    def similar_users(self, users: Sequence[Any] | pl.Series, k: int = 10, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The `k` people of the fit whose vectors are nearest; the score is minus the Euclidean distance. See `Form.similar_users`."""
        if self.people is None:
            raise ParameterError("This artifact was written before the ids of its people were kept. Fit the model again.")
        return similar_people(self._distances, self.people, users, k, eligible)

    def _distances(self, people: Int32) -> Float32:
        """(asked, people) minus the Euclidean distance of everybody to some."""
        dots = np.asarray((self.vectors[people] @ self.vectors.T).toarray(), np.float64)
        return -np.sqrt(np.maximum(self.squares[people][:, None] + self.squares[None, :] - 2 * dots, 0)).astype(np.float32)

    def state(self) -> State:
        settings = {"profile": asdict(self.profile), "neighbours": self.neighbours, "alpha": self.alpha}
        people = {} if self.people is None else {"people": self.people.ids.to_frame("id")}
        return State(settings, sparse_arrays(self.vectors), people)

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Neighbours:
        settings = {**state.config, "profile": BasketProfile(**state.config["profile"])}
        people = Vocabulary(state.table("people")["id"]) if "people" in state.files else None
        return cls(vocabulary, catalogue, vectors=sparse_of_arrays(state.arrays), people=people, **settings)
