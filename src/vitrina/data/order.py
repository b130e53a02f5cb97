"""The compiled passes over a log: the stable order, baskets of each person, people an item."""

from __future__ import annotations

import numpy as np

from vitrina.base.kernels import Spread, kernel
from vitrina.types import Int32, Int64


def stable_order(users: Int32, indptr: Int64, times: Int64 | None) -> Int64:
    """Positions of events in the order (user, time, row): what a stable sort by (user, time) gives.

    A counting sort by user, then each person's events by time; those already in order are only looked at.

    Cost: two passes over the events, 8 bytes per event.
    """
    order = _by_user(users, indptr)
    if times is not None:
        _by_time(len(indptr) - 1, order, indptr, times)
    return order


@kernel
def _by_user(users, indptr):  # pragma: no cover
    order = np.empty(len(users), np.int64)
    cursor = indptr[:-1].copy()
    for row in range(len(users)):
        user = users[row]
        order[cursor[user]] = row
        cursor[user] += 1
    return order


@Spread
def _by_time(first, last, order, indptr, times):  # pragma: no cover
    for user in range(first, last):
        own = order[indptr[user] : indptr[user + 1]]
        for at in range(1, len(own)):
            if times[own[at]] < times[own[at - 1]]:
                _merge_sort(own, times)
                break


@kernel
def _merge_sort(own, times):  # pragma: no cover
    """Sort positions by their times, bottom up; equal times keep their order."""
    size = len(own)
    source, target = own.copy(), np.empty_like(own)
    width = 1
    while width < size:
        for first in range(0, size, 2 * width):
            middle, end = min(first + width, size), min(first + 2 * width, size)
            left, right = first, middle
            for at in range(first, end):
                if right >= end or (left < middle and times[source[left]] <= times[source[right]]):
                    target[at] = source[left]
                    left += 1
                else:
                    target[at] = source[right]
                    right += 1
        source, target = target, source
        width *= 2
    own[:] = source


@kernel
def number_within(groups, indptr, n_groups):  # pragma: no cover
    """Codes of (user, group) in the order of the events: equal numbers of two people are two groups; -1 (no group) stays."""
    codes = np.empty(len(groups), np.int32)
    owner, code_of = np.full(n_groups, -1, np.int64), np.empty(n_groups, np.int32)
    count = 0
    for user in range(len(indptr) - 1):
        for at in range(indptr[user], indptr[user + 1]):
            group = groups[at]
            if group < 0:
                codes[at] = group
                continue
            if owner[group] != user:
                owner[group] = user
                code_of[group] = count
                count += 1
            codes[at] = code_of[group]
    return codes


@kernel
def users_an_item(items, indptr, n_items):  # pragma: no cover
    """How many people took each item, (items,) int64."""
    counts, last = np.zeros(n_items, np.int64), np.full(n_items, -1, np.int64)
    for user in range(len(indptr) - 1):
        for at in range(indptr[user], indptr[user + 1]):
            item = items[at]
            if last[item] != user:
                last[item] = user
                counts[item] += 1
    return counts


@kernel
def last_of_pairs(items, indptr, n_items):  # pragma: no cover
    """(events,) which events are the last of their (user, item)."""
    found, last = np.zeros(len(items), np.bool_), np.full(n_items, -1, np.int64)
    for user in range(len(indptr) - 1):
        for at in range(indptr[user + 1] - 1, indptr[user] - 1, -1):
            item = items[at]
            if last[item] != user:
                last[item] = user
                found[at] = True
    return found
