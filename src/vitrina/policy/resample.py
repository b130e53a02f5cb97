"""The bootstrap of several values at once: clusters are drawn anew, and each value is computed anew from what was drawn.

Draw b takes as many clusters as there are, with replacement, and gives the value V_b (a quotient as a quotient, never row by row) and its error e_b by the delta method in
that draw. The interval is [V - q_high e, V - q_low e] with the quantiles of t_b = (V_b - V) / e_b: the bootstrap t
([Hall 1992](https://doi.org/10.1007/978-1-4612-4384-7), 3.10), which reaches further to the side to which rewards are skewed. All policies see
the same draws, so differences are paired.

Where there are more than 16,384 clusters, they are drawn in so many groups of equal number: sums of independent clusters have the same variance and the same third
moment whether they are drawn alone or in groups, and ten thousand draws cost seconds in place of minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from vitrina.evaluate.bootstrap import BUCKETS
from vitrina.policy.sums import Sums
from vitrina.types import Float64

BLOCK = 64  # draws at a time


class Drawn(NamedTuple):
    """What the draws gave.

    Args:
        values: (draws, targets) values and differences.
        t: (draws, targets) how many of its own errors each is off what was seen; NaN where a draw says nothing.
    """

    values: Float64
    t: Float64


def resampled(families: Sequence[Sequence[Sums]], pairs: Sequence[tuple[int, int]], draws: int, seed: int) -> list[Drawn]:
    """For each family (one estimator on all policies, on the same clusters) its values and, after them, the differences of `pairs` of policies.

    Cost: draws * groups, at most 16,384 of them, for all families together; and draws * columns^2 for each.
    """
    prepared = [_Family.of(family, pairs) for family in families]
    found: list[tuple[list[Float64], list[Float64]]] = [([], []) for _ in families]
    for counts in _counts(len(prepared[0].table), draws, seed):
        for family, (values, t) in zip(prepared, found, strict=True):
            one = family.drawn(counts)
            values.append(one.values)
            t.append(one.t)
    return [Drawn(np.concatenate(values), np.concatenate(t)) for values, t in found]


def _counts(groups: int, draws: int, seed: int) -> Iterator[Float64]:
    """(block, groups) how often each is in the draws."""
    rng = np.random.default_rng([seed, 2])
    for first in range(0, draws, BLOCK):
        block = min(BLOCK, draws - first)
        yield np.stack([np.bincount(rng.integers(0, groups, groups), minlength=groups) for _ in range(block)]).astype(np.float64)


class _Family(NamedTuple):
    """One estimator on all policies: the columns of all, and the products of any two."""

    family: Sequence[Sums]
    pairs: Sequence[tuple[int, int]]
    table: Float64  # (groups, 1 + columns): counts, then the columns of each policy
    products: Float64  # (groups, (1 + columns)^2)
    seen: Float64  # (targets,)

    @classmethod
    def of(cls, family: Sequence[Sums], pairs: Sequence[tuple[int, int]]) -> _Family:
        columns = [family[0].counts, *(column for sums in family for column in sums.columns)]
        groups = min(len(columns[0]), BUCKETS)
        place = np.arange(len(columns[0])) % groups
        table = np.stack([np.bincount(place, column, groups).astype(np.float64) for column in columns], axis=1)
        products = (table[:, :, None] * table[:, None, :]).reshape(groups, -1)
        values = np.array([sums.value for sums in family])
        return cls(family, pairs, table, products, np.append(values, [values[a] - values[b] for a, b in pairs]))

    def drawn(self, counts: Float64) -> Drawn:
        """Of a block of draws (block, groups)."""
        width = self.table.shape[1]
        sums = counts @ self.table  # (block, 1 + columns)
        moments = (counts @ self.products).reshape(-1, width, width)
        values, slopes = self._values(sums)
        variance = np.einsum("btm,bmn,btn->bt", slopes, moments, slopes, optimize=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            t = (values - self.seen) / np.sqrt(np.maximum(variance, 0.0))
        return Drawn(values, np.where((values == self.seen) & (variance <= 0), 0.0, t))

    def _values(self, sums: Float64) -> tuple[Float64, Float64]:
        """(block, targets) values, and (block, targets, 1 + columns) what a unit of each column of a group adds to it."""
        rows, at = sums[:, 0], 1
        values, slopes = np.zeros((len(sums), len(self.family))), np.zeros((len(sums), len(self.family), sums.shape[1]))
        for policy, one in enumerate(self.family):
            for columns in one.stages:
                means = [sums[:, at + c] / rows for c in range(len(columns))]
                values[:, policy] += one.estimator.value(means)
                for c, slope in enumerate(one.estimator.slopes(means)):
                    slopes[:, policy, at + c] = slope / rows
                    slopes[:, policy, 0] -= slope * means[c] / rows
                at += len(columns)
        left, right = ([pair[side] for pair in self.pairs] for side in (0, 1))
        return (
            np.concatenate([values, values[:, left] - values[:, right]], axis=1),
            np.concatenate([slopes, slopes[:, left] - slopes[:, right]], axis=1),
        )
