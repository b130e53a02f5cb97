"""What people say of a mean: its jackknife over people, and how they are drawn to judge many differences at once.

The value of a metric is the mean over queries, v = sum_u S_u / sum_u n_u, where S_u is the sum over the n_u queries of person u. People
are independent of one another and the queries of one person are not, so people are what is left out: without person u the value
moves by d_u = (v n_u - S_u) / (N - n_u), where N = sum_u n_u. With G people the jackknife's error is the root of (G - 1) / G sum_u d_u^2;
it is the cluster-robust error CR3 ([MacKinnon, Nielsen and Webb 2023](https://doi.org/10.1002/jae.2998)), and a person with half of all queries is
in it with a square that is four times that of the plain residual.

How sure the error itself is depends on how unequal the squares are: 2 (sum d^2)^2 / (sum d^4 - (sum d^2)^2 / G) degrees of freedom,
between 1 and G - 1, is Satterthwaite's number with the variance of the squares put in as it is seen. One person in whom all doubt lies
leaves 2 of them, values of one size G - 1.

Many differences at once are judged by the multiplier bootstrap: draw b gives each person a weight N(0, 1), and the same one for all
models, so that difference j is off by sum_u w_ub d_uj. These sums are normal with the covariance d'd, so they are drawn from that and
no person is drawn at all.

People are hashed into 16,384 buckets, whose sums are those of their people: the sums of shards add up to those of the whole, and the
cost doesn't grow with the people. The squared error of buckets is that of the people times (1 - 1/16384) in expectation over the hash,
with a relative spread of sqrt(2 / 16384) = 1.1%, or half a percent in the width of an interval.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.base.hashing import mixed
from vitrina.types import Float64, Int64

BUCKETS = 1 << 14  # that users are hashed into
ROUNDING = 1e-12  # of the largest part: what is below it is no doubt but arithmetic
RIDGE = 1e-9  # added to a correlation, whose columns depend on one another


@final
class Bootstrap(Config):
    """How sure is sure, and how people are drawn to judge many differences at once.

    Args:
        draws: of people, for the largest of several differences; an interval of one mean needs none.
        seed: of their weights.
        confidence: of each interval of a mean, and of all verdicts of a table together.

    >>> Bootstrap(confidence=0.9)
    Bootstrap(confidence=0.9)
    """

    draws: int = Field(default=4000, ge=1)
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
    """Sums of values over the users of each bucket. States of shards add up with `+`.

    Args:
        sums: (buckets, columns) of values.
        counts: (buckets, columns) of queries that have a value.

    >>> import numpy as np
    >>> values, users = np.array([[1.0], [0.0], [0.5]]), np.array([0, 0, 7])
    >>> (Buckets.of(values[:2].T, users[:2]) + Buckets.of(values[2:].T, users[2:])).value.tolist()
    [0.5]
    """

    sums: Float64
    counts: Float64

    @classmethod
    def of(cls, columns: Iterable[Float64], users: NDArray[Any], weights: Float64 | None = None) -> Buckets:
        """Add up each column (queries,), NaN where a query says nothing, by the bucket of `users` (queries,).

        A negative user code is a visitor of its own. With `weights` (queries,) the value is the weighted mean, and counts are sums of weights.
        """
        bucket = _bucket_of(np.asarray(users, np.int64))
        weigh = 1.0 if weights is None else weights_of(weights, len(users))
        sums, counts = [np.zeros((0, BUCKETS))], [np.zeros((0, BUCKETS))]
        for column in columns:
            if len(column) != len(users):
                raise ParameterError(f"An interval needs one user for each value. Got {len(column)} values and {len(users)} users.")
            known = ~np.isnan(column)
            sums.append(np.bincount(bucket, np.where(known, column, 0.0) * weigh, BUCKETS).astype(np.float64)[None])
            counts.append(np.bincount(bucket, known * weigh, BUCKETS).astype(np.float64)[None])
        return cls(np.concatenate(sums).T, np.concatenate(counts).T)

    def __add__(self, other: Buckets) -> Buckets:
        return Buckets(self.sums + other.sums, self.counts + other.counts)

    @property
    def value(self) -> Float64:
        """(columns,) mean over the queries that have a value; NaN where none has."""
        total = self.counts.sum(axis=0)
        return np.divide(self.sums.sum(axis=0), total, out=np.full(total.shape, np.nan), where=total > 0)

    def jackknife(self) -> Jackknife:
        """What each bucket does to the value of each column."""
        used = self.counts.any(axis=1)
        sums, counts = self.sums[used], self.counts[used]  # (people, columns)
        rest = counts.sum(axis=0) - counts
        left = np.nan_to_num(self.value) * counts - sums
        left[np.abs(left) < ROUNDING * np.abs(sums).max(axis=0, initial=0.0)] = 0.0
        parts = np.divide(left, rest, out=np.zeros_like(left), where=rest > 0)
        return Jackknife.of(parts, (counts > 0).sum(axis=0))


@final
@dataclass(frozen=True, eq=False)
class Jackknife:
    """By how much values move when people are left out.

    Args:
        parts: (people, columns) the value without them minus the value.
        error: (columns,) standard errors; NaN where fewer than two people have a value.
        freedom: (columns,) degrees of freedom of the error.
    """

    parts: Float64
    error: Float64
    freedom: Float64

    @classmethod
    def of(cls, parts: Float64, people: Int64) -> Jackknife:
        """With the errors of `parts`; `people` (columns,) have a value."""
        squared = parts**2
        squares, fourths = squared.sum(axis=0), (squared**2).sum(axis=0)  # a fourth power by itself takes ten times as long
        rest = np.maximum(people - 1, 1)
        spread = fourths - squares**2 / np.maximum(people, 1)
        freedom = np.divide(2 * squares**2, spread, out=np.full(squares.shape, np.inf), where=spread > 0)
        error = np.where(people > 1, np.sqrt(rest / np.maximum(people, 1) * squares), np.nan)
        return cls(parts, error, np.clip(freedom, 1, rest))


def drawn(parts: Float64, bootstrap: Bootstrap) -> Float64:
    """(draws, columns) sums of each column of `parts` (people, columns), when each person's are multiplied by one N(0, 1) of the draw.

    Cost: columns^2 * (people + draws).
    """
    size = np.sqrt((parts**2).sum(axis=0))
    scaled = np.divide(parts, size, out=np.zeros_like(parts), where=size > 0)
    factor = np.linalg.cholesky(scaled.T @ scaled + RIDGE * np.eye(len(size)))
    normal = np.random.default_rng(bootstrap.seed).standard_normal((bootstrap.draws, len(size)))
    return normal @ (size[:, None] * factor).T


def weights_of(weights: Any, queries: int) -> Float64:
    """(queries,) weights of a mean.

    Raises:
        ParameterError: there is not one for each query, or one is below 0 or not finite.
    """
    weights = np.asarray(weights, np.float64)
    if weights.shape != (queries,) or not (np.isfinite(weights) & (weights >= 0)).all():
        raise ParameterError(
            f"The 'weights' of a mean are numbers from 0 up, one for each of the {queries:,} values. Got the shape {weights.shape}.",
            parameter="weights",
        )
    return weights


def _bucket_of(users: Int64) -> Int64:
    """(queries,) the bucket of each user."""
    keys = np.where(users < 0, -1 - np.arange(len(users)), users).astype(np.uint64)
    return (mixed(keys + np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - BUCKETS.bit_length() + 1)).astype(np.int64)
