"""How tokens are put together by a vocabulary of merged pairs: one set in no order, or a row of sets whose features stand in an order of their own. Compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from vitrina.base.kernels import kernel
from vitrina.types import Int32, Int64

NEVER = np.int32(2**31 - 1)  # the rank of a pair that isn't merged
SPREAD = np.uint64(0x9E3779B97F4A7C15)


def hashed(pairs: Int32) -> tuple[Int64, Int32]:
    """The pairs as a table that `_rank` looks into: at each place a key and its number, or -1; at most a quarter full."""
    room = 1 << max(int(np.ceil(np.log2(4 * max(len(pairs), 1)))), 2)
    keys, numbers = np.full(room, -1, np.int64), np.full(room, -1, np.int32)
    _fill(pairs.astype(np.int64), keys, numbers)
    return keys, numbers


@kernel
def _place(keys: Any, key: int) -> Any:
    """Where a key is, or would be."""
    last = len(keys) - 1
    at = np.int64((np.uint64(key) * SPREAD) >> np.uint64(32)) & last
    while keys[at] >= 0 and keys[at] != key:
        at = (at + 1) & last
    return at


@kernel
def _fill(pairs: Any, keys: Any, numbers: Any) -> None:
    for number in range(len(pairs)):
        key = (min(pairs[number, 0], pairs[number, 1]) << 32) | max(pairs[number, 0], pairs[number, 1])
        at = _place(keys, key)
        keys[at], numbers[at] = key, number


@kernel
def _rank(one: int, other: int, keys: Any, numbers: Any) -> Any:
    """The number of the merge of two tokens, NEVER where there is none."""
    at = _place(keys, (np.int64(min(one, other)) << 32) | np.int64(max(one, other)))
    return numbers[at] if keys[at] >= 0 else NEVER


@kernel
def spell(sets: Int32, base: int, keys: Int64, numbers: Int32) -> None:
    """Merge within each set (row of tokens, padded by -1), the earliest pair first whatever the order; in place: merged tokens first, the latest before all, then the others, ascending."""
    for row in range(len(sets)):
        size = 0
        while size < sets.shape[1] and sets[row, size] >= 0:
            size += 1
        while True:
            best, left, right = NEVER, 0, 0
            for one in range(size):
                for other in range(one + 1, size):
                    rank = _rank(sets[row, one], sets[row, other], keys, numbers)
                    if rank < best:
                        best, left, right = rank, one, other
            if best == NEVER:
                break
            size -= 1
            sets[row, left], sets[row, right], sets[row, size] = base + best, sets[row, size], -1
        order = np.sort(np.where(sets[row, :size] >= base, -sets[row, :size] - 1, sets[row, :size]))
        sets[row, :size] = np.where(order < 0, -order - 1, order)


@kernel
def segment(tokens: Int32, indptr: Int64, base: int, keys: Int64, numbers: Int32) -> Any:
    """Merge neighbours within each row, the earliest pair first, the leftmost among equals: (tokens, indptr) of what is left. Rows are changed in place."""
    stops, out = np.zeros(len(indptr), np.int64), np.empty(len(tokens), np.int32)
    filled = 0
    for row in range(len(indptr) - 1):
        part = tokens[indptr[row] : indptr[row + 1]]
        ranks = np.full(len(part), NEVER, np.int32)  # of a token and the one behind it
        behind = np.arange(1, len(part) + 1)
        for at in range(len(part) - 1):
            ranks[at] = _rank(part[at], part[at + 1], keys, numbers)
        while len(part):
            best, at, before, left = NEVER, 0, -1, -1
            place = 0
            while place < len(part):
                if ranks[place] < best:
                    best, at, before = ranks[place], place, left
                left, place = place, behind[place]
            if best == NEVER:
                break
            part[at], behind[at] = base + best, behind[behind[at]]
            after = behind[at]
            ranks[at] = _rank(part[at], part[after], keys, numbers) if after < len(part) else NEVER
            if before >= 0:
                ranks[before] = _rank(part[before], part[at], keys, numbers)
        place = 0
        while place < len(part):
            out[filled] = part[place]
            filled, place = filled + 1, behind[place]
        stops[row + 1] = filled
    return out[:filled], stops
