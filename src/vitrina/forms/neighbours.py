"""The form of user neighbours: the own vector beside those of the nearest people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl
from scipy import sparse

from vitrina.base.errors import ParameterError
from vitrina.catalogue import Catalogue
from vitrina.forms.base import Arrays, Form
from vitrina.forms.matrices import sparse_arrays, sparse_of_arrays
from vitrina.forms.nearest import blend_with_nearest, runs_of_people
from vitrina.forms.profile import BasketProfile
from vitrina.forms.similar import id_arrays, ids_of_arrays, similar_people
from vitrina.types import Eligibility, Float32, Float64, Queries, Recommendations
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
        return similar_people(self.vectors, self.squares, self.people, users, k, eligible)

    def arrays(self) -> Arrays:
        settings = np.array([self.neighbours, self.alpha], np.float64)
        return sparse_arrays(self.vectors) | {"profile": self.profile.array(), "settings": settings} | id_arrays(self.people)

    @classmethod
    def of_arrays(cls, vocabulary: Vocabulary, catalogue: Catalogue, arrays: Arrays) -> Neighbours:
        neighbours, alpha = arrays["settings"].tolist()
        vectors = sparse_of_arrays(arrays, len(vocabulary))
        profile, people = BasketProfile.of_array(arrays["profile"]), ids_of_arrays(arrays)
        return cls(vocabulary, catalogue, profile, vectors, int(neighbours), alpha, people)
