"""The board in the terminal: the answer, one table as wide as the terminal allows, and what didn't come to an end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from vitrina.base.printing import fixed, sentence_end
from vitrina.board.named import IN_WORDS, named_before
from vitrina.board.sections.view import DOUBT, LESS, View
from vitrina.board.spread import printed
from vitrina.board.verdict import more_people, standing, wished
from vitrina.evaluate.interval import TRUSTED
from vitrina.report.words import about, percent

if TYPE_CHECKING:
    from vitrina.board.result import Board, Entry

SHOWN_METRICS = 3  # beside the primary one; the report has all
NAME, VERDICT = 16, 18  # columns of the terminal, below which a name and a verdict are not squeezed
GAP = 2  # between columns
STYLES = {"better": "green", "worse": "red", "equal": "", "unsure": "dim"}


@dataclass(frozen=True)
class PrintedBoard:
    """Everything that a terminal prints of a board, for any width: columns that don't fit are left out, and no digit is cut."""

    board: Board

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        board = self.board
        yield Text(board.title, style="bold")
        yield from (Text(board.settings[said], style="yellow") for said in LESS if board.settings.get(said))
        yield from (Text(sentence) for sentence in board.headline)
        yield from (Text(line, style="dim") for line in _before(board))
        yield from _table(board, options.max_width)
        yield from (Text(line, style="dim") for line in _legend(board))
        yield from (Text(line, style="dim") for line in printed(board))
        yield from (Text(f"{e.name}: {e.error}", style="red") for e in board.entries if e.status != "ok")
        yield from (Text(f"{e.name}: {said}", style="dim") for e in board.entries if (said := _notes(e, _parts(board))))


def _before(board: Board) -> Iterator[str]:
    """The protocol, and what was settled before anything ran."""
    if board.protocol is not None:
        yield replace(board.protocol, metric="").line  # what the metric means is in the report
    if said := named_before(board.settings):
        yield f"{said} The baseline {board.baseline} was {IN_WORDS[board.chosen]}." if board.chosen != "named" else said


def _legend(board: Board) -> Iterator[str]:
    """What a mark means, what a mean is over, and how many people would say more."""
    view, metric = View(board), board.primary
    if any(view.numbers.of(m, metric).doubtful for m in view.models):
        yield f"{DOUBT.strip()}: fewer than {TRUSTED} people have a hit, and the interval can't be trusted."
    for model, other in ((m, o) for m in view.models for o in _metrics(board) if view.numbers.share(m, o) < 1):
        yield f"{other} of {model} is over {percent(view.numbers.share(model, other))} of the queries that others have a value for."
    wish = wished(board.matters, view.numbers.of(board.baseline, metric).value)
    needed = {m: n for m, row in view.verdicts.items() if (n := more_people(row, wish)) is not None}
    if needed and wish is not None:
        asked = max(view.verdicts[m]["people"] for m in needed)
        each = ", ".join(f"{m} {about(n)}" for m, n in needed.items())
        yield f"To see a difference of {about(wish)} takes about so many people: {each}. Asked were {asked:,}."


def _parts(board: Board) -> set[str]:
    """Notes that say of a part of a model ("EASE: so many items") what another one says of itself: the report has them all."""
    every = {note for entry in board.entries for note in entry.notes}
    return {note for note in every if any(note.endswith(f": {other}") for other in every)}


def _notes(entry: Entry, said: Set[str]) -> str:
    """What the name stands for, what the model says of itself but what is said elsewhere, whom it left out, and what popularity had to fill."""
    share = entry.fallback_share
    named = [entry.meaning] if entry.meaning and entry.meaning.lower() != f"{entry.name.lower()}()" else []
    filled = [f"{share:.1%} of its places were filled from popularity"] if share >= 0.0005 and not entry.baseline else []
    answered = (
        [f"It answered {percent(entry.answered)} of the queries, {percent(entry.people_answered)} of the people"]
        if entry.answered < 1
        else []
    )
    return " ".join(sentence_end(note) for note in (*named, *(n for n in entry.notes if n not in said), *answered, *filled))


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
    names = max((cell_len(e.marked) for e in board.entries), default=0)
    whole = max((cell_len(v.plain) for v in verdicts.values()), default=0)
    left = width - min(names, NAME) - primary.width - min(whole, VERDICT) - 2 * GAP
    if left < 0:
        yield Text("")
        yield from _stacked(board, primary, verdicts)
        return
    tuning, *others = rest
    kept = [tuning] if tuning.width + GAP <= left else []
    left -= sum(column.width + GAP for column in kept)
    grown = min(max(whole, cell_len(board.baseline) + 8) - min(whole, VERDICT), left)
    verdict, left = min(whole, VERDICT) + grown, left - grown
    name = min(names, NAME + left)
    left -= name - min(names, NAME)
    for column in others:
        if column.width + GAP <= left:
            kept.append(column)
            left -= column.width + GAP
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
            table.add_row(Text(entry.marked, style="dim"), Text(entry.status, style="red"))
            continue
        cells = (c.cells.get(entry.name, "") for c in columns)
        table.add_row(Text(entry.marked), primary.cells.get(entry.name, "–"), verdicts.get(entry.name, Text("")), *cells)
    return table


def _stacked(board: Board, primary: _Column, verdicts: Mapping[str, Text]) -> Iterator[RenderableType]:
    yield Text(f"{primary.title}, against {board.baseline}", style="dim")
    for entry in board.entries:
        yield Text(entry.marked, style="bold")
        if entry.status != "ok":
            yield Padding(Text(entry.status, style="red"), (0, 0, 0, 2))
            continue
        yield Padding(Text(primary.cells.get(entry.name, "–")), (0, 0, 0, 2))
        yield Padding(verdicts.get(entry.name, Text("")), (0, 0, 0, 2))
    yield Text("No room here for the other metrics and the costs: see the report.", style="dim")


def _columns(board: Board) -> tuple[_Column, list[_Column]]:
    """The primary metric with its intervals; then what tuning took, other metrics and costs. Each column has one precision."""
    view, ok = View(board), [e for e in board.entries if e.status == "ok"]
    numbers, places = view.numbers, view.numbers.places

    def column(metric: str) -> _Column:
        return _Column(metric, {e.name: fixed(numbers.of(e.name, metric).value, places.get(metric, 3)) for e in ok})

    first = _Column(board.primary, {e.name: numbers.shown(e.name, board.primary) for e in ok})
    rest = [_Column("tuning", {e.name: e.effort for e in ok})]
    if view.by_person:
        means = {e.name: fixed(numbers.of(e.name, board.primary).by_person, places.get(board.primary, 3)) for e in ok}
        rest.append(_Column("by person", means))
    rest += [column(metric) for metric in _metrics(board)]
    rest.append(_Column("fit s", {e.name: fixed(e.fit_seconds, 2) for e in ok}))
    rest.append(_Column("answer s", {e.name: fixed(e.answer_seconds, 2) for e in ok}))
    rest.append(_Column("MB", {e.name: fixed(e.peak_bytes / 1e6, 0) for e in ok}))
    return first, rest


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
        verdicts[row["model"]] = Text(said, style=STYLES[standing(said)])
    return verdicts
