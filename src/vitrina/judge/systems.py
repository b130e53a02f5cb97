"""Whether a judge puts systems into the order in which people put them."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.judge.clusters import NAN, Estimate
from vitrina.types import Float64


def system_order(values: pl.DataFrame, bootstrap: Bootstrap = Bootstrap(draws=1000)) -> Estimate:
    """Kendall's tau-b of the order of systems by people's labels and by the judge's, with an interval by query.

    tau-b = sum_ij s_ij t_ij / sqrt(sum s_ij^2 sum t_ij^2) over pairs of systems, with s and t the signs of the differences of their means. It is no smooth number of sums, so queries are drawn with
    replacement and the interval is the central part of the draws.

    Args:
        values: system, query, people, judge: a metric such as nDCG of a system's list for a query, by the labels of each. Every system has every query.

    >>> from itertools import product
    >>> rows = [(s, q, s + 0.1 * q, 2 * s + 0.3 * q) for s, q in product((0.1, 0.2, 0.3), range(20))]
    >>> system_order(pl.DataFrame(rows, schema=["system", "query", "people", "judge"], orient="row")).value
    1.0
    """
    missing = [name for name in ("system", "query", "people", "judge") if name not in values.columns]
    if missing:
        raise DataError(f"The values of systems have the columns system, query, people, judge. Missing: {', '.join(missing)}.")
    ordered = values.sort("query", "system")
    systems, queries = ordered["system"].n_unique(), ordered["query"].n_unique()
    if len(ordered) != systems * queries or ordered.select("query", "system").is_duplicated().any() or systems < 2:
        raise DataError(
            f"Each of two or more systems has one value per query. Got {len(ordered)} rows of {systems} systems and {queries} queries."
        )
    people, judge = (ordered[name].cast(pl.Float64).to_numpy().reshape(queries, systems) for name in ("people", "judge"))
    rng = np.random.default_rng(bootstrap.seed)
    times = rng.multinomial(queries, np.full(queries, 1 / queries), bootstrap.draws) / queries
    drawn = _tau(times @ people, times @ judge)
    value = float(_tau(people.mean(0)[None], judge.mean(0)[None])[0])
    drawn = drawn[~np.isnan(drawn)]
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]).tolist() if len(drawn) and queries > 1 else (NAN, NAN)
    return Estimate(value, low, high, float(drawn.std()) if len(drawn) else NAN, NAN, queries, len(ordered), bootstrap.confidence)


def _tau(one: Float64, other: Float64) -> NDArray[np.float64]:
    """(n,) of means (n, systems)."""
    upper = np.triu_indices(one.shape[1], 1)
    signs = [np.sign(np.round(v[:, upper[0]] - v[:, upper[1]], 12)) for v in (one, other)]
    norm = np.sqrt((signs[0] ** 2).sum(1) * (signs[1] ** 2).sum(1))
    return np.divide((signs[0] * signs[1]).sum(1), norm, out=np.full(len(norm), np.nan), where=norm > 0)
