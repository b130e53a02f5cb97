"""From quotas, kept places and near-copies to the `Limits` of some candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vitrina.base.arrays import Bool, Float64, Int32, Int64, Ragged
from vitrina.base.config import fingerprint
from vitrina.base.kernels import Spread, kernel
from vitrina.base.state import Arrays
from vitrina.rerank.base import Candidates
from vitrina.rerank.limits import NO_LIMITS, Limits, may_take, open_to, opened, take
from vitrina.rerank.rules.base import Mover, Quota
from vitrina.rerank.rules.movers import NearCopies, Pin
from vitrina.types import Queries

Fitted = Mapping[str, tuple[Any, Arrays]]  # rules by name, with what each took of the log


def limits_of(rules: Fitted, queries: Queries, candidates: Candidates) -> Limits:
    """What these rules ask of whoever chooses among the candidates; `NO_LIMITS` where they ask nothing."""
    movers = [(rule, own) for rule, own in rules.values() if isinstance(rule, Mover)]
    quotas = [(rule, own) for rule, own in movers if isinstance(rule, Quota)]
    pins = [(rule, own) for rule, own in movers if isinstance(rule, Pin)]
    near = [(rule, own) for rule, own in movers if isinstance(rule, NearCopies)]
    if not (quotas or pins or near):
        return NO_LIMITS
    shape = candidates.lists.items.shape
    pinned = np.full(shape, -1, np.int32)
    for pin, own in pins:
        pinned[pin.speaks_of(queries, candidates, own)] = pin.place - 1
    pinned[np.arange(shape[1]) >= candidates.totals[:, None]] = -1
    copies = _together([rule.copies(candidates, own) for rule, own in near], pinned.size)
    indptr, groups, *bounds = _groups(quotas, candidates)
    starts, group, first, most, least = bounds
    return Limits(indptr, groups, starts, group, first, most, least, pinned, *copies)


def _groups(quotas: Sequence[tuple[Quota, Arrays]], candidates: Candidates) -> tuple[Any, ...]:
    """The groups of candidates, and the bounds of groups: the first seven fields of `Limits`."""
    items, n = candidates.lists.items, len(candidates.lists)
    kinds: dict[str, int] = {}
    flat, groups, offset, offsets = [], [], 0, []
    for rule, own in quotas:
        if fingerprint(rule.of_what) in kinds:
            continue
        kinds[fingerprint(rule.of_what)] = len(kinds)
        of_item = rule.groups(own)
        rows = of_item.take(np.where(items >= 0, items, 0).ravel())
        shown = np.repeat((items >= 0).ravel(), rows.lengths)
        flat.append(rows.row_of[shown])
        groups.append(rows.values[shown].astype(np.int64) + offset)
        offsets.append(offset)
        offset += int(of_item.values.max(initial=-1)) + 1
    where, group = (np.concatenate([np.empty(0, np.int64), *parts]) for parts in (flat, groups))
    order = np.argsort(where, kind="stable")
    where, group = where[order], group[order]
    keys, number = np.unique(where // max(items.shape[1], 1) * max(offset, 1) + group, return_inverse=True)
    query, kind = keys // max(offset, 1), np.searchsorted(offsets, keys % max(offset, 1), side="right") - 1
    first_of = np.searchsorted(query, np.arange(n))
    own_number = (np.arange(len(keys)) - first_of[query]).astype(np.int32) if n else np.empty(0, np.int32)
    indptr = np.append(0, np.cumsum(np.bincount(where, minlength=items.size))).astype(np.int64)
    return (
        indptr,
        own_number[number.ravel()],
        *_bounds([(kinds[fingerprint(r.of_what)], r.bound()) for r, _ in quotas], query, kind, own_number, n),
    )


def _bounds(bounds: Sequence[tuple[int, tuple[int, int, int]]], query: Int64, kind: Int64, number: Int32, n: int) -> tuple[Any, ...]:
    """The bounds of each query by rising `first`: where they begin, of which group, first, most and least."""
    rows = [np.flatnonzero(kind == of) for of, _ in bounds]
    at = np.concatenate([np.empty(0, np.int64), *rows])
    first, most, least = (
        np.concatenate(
            [np.empty(0, np.int32), *(np.full(len(row), bound[part], np.int32) for row, (_, bound) in zip(rows, bounds, strict=True))]
        )
        for part in range(3)
    )
    order = np.lexsort((first, query[at]))
    starts = np.searchsorted(query[at][order], np.arange(n + 1))
    return starts.astype(np.int64), number[at][order], first[order], most[order], least[order]


def _together(parts: Sequence[tuple[Int64, Int32]], candidates: int) -> tuple[Int64, Int32]:
    """The near-copies that several rules name, once each."""
    if len(parts) == 1:
        return parts[0]
    rows = [Ragged(indptr, values) for indptr, values in parts]
    owner = np.concatenate([np.empty(0, np.int64), *(row.row_of for row in rows)])
    values = np.concatenate([np.empty(0, np.int32), *(row.values for row in rows)])
    order = np.argsort(owner, kind="stable")
    both = Ragged.of_lengths(np.bincount(owner, minlength=candidates), values[order]).unique()
    return both.indptr, both.values


def broken(limits: Limits, totals: Int64, places: Int64) -> Bool:
    """(queries, k) at which places of a finished list a cap is broken, or a near-copy stands again."""
    out = np.zeros(places.shape, np.bool_)
    if len(limits.bounds):
        _broken(len(places), limits, totals, places, out)
    return out


@Spread
def _broken(first, last, limits, totals, places, out):  # pragma: no cover
    for q in range(first, last):
        account = opened(q, totals[q], limits)
        held, _, _, shown = account
        for place in range(places.shape[1]):
            c = places[q, place]
            if c >= 0:
                row = q * limits.pinned.shape[1] + c
                out[q, place] = shown[c] > 0
                for at in range(limits.indptr[row], limits.indptr[row + 1]):
                    for b in range(limits.bounds[q], limits.bounds[q + 1]):
                        if limits.group[b] == limits.groups[at] and place < limits.first[b] and held[limits.group[b]] >= limits.most[b]:
                            out[q, place] = True
                take(q, c, limits, account)


def chosen(candidates: Candidates, limits: Limits) -> tuple[Int64, Float64]:
    """The list that the limits allow: at each place the first of the candidates, in their order, that may stand there.

    Returns:
        (queries, k) places of candidates, and scores that order the list whatever stands where: at each place the largest of the candidates that
        no cap keeps from it. A candidate without a score has one only where a limit puts it before one that has.
    """
    places = np.full((len(candidates.lists), candidates.k), -1, np.int64)
    scores = np.full(places.shape, np.nan)
    _choose(len(places), candidates.counts, candidates.totals, candidates.lists.scores, limits, places, scores)
    return places, scores


@Spread
def _choose(first, last, counts, totals, given, limits, places, scores):  # pragma: no cover
    for q in range(first, last):
        total, scored = totals[q], counts[q]
        left, may, account = np.ones(total, np.bool_), np.empty(total, np.bool_), opened(q, total, limits)
        for place in range(min(total, places.shape[1])):
            may[:] = left
            open_to(q, place, limits, account, may)
            value = _largest(given[q], may)
            if scored and np.isnan(value):  # what is left with a score may not stand here
                value = scores[q, place - 1] if place else _largest(given[q], left)
            may_take(q, place, left, limits, account, may)
            best = _first(may)
            take(q, best, limits, account)
            places[q, place], scores[q, place], left[best] = best, value, False
            scored -= best < counts[q]


@kernel
def _first(may):  # pragma: no cover
    at = 0
    while not may[at]:
        at += 1
    return at


@kernel
def _largest(given, may):  # pragma: no cover
    value = np.nan
    for at in range(len(may)):
        if may[at] and not value >= given[at] and not np.isnan(given[at]):
            value = given[at]
    return value
