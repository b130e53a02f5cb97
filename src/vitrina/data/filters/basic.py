"""Filters that people use: each takes a Dataset, gives a smaller one, and leaves a Step that counts what went.

After a filter the vocabularies hold only users and items that still have events, in the order they had. Filter before
splitting: the parts of a split share their vocabularies.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError, SplitError, UnknownNameError
from vitrina.data.dataset import Dataset, Step
from vitrina.data.order import number_within
from vitrina.types import Bool, Float32, Int64
from vitrina.vocabulary import Vocabulary

Keep = Literal["first", "last", "sum", "all-distinct"]
Moment = str | int | dt.date | dt.datetime


def k_core(data: Dataset, users: int = 5, items: int = 5) -> Dataset:
    """Drop users and items with few partners, again and again, until none is left.

    The largest part in which every user met at least `users` distinct items and every item at least `items` distinct users
    (the k-core of the bipartite graph; repeats of a pair count once).

    Raises:
        ParameterError: a bound below 1.
        DataError: nothing is left.

    Cost: one sort of the pairs, then a pass over them a round.

    >>> import vitrina as vt
    >>> vt.filters.k_core(vt.testing.toy(), users=3, items=3)
    Dataset('toy': 20 events, 6 users, 4 items)
    """
    check_count(users, "The 'users' bound of k_core")
    check_count(items, "The 'items' bound of k_core")
    matrix = data.csr()
    pair_items = matrix.indices
    pair_users = np.repeat(np.arange(len(data.users)), np.diff(matrix.indptr))
    alive_users, alive_items = np.diff(matrix.indptr) >= users, np.ones(data.n_items, bool)
    left = -1
    while left != len(pair_users):
        left = len(pair_users)
        alive_items &= np.bincount(pair_items, minlength=data.n_items) >= items
        kept = alive_items[pair_items] & alive_users[pair_users]
        pair_users, pair_items = pair_users[kept], pair_items[kept]
        alive_users &= np.bincount(pair_users, minlength=len(data.users)) >= users
    keep = alive_users[data.user_of] & alive_items[data.events.items]
    return _filtered(data, keep, f"k_core({users}, {items})", f"users with {users} items, items with {items} users")


def min_length(data: Dataset, events: int = 2) -> Dataset:
    """Drop users with fewer than `events` events.

    >>> import vitrina as vt
    >>> vt.filters.min_length(vt.testing.toy(), 4).n_users
    2
    """
    check_count(events, "The 'events' of min_length")
    keep = np.repeat(np.diff(data.indptr) >= events, np.diff(data.indptr))
    return _filtered(data, keep, f"min_length({events})", f"users with at least {events} events")


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
    events = data.events
    names = ("items", "kinds") if keep != "all-distinct" else ("items", "kinds", "times", "baskets")
    columns = [getattr(events, name) for name in names if getattr(events, name) is not None]
    if events.weights is not None and events.least_weight < 0:
        columns.append(np.sign(events.weights))
    groups = _group_of((data.user_of, *columns))
    first, last = _edges(groups)
    if keep == "sum":
        values = np.ones(len(events)) if events.values is None else events.values.astype(np.float64)
        sums = np.bincount(groups, values)[groups].astype(np.float32)
        weights = None if events.weights is None else np.bincount(groups, events.weights)[groups].astype(np.float32)
        data = replace(data, events=replace(events, values=sums, weights=weights))
    chosen = np.zeros(len(events), bool)
    chosen[first if keep in ("first", "all-distinct") else last] = True
    return _filtered(data, chosen, f"dedupe({keep})", f"of equal {'rows' if keep == 'all-distinct' else 'pairs'}: {keep}")


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
    if data.events.kinds is None:
        raise DataError(f"The {data!r} has no kinds of event. Read it with kind='...'.")
    if isinstance(weights, str) or not isinstance(weights, Iterable):
        raise ParameterError(f"The kinds to keep are a list, or have weights: ['buy'], {{'buy': 1}}. Got {weights!r}.")
    for name in weights:
        if name not in data.kind_names:
            raise UnknownNameError.of("kind of event", name, data.kind_names)
    keep = np.isin(data.kind_names, list(weights))[data.events.kinds]
    if isinstance(weights, Mapping):
        with np.errstate(over="ignore", under="ignore"):
            by_code = np.array([check_number(weights.get(name, 0.0), f"The weight of {name!r}") for name in data.kind_names]).astype(
                np.float32
            )
        if not np.isfinite(by_code).all() or any(weights[name] and not by_code[data.kind_names.index(name)] for name in weights):
            raise ParameterError(f"The weights of kinds must be finite numbers, 0 or of a size that float32 holds. Got {dict(weights)}.")
        data = replace(data, events=replace(data.events, weights=_multiplied(data.events.weights, by_code[data.events.kinds])))
        shown = ", ".join(f"{name} x {weight:g}" for name, weight in weights.items())
    else:
        shown = ", ".join(weights)
    return _filtered(data, keep, "kinds", shown)


def min_value(data: Dataset, at_least: float) -> Dataset:
    """Keep events with a value of at least `at_least` (a rating of 4 and more, say).

    Raises:
        DataError: the log has no values.

    >>> import vitrina as vt
    >>> float(vt.filters.min_value(vt.testing.synthetic(), 4).events.values.min())
    4.0
    """
    check_number(at_least, "The 'at_least' of min_value")
    if data.events.values is None:
        raise DataError(f"The {data!r} has no values. Read it with value='...'.")
    return _filtered(data, data.events.values >= at_least, f"min_value({at_least:g})", f"value of at least {at_least:g}")


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
    times = data.events.times
    if times is None:
        raise DataError(f"The {data!r} has no times. Read it with time='...'.")
    keep = np.ones(len(times), bool)
    if start is not None:
        keep &= times >= _moment(start, data)
    if end is not None:
        keep &= times < _moment(end, data)
    return _filtered(data, keep, "period", f"from {start or 'the beginning'} to {end or 'the end'}")


def compact(data: Dataset, idle: NDArray[Any] | None = None) -> Dataset:
    """The same events with vocabularies that hold only users and items with events, codes in the order they had.

    Args:
        data: a whole log.
        idle: codes of items that stay although they have no event.

    Raises:
        SplitError: the data are a training part, whose codes the rest of its split shares.
    """
    if data.rule is not None:
        raise SplitError(f"The {data!r} is a training part and shares its ids with the queries of its split. Filter before splitting.")
    held = np.bincount(data.events.items, minlength=data.n_items) > 0
    if idle is not None:
        held[idle] = True
    users, items = np.flatnonzero(np.diff(data.indptr)), np.flatnonzero(held)
    if len(users) == len(data.users) and len(items) == data.n_items:
        return data
    new_code = np.full(data.n_items, -1, np.int32)
    new_code[items] = np.arange(len(items), dtype=np.int32)
    return replace(
        data,
        events=replace(data.events, items=new_code[data.events.items]),
        indptr=np.append(data.indptr[users], data.indptr[-1]),
        users=Vocabulary(data.users.decode(users)),
        items=Vocabulary(data.items.decode(items)),
        item_table=None if data.item_table is None else data.item_table.take(items),
        user_table=None if data.user_table is None else data.user_table.take(users),
    )


def check_count(bound: Any, what: str) -> None:
    """Refuse what is no whole number of at least 1."""
    if isinstance(bound, (bool, np.bool_)) or not isinstance(bound, (int, np.integer)) or bound < 1:
        raise ParameterError(f"{what} must be a whole number of at least 1. Got {bound!r}.")


def check_number(number: Any, what: str) -> float:
    """The number; refuses what is none."""
    if not isinstance(number, (int, float, np.integer, np.floating)) or np.isnan(number):
        raise ParameterError(f"{what} must be a number. Got {number!r}.")
    return float(number)


def _filtered(data: Dataset, keep: Bool, name: str, note: str) -> Dataset:
    """The kept events, compact, with a Step that counts what went."""
    if not keep.any():
        raise DataError(f"The filter {name} leaves nothing of {data!r}. Loosen it.")
    before = (data.n_events, data.n_users, int(np.count_nonzero(np.bincount(data.events.items))))
    new = np.flatnonzero(np.bincount(data.events.items, minlength=data.n_items) == 0)  # known from the item table alone
    kept = compact(data.select(keep), idle=new)
    if kept.events.baskets is not None:
        codes = number_within(kept.events.baskets, kept.indptr, int(kept.events.baskets.max()) + 1)
        kept = replace(kept, events=replace(kept.events, baskets=codes))
    after = (kept.n_events, kept.n_users, kept.n_items - len(new))
    step = Step(name, before[0], after[0], before[1], after[1], before[2], after[2], note)
    return replace(kept, steps=(*data.steps, step))


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
