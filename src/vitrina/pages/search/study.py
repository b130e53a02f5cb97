"""What the page shows: systems, their differences, and what each gives to each query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True)
class Study:
    """What each way to search is worth on judged queries.

    Args:
        metric: what they are compared by.
        systems: system, value with low and high, further metrics by name, empty (lists), ms (per query; null where nobody knows).
        pairs: model, against, difference, low, high, verdict, as `vitrina.evaluate.compare_pairs` has them.
        per_query: query (what was typed) and the metric of each system.
        notes: what must be known of the numbers, in sentences.
        queries, judgements, items: how many.
        confidence: of the intervals.
        settings: facts for the last section.
    """

    metric: str
    systems: pl.DataFrame
    pairs: pl.DataFrame
    per_query: pl.DataFrame
    notes: tuple[str, ...]
    queries: int
    judgements: int
    items: int
    confidence: float = 0.95
    title: str = "Ways to search"
    settings: Mapping[str, str] = field(default_factory=dict)
    date: str = ""

    @property
    def more(self) -> list[str]:
        """The further metrics."""
        return [name for name in self.systems.columns if name not in ("system", "value", "low", "high", "empty", "ms")]

    @property
    def verdicts(self) -> list[str]:
        """A sentence per pair; whoever is counted are queries here."""
        return [f"{a} against {b}: {verdict.replace('people', 'queries')}." for a, b, verdict in self.pairs.select("model", "against", "verdict").iter_rows()]  # fmt: skip

    @property
    def worst(self) -> pl.DataFrame:
        """The queries, those first that even the best system for them answers badly."""
        names = self.systems["system"].to_list()
        return self.per_query.with_columns(best=pl.max_horizontal(names)).sort("best", "query", nulls_last=True).drop("best")
