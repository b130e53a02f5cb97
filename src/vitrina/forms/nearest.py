"""The kernel of user neighbours: distances to all kept users, the nearest k, the blend of own and neighbours' vectors."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from vitrina.base.heap import push
from vitrina.base.kernels import Spread, kernel
from vitrina.types import Float32, Float64, Int64, Queries

WIDE = 8  # queries of one person that share their passes over the people: their numbers fill a line of the cache
FAINT = 2.0**-120  # below it float32 soon loses digits
SMALLEST, STEP = 2.0**-126, 2.0**-149  # the smallest number of float32 with all digits, and how far the next ones are from it


def runs_of_people(queries: Queries) -> Int64:
    """(runs + 1,) where runs of at most `WIDE` queries begin whose histories begin with the same event."""
    start = queries.start
    new = np.ones(len(start), bool)
    new[1:] = start[1:] != start[:-1]
    first = np.flatnonzero(new)
    place = np.arange(len(start)) - np.repeat(first, np.diff(np.append(first, len(start))))
    return np.append(np.flatnonzero(place % WIDE == 0), len(start))


def blend_with_nearest(
    own: sparse.csr_matrix, kept: sparse.csr_matrix, kept_by_item: sparse.csr_matrix, squares: Float64, k: int, alpha: float, runs: Int64
) -> Float32:
    """(queries, items): alpha * own + (1 - alpha) * mean of the `k` kept rows nearest in Euclidean distance.

    An entry to which nothing contributes is -inf, and so is all of an empty `own` row. Of rows at an equal distance the
    earlier are taken. Vectors of float64 hold what float32 can't; the scores are in the order of their sums.

    Args:
        own: (queries, items) sorted CSR.
        kept: (users, items) vectors to search, and `kept_by_item` their transpose (items, users).
        squares: (users,) squared length of each kept vector.
        runs: (runs + 1,) where each run of at most `WIDE` queries with nearly the same items begins; they share their passes.
    Cost: for each run the postings of its items and the vectors of its neighbours, for each query one pass over the users;
    O(threads x (users + items) x longest run) of memory.
    """
    out = np.empty((len(own.indptr) - 1, len(kept_by_item.indptr) - 1), np.float32)
    _blend(
        len(runs) - 1, runs, own.indptr, own.indices, own.data, kept.indptr, kept.indices, kept.data, kept_by_item.indptr,
        kept_by_item.indices, kept_by_item.data, squares, min(k, len(squares)), alpha, out,
    )  # fmt: skip
    return out


@Spread
def _blend(
    first_run, last_run, runs, own_indptr, own_items, own_values, kept_indptr, kept_items, kept_values, by_indptr, by_users, by_values,
    squares, k, alpha, out,
):  # fmt: skip  # pragma: no cover
    """|q - u|^2 = |q|^2 + |u|^2 - 2 q.u, so the nearest have the largest 2 q.u - |u|^2."""
    place = np.full(out.shape[1], -1, np.int32)
    for run in range(first_run, last_run):
        begin, width = runs[run], runs[run + 1] - runs[run]
        items, weights = _union(begin, width, own_indptr, own_items, own_values, place)
        dots = np.zeros((len(squares), weights.shape[1]), np.float64)
        _add_dots(items, weights, by_indptr, by_users, by_values, dots)
        near = np.zeros((width, len(squares)), np.bool_)
        for j in range(width):
            if own_indptr[begin + j + 1] > own_indptr[begin + j]:
                _nearest(dots[:, j], squares, near[j], k)
        all_of, some_of = _shared(near)
        touched = _touched(items, some_of, kept_indptr, kept_items, place)
        base = np.zeros(len(touched), np.float64)
        _add_rows(all_of, kept_indptr, kept_items, kept_values, place, base)
        for j in range(width):
            scores = base.copy() if near[j].any() else np.zeros(len(touched), np.float64)
            _add_rows(some_of[near[j][some_of] & ~_within(some_of, all_of)], kept_indptr, kept_items, kept_values, place, scores)
            scores *= (1 - alpha) / k
            scores[: len(items)] += alpha * weights[:, j]
            _write(scores, touched, out[begin + j])
        place[touched] = -1


@kernel
def _touched(items, people, indptr, columns, place):  # pragma: no cover
    """The items of a run and of its neighbours; `place` says where each of them stands among these."""
    touched = np.empty(len(place), np.int32)
    count = 0
    for item in items:
        touched[count], place[item] = item, count
        count += 1
    for user in people:
        for at in range(indptr[user], indptr[user + 1]):
            item = columns[at]
            if place[item] < 0:
                touched[count], place[item] = item, count
                count += 1
    return touched[:count]


@kernel
def _write(scores, items, out):  # pragma: no cover
    """The scores above 0 in their places of a row; all others are -inf."""
    out[:] = -np.inf
    least = np.inf
    for at in range(len(items)):
        score = scores[at]
        if score > 0:
            out[items[at]] = score
            least = min(least, score)
    if least < FAINT:
        _order_faint(scores, items, out)


@kernel
def _order_faint(scores, items, out):  # pragma: no cover
    """Give scores that float32 can't hold the smallest numbers that it can, in their order."""
    faint = np.flatnonzero((scores > 0) & (scores < FAINT))
    rank = 0
    order = faint[np.argsort(scores[faint])]
    for at in range(len(order)):
        rank += at == 0 or scores[order[at]] > scores[order[at - 1]]
        out[items[order[at]]] = SMALLEST + rank * STEP


