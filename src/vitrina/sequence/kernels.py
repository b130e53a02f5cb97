"""Compiled loops of the losses: exponentials while they are in the cache, and scores of drawn rows without copies of their vectors."""

from __future__ import annotations

import numpy as np

from vitrina.base.kernels import Spread, kernel, sum_kernel

LOWEST, HIGHEST = np.float32(-87), np.float32(88)  # float32 holds e to these


@sum_kernel
def _exponentials(row, less):  # pragma: no cover
    """exp(row - less) in place, to 1e-7 of itself, and their sum: 2^k exp(r) with |r| at most log(2) / 2, and a polynomial for exp(r).

    Everything stays 32 bits wide, so that AVX2 takes 8 at a time: it has no way from whole numbers of 64 bits to floats.
    """
    total = np.float32(0)
    for place in range(row.size):
        x = min(max(row[place] - less, LOWEST), HIGHEST)
        shifted = np.int32(x * np.float32(1.44269504) + np.float32(127.5))
        k = np.float32(shifted) - np.float32(127)
        r = x - k * np.float32(0.693359375)
        r = r - k * np.float32(-2.12194440e-4)
        p = np.float32(1.9875691500e-4)
        p = p * r + np.float32(1.3981999507e-3)
        p = p * r + np.float32(8.3334519073e-3)
        p = p * r + np.float32(4.1665795894e-2)
        p = p * r + np.float32(1.6666665459e-1)
        p = p * r + np.float32(5.0000001201e-1)
        p = p * r * r + r + np.float32(1)
        value = p * np.int32(shifted << 23).view(np.float32)
        row[place] = value
        total += value
    return total


@kernel
def exponentials(logits, own, targets, first, sums):  # pragma: no cover
    """logits (positions, columns) become exp(logit - own), in place; their sums are added to `sums` (positions,).

    `own` (positions,) is the logit of the target, which stands in its column, target - first, where that is one of these.
    """
    for position in range(len(logits)):
        column = targets[position] - first
        if 0 <= column < logits.shape[1]:
            logits[position, column] = own[position]
        sums[position] += _exponentials(logits[position], own[position])


@sum_kernel
def _dot(states, position, table, row):  # pragma: no cover
    total = states.dtype.type(0)
    for place in range(states.shape[1]):
        total += states[position, place] * table[row, place]
    return total


@Spread
def gathered_scores(first, last, states, table, rows, out):  # pragma: no cover
    """out[p, d] = states[p] . table[rows[p, d]]."""
    for position in range(first, last):
        for draw in range(rows.shape[1]):
            out[position, draw] = _dot(states, position, table, rows[position, draw])


@Spread
def gathered_slopes(first, last, width, states, table, rows, slopes, grad_states, grad_table):  # pragma: no cover
    """Adds slopes[p, d] times the vectors to both gradients, in columns width * first to width * last.

    Threads share out the columns, so that no two add to one number, and each sum has one order. All in one function: views of rows that
    are handed to another are counted, at each draw, in memory that all threads share.
    """
    for block in range(first, last):
        low, high = block * width, min((block + 1) * width, states.shape[1])
        for position in range(len(states)):
            state, grad_state = states[position, low:high], grad_states[position, low:high]
            for draw in range(rows.shape[1]):
                row, slope = rows[position, draw], slopes[position, draw]
                vector, grad_vector = table[row, low:high], grad_table[row, low:high]
                for place in range(high - low):
                    grad_state[place] += slope * vector[place]
                    grad_vector[place] += slope * state[place]
