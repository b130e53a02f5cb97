"""The record of an inspection, and how it prints."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vitrina.base.config import Config, to_plain
from vitrina.base.power import FEWEST_PEOPLE
from vitrina.base.printing import as_text, short
from vitrina.base.showing import html_of
from vitrina.base.tables import Fitted
from vitrina.data.dataset import Step
from vitrina.data.inspect.measure import Groups, Histories, Sizes, Tail, Timing
from vitrina.data.inspect.people import OF_PEOPLE, OF_QUERIES, Asked
from vitrina.data.split import Rule
from vitrina.types import Float64

BARS = "▁▂▃▄▅▆▇█"
SPLIT_LEGEND = (
    "no past: queries without history; cold: targets that training never saw; seen: targets that the person had taken before; "
    "late: training events that are not earlier than the first query."
)
SPARK_WIDTH = 54


@dataclass(frozen=True)
class Inspection:
    """What a log holds. Prints as compact tables; `to_dict()` is ready for JSON; the parts carry Polars frames for plots.

    Shares are from 0 to 1. What the log doesn't have (time, values) is None, or a frame without rows.
    """

    name: str
    sizes: Sizes
    histories: Histories
    tail: Tail
    timing: Timing | None
    groups: Groups | None
    duplicates: int
    steps_are_per_user: bool  # the times are positions within a person
    bots: pl.DataFrame  # user_id, events, share
    kinds: pl.DataFrame  # kind, events, share
    features: pl.DataFrame  # table, column, kind, coverage, distinct
    values: dict[str, float] | None
    splits: pl.DataFrame  # one row per rule, the recommended one first
    asked: Asked | None  # whom the recommended one asks; None where no split can be made
    recommended: Rule
    reason: str
    steps: tuple[Step, ...]
    choices: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return _plain(self)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> RenderableType:
        parts: list[RenderableType] = [self._headline(), *self._days(), Text(), self._facts(), Text(), self._splits()]
        parts.append(Text(SPLIT_LEGEND, style="dim"))
        if self.splits["problem"][0] is None:
            parts.append(Text.assemble(("Take ", "bold"), (str(self.recommended), "bold"), f". {self.reason}"))
        if self.asked is not None:
            parts.append(Text(_seen(self.asked)))
        if self.features.height:
            parts += [Text(), self._features()]
        if self.steps:
            parts += [Text(), self._steps()]
        if self.choices or self.warnings:
            parts += [Text(), self._warnings()]
        return Group(*parts)

    def __str__(self) -> str:
        return as_text(self, 120)

    def _headline(self) -> Text:
        s = self.sizes
        said = f"{s.users:,} users · {s.items:,} items · {s.events:,} events · {percent(s.density)} of all pairs"
        return Text.assemble((self.name, "bold"), "   ", said)

    def _days(self) -> list[RenderableType]:
        s = self.sizes
        if self.timing is None:
            return [Text("no time stamps" if s.first is None else f"steps {s.first} to {s.last}{self._own()}", style="dim")]
        counts = self.timing.daily["events"].to_numpy()
        buckets = [part.mean() for part in np.array_split(counts, min(SPARK_WIDTH, len(counts)))]
        first, last = str(s.first)[:10], str(s.last)[:10]
        line = sparkline(np.array(buckets))
        said = f"{np.median(counts):,.0f} events on a median day, {counts.max():,} on the busiest ({self.timing.busiest_day})"
        return [
            Text.assemble((f"{first}  ", "dim"), (line, "cyan"), (f"  {last}", "dim")),
            Text(f"{_span(s.days)}, {said}", style="dim"),
        ]

    def _own(self) -> str:
        return ", counted within each user" if self.steps_are_per_user else ""

    def _facts(self) -> Fitted:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        for name, said in self._lines():
            table.add_row(name, said)
        return Fitted(table)

    def _lines(self) -> list[tuple[str, str]]:
        q, tail, h = self.histories.quantiles, self.tail, self.histories
        lines = [
            ("history", f"median {q['median']:,.0f} events per user, 90% of users {q['5%']:,.0f} to {q['95%']:,.0f}, most {q['most']:,.0f}"),
            ("repeats", f"{percent(h.repeat_share)} of events are of an item that the user had already"),
            ("long tail", f"{_head(tail, self.sizes.items)}; "
                          f"Gini {tail.gini:.2f}; {percent(tail.single_event_items)} of items have one event"),
            ("duplicates", f"{self.duplicates:,} exact"),
        ]  # fmt: skip
        if self.timing is not None:
            lines.append(("ties", f"{percent(self.timing.ties)} of events share user and time stamp with another one"))
            lines.append(("gaps", _gap_line(self.timing)))
        if self.groups is not None:
            lines.append((self.groups.what, _group_line(self.groups)))
        if self.kinds.height:
            lines.append(("kinds", ", ".join(f"{kind} {percent(share)}" for kind, _, share in self.kinds.iter_rows())))
        if self.values is not None:
            v = self.values
            lines.append(("values", f"{v['least']:,g} to {v['most']:,g}, median {v['median']:,g}, 99% up to {v['99%']:,g}"))
        lines.append(
            (
                "robots",
                "none that stand out"
                if not self.bots.height
                else f"{plural(self.bots.height, 'user')}, {percent(float(self.bots['share'].sum()))} of events",
            )
        )
        return lines

    def _splits(self) -> Fitted:
        table = Table(
            title="What a split would hold", title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
        )
        table.add_column("", no_wrap=True)
        names = ("train", "queries", "targets", "no past", "cold", "seen", "late")
        for name in names:
            table.add_column(name, justify="right", header_style="dim")
        for row in self.splits.iter_rows(named=True):
            if row["problem"] is not None:
                table.add_row(row["label"], *["-"] * len(names))
                continue
            sizes = (f"{row[n]:,}" for n in ("train_events", "queries", "targets"))
            shares = (row[n] for n in ("no_history", "cold_targets", "seen_targets", "late_train_events"))
            table.add_row(row["label"], *sizes, *("-" if s is None else percent(s) for s in shares))
        return Fitted(table)

    def _features(self) -> Fitted:
        table = Table(title="Features", title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 3, 0, 0))
        for name, justify in (("table", "left"), ("column", "left"), ("kind", "left"), ("known", "right"), ("distinct", "right")):
            table.add_column(name, justify=justify, header_style="dim")  # pyright: ignore[reportArgumentType]
        for name, column, kind, coverage, distinct in self.features.iter_rows():
            table.add_row(name, column, kind, percent(coverage), f"{distinct:,}")
        return Fitted(table)

    def _steps(self) -> Fitted:
        table = Table(title="How it was read", title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 3, 0, 0))
        for name in ("step", "events", "users", "items"):
            table.add_column("" if name == "step" else name, justify="left" if name == "step" else "right", header_style="dim")
        table.add_column("")
        for step in self.steps:
            change = ((step.events_before, step.events_after), (step.users_before, step.users_after), (step.items_before, step.items_after))
            table.add_row(step.name, *(_change(*pair) for pair in change), Text(step.note, style="dim"))
        return Fitted(table)

    def _warnings(self) -> Fitted:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold yellow", no_wrap=True)
        table.add_column()
        for warning in (*self.choices, *self.warnings):
            table.add_row("!", Text(warning))
        return Fitted(table)


def percent(share: float) -> str:
    """Two significant digits, without claiming an exact 0% or 100%.

    >>> [percent(x) for x in (0, 0.00004, 0.0004, 0.0123, 0.34, 0.9999, 1)]
    ['0%', '<0.01%', '0.04%', '1.2%', '34%', '>99%', '100%']
    """
    if share in (0, 1):
        return f"{share:.0%}"
    if share < 0.0001:
        return "<0.01%"
    if share > 0.995:
        return ">99%"
    return f"{share:.2%}" if share < 0.001 else f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def sparkline(heights: Float64) -> str:
    """Bars from zero to the highest; a blank where there is nothing.

    >>> sparkline(np.array([0.0, 1.0, 4.0, 8.0]))
    ' ▁▄█'
    """
    top = heights.max() or 1.0
    return "".join(" " if h == 0 else BARS[min(7, max(0, int(np.ceil(h / top * 8)) - 1))] for h in heights)


def plural(count: int, noun: str) -> str:
    """`1 day`, `1,200 days`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _span(days: float | None) -> str:
    return "" if days is None else f"{days * 24:.0f} hours" if days < 2 else f"{days:,.0f} days"


