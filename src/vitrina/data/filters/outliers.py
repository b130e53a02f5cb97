"""Filters against what bends the rest: heavy people, named ids, the head and the tail of the items, repeats in a row, far days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.ids import listed
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.data.filters.basic import _filtered, check_count, check_number
from vitrina.types import Bool
from vitrina.vocabulary import Vocabulary

End = Literal["first", "last"]


def max_length(data: Dataset, events: int) -> Dataset:
    """Drop users with more than `events` events: robots, shops, and ids that stand for everybody unknown.

    >>> import vitrina as vt
    >>> vt.filters.max_length(vt.testing.toy(), 3).n_users
    4
    """
    check_count(events, "The 'events' of max_length")
    lengths = np.diff(data.indptr)
    return _filtered(data, np.repeat(lengths <= events, lengths), f"max_length({events})", f"users with at most {events:,} events")


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
    people = _named(data.users, named_users, np.diff(data.indptr) > 0, "user", data)
    goods = _named(data.items, named_items, np.bincount(data.events.items, minlength=data.n_items) > 0, "item", data)
    keep = ~people[data.user_of] & ~goods[data.events.items]
    return _filtered(data, keep, "without", f"all but {int(people.sum()):,} named users and {int(goods.sum()):,} named items")


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
    counts = np.bincount(data.events.items, minlength=data.n_items)
    least, most = np.quantile(counts[counts > 0], (low, high))
    keep = ((counts >= least) & (counts <= most))[data.events.items]
    return _filtered(data, keep, f"item_quantiles({low:g}, {high:g})", f"items with {least:,.4g} to {most:,.4g} events")


def dedupe_consecutive(data: Dataset, keep: End = "first") -> Dataset:
    """Of events of one item that follow each other in a person's history, keep the first or the last; kinds of event and dislikes are told apart.

    A reload, a play that goes on and a quantity written as rows count once; what is taken again after something else stays.

    >>> import vitrina as vt
    >>> data = vt.filters.dedupe_consecutive(vt.testing.toy())
    >>> data.n_events, data.steps[-1].events_before
    (20, 20)
    """
    _check_end(keep, "dedupe_consecutive")
    items, users, kinds, weights = data.events.items, data.user_of, data.events.kinds, data.events.weights
    same = (items[1:] == items[:-1]) & (users[1:] == users[:-1])
    if kinds is not None:
        same &= kinds[1:] == kinds[:-1]
    if weights is not None:
        same &= np.sign(weights[1:]) == np.sign(weights[:-1])
    kept = np.append(True, ~same) if keep == "first" else np.append(~same, True)
    return _filtered(data, kept[: data.n_events], f"dedupe_consecutive({keep})", f"of repeats in a row: {keep}")


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
    times, users = data.events.times, data.user_of
    if times is None or data.time_unit != "us":
        raise DataError(f"The filter user_days needs real time, and {data!r} has none. Read it with time='...'.")
    first, last = np.minimum(data.indptr[:-1], data.n_events - 1), np.maximum(data.indptr[1:] - 1, 0)
    elapsed = times - times[first][users] if keep == "first" else times[last][users] - times
    return _filtered(data, elapsed < days * DAY, f"user_days({days:g}, {keep})", f"the {keep} {days:g} days of each user")


def _check_end(keep: str, name: str) -> None:
    if keep not in ("first", "last"):
        raise ParameterError(f"The 'keep' of {name} must be first or last. Got {keep!r}.", parameter="keep", value=keep)


def _named(vocabulary: Vocabulary, ids: Any, present: Bool, what: str, data: Dataset) -> Bool:
    """(codes,) which ones are named."""
    named = np.zeros(len(vocabulary), bool)
    if len(ids):
        codes = vocabulary.encode(ids)
        strange = [str(given) for given, code in zip(ids, codes, strict=True) if code < 0 or not present[code]]
        if strange:
            more = f" and {len(strange) - 3} more" if len(strange) > 3 else ""
            raise DataError(
                f"The filter without names {what}s that {data!r} has no events of: {', '.join(strange[:3])}{more}. "
                "Write ids as they stand in the log, and put without before the filters that remove them."
            )
        named[codes] = True
    return named


__all__ = ["dedupe_consecutive", "item_quantiles", "max_length", "user_days", "without"]
