"""Filters against what bends the rest: heavy people, named ids, the head and the tail of the items, repeats in a row, far days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.ids import listed
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.data.filters.basic import OfLength, check_count, check_number
from vitrina.data.filters.kept import filtered, held
from vitrina.data.passes import Passes, itself
from vitrina.types import Bool, Int32, Int64
from vitrina.vocabulary import Vocabulary

End = Literal["first", "last"]


def max_length(data: Dataset, events: int) -> Dataset:
    """Drop users with more than `events` events: robots, shops, and ids that stand for everybody unknown.

    >>> import vitrina as vt
    >>> vt.filters.max_length(vt.testing.toy(), 3).n_users
    4
    """
    check_count(events, "The 'events' of max_length")
    return filtered(data, OfLength(0, events), f"max_length({events})", f"users with at most {events:,} events")


def without(data: Dataset, users: Sequence[Any] = (), items: Sequence[Any] = ()) -> Dataset:
    """Drop the events of these users and of these items, named by their ids.

    Raises:
        ParameterError: no id is given.
        DataError: the log has no events of an id that is named.

    >>> import vitrina as vt
    >>> vt.filters.without(vt.testing.toy(), users=["ann"], items=["tea"]).n_users
    5
    """
    named_users, named_items = listed(users), listed(items)
    if not len(named_users) and not len(named_items):
        raise ParameterError("The filter without needs ids to leave out: users=[...], items=[...], or both.")
    found = Passes(data, itself).sum(Named(named_users, named_items))
    _require_present(named_users, found.users, "user", data)
    _require_present(named_items, found.items, "item", data)
    goods = data.items.encode(named_items) if len(named_items) else np.empty(0, np.int32)
    note = f"all but {found.people:,} named users and {len(np.unique(goods)):,} named items"
    return filtered(data, Without(named_users, goods), "without", note)


@dataclass(frozen=True)
class Found:
    """Which of the named ids have events, and how many different people are named; of shards it adds up."""

    users: Bool
    items: Bool
    people: int

    def __add__(self, other: Found) -> Found:
        return Found(self.users | other.users, self.items | other.items, self.people + other.people)


@dataclass(frozen=True)
class Named:
    """Looks for ids in a shard."""

    users: Any
    items: Any

    def __call__(self, shard: Dataset) -> Found:
        users, items = _present(shard.users, self.users, np.diff(shard.indptr) > 0), _present(shard.items, self.items, held(shard))
        return Found(users >= 0, items >= 0, len(np.unique(users[users >= 0])))


def _present(vocabulary: Vocabulary, ids: Any, present: Bool) -> Int32:
    """(ids,) the codes of what has events, -1 for others."""
    codes = vocabulary.encode(ids) if len(ids) else np.empty(0, np.int32)
    return np.where((codes >= 0) & np.append(present, False)[codes], codes, -1)


@dataclass(frozen=True)
class Without:
    """The events of a shard but those of these users and items."""

    users: Any  # ids
    items: Int32  # codes

    def __call__(self, shard: Dataset) -> Dataset:
        people = shard.users.encode(self.users) if len(self.users) else np.empty(0, np.int32)
        out, gone = np.zeros(len(shard.users), bool), np.zeros(shard.n_items, bool)
        out[people[people >= 0]] = True
        gone[self.items] = True
        return shard.select(~out[shard.user_of] & ~gone[shard.events.items])


def item_quantiles(data: Dataset, low: float = 0.0, high: float = 1.0) -> Dataset:
    """Keep the items whose number of events lies between two quantiles over the items, both ends included.

    `item_quantiles(data, high=0.99)` leaves out the hundredth of the items with the most events, `low=0.5` the rarer half.

    Raises:
        ParameterError: not 0 <= low < high <= 1.

    >>> import vitrina as vt
    >>> vt.filters.item_quantiles(vt.testing.toy(), high=0.9)
    Dataset('toy': 14 events, 6 users, 3 items)
    """
    low, high = check_number(low, "The 'low' of item_quantiles"), check_number(high, "The 'high' of item_quantiles")
    if not 0 <= low < high <= 1:
        raise ParameterError(
            f"The 'low' and 'high' of item_quantiles must be 0 <= low < high <= 1. Got {low} and {high}.", parameter="low", value=low
        )
    counts = Passes(data, itself).sum(_counts_of)
    least, most = np.quantile(counts[counts > 0], (low, high))
    keep = OfItems((counts >= least) & (counts <= most))
    return filtered(data, keep, f"item_quantiles({low:g}, {high:g})", f"items with {least:,.4g} to {most:,.4g} events")


def _counts_of(shard: Dataset) -> Int64:
    return np.bincount(shard.events.items, minlength=shard.n_items)


@dataclass(frozen=True)
class OfItems:
    """The events of some items."""

    wanted: Bool  # (items,)

    def __call__(self, shard: Dataset) -> Dataset:
        return shard.select(self.wanted[shard.events.items])


def dedupe_consecutive(data: Dataset, keep: End = "first") -> Dataset:
    """Of events of one item that follow each other in a person's history, keep the first or the last; kinds of event and dislikes are told apart.

    A reload, a play that goes on and a quantity written as rows count once; what is taken again after something else stays.

    >>> import vitrina as vt
    >>> data = vt.filters.dedupe_consecutive(vt.testing.toy())
    >>> data.n_events, data.steps[-1].events_before
    (20, 20)
    """
    _check_end(keep, "dedupe_consecutive")
    return filtered(data, NotInARow(keep), f"dedupe_consecutive({keep})", f"of repeats in a row: {keep}")


@dataclass(frozen=True)
class NotInARow:
    """One event of each run of equal ones."""

    keep: End

    def __call__(self, data: Dataset) -> Dataset:
        items, users, kinds, weights = data.events.items, data.user_of, data.events.kinds, data.events.weights
        same = (items[1:] == items[:-1]) & (users[1:] == users[:-1])
        if kinds is not None:
            same &= kinds[1:] == kinds[:-1]
        if weights is not None:
            same &= np.sign(weights[1:]) == np.sign(weights[:-1])
        kept = np.append(True, ~same) if self.keep == "first" else np.append(~same, True)
        return data.select(kept[: data.n_events])


def user_days(data: Dataset, days: float, keep: End = "last") -> Dataset:
    """Keep the first or the last `days` of each person, counted from their own first event, or back from their own last one.

    Raises:
        DataError: the log has no real time.

    >>> import vitrina as vt
    >>> data = vt.testing.synthetic()
    >>> vt.filters.user_days(data, 7).n_events < data.n_events
    True
    """
    _check_end(keep, "user_days")
    if not 0 < check_number(days, "The 'days' of user_days") < np.inf:
        raise ParameterError(
            f"The 'days' of user_days must be a positive number. Got {days}.", owner="user_days", parameter="days", value=days
        )
    if "times" not in data.columns or data.time_unit != "us":
        raise DataError(f"The filter user_days needs real time, and {data!r} has none. Read it with time='...'.")
    return filtered(data, OwnDays(days * DAY, keep), f"user_days({days:g}, {keep})", f"the {keep} {days:g} days of each user")


@dataclass(frozen=True)
class OwnDays:
    """The events of each user within a span from the own first event, or back from the own last one."""

    span: float  # microseconds
    keep: End

    def __call__(self, data: Dataset) -> Dataset:
        times, users = data.events.times, data.user_of
        assert times is not None
        if not len(times):
            return data
        first, last = np.minimum(data.indptr[:-1], data.n_events - 1), np.maximum(data.indptr[1:] - 1, 0)
        elapsed = times - times[first][users] if self.keep == "first" else times[last][users] - times
        return data.select(elapsed < self.span)


def _check_end(keep: str, name: str) -> None:
    if keep not in ("first", "last"):
        raise ParameterError(f"The 'keep' of {name} must be first or last. Got {keep!r}.", parameter="keep", value=keep)


def _require_present(ids: Any, present: Bool, what: str, data: Dataset) -> None:
    strange = [str(given) for given, known in zip(ids, present, strict=True) if not known]
    if strange:
        more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
        raise DataError(
            f"The filter without names {what}s that {data!r} has no events of: {', '.join(strange[:3])}{more}. "
            "Write ids as they stand in the log, and put without before the filters that remove them."
        )


__all__ = ["dedupe_consecutive", "item_quantiles", "max_length", "user_days", "without"]
