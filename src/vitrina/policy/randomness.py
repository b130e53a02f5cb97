"""Whether arms were drawn with the chances that are logged, whatever one knows of the units: score tests that know the design.

With known chances p_ia of all arms, the residual e_ia = 1{a_i = a} - p_ia has mean 0 for every unit, whatever is known of it, so that
S_aj = sum_i e_ia x_ij is 0 on average for every column x. Its variance is known too: sum_i (diag(p_i) - p_i p_i') x_ij x_ik. The quadratic form of
S in the inverse of that is chi-squared, which is the score test of a multinomial regression of the arm on x with the log of the chances as offset. With x = 1 and
one design for all it is Pearson's test of sample ratios; with x the covariates it is the omnibus test of balance, right also where chances
differ from unit to unit; with x the period it is a test of drift. No model is fitted, and nothing has to be permuted.

Where rows come in clusters, they needn't be drawn independently within one: S is then the sum of independent parts S_g of clusters, its variance is estimated by
sum_g S_g S_g', and with G clusters and r columns the form Q has Q / G ~ Beta(r / 2, (G - r) / 2), Hotelling's test.

Where only the chance of the logged arm is known, u_ia = 1{a_i = a} / p_i - 1 has mean 0 for each arm. Its variance is estimated arm by arm, so
that arms and columns are tested one by one and their p is multiplied by their number (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, chdtrc, ndtr

from vitrina.types import Float64, Int32, Int64

BLOCK = 1 << 23  # numbers at a time
FEWEST_EXPECTED = 5  # of an arm, below which it is counted together with other rare ones (Cochran 1954)
FEW_CLUSTERS = 4  # clusters for each column of a joint test; with fewer, columns are tested one by one
RANK = 1e-9  # of the largest eigenvalue: what is below it is a column that others make up
LARGEST = 2000  # columns times arms of a joint test
X = Callable[[Int64], Float64]  # rows -> (rows, columns)


class Test(NamedTuple):
    """A test of the chances."""

    statistic: float
    freedom: int
    p: float
    joint: bool = True  # False: the smallest p of several, multiplied by their number


@final
@dataclass(frozen=True, eq=False)
class Score:
    """Sums of residuals times columns, and their variance.

    Args:
        sums: (arms, columns), which are 0 on average.
        variance: (arms, columns, arms, columns); where arms and columns are tested one by one only (arms, columns).
        clusters: number of independent parts from which the variance is estimated; 0 where the design says it.
    """

    sums: Float64
    variance: Float64
    clusters: int = 0

    def test(self, arms: NDArray[np.bool_] | slice = slice(None), columns: NDArray[np.bool_] | slice = slice(None)) -> Test:
        """Of some arms and columns together."""
        sums = self.sums[arms][:, columns]
        size = sums.size
        if self.variance.ndim == 2 or size > LARGEST or (self.clusters and size * FEW_CLUSTERS > self.clusters):
            own = self.variance if self.variance.ndim == 2 else np.einsum("ajaj->aj", self.variance)
            return self._one_by_one(sums.ravel(), own[arms][:, columns].ravel())
        variance = self.variance[arms][:, columns][:, :, arms][:, :, :, columns].reshape(size, size)
        scale = np.sqrt(np.maximum(np.diag(variance), 0))
        known = scale > 0
        if not known.any():
            return Test(0.0, 0, 1.0)
        z, correlation = sums.ravel()[known] / scale[known], variance[np.ix_(known, known)] / np.outer(scale[known], scale[known])
        values, vectors = np.linalg.eigh(correlation)
        free = values > RANK * values[-1]
        statistic, freedom = float((np.square(vectors[:, free].T @ z) / values[free]).sum()), int(free.sum())
        if not self.clusters:
            return Test(statistic, freedom, float(chdtrc(freedom, statistic)))
        share = min(statistic / self.clusters, 1.0)
        return Test(statistic, freedom, float(1 - betainc(freedom / 2, (self.clusters - freedom) / 2, share)))

    def _one_by_one(self, sums: Float64, variance: Float64) -> Test:
        z = np.divide(np.abs(sums), np.sqrt(variance), out=np.zeros(len(sums)), where=variance > 0)
        known = int((variance > 0).sum())
        if not known:
            return Test(0.0, 0, 1.0, joint=False)
        most = float(z.max())
        return Test(most, known, min(1.0, known * 2 * float(ndtr(-most))), joint=False)


def score(actions: Int32, design: Float64, clusters: Int32 | None, x: X, columns: int, arms: Int32) -> Score:
    """The score of known chances.

    Args:
        actions: (rows,) the logged arms.
        design: (arms,) or (rows, arms) chances.
        clusters: (rows,) codes, where several rows are of one; None where rows are drawn one by one.
        x: gives (rows, columns) of some rows.
        columns: their number.
        arms: (arms,) the group that each arm is counted in; the last group is left out, as the others make it up.

    Cost: rows x (groups x columns)^2 where chances differ by row or rows come in clusters, else rows x columns^2.
    """
    groups = int(arms.max())  # without the last one
    if groups * columns > LARGEST or (design.ndim == 2 and (groups * columns) ** 2 > LARGEST * 100):
        return _of_pieces(actions, design, clusters, x, columns, arms)
    sums, variance, squares = np.zeros((groups, columns)), np.zeros((groups, columns, groups, columns)), np.zeros((columns, columns))
    for rows, starts in _blocks(len(actions), clusters, (groups + 1) * (columns + 1)):
        values, chances = x(rows), _grouped(design, rows, arms, groups)
        residuals = (arms[actions[rows]][:, None] == np.arange(groups)) - chances
        sums += residuals.T @ values
        if starts is not None:
            parts = np.add.reduceat((residuals[:, :, None] * values[:, None, :]).reshape(len(rows), -1), starts)
            variance += (parts.T @ parts).reshape(variance.shape)
        elif design.ndim == 1:
            squares += values.T @ values
        else:
            for a in range(groups):
                for b in range(groups):
                    weight = chances[:, a] * ((a == b) - chances[:, b])
                    variance[a, :, b, :] += (values * weight[:, None]).T @ values
    if clusters is None and design.ndim == 1:
        p = np.bincount(arms, design, groups + 1)[:groups]
        variance = np.einsum("ab,jk->ajbk", np.diag(p) - np.outer(p, p), squares)
    return Score(sums, variance, 0 if clusters is None else int(clusters.max(initial=-1)) + 1)


def _of_pieces(actions: Int32, design: Float64, clusters: Int32 | None, x: X, columns: int, arms: Int32) -> Score:
    """The same where there are too many arms and columns for one matrix: each has its own variance."""
    groups = int(arms.max())
    sums, variance = np.zeros((groups, columns)), np.zeros((groups, columns))
    for rows, starts in _blocks(len(actions), clusters, (groups + 1) * (columns + 1)):
        values, chances = x(rows), np.broadcast_to(_grouped(design, rows, arms, groups), (len(rows), groups))
        for a in range(groups):
            parts = ((arms[actions[rows]] == a) - chances[:, a])[:, None] * values
            sums[a] += parts.sum(axis=0)
            known = np.square(values).T @ (chances[:, a] * (1 - chances[:, a]))
            variance[a] += known if starts is None else np.square(np.add.reduceat(parts, starts)).sum(axis=0)
    return Score(sums, variance, 0 if clusters is None else int(clusters.max(initial=-1)) + 1)


def score_of_logged(actions: Int32, propensity: Float64, clusters: Int32 | None, x: X, columns: int, arms: Int32) -> Score:
    """The score where only the chances of logged arms are known; the arms of a group are all counted, each with its weight.

    The variance of sum_i u_ia x_ij is estimated without bias by sum_i 1{a_i = a} (1 - p_i) / p_i^2 x_ij^2. Where an arm was drawn too seldom that is too
    small, so it is multiplied by what is missing of its weight.
    """
    groups = int(arms.max()) + 1
    sizes = np.bincount(arms, minlength=groups)
    sums, variance, total = np.zeros((groups, columns)), np.zeros((groups, columns)), np.zeros(groups)
    for rows, starts in _blocks(len(actions), clusters, (groups + 1) * (columns + 1)):
        values, p, group = x(rows), propensity[rows], arms[actions[rows]]
        for a in range(groups):
            weight = (group == a) / p
            total[a] += weight.sum()
            parts = (weight - sizes[a])[:, None] * values
            sums[a] += parts.sum(axis=0)
            variance[a] += (
                np.square(values).T @ (weight * (1 - p) / p) if starts is None else np.square(np.add.reduceat(parts, starts)).sum(axis=0)
            )
    missing = np.divide(len(actions) * sizes, total, out=np.ones(groups), where=total > 0)
    return Score(sums, variance * np.maximum(missing, 1)[:, None], 0 if clusters is None else int(clusters.max(initial=-1)) + 1)


def _grouped(design: Float64, rows: Int64, arms: Int32, groups: int) -> Float64:
    """(rows, groups) or (groups,) chances of the groups of arms but the last."""
    own = design if design.ndim == 1 else design[rows]
    return own @ (arms[:, None] == np.arange(groups)).astype(np.float64)


def _blocks(rows: int, clusters: Int32 | None, width: int) -> Iterator[tuple[Int64, Int64 | None]]:
    """Runs of rows of so many numbers; where they come in clusters, those of a cluster stand together, and the starts of clusters come with them."""
    block = max(BLOCK // width, 1)
    if clusters is None:
        for first in range(0, rows, block):
            yield np.arange(first, min(first + block, rows)), None
        return
    order = np.argsort(clusters, kind="stable")
    begins = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    at = 0
    while at < len(begins):
        after = max(int(np.searchsorted(begins, begins[at] + block)), at + 1)
        last = rows if after >= len(begins) else int(begins[after])
        yield order[begins[at] : last], begins[at:after] - begins[at]
        at = after


def together(expected: Float64) -> Int32:
    """(arms,) the group of each arm: its own, or that of the rare ones where fewer than 5 rows of it are expected; the most frequent comes last.

    >>> together(np.array([50.0, 2.0, 1.0, 3.0])).tolist()
    [1, 0, 0, 0]
    """
    rare = expected < FEWEST_EXPECTED
    if rare.sum() < 2 and rare.any() and len(expected) > 2:  # one alone goes with the rarest of the others
        rare[np.argsort(expected)[:2]] = True
    groups = np.full(len(expected), -1, np.int32)
    groups[rare] = 0
    order = [a for a in np.argsort(expected, kind="stable") if not rare[a]]
    groups[order] = np.arange(len(order)) + bool(rare.any())
    return groups
