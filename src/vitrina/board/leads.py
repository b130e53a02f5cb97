"""Who leads in each group of queries, by paired differences: what a slice may say, and where the best model of all is behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import polars as pl
from numpy.typing import NDArray

from vitrina.board.groups import members
from vitrina.board.verdict import standing
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.significance import best_of, compare_with_best
from vitrina.types import Float64

BEYOND = 5  # draws that the quantile of a group leaves above it, at least
SCHEMA = {
    "slice": pl.String, "group": pl.String, "order": pl.Int64, "queries": pl.Int64, "best": pl.String, "model": pl.String, "difference": pl.Float64,
    "low": pl.Float64, "high": pl.Float64, "p_adjusted": pl.Float64, "people": pl.Int64, "verdict": pl.String,
}  # fmt: skip


def leads(
    columns: Mapping[str, Float64], labels: Mapping[str, pl.Series], users: NDArray[Any], *, bootstrap: Bootstrap, lower_is_better: bool = False,
    matters: float | None = None,
) -> pl.DataFrame:  # fmt: skip
    """Each model against the best one of a group, in each group of 30 queries or more.

    The best is found by looking, so the correction within a group is for all pairs of models, and over the groups Bonferroni's: each has a
    confidence of 1 - alpha / groups.

    Args:
        columns: for each model (queries,) values of the metric.
        labels: group of each query, by slice.
        users: (queries,) codes.
        bootstrap: its confidence is that of all groups together; there are more draws where there are many groups.
        lower_is_better, matters: as in `compare_paired`.

    Returns:
        slice, group, order (of the group in its slice), queries, best (the model that leads), model, and columns of `compare_with_best`.
    """
    parts, found = list(members(labels)), [pl.DataFrame(schema=SCHEMA)]
    alpha = (1 - bootstrap.confidence) / max(len(parts), 1)
    each = bootstrap.model_copy(update={"confidence": 1 - alpha, "draws": max(bootstrap.draws, ceil(BEYOND / alpha))})
    for name, group, order, mask in parts:
        part = {model: values[mask] for model, values in columns.items()}
        table = compare_with_best(part, users[mask], bootstrap=each, lower_is_better=lower_is_better, matters=matters)
        about = {"slice": name, "group": group, "order": order, "queries": int(mask.sum()), "best": best_of(part, lower_is_better)}
        found.append(table.with_columns(pl.lit(v, SCHEMA[k]).alias(k) for k, v in about.items()).select(list(SCHEMA)))
    return pl.concat(found)


@dataclass(frozen=True)
class Loss:
    """A group of queries where another model is measurably ahead of the leader."""

    slice: str
    group: str
    model: str
    difference: float  # in favour of the model, positive
    queries: int


def losses(table: pl.DataFrame, leader: str) -> list[Loss]:
    """Where the best model over all queries is measurably behind the best one of a group.

    Args:
        table: from `leads`.
        leader: the best model over all queries.
    """
    behind = (r for r in table.filter(pl.col("model") == leader).iter_rows(named=True) if standing(r["verdict"]) == "worse")
    return [Loss(r["slice"], r["group"], r["best"], abs(r["difference"]), r["queries"]) for r in behind]
