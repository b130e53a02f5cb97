"""The bootstrap over users: how far a number would move if other people had come.

The value of a metric is the mean over queries, sum_u S_u / sum_u n_u, where S_u is the sum over the n_u queries of user u.
People are independent of one another and the queries of one person are not, so people are drawn, with all their queries:
draw b gives user u a weight w_ub ~ Poisson(1), and the value is sum_u w_ub S_u / sum_u w_ub n_u. Users are hashed into 16,384
buckets and those of one bucket share their weight, a hash of (seed, bucket, b). So every model sees the same draws
(differences are paired), the sums of shards add up to those of the whole, and the cost doesn't grow with the users.

Sharing costs next to nothing. With e_u = S_u - value * n_u the variance of the bootstrap is sum_u e_u^2, and that of the bucketed
one is the same times (1 - 1/16384) in expectation over the hash, with a relative spread of sqrt(2 / 16384) = 1.1%, or half a
percent in the width of an interval; 1000 draws leave four times that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, exp, factorial
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.base.kernels import Spread, kernel
from vitrina.types import Float64, Int64

BUCKETS = 1 << 14  # that users are hashed into
WEIGHT_BYTES = 16 << 20  # of the block of weights held at once
ROUNDING = 1e-12  # of the largest sum: what is below it is no doubt but arithmetic


@final
class Bootstrap(Config):
    """How people are drawn to see how sure a number is. The same draws for every model, so that differences are paired.

    Args:
        draws: of people with all their queries.
        seed: of their weights.
        confidence: of the intervals, and of the verdicts that stand beside them.

    >>> Bootstrap(draws=500)
    Bootstrap(draws=500)
    """

    draws: int = Field(default=1000, ge=1)
    seed: int = Field(default=0, ge=0)
    confidence: float = Field(default=0.95, gt=0, lt=1)

    @model_validator(mode="after")
    def _enough_draws(self) -> Self:
        fewest = ceil(1 / (1 - self.confidence) - 1e-6) - 1
        if self.draws < fewest:
            raise ValueError(
                f"The 'draws' of Bootstrap must be {fewest:,} or more at a confidence of {self.confidence:g}, or no verdict is possible. Got {self.draws}."
            )
        return self


@final
@dataclass(frozen=True, eq=False)
class Buckets:
    """Sums of values over the users of each bucket: the state of the bootstrap. States of shards add up with `+`.

    Args:
        sums: (buckets, columns) of values.
        counts: (buckets, columns) of queries that have a value.

    >>> import numpy as np
    >>> values, users = np.array([[1.0], [0.0], [0.5]]), np.array([0, 0, 7])
    >>> (Buckets.of(values[:2], users[:2]) + Buckets.of(values[2:], users[2:])).value.tolist()
    [0.5]
    """

    sums: Float64
    counts: Float64

    @classmethod
    def of(cls, values: Float64, users: NDArray[Any]) -> Buckets:
        """Add up `values` (queries, columns), NaN where a query says nothing, by the bucket of `users` (queries,).

        A negative user code is a visitor of its own.
        """
        return cls.of_columns(np.asarray(values, np.float64).T, users)

    @classmethod
    def of_columns(cls, columns: Sequence[Float64] | Float64, users: NDArray[Any]) -> Buckets:
        """`of`, one column (queries,) after the other: what makes them need not hold them all."""
        bucket = _bucket_of(np.asarray(users, np.int64))
        sums, counts = np.zeros((BUCKETS, len(columns))), np.zeros((BUCKETS, len(columns)))
        for i, column in enumerate(columns):
            if len(column) != len(users):
                raise ParameterError(f"A bootstrap needs one user for each value. Got {len(column)} values and {len(users)} users.")
            known = ~np.isnan(column)
            sums[:, i] = np.bincount(bucket, np.where(known, column, 0.0), BUCKETS)
            counts[:, i] = np.bincount(bucket, known, BUCKETS)
        return cls(sums, counts)

    def __add__(self, other: Buckets) -> Buckets:
        return Buckets(self.sums + other.sums, self.counts + other.counts)

    @property
    def value(self) -> Float64:
        """(columns,) mean over the queries that have a value; NaN where none has."""
        return _ratio(self.sums.sum(axis=0), self.counts.sum(axis=0))

    @property
    def error(self) -> Float64:
        """(columns,) standard error of the value: the root of sum_b (S_b - value * n_b)^2, over sum_b n_b; NaN for fewer than two buckets."""
        enough = (self.counts > 0).sum(axis=0) > 1
        return np.where(enough, _ratio(np.sqrt((self._left**2).sum(axis=0)), self.counts.sum(axis=0)), np.nan)

    @property
    def _left(self) -> Float64:
        """(buckets, columns) S_b - value * n_b; what is left of a zero after the sums is zero."""
        left = self.sums - np.nan_to_num(self.value) * self.counts
        return np.where(np.abs(left) > ROUNDING * np.abs(self.sums).max(axis=0, initial=0.0), left, 0.0)

    def studentised(self, bootstrap: Bootstrap = Bootstrap()) -> Float64:
        """(draws, columns) by how many of its own standard errors the value of a draw is off: (value_b - value) / error_b.

        Infinite where a draw is off and knows no doubt, or holds nobody.
        Cost: at most 16,384 * draws hashes and one matrix product; 16 MB beside the result.
        """
        columns, keys = self.sums.shape[1], np.flatnonzero(self.counts.any(axis=1))
        left, counts = self._left[keys], self.counts[keys]
        if columns and (counts == counts[:, :1]).all():
            counts = counts[:, :1]  # without nulls the queries are the same for all
        parts = [left, left**2, left * counts, counts, counts**2]
        drawn = _weighted(np.concatenate(parts, axis=1), keys, bootstrap)
        off, squares, cross, total, total_squares = np.split(drawn, np.cumsum([p.shape[1] for p in parts])[:-1], axis=1)
        shift = _ratio(off, np.broadcast_to(total, off.shape))
        spread = np.sqrt(np.maximum(squares - 2 * shift * cross + shift**2 * total_squares, 0))
        return np.divide(off, spread, out=np.where((off == 0) & (total > 0), 0.0, np.inf), where=spread > 0)


def _weighted(values: Float64, keys: Int64, bootstrap: Bootstrap) -> Float64:
    """(draws, columns) sums of `values` (keys, columns) under the weights of each draw."""
    out = np.zeros((bootstrap.draws, values.shape[1]))
    block = max(WEIGHT_BYTES // (8 * bootstrap.draws), 1)
    weights = np.empty((min(block, len(keys)), bootstrap.draws))
    for first in range(0, len(keys), block):
        part = slice(first, min(first + block, len(keys)))
        held = weights[: part.stop - part.start]
        _poisson(len(held), keys[part].astype(np.uint64), np.uint64(bootstrap.seed), _THRESHOLDS, held)
        out += held.T @ values[part]
    return out


def _ratio(top: Float64, bottom: Float64) -> Float64:
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)


def _bucket_of(users: Int64) -> Int64:
    """(queries,) the bucket of each user."""
    keys = np.where(users < 0, -1 - np.arange(len(users)), users).astype(np.uint64)
    return (_mix(keys + _GOLDEN) >> np.uint64(64 - BUCKETS.bit_length() + 1)).astype(np.int64)


def _thresholds() -> NDArray[np.uint64]:
    """P(w < j) for w ~ Poisson(1) and j = 1..8, in units of 2^-16: w is the number of them that a 16-bit draw reaches."""
    mass = np.array([exp(-1) / factorial(j) for j in range(8)])
    return np.round(np.cumsum(mass) * 65536).astype(np.uint64)


_THRESHOLDS = _thresholds()
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(x: Any) -> Any:
    """The finaliser of splitmix64, for arrays and, compiled, for scalars."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


_mix_one = kernel(_mix)


@Spread
def _poisson(first, last, keys, seed, thresholds, out):  # pragma: no cover
    """out[key, b] ~ Poisson(1), four draws from each 64-bit hash of (seed, bucket, b // 4)."""
    for u in range(first, last):
        base = _mix_one(_mix_one(keys[u] + _GOLDEN) ^ _mix_one(seed * _GOLDEN + np.uint64(1)))
        bits = base
        for b in range(out.shape[1]):
            if b % 4 == 0:
                bits = _mix_one(base + _GOLDEN * np.uint64(b // 4 + 1))
            draw = bits & np.uint64(0xFFFF)
            bits = bits >> np.uint64(16)
            weight = 0
            for j in range(8):
                weight += draw >= thresholds[j]
            out[u, b] = weight
