"""Weights that are too small for a float, as levels: numbers that order like the weights, and of which sums and products are made.

level(w) = e + m - 1 for w = m 2^e with 1 <= m < 2: the logarithm to base 2, straight between the powers of 2, so that no digit is lost
on the way there and back. -inf stands for 0. An event of 300 half-lives ago is far beyond the range of float32, and its level is -300.
"""

from __future__ import annotations

import math

import numpy as np

from vitrina.base.kernels import kernel
from vitrina.types import Float32, Float64, Int32, Int64

ABSORBED = 20.0  # halvings from which on weights are added as levels: float32 would lose them in a sum
DEEP = 100.0  # halvings from which on products of weights may not fit into float32
LEAST = 2.0**-1000  # of what is kept as float64
TIE = 2.0**-34  # levels nearer than this are equal but for the order in which they were added up
SMALLEST = -126.0  # level of the smallest float32 that keeps its digits


@kernel
def level_of(weight):  # pragma: no cover
    """The level of a weight."""
    if not weight > 0:
        return -np.inf
    half, exponent = math.frexp(weight)
    return exponent - 1 + (2 * half - 1)


@kernel
def times(level, factor):  # pragma: no cover
    """The level of a weight times a factor; -inf for a factor that is not above 0."""
    if level == -np.inf:
        return level
    exponent = np.floor(level)
    return exponent + level_of((1 + (level - exponent)) * factor)


@kernel
def plus(a, b):  # pragma: no cover
    """The level of the sum of two weights."""
    high, low = max(a, b), min(a, b)
    if low == -np.inf:
        return high
    exponent, lower = np.floor(high), np.floor(low)
    return exponent + level_of((1 + (high - exponent)) + (1 + (low - lower)) * math.exp2(lower - exponent))


@kernel
def log1p_of(level):  # pragma: no cover
    """The level of log(1 + weight)."""
    return level if level < -60 else level_of(np.log1p(math.exp2(np.floor(level)) * (1 + (level - np.floor(level)))))


def levels_of(weights: Float64) -> Float64:
    """The level of each weight."""
    halves, exponents = np.frexp(weights)
    return np.where(weights > 0, exponents - 1 + (2 * halves - 1), -np.inf)


def weights_of(levels: Float64) -> Float64:
    """The weights of finite levels; what doesn't fit into float64 is 0."""
    exponents = np.floor(levels)
    return (1 + (levels - exponents)) * np.exp2(exponents)


def products(levels: Float64, factors: Float32 | Float64) -> Float64:
    """The level of each weight times a factor; -inf for a factor that is not above 0."""
    exponents = np.floor(np.where(np.isfinite(levels), levels, 0.0))
    return np.where(np.isfinite(levels), exponents + levels_of((1 + (levels - exponents)) * factors.astype(np.float64)), -np.inf)


def sums(levels: Float64, groups: Int64 | Int32, count: int) -> Float64:
    """(count,) the level of the sum of each group's weights."""
    top, total = np.full(count, -np.inf), np.zeros(count)
    _add_up(levels, groups, top, total)
    return np.floor(top) + levels_of(total)


@kernel
def _add_up(levels, groups, top, total):  # pragma: no cover
    """The largest level of each group, and the sum of its weights in units of the power of 2 below that."""
    for at in range(len(levels)):
        top[groups[at]] = max(top[groups[at]], levels[at])
    for at in range(len(levels)):
        if levels[at] > -np.inf:
            exponent = np.floor(levels[at])
            total[groups[at]] += (1 + (levels[at] - exponent)) * math.exp2(exponent - np.floor(top[groups[at]]))


def scores_of(levels: Float64, rows: Int64) -> Float32:
    """float32 weights, in each row in the order of the levels; -inf where a level is.

    A weight that float32 holds is rounded to it. Larger levels have larger scores even so: below the smallest number, and where two
    weights are rounded to one, a score is the next number after the score before it.
    """
    scores = np.full(len(levels), -np.inf, np.float32)
    known = np.flatnonzero(levels > -np.inf)
    order = known[np.lexsort((levels[known], rows[known]))]
    level, row = levels[order], rows[order]
    larger = np.append(True, (np.diff(level) > TIE) | (np.diff(row) > 0))[: len(order)]
    rank = np.cumsum(larger)
    rounded = weights_of(np.clip(level, SMALLEST, 127.0)).astype(np.float32)[np.flatnonzero(larger)[rank - 1]]
    apart = (row << 32) - rank  # positive float32 order as their bits do
    bits = np.maximum.accumulate(rounded.view(np.int32) + apart) - apart
    scores[order] = bits.astype(np.int32).view(np.float32)
    return scores


def dense_scores(levels: Float64) -> Float32:
    """`scores_of` the rows of a matrix."""
    queries, items = levels.shape
    return scores_of(levels.reshape(-1), np.repeat(np.arange(queries, dtype=np.int64), items)).reshape(queries, items)
