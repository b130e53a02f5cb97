"""Differences between models and what may be said of them: paired intervals, p corrected for the number of models, verdicts in words."""

from __future__ import annotations

from collections.abc import Mapping
from math import erf, sqrt
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from vitrina.base.errors import UnknownNameError
from vitrina.base.former import with_former
from vitrina.base.printing import short, short_interval
from vitrina.evaluate.bootstrap import Bootstrap, Buckets
from vitrina.types import Float64

POWER = 0.8  # with which a "detectable" difference would have been seen
TAIL = 10  # draws beyond zero, below which the tail of the draws is too thin to be counted


def compare_paired(
    per_query: Mapping[str, Float64],
    baseline: str,
    users: NDArray[Any],
    *,
    bootstrap: Bootstrap = Bootstrap(),
    lower_is_better: bool = False,
    **former: Any,
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
        bootstrap: draws and seed; its confidence is that of the interval (which is for one comparison) and of the verdict (which is for
            all of them).
        lower_is_better: what the word "better" means for this metric.
        former: `draws`, `seed` and `confidence` by themselves, for one more release.

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
    bootstrap = with_former(bootstrap, Bootstrap, former, "compare_paired", "bootstrap")
    models = list(per_query)
    state = Buckets.of(np.column_stack([per_query[m] for m in models]), users)
    base = models.index(baseline)
    others = [i for i in range(len(models)) if i != base]
    value, drawn = state.value, state.drawn(bootstrap)
    differences = [_difference(value[i] - value[base], drawn[:, i] - drawn[:, base], bootstrap) for i in others]
    p_holm = holm(np.array([d.p for d in differences]))
    alpha = 1 - bootstrap.confidence
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


def _difference(value: float, drawn: Float64, bootstrap: Bootstrap) -> _Difference:
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < 2 or np.isnan(value):
        return _Difference(float(value), *(4 * [float("nan")]))
    low, high = np.quantile(drawn, bootstrap.tails)
    error = float(drawn.std(ddof=1))
    return _Difference(float(value), float(low), float(high), _two_sided(value, drawn, error), error)


def _two_sided(value: float, drawn: Float64, error: float) -> float:
    beyond = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    counted = min(2 * (1 + beyond) / (1 + len(drawn)), 1.0)
    if beyond >= TAIL:
        return counted
    return 0.0 if error == 0 else min(counted, 1 - erf(abs(value) / error / sqrt(2)))


def _verdict(seen: _Difference, p: float, detectable: float, alpha: float, lower_is_better: bool) -> str:
    if np.isnan(p):
        return "too few people to tell"
    if seen.value == 0 and seen.error == 0:
        return "the same on every query"
    if p >= alpha:
        return f"no measurable difference; a difference of {short(detectable)} or more would have been seen"
    word = "better" if (seen.value > 0) != lower_is_better else "worse"
    ends = sorted((abs(seen.low), abs(seen.high))) if seen.low * seen.high > 0 else [seen.low, seen.high]
    return f"{word} by {short_interval(abs(seen.value), *ends)}"
