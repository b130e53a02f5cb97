"""Rules that put items elsewhere in a list: boosts, quotas, kept places, near-copies shown once."""

from __future__ import annotations

from typing import Any, Self, final

import numpy as np
import polars as pl
from pydantic import Field, model_validator
from scipy import sparse

from vitrina.base.arrays import Bool, Int32, Int64, Ragged
from vitrina.base.errors import UnknownNameError
from vitrina.base.state import Arrays
from vitrina.data.dataset import Dataset
from vitrina.rerank.base import Candidates
from vitrina.rerank.rules.base import PEOPLE, Mover, Quota, check_person_column, column_of_people, missing_column, values_of
from vitrina.rerank.rules.conditions import Conditions, check_where, holds, item_column, mask_of, texts_of
from vitrina.rerank.similarity import ItemVectors, chosen_vectors
from vitrina.types import Queries

CLOSE = 1e-6  # what rounding takes from the cosine of a vector with itself
WHOLE = 2**31 - 1  # places: the whole list


@final
class Boost(Mover):
    """These items count for more, or less, before anything else orders the list.

    value = relevance + by, with the relevance of a query's candidates from 1 of its best to 0 of its last, so that a number means the same for each model.

    Args:
        where: which items, as in `Hide`.
        by: above 0 lifts, below 0 lowers; 1 puts them before all others.

    >>> Boost(where={"brand": "own"}, by=0.2)
    Boost(where={'brand': 'own'}, by=0.2)
    """

    where: Conditions
    by: float = Field(ge=-1, le=1)

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not self.by:
            raise ValueError("The 'by' parameter of Boost must not be 0, which changes nothing. Got 0.")
        return self

    def of_items(self, data: Dataset, recommender: Any = None) -> Arrays:
        return {"mask": mask_of(self.where, data)}


@final
class AtMost(Quota):
    """At most `n` items of a group among the first places.

    Args:
        n: how many.
        first: of so many places; None is the whole list.
        each: a column of the table of items: `n` of each of its values (of a list, of each value in it). What has no value is not limited.
        where: or these items together, as in `Hide`.

    >>> AtMost(n=2, first=5, each="brand"), AtMost(n=1, where={"department": "SWEETS"})
    (AtMost(n=2, first=5, each='brand'), AtMost(n=1, where={'department': 'SWEETS'}))
    """

    n: int = Field(ge=0)
    first: int | None = Field(default=None, ge=1)
    each: str | None = None
    where: Conditions | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if (self.each is None) == (self.where is None):
            raise ValueError(
                "AtMost needs 'each' (a column: so many of each of its values) or 'where' (so many of these items), and not both"
            )
        if not self.n and self.first is None:
            raise ValueError("AtMost(n=0) for the whole list hides what it speaks of: vt.rules.Hide does that before the model is asked")
        return self

    def of_items(self, data: Dataset, recommender: Any = None) -> Arrays:
        if self.where is not None:
            return {"mask": mask_of(self.where, data)}
        column = item_column(data, str(self.each))
        lists = column.cast(pl.List(pl.String)) if isinstance(column.dtype, pl.List) else None
        if lists is None:
            codes = texts_of(column).cast(pl.Categorical).to_physical() if column.null_count() < len(column) else column.cast(pl.UInt32)
            known = codes.is_not_null().to_numpy()
            return {"indptr": np.append(0, np.cumsum(known)).astype(np.int64), "groups": codes.drop_nulls().to_numpy().astype(np.int32)}
        lists = lists.list.unique(maintain_order=True).list.drop_nulls().fill_null([])
        groups = lists.explode().drop_nulls().cast(pl.Categorical).to_physical().to_numpy().astype(np.int32)
        return {"indptr": np.append(0, np.cumsum(lists.list.len().to_numpy())).astype(np.int64), "groups": groups}

    def groups(self, own: Arrays) -> Ragged:
        if "mask" in own:
            return Ragged.of_lengths(own["mask"].astype(np.int64), np.zeros(int(own["mask"].sum()), np.int32))
        return Ragged(own["indptr"], own["groups"])

    def bound(self) -> tuple[int, int, int]:
        return WHOLE if self.first is None else self.first, self.n, 0

    @property
    def of_what(self) -> tuple[str, Any]:
        return ("each", self.each) if self.where is None else ("where", self.where)

    def speaks_of(self, queries: Queries, candidates: Candidates, own: Arrays) -> Bool:
        items = candidates.lists.items
        return (self.groups(own).lengths > 0)[items] & (items >= 0)

    def remarks(self, own: Arrays) -> tuple[str, ...]:
        return () if self.groups(own).lengths.any() else ("hits no item",)


@final
class AtLeast(Quota):
    """At least `n` of these items among the first places, where so many may be shown. Where the candidates of a model hold fewer, it is asked for more of them.

    Args:
        n: how many.
        first: of so many places.
        where: which items, as in `Hide`; `New(days=30)` are new ones.

    >>> from vitrina.rerank.rules.conditions import New
    >>> AtLeast(n=1, first=10, where=New(days=30))
    AtLeast(n=1, first=10, where=New(days=30.0))
    """

    n: int = Field(ge=1)
    first: int = Field(ge=1)
    where: Conditions

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.n > self.first:
            raise ValueError(f"AtLeast(n={self.n}) of the first {self.first} places can't be met. Lower n, or raise first.")
        return self

    def of_items(self, data: Dataset, recommender: Any = None) -> Arrays:
        return {"mask": mask_of(self.where, data)}

    def groups(self, own: Arrays) -> Ragged:
        return Ragged.of_lengths(own["mask"].astype(np.int64), np.zeros(int(own["mask"].sum()), np.int32))

    def bound(self) -> tuple[int, int, int]:
        return self.first, WHOLE, self.n

    @property
    def of_what(self) -> tuple[str, Any]:
        return ("where", self.where)


