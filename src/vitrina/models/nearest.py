"""The kernel of user neighbours: distances to all kept users, the nearest k, the blend of own and neighbours' vectors."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from vitrina.kernels import Spread, kernel
from vitrina.models.faint import narrowed
from vitrina.topk import _best_first, _sift_down, _sift_up, _worse
from vitrina.types import Float32, Float64


def blend_with_nearest(
    own: sparse.csr_matrix, kept: sparse.csr_matrix, kept_by_item: sparse.csr_matrix, squares: Float64, k: int, alpha: float
) -> Float32:
    """(queries, items): alpha * own + (1 - alpha) * mean of the `k` kept rows nearest in Euclidean distance.

    An entry to which nothing contributes is -inf, and so is all of an empty `own` row. Of rows at an equal distance the
    earlier are taken. Vectors of float64 hold what float32 can't; the scores are in the order of their sums.

    Args:
        own: (queries, items) sorted CSR.
        kept: (users, items) vectors to search, and `kept_by_item` their transpose (items, users).
        squares: (users,) squared length of each kept vector.
    Cost: for each query the postings of its items, one pass over the users, k vectors; O(threads x users) of memory.
    """
    out = np.zeros((len(own.indptr) - 1, len(kept_by_item.indptr) - 1), np.result_type(own.data, kept.data))
    _blend(
        len(out), own.indptr, own.indices, own.data, kept.indptr, kept.indices, kept.data, kept_by_item.indptr, kept_by_item.indices,
        kept_by_item.data, squares, min(k, len(squares)), alpha, out,
    )  # fmt: skip
    return out if out.dtype == np.float32 else narrowed(out)


@Spread
def _blend(
    first_query, last_query, own_indptr, own_items, own_values, kept_indptr, kept_items, kept_values, by_indptr, by_users, by_values,
    squares, k, alpha, out,
):  # fmt: skip  # pragma: no cover
    """|q - u|^2 = |q|^2 + |u|^2 - 2 q.u, so the nearest have the largest 2 q.u - |u|^2."""
    dot = np.zeros(len(squares), np.float64)
    for q in range(first_query, last_query):
        row = out[q]
        first, last = own_indptr[q], own_indptr[q + 1]
        dot[:] = 0.0
        for at in range(first, last):
            item, weight = own_items[at], np.float64(own_values[at])
            for place in range(by_indptr[item], by_indptr[item + 1]):
                dot[by_users[place]] += weight * by_values[place]
            row[item] += alpha * own_values[at]
        near = np.empty(k if last > first else 0, np.int32)
        close = np.empty(len(near), np.float32)
        _nearest(dot, squares, near, close)
        for neighbour in near:
            for at in range(kept_indptr[neighbour], kept_indptr[neighbour + 1]):
                row[kept_items[at]] += (1 - alpha) / k * kept_values[at]
        for item in range(len(row)):
            if row[item] == 0:
                row[item] = -np.inf


@kernel
def _nearest(dot, squares, near, close):  # pragma: no cover
    """Fill `near` with the users of the largest 2 dot - squares, the closest first; float32 so that rounding keeps ties."""
    size, k = 0, len(near)
    if k == 0:
        return
    for user in range(len(squares)):
        closeness = np.float32(2 * dot[user] - squares[user])
        if size < k:
            near[size], close[size] = user, closeness
            _sift_up(near, close, size)
            size += 1
        elif _worse(close[0], near[0], closeness, user):
            near[0], close[0] = user, closeness
            _sift_down(near, close, size)
    _best_first(near, close, size)
