"""CSV text up close: its header, and the slow walk that names the rows that can't be read."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from polars.exceptions import PolarsError

from vitrina.errors import DataError

SEPARATORS = (",", "\t", ";", "|")
LOST = "\ufffd"  # what stands for bytes that are no text


class BrokenRow(NamedTuple):
    """A row that is no record: its number, its line in the file, what is wrong, and its text."""

    row: int
    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class CsvFormat:
    """What the header tells."""

    columns: tuple[str, ...]
    separator: str


def read_format(path: Path) -> CsvFormat:
    """Columns and separator of a CSV file.

    Raises:
        DataError: no text at all, not UTF-8, or a column name that comes twice.
    """
    try:
        header = next(_lines(path), "").removeprefix("\ufeff")
    except (PolarsError, OSError) as error:
        what = "is cut off" if "unexpected end" in str(error) or "incomplete" in str(error) else "can't be read as CSV"
        raise DataError(f"{path} {what}: {str(error).splitlines()[0]}. Copy or write it again.") from None
    if "\0" in header or LOST in header:
        raise DataError(encoding_sentence(path, "its header", "UTF-16" if "\0" in header else "WINDOWS-1252"))
    if not header.strip():
        raise DataError(f"{path} has no header. Its first line must name the columns.")
    separator = max(SEPARATORS, key=header.count)
    columns = tuple(next(csv.reader([header], delimiter=separator)))
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated:
        places = " and ".join(str(k + 1) for k, name in enumerate(columns) if name == repeated[0])
        raise DataError(f"{path} has the column {repeated[0]!r} twice in its header (fields {places}). Rename or drop one.")
    return CsvFormat(columns, separator)


def encoding_sentence(path: Path, where: str, guess: str) -> str:
    """What to say of a file that isn't UTF-8."""
    return (
        f"{path} is not UTF-8 text: {where} holds bytes that mean nothing in it. "
        f"Convert it, for example with: iconv -f {guess} -t UTF-8 {path.name} > utf8_{path.name}"
    )


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
        return f"has {len(fields)} fields where the header has {len(form.columns)}"
    if any(LOST in field for field in fields):
        return "holds bytes that are not UTF-8"
    return ""


def _records(path: Path, form: CsvFormat) -> Iterator[tuple[int, int, Any]]:
    """(row from 1, its first line, fields), or the csv module's complaint in place of the fields."""
    reader = csv.reader((line + "\n" for line in _lines(path)), delimiter=form.separator, strict=True)
    row = -1
    while True:
        line = reader.line_num + 1
        row += 1
        try:
            fields: Any = next(reader)
        except StopIteration:
            return
        except csv.Error:
            fields = f"opens a quote that is not closed (down to line {reader.line_num})"
        if row:
            yield row, line, fields


def _lines(path: Path) -> Iterator[str]:
    """Lines of a plain or compressed file; bytes that aren't UTF-8 become U+FFFD."""
    scan = pl.scan_csv(
        path, has_header=False, separator="\x1f", quote_char=None, infer_schema=False, encoding="utf8-lossy", truncate_ragged_lines=True,
        glob=False,
    )  # fmt: skip
    for part in scan.collect_batches(chunk_size=100_000, maintain_order=True):
        yield from (line or "" for line in part.to_series().to_list())
