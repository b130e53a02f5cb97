"""Where the best model of all is behind the best one of a group."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Loss:
    """A group of queries where another model is measurably ahead of the leader."""

    slice: str
    group: str
    model: str
    difference: float  # in favour of the model, positive
    queries: int


def losses(leads: pl.DataFrame, leader: str, alpha: float) -> list[Loss]:
    """The groups where the best model over all queries is measurably behind.

    Args:
        leads: from `leads_within`.
        leader: the best model over all queries.
        alpha: at which a difference is measurable, for all groups together.
    """
    behind = leads.filter((pl.col("model") == leader) & (pl.col("p_adjusted") <= alpha))
    return [Loss(r["slice"], r["group"], r["leader"], abs(r["difference"]), r["queries"]) for r in behind.iter_rows(named=True)]
