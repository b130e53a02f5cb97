"""What a greedy re-ranker must obey while it chooses: at most and at least so many of a group in the first places, places that are kept, near-copies.

A greedy kernel asks `may_take` before each place which candidates it may choose from, and tells `take` which one it chose:

    @Spread
    def _choose(first, last, values, counts, limits, chosen):
        for q in range(first, last):
            count = counts[q]
            left, may, account = np.ones(count, np.bool_), np.empty(count, np.bool_), opened(q, count, limits)
            for place in range(min(chosen.shape[1], count)):
                may_take(q, place, left, limits, account, may)  # may[c] holds for at least one candidate that is left
                best = -1
                for c in range(count):
                    if may[c] and (best < 0 or values[q, c] > values[q, best]):
                        best = c
                take(q, best, limits, account)
                chosen[q, place], left[best] = best, False

called as `_choose(len(queries), values, candidates.counts, candidates.limits, chosen)`: `Candidates.limits` is `NO_LIMITS` where there are none, which
costs a copy of `left` per place. What was chosen before place p is all that the choice at p depends on, so a shorter list is the beginning of a longer one.

**What is promised.** Groups that share no item are met exactly: each cap holds in every prefix in which some list could hold it, and each floor is met whenever a list
exists that meets them all. The places up to n are jobs of unit time, and the members that are missing up to n are due by then; a choice
is forced once there are as many of them as places (so earliest deadlines first, which is optimal for such jobs), and no choice can
leave a place that only a broken cap fills which another choice would not ([Horn 1974](https://doi.org/10.1002/nav.3800210113)). A floor is lowered to the members that are left. Groups that
overlap may force a member earlier than needed, as one item counts for each of its groups, and then what covers most groups is taken; there a list may exist that meets
more. Caps come before floors, and places that are kept before both. A cap is broken only where nothing else is left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vitrina.base.arrays import Int32, Int64
from vitrina.base.kernels import kernel


class Limits(NamedTuple):
    """What holds for the candidates of each query, in their order in `Candidates.lists`. Groups are numbered from 0 in each query.

    Args:
        indptr: (queries * candidates + 1,) the groups of candidate c of query q are `groups[indptr[q * candidates + c] : indptr[q * candidates + c + 1]]`.
        groups: (total,).
        bounds: (queries + 1,) the rows of the next four that are of query q: `bounds[q]` to `bounds[q + 1]`, by rising `first`.
        group: (bounds,) of which at most `most` and at least `least` may be among the first `first` places.
        first: (bounds,).
        most: (bounds,).
        least: (bounds,).
        pinned: (queries, candidates) the place from 0 that is kept for a candidate, or -1.
        copy_indptr: (queries * candidates + 1,) as `indptr`; which candidates are near-copies of a candidate, so that only one of them is shown.
        copies: (total,) their places among the candidates.
    """

    indptr: Int64
    groups: Int32
    bounds: Int64
    group: Int32
    first: Int32
    most: Int32
    least: Int32
    pinned: Int32
    copy_indptr: Int64
    copies: Int32


_CODES, _PLACES = np.empty(0, np.int32), np.empty(0, np.int64)
NO_LIMITS = Limits(_PLACES, _CODES, _PLACES, _CODES, _CODES, _CODES, _CODES, np.empty((0, 0), np.int32), _PLACES, _CODES)


@kernel
def opened(q, count, limits):  # pragma: no cover
    """The account of query q before its first place, of its first `count` candidates.

    It has, per group, how many stand in the list and how many are left that have no place of their own; per bound, for how many of its group a
    place is kept in its prefix; and per candidate, how many of its near-copies stand in the list.
    """
    if not len(limits.bounds):
        empty = np.empty(0, np.int64)
        return empty, empty, empty, empty
    width, low, high = limits.pinned.shape[1], limits.bounds[q], limits.bounds[q + 1]
    n_groups = 0
    for at in range(limits.indptr[q * width], limits.indptr[q * width + count]):
        n_groups = max(n_groups, limits.groups[at] + 1)
    for b in range(low, high):
        n_groups = max(n_groups, limits.group[b] + 1)
    held, rest = np.zeros(n_groups, np.int64), np.zeros(n_groups, np.int64)
    reserved, shown = np.zeros(high - low, np.int64), np.zeros(count, np.int64)
    for c in range(count):
        for at in range(limits.indptr[q * width + c], limits.indptr[q * width + c + 1]):
            _count(q, limits.groups[at], limits.pinned[q, c], 1, limits, rest, reserved)
    return held, rest, reserved, shown


@kernel
def _count(q, group, pin, change, limits, rest, reserved):  # pragma: no cover
    """One more or fewer of a group that is still to come."""
    if pin < 0:
        rest[group] += change
        return
    low = limits.bounds[q]
    for b in range(low, limits.bounds[q + 1]):
        if limits.group[b] == group and pin < limits.first[b]:
            reserved[b - low] += change


@kernel
def take(q, best, limits, account):  # pragma: no cover
    """Candidate `best` of query q stands in the list."""
    if not len(limits.bounds):
        return
    held, rest, reserved, shown = account
    row = q * limits.pinned.shape[1] + best
    for at in range(limits.indptr[row], limits.indptr[row + 1]):
        held[limits.groups[at]] += 1
        _count(q, limits.groups[at], limits.pinned[q, best], -1, limits, rest, reserved)
    for at in range(limits.copy_indptr[row], limits.copy_indptr[row + 1]):
        if limits.copies[at] < len(shown):
            shown[limits.copies[at]] += 1


@kernel
def may_take(q, place, left, limits, account, may):  # pragma: no cover
    """Write into `may` which of the candidates that are left, (count,), may stand at this place of query q."""
    may[:] = left
    if len(limits.bounds) and not _kept(q, place, limits, may):
        open_to(q, place, limits, account, may)
        _forced(q, place, left, limits, account, may)


@kernel
def open_to(q, place, limits, account, may):  # pragma: no cover
    """Leave in `may` what no cap and no near-copy keeps from this place; everything where nothing would be left."""
    if not len(limits.bounds):
        return
    held, _, reserved, shown = account
    closed, any_open = _closed(q, place, limits, held, reserved), False
    width = limits.pinned.shape[1]
    open_ones = may.copy()
    for c in range(len(may)):
        open_ones[c] = may[c] and shown[c] == 0
        for at in range(limits.indptr[q * width + c], limits.indptr[q * width + c + 1]):
            open_ones[c] = open_ones[c] and not closed[limits.groups[at]]
        any_open = any_open or open_ones[c]
    if any_open:
        may[:] = open_ones


@kernel
def _kept(q, place, limits, may):  # pragma: no cover
    """Leave in `may` what this place is kept for, and say so; else take off what has its place further down, where anything else is left."""
    free = 0
    for c in range(len(may)):
        if may[c] and 0 <= limits.pinned[q, c] <= place:
            may[:] = False
            may[c] = True
            return True
        free += may[c] and limits.pinned[q, c] < 0
    for c in range(len(may)):
        may[c] = may[c] and (limits.pinned[q, c] < 0 or free == 0)
    return free == 0


@kernel
def _closed(q, place, limits, held, reserved):  # pragma: no cover
    """(groups,) of which no more may be taken at this place."""
    closed, low = np.zeros(len(held), np.bool_), limits.bounds[q]
    for b in range(low, limits.bounds[q + 1]):
        g = limits.group[b]
        if place < limits.first[b] and held[g] + reserved[b - low] >= limits.most[b]:
            closed[g] = True
    return closed


@kernel
def _forced(q, place, left, limits, account, may):  # pragma: no cover
    """Leave in `may` what the floors need now: for each prefix, from the shortest, the members that are missing in it against its free places."""
    held, rest, reserved, _ = account
    due, missing = np.zeros(len(held), np.int64), 0
    low, high = limits.bounds[q], limits.bounds[q + 1]
    for b in range(low, high):
        g, first = limits.group[b], limits.first[b]
        lacks = min(limits.least[b] - held[g] - reserved[b - low], rest[g])
        if place < first and lacks > due[g]:
            missing, due[g] = missing + lacks - due[g], lacks
        if missing > 0 and (b + 1 == high or limits.first[b + 1] > first):
            free = min(first, len(left)) - place
            for c in range(len(left)):
                free -= left[c] and place < limits.pinned[q, c] < first
            if missing >= free:
                _narrow(q, missing - free + 1, limits, due, may)


@kernel
def _narrow(q, need, limits, due, may):  # pragma: no cover
    """Keep in `may` the candidates that are in `need` groups which are due, or else in as many as there are."""
    width, most, cover = limits.pinned.shape[1], 0, np.zeros(len(may), np.int64)
    for c in range(len(may)):
        if may[c]:
            for at in range(limits.indptr[q * width + c], limits.indptr[q * width + c + 1]):
                cover[c] += due[limits.groups[at]] > 0
            most = max(most, cover[c])
    for c in range(len(may)):
        may[c] = may[c] and cover[c] >= min(need, most)
