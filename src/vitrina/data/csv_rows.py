"""Delimited text up close: the slow walk that names the rows that can't be read."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from vitrina.data.headers import Token
from vitrina.data.streams import lines

LOST = "\ufffd"  # what stands for bytes that are no text


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
        reason = fields if isinstance(fields, str) else _broken(fields, form)
        if reason:
            text = "" if isinstance(fields, str) else form.separator.join(fields)
            broken.append(BrokenRow(row, line, reason, text))
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
    """(row from 1, its first line, fields), or the csv module's complaint in place of the fields."""
    reader = form.reader(line + "\n" for part in lines(path) for line in part)
    row = -1 if form.header else 0
    while True:
        line = reader.line_num + 1
        row += 1
        try:
            fields: Any = next(reader)
        except StopIteration:
            return
        except csv.Error:
            fields = f"opens a quote that is not closed (down to line {reader.line_num + form.skip})"
        if row:
            yield row, line + form.skip, fields
