"""How sure a number is: the bootstrap over users, intervals, and comparisons to a baseline.

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

from collections.abc import Mapping
from dataclasses import dataclass
from math import erf, exp, factorial, sqrt
from typing import Any, NamedTuple, final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.base.kernels import Spread, kernel
from vitrina.base.printing import short, short_interval
from vitrina.types import Float64, Int64

BUCKETS = 1 << 14  # that users are hashed into
WEIGHT_BYTES = 16 << 20  # of the block of weights held at once
POWER = 0.8  # with which a "detectable" difference would have been seen
TAIL = 10  # draws beyond zero, below which the tail of the draws is too thin to be counted


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

    def drawn(self, draws: int = 1000, seed: int = 0) -> Float64:
        """(draws, columns) the mean over queries in each draw of people; NaN where a draw holds nobody.

        Cost: at most 16,384 * draws hashes and one matrix product; 16 MB beside the result.
        """
        if draws < 1:
            raise ParameterError(f"The 'draws' of a bootstrap must be at least 1. Got {draws}.")
        keys = np.flatnonzero(self.counts.any(axis=1))
        both = np.concatenate([self.sums[keys], self.counts[keys]], axis=1)
        out = np.zeros((draws, both.shape[1]))
        block = max(WEIGHT_BYTES // (8 * draws), 1)
        weights = np.empty((min(block, len(keys)), draws))
        for first in range(0, len(keys), block):
            part = slice(first, min(first + block, len(keys)))
            held = weights[: part.stop - part.start]
            _poisson(len(held), keys[part].astype(np.uint64), np.uint64(seed), _THRESHOLDS, held)
            out += held.T @ both[part]
        columns = self.sums.shape[1]
        return _ratio(out[:, :columns], out[:, columns:])

    def intervals(self, draws: int = 1000, confidence: float = 0.95, seed: int = 0) -> tuple[Float64, Float64]:
        """Percentile intervals, (columns,) low and high; NaN where fewer than two buckets have a value."""
        _require_share("confidence", confidence)
        low, high = np.full(self.sums.shape[1], np.nan), np.full(self.sums.shape[1], np.nan)
        enough = (self.counts > 0).sum(axis=0) > 1
        if enough.any():
            tails = ((1 - confidence) / 2, (1 + confidence) / 2)
            low[enough], high[enough] = np.nanquantile(self.drawn(draws, seed)[:, enough], tails, axis=0)
        return low, high


def bootstrap_interval(
    values: Float64, users: NDArray[Any], *, draws: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Interval:  # fmt: skip
    """The percentile interval of the mean of `values` over queries, when people are drawn with all their queries.

    Args:
        values: (queries,), NaN where a query says nothing.
        users: (queries,) codes.
        draws: of the bootstrap.
        confidence: of the interval.
        seed: of the weights.

    >>> import numpy as np
    >>> values = np.random.default_rng(0).random(400)
    >>> low, high = bootstrap_interval(values, np.arange(400))
    >>> bool(low < values.mean() < high)
    True
    """
    low, high = Buckets.of(np.asarray(values)[:, None], users).intervals(draws, confidence, seed)
    return Interval(float(low[0]), float(high[0]))


def compare_paired(
    per_query: Mapping[str, Float64],
    baseline: str,
    users: NDArray[Any],
    *,
    draws: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    lower_is_better: bool = False,
) -> pl.DataFrame:
    """Each model against the baseline on one metric, with the same draws of people for both.

    p is two-sided: twice the share of draws on the other side of zero, (1 + count) / (1 + draws); where fewer than ten draws are
    there, the normal tail with the draws' standard error, which has no such floor. `p_holm` is Holm's correction over the models.
    `detectable` is the difference that would have been seen in four runs of five at the strictest level that Holm can ask,
    alpha / models: (z(1 - alpha / 2 models) + z(0.8)) standard errors.

    Args:
        per_query: for each model (queries,) values of the metric, the same queries in the same order.
        baseline: the model that the others are compared with.
        users: (queries,) codes.
        draws: of the bootstrap.
        confidence: of the interval (which is for one comparison) and of the verdict (which is for all of them).
        seed: of the weights.
        lower_is_better: what the word "better" means for this metric.

    Returns:
        model, difference, low, high, p, p_holm, detectable, verdict; a row for each model but the baseline. Null where too few
        people say something.

    Raises:
        UnknownNameError: the baseline is none of the models.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> base = rng.random(500)
    >>> table = compare_paired({"EASE": base + 0.1 * rng.random(500), "Popularity": base}, "Popularity", np.arange(500))
    >>> table["verdict"].item()
    'better by 0.050 (0.048 to 0.053)'
    """
    if baseline not in per_query:
        raise UnknownNameError.of("model", baseline, per_query)
    _require_share("confidence", confidence)
    models = list(per_query)
    state = Buckets.of(np.column_stack([per_query[m] for m in models]), users)
    base = models.index(baseline)
    others = [i for i in range(len(models)) if i != base]
    value, drawn = state.value, state.drawn(draws, seed)
    differences = [_difference(value[i] - value[base], drawn[:, i] - drawn[:, base], confidence) for i in others]
    p_holm = holm(np.array([d.p for d in differences]))
    alpha = 1 - confidence
    reach = ndtri(1 - alpha / (2 * max(len(others), 1))) + ndtri(POWER)
    rows = [
        {
            "model": models[i], "difference": d.value, "low": d.low, "high": d.high, "p": d.p, "p_holm": p,
            "detectable": reach * d.error, "verdict": _verdict(d, p, reach * d.error, alpha, lower_is_better),
        }
        for i, d, p in zip(others, differences, p_holm.tolist(), strict=True)
    ]  # fmt: skip
    names = ("difference", "low", "high", "p", "p_holm", "detectable")
    table = pl.DataFrame(rows, schema={"model": pl.String} | dict.fromkeys(names, pl.Float64) | {"verdict": pl.String})
    return table.with_columns(pl.col(names).fill_nan(None))


def holm(p: Float64) -> Float64:
    """Holm's step-down correction: sorted upwards, p_(i) * (m - i + 1), made monotone, at most 1. NaN stays and isn't counted.

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    out = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1)
    return out


