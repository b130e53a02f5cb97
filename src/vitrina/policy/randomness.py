"""Whether arms were drawn with the chances that are logged, whatever one knows of the units: score tests that know the design.

With known chances p_ia of all arms, the residual e_ia = 1{a_i = a} - p_ia has mean 0 for every unit, whatever is known of it, so that
S_aj = sum_i e_ia x_ij is 0 on average for every column x. Its variance is known too: sum_i (diag(p_i) - p_i p_i') x_ij x_ik. The quadratic form of
S in the inverse of that is chi-squared, which is the score test of a multinomial regression of the arm on x with the log of the chances as offset. With x = 1 and
one design for all it is Pearson's test of sample ratios; with x the covariates it is the omnibus test of balance, right also where chances
differ from unit to unit; with x the period it is a test of drift. No model is fitted, and nothing has to be permuted.

Where rows come in clusters, they needn't be drawn independently within one: S is then the sum of independent parts S_g of clusters, its variance is estimated by
sum_g S_g S_g', and with G clusters and r columns the form Q has Q / G ~ Beta(r / 2, (G - r) / 2), Hotelling's test. Where there are too few clusters,
or too many arms and columns for one matrix, each is tested by itself and the smallest p is multiplied by their number (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, chdtrc, stdtr

from vitrina.types import Float64, Int32, Int64

BLOCK = 1 << 23  # numbers at a time
FEWEST_EXPECTED = 5  # of an arm, below which it is counted together with other rare ones (Cochran 1954)
FEWEST_SPREAD = 20  # rows, or clusters, over which a sum that is tested by itself must be spread
FEW_CLUSTERS = 4  # clusters for each column of a joint test; with fewer, columns are tested one by one
RANK = 1e-9  # of the largest eigenvalue: what is below it is a column that others make up
LARGEST = 600  # columns times arms of a joint test whose variance has no factors
X = Callable[[Int64], Float64]  # rows -> (rows, columns)
Part = NDArray[np.bool_] | slice
ALL = slice(None)


class Tested(NamedTuple):
    """A test of the chances."""

    statistic: float
    freedom: int
    p: float
    how: str  # of the statistic, in words


class Score(NamedTuple):
    """Sums of residuals times columns, (arms, columns), which are 0 on average, and what is known of their variance."""

    sums: Float64
    variance: Factors | Joint | Single

    def test(self, columns: Part = ALL) -> Tested:
        """Of all arms, and of these columns together."""
        return self.variance.test(self.sums, columns)

    def z(self) -> Float64:
        """(arms, columns) each sum over its standard deviation; 0 where it can't vary."""
        variance = self.variance.own()
        return np.divide(self.sums, np.sqrt(variance), out=np.zeros_like(self.sums), where=variance > 0)


@final
@dataclass(frozen=True, eq=False)
class Factors:
    """One design for all rows, drawn one by one: the variance is the product of one of arms and one of columns."""

    arms: Float64  # (arms, arms)
    columns: Float64  # (columns, columns)

    def own(self) -> Float64:
        return np.outer(np.diag(self.arms), np.diag(self.columns))

    def test(self, sums: Float64, columns: Part) -> Tested:
        left, right = _whitened(self.arms), _whitened(self.columns[columns][:, columns])
        statistic, freedom = float(np.square(left.T @ sums[:, columns] @ right).sum()), left.shape[1] * right.shape[1]
        return _chi_squared(statistic, freedom)


@final
@dataclass(frozen=True, eq=False)
class Joint:
    """The variance of all sums; estimated from so many clusters, or known where that is 0."""

    variance: Float64  # (arms, columns, arms, columns)
    clusters: int

    def own(self) -> Float64:
        return np.einsum("ajaj->aj", self.variance)

    def test(self, sums: Float64, columns: Part) -> Tested:
        part = self.variance[:, columns][:, :, :, columns]
        size = part.shape[0] * part.shape[1]
        half = _whitened(part.reshape(size, size))
        statistic, freedom = float(np.square(half.T @ sums[:, columns].ravel()).sum()), half.shape[1]
        if not self.clusters:
            return _chi_squared(statistic, freedom)
        share = min(statistic / self.clusters, 1.0)
        p = float(1 - betainc(freedom / 2, (self.clusters - freedom) / 2, share)) if freedom else 1.0
        return Tested(
            statistic, freedom, p, f"Hotelling's test over {self.clusters:,} clusters, {statistic:.2f} with {freedom} degrees of freedom"
        )


