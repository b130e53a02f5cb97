"""The form of user-based collaborative filtering: what the people with the most alike sets of items took of late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl
from scipy import sparse

from vitrina.base.heap import push
from vitrina.base.kernels import Spread, kernel
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.forms.base import Form
from vitrina.forms.levels import LEAST, dense_scores, levels_of
from vitrina.forms.matrices import sparse_arrays, sparse_of_arrays
from vitrina.forms.profile import RecentProfile
from vitrina.forms.similar import similar_people
from vitrina.types import Eligibility, Float32, Float64, Int32, Queries, Recommendations
from vitrina.vocabulary import Vocabulary


@final
@dataclass(frozen=True, eq=False, repr=False)
class LikeMinded(Form):
    """own vector + the sum over the nearest people of their likeness^locality times their vectors; -inf where nothing is above 0.

    likeness(q, p) = shared / (|q|^asymmetry * |p|^(1 - asymmetry) + shrinkage), of the sets of items of the query and of a person.
    The own vector is made of the query's history. The people to search are those of the fit, whose vectors it keeps (not their logs).
    Scores are added up in 64 bits, and keep their order where float32 can't tell them apart.

    Cost: a query costs the people that share an item with it and the vectors of its neighbours. Memory O(threads x (people + items)) and
    a block of scores in 64 bits.
    """

    vocabulary: Vocabulary
    catalogue: Catalogue
    profile: RecentProfile
    vectors: sparse.csr_matrix  # (people, items), indices sorted; 0 for items taken before the newest baskets
    people: Vocabulary  # who the rows of `vectors` are
    neighbours: int
    asymmetry: float
    shrinkage: float
    locality: float

    @cached_property
    def by_item(self) -> sparse.csr_matrix:
        """(items, people) 1 where somebody took an item."""
        took = sparse.csr_matrix((np.ones(self.vectors.nnz, np.int8), self.vectors.indices, self.vectors.indptr), self.vectors.shape)
        return took.T.tocsr()

    @cached_property
    def sizes(self) -> Float64:
        """(people,) how many items each took."""
        return np.diff(self.vectors.indptr).astype(np.float64)

    def score_block(self, queries: Queries) -> Float32:
        own = self.profile.vectors(queries, len(self.vocabulary))
        scores = np.empty((len(queries), len(self.vocabulary)))
        kept, turned = self.vectors, self.by_item
        _add_up(
            len(queries), own.indptr, own.indices, own.data, kept.indptr, kept.indices, kept.data, turned.indptr, turned.indices,
            self.asymmetry, self.shrinkage, min(self.neighbours, len(self.people)), self.locality, scores,
        )  # fmt: skip
        return dense_scores(levels_of(scores))

    def similar_users(self, users: Sequence[Any] | pl.Series, k: int = 10, *, eligible: Eligibility = Eligibility()) -> Recommendations:
        """The `k` people of the fit who are most alike; the score is their likeness as neighbours have it. See `Form.similar_users`."""
        return similar_people(self._likenesses, self.people, users, k, eligible)

    def _likenesses(self, people: Int32) -> Float32:
        """(asked, people) how alike everybody is to some; -inf where nothing is shared."""
        took = sparse.csr_matrix(self.vectors[people])
        took.data[:] = 1
        shared = np.asarray(sparse.csr_matrix(took @ self.by_item).toarray(), np.float64)
        sizes = self.sizes[people][:, None] ** self.asymmetry * self.sizes[None, :] ** (1 - self.asymmetry) + self.shrinkage
        return np.where(shared > 0, shared / np.maximum(sizes, 1), -np.inf).astype(np.float32)

    def state(self) -> State:
        names = ("neighbours", "asymmetry", "shrinkage", "locality")
        settings = {"profile": asdict(self.profile), **{name: getattr(self, name) for name in names}}
        return State(settings, sparse_arrays(self.vectors), {"people": self.people.ids.to_frame("id")})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> LikeMinded:
        settings = {**state.config, "profile": RecentProfile(**state.config["profile"])}
        people = Vocabulary(state.table("people")["id"])
        return cls(vocabulary, catalogue, vectors=sparse_of_arrays(state.arrays), people=people, **settings)


@Spread
def _add_up(
    first, last, own_indptr, own_items, own_values, indptr, items, values, by_indptr, by_people, asymmetry, shrinkage, k, locality, out
):  # pragma: no cover
    """The scores of some queries, 0 where nothing contributes."""
    shared, met = np.zeros(len(indptr) - 1, np.int32), np.empty(len(indptr) - 1, np.int32)
    for q in range(first, last):
        start, stop = own_indptr[q], own_indptr[q + 1]
        near, alike = _nearest(own_items[start:stop], indptr, by_indptr, by_people, asymmetry, shrinkage, k, shared, met)
        row = out[q]
        row[:] = 0
        for at in range(start, stop):
            row[own_items[at]] += own_values[at]
        for at in range(len(near)):
            weight = max(np.float64(alike[at]) ** locality, LEAST)
            for place in range(indptr[near[at]], indptr[near[at] + 1]):
                row[items[place]] += weight * values[place]


@kernel
def _nearest(own, indptr, by_indptr, by_people, asymmetry, shrinkage, k, shared, met):  # pragma: no cover
    """The `k` people most like who took `own`, and how alike, in the order of their codes; `shared` is 0 before and after."""
    count = 0
    for item in own:
        for at in range(by_indptr[item], by_indptr[item + 1]):
            person = by_people[at]
            if shared[person] == 0:
                met[count] = person
                count += 1
            shared[person] += 1
    near, alike, size = np.empty(k, np.int32), np.empty(k, np.float32), 0
    own_part = len(own) ** asymmetry
    for person in met[:count]:
        other = np.float64(indptr[person + 1] - indptr[person])
        likeness = np.float32(shared[person] / (own_part * other ** (1 - asymmetry) + shrinkage))
        size = push(near, alike, size, k, person, likeness)
        shared[person] = 0
    order = np.argsort(near[:size])
    return near[:size][order], alike[:size][order]
