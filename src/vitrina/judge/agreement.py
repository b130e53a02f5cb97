"""How far two who label agree: shares, and coefficients that take off what chance alone would give.

With p[i, j] the share of rows that the one labels i and the other j of K grades, and w[i, j] how far the two labels agree (1 on the diagonal; 1 - |i - j| / (K - 1) linear; 1 - ((i - j) / (K - 1))^2
quadratic), all are (a - e) / (1 - e) with a = sum w p, and differ by what they call chance:

- kappa ([Cohen 1960](https://doi.org/10.1177/001316446002000104), weighted [1968](https://doi.org/10.1037/h0026256)): e = sum_ij w[i, j] p[i, .] p[., j];
- AC1 and, with weights, AC2 ([Gwet 2008](https://doi.org/10.1348/000711006X126600)): e = sum w / (K (K - 1)) sum_k q_k (1 - q_k) with q_k the mean of the two shares of k.

Where nearly everything has one label, kappa is near 0 however well two agree, and its interval is wide; AC1 and AC2 are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from vitrina.base.errors import UnknownNameError
from vitrina.judge.clusters import Estimate, estimate, sums_by
from vitrina.types import Float64, Int64


def weights_of(grades: int, kind: str) -> Float64:
    """(grades, grades) how far two labels agree: "equal", "linear" or "quadratic"."""
    distance = np.abs(np.subtract.outer(np.arange(grades), np.arange(grades))) / max(grades - 1, 1)
    known = {"equal": (distance == 0).astype(np.float64), "linear": 1 - distance, "quadratic": 1 - distance**2}
    if kind not in known:
        raise UnknownNameError.of("weights", kind, known)
    return known[kind]


def accuracy(counts: ArrayLike) -> Float64:
    """The share of rows with two equal labels, of counts (..., K, K)."""
    counts = np.asarray(counts, np.float64)
    return _over(np.trace(counts, axis1=-2, axis2=-1), counts.sum(axis=(-2, -1)))


def cohen_kappa(counts: ArrayLike, weights: str = "equal") -> Float64:
    """Cohen's kappa of counts (..., K, K); NaN where chance alone would give full agreement.

    >>> round(float(cohen_kappa([[20, 5], [10, 15]])), 3)
    0.4
    """
    shares, w = _shares(counts), weights_of(np.asarray(counts).shape[-1], weights)
    chance = np.einsum("...i,...j,ij->...", shares.sum(-1), shares.sum(-2), w)
    return _beyond((shares * w).sum(axis=(-2, -1)), chance)


def gwet_ac(counts: ArrayLike, weights: str = "equal") -> Float64:
    """Gwet's AC1 of counts (..., K, K), and with weights AC2.

    >>> round(float(gwet_ac([[118, 5], [2, 0]])), 3)
    0.941
    """
    grades = np.asarray(counts).shape[-1]
    shares, w = _shares(counts), weights_of(grades, weights)
    mean = (shares.sum(-1) + shares.sum(-2)) / 2
    chance = w.sum() / (grades * (grades - 1)) * (mean * (1 - mean)).sum(-1)
    return _beyond((shares * w).sum(axis=(-2, -1)), chance)


MEASURES: Mapping[str, Callable[[ArrayLike], Float64]] = {
    "accuracy": accuracy,
    "kappa": cohen_kappa,
    "kappa_linear": lambda counts: cohen_kappa(counts, "linear"),
    "kappa_quadratic": lambda counts: cohen_kappa(counts, "quadratic"),
    "AC1": gwet_ac,
    "AC2_linear": lambda counts: gwet_ac(counts, "linear"),
    "AC2_quadratic": lambda counts: gwet_ac(counts, "quadratic"),
}


def counts_by(one: Int64, other: Int64, clusters: pl.Series, grades: int) -> Float64:
    """(clusters, grades * grades) how often the one says i and the other j."""
    cells = np.zeros((len(one), grades * grades))
    cells[np.arange(len(one)), one * grades + other] = 1.0
    return sums_by(cells, clusters)


def agreement(measure: str, counts: Float64, confidence: float = 0.95) -> Estimate:
    """A measure with its interval by cluster.

    Where all labels agree no cluster moves anything. Then the lower end is where clusters of which a share e disagrees altogether would show none of them with the probability
    (1 - confidence) / 2: 1 - e without chance taken off, and 1 - e / (1 - chance) with.

    Args:
        measure: a name of `MEASURES`.
        counts: of `counts_by`.
    """
    if measure not in MEASURES:
        raise UnknownNameError.of("measure of agreement", measure, MEASURES)
    grades, function = round(counts.shape[1] ** 0.5), MEASURES[measure]
    rows = int(counts.sum())
    found = estimate(counts, lambda s: function(s.reshape(-1, grades, grades)), rows, confidence, ends="agreement")
    if not found.value > 1 - 1e-9 or found.clusters < 2:
        return found
    unseen = 1 - ((1 - confidence) / 2) ** (1 / found.clusters)
    whole = counts.sum(axis=0).reshape(grades, grades)
    if measure == "accuracy":
        return _with_low(found, 1 - unseen)
    spoilt = (1 - unseen) * whole / rows + unseen * _turned(whole.sum(1) / rows)
    return _with_low(found, float(function(spoilt)))


def difference(measure: str, ours: pl.DataFrame, theirs: pl.DataFrame, grades: int, confidence: float = 0.95) -> Estimate:
    """A measure of one table of pairs minus that of another; queries that are in both go together.

    Args:
        ours, theirs: query, one, other: places on the scale.
    """
    both = pl.concat([ours.select("query", "one", "other"), theirs.select("query", "one", "other")])
    codes = both["one"].to_numpy() * grades + both["other"].to_numpy() + np.repeat([0, grades**2], [len(ours), len(theirs)])
    marks = np.zeros((len(both), 2 * grades**2))
    marks[np.arange(len(both)), codes] = 1.0
    function, half = MEASURES[measure], grades**2

    def value(s: Float64) -> Float64:
        return function(s[:, :half].reshape(-1, grades, grades)) - function(s[:, half:].reshape(-1, grades, grades))

    return estimate(sums_by(marks, both["query"]), value, len(ours), confidence)


def _with_low(found: Estimate, low: float) -> Estimate:
    return Estimate(1.0, low, 1.0, found.error, found.freedom, found.clusters, found.rows, found.confidence)


def _turned(shares: Float64) -> Float64:
    """(K, K) shares of rows where each label of the one meets the farthest one of the other."""
    grades = len(shares)
    far = np.where(np.arange(grades) < grades / 2, grades - 1, 0)
    cells = np.zeros((grades, grades))
    cells[np.arange(grades), far] = shares
    return cells


def _shares(counts: ArrayLike) -> Float64:
    counts = np.asarray(counts, np.float64)
    return _over(counts, counts.sum(axis=(-2, -1), keepdims=True))


def _beyond(seen: Float64, chance: Float64) -> Float64:
    return _over(seen - chance, np.where(1 - chance > 1e-12, 1 - chance, 0.0))


def _over(part: Float64, whole: Float64) -> Float64:
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
