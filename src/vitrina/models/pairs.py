"""The compiled sparse product behind co-occurrence: pairs of a user's items, weighted, added up, the best of each row kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.base.heap import best_first, sift_down, sift_up, worse
from vitrina.base.kernels import Spread, kernel, runs_of
from vitrina.forms.decay import faded, faded_level
from vitrina.forms.levels import LEAST
from vitrina.types import Int32


def dealt(work: NDArray[Any]) -> Int32:
    """Rows in an order in which each run of a `Spread` gets its share of the long ones."""
    longest = np.argsort(-work, kind="stable").astype(np.int32)
    runs = max(runs_of(len(work)), 1)
    return np.concatenate([longest[r::runs] for r in range(runs)])


@kernel
def add_own(item, diagonal, total, touched):  # pragma: no cover
    """total[item] = diagonal[item], where there is a diagonal; the others leave it alone."""
    if len(diagonal) == 0 or not diagonal[item] > 0:
        return 0
    touched[0], total[item] = item, diagonal[item]
    return 1


@kernel
def add_products(item, by_item, by_user, total, touched, count):  # pragma: no cover
    """total[j] += sum over the users u of `item` of x[u, item] * x[u, j]; returns how many j have been touched."""
    item_indptr, item_users, item_values = by_item
    indptr, items, values = by_user
    for at in range(item_indptr[item], item_indptr[item + 1]):
        user, value = item_users[at], item_values[at]
        for other in range(indptr[user], indptr[user + 1]):
            to, product = items[other], value * values[other]
            if to == item or not product > 0:
                continue
            if total[to] == 0:
                touched[count] = to
                count += 1
            total[to] += product
    return count


@kernel
def add_gaps(item, by_item, log, gaps, every, total, touched, count, best, own):  # pragma: no cover
    """As `add_products`, with the best pair of events of each user (or `every` one) by their weights, their gap and their direction.

    `by_item` has the positions of each item's events in the log, ascending, so those of one user follow one another.
    """
    indptr, positions = by_item
    items, users, bounds, times, weights, factors = log
    shapes, scales, by_time, reach, back, faint, itself = gaps
    at, stop = indptr[item], indptr[item + 1]
    while at < stop:
        user, found = users[positions[at]], 0
        factor = factors[positions[at]]
        while at < stop and users[positions[at]] == user:
            event = positions[at]
            at += 1
            first = event + 1 if back == 0 else max(bounds[user], event - reach)
            for other in range(first, min(bounds[user + 1], event + reach + 1)):
                to = items[other]
                if other == event or (to == item and not itself):
                    continue
                span = times[other] - times[event] if len(times) else other - event
                share = 1.0 if span > 0 and other > event else back
                if share == 0:
                    continue
                gap, elapsed = float(abs(other - event) - 1), float(abs(span))
                weight = faded(
                    shapes, scales, by_time, gap, elapsed
                )  # here and in `pair_sums`: as a call it makes a fit half as slow again
                if faint and weight < LEAST and faded_level(shapes, scales, by_time, gap, elapsed) > -np.inf:
                    weight = LEAST
                weight *= weights[event] * factor * weights[other] * factors[other] * share
                if not weight > 0:
                    continue
                if best[to] == 0:
                    own[found] = to
                    found += 1
                best[to] = best[to] + weight if every else max(best[to], weight)
        for place in range(found):
            to = own[place]
            if total[to] == 0:
                touched[count] = to
                count += 1
            total[to] += best[to]
            best[to] = 0
    return count


@Spread
def pair_sums(first, last, by_item, log, gaps, rows, columns):  # pragma: no cover
    """rows[i] = sum over j, columns[j] = sum over i of every pair."""
    indptr, positions = by_item
    items, users, bounds, times, weights, factors = log
    shapes, scales, by_time, reach, back, faint, itself = gaps
    for item in range(first, last):
        for at in range(indptr[item], indptr[item + 1]):
            event = positions[at]
            user = users[event]
            for other in range(max(bounds[user], event - reach), min(bounds[user + 1], event + reach + 1)):
                if other == event or (items[other] == item and not itself):
                    continue
                span = times[other] - times[event] if len(times) else other - event
                gap, elapsed = float(abs(other - event) - 1), float(abs(span))
                weight = faded(shapes, scales, by_time, gap, elapsed)
                if faint and weight < LEAST and faded_level(shapes, scales, by_time, gap, elapsed) > -np.inf:
                    weight = LEAST
                weight *= weights[event] * factors[event] * weights[other] * factors[other]
                rows[item] += weight * (1.0 if span > 0 and other > event else back)
                columns[item] += weight * (1.0 if span < 0 and other < event else back)


@kernel
def add_content(item, content, weight, likeness, touched, count, total):  # pragma: no cover
    """likeness[j] += weight * dot product of the vectors of `item` and j; j that are new are touched."""
    indptr, terms, values, term_indptr, term_items, term_values = content
    for at in range(indptr[item], indptr[item + 1]):
        term, value = terms[at], weight * values[at]
        for other in range(term_indptr[term], term_indptr[term + 1]):
            to = term_items[other]
            if to == item:
                continue
            if total[to] == 0 and likeness[to] == 0:
                touched[count] = to
                count += 1
            likeness[to] += value * term_values[other]
    return count


@kernel
def keep_best(item, total, likeness, touched, count, denominator, allowed, out_items, out_scores):  # pragma: no cover
    """Divide, keep the best (ties to the lower code), best first, and clean up behind; returns how many were kept."""
    from_factor, to_factor, from_term, to_term, row_total, own, constant = denominator
    mass, size, room = 0.0, 0, len(out_items)
    if row_total:
        for place in range(count):
            mass += total[touched[place]]
    for place in range(count):
        to = touched[place]
        pairs = total[to]
        score = out_scores.dtype.type(likeness[to]) if len(likeness) else out_scores.dtype.type(0)
        total[to] = 0
        if len(likeness):
            likeness[to] = 0
        divisor = from_factor[item] * to_factor[to] + from_term[item] + to_term[to] + row_total * mass + own * pairs + constant
        if pairs > 0 and divisor > 0:
            score += out_scores.dtype.type(pairs / divisor)
        if not score > 0 or not allowed[to] or room == 0:
            continue
        if size < room:  # `push`, written out: as a call it makes a fit half as slow again
            out_items[size], out_scores[size] = to, score
            sift_up(out_items, out_scores, size)
            size += 1
        elif worse(out_scores[0], out_items[0], score, to):
            out_items[0], out_scores[0] = to, score
            sift_down(out_items, out_scores, size)
    best_first(out_items, out_scores, size)
    return size


@Spread
def best_products(
    first, last, order, by_item, by_user, content, weight, denominator, diagonal, allowed, out_items, out_scores, sizes
):  # pragma: no cover
    """Rows of X'X of binary or weighted entries."""
    n_items = len(allowed)
    total, touched, likeness = np.zeros(n_items), np.empty(n_items, np.int32), np.zeros(n_items if weight > 0 else 0)
    for place in range(first, last):
        item = order[place]
        count = add_own(item, diagonal, total, touched)
        count = add_products(item, by_item, by_user, total, touched, count)
        if weight > 0:
            count = add_content(item, content, weight, likeness, touched, count, total)
        sizes[item] = keep_best(item, total, likeness, touched, count, denominator, allowed, out_items[item], out_scores[item])


@Spread
def best_gaps(
    first, last, order, by_item, log, gaps, every, content, weight, denominator, diagonal, allowed, out_items, out_scores, sizes
):  # pragma: no cover
    """Rows of pairs that depend on the gap between their events: the best pair of each user, or `every` pair."""
    n_items = len(allowed)
    total, touched, likeness = np.zeros(n_items), np.empty(n_items, np.int32), np.zeros(n_items if weight > 0 else 0)
    best, own = np.zeros(n_items), np.empty(n_items, np.int32)
    for place in range(first, last):
        item = order[place]
        count = 0 if every else add_own(item, diagonal, total, touched)
        count = add_gaps(item, by_item, log, gaps, every, total, touched, count, best, own)
        if weight > 0:
            count = add_content(item, content, weight, likeness, touched, count, total)
        sizes[item] = keep_best(item, total, likeness, touched, count, denominator, allowed, out_items[item], out_scores[item])
