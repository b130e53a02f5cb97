"""Random lists that can be asked again: each query walks through the catalogue in an order of its own.

The order is a keyed bijection of 0..n-1 (four rounds of a Feistel network over the next power of four, walked until it
lands inside: [Black and Rogaway 2002](https://doi.org/10.1007/3-540-45760-7_9)), so the next item of a query costs O(1) and
the place of any item can be computed backwards. Nothing of the size of the catalogue is made for a query.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vitrina.kernels import kernel
from vitrina.models.history import known_only
from vitrina.types import Bool, Int32, Int64, Queries, ranges

Keys = NDArray[np.uint64]


def query_keys(queries: Queries, hashes: Keys, seed: int) -> Keys:
    """(queries,) a number for each user and history."""
    queries = known_only(queries, len(hashes))
    lengths = queries.lengths
    places = ranges(np.zeros(len(queries), np.int64), lengths).astype(np.uint64)
    ends = np.append(0, np.cumsum(lengths))
    with np.errstate(over="ignore"):
        sums = np.append(np.uint64(0), np.cumsum(_mix_array(hashes[queries.histories().values] + places), dtype=np.uint64))
        keys = sums[ends[1:]] - sums[ends[:-1]]
        keys += _mix_array(queries.users.astype(np.int64).astype(np.uint64)) + np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15)
    return _mix_array(keys)


def _mix_array(value: Keys) -> Keys:
    """The finaliser of splitmix64, on arrays."""
    with np.errstate(over="ignore"):
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@kernel
def _round(key, number, value):  # pragma: no cover
    """A pseudo-random number of a key, the number of the round and half a place."""
    mixed = key + np.uint64(number) * np.uint64(0x9E3779B97F4A7C15) + value
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@kernel
def _half_bits(n):  # pragma: no cover
    bits = 1
    while (1 << (2 * bits)) < n:
        bits += 1
    return bits


@kernel
def _forward(key, place, n, bits):  # pragma: no cover
    """The item that a query has at `place` of its order."""
    mask, shift, at = np.uint64((1 << bits) - 1), np.uint64(bits), np.uint64(place)
    while True:
        left, right = at >> shift, at & mask
        for number in range(4):
            left, right = right, left ^ (_round(key, number, right) & mask)
        at = (left << shift) | right
        if at < np.uint64(n):
            return np.int64(at)


@kernel
def _backward(key, item, n, bits):  # pragma: no cover
    """The place of an item in the order of a query: the inverse of `_forward`."""
    mask, shift, at = np.uint64((1 << bits) - 1), np.uint64(bits), np.uint64(item)
    while True:
        left, right = at >> shift, at & mask
        for number in range(3, -1, -1):
            left, right = right ^ (_round(key, number, left) & mask), left
        at = (left << shift) | right
        if at < np.uint64(n):
            return np.int64(at)


@kernel
def walk(keys: Keys, order: Int32, allowed: Bool, wanted: Int64, indptr: Int64, out: Int32) -> None:  # pragma: no cover
    """Fill row q of `out` (from indptr[q]) with the first `wanted[q]` allowed items of the query's order; -1 pads."""
    n = len(order)
    bits = _half_bits(n)
    for q in range(len(keys)):
        at, place = indptr[q], 0
        while at < indptr[q] + wanted[q] and place < n:
            item = order[_forward(keys[q], place, n, bits)]
            place += 1
            if allowed[item]:
                out[at] = item
                at += 1


@kernel
def places(keys: Keys, rows: Int64, positions: Int64, n: int) -> Int64:  # pragma: no cover
    """For each pair the place that the item at `positions[p]` has in the order of query `rows[p]`; -1 stays -1."""
    out = np.empty(len(rows), np.int64)
    bits = _half_bits(n)
    for pair in range(len(rows)):
        out[pair] = -1 if positions[pair] < 0 else _backward(keys[rows[pair]], positions[pair], n, bits)
    return out
