"""What policies are worth: a table that prints, and a sentence for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import polars as pl
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vitrina.base.printing import as_text, between, decimals, fixed, half_width, short_interval, signed
from vitrina.base.showing import html_of
from vitrina.base.tables import Fitted

SHOWN = 160  # columns that a print takes
FEW = 30  # degrees of freedom: with fewer, 90% of 95% intervals of rare and skewed rewards hold the truth; with 30 to 80, 94%


@final
@dataclass(frozen=True, eq=False, repr=False)
class PolicyValues:
    """Values of policies with their doubt, and each policy beside the baseline.

    Args:
        table: a row per reward, estimator and policy. reward, estimator, policy; value with error, low and high; baseline, difference (of the policy to it, on the same rows), difference_error,
            difference_low, difference_high, p (of this comparison alone), p_adjusted (of all policies together), detectable (the difference that would have been seen in four runs of five), verdict;
            ess, mean_weight, largest_weight; rows, clusters; freedom (degrees of freedom of the value's interval; null with the bootstrap); refused (why no value is given). Numbers that nobody knows are null.
        baseline: what the others are compared with; None where there is one policy.
        confidence: of intervals, and of all verdicts by one estimator on one reward together.
        told: the estimator that `sentences` go by.
        notes: what else must be known, in sentences.
        per: what a value is the mean over.
    """

    table: pl.DataFrame
    baseline: str | None
    confidence: float
    told: str
    notes: tuple[str, ...] = ()
    per: str = "decision"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Which intervals by `told` rest on so few rows that they hold the truth less often than they say."""
        few = self.table.filter((pl.col("estimator") == self.told) & (pl.col("freedom") < FEW) & (pl.col("error") > 0))
        return tuple(
            f"The interval of {reward} is to be doubted: that of {', '.join(map(repr, rows['policy']))} rests on few rows, or clusters, of large weight or reward, no more than {rows['freedom'].min():.0f} "
            "alike ones would tell. Where rewards are rare and skewed such intervals miss the truth twice as often as they say, mostly above it. bootstrap=2000 mends that."
            for (reward,), rows in few.group_by("reward", maintain_order=True)
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """For each reward one for each policy, by the estimator `told`."""
        return tuple(_sentence(row, self.per) for row in self.table.filter(pl.col("estimator") == self.told).iter_rows(named=True))

    def __repr__(self) -> str:
        policies = self.table["policy"].unique(maintain_order=True).to_list()
        against = "" if self.baseline is None else f" against {self.baseline!r}"
        return f"PolicyValues({', '.join(policies)}{against}; {', '.join(self.table['estimator'].unique(maintain_order=True).to_list())})"

    def __str__(self) -> str:
        return as_text(self, SHOWN)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> RenderableType:
        parts: list[RenderableType] = []
        for (reward,), rows in self.table.group_by("reward", maintain_order=True):
            title = Text(f"{reward} per {self.per}, {self.confidence:.0%} intervals", style="italic")
            parts += [title, Fitted(_printed(rows, self.baseline)), ""]
        return Group(*parts, *map(Text, (*self.sentences, *self.warnings, *self.notes)))


def _printed(rows: pl.DataFrame, baseline: str | None) -> Table:
    """One reward as a table."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("policy", "by"):
        table.add_column(heading)
    for heading in ("value", "interval", *(() if baseline is None else (f"minus {baseline}", "interval")), "effective rows"):
        table.add_column(Text(heading), justify="right")
    places = decimals(rows["value"], [half_width(*ends) for ends in rows.select("low", "high").iter_rows()])
    apart = _apart(rows)
    for row in rows.iter_rows(named=True):
        cells = [Text(row["policy"]), row["estimator"], fixed(row["value"], places), between(row["low"], row["high"], places)]
        if baseline is not None:
            difference = "" if row["difference"] is None else signed(row["difference"], apart)
            cells += [difference, between(row["difference_low"], row["difference_high"], apart)]
        table.add_row(*cells, f"{row['ess']:,.0f} of {row['rows']:,}")
    return table


def _apart(rows: pl.DataFrame) -> int:
    """Decimals of differences: one more than their intervals can tell apart, so that an end close to zero has its digit."""
    widths = [half_width(*ends) for ends in rows.select("difference_low", "difference_high").iter_rows()]
    return decimals(rows["difference"], [width / 3 for width in widths if width])


def _sentence(row: Mapping[str, Any], per: str) -> str:
    """What may be said of a policy."""
    if row["refused"]:
        return f"{row['policy']!r} has no value: {row['refused']}"
    worth = "can't be told" if row["value"] is None else f"{short_interval(row['value'], row['low'], row['high'])} per {per}"
    said = f"{row['policy']!r}: {row['reward']} {worth} by {row['estimator']}"
    verdict, other = row["verdict"], row["baseline"]
    if verdict is None or other is None:
        return f"{said}."
    if verdict.startswith(("better", "worse")):
        word, _, by = verdict.partition(" by ")
        return f"{said}, {word} than {other!r} by {by}."
    if verdict.startswith("no measurable difference"):
        return f"{said}, {verdict.replace('difference', f'difference to {other!r}', 1)}."
    return f"{said}; against {other!r} {verdict}."
