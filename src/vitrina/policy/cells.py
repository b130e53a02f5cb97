"""Weights of logged chances, cell by cell: what can be tested where nobody logged the chances of the other arms.

Weighted by 1 / p_i the rows of an arm speak for all rows, and so they do within any part of them: the weights of an arm in a cell (those of a city,
of a week) sum to the rows of the cell on average. The variance of the sum is estimated without bias by that of Horvitz and Thompson,
sum 1{a_i = a} (1 - p_i) / p_i^2 over the cell. Where an arm was drawn too seldom that is too small: then what the whole arm says of its variance counts, and
what is missing of its weight, squared. An arm whose chances differ widely, and whose small ones happened not to be drawn, has less weight than it should, and nothing in the
log tells that from a fault: too little weight is told only of arms whose chances are about the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import gammainc, gammaincc, ndtr

from vitrina.policy.randomness import Tested
from vitrina.types import Bool, Float64, Int32, Int64

FEWEST_RARE = 5  # rows of equal weight that must be expected in a cell
ROUND = 1e-3  # a skewness below it is none
STEADY = 0.8  # (sum w)^2 / (n sum w^2) of an arm, 1 where its chances are all the same, from which too little weight is told
FEWEST_STEADY = 20  # rows of such an arm


def tail(total: Any, wanted: Any, variance: Any, third: Any) -> Float64:
    """How often sums of weights are as far off on either side: by the normal distribution, or by the gamma distribution that has their third central moment, whichever
    says that it is oftener; 1 where a sum stands on fewer than 5 rows.

    >>> tail([20_300, 36, 8, 9], [20_000, 20, 20, 1], [40_000, 20, 20, 9], [0.0, 20, 20, 9]).round(4).tolist()
    [0.1336, 0.0013, 0.0073, 1.0]
    """
    total, wanted, variance, third = np.broadcast_arrays(*(np.asarray(given, np.float64) for given in (total, wanted, variance, third)))
    tested = (variance > 0) & (wanted > 0) & (np.square(wanted) >= FEWEST_RARE * variance)
    spread = np.sqrt(np.where(tested, variance, 1.0))
    z, skewness = (total - wanted) / spread, third / spread**3
    skew = np.abs(skewness) >= ROUND
    shape = 4 / np.square(np.where(skew, skewness, 1.0))
    place = np.maximum(shape + z * np.sqrt(shape) * np.sign(skewness), 0.0)
    gamma = np.where(z * skewness > 0, gammaincc(shape, place), gammainc(shape, place))
    own = np.maximum(ndtr(-np.abs(z)), np.where(skew, gamma, 0.0))
    return np.where(tested, np.minimum(1.0, 2 * own), 1.0)


def cells_test(actions: Int32, logged: Float64, clusters: Int32 | None, codes: Int64, arms: int) -> tuple[Tested, Float64]:
    """Whether the weights of every arm sum to the rows of every cell.

    Args:
        actions: (rows,) the logged arms.
        logged: (rows,) their chances.
        clusters: (rows,) codes; None where rows are drawn one by one.
        codes: (rows,) the cell of each row, from 0 on; -1 is in none.
        arms: their number.

    Returns:
        The test, and (arms, cells) how far off each sum is, in standard deviations; 0 where too few rows are expected.
    """
    inside = codes >= 0
    cells = int(codes.max(initial=-1)) + 1
    sizes = np.bincount(codes[inside], minlength=cells).astype(np.float64)
    place = actions[inside].astype(np.int64) * cells + codes[inside]
    weights, p = 1 / logged[inside], logged[inside]
    totals = np.bincount(place, weights, arms * cells).reshape(arms, cells)
    if clusters is None:
        own = np.bincount(place, weights * (1 - p) / p, arms * cells).reshape(arms, cells)
        missing = np.divide(sizes, totals, out=np.ones_like(totals), where=totals > 0)
    else:
        own, missing = _of_clusters(clusters[inside], place, weights, codes[inside], arms, cells), np.ones_like(totals)
    whole = own.sum(axis=1, keepdims=True) * sizes / max(sizes.sum(), 1)
    variance = np.maximum(own * np.square(np.maximum(missing, 1)), whole)
    third = np.square(variance) / np.maximum(sizes, 1)  # as skew as a count
    ps = tail(totals, sizes, variance, third)
    ps[(totals < sizes) & ~steady(actions, logged, arms)[:, None]] = 1.0
    tested = ps < 1
    z = np.divide(totals - sizes, np.sqrt(variance), out=np.zeros_like(totals), where=tested & (variance > 0))
    count, most = int(tested.sum()), float(np.abs(z).max(initial=0.0))
    p_all = min(1.0, max(count, 1) * float(ps.min(initial=1.0)))
    return Tested(most, count, p_all, f"largest of {count:,} z {most:.2f}, corrected for their number"), z


def steady(actions: Int32, logged: Float64, arms: int) -> Bool:
    """(arms,) whether too little weight of an arm can be told from chances that happened not to be drawn."""
    rows, sums, squares = (np.bincount(actions, w, arms) for w in (np.ones(len(logged)), 1 / logged, 1 / np.square(logged)))
    return (rows >= FEWEST_STEADY) & (np.square(sums) >= STEADY * rows * squares)


def _of_clusters(clusters: Int32, place: Int64, weights: Float64, codes: Int64, arms: int, cells: int) -> Float64:
    """(arms, cells) sums over clusters of the squares of their weights less the rows that they have in the cell: of T^2 - 2 T N + N^2, where T is of few clusters."""
    rows, own = np.unique(clusters.astype(np.int64) * cells + codes, return_inverse=True)
    count = np.bincount(own, minlength=len(rows)).astype(np.float64)
    keys, of_key = np.unique(own * (arms * cells) + place, return_inverse=True)
    total = np.bincount(of_key, weights, len(keys))
    at, inside = keys % (arms * cells), keys // (arms * cells)
    square = np.bincount(at, np.square(total) - 2 * total * count[inside], arms * cells).reshape(arms, cells)
    return np.asarray(square + np.bincount(rows % cells, np.square(count), cells), np.float64)