class _Difference(NamedTuple):
    value: float
    low: float
    high: float
    p: float
    error: float  # standard error


def _difference(value: float, drawn: Float64, confidence: float) -> _Difference:
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < 2 or np.isnan(value):
        return _Difference(float(value), *(4 * [float("nan")]))
    low, high = np.quantile(drawn, ((1 - confidence) / 2, (1 + confidence) / 2))
    error = float(drawn.std(ddof=1))
    return _Difference(float(value), float(low), float(high), _two_sided(value, drawn, error), error)


def _two_sided(value: float, drawn: Float64, error: float) -> float:
    beyond = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    counted = min(2 * (1 + beyond) / (1 + len(drawn)), 1.0)
    if beyond >= TAIL:
        return counted
    return 0.0 if error == 0 else min(counted, 1 - erf(abs(value) / error / sqrt(2)))


def _verdict(found: _Difference, p: float, detectable: float, alpha: float, lower_is_better: bool) -> str:
    if np.isnan(p):
        return "too few people to tell"
    if found.value == 0 and found.error == 0:
        return "the same on every query"
    if p >= alpha:
        return f"no measurable difference; a difference of {short(detectable)} or more would have been seen"
    word = "better" if (found.value > 0) != lower_is_better else "worse"
    ends = sorted((abs(found.low), abs(found.high))) if found.low * found.high > 0 else [found.low, found.high]
    return f"{word} by {short_interval(abs(found.value), *ends)}"


def _require_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ParameterError(f"The {name!r} of an interval must be between 0 and 1. Got {value}.")


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