@final
@dataclass(frozen=True, eq=False)
class Single:
    """The variance of each sum by itself, and over how many rows or clusters it is spread."""

    variance: Float64  # (arms, columns)
    fourth: Float64  # (arms, columns) the sum of squares of what the variance sums

    def own(self) -> Float64:
        return self.variance

    def test(self, sums: Float64, columns: Part) -> Tested:
        own, fourth = self.variance[:, columns], self.fourth[:, columns]
        spread = np.divide(np.square(own), fourth, out=np.zeros_like(own), where=fourth > 0)
        tested = spread >= FEWEST_SPREAD
        count = int(tested.sum())
        if not count:
            return Tested(0.0, 0, 1.0, "nothing that is spread over enough rows")
        z = np.abs(sums[:, columns][tested]) / np.sqrt(own[tested])
        p = 2 * stdtr(spread[tested] - 1, -z)
        return Tested(
            float(z.max()), count, min(1.0, count * float(p.min())), f"largest of {count:,} z {z.max():.2f}, corrected for their number"
        )


def _chi_squared(statistic: float, freedom: int) -> Tested:
    p = float(chdtrc(freedom, statistic)) if freedom else 1.0
    return Tested(statistic, freedom, p, f"chi-squared {statistic:.4f} with {freedom} degrees of freedom")


def _whitened(variance: Float64) -> Float64:
    """(n, rank) a root of the inverse of a variance, on the scale of correlations."""
    scale = np.sqrt(np.maximum(np.diag(variance), 0))
    one = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    values, vectors = np.linalg.eigh(variance * np.outer(one, one))
    free = values > RANK * max(values[-1], 0) if len(values) else values > 0
    return one[:, None] * vectors[:, free] / np.sqrt(values[free])


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
    groups, count = int(arms.max()), 0 if clusters is None else int(clusters.max(initial=-1)) + 1
    size, one_design = groups * columns, design.ndim == 1 and clusters is None
    single = not one_design and (size > LARGEST or (count and size * FEW_CLUSTERS > count))
    sums, squares = np.zeros((groups, columns)), np.zeros((columns, columns))
    joint, own, fourth = np.zeros((0 if single or one_design else size,) * 2), np.zeros((groups, columns)), np.zeros((groups, columns))
    for rows, starts in _blocks(len(actions), clusters, max(size, 1)):
        values, chances = x(rows), _grouped(design, rows, arms, groups)
        residuals = (arms[actions[rows]][:, None] == np.arange(groups)) - chances
        sums += residuals.T @ values
        if one_design:
            squares += values.T @ values
        elif starts is not None:
            parts = np.add.reduceat((residuals[:, :, None] * values[:, None, :]).reshape(len(rows), -1), starts)
            _add(parts, single, joint, own, fourth)
        elif single:
            spread = np.broadcast_to(chances * (1 - chances), residuals.shape)
            own += spread.T @ np.square(values)
            fourth += np.square(spread).T @ np.square(np.square(values))
        else:
            joint += _design_variance(values, chances)
    if one_design:
        p: Float64 = np.bincount(arms, design, groups + 1)[:groups].astype(np.float64)
        return Score(sums, Factors(np.diag(p) - np.outer(p, p), squares))
    return Score(sums, Single(own, fourth) if single else Joint(joint.reshape(groups, columns, groups, columns), count))


def _add(parts: Float64, single: object, joint: Float64, own: Float64, fourth: Float64) -> None:
    """Add the parts (clusters, arms x columns) of clusters."""
    if single:
        squared = np.square(parts)
        own += squared.sum(axis=0).reshape(own.shape)
        fourth += np.square(squared).sum(axis=0).reshape(own.shape)
    else:
        joint += parts.T @ parts


def _design_variance(values: Float64, chances: Float64) -> Float64:
    """sum_i (diag(p_i) - p_i p_i') x_i x_i' of some rows, where chances differ from row to row."""
    groups, columns = chances.shape[1], values.shape[1]
    both = (chances[:, :, None] * values[:, None, :]).reshape(len(values), -1)
    variance = -(both.T @ both)
    for a in range(groups):
        part = slice(a * columns, (a + 1) * columns)
        variance[part, part] += both[:, part].T @ values
    return variance


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
    if rare.sum() == 1 and len(expected) > 2:  # one alone goes with the rarest of the others
        rare[np.argsort(expected)[:2]] = True
    groups = np.zeros(len(expected), np.int32)
    order = [a for a in np.argsort(expected, kind="stable") if not rare[a]]
    groups[order] = np.arange(len(order)) + bool(rare.any())
    return groups
