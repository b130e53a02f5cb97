"""Compiled: the sparse inverse of a factor, row by row, as regressions of each item on few of those before it."""

from __future__ import annotations

import numpy as np

from vitrina.base.heap import best_first, push
from vitrina.base.kernels import Spread, kernel, sum_kernel

LEAST = 1e-4  # of an item's own variance of 1: where less is left, the item is a sum of those before it, and is not taken beside them


@sum_kernel
def _dot(a, b, size):  # pragma: no cover
    total = 0.0
    for at in range(size):
        total += a[at] * b[at]
    return total


@kernel
def _gathered(item, indptr, indices, data, place, row):  # pragma: no cover
    """The entries of C of an item and those that have a place, in `row`, where nothing is 0."""
    for at in range(indptr[item], indptr[item + 1]):
        if place[indices[at]] >= 0:
            row[place[indices[at]]] = data[at]


@kernel
def _substituted(factor, row, size):  # pragma: no cover
    """Forward substitution in place; returns what is left of a variance of 1."""
    left = 1.0
    for at in range(size):
        row[at] = (row[at] - _dot(row, factor[at], at)) / factor[at, at]
        left -= row[at] * row[at]
    return left


@Spread
def regress(first, last, indptr, indices, data, rank, out_items, out_values, sizes, left):  # pragma: no cover
    """Coefficients y = C[S, S]^-1 C[S, j] of the most correlated items S of a lower rank, by Cholesky, and what they leave of the variance of j."""
    room = out_items.shape[1]
    place, factor, row = np.full(len(rank), -1, np.int32), np.empty((room, room)), np.zeros(room)
    chosen, strength = np.empty(room, np.int32), np.empty(room, np.float32)
    for item in range(first, last):
        found, size, taken = 0, 0, out_items[item]
        for at in range(indptr[item], indptr[item + 1]):
            if rank[indices[at]] < rank[item]:
                found = push(chosen, strength, found, room, indices[at], data[at])
        best_first(chosen, strength, found)
        for other in chosen[:found]:
            _gathered(other, indptr, indices, data, place, row)
            rest = _substituted(factor, row, size)
            if rest >= LEAST:
                factor[size, :size], factor[size, size] = row[:size], np.sqrt(rest)
                place[other], taken[size] = size, other
                size += 1
            row[:size] = 0
        _gathered(item, indptr, indices, data, place, row)
        left[item] = max(_substituted(factor, row, size), LEAST)
        for at in range(size - 1, -1, -1):  # backward, row by row of the factor
            row[at] /= factor[at, at]
            for before in range(at):
                row[before] -= row[at] * factor[at, before]
        out_values[item, :size], sizes[item] = row[:size], size
        row[:size] = 0
        for at in range(size):
            place[taken[at]] = -1
