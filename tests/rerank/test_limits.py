"""The limits that greedy re-rankers obey, against a search through all lists."""

from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from vitrina.base.kernels import Spread
from vitrina.rerank.limits import NO_LIMITS, Limits, may_take, opened, take


@Spread
def choose(first, last, values, counts, limits, chosen):
    """The example of the module."""
    for q in range(first, last):
        count = counts[q]
        left, may, account = np.ones(count, np.bool_), np.empty(count, np.bool_), opened(q, count, limits)
        for place in range(min(chosen.shape[1], count)):
            may_take(q, place, left, limits, account, may)
            best = -1
            for c in range(count):
                if may[c] and (best < 0 or values[q, c] > values[q, best]):
                    best = c
            take(q, best, limits, account)
            chosen[q, place], left[best] = best, False


def limits_of(groups, bounds, pins=None, copies=()):
    """One query: the groups of each candidate, (group, first, most, least), {candidate: place}, pairs of near-copies."""
    n = len(groups)
    rows = sorted(bounds, key=lambda b: b[1])
    pinned = np.full((1, n), -1, np.int32)
    for c, place in (pins or {}).items():
        pinned[0, c] = place
    near = [[b if a == c else a for a, b in copies if c in (a, b)] for c in range(n)]

    def ragged(lists):
        return np.append(0, np.cumsum([len(own) for own in lists])).astype(np.int64), np.array([v for own in lists for v in own], np.int32)

    table = [np.array(column, np.int32) for column in zip(*rows, strict=True)] if rows else [np.empty(0, np.int32)] * 4
    fields: tuple[Any, ...] = (*ragged(groups), np.array([0, len(rows)], np.int64), *table, pinned, *ragged(near))
    return Limits(**dict(zip(Limits._fields, fields, strict=True)))


def listed(values, limits, k=None):
    chosen = np.full((1, k or len(values)), -1, np.int64)
    choose(1, np.array([values], np.float64), np.array([len(values)]), limits, chosen)
    return chosen[0].tolist()


def keeps(groups, bounds, pins, order):
    """Whether every bound and every kept place holds in a whole list."""
    for group, first, most, least in bounds:
        held = sum(group in groups[c] for c in order[:first])
        if held > most or (held < least and first <= len(order)):
            return False
    return all(place >= len(order) or order[place] == c for c, place in pins.items())


def exists(groups, bounds, pins):
    """Whether some order of all candidates keeps them all, for groups that share nothing: a search through how many of each stand where."""
    kinds = [own[0] if own else -1 for own in groups]
    at = {place: kinds[c] for c, place in pins.items()}
    free = [kinds[c] for c in range(len(kinds)) if c not in pins]
    names = sorted(set(kinds))

    def holds(held, n):
        return all(
            not (n <= first and held.get(group, 0) > most) and not (n == first and held.get(group, 0) < least)
            for group, first, most, least in bounds
        )

    @cache
    def search(place, used):
        taken = dict(zip(names, used, strict=True))
        held = {kind: taken[kind] + sum(kind == k for p, k in at.items() if p < place) for kind in names}
        if not holds(held, place):
            return False
        if place == len(kinds):
            return True
        if place in at:
            return search(place + 1, used)
        return any(
            taken[kind] < free.count(kind) and search(place + 1, tuple(u + (name == kind) for name, u in zip(names, used, strict=True)))
            for kind in names
        )

    return search(0, (0,) * len(names))


def instance(rng, *, pinned):
    n, kinds = int(rng.integers(3, 12)), int(rng.integers(1, 5))
    groups = [[int(g)] if g < kinds else [] for g in rng.integers(0, kinds + 1, n)]
    bounds = [
        (
            int(rng.integers(kinds)),
            int(rng.integers(1, n + 1)),
            int(rng.integers(0, 4)) if rng.random() < 0.5 else n,
            int(rng.integers(0, 3)),
        )
        for _ in range(rng.integers(1, 6))
    ]
    pins = {int(c): int(p) for c, p in zip(rng.permutation(n)[:2], rng.permutation(n)[:2], strict=True)} if pinned else {}
    return groups, bounds, pins, rng.random(n)


@pytest.mark.parametrize("pinned", [False, True])
def test_groups_that_share_nothing_are_met_whenever_a_list_meets_them(pinned):
    rng, met = np.random.default_rng(11 + pinned), 0
    for _ in range(800):
        groups, bounds, pins, values = instance(rng, pinned=pinned)
        order = listed(values, limits_of(groups, bounds, pins))
        assert sorted(order) == list(range(len(groups)))
        if exists(groups, bounds, pins):
            met += 1
            assert keeps(groups, bounds, pins, order), (groups, bounds, pins, values)
    assert met >= 200


def test_among_those_lists_each_place_has_the_best_candidate_that_leaves_one():
    """The oracle of the choice: of all lists that keep the limits, the greatest by the value of its first place, then its second, and so on."""
    rng, met = np.random.default_rng(5), 0
    while met < 200:
        groups, bounds, pins, values = instance(rng, pinned=bool(met % 2))
        if len(groups) > 6:
            continue
        kept = [order for order in permutations(range(len(groups))) if keeps(groups, bounds, pins, order)]
        if kept:
            met += 1
            wanted = max(kept, key=lambda order: [values[c] for c in order])
            assert tuple(listed(values, limits_of(groups, bounds, pins))) == wanted, (groups, bounds, pins, values)


def test_a_shorter_list_is_the_beginning_of_a_longer_one():
    rng = np.random.default_rng(2)
    for _ in range(100):
        groups, bounds, pins, values = instance(rng, pinned=True)
        limits = limits_of(groups, bounds, pins)
        whole = listed(values, limits)
        assert all(listed(values, limits, k) == whole[:k] for k in range(1, len(values)))


def test_floors_are_lowered_to_what_there_is_and_a_cap_is_broken_at_the_end_only():
    values = [6.0, 5, 4, 3, 2, 1]
    assert listed(values, limits_of([[0], [0], [0], [0], [0], [1]], [(1, 3, 9, 2)])) == [0, 1, 5, 2, 3, 4]
    assert listed(values, limits_of([[0], [0], [0], [0], [1], [1]], [(0, 9, 1, 0)])) == [0, 4, 5, 1, 2, 3]
    assert listed(values, NO_LIMITS) == [0, 1, 2, 3, 4, 5]


def test_an_item_of_two_groups_serves_both_floors():
    values = [6.0, 5, 4, 3, 2, 1]
    groups, bounds = [[], [], [], [0], [1], [0, 1]], [(0, 1, 9, 1), (1, 1, 9, 1)]
    assert listed(values, limits_of(groups, bounds))[0] == 5


def test_near_copies_are_shown_once_while_there_is_anything_else():
    assert listed([5.0, 4, 3, 2], limits_of([[]] * 4, [(0, 1, 9, 0)], copies=[(0, 1), (1, 2)])) == [0, 2, 3, 1]


def test_a_place_is_kept_and_caps_count_what_will_stand_there():
    values = [6.0, 5, 4, 3, 2, 1]
    groups = [[0], [0], [], [], [], [0]]
    assert listed(values, limits_of(groups, [], {5: 2})) == [0, 1, 5, 2, 3, 4]
    assert listed(values, limits_of(groups, [(0, 4, 2, 0)], {5: 2})) == [0, 2, 5, 3, 1, 4]
