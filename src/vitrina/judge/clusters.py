"""Numbers of sums over rows, and their doubt when rows come in clusters: the items of a query stand and fall together.

A number that is a function v = f(S) of sums S = sum_c S_c over clusters moves by d_c = f(S - S_c) - f(S) without cluster c. The jackknife's error is the root of
(C - 1) / C sum_c d_c^2 and its degrees of freedom those of `vitrina.evaluate.bootstrap.Jackknife`; the interval is Student's t. Coefficients of agreement lie between -1 and 1 and are
skewed towards their ends: their interval is made on the scale of artanh(v) and turned back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from vitrina.base.errors import ParameterError
from vitrina.base.printing import short_interval
from vitrina.evaluate.bootstrap import Jackknife
from vitrina.types import Float64

NAN = float("nan")
LARGEST = 1 - 1e-9  # an artanh of 1 is infinite


@final
@dataclass(frozen=True)
class Estimate:
    """A number with its doubt.

    Args:
        value: NaN where it is not defined.
        low, high: of the interval; NaN where fewer than two clusters say something.
        error: its standard error.
        freedom: degrees of freedom of the error.
        clusters: that have something to say: queries.
        rows: in them.
        confidence: of the interval.
    """

    value: float
    low: float
    high: float
    error: float
    freedom: float
    clusters: int
    rows: int
    confidence: float = 0.95

    def __str__(self) -> str:
        return f"{short_interval(self.value, self.low, self.high)}, {self.rows:,} rows of {self.clusters:,} queries"

    @property
    def row(self) -> dict[str, Any]:
        """Of a table."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "error": self.error,
            "freedom": self.freedom,
            "queries": self.clusters,
            "rows": self.rows,
        }

    @classmethod
    def of_row(cls, row: Mapping[str, Any], confidence: float) -> Estimate:
        """What `row` wrote."""
        names = {
            "value": "value",
            "low": "low",
            "high": "high",
            "error": "error",
            "freedom": "freedom",
            "queries": "clusters",
            "rows": "rows",
        }
        return cls(**{name: row[column] for column, name in names.items()}, confidence=confidence)


def sums_by(columns: ArrayLike, clusters: pl.Series) -> Float64:
    """(clusters, columns) sums of `columns` (rows, columns) over the rows of each cluster, clusters in their sorted order."""
    values = np.asarray(columns, np.float64)
    codes = codes_of(clusters)
    found = np.zeros((int(codes.max(initial=-1)) + 1, values.shape[1]))
    np.add.at(found, codes, values)
    return found


def codes_of(clusters: pl.Series) -> Any:
    """(rows,) the number of each row's cluster, in sorted order."""
    if clusters.null_count():
        raise ParameterError(f"Each row belongs to a query. Got {clusters.null_count()} rows without one: leave them out or name them.")
    return clusters.rank("dense").to_numpy().astype(np.int64) - 1


def estimate(
    sums: Float64, value: Callable[[Float64], Float64], rows: int, confidence: float = 0.95, ends: Literal["any", "agreement"] = "any"
) -> Estimate:
    """The value of all clusters with its interval.

    Args:
        sums: (clusters, columns).
        value: (n, columns) -> (n,) of each row of sums; NaN where it is not defined.
        rows: how many they are of.
        ends: "agreement" lies between -1 and 1, "any" anywhere.
    """
    if not 0 < confidence < 1:
        raise ParameterError(f"The 'confidence' of an interval is between 0 and 1. Got {confidence}.", parameter="confidence")
    total = sums.sum(axis=0, keepdims=True)
    whole = float(value(total)[0])
    if len(sums) < 2 or np.isnan(whole):
        return Estimate(whole, NAN, NAN, NAN, NAN, len(sums), rows, confidence)
    left = value(total - sums)
    moved = np.where(np.isnan(left), 0.0, left - whole)  # without that cluster nothing is defined: it says nothing of the spread
    jackknife = Jackknife.of(moved[:, None], np.array([len(sums)]))
    error, freedom = float(jackknife.error[0]), float(jackknife.freedom[0])
    low, high = _ends(whole, error * float(stdtrit(freedom, (1 + confidence) / 2)), ends)
    return Estimate(whole, low, high, error, freedom, len(sums), rows, confidence)


def _ends(value: float, half: float, ends: str) -> tuple[float, float]:
    if ends == "any":
        return value - half, value + half
    centre = np.arctanh(np.clip(value, -LARGEST, LARGEST))
    reach = half / max(1 - value**2, 1e-12) if half else 0.0
    return float(np.tanh(centre - reach)), float(np.tanh(centre + reach))


def mean_of(values: pl.Series, clusters: pl.Series, confidence: float = 0.95) -> Estimate:
    """The mean over rows; NaN of none."""
    if not len(values):
        return Estimate(NAN, NAN, NAN, NAN, NAN, 0, 0, confidence)
    numbers = values.cast(pl.Float64).to_numpy()
    return estimate(sums_by(np.stack([numbers, np.ones(len(numbers))], 1), clusters), lambda s: s[:, 0] / s[:, 1], len(numbers), confidence)
