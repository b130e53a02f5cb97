"""What people said: the labels that a judge is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl

from vitrina.base.errors import DataError
from vitrina.judge.scale import Scale
from vitrina.types import Int64


@final
@dataclass(frozen=True, eq=False, repr=False)
class Gold:
    """Labels of people.

    Args:
        table: query, item, rater, code (the place on the scale); a row per label.
        scale: of the labels.

    >>> gold = Gold.of(pl.DataFrame({"query": ["q", "q"], "item": ["a", "b"], "label": [0, 2]}), Scale(grades=("no", "partly", "yes")))
    >>> gold
    Gold(2 labels of 2 items, 1 queries, 1 raters)
    """

    table: pl.DataFrame
    scale: Scale

    @classmethod
    def of(cls, labels: pl.DataFrame, scale: Scale) -> Gold:
        """From a table query, item, label and, where several people labelled, rater.

        Raises:
            DataError: a column is missing, a label is missing or off the scale, or somebody labelled an item twice.
        """
        missing = [name for name in ("query", "item", "label") if name not in labels.columns]
        if missing:
            raise DataError(f"A gold set has the columns query, item, label and perhaps rater. Missing: {', '.join(missing)}.")
        table = labels.select("query", "item", "rater" if "rater" in labels.columns else pl.lit("people").alias("rater"), "label")
        if nulls := sum(table.null_count().row(0)):
            raise DataError(f"A gold set has no empty cells. Got {nulls} among query, item, rater and label: leave those rows out.")
        twice = table.group_by("query", "item", "rater").len().filter(pl.col("len") > 1)
        if len(twice):
            row = twice.sort("query", "item", "rater").row(0, named=True)
            raise DataError(
                f"A rater labels an item of a query once. {len(twice)} times it was more, the first {row['rater']!r} on {row['item']!r} of {row['query']!r}: "
                "keep one of the labels, or name the raters in the column 'rater'."
            )
        return cls(table.select("query", "item", "rater", pl.Series("code", scale.codes(labels["label"], "labels of the gold set"))), scale)

    @property
    def raters(self) -> list[str]:
        return self.table["rater"].unique(maintain_order=True).to_list()

    @property
    def mean(self) -> pl.DataFrame:
        """query, item, people: the mean place on the scale over the raters of each item."""
        return self.table.group_by("query", "item", maintain_order=True).agg(pl.col("code").mean().alias("people"))

    @property
    def pairs(self) -> pl.DataFrame:
        """query, one, other: two labels of one item by two raters, each pair of raters once."""
        ranked = self.table.with_columns(at=pl.col("rater").rank("dense"))
        both = ranked.join(ranked, on=["query", "item"], suffix="_other").filter(pl.col("at") < pl.col("at_other"))
        return both.select("query", "item", one="code", other="code_other").sort("query", "item")

    def __repr__(self) -> str:
        table = self.table
        items = table.select("query", "item").n_unique()
        return f"Gold({len(table)} labels of {items} items, {table['query'].n_unique()} queries, {len(self.raters)} raters)"


def cells(table: pl.DataFrame, one: str, other: str) -> tuple[Int64, Int64]:
    """Two columns of places on a scale."""
    return table[one].to_numpy().astype(np.int64), table[other].to_numpy().astype(np.int64)
