"""Delimited text up close: the slow walk that names the rows that can't be read."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from vitrina.data.read.headers import Token
from vitrina.data.read.streams import lines

LOST = "\ufffd"  # what stands for bytes that are no text
OPEN_QUOTE, BELOW_QUOTE = (
    "opens a quote that is not closed",
    "has another number of fields than the header, below a quote that is not closed",
)


class BrokenRow(NamedTuple):
    """A row that is no record: its number, its line in the file, what is wrong, and its text."""

    row: int
    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class CsvFormat:
    """How a file is laid out, as its first lines tell or its reader was told."""

    columns: tuple[str, ...]
    separator: str  # as in the file: one sign, "::", or " " for blanks of any number
    mark: str = ""  # what separates in the text that is read; by default the separator itself
    header: bool = True
    quoted: bool = True
    encoding: str = "utf-8"
    types: Mapping[str, Token] = field(default_factory=dict)  # of a header like `user_id:token`
    skip: int = 0  # lines above the header, which the text that is read doesn't have
    headless: bool = False  # the first line was taken as a header and looks like data
    suggested: tuple[str, ...] = ()  # names for the columns, should there be no header

    def reader(self, lines: Iterator[str]) -> Any:
        quoting = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        return csv.reader(lines, delimiter=self.mark or self.separator, strict=True, quoting=quoting)


def slow_rows(path: Path, form: CsvFormat, skip: int, size: int) -> Iterator[tuple[list[int], list[list[str | None]], list[BrokenRow]]]:
    """Sound records after the first `skip` rows and the broken ones among them, in batches: (row numbers, records, broken)."""
    rows, records, broken = [], [], []
    for row, line, fields in _records(path, form):
        if row <= skip:
            continue
        if isinstance(fields, BrokenRow):
            broken.append(fields)
        elif reason := _broken(fields, form):
            broken.append(BrokenRow(row, line, reason, form.separator.join(fields)))
        else:
            rows.append(row)
            records.append([field or None for field in fields] + [None] * (len(form.columns) - len(fields)))
        if len(rows) + len(broken) >= size:
            yield rows, records, broken
            rows, records, broken = [], [], []
    if rows or broken:
        yield rows, records, broken


def lines_of(path: Path, form: CsvFormat, rows: Sequence[int]) -> list[int]:
    """The line of the file where each of these data rows (ascending) begins."""
    wanted, found = set(rows), []
    for row, line, _ in _records(path, form):
        if row in wanted:
            found.append(line)
        if len(found) == len(wanted):
            break
    return found


def _broken(fields: Sequence[str], form: CsvFormat) -> str:
    if len(fields) > len(form.columns):
        what = "the header has" if form.header else "there are names for"
        return f"has {len(fields)} fields where {what} {len(form.columns)}"
    if any(LOST in field for field in fields):
        return f"holds bytes that are not {form.encoding.upper()}"
    return ""


def _records(path: Path, form: CsvFormat) -> Iterator[tuple[int, int, Any]]:
    """(row from 1, its first line, fields), or a BrokenRow in place of the fields.

    A quote that is not closed breaks the row that it opens in. The lines that it would have swallowed are read again, each for itself: those
    with as many fields as the header are rows, the others may be the rest of a text and are not.
    """
    waiting: deque[str] = deque()
    rest = (line + "\n" for part in lines(path) for line in part)
    row, line, doubtful = (-1 if form.header else 0), 1 + form.skip, 0
    while True:
        taken: list[str] = []
        try:
            for fields in form.reader(_kept(taken, waiting, rest)):
                row += 1
                strange = line < doubtful and len(fields) != len(form.columns)
                if row:
                    yield row, line, BrokenRow(row, line, BELOW_QUOTE, taken[0].rstrip("\n")) if strange else fields
                line += len(taken)
                taken.clear()
            return
        except csv.Error:
            row += 1
            if row:
                yield row, line, BrokenRow(row, line, OPEN_QUOTE, taken[0].rstrip("\n"))
            doubtful = max(doubtful, line + len(taken))
            line += 1
            waiting.extendleft(reversed(taken[1:]))


def _kept(taken: list[str], waiting: deque[str], rest: Iterator[str]) -> Iterator[str]:
    """Lines, those that wait first, each noted in `taken`."""
    while True:
        line = waiting.popleft() if waiting else next(rest, None)
        if line is None:
            return
        taken.append(line)
        yield line