@kernel
def _union(begin, width, indptr, items, values, place):  # pragma: no cover
    """The items of some rows, ascending, and their (items, 1 or WIDE) values; `place` is -1 before and after."""
    wide = 1 if width == 1 else WIDE
    found = np.unique(items[indptr[begin] : indptr[begin + width]])
    weights = np.zeros((len(found), wide), np.float64)
    for row in range(len(found)):
        place[found[row]] = row
    for j in range(width):
        for at in range(indptr[begin + j], indptr[begin + j + 1]):
            weights[place[items[at]], j] = values[at]
    place[found] = -1
    return found, weights


@kernel
def _add_dots(items, weights, indptr, users, values, dots):  # pragma: no cover
    """dots[u, j] += the sum over the items i of weights[i, j] * value[i, u]."""
    for row in range(len(items)):
        start, stop = indptr[items[row]], indptr[items[row] + 1]
        if dots.shape[1] == 1:
            for at in range(start, stop):
                dots[users[at], 0] += weights[row, 0] * values[at]
        else:
            for at in range(start, stop):
                for j in range(WIDE):
                    dots[users[at], j] += weights[row, j] * values[at]


@kernel
def _shared(near):  # pragma: no cover
    """The people near to every query of a run that has neighbours, and those near to some of them, ascending."""
    counts, asked = np.zeros(near.shape[1], np.int64), 0
    for row in near:
        asked += row.any()
        counts += row
    return np.flatnonzero((counts == asked) & (counts > 0)), np.flatnonzero(counts > 0)


@kernel
def _within(some_of, all_of):  # pragma: no cover
    """Which of `some_of` are among `all_of`; both ascend."""
    inside, at = np.zeros(len(some_of), np.bool_), 0
    for place in range(len(some_of)):
        if at < len(all_of) and all_of[at] == some_of[place]:
            inside[place] = True
            at += 1
    return inside


@kernel
def _add_rows(rows, indptr, columns, values, place, out):  # pragma: no cover
    """out[place[c]] += the sum over the rows of their values in column c."""
    for row in rows:
        for at in range(indptr[row], indptr[row + 1]):
            out[place[columns[at]]] += values[at]


@kernel
def _nearest(dot, squares, chosen, k):  # pragma: no cover
    """Flag the `k` users of the largest 2 dot - squares; float32 so that rounding keeps ties, of which the first users are taken."""
    near, close, size = np.empty(k, np.int32), np.empty(k, np.float32), 0
    for user in range(len(squares)):
        closeness = np.float32(2 * dot[user] - squares[user])
        size = push(near, close, size, k, user, closeness)
    chosen[near[:size]] = True
