"""The board in the terminal: the three sentences, one table as wide as the terminal allows, and what didn't come to an end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vitrina.base.printing import between, decimals, fixed, half_width, sentence_end

if TYPE_CHECKING:
    from vitrina.board.result import Board, Entry

SHOWN_METRICS = 3  # beside the primary one; the report has all
NAME, VERDICT = 16, 18  # columns of the terminal, below which a name and a verdict are not squeezed
GAP = 2  # between columns


@dataclass(frozen=True)
class PrintedBoard:
    """Everything that a terminal prints of a board, for any width: columns that don't fit are left out, and no digit is cut."""

    board: Board

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        board = self.board
        yield Text(board.title, style="bold")
        if board.settings.get("quick"):
            yield Text(board.settings["quick"], style="yellow")
        yield from (Text(sentence) for sentence in board.headline)
        yield from _table(board, options.max_width)
        yield from (Text(f"{e.name}: {e.error}", style="red") for e in board.entries if e.status != "ok")
        yield from (Text(f"{e.name}: {said}", style="dim") for e in board.entries if (said := _notes(e)))


def _notes(entry: Entry) -> str:
    """What the name stands for, what the model says of itself, and what popularity had to fill."""
    share = entry.fallback_share
    named = [entry.meaning] if entry.meaning and entry.meaning.lower() != f"{entry.name.lower()}()" else []
    filled = [f"{share:.1%} of its places were filled from popularity"] if share >= 0.0005 and not entry.baseline else []
    return " ".join(sentence_end(note) for note in (*named, *entry.notes, *filled))


# The table


@dataclass(frozen=True)
class _Column:
    """One column of numbers: its heading, and its cell for each model."""

    title: str
    cells: Mapping[str, str]

    @property
    def width(self) -> int:
        return max(cell_len(self.title), *(cell_len(c) for c in self.cells.values())) if self.cells else cell_len(self.title)


def _table(board: Board, width: int) -> Iterator[RenderableType]:
    """As a table with the columns that there is room for, or, where there is hardly any, as a few lines for each model."""
    primary, rest = _columns(board)
    verdicts = _verdicts(board)
    names = max((cell_len(e.name) for e in board.entries), default=0)
    whole = max((cell_len(v.plain) for v in verdicts.values()), default=0)
    left = width - min(names, NAME) - primary.width - min(whole, VERDICT) - 2 * GAP
    if left < 0:
        yield Text("")
        yield from _stacked(board, primary, verdicts)
        return
    kept: list[_Column] = []
    for column in rest:
        if column.width + GAP <= left:
            kept.append(column)
            left -= column.width + GAP
    name = min(names, NAME + left)
    verdict = min(max(whole, cell_len(board.baseline) + 8), min(whole, VERDICT) + left - (name - min(names, NAME)))
    yield Padding(_drawn(board, (name, verdict), primary, kept, verdicts), (1, 0, 0, 0))
    if len(kept) < len(rest):
        yield Text(f"No room here for {', '.join(c.title for c in rest if c not in kept)}: see the report.", style="dim")


def _drawn(board: Board, widths: tuple[int, int], primary: _Column, columns: list[_Column], verdicts: Mapping[str, Text]) -> Table:
    """The table; `widths` are those of the name and the verdict, which go on in a next line where they are longer."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, GAP // 2))
    table.add_column("model", width=widths[0], overflow="fold")
    table.add_column(primary.title, justify="right", no_wrap=True, width=primary.width)
    table.add_column(f"against {board.baseline}", width=widths[1], overflow="fold")
    for column in columns:
        table.add_column(column.title, justify="right", no_wrap=True, width=column.width)
    for entry in board.entries:
        if entry.status != "ok":
            table.add_row(Text(entry.name, style="dim"), Text(entry.status, style="red"))
            continue
        cells = (c.cells.get(entry.name, "") for c in columns)
        table.add_row(Text(entry.name), primary.cells.get(entry.name, "–"), verdicts.get(entry.name, Text("")), *cells)
    return table


def _stacked(board: Board, primary: _Column, verdicts: Mapping[str, Text]) -> Iterator[RenderableType]:
    yield Text(f"{primary.title}, against {board.baseline}", style="dim")
    for entry in board.entries:
        yield Text(entry.name, style="bold")
        if entry.status != "ok":
            yield Padding(Text(entry.status, style="red"), (0, 0, 0, 2))
            continue
        yield Padding(Text(primary.cells.get(entry.name, "–")), (0, 0, 0, 2))
        yield Padding(verdicts.get(entry.name, Text("")), (0, 0, 0, 2))
    yield Text("No room here for the other metrics and the costs: see the report.", style="dim")


def _columns(board: Board) -> tuple[_Column, list[_Column]]:
    """The primary metric with its intervals; then other metrics and costs. Each column has one precision."""
    values = {(r["model"], r["metric"]): r for r in board.numbers.iter_rows(named=True)}
    ok = [e for e in board.entries if e.status == "ok"]

    def column(metric: str, *, ends: bool) -> _Column:
        of_model = {e.name: values.get((e.name, metric), {}) for e in ok}
        places = decimals([r.get("value") for r in of_model.values()], [half_width(r.get("low"), r.get("high")) for r in of_model.values()])
        cells = {
            name: f"{fixed(r.get('value'), places)} {between(r.get('low'), r.get('high'), places) if ends else ''}".strip()
            for name, r in of_model.items()
        }
        return _Column(metric, cells)

    rest = [column(metric, ends=False) for metric in _metrics(board)]
    rest.append(_Column("fit s", {e.name: fixed(e.fit_seconds, 2) for e in ok}))
    rest.append(_Column("answer s", {e.name: fixed(e.answer_seconds, 2) for e in ok}))
    rest.append(_Column("MB", {e.name: fixed(e.peak_bytes / 1e6, 0) for e in ok}))
    return column(board.primary, ends=True), rest


def _metrics(board: Board) -> list[str]:
    """The first few metrics beside the primary one, and coverage wherever it stands."""
    names = [m for m in board.numbers["metric"].unique(maintain_order=True) if m != board.primary]
    coverage = [m for m in names if m.startswith("Coverage")][:1]
    return [m for m in names if m not in coverage][: SHOWN_METRICS - len(coverage)] + coverage


def _verdicts(board: Board) -> dict[str, Text]:
    verdicts = {board.baseline: Text("the baseline", style="dim")}
    if board.comparisons.is_empty():
        return verdicts
    for row in board.comparisons.filter(pl.col("metric") == board.primary).iter_rows(named=True):
        said = row["verdict"].partition(";")[0]
        style = "green" if said.startswith("better") else "red" if said.startswith("worse") else "dim"
        verdicts[row["model"]] = Text(said, style=style)
    return verdicts
