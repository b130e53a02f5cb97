"""What a benchmark can be believed to say: one immutable record with its tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import polars as pl
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Column, Table
from rich.text import Text

from vitrina.base.printing import as_text, fixed
from vitrina.base.showing import html_of
from vitrina.base.tables import Fitted
from vitrina.evaluate.quality.orders import AGREEMENT, MONOTONICITY
from vitrina.evaluate.quality.stable import CURVE

SIZES = {
    "share": pl.Float64, "draw": pl.Int64, "people": pl.Int64, "events": pl.Int64, "metric": pl.String, "tau": pl.Float64, "same_first": pl.Boolean,
    "expected": pl.Float64,
}  # fmt: skip
NUMBERS = (
    "difference", "low", "high", "needed", "needed_low", "needed_high", "signal", "noise", "ratio", "ratio_low", "ratio_high",
    "stable", "stable_low", "stable_high", "now", "first_stable", "first_stable_low", "first_stable_high", "first_now",
)  # fmt: skip
TABLE = {
    "metric": pl.String, "people": pl.Int64, "models": pl.Int64, "pairs": pl.Int64, "apart": pl.Int64, "first": pl.String, "second": pl.String,
    **dict.fromkeys(NUMBERS, pl.Float64), "freedom": pl.Int64, "least": pl.Int64, "verdict": pl.String,
}  # fmt: skip
STABLE, LIKELY, OPEN, NEVER = "stable", "probably stable", "not stable", "never stable"  # verdicts on an order with as many people


@final
@dataclass(frozen=True, eq=False, repr=False)
class Quality:
    """Which metric and split of a log to trust, and from what size of it an order of models is stable.

    Tables (Polars):
        table: a row per metric. metric, people, models, pairs (that differ somewhere), apart (of them, whose difference is outside its own interval);
            first, second, difference, low, high, and needed, needed_low, needed_high: people who tell these two apart with a power of .8 at 5%
            (infinite where no number does); signal, noise, ratio and its ends (null without seeds), freedom (of the noise); stable,
            stable_low, stable_high: people from which on the order is right in the wanted share of comparisons, now: in which share it would be with as many
            people as these; first_...: the same of the first place; least: the smallest size that could be named; verdict
        agreement: between ("folds", "metrics", "rules", "checkpoints"), metric, one, other, models, tau, same_first; of folds also expected (the tau that the doubt of
            people and seeds alone would leave on average) and chance (in which share of draws it would leave this one or less)
        curve: metric, people, order, order_low, order_high, first, first_low, first_high: shares of comparisons that are right
        monotonicity: model, metric, checkpoints, spearman
        sizes: share, draw, people, events, metric, tau, same_first, expected: models fitted again on a part of the people; empty where nobody did

    Args:
        primary: the metric that decides.
        trusted: the metric that needs the fewest people for a stable order.
        ties: share of the targets that the order of rows alone decides; None where it is not known.
        tau, share, confidence: what is called stable, how often it has to be, and how sure the intervals are.
        rule: how the questions were made.
        sentences: what all that means, the most important first.
    """

    primary: str
    trusted: str
    table: pl.DataFrame
    agreement: pl.DataFrame
    curve: pl.DataFrame
    monotonicity: pl.DataFrame
    sentences: tuple[str, ...]
    sizes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SIZES))
    ties: float | None = None
    tau: float = 0.8
    share: float = 0.9
    confidence: float = 0.9
    rule: str = ""

    def row(self, metric: str) -> dict[str, Any]:
        """The numbers of one metric."""
        return self.table.row(by_predicate=pl.col("metric") == metric, named=True)

    def of(self, between: str) -> pl.DataFrame:
        """The rows of `agreement` of one kind."""
        return self.agreement.filter(pl.col("between") == between)

    def __repr__(self) -> str:
        return f"Quality({len(self.table)} metrics, trusts {self.trusted!r})"

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        for sentence in self.sentences:
            yield Text(sentence)
        yield Text("")
        yield Fitted(_printed(self))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON; what is infinite or unknown is null, and the verdicts say which."""
        tables = {name: getattr(self, name).to_dicts() for name in ("table", "agreement", "curve", "monotonicity", "sizes")}
        plain = {name: getattr(self, name) for name in ("primary", "trusted", "ties", "tau", "share", "confidence", "rule")}
        return plain | {"sentences": list(self.sentences)} | tables


def size(people: float | None) -> str:
    """A number of people as it is read.

    >>> size(1234.0), size(float("inf")), size(None)
    ('1,234', 'no number', '–')
    """
    return "no number" if people == float("inf") else fixed(people, 0)


def _printed(quality: Quality) -> Table:
    table = Table(Column("metric"), *(Column(head, justify="right") for head in ("stable from", "interval", "right now", "first two from", "signal / noise", "pairs apart")), Column("verdict"), box=None, pad_edge=False, header_style="dim")  # fmt: skip
    for row in quality.table.iter_rows(named=True):
        table.add_row(
            row["metric"], size(row["stable"]), f"{size(row['stable_low'])} to {size(row['stable_high'])}", fixed(row["now"], 2), size(row["needed"]),
            fixed(row["ratio"], 1), f"{row['apart']} of {row['pairs']}", row["verdict"],
        )  # fmt: skip
    return table


__all__ = ["AGREEMENT", "CURVE", "MONOTONICITY", "SIZES", "TABLE", "Quality", "size"]
