"""Counts, sums and products of a few columns per group: all that means, ratios and covariates need, and they add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from vitrina.types import Float64


@final
@dataclass(frozen=True, eq=False)
class Moments:
    """Of groups of any shape, such as (looks, arms).

    Args:
        counts: (...,) rows of each group.
        sums: (..., columns) of the distances to the centre.
        products: (..., columns, columns) of these distances.
        centre: (columns,) the mean of all rows, taken off so that no digits are lost.

    >>> import numpy as np
    >>> both = Moments.of([np.array([1.0, 3.0, 8.0])], np.array([0, 0, 1]), 2)
    >>> both.means.tolist(), both.covariances[0].tolist(), both.summed().means.tolist()
    ([[2.0], [8.0]], [[2.0]], [4.0])
    """

    counts: Float64
    sums: Float64
    products: Float64
    centre: Float64

    @classmethod
    def of(cls, columns: Sequence[Float64], groups: NDArray[Any], count: int) -> Moments:
        """Of columns (rows,) without NaN, by the group of each row.

        Cost: a pass per column and per pair of columns.
        """
        centre = np.array([c.mean() if len(c) else 0.0 for c in columns])
        off = [c - m for c, m in zip(columns, centre, strict=True)]
        sums = np.stack([np.bincount(groups, c, count) for c in off], axis=-1).astype(np.float64, copy=False)
        products = np.empty((count, len(off), len(off)))
        for i, left in enumerate(off):
            for j, right in enumerate(off[: i + 1]):
                products[:, i, j] = products[:, j, i] = np.bincount(groups, left * right, count)
        return cls(np.bincount(groups, minlength=count).astype(np.float64), sums, products, centre)

    @property
    def means(self) -> Float64:
        """(..., columns); NaN where a group has no rows."""
        return self.centre + self.sums / _least(self.counts, 1)[..., None]

    @property
    def covariances(self) -> Float64:
        """(..., columns, columns) with n - 1; NaN where a group has fewer than two rows."""
        n = _least(self.counts, 2)[..., None, None]
        return (self.products - self.sums[..., :, None] * self.sums[..., None, :] / n) / (n - 1)

    def cumulated(self) -> Moments:
        """Each group of the first axis with all before it."""
        return Moments(self.counts.cumsum(axis=0), self.sums.cumsum(axis=0), self.products.cumsum(axis=0), self.centre)

    def summed(self) -> Moments:
        """All groups of the first axis as one."""
        return Moments(self.counts.sum(axis=0), self.sums.sum(axis=0), self.products.sum(axis=0), self.centre)

    def reshaped(self, *shape: int) -> Moments:
        """The groups in another shape."""
        c = len(self.centre)
        return Moments(self.counts.reshape(shape), self.sums.reshape(*shape, c), self.products.reshape(*shape, c, c), self.centre)

    def __getitem__(self, at: Any) -> Moments:
        return Moments(self.counts[at], self.sums[at], self.products[at], self.centre)

    def __add__(self, other: Moments) -> Moments:
        """Two groups as one, of columns with the same centre."""
        return Moments(self.counts + other.counts, self.sums + other.sums, self.products + other.products, self.centre)


def _least(counts: Float64, least: int) -> Float64:
    return np.where(counts >= least, counts, np.nan)