def _head(tail: Tail, items: int) -> str:
    if items < 100:
        return f"the top item holds {percent(tail.top_1_percent)} of events"
    return f"top 1% of items hold {percent(tail.top_1_percent)} of events, top 10% {percent(tail.top_10_percent)}"


def _gap_line(timing: Timing) -> str:
    if not timing.gap_days:
        return "no day without events"
    first, last, days = timing.gaps.row(0)
    run = f"{first}" if days == 1 else f"{first} to {last}"
    return f"{plural(timing.gap_days, 'day')} without events, the longest run {plural(days, 'day')} ({run})"


def _group_line(groups: Groups) -> str:
    size = f"median {groups.size_median:g} events, mean {groups.size_mean:.1f}, most {groups.size_max:,}"
    gap = " (30 minutes apart)" if groups.what == "sessions" else ""
    return f"{groups.count:,}{gap}: {size}; median {groups.per_user_median:g} a user"


def _seen(asked: Asked) -> str:
    alike = (
        f", worth {asked.effective:,.0f} who ask alike (one asks {percent(asked.busiest)} of the queries)"
        if asked.effective < 0.9 * asked.people
        else ""
    )
    who = f"{asked.people:,} {'person' if asked.people == 1 else 'people'} can be asked{alike}"
    seen = (
        f"a difference of {short(asked.seen)} nDCG@10 between two models would be seen in four runs of five"
        if asked.people >= FEWEST_PEOPLE
        else f"no verdict on two models can be given below {FEWEST_PEOPLE}"
    )
    takes = ", ".join(f"{people:,} for {wished}" for wished, people in asked.needed.items())
    return f"{who}: {seen}. It takes {takes}, if differences spread as on other logs ({OF_PEOPLE:g} over people, {OF_QUERIES:g} over the queries of one)."


def _change(before: int, after: int) -> str:
    return f"{after:,}" if before == after else f"{before:,} → {after:,}"


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, pl.DataFrame):
        return [_plain(row) for row in value.to_dicts()]
    if isinstance(value, Config):
        return {"text": str(value)} | _plain(to_plain(value))
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value.isoformat() if isinstance(value, date) else None if value != value else value  # noqa: PLR0124  NaN is not JSON
