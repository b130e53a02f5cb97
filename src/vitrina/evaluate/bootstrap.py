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

from dataclasses import dataclass
from math import exp, factorial
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.base.former import with_former
from vitrina.base.kernels import Spread, kernel
from vitrina.types import Float64, Int64

BUCKETS = 1 << 14  # that users are hashed into
WEIGHT_BYTES = 16 << 20  # of the block of weights held at once


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

    @property
    def tails(self) -> tuple[float, float]:
        """The quantiles of the draws at which an interval ends."""
        return (1 - self.confidence) / 2, (1 + self.confidence) / 2


class Interval(NamedTuple):
    """The ends of an interval; NaN where fewer than two people say something."""

    low: float
    high: float


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
        if len(values) != len(users):
            raise ParameterError(f"A bootstrap needs one user for each value. Got {len(values)} values and {len(users)} users.")
        bucket = _bucket_of(np.asarray(users, np.int64))
        columns = np.asarray(values, np.float64).T
        present = ~np.isnan(columns)
        sums, counts = np.zeros((BUCKETS, len(columns))), np.zeros((BUCKETS, len(columns)))
        for i, (column, known) in enumerate(zip(columns, present, strict=True)):
            sums[:, i] = np.bincount(bucket, np.where(known, column, 0.0), BUCKETS)
            counts[:, i] = np.bincount(bucket, known, BUCKETS)
        return cls(sums, counts)

    def __add__(self, other: Buckets) -> Buckets:
        return Buckets(self.sums + other.sums, self.counts + other.counts)

    @property
    def value(self) -> Float64:
        """(columns,) mean over the queries that have a value; NaN where none has."""
        return _ratio(self.sums.sum(axis=0), self.counts.sum(axis=0))

    def drawn(self, bootstrap: Bootstrap = Bootstrap()) -> Float64:
        """(draws, columns) the mean over queries in each draw of people; NaN where a draw holds nobody.

        Cost: at most 16,384 * draws hashes and one matrix product; 16 MB beside the result.
        """
        draws = bootstrap.draws
        keys = np.flatnonzero(self.counts.any(axis=1))
        both = np.concatenate([self.sums[keys], self.counts[keys]], axis=1)
        out = np.zeros((draws, both.shape[1]))
        block = max(WEIGHT_BYTES // (8 * draws), 1)
        weights = np.empty((min(block, len(keys)), draws))
        for first in range(0, len(keys), block):
            part = slice(first, min(first + block, len(keys)))
            held = weights[: part.stop - part.start]
            _poisson(len(held), keys[part].astype(np.uint64), np.uint64(bootstrap.seed), _THRESHOLDS, held)
            out += held.T @ both[part]
        columns = self.sums.shape[1]
        return _ratio(out[:, :columns], out[:, columns:])

    def intervals(self, bootstrap: Bootstrap = Bootstrap()) -> tuple[Float64, Float64]:
        """Percentile intervals, (columns,) low and high; NaN where fewer than two buckets have a value."""
        low, high = np.full(self.sums.shape[1], np.nan), np.full(self.sums.shape[1], np.nan)
        enough = (self.counts > 0).sum(axis=0) > 1
        if enough.any():
            low[enough], high[enough] = np.nanquantile(self.drawn(bootstrap)[:, enough], bootstrap.tails, axis=0)
        return low, high


def bootstrap_interval(values: Float64, users: NDArray[Any], bootstrap: Bootstrap = Bootstrap(), **former: Any) -> Interval:
    """The percentile interval of the mean of `values` over queries, when people are drawn with all their queries.

    Args:
        values: (queries,), NaN where a query says nothing.
        users: (queries,) codes.
        bootstrap: draws, seed and confidence.
        former: `draws`, `seed` and `confidence` by themselves, for one more release.

    >>> import numpy as np
    >>> values = np.random.default_rng(0).random(400)
    >>> low, high = bootstrap_interval(values, np.arange(400))
    >>> bool(low < values.mean() < high)
    True
    """
    bootstrap = with_former(bootstrap, Bootstrap, former, "bootstrap_interval", "bootstrap")
    low, high = Buckets.of(np.asarray(values)[:, None], users).intervals(bootstrap)
    return Interval(float(low[0]), float(high[0]))


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
