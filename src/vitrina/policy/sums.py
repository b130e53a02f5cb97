"""From columns of rows to a value and its doubt: sums by cluster, and what the value would be without each cluster.

A value is f(m), where m are the means of an estimator's columns over rows. Rows of one cluster (a household, a person with many rows) belong
together and clusters are independent, so clusters are what is left out: without cluster g the value is f((T - T_g) / (n - n_g)), with the sums T
and the counts n. The jackknife's error of these is, for a mean, the root of G / (G - 1) sum_g (sum_{i in g} (t_i - m))^2 / n^2 where clusters have
one size, and for a quotient that of the delta method with the true influence of each cluster in place of its tangent (the two agree up to a factor of 1 + O(1 / G)).
How sure the error itself is, in degrees of freedom, is said in `vitrina.evaluate.bootstrap`: few rows of large weight leave few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from vitrina.policy.estimators.base import Estimator, Weighted
from vitrina.types import Float64

GROUPS = 1 << 20  # of clusters, where there are more: the error changes by 0.1% of itself
NOISE = 1e-15  # of the value: what is below it is no influence but arithmetic


def grouped(clusters: NDArray[Any], most: int = GROUPS) -> NDArray[Any]:
    """(n,) codes of clusters, put together where there are more than so many; a cluster stays whole."""
    return clusters if clusters.max(initial=-1) < most else clusters % most


@final
@dataclass(frozen=True, eq=False)
class Sums:
    """What an estimator keeps of a policy: sums of its columns over the rows of each cluster.

    Args:
        estimator: whose columns they are.
        stages: for each stage the columns (clusters,). A decision has one; a list judged place by place has one for each place, and its value is their sum.
        counts: (clusters,) rows.
    """

    estimator: Estimator
    stages: tuple[tuple[Float64, ...], ...]
    counts: Float64

    @classmethod
    def of(cls, estimator: Estimator, stages: Sequence[Weighted], clusters: NDArray[Any], groups: int) -> Sums:
        """Add up by `clusters` (n,), codes below `groups`; all stages have the same rows."""
        summed = tuple(
            tuple(np.bincount(clusters, column, groups).astype(np.float64, copy=False) for column in estimator.terms(rows))
            for rows in stages
        )
        return cls(estimator, summed, np.bincount(clusters, minlength=groups).astype(np.float64))

    @property
    def value(self) -> float:
        """NaN where no row speaks of the policy."""
        rows = self.counts.sum()
        return float(sum(self.estimator.value([np.asarray(column.sum() / rows) for column in columns]) for columns in self.stages))

    @property
    def parts(self) -> Float64:
        """(clusters,) the value without each minus the value; NaN where nothing would be left to tell it from."""
        left = self.counts.sum() - self.counts
        rest = np.where(left > 0, left, np.nan)
        value, parts = self.value, np.zeros(len(left))
        for columns in self.stages:
            parts += self.estimator.value([(column.sum() - column) / rest for column in columns])
        parts -= value
        parts[np.abs(parts) <= NOISE * abs(value)] = 0.0
        return parts

    @property
    def columns(self) -> tuple[Float64, ...]:
        """All columns of all stages, (clusters,) each."""
        return tuple(column for columns in self.stages for column in columns)

    def differs(self, other: Sums) -> NDArray[np.bool_]:
        """(clusters,) where the two policies have not the same columns."""
        out = np.zeros(len(self.counts), bool)
        for a, b in zip(self.columns, other.columns, strict=True):
            out |= a != b
        return out