@final
class Pin(Mover):
    """An item has its place in the list of everybody, or of some, where it may be shown to them; it becomes a candidate where the model has not named it.

    A list shorter than that has it nowhere, and where scored items are fewer it stands behind the last of them.

    Args:
        item: its id.
        place: from 1.
        who: conditions on columns of the request's context, or else of the table of people that the rules were fitted with; nothing is everybody.
            A person of whom a column isn't known keeps no condition but `missing`.

    Raises:
        DataError: neither the queries nor the table of people have a column of `who`.
        UnknownNameError: the log has no such item.

    >>> Pin(item="1001", place=1, who={"segment": "new"})
    Pin(item='1001', place=1, who={'segment': 'new'})
    """

    item: str | int
    place: int = Field(ge=1)
    who: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _who_is_right(self) -> Self:
        if self.who:
            check_where(self.who)
        return self

    def of_items(self, data: Dataset, recommender: Any = None) -> Arrays:
        code = int(data.items.encode([self.item])[0])
        if code < 0:
            raise (
                UnknownNameError.of("item", str(self.item), data.items.ids.cast(pl.String).to_list())
                if len(data.items) < 100
                else (
                    UnknownNameError(
                        f"There is no item {self.item!r} among the {len(data.items):,} of the log. Write its id as the log has it."
                    )
                )
            )
        mask = np.zeros(data.n_items, np.bool_)
        mask[code] = True
        kept: dict[str, Any] = {"mask": mask}
        for number, column in enumerate(self.who):
            check_person_column(column, data, defaulted=False)
            for name, values in column_of_people(data, column).items():
                kept[name if name == PEOPLE else f"{name}-{number}"] = values
        return kept

    def concerns(self, queries: Queries, own: Arrays) -> Bool:
        """(queries,) in whose lists it has its place."""
        kept = np.ones(len(queries), np.bool_)
        for number, (column, wanted) in enumerate(self.who.items()):
            person = {"person": own[f"person-{number}"], PEOPLE: own[PEOPLE]} if f"person-{number}" in own else {}
            values = values_of(queries, column, person)
            if values is None:
                raise missing_column(column, queries, "Or pin the item for everybody.")
            kept &= holds(values.alias(column), wanted, "person")
        return kept

    def speaks_of(self, queries: Queries, candidates: Candidates, own: Arrays) -> Bool:
        return super().speaks_of(queries, candidates, own) & self.concerns(queries, own)[:, None]


@final
class NearCopies(Mover):
    """Of items that are nearly the same only the best is shown: no two whose vectors have a cosine of `above` or more, while there is anything else.

    Copies that a column names are `AtMost(n=1, each="base_product")`.

    Args:
        above: from which cosine on.
        vectors: an object of `vt.similarity`; None takes content where items are described, and interactions otherwise.

    Cost: a query costs candidates^2 x dim, and a Python call.

    >>> NearCopies(above=0.9)
    NearCopies(above=0.9)
    """

    above: float = Field(default=0.95, gt=0, le=1)
    vectors: ItemVectors | None = None

    def of_items(self, data: Dataset, recommender: Any = None) -> Arrays:
        vectors = chosen_vectors(self.vectors, data, recommender)
        if isinstance(vectors, np.ndarray):
            return {"vectors": vectors}
        return {"data": vectors.data, "indices": vectors.indices, "indptr": vectors.indptr, "shape": np.array(vectors.shape)}

    def copies(self, candidates: Candidates, own: Arrays) -> tuple[Int64, Int32]:
        """Which candidates are near-copies of which: `Limits.copy_indptr` and `Limits.copies`."""
        items = candidates.lists.items
        lengths, copies = np.zeros(items.shape, np.int64), [np.empty(0, np.int64)]
        for q, total in enumerate(candidates.totals):
            one, other = np.nonzero(self._alike(items[q, :total], own) >= self.above - CLOSE)
            apart = one != other
            lengths[q, :total] = np.bincount(one[apart], minlength=total)
            copies.append(other[apart])
        return np.append(0, np.cumsum(lengths)), np.concatenate(copies).astype(np.int32)

    def _alike(self, items: Int32, own: Arrays) -> Any:
        """(items, items) cosines."""
        if "vectors" in own:
            vectors = np.asarray(own["vectors"][items])
            return vectors @ vectors.T
        rows = sparse.csr_matrix((own["data"], own["indices"], own["indptr"]), shape=tuple(own["shape"]))[items]
        return (rows @ rows.T).toarray()

    def speaks_of(self, queries: Queries, candidates: Candidates, own: Arrays) -> Bool:
        indptr, _ = self.copies(candidates, own)
        return (np.diff(indptr) > 0).reshape(candidates.lists.items.shape)
