"""Who is helped and who is harmed: each model against the baseline within each group of queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.leads import FEWEST
from vitrina.evaluate.significance import compare_paired
from vitrina.evaluate.slices import groups_of
from vitrina.types import Float64, Int64

SCHEMA = {
    "model": pl.String, "slice": pl.String, "group": pl.String, "order": pl.Int64, "queries": pl.Int64, "difference": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "p_adjusted": pl.Float64, "people": pl.Int64, "helped": pl.Float64, "harmed": pl.Float64, "verdict": pl.String,
}  # fmt: skip


def groups(
    columns: Mapping[str, Float64], baseline: str, labels: Mapping[str, pl.Series], users: NDArray[Any], *, bootstrap: Bootstrap,
    lower_is_better: bool = False, matters: float | None = None, more: Mapping[str, float] | None = None,
) -> pl.DataFrame:  # fmt: skip
    """Each model against the baseline in each group of 30 queries or more; intervals and verdicts hold for all groups of a model together.

    A model's values outside of a group are left out, so that one comparison of all groups with the baseline has one correction, from the
    same draws of people.

    Args:
        columns: for each model (queries,) values of the metric.
        baseline: the model that the others are compared with.
        labels: group of each query, by slice.
        users: (queries,) codes.
        bootstrap, lower_is_better, matters, more: as in `compare_paired`; a seed moves a group as much as all.

    Returns:
        model, slice, group, order (of the group in its slice), queries, and columns of `compare_paired`.
    """
    found = [pl.DataFrame(schema=SCHEMA)]
    parts = {str(at): part for at, part in enumerate(g for g in groups_of(labels, len(users)) if len(g[3]) >= FEWEST)}
    about = pl.DataFrame(
        [(key, name, group, order, len(index)) for key, (name, order, group, index) in parts.items()],
        schema={"part": pl.String, "slice": pl.String, "group": pl.String, "order": pl.Int64, "queries": pl.Int64}, orient="row",
    )  # fmt: skip
    for model in columns if parts else ():
        if model == baseline:
            continue
        values = {key: _inside(columns[model], index) for key, (_, _, _, index) in parts.items()}
        seeds = {key: (more or {}).get(model, 0.0) for key in parts} | {"": (more or {}).get(baseline, 0.0)}
        table = compare_paired(
            {"": columns[baseline], **values}, "", users, bootstrap=bootstrap, lower_is_better=lower_is_better, matters=matters, more=seeds
        ).rename({"model": "part"})  # fmt: skip
        found.append(table.join(about, on="part").with_columns(model=pl.lit(model)).select(list(SCHEMA)))
    return pl.concat(found)


def _inside(column: Float64, index: Int64) -> Float64:
    """The column with nothing outside of a group."""
    inside = np.full(len(column), np.nan)
    inside[index] = column[index]
    return inside
