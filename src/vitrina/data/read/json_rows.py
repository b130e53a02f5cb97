"""JSON: one object a line, or one array of objects. Every value is text, as in a CSV, until a role gives it a type."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from vitrina.base.errors import DataError
from vitrina.data.read import encodings, streams
from vitrina.data.read.csv_rows import LOST, BrokenRow
from vitrina.data.read.text import TextOptions, decoded_head, encoding_of, utf8_copy

HEAD = 1000  # lines whose keys are the columns


@dataclass(frozen=True)
class JsonText:
    """JSON lines that Polars reads: the file itself, or a copy in UTF-8."""

    path: Path
    columns: tuple[str, ...]
    holder: Any = None

    def frames(self, columns: Sequence[str], size: int) -> Iterator[pl.DataFrame]:
        """Fast; raises a PolarsError at a line that is no JSON."""
        scan = pl.scan_ndjson(self.path, schema=dict.fromkeys(columns, pl.String))
        yield from scan.collect_batches(chunk_size=size, maintain_order=True)

    def slow_rows(
        self, columns: Sequence[str], skip: int, size: int
    ) -> Iterator[tuple[list[int], list[list[str | None]], list[BrokenRow]]]:
        """Sound records after the first `skip` rows and the broken ones among them, in batches: (row numbers, records, broken)."""
        rows, records, broken = [], [], []
        for row, line, text in self._walk():
            if row <= skip:
                continue
            found = _object(text)
            if isinstance(found, str):
                broken.append(BrokenRow(row, line, found, text))
            else:
                rows.append(row)
                records.append([_as_text(found.get(name)) for name in columns])
            if len(rows) + len(broken) >= size:
                yield rows, records, broken
                rows, records, broken = [], [], []
        if rows or broken:
            yield rows, records, broken

    def lines_of(self, rows: Sequence[int]) -> list[int]:
        """The line of the file where each of these rows (ascending) stands."""
        wanted, found = set(rows), []
        for row, line, _ in self._walk():
            if row in wanted:
                found.append(line)
            if len(found) == len(wanted):
                break
        return found

    def _walk(self) -> Iterator[tuple[int, int, str]]:
        """(row from 1, line from 1, text); empty lines are no rows."""
        row = line = 0
        for part in streams.lines(self.path):
            for text in part:
                line += 1
                if text.strip():
                    row += 1
                    yield row, line, text


def is_json(path: Path, label: str, options: TextOptions) -> bool:
    """Whether text begins as JSON does."""
    if not streams.head(path, 64).lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith((b"{", b"[")):
        return False
    text, _ = decoded_head(path, encoding_of(path, label, options))
    return text.lstrip().startswith(("{", "["))


def open_json(path: Path, label: str, options: TextOptions) -> JsonText | pl.DataFrame:
    """JSON lines to read in chunks, or the whole table of an array.

    Raises:
        DataError: the first line is no JSON object, or the array is none of objects.
    """
    encoding = encoding_of(path, label, options)
    text, _ = decoded_head(path, encoding)
    if text.lstrip().startswith("["):
        return _array(path, label, encoding)
    lines = [line for line in text.split("\n", HEAD)[:HEAD] if line.strip()]
    first = _object(lines[0])
    if isinstance(first, str):
        raise DataError(f'{label}: line 1 {first}. Write one JSON object a line: {{"user": "ann", "item": "tea"}}.')
    found = [one for line in lines if isinstance(one := _object(line), dict)]
    columns = tuple(dict.fromkeys(name for one in found for name in one))
    if encoding == "utf-8" and not streams.is_compressed(path, by="stdlib") and not text.startswith("\ufeff"):
        return JsonText(path, columns)
    copy, lossy, holder = utf8_copy(path, encoding)
    if lossy:
        raise DataError(f"{label} holds bytes that are not {encoding.upper()}. Name its encoding, for example encoding='cp1252'.")
    return JsonText(copy, columns, holder)


def _array(path: Path, label: str, encoding: str) -> pl.DataFrame:
    content = b"".join(streams.blocks(path))
    try:
        records = json.loads(content.decode(encoding).removeprefix("\ufeff"))
    except UnicodeDecodeError:
        raise DataError(encodings.sentence(label, "the array", streams.blocks(path))) from None
    except json.JSONDecodeError as error:
        raise DataError(f"{label} is no JSON: {error.msg} in line {error.lineno}. Write it again, or one JSON object a line.") from None
    if not records or not all(isinstance(record, dict) for record in records):
        raise DataError(f"{label} must be an array of JSON objects, one for each event. Write it so, or one object a line.")
    columns = tuple(dict.fromkeys(name for record in records for name in record))
    rows = [[_as_text(record.get(name)) for name in columns] for record in records]
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def _object(text: str) -> dict[str, Any] | str:
    """The object of a line, or what is wrong with it."""
    if LOST in text:
        return "holds bytes that are not UTF-8"
    try:
        found = json.loads(text)
    except ValueError as error:
        return f"is no JSON ({str(error).partition(':')[0]})"
    return found if isinstance(found, dict) else "is no JSON object"


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
