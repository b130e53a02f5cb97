"""The board in the terminal: the three sentences, one table, and what didn't come to an end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vitrina.board.result import Board, Entry

SHOWN_METRICS = 3  # beside the primary one; the report has all


def show(board: Board) -> Group:
    """Everything that a terminal prints of a board."""
    parts: list[RenderableType] = [Text(board.title, style="bold")]
    parts += [Text(sentence) for sentence in board.headline]
    parts.append(Padding(_table(board), (1, 0, 0, 0)))
    parts += [Text(f"{e.name}: {e.error}", style="red") for e in board.entries if e.status != "ok"]
    parts += [Text(f"{e.name}: {note}", style="dim") for e in board.entries for note in _notes(e)]
    return Group(*parts)


def _notes(entry: Entry) -> list[str]:
    share = entry.fallback_share
    filled = [f"{share:.1%} of its places were filled from popularity"] if share >= 0.0005 and not entry.baseline else []
    return [*entry.notes, *filled]


def _table(board: Board) -> Table:
    metrics = _metrics(board)
    values = {(r["model"], r["metric"]): r for r in board.numbers.iter_rows(named=True)}
    verdicts = _verdicts(board)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("model", no_wrap=True)
    table.add_column(board.primary, justify="right", no_wrap=True)
    table.add_column(f"against {board.baseline}", min_width=18)
    for metric in metrics:
        table.add_column(metric, justify="right")
    for heading in ("fit s", "answer s", "MB"):
        table.add_column(heading, justify="right")
    for entry in board.entries:
        table.add_row(*_row(board, entry, metrics, values, verdicts))
    return table


def _row(
    board: Board, entry: Entry, metrics: list[str], values: Mapping[tuple[str, str], Mapping[str, Any]], verdicts: Mapping[str, Text]
) -> list[str | Text]:
    name = Text(entry.name, style="" if entry.status == "ok" else "dim")
    if entry.status != "ok":
        return [name, Text(entry.status, style="red"), *("" for _ in range(len(metrics) + 4))]
    primary = values.get((entry.name, board.primary), {})
    others = [_number(values.get((entry.name, m), {}).get("value")) for m in metrics]
    cost = [f"{entry.fit_seconds:.2f}", f"{entry.answer_seconds:.2f}", f"{entry.peak_bytes / 1e6:,.0f}"]
    return [name, _interval(primary), verdicts.get(entry.name, Text("")), *others, *cost]


def _metrics(board: Board) -> list[str]:
    """The first few metrics beside the primary one, and coverage wherever it stands."""
    names = [m for m in board.numbers["metric"].unique(maintain_order=True) if m != board.primary]
    coverage = [m for m in names if m.startswith("Coverage")][:1]
    return [m for m in names if m not in coverage][: SHOWN_METRICS - len(coverage)] + coverage


def _verdicts(board: Board) -> dict[str, Text]:
    found = {board.baseline: Text("the baseline", style="dim")}
    if board.comparisons.is_empty():
        return found
    for row in board.comparisons.filter(pl.col("metric") == board.primary).iter_rows(named=True):
        said = row["verdict"].partition(";")[0]
        style = "green" if said.startswith("better") else "red" if said.startswith("worse") else "dim"
        found[row["model"]] = Text(said, style=style)
    return found


def _interval(row: Mapping[str, Any]) -> str:
    value, low, high = (row.get(n) for n in ("value", "low", "high"))
    return escape(_number(value) if low is None or high is None else f"{_number(value)} ({_number(low)} to {_number(high)})")


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    if abs(value) >= 10:
        return f"{value:,.1f}"
    return f"{value:.4f}" if 0 < abs(value) < 0.0995 else f"{value:.3f}"
