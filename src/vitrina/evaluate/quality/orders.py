"""Orders of models beside each other: tau-b between checkpoints, folds, metrics and rules, and whether a metric rises while a model learns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np
import polars as pl

from vitrina.types import Float64

AGREEMENT = {
    "between": pl.String, "metric": pl.String, "one": pl.String, "other": pl.String, "models": pl.Int64, "tau": pl.Float64,
    "same_first": pl.Boolean, "expected": pl.Float64, "chance": pl.Float64,
}  # fmt: skip
MONOTONICITY = {"model": pl.String, "metric": pl.String, "checkpoints": pl.Int64, "spearman": pl.Float64}
FEWEST = 3  # checkpoints that a correlation takes


def tau_b(one: Float64, other: Float64) -> float:
    """Kendall's tau-b of two (models,) columns: (concordant - discordant) / sqrt(pairs not tied in one * pairs not tied in the other).

    NaN where one of them has no pair that differs.

    >>> tau_b(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
    0.3333333333333333
    """
    first, second = np.triu_indices(len(one), 1)
    a, b = np.sign(one[first] - one[second]), np.sign(other[first] - other[second])
    size = np.sqrt((a != 0).sum() * (b != 0).sum())
    return float((a * b).sum() / size) if size else float("nan")


def spearman(one: Float64, other: Float64) -> float:
    """The correlation of ranks, equal values sharing the mean of theirs; NaN where a column is constant.

    >>> round(spearman(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.1, 0.3, 0.2, 0.4])), 3)
    0.8
    """
    a, b = _ranks(one), _ranks(other)
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / size) if size else float("nan")


def _ranks(values: Float64) -> Float64:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts + last - 1) / 2)[place].astype(np.float64)


def monotonicity(curves: Mapping[str, Sequence[float]], metric: str = "", *, lower_is_better: bool = False) -> pl.DataFrame:
    """Whether a metric rises while a model learns: Spearman's correlation of the number of a checkpoint with the value there.

    The first criterion of FineTasks ([Penedo et al. 2025](https://arxiv.org/abs/2506.20920), appendix A.5.1): a metric that
    doesn't move while a model surely gets better says little about models either.

    Args:
        curves: of each model its value at each checkpoint, the first first; an epoch, or a fit stopped there.
        metric: its name.
        lower_is_better: then a falling curve is a rising one.

    Returns:
        model, metric, checkpoints, spearman (null with fewer than three checkpoints, and where nothing moves).

    >>> monotonicity({"eSASRec": [0.01, 0.02, 0.04, 0.03]}, "nDCG@10")["spearman"].to_list()
    [0.8]
    """
    sign = -1.0 if lower_is_better else 1.0
    rows = [
        (model, metric, len(curve), spearman(np.arange(len(curve), dtype=np.float64), sign * np.asarray(curve, np.float64)))
        if len(curve) >= FEWEST
        else (model, metric, len(curve), None)
        for model, curve in curves.items()
    ]
    return pl.DataFrame(rows, schema=MONOTONICITY, orient="row").with_columns(pl.col("spearman").fill_nan(None).round(12))


def order_agreement(orders: Mapping[str, Mapping[str, float]], between: str, metric: str | None = None) -> pl.DataFrame:
    """How far orders of models agree: tau-b and the same best model, for each pair of orders, on the models that both have.

    Args:
        orders: by name, the value of each model; more is better.
        between: what differs from order to order: "folds", "metrics", "rules", "checkpoints".
        metric: whose values they are, where it is one.

    Returns:
        between, metric, one, other, models, tau (null where fewer than two models differ), same_first, expected and chance (null here).

    >>> folds = {"1": {"EASE": 0.3, "KNN": 0.2, "Popularity": 0.1}, "2": {"EASE": 0.2, "KNN": 0.3, "Popularity": 0.1}}
    >>> order_agreement(folds, "folds").select("tau", "same_first").row(0)
    (0.3333333333333333, False)
    """
    rows = []
    for one, other in combinations(orders, 2):
        both = [model for model in orders[one] if model in orders[other]]
        a, b = (np.array([orders[name][model] for model in both], np.float64) for name in (one, other))
        same = bool(set(_best(a)) & set(_best(b))) if both else None
        rows.append((between, metric, one, other, len(both), tau_b(a, b), same, None, None))
    return pl.DataFrame(rows, schema=AGREEMENT, orient="row").with_columns(pl.col("tau").fill_nan(None))


def at_checkpoints(curves: Mapping[str, Sequence[float]], metric: str, *, lower_is_better: bool = False) -> pl.DataFrame:
    """tau-b between one checkpoint and the next, of the models that have both."""
    sign = -1.0 if lower_is_better else 1.0
    steps = max((len(curve) for curve in curves.values()), default=0)
    at = {str(step + 1): {m: sign * curve[step] for m, curve in curves.items() if step < len(curve)} for step in range(steps)}
    return pl.concat([pl.DataFrame(schema=AGREEMENT), *_consecutive(at, metric)])


def _consecutive(at: Mapping[str, Mapping[str, float]], metric: str) -> Iterator[pl.DataFrame]:
    names = list(at)
    for one, other in pairwise(names):
        if len(at[other]) > 1:
            yield order_agreement({one: at[one], other: at[other]}, "checkpoints", metric)


def _best(values: Float64) -> list[int]:
    """Who are best: several where they are equal."""
    return np.flatnonzero(values == values.max(initial=-np.inf)).tolist()
