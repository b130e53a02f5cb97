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
def sort_histories(indptr, items):  # pragma: no cover
    """The items of each user in ascending order: neighbours in memory are added up sooner."""
    for user in range(len(indptr) - 1):
        items[indptr[user] : indptr[user + 1]].sort()


@kernel
def columns_of(low, high, indptr, items, values):  # pragma: no cover
    """The users of each item in `low` to `high`, ascending, and their values where there are any: where each item's begin, users, values."""
    starts = np.zeros(high - low + 1, np.int64)
    for at in range(len(items)):
        if low <= items[at] < high:
            starts[items[at] - low + 1] += 1
    starts = np.cumsum(starts)
    cursor, users, own = starts[:-1].copy(), np.empty(starts[-1], np.int32), np.empty(starts[-1] if len(values) else 0, np.float64)
    for user in range(len(indptr) - 1):
        for at in range(indptr[user], indptr[user + 1]):
            row = items[at] - low
            if 0 <= row < high - low:
                users[cursor[row]] = user
                if len(values):
                    own[cursor[row]] = values[at]
                cursor[row] += 1
    return starts, users, own


@kernel
def places_of_items(low, high, items):  # pragma: no cover
    """Positions of the events of each item in `low` to `high`, ascending: where each item's begin, positions."""
    starts = np.zeros(high - low + 1, np.int64)
    for at in range(len(items)):
        if low <= items[at] < high:
            starts[items[at] - low + 1] += 1
    starts = np.cumsum(starts)
    cursor, places = starts[:-1].copy(), np.empty(starts[-1], np.int64)
    for at in range(len(items)):
        row = items[at] - low
        if 0 <= row < high - low:
            places[cursor[row]] = at
            cursor[row] += 1
    return starts, places


@kernel
def take_up(item, row, diagonal, held, total, touched):  # pragma: no cover
    """The sums of a row that earlier people left, or its diagonal; returns how many j have been touched."""
    places, filled, columns, sums, begins, _ = held
    if begins:
        if len(diagonal) == 0 or not diagonal[item] > 0:
            return 0
        touched[0], total[item] = item, diagonal[item]
        return 1
    for at in range(filled[row]):
        touched[at] = columns[places[row] + at]
        total[touched[at]] = sums[places[row] + at]
    return filled[row]


@kernel
def lay_down(row, held, total, touched, count):  # pragma: no cover
    """Keep the sums of a row for the people who come later."""
    places, filled, columns, sums, _, _ = held
    for at in range(count):
        to = touched[at]
        columns[places[row] + at], sums[places[row] + at] = to, total[to]
        total[to] = 0
    filled[row] = count


@kernel
def add_products(item, row, by_item, by_user, total, touched, count):  # pragma: no cover
    """total[j] += sum over the users u of `item` of x[u, item] * x[u, j], all 1 without values; returns how many j have been touched."""
    starts, users, own = by_item
    indptr, items, values = by_user
    before, total[item] = total[item], 1  # the item itself is touched already, so that no step of the loop asks for it
    for at in range(starts[row], starts[row + 1]):
        user = users[at]
        if len(values) == 0:
            for other in range(indptr[user], indptr[user + 1]):
                to = items[other]
                if total[to] == 0:
                    touched[count] = to
                    count += 1
                total[to] += 1
            continue
        for other in range(indptr[user], indptr[user + 1]):
            to, product = items[other], own[at] * values[other]
            if not product > 0:
                continue
            if total[to] == 0:
                touched[count] = to
                count += 1
            total[to] += product
    total[item] = before
    return count


@kernel
def add_gaps(item, row, by_item, log, gaps, every, total, touched, count, best, own):  # pragma: no cover
    """As `add_products`, with the best pair of events of each user (or `every` one) by their weights, their gap and their direction.

    `by_item` has the positions of each item's events in the log, ascending, so those of one user follow one another. Weights and factors
    that are not there are 1.
    """
    starts, positions = by_item
    items, users, bounds, times, weights, factors = log
    shapes, scales, by_time, reach, back, faint, itself = gaps
    at, stop = starts[row], starts[row + 1]
    while at < stop:
        user, found = users[positions[at]], 0
        factor = factors[positions[at]] if len(factors) else 1.0
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
                own_weight, its_weight = (weights[event], weights[other]) if len(weights) else (1.0, 1.0)
                weight *= own_weight * factor * its_weight * (factors[other] if len(factors) else 1.0) * share
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
    starts, positions = by_item
    items, users, bounds, times, weights, factors = log
    shapes, scales, by_time, reach, back, faint, itself = gaps
    for item in range(first, last):
        for at in range(starts[item], starts[item + 1]):
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
                own_weight, its_weight = (weights[event], weights[other]) if len(weights) else (1.0, 1.0)
                factor, its_factor = (factors[event], factors[other]) if len(factors) else (1.0, 1.0)
                weight *= own_weight * factor * its_weight * its_factor
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
    first, last, order, low, by_item, by_user, held, content, weight, denominator, diagonal, allowed, out_items, out_scores, sizes
):  # pragma: no cover
    """Rows of X'X of binary or weighted entries, from item `low` on; the best are kept when the last people have been added."""
    n_items = len(allowed)
    total, touched, likeness = np.zeros(n_items, held[3].dtype), np.empty(n_items, np.int32), np.zeros(n_items if weight > 0 else 0)
    for place in range(first, last):
        row = order[place]
        item = low + row
        count = take_up(item, row, diagonal, held, total, touched)
        count = add_products(item, row, by_item, by_user, total, touched, count)
        if not held[5]:
            lay_down(row, held, total, touched, count)
            continue
        if weight > 0:
            count = add_content(item, content, weight, likeness, touched, count, total)
        sizes[row] = keep_best(item, total, likeness, touched, count, denominator, allowed, out_items[row], out_scores[row])


@Spread
def best_gaps(
    first, last, order, low, by_item, log, gaps, every, held, content, weight, denominator, diagonal, allowed, out_items, out_scores, sizes
):  # pragma: no cover
    """Rows of pairs that depend on the gap between their events: the best pair of each user, or `every` pair."""
    n_items = len(allowed)
    total, touched, likeness = np.zeros(n_items, held[3].dtype), np.empty(n_items, np.int32), np.zeros(n_items if weight > 0 else 0)
    best, own = np.zeros(n_items), np.empty(n_items, np.int32)
    for place in range(first, last):
        row = order[place]
        item = low + row
        count = take_up(item, row, diagonal, held, total, touched)
        count = add_gaps(item, row, by_item, log, gaps, every, total, touched, count, best, own)
        if not held[5]:
            lay_down(row, held, total, touched, count)
            continue
        if weight > 0:
            count = add_content(item, content, weight, likeness, touched, count, total)
        sizes[row] = keep_best(item, total, likeness, touched, count, denominator, allowed, out_items[row], out_scores[row])
