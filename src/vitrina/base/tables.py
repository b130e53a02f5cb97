"""Tables for a terminal of any width: words go to the next line, numbers never do, and where there is no room each row is a few lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text


@dataclass(frozen=True)
class Fitted:
    """A table as wide as the terminal allows. Columns that stand to the right are numbers and keep their width.

    >>> from vitrina.base.printing import as_text
    >>> table = Table("model", Column("value", justify="right"), box=None)
    >>> table.add_row("a long name", "0.1234 (0.1200 to 0.1300)")
    >>> print(as_text(Fitted(table), 24))
    a long name
      value: 0.1234 (0.1200
      to 0.1300)
    <BLANKLINE>
    """

    table: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        columns = [_texts(c) for c in self.table.columns]
        widths = _widths(self.table, columns, options.max_width)
        if widths is None:
            yield from _stacked(self.table, columns)
            return
        for column, width in zip(self.table.columns, widths, strict=True):
            column.width, column.overflow = width, "fold"
        yield self.table


def _texts(column: Column) -> list[Text]:
    """The heading and the cells."""
    return [_text(column.header), *map(_text, column.cells)]


def _text(cell: RenderableType) -> Text:
    return cell if isinstance(cell, Text) else Text.from_markup(str(cell))


def _widths(table: Table, columns: Sequence[list[Text]], width: int) -> list[int] | None:
    """The width of each column without its padding; None where even the narrowest table is too wide."""
    room = width - sum(table._get_padding_width(at) for at in range(len(columns)))
    most = [_longest([line for t in texts for line in t.plain.splitlines()]) for texts in columns]
    words = [_longest([word for t in texts for word in t.plain.split()]) for texts in columns]
    widths = []
    for column, texts, whole, word in zip(table.columns, columns, most, words, strict=True):
        cells = _longest([t.plain for t in texts[1:]])
        widths.append(whole if column.no_wrap else max(cells, _longest(texts[0].plain.split())) if column.justify == "right" else word)
    if sum(widths) > room:
        return None
    while sum(widths) < room and (open_ := [at for at in range(len(widths)) if widths[at] < most[at]]):
        at = min(open_, key=lambda i: widths[i] / most[i])
        widths[at] += 1
    return widths


def _longest(words: Sequence[str]) -> int:
    return max(map(cell_len, words), default=0)


def _stacked(table: Table, columns: Sequence[list[Text]]) -> Iterator[RenderableType]:
    """Each row as its first cell, and below it the others with their headings."""
    if table.title:
        yield Text(str(table.title), style=table.title_style or "")
    for at in range(1, table.row_count + 1):
        yield columns[0][at]
        for texts in columns[1:]:
            if texts[at].plain.strip():
                head = f"{texts[0].plain}: " if texts[0].plain else ""
                yield Padding(Text.assemble((head, "dim"), texts[at]), (0, 0, 0, 2))
    if table.caption:
        yield Text(str(table.caption), style="dim")
