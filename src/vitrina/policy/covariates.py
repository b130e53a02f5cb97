"""Features of units as columns of mean 0 and spread 1, a block of rows at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from vitrina.types import Float64, Int64

FEWEST = 20  # rows that a level, or a gap, must have to be looked at by itself
MOST = 20  # levels of one column; rarer ones are one
MISSING = "missing"
OTHERS = "all others"


class Covariate(NamedTuple):
    """A number, or one level of a category, or whether the value is missing."""

    name: str
    level: str | None
    expression: pl.Expr  # standardised over all rows


def covariates_of(features: pl.DataFrame) -> list[Covariate]:
    """Every column of the features that varies: numbers and flags as such, categories by their most frequent levels, gaps as levels of their own.

    >>> table = pl.DataFrame({"rides": [1.0, 2.0, 3.0] * 20, "city": ["Omsk", "Perm", None] * 20})
    >>> [(c.name, c.level) for c in covariates_of(table)]
    [('rides', None), ('city', 'Omsk'), ('city', 'Perm'), ('city', 'missing')]
    """
    found = []
    for column in features:
        name, gaps = column.name, column.null_count()
        if column.dtype.is_numeric() or column.dtype == pl.Boolean:
            found += _standardised(features, name, None, pl.col(name).cast(pl.Float64))
        elif column.dtype != pl.Null:
            counts = column.drop_nulls().value_counts(sort=True).sort(["count", name], descending=[True, False])
            levels = counts.filter(pl.col("count") >= FEWEST)[name].head(MOST).to_list()
            for level in levels:
                found += _standardised(features, name, str(level), (pl.col(name) == level).fill_null(value=False).cast(pl.Float64))
            if counts.filter(~pl.col(name).is_in(levels))["count"].sum() >= FEWEST:
                found += _standardised(features, name, OTHERS, (~pl.col(name).is_in(levels)).fill_null(value=False).cast(pl.Float64))
        if FEWEST <= gaps <= features.height - FEWEST:
            found += _standardised(features, name, MISSING, pl.col(name).is_null().cast(pl.Float64))
    return found


def _standardised(features: pl.DataFrame, name: str, level: str | None, value: pl.Expr) -> list[Covariate]:
    """The column with mean 0 and spread 1, and 0 where it is missing; nothing where it doesn't vary."""
    mean, spread = features.select(mean=value.mean(), spread=value.std(ddof=0)).row(0)
    if mean is None or not spread or not np.isfinite(spread) or spread <= 1e-12 * abs(mean):
        return []
    return [Covariate(name, level, ((value - mean) / spread).fill_null(0.0).alias(f"{name} {level}"))]


def matrix(features: pl.DataFrame, covariates: list[Covariate]) -> Float64:
    """(rows, covariates)"""
    return features.select(c.expression.alias(str(at)) for at, c in enumerate(covariates)).to_numpy().astype(np.float64, copy=False)


def cells_by_name(features: pl.DataFrame, covariates: list[Covariate]) -> dict[str, Int64]:
    """Name -> (rows,) cells of each column that varies: quarters of a number, levels of a category with gaps as one of them; -1 is in none."""
    cells: dict[str, Int64] = {}
    for name in dict.fromkeys(c.name for c in covariates):
        column = features[name]
        if column.dtype.is_numeric() or column.dtype == pl.Boolean:
            cells[name] = _quarters(column.cast(pl.Float64).to_numpy())
            continue
        levels = [c.level for c in covariates if c.name == name and c.level not in (OTHERS, MISSING)]
        rest = len(levels)
        cells[name] = column.replace_strict(levels, list(range(rest)), default=rest, return_dtype=pl.Int64).to_numpy()
    return cells


def _quarters(column: Float64) -> Int64:
    """(rows,) the quarter in which each number is, -1 where it is missing; fewer where many numbers are equal.

    >>> _quarters(np.array([1.0, 2.0, 3.0, 4.0, np.nan])).tolist(), _quarters(np.array([0.0, 0.0, 0.0, 1.0])).tolist()
    ([0, 1, 2, 3, -1], [0, 0, 0, 1])
    """
    known = np.isfinite(column)
    cuts = np.unique(np.quantile(column[known], (0.25, 0.5, 0.75), method="inverted_cdf"))
    return np.where(known, np.searchsorted(cuts, column, side="left"), -1)
