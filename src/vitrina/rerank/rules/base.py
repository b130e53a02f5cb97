"""What every rule is, and the kinds of them: filters are applied before the model is asked, the others while a list is put together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.arrays import Bool, Int64, Ragged
from vitrina.base.config import Config
from vitrina.base.errors import DataError, UnknownNameError
from vitrina.base.state import Arrays
from vitrina.data.dataset import Dataset
from vitrina.rerank.base import Candidates
from vitrina.types import Queries
from vitrina.vocabulary import hashes, id_hashes

PEOPLE = "people"  # hashes of the ids of the people of the log, by their codes
UNKNOWN = np.uint64(0)


class Rule(Config, ABC):
    """A rule of the business. It says what it takes of the log, and then knows without it what it speaks of."""

    @abstractmethod
    def of_items(self, data: Dataset, recommender: Any = None) -> Arrays:
        """What is kept of the log; `mask`, (items,), are the items that it speaks of where that doesn't depend on who asks."""

    def remarks(self, own: Arrays) -> tuple[str, ...]:
        """What is to be said of it beside its name, such as that it speaks of no item."""
        return () if "mask" not in own or own["mask"].any() else ("hits no item",)


class Filter(Rule, ABC):
    """A rule that takes items off before a model is asked: one of the two says which."""

    def for_all(self, own: Arrays) -> Bool | None:
        """(items,) what nobody is shown; None where it depends on who asks."""
        return None

    def hidden(self, queries: Queries, own: Arrays) -> Ragged:
        """What each query may not be shown."""
        return Ragged.empty(len(queries))


class Mover(Rule, ABC):
    """A rule that puts items elsewhere in a list."""

    def speaks_of(self, queries: Queries, candidates: Candidates, own: Arrays) -> Bool:
        """(queries, candidates) of which ones; an item that it speaks of and that stands elsewhere because of it carries its code."""
        return own["mask"][candidates.lists.items] & (candidates.lists.items >= 0)


class Quota(Mover, ABC):
    """At most, or at least, so many of a group among the first places."""

    @abstractmethod
    def groups(self, own: Arrays) -> Ragged:
        """The groups of each item, numbered from 0."""

    @abstractmethod
    def bound(self) -> tuple[int, int, int]:
        """For each group: of the first `first` places at most `most` and at least `least`: (first, most, least)."""

    @property
    @abstractmethod
    def of_what(self) -> tuple[str, Any]:
        """What its groups are; quotas of the same groups are met together."""


def people_of(data: Dataset) -> Arrays:
    """What finds people of the log again, whatever codes another log gives them."""
    return {PEOPLE: id_hashes(data.users)}


def visitors(queries: Queries, people: Any) -> Any:
    """(queries,) the hash of the id of who asks; `UNKNOWN` where nobody knows it.

    Args:
        people: hashes by the codes of the log that the rules were fitted on.
    """
    out, known = np.full(len(queries), UNKNOWN, np.uint64), queries.users >= 0
    if queries.people is None:
        known &= queries.users < len(people)
        out[known] = people[queries.users[known]]
    elif known.any():
        out[known] = hashes(queries.people.ids.gather(queries.users[known]))
    if queries.labels is not None and not known.all():
        out[~known] = hashes(queries.labels.gather(np.flatnonzero(~known)))
    return out


def column_of_people(data: Dataset, column: str) -> Arrays:
    """A column of the table of people, where there is one: numbers, or texts with "" for what isn't known."""
    parts = [part for part in data.map_shards(partial(_column_of_shard, column)) if part]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def _column_of_shard(column: str, shard: Dataset) -> Arrays:
    table = shard.user_table
    if table is None or column not in table.frame.columns:
        return {}
    values = table.frame[column]
    if values.dtype.is_numeric():
        return {"person": values.cast(pl.Float64).fill_null(np.nan).to_numpy(), **people_of(shard)}
    return {"person": values.cast(pl.String).fill_null("").to_numpy().astype("U"), **people_of(shard)}


def values_of(queries: Queries, column: str, own: Arrays) -> pl.Series | None:
    """(queries,) the column of the requests' context, else that of the table of people; None where there is neither."""
    if queries.context is not None and column in queries.context.columns:
        return queries.context[column]
    if "person" not in own:
        return None
    order = np.argsort(own[PEOPLE], kind="stable")
    who, sorted_people = visitors(queries, own[PEOPLE]), own[PEOPLE][order]
    at = np.minimum(np.searchsorted(sorted_people, who), max(len(order) - 1, 0))
    found = (sorted_people[at] == who) if len(order) else np.zeros(len(queries), np.bool_)
    person = pl.Series(column, own["person"])
    person = person.fill_nan(None) if person.dtype.is_float() else person.set(person == "", None)
    place: list[int | None] = [int(order[a]) if f else None for a, f in zip(at, found, strict=True)]
    return person.gather(pl.Series(place, dtype=pl.UInt32))


def check_person_column(column: str, data: Dataset, *, defaulted: bool) -> None:
    """Refuse a column that is close to one of the table of people and not in it; one that is like none is taken for a column of requests."""
    table = data.user_table if data.in_memory else next(data.shards()).user_table
    if table is None or column in table.frame.columns or defaulted:
        return
    error = UnknownNameError.of("column of the table of people", column, table.frame.columns)
    if "Did you mean" in str(error):
        raise error


def missing_column(column: str, queries: Queries, remedy: str) -> DataError:
    """The error of a request that says nothing of what a rule needs."""
    context = "no context" if queries.context is None else f"a context of {', '.join(queries.context.columns)}"
    return DataError(
        f"needs {column!r} of who asks, and the queries have {context}. Add it: "
        f"replace(queries, context=pl.DataFrame({{{column!r}: [...]}})), or a column of the table of people. {remedy}"
    )


def indices(rows: list[Any], lengths: Int64) -> Ragged:
    """One list of codes per query."""
    return Ragged.of_lengths(lengths, np.concatenate(rows) if rows else np.empty(0, np.int32))
