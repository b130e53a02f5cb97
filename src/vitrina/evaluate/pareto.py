"""Accuracy against anything else: which models no other beats on both, and what a little accuracy buys."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.metrics import metric
from vitrina.types import Bool, Float64


class Bargain(NamedTuple):
    """The model that has the most of the other metric among those with enough accuracy."""

    model: str
    x: float
    y: float
    share: float  # of the best accuracy that the model has


def front(numbers: pl.DataFrame, accuracy: str, beyond: str) -> pl.DataFrame:
    """Each model's two numbers, and whether no other model is at least as good on both and better on one.

    Args:
        numbers: model, metric, value.
        accuracy: name of the metric on the x axis, such as "nDCG@10".
        beyond: name of the one on the y axis, such as "Coverage@10"; whether low is good is the metric's own.

    Returns:
        model, x, y, on_front, best accuracy first. Models without one of the values are left out.

    Raises:
        UnknownNameError: `numbers` have no such metric.

    >>> import polars as pl
    >>> rows = [("A", "nDCG@10", 0.3), ("A", "ILD@10", 0.5), ("B", "nDCG@10", 0.2), ("B", "ILD@10", 0.7), ("C", "nDCG@10", 0.1), ("C", "ILD@10", 0.6)]
    >>> front(pl.DataFrame(rows, schema=["model", "metric", "value"], orient="row"), "nDCG@10", "ILD@10")["on_front"].to_list()
    [True, True, False]
    """
    for name in (accuracy, beyond):
        if name not in numbers["metric"]:
            raise UnknownNameError.of("metric among the numbers", name, numbers["metric"].unique())
    sides = [
        numbers.filter(pl.col("metric") == name).select("model", pl.col("value").fill_nan(None).alias(axis))
        for name, axis in ((accuracy, "x"), (beyond, "y"))
    ]
    points = sides[0].join(sides[1], on="model").drop_nulls().sort("x", descending=not lower_is_better(accuracy), maintain_order=True)
    good_x, good_y = _goodness(points, "x", accuracy), _goodness(points, "y", beyond)
    return points.with_columns(on_front=pl.Series(undominated(good_x, good_y)))


def best_at(points: pl.DataFrame, share: float = 0.95, *, lower_is_better: bool = False) -> Bargain | None:
    """ "Diversity at 95% of the best nDCG": the best y among the models whose x is at least `share` of the largest.

    Args:
        points: from `front`; x must be a metric of which more is better.
        share: of the largest x that a model must keep.
        lower_is_better: whether a low y is good.

    Returns:
        The model, the more accurate one of equals; None without models.

    >>> import polars as pl
    >>> points = pl.DataFrame({"model": ["EASE", "MMR", "Random"], "x": [0.100, 0.096, 0.001], "y": [0.2, 0.4, 0.9]})
    >>> best_at(points).model
    'MMR'
    """
    if not 0 < share <= 1:
        raise ParameterError(f"The 'share' of the best accuracy must be above 0 and at most 1. Got {share}.")
    if points.is_empty():
        return None
    best = float(points["x"].to_numpy().max())
    enough = points.filter(pl.col("x") >= share * best).sort(["y", "x"], descending=[not lower_is_better, True], maintain_order=True)
    model, x, y = enough.select("model", "x", "y").row(0)
    return Bargain(model, x, y, x / best if best else 1.0)


def undominated(x: Float64, y: Float64) -> Bool:
    """(points,) which points no other one beats on one axis while being at least as good on the other. More is better."""
    as_good = (x[None, :] >= x[:, None]) & (y[None, :] >= y[:, None])
    better = (x[None, :] > x[:, None]) | (y[None, :] > y[:, None])
    return np.logical_not((as_good & better).any(axis=1), dtype=np.bool_)


def lower_is_better(name: str) -> bool:
    """Whether less of the metric of this name is better."""
    return bool(getattr(metric(name), "lower_is_better", False))


def _goodness(points: pl.DataFrame, axis: str, name: str) -> Float64:
    values = points[axis].to_numpy().astype(np.float64)
    return -values if lower_is_better(name) else values
