"""The pairs of tokens that stand together most often, merged one after the other: compiled, with counts that are kept up to date.

A history is a row of sets, one per action. A token that came from two neighbouring sets lies in the slot between them, and while it does, the two
sets stand beside it and no longer beside each other.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import lcm
from typing import Any, NamedTuple

import numpy as np
from numba import int64
from numba.typed import Dict

from vitrina.base.kernels import kernel
from vitrina.types import Int32, Int64

LARGEST = 1 << 62  # of a sum of weights


class Sets(NamedTuple):
    """Where the tokens stand now."""

    tokens: Int32  # (sets, most) of each set, in its first `sizes` places
    sizes: Int32  # (sets,) 0 once nothing of it is left
    slots: Int32  # (sets,) token of the slot behind, -1 for none
    before: Int64  # (sets,) the set before it in its history, -1 for none
    behind: Int64  # (sets,)


class Places(NamedTuple):
    """The sets and slots in which each token stood when it came there, as chains: a link goes to the link before it."""

    last: Int64  # (tokens,) -1 for none
    counts: Int64  # (tokens,)
    sets: Any  # list, one entry per link
    links: Any  # list


class Weights(NamedTuple):
    """How often pairs stand together: numbered as they come, each with its weight and the highest one that the heap knows of it."""

    number: Any  # key -> number
    now: Any  # list
    known: Any  # list
    risen: Any  # list of keys


def unit_of(events: int, most: int) -> int:
    """The weight 1 as an integer: exact sums whatever their order. Divisible by the product of any two sizes of sets, where that fits."""
    room = LARGEST // (3 * max(events, 1))
    exact = lcm(*range(1, max(most, 1) + 1)) ** 2
    return min(exact, room)


def starting(sets: Int32, indptr: Int64) -> Sets:
    """The sets of histories as they are before anything is merged: (sets, most), padded by -1 behind; history h has the sets indptr[h] to indptr[h + 1]."""
    number = np.arange(len(sets), dtype=np.int64)
    before, behind = number - 1, number + 1
    starts, stops = indptr[:-1][np.diff(indptr) > 0], indptr[1:][np.diff(indptr) > 0]
    before[starts], behind[stops - 1] = -1, -1
    return Sets(sets.astype(np.int32), (sets >= 0).sum(1).astype(np.int32), np.full(len(sets), -1, np.int32), before, behind)


@kernel
def _key(one: int, other: int) -> int:
    return (min(one, other) << 32) | max(one, other)


@kernel
def _add(weights: Any, key: int, weight: int) -> None:
    if key not in weights.number:
        weights.number[key] = len(weights.now)
        weights.now.append(0)
        weights.known.append(0)
    at = weights.number[key]
    weights.now[at] += weight
    if weight > 0:
        weights.risen.append(key)


@kernel
def _inside(sets: Any, at: int, weight: int, weights: Any) -> None:
    """2 / M for each pair of a set of M tokens."""
    size = sets.sizes[at]
    for one in range(size):
        for other in range(one + 1, size):
            _add(weights, _key(sets.tokens[at, one], sets.tokens[at, other]), 2 * weight // size)


@kernel
def _between(sets: Any, left: int, right: int, weight: int, weights: Any) -> None:
    """1 / (M1 M2) for each pair over two sets; where their slot holds a token, that is a set of one token between them."""
    middle = sets.slots[left]
    if middle < 0:
        share = weight // (sets.sizes[left] * sets.sizes[right])
        for one in range(sets.sizes[left]):
            for other in range(sets.sizes[right]):
                _add(weights, _key(sets.tokens[left, one], sets.tokens[right, other]), share)
        return
    for side in (left, right):
        for one in range(sets.sizes[side]):
            _add(weights, _key(sets.tokens[side, one], middle), weight // sets.sizes[side])


@kernel
def _count(sets: Any, first: int, stop: int, weight: int, weights: Any) -> None:
    """Pairs within the sets from `first` up to `stop`, among them, and with the sets before and behind."""
    if sets.before[first] >= 0:
        _between(sets, sets.before[first], first, weight, weights)
    at = first
    while at >= 0 and at != stop:
        _inside(sets, at, weight, weights)
        if sets.behind[at] >= 0:
            _between(sets, at, sets.behind[at], weight, weights)
        at = sets.behind[at]


@kernel
def _has(sets: Any, at: int, token: int) -> bool:
    found = False
    for place in range(sets.sizes[at]):
        found |= sets.tokens[at, place] == token
    return found


@kernel
def _drop(sets: Any, at: int, token: int) -> None:
    kept = 0
    for place in range(sets.sizes[at]):
        if sets.tokens[at, place] != token:
            sets.tokens[at, kept] = sets.tokens[at, place]
            kept += 1
    sets.sizes[at] = kept


@kernel
def _note(places: Any, token: int, at: int) -> None:
    places.sets.append(at)
    places.links.append(places.last[token])
    places.last[token] = len(places.sets) - 1
    places.counts[token] += 1


@kernel
def _where(sets: Any, at: int, one: int, other: int) -> int:
    """How a pair stands at a set: 1 in it, 2 in it and its slot, 3 in the next set and the slot, 4 over the two, 5 the other way round, 0 not at all."""
    if one != other and _has(sets, at, one) and _has(sets, at, other):
        return 1
    right, middle, way = sets.behind[at], sets.slots[at], 0
    if right < 0 or sets.sizes[at] == 0:
        return 0
    if middle < 0:
        if _has(sets, at, one) and _has(sets, right, other):
            way = 4
        elif _has(sets, at, other) and _has(sets, right, one):
            way = 5
    elif middle in (one, other):
        wanted = other if middle == one else one
        if _has(sets, at, wanted):
            way = 2
        elif _has(sets, right, wanted):
            way = 3
    return way


@kernel
def _settle(sets: Any, at: int, places: Any) -> None:
    """An empty set takes the token of the slot before it, or else behind it, and goes where neither has one."""
    if sets.sizes[at] > 0:
        return
    left, right = sets.before[at], sets.behind[at]
    slot = left if left >= 0 and sets.slots[left] >= 0 else at
    if sets.slots[slot] >= 0:
        sets.tokens[at, 0], sets.sizes[at] = sets.slots[slot], 1
        _note(places, sets.slots[slot], at)
        sets.slots[slot] = -1
        return
    if left >= 0:
        sets.behind[left] = right
    if right >= 0:
        sets.before[right] = left


@kernel
def _merge(sets: Any, at: int, way: int, one: int, other: int, new: int, places: Any) -> None:
    """Put the new token in the place of the pair that stands at a set."""
    right = sets.behind[at]
    _note(places, new, at)
    if way == 1:
        _drop(sets, at, one)
        _drop(sets, at, other)
        sets.tokens[at, sets.sizes[at]] = new
        sets.sizes[at] += 1
        return
    if way >= 4:
        _drop(sets, at, one if way == 4 else other)
        _drop(sets, right, other if way == 4 else one)
    else:
        _drop(sets, at if way == 2 else right, other if sets.slots[at] == one else one)
    sets.slots[at] = new
    _settle(sets, right, places)
    _settle(sets, at, places)


@kernel
def _standing(sets: Any, one: int, other: int, places: Any) -> Any:
    """The sets at which the pair stands now, from left to right."""
    rare = one if places.counts[one] <= places.counts[other] else other
    found = [np.int64(0) for _ in range(0)]
    link = places.last[rare]
    while link >= 0:
        at = places.sets[link]
        found.append(at)
        if sets.before[at] >= 0:
            found.append(sets.before[at])
        link = places.links[link]
    at_sets = np.unique(np.array(found, np.int64))
    return at_sets[np.array([_where(sets, at, one, other) > 0 for at in at_sets], np.bool_)]


@kernel
def _apply(sets: Any, one: int, other: int, new: int, unit: int, places: Any, weights: Any) -> None:
    """Merge the pair wherever it stands, from left to right, until it stands nowhere."""
    while weights.now[weights.number[_key(one, other)]] > 0:
        for at in _standing(sets, one, other, places):
            way = _where(sets, at, one, other)
            while way > 0:
                right = sets.behind[at]
                stop = right if way == 1 else sets.behind[right]
                _count(sets, at, stop, -unit, weights)
                _merge(sets, at, way, one, other, new, places)
                first = at if sets.sizes[at] > 0 else right
                _count(sets, first, stop, unit, weights)
                way = _where(sets, at, one, other)


@kernel
def _push(heap: Any, weights: Any) -> None:
    """Tell the heap of every pair that weighs more than it knows."""
    for key in weights.risen:
        at = weights.number[key]
        if weights.now[at] > weights.known[at]:
            weights.known[at] = weights.now[at]
            heappush(heap, (-weights.now[at], key))
    weights.risen.clear()


@kernel
def _best(heap: Any, weights: Any) -> Any:
    """The pair that weighs most, the one of the lowest tokens among equals, and its weight; what has become lighter goes back at its weight."""
    while len(heap):
        weight, key = heappop(heap)
        at = weights.number[key]
        now = weights.now[at]
        if now == -weight:
            weights.known[at] = 0
            return key, now
        if weights.known[at] == -weight:
            weights.known[at] = now
            if now > 0:
                heappush(heap, (-now, key))
    return np.int64(-1), np.int64(0)


@kernel
def _started(sets: Any, total: int) -> Any:
    last, count = np.full(total, -1, np.int64), np.zeros(total, np.int64)
    places = Places(last, count, [np.int64(0) for _ in range(0)], [np.int64(0) for _ in range(0)])
    weights = Weights(
        Dict.empty(int64, int64), [np.int64(0) for _ in range(0)], [np.int64(0) for _ in range(0)],
        [np.int64(0) for _ in range(0)],
    )  # fmt: skip
    return places, weights


@kernel
def _learn(sets: Any, base: int, size: int, least: int, unit: int) -> Any:
    """(merges, 2) pairs in the order in which they were merged, and their weights then."""
    places, weights = _started(sets, size)
    for at in range(len(sets.sizes)):
        for place in range(sets.sizes[at]):
            _note(places, sets.tokens[at, place], at)
        _inside(sets, at, unit, weights)
        if sets.behind[at] >= 0:
            _between(sets, at, sets.behind[at], unit, weights)
    heap = [(np.int64(0), np.int64(0)) for _ in range(0)]
    _push(heap, weights)
    pairs, heavy = np.empty((size - base, 2), np.int32), np.empty(size - base, np.int64)
    token = Dict.empty(int64, int64)
    while base + len(token) < size:
        key, weight = _best(heap, weights)
        if key < 0 or weight < least:
            break
        one, other = key >> 32, key & 0xFFFFFFFF
        if key not in token:
            pairs[len(token), 0], pairs[len(token), 1], heavy[len(token)] = one, other, weight
            token[key] = base + len(token)
        _apply(sets, one, other, token[key], unit, places, weights)
        _push(heap, weights)
    return pairs[: len(token)], heavy[: len(token)]


def learned(sets: Int32, indptr: Int64, base: int, size: int, least: float = 1.0) -> tuple[Int32, Int64, int]:
    """The pairs to merge: (merges, 2) tokens of each, lower first, their weights, and what 1 weighs; merge m makes token base + m.

    Args:
        sets: (sets, most) tokens 0 to base - 1 of each action, each once, padded by -1 behind.
        indptr: (histories + 1,) which sets are a history's.
        base: how many tokens there are before anything is merged.
        size: how many there are in the end, at most.
        least: merging ends before the first pair of a lower weight.

    Cost: a few seconds of a core for 150,000 sets of 5 tokens and 40,000 tokens in the end.
    """
    unit = unit_of(len(sets), sets.shape[1])
    pairs, weights = _learn(starting(sets, indptr), base, max(size, base), max(int(np.ceil(least * unit)), 1), unit)
    return pairs, weights, unit
