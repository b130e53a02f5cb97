"""Filters that people use: each takes a Dataset, gives a smaller one, and leaves a Step that counts what went.

After a filter the vocabularies hold only users and items that still have events, in the order they had. Filter before
splitting: the parts of a split share their vocabularies.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.data.dataset import Dataset
from vitrina.data.filters.kept import Compact, filtered, held, require_whole
from vitrina.data.passes import Passes, itself
from vitrina.data.sharded import Sharded
from vitrina.types import Bool, Float32, Int64

Keep = Literal["first", "last", "sum", "all-distinct"]
Moment = str | int | dt.date | dt.datetime


def k_core(data: Dataset, users: int = 5, items: int = 5) -> Dataset:
    """Drop users and items with few partners, again and again, until none is left.

    The largest part in which every user met at least `users` distinct items and every item at least `items` distinct users
    (the k-core of the bipartite graph; repeats of a pair count once).

    Raises:
        ParameterError: a bound below 1.
        DataError: nothing is left.

    Cost: one sort of the pairs, then a pass over them a round; of a log in shards each of the rounds (some 5 to 30) reads all shards.

    >>> import vitrina as vt
    >>> vt.filters.k_core(vt.testing.toy(), users=3, items=3)
    Dataset('toy': 20 events, 6 users, 4 items)
    """
    check_count(users, "The 'users' bound of k_core")
    check_count(items, "The 'items' bound of k_core")
    pairs = Passes(data, _pairs_of)
    alive, left = np.ones(data.n_items, bool), -1
    while left != (left := int(alive.sum())):
        alive &= pairs.sum(InCore(users, alive)) >= items
    return filtered(data, Core(users, alive), f"k_core({users}, {items})", f"users with {users} items, items with {items} users")


def _pairs_of(shard: Dataset) -> tuple[Int64, Any, int]:
    """The users and the items of different pairs, and how many users there are."""
    matrix = shard.csr()
    return np.repeat(np.arange(len(shard.users)), np.diff(matrix.indptr)), matrix.indices, len(shard.users)


@dataclass(frozen=True)
class InCore:
    """(items,) users of each item, of those with `users` items that are alive."""

    users: int
    alive: Bool  # (items,)

    def __call__(self, pairs: tuple[Int64, Any, int]) -> Int64:
        users, items, count = pairs
        kept = self.alive[items]
        users, items = users[kept], items[kept]
        enough = np.bincount(users, minlength=count) >= self.users
        return np.bincount(items[enough[users]], minlength=len(self.alive))


@dataclass(frozen=True)
class Core:
    """The events of items that are alive, by users with `users` of them."""

    users: int
    alive: Bool

    def __call__(self, shard: Dataset) -> Dataset:
        users, items, count = _pairs_of(shard)
        enough = np.bincount(users[self.alive[items]], minlength=count) >= self.users
        return shard.select(enough[shard.user_of] & self.alive[shard.events.items])


def min_length(data: Dataset, events: int = 2) -> Dataset:
    """Drop users with fewer than `events` events.

    >>> import vitrina as vt
    >>> vt.filters.min_length(vt.testing.toy(), 4).n_users
    2
    """
    check_count(events, "The 'events' of min_length")
    return filtered(data, OfLength(events, None), f"min_length({events})", f"users with at least {events} events")


@dataclass(frozen=True)
class OfLength:
    """The events of users with `least` to `most` of them; None leaves that side open."""

    least: int
    most: int | None

    def __call__(self, shard: Dataset) -> Dataset:
        lengths = np.diff(shard.indptr)
        fit = (lengths >= self.least) & (True if self.most is None else lengths <= self.most)
        return shard.select(np.repeat(fit, lengths))


def dedupe(data: Dataset, keep: Keep = "first") -> Dataset:
    """One event a user, item and kind, or no more than exact duplicates removed.

    Args:
        keep: "first" or "last" event of each; "sum" keeps the last with the sum of the values (or the count of events where
            there are no values) and of the weights; "all-distinct" drops only rows that repeat user, item, time, kind and basket.
            A dislike, an event of a weight below 0, is never put together with another event than a dislike.

    Cost: one sort of the events.

    >>> import vitrina as vt
    >>> data = vt.filters.dedupe(vt.testing.toy())
    >>> data.n_events, data.steps[-1].events_before
    (19, 20)
    """
    if keep not in ("first", "last", "sum", "all-distinct"):
        raise ParameterError(
            f"The 'keep' of dedupe must be first, last, sum or all-distinct. Got {keep!r}.", owner="dedupe", parameter="keep", value=keep
        )
    return filtered(data, Distinct(keep), f"dedupe({keep})", f"of equal {'rows' if keep == 'all-distinct' else 'pairs'}: {keep}")


@dataclass(frozen=True)
class Distinct:
    """One event of each group of equal ones."""

    keep: Keep

    def __call__(self, data: Dataset) -> Dataset:
        events, keep = data.events, self.keep
        names = ("items", "kinds") if keep != "all-distinct" else ("items", "kinds", "times", "baskets")
        columns = [getattr(events, name) for name in names if getattr(events, name) is not None]
        if events.weights is not None and events.least_weight < 0:
            columns.append(events.weights < 0)
        groups = _group_of((data.user_of, *columns))
        first, last = _edges(groups)
        if keep == "sum":
            values = np.ones(len(events)) if events.values is None else events.values.astype(np.float64)
            sums = np.bincount(groups, values)[groups].astype(np.float32)
            weights = None if events.weights is None else np.bincount(groups, events.weights)[groups].astype(np.float32)
            data = replace(data, events=replace(events, values=sums, weights=weights))
        chosen = np.zeros(len(events), bool)
        chosen[first if keep in ("first", "all-distinct") else last] = True
        return data.select(chosen)


def kinds(data: Dataset, weights: Mapping[str, float] | Sequence[str]) -> Dataset:
    """Keep only these kinds of event; with weights, say how much each of their events counts.

    {"view": 0.1, "buy": 1} lets a buy count ten times a view in every model that reads weights; each model's page says what that
    means to it, and one that doesn't read them says so in its notes. Weight 0: the event counts for nothing, and its item was seen.
    Below 0 it is a dislike, however far: no model reads it as interest, it is never a target, and its item isn't recommended
    to that person until taken again. Values (prices, ratings) stay what they were. Weights that the log had are multiplied; what
    was a dislike stays one.

    Args:
        weights: {"view": 0.1, "buy": 1.0, "thumb down": -1}, or only names.

    Raises:
        DataError: the log has no kinds.
        UnknownNameError: a name is no kind of the log.
        ParameterError: these are no list of names, or a weight is not a finite number.

    >>> import numpy as np, vitrina as vt
    >>> log = {"user_id": ["ann", "ann", "bob"], "item_id": ["tea", "tea", "jam"], "kind": ["view", "buy", "view"]}
    >>> data = vt.filters.kinds(vt.read_interactions(pl.DataFrame(log)), {"view": 0.1, "buy": 1})
    >>> data.events.weights.tolist() == np.float32([0.1, 1, 0.1]).tolist()
    True
    """
    if "kinds" not in data.columns:
        raise DataError(f"The {data!r} has no kinds of event. Read it with kind='...'.")
    if isinstance(weights, str) or not isinstance(weights, Iterable):
        raise ParameterError(f"The kinds to keep are a list, or have weights: ['buy'], {{'buy': 1}}. Got {weights!r}.")
    for name in weights:
        if name not in data.kind_names:
            raise UnknownNameError.of("kind of event", name, data.kind_names)
    by_code = None
    if isinstance(weights, Mapping):
        with np.errstate(over="ignore", under="ignore"):
            by_code = np.array([check_number(weights.get(name, 0.0), f"The weight of {name!r}") for name in data.kind_names]).astype(
                np.float32
            )
        if not np.isfinite(by_code).all() or any(weights[name] and not by_code[data.kind_names.index(name)] for name in weights):
            raise ParameterError(f"The weights of kinds must be finite numbers, 0 or of a size that float32 holds. Got {dict(weights)}.")
        shown = ", ".join(f"{name} x {weight:g}" for name, weight in weights.items())
    else:
        shown = ", ".join(weights)
    return filtered(data, OfKinds(np.isin(data.kind_names, list(weights)), by_code), "kinds", shown)


@dataclass(frozen=True)
class OfKinds:
    """The events of some kinds, with their weights."""

    wanted: Bool  # (kinds,)
    weights: Float32 | None  # (kinds,)

    def __call__(self, shard: Dataset) -> Dataset:
        kinds = shard.events.kinds
        assert kinds is not None
        if self.weights is not None:
            weights = _multiplied(shard.events.weights, self.weights[kinds])
            shard = replace(shard, events=replace(shard.events, weights=weights))
        return shard.select(self.wanted[kinds])


def min_value(data: Dataset, at_least: float) -> Dataset:
    """Keep events with a value of at least `at_least` (a rating of 4 and more, say).

    Raises:
        DataError: the log has no values.

    >>> import vitrina as vt
    >>> float(vt.filters.min_value(vt.testing.synthetic(), 4).events.values.min())
    4.0
    """
    check_number(at_least, "The 'at_least' of min_value")
    if "values" not in data.columns:
        raise DataError(f"The {data!r} has no values. Read it with value='...'.")
    return filtered(data, Within("values", float(at_least), None), f"min_value({at_least:g})", f"value of at least {at_least:g}")


@dataclass(frozen=True)
class Within:
    """The events with low <= column < high; None leaves a side open."""

    column: str
    low: float | None
    high: float | None

    def __call__(self, shard: Dataset) -> Dataset:
        column = getattr(shard.events, self.column)
        keep = np.ones(len(column), bool)
        if self.low is not None:
            keep &= column >= self.low
        if self.high is not None:
            keep &= column < self.high
        return shard.select(keep)


def period(data: Dataset, start: Moment | None = None, end: Moment | None = None) -> Dataset:
    """Keep events with start <= time < end; None leaves a side open.

    Args:
        start: an ISO date or a datetime (UTC where it has no zone), or a number in the unit of the log's times.
        end: the same; the moment itself is outside.

    Raises:
        DataError: the log has no times, or dates are given and it has only steps.

    >>> import vitrina as vt
    >>> vt.filters.period(vt.testing.toy(), end="2023-11-15").n_events
    2
    """
    if "times" not in data.columns:
        raise DataError(f"The {data!r} has no times. Read it with time='...'.")
    low, high = (None if moment is None else _moment(moment, data) for moment in (start, end))
    return filtered(data, Within("times", low, high), "period", f"from {start or 'the beginning'} to {end or 'the end'}")


def compact(data: Dataset, idle: NDArray[Any] | None = None) -> Dataset:
    """The same events with vocabularies that hold only users and items with events, codes in the order they had.

    Args:
        data: a whole log.
        idle: codes of items that stay although they have no event.

    Raises:
        SplitError: the data are a training part, whose codes the rest of its split shares.
    """
    require_whole(data)
    change = Passes(data, itself).sum(Present.of)
    stay = change.held.copy()
    if idle is not None:
        stay[idle] = True
    if stay.all() and change.without_users == 0:
        return data
    step = Compact(np.flatnonzero(stay))
    if not isinstance(data, Sharded):
        return step(data)
    items, table = step.of_items(data)
    first_users = tuple(accumulate(change.people[:-1], initial=0))
    return data.mapped(step, first_users=first_users, items=items, item_table=table, n_events=data.n_events, n_users=data.n_users)


@dataclass(frozen=True)
class Present:
    """What has events, of shards."""

    held: Bool  # (items,)
    people: tuple[int, ...]  # of each shard
    without_users: int  # users without events

    @classmethod
    def of(cls, shard: Dataset) -> Present:
        return cls(held(shard), (shard.n_users,), len(shard.users) - shard.n_users)

    def __add__(self, other: Present) -> Present:
        return Present(self.held | other.held, self.people + other.people, self.without_users + other.without_users)


def check_count(bound: Any, what: str) -> None:
    """Refuse what is no whole number of at least 1."""
    if isinstance(bound, (bool, np.bool_)) or not isinstance(bound, (int, np.integer)) or bound < 1:
        raise ParameterError(f"{what} must be a whole number of at least 1. Got {bound!r}.")


def check_number(number: Any, what: str) -> float:
    """The number; refuses what is none."""
    if not isinstance(number, (int, float, np.integer, np.floating)) or np.isnan(number):
        raise ParameterError(f"{what} must be a number. Got {number!r}.")
    return float(number)


def _multiplied(old: Float32 | None, new: Float32) -> Float32:
    """Both weights of each event; -1 where one of them is below 0."""
    return new if old is None else np.where(np.minimum(old, new) < 0, np.float32(-1), old * new)


def _group_of(columns: Sequence[NDArray[Any]]) -> Int64:
    """A number for each distinct row of the columns, (events,); equal rows share it."""
    order = np.lexsort(columns[::-1])
    new = np.zeros(len(order), bool)
    for column in columns:
        ordered = column[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    groups = np.empty(len(order), np.int64)
    groups[order] = np.cumsum(new)
    return groups


def _edges(groups: Int64) -> tuple[Int64, Int64]:
    """The first and the last position of each group."""
    size = int(groups.max(initial=-1)) + 1
    positions = np.arange(len(groups), dtype=np.int64)
    first, last = np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    first[groups[::-1]] = positions[::-1]
    last[groups] = positions
    return first, last


def _moment(moment: Moment, data: Dataset) -> int:
    if isinstance(moment, int):
        return moment
    if data.time_unit != "us":
        raise DataError(f"The {data!r} has steps and no dates. Give the period as numbers. Got {moment!r}.")
    try:
        when = dt.datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError:
        raise ParameterError(f"A moment must be an ISO date like 2024-01-31 or 2024-01-31T18:30. Got {moment!r}.") from None
    if isinstance(when, dt.datetime) and when.tzinfo is not None:
        when = when.astimezone(dt.UTC).replace(tzinfo=None)
    return int(pl.Series([when]).cast(pl.Datetime("us")).to_physical()[0])


__all__ = ["compact", "dedupe", "k_core", "kinds", "min_length", "min_value", "period"]
