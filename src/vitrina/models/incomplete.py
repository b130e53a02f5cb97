"""Compiled: an incomplete factor L D L' of a sparse matrix whose diagonal is 1, and its approximate inverse by residual minimisation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from vitrina.base.kernels import Spread, kernel
from vitrina.types import Float32, Float64, Int32, Int64

PIVOT = 1e-3  # of a diagonal of 1: a smaller pivot ends the attempt
SHIFT = 0.01  # that is added to the diagonal then, and doubled until there is a factor
SETTLED = 1e-14  # squared length of a residual that is nothing


class Factor(NamedTuple):
    """L is unit lower triangular, and kept by columns: that of j has rows after j, ascending, without the diagonal."""

    starts: Int64  # (items + 1,)
    rows: Int32
    values: Float32
    pivots: Float64  # (items,) the diagonal of D


def incomplete_factor(matrix: sparse.csr_matrix, room: int) -> tuple[Factor, float]:
    """The largest `room` entries of each column of L, and what had to be added to the diagonal of 1.

    Args:
        matrix: (items, items) symmetric, indices sorted, without its diagonal.

    Cost: up to items x room^2 steps, one after another, for each shift; 8 bytes x items x room.
    """
    lower = sparse.csr_matrix(sparse.triu(matrix, 1, format="csr"))  # the rows of the upper triangle are the columns of the lower
    size, shift = len(lower.indptr) - 1, 0.0
    places = np.minimum(np.arange(size, 0, -1) - 1, room)
    starts = np.append(0, np.cumsum(places))
    rows, values, pivots, counts = (
        np.empty(starts[-1], np.int32),
        np.empty(starts[-1], np.float32),
        np.empty(size),
        np.zeros(size, np.int64),
    )
    while not _factor(lower.indptr, lower.indices, lower.data, 1 + shift, starts, rows, values, counts, pivots):
        shift = max(2 * shift, SHIFT)
    filled = np.arange(starts[-1]) - np.repeat(starts[:-1], places) < np.repeat(counts, places)
    return Factor(np.append(0, np.cumsum(counts)), rows[filled], values[filled], pivots), shift


def approximate_inverse(factor: Factor, room: int, scans: int, finetune: int) -> sparse.csr_matrix:
    """Columns of M ~ L^-1, as rows of a CSR matrix, each with its largest `room` entries.

    From M = 2 I - L on, a scan takes a step m += a r in each column, with r = e - L m and the a that makes |e - L (m + a r)| the least. After the
    scans the tenth of the columns with the longest residuals takes `finetune` more.

    Cost: (items x scans + items / 10 x finetune) x room^2 steps, in parallel; 8 bytes x items x room.
    """
    size = len(factor.pivots)
    room = min(room, size)
    items, values, counts = np.zeros((size, room), np.int32), np.zeros((size, room), np.float32), np.zeros(size, np.int64)
    residuals, arrays = np.zeros(size), (factor.starts, factor.rows, factor.values)
    _invert(size, np.arange(size), *arrays, scans, items, values, counts, residuals)
    worst = np.argsort(-residuals, kind="stable")[: (size + 9) // 10]
    if finetune and len(worst):
        _invert(len(worst), worst, *arrays, finetune, items, values, counts, residuals)
    filled = np.arange(room) < counts[:, None]
    return sparse.csr_matrix((values[filled], items[filled], np.append(0, np.cumsum(counts))), shape=(size, size))


def largest_of_columns(lower: sparse.csc_matrix, pivots: Float64, room: int) -> Factor:
    """A complete unit lower triangular factor with the largest `room` entries of each column below its diagonal."""
    below = sparse.csc_matrix(sparse.tril(lower, -1, format="csc"))
    below.sort_indices()
    columns = np.repeat(np.arange(len(pivots)), np.diff(below.indptr))
    ranked = np.lexsort((-np.abs(below.data), columns))
    kept = np.zeros(len(ranked), bool)
    kept[ranked] = np.arange(len(ranked)) - below.indptr[:-1][columns] < room
    counts = np.bincount(columns[kept], minlength=len(pivots))
    return Factor(np.append(0, np.cumsum(counts)), below.indices[kept].astype(np.int32), below.data[kept].astype(np.float32), pivots)


@kernel
def _largest(values, touched, count, room):  # pragma: no cover
    """Bring the places of the `room` largest values to the front of `touched`, and clear the others; ties go to those that come first."""
    if count <= room:
        return count
    sizes = np.empty(count)
    for at in range(count):
        sizes[at] = abs(values[touched[at]])
    least = np.partition(sizes, count - room)[count - room]
    above, kept = 0, 0
    for at in range(count):
        above += sizes[at] > least
    equal = room - above
    for at in range(count):
        to = touched[at]
        if sizes[at] > least or (sizes[at] == least and equal > 0):
            equal -= sizes[at] == least
            touched[kept] = to
            kept += 1
        else:
            values[to] = 0
    return kept


@kernel
def _factor(indptr, indices, data, diagonal, starts, rows, values, counts, pivots):  # pragma: no cover
    """Left-looking: column j takes what is of columns before it that have a row j. `heads` and `nexts` are lists of those, `cursors` their places."""
    size = len(pivots)
    column, marks, touched = np.zeros(size), np.full(size, -1, np.int64), np.empty(size, np.int32)
    heads, nexts, cursors = np.full(size, -1, np.int64), np.full(size, -1, np.int64), np.zeros(size, np.int64)
    for j in range(size):
        count, pivot = 0, diagonal
        for at in range(indptr[j], indptr[j + 1]):
            marks[indices[at]], column[indices[at]], touched[count] = j, data[at], indices[at]
            count += 1
        k = heads[j]
        while k >= 0:
            following, at = nexts[k], cursors[k]
            scaled = values[at] * pivots[k]
            pivot -= scaled * values[at]
            for below in range(at + 1, starts[k] + counts[k]):
                row = rows[below]
                if marks[row] != j:
                    marks[row], column[row], touched[count] = j, 0, row
                    count += 1
                column[row] -= scaled * values[below]
            _listed(k, at + 1, starts, rows, counts, heads, nexts, cursors)
            k = following
        if pivot < PIVOT:
            return False
        pivots[j] = pivot
        kept = _largest(column, touched, count, starts[j + 1] - starts[j])
        taken = np.sort(touched[:kept])
        for at in range(kept):
            rows[starts[j] + at], values[starts[j] + at] = taken[at], column[taken[at]] / pivot
        counts[j] = kept
        _listed(j, starts[j], starts, rows, counts, heads, nexts, cursors)
    return True


@kernel
def _listed(k, at, starts, rows, counts, heads, nexts, cursors):  # pragma: no cover
    """Column k waits for the row of its entry at `at`."""
    if at < starts[k] + counts[k]:
        cursors[k], nexts[k], heads[rows[at]] = at, heads[rows[at]], k


@kernel
def _add_product(starts, rows, values, which, count, by, sign, out, marks, mark, touched, before):  # pragma: no cover
    """out += sign * L by, for the `count` places of `by` in `which`; returns how many places of `out` are touched."""
    for at in range(count):
        k = which[at]
        amount = sign * by[k]
        for below in range(starts[k] - 1, starts[k + 1]):
            row, share = (k, amount) if below < starts[k] else (rows[below], amount * values[below])
            if marks[row] != mark:
                marks[row], out[row], touched[before] = mark, 0, row
                before += 1
            out[row] += share
    return before


@kernel
def _begun(j, starts, rows, values, items, entries, count, m, of_m):  # pragma: no cover
    """Put into `m` what a column has, or 2 I - L where it has nothing; returns how many places of it are filled."""
    if count:
        of_m[:count] = items[:count]
        for at in range(count):
            m[of_m[at]] = entries[at]
        return count
    of_m[0], m[j], filled = j, 1, 1
    for at in range(starts[j], starts[j + 1]):
        of_m[filled], m[rows[at]] = rows[at], -values[at]
        filled += 1
    return _largest(m, of_m, filled, len(items))


@Spread
def _invert(first, last, order, starts, rows, values, steps, items, entries, counts, residuals):  # pragma: no cover
    """Steps of the columns in `order`, from what they have on; from 2 I - L where they have nothing."""
    size, room = len(starts) - 1, items.shape[1]
    m, r, lr = np.zeros(size), np.zeros(size), np.zeros(size)
    in_m, in_r, in_lr = np.full(size, -1, np.int64), np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    of_m, of_r, of_lr = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    mark = 0
    for place in range(first, last):
        j = order[place]
        filled = _begun(j, starts, rows, values, items[j], entries[j], counts[j], m, of_m)
        for step in range(steps + 1):
            mark += 1
            of_r[0], r[j], in_r[j] = j, 1, mark
            found = _add_product(starts, rows, values, of_m, filled, m, -1.0, r, in_r, mark, of_r, 1)
            residuals[j] = np.sum(r[of_r[:found]] ** 2)
            if step == steps or residuals[j] < SETTLED:
                break
            found = _largest(r, of_r, found, 4 * room)
            reached = _add_product(starts, rows, values, of_r, found, r, 1.0, lr, in_lr, mark, of_lr, 0)
            above, below = 0.0, 0.0
            for at in range(reached):
                to = of_lr[at]
                above += lr[to] * r[to] if in_r[to] == mark else 0.0
                below += lr[to] * lr[to]
            for at in range(filled):
                in_m[of_m[at]] = mark
            for at in range(found):
                to = of_r[at]
                if in_m[to] != mark:
                    in_m[to], of_m[filled], m[to] = mark, to, 0
                    filled += 1
                m[to] += above / below * r[to]
            filled = _largest(m, of_m, filled, room)
        counts[j] = filled
        for at in range(filled):
            items[j, at], entries[j, at] = of_m[at], m[of_m[at]]
            m[of_m[at]] = 0
