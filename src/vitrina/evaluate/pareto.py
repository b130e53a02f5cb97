"""Accuracy against anything else: which models no other beats on both, and what a little accuracy buys."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.metrics import MetricInfo, metric
from vitrina.protocols import Metric, TableMetric
from vitrina.types import Bool, Float64


class Bargain(NamedTuple):
    """The model that has the most of the other metric among those with enough accuracy."""

    model: str
    x: float
    y: float
    share: float  # of the best accuracy that the model has


Axis = str | Metric | TableMetric | MetricInfo


def front(numbers: pl.DataFrame, accuracy: Axis, beyond: Axis) -> pl.DataFrame:
    """Each model's two numbers, and whether no other model is at least as good on both and better on one.

    Args:
        numbers: model, metric, value.
        accuracy: the metric on the x axis: its name, such as "nDCG@10", or for one of your own the metric or its `MetricInfo`.
        beyond: the one on the y axis, such as "Coverage@10". Which direction is good the metric itself says.

    Returns:
        model, x, y, on_front, best accuracy first. Models without one of the values are left out.

    Raises:
        UnknownNameError: `numbers` have no such metric, or a name alone stands for one that isn't Vitrina's.

    >>> import polars as pl
    >>> rows = [("A", "nDCG@10", 0.3), ("A", "ILD@10", 0.5), ("B", "nDCG@10", 0.2), ("B", "ILD@10", 0.7), ("C", "nDCG@10", 0.1), ("C", "ILD@10", 0.6)]
    >>> front(pl.DataFrame(rows, schema=["model", "metric", "value"], orient="row"), "nDCG@10", "ILD@10")["on_front"].to_list()
    [True, True, False]
    """
    across, up = _info(numbers, accuracy), _info(numbers, beyond)
    sides = [
        numbers.filter(pl.col("metric") == info.name).select("model", pl.col("value").fill_nan(None).alias(axis))
        for info, axis in ((across, "x"), (up, "y"))
    ]
    points = sides[0].join(sides[1], on="model").drop_nulls().sort("x", descending=not across.lower_is_better, maintain_order=True)
    goodness = [
        (-1 if info.lower_is_better else 1) * points[axis].to_numpy().astype(np.float64) for info, axis in ((across, "x"), (up, "y"))
    ]
    return points.with_columns(on_front=pl.Series(undominated(*goodness)))


def _info(numbers: pl.DataFrame, axis: Axis) -> MetricInfo:
    """What the metric of an axis says of itself, if the numbers hold it."""
    name = axis if isinstance(axis, str) else axis.name
    if name not in numbers["metric"]:
        raise UnknownNameError.of("metric among the numbers", name, numbers["metric"].unique())
    return axis if isinstance(axis, MetricInfo) else MetricInfo.of(metric(axis))


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
        raise ParameterError(
            f"The 'share' of the best accuracy must be above 0 and at most 1. Got {share}.", parameter="share", value=share
        )
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
