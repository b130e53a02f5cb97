"""Lists of ids in files: who is asked about, what may be shown."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from vitrina.base.errors import DataError
from vitrina.base.ids import ALIKE, alike, id_texts, whole_numbers
from vitrina.cli.console import warn
from vitrina.data.columns import IS_EMPTY, id_text
from vitrina.data.read import streams
from vitrina.data.read.headers import TYPED_NAME
from vitrina.data.read.sources import find_sources
from vitrina.data.read.validate import USUAL
from vitrina.data.sharded import Sharded
from vitrina.types import Bool
from vitrina.vocabulary import Vocabulary, numbers_or_text

TABLES = {".csv": ",;\t|", ".tsv": "\t"}  # endings of text that is split into fields, and at which signs
COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
HEADERS = {"id", "ids", *USUAL["user"], *USUAL["item"]}  # what a single column is usually called


@dataclass(frozen=True)
class IdList:
    """What a file holds as ids. Whether its first line is one or names the column is decided by the ids that are known."""

    path: Path
    column: str
    texts: pl.Series  # ids, or one text per line
    single: bool  # one id per line, the first of which may be a header

    def ids(self, known: Vocabulary) -> pl.Series:
        """The distinct ids; numbers where all are. Blanks around a line are part of its id only where it is known so.

        Raises:
            DataError: there is none.
        """
        texts = self.texts
        if self.single:
            texts = texts.slice(1) if self._has_header(known) else texts
            texts = texts.zip_with(pl.Series(known.encode(texts) >= 0), texts.str.strip_chars())
        ids = id_texts(texts)
        ids = ids.filter(ids.str.strip_chars() != "").unique(maintain_order=True)
        if not len(ids):
            raise DataError(
                f"{self.path} holds no ids. Give a file with one id per line, or a CSV or Parquet with the column {self.column!r}."
            )
        return (numbers_or_text(ids) if self.single or texts.dtype.is_numeric() else ids).rename(self.column)

    def among(self, log: Sharded) -> Vocabulary:
        """Those of the lines, with blanks around them or without, that are people of an opened log."""
        lines = pl.concat([self.texts, self.texts.str.strip_chars()]) if self.single else self.texts
        return log.to_memory(people=lines.unique(maintain_order=True)).users

    def _has_header(self, known: Vocabulary) -> bool:
        """Whether the first line is no known id, and has the name of a column or is no number where all others and all known ids are."""
        first, rest = self.texts.head(1).str.strip_chars(), self.texts.slice(1).str.strip_chars()
        if not len(first) or known.encode(first)[0] >= 0:
            return False
        numbers = known.ids.dtype.is_integer() and len(rest) > 0 and not whole_numbers(id_texts(rest)).null_count()
        header = _plain(first[0]) in HEADERS | {_plain(self.column)} or (numbers and whole_numbers(id_texts(first)).null_count() == 1)
        if header and first[0] != self.column:
            warn(f"The first line of {self.path}, {first[0]!r}, was taken as the name of its column.")
        return header


def read_ids(path: Path, column: str) -> IdList:
    """Ids in a file: a table with this column (or with one column only), or text with one id per line, under a header or not.

    Raises:
        DataError: there is no such file or column, it can't be read, or what it holds are no ids.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder. Give a file with one id per line, or a CSV or Parquet with the column {column!r}.")
    if not path.is_file():
        raise DataError(f"There is no file {path}. Give a file with one id per line, or a CSV or Parquet with the column {column!r}.")
    body = b"".join(streams.blocks(path))
    wide = body[:2] in (b"\xff\xfe", b"\xfe\xff")
    if b"\0" in body[:4096] and not wide:
        return IdList(path, column, _of_table(path, column), single=False)
    try:
        text = body.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(
            f"{path} is no UTF-8 text. Save it as UTF-8, for example with: iconv -f WINDOWS-1251 -t UTF-8 {path.name}"
        ) from None
    fields, single = _fields(path, [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()], column)
    return IdList(path, column, pl.Series(column, fields, dtype=pl.String), single)


def strangers(ids: pl.Series, unknown: Bool, known: Vocabulary) -> str:
    """Which of the ids are unknown (at least one is), and what they look like."""
    texts = id_texts(ids.filter(pl.Series(unknown)))
    twin = alike(texts, known.as_text().ids)
    like = "" if twin is None else f" {twin.id!r} looks like {twin.known!r} but for {ALIKE}, and is another id."
    return f"(the first is {texts[0]!r}).{like}"


def _fields(path: Path, lines: list[str], column: str) -> tuple[list[str], bool]:
    """The wanted field of each row of a table without its header, or each line as it is; and whether it was the latter.

    Raises:
        DataError: the file has several columns, and none is the wanted one.
    """
    if not lines:
        return [], True
    marks = TABLES.get(next((ending for ending in reversed(path.suffixes) if ending.lower() not in COMPRESSED), "").lower())
    mark = max(marks or ",;\t|", key=lines[0].count)
    rows = list(csv.reader(lines, delimiter=mark))
    header = [name.strip() for name in rows[0]]
    if len(header) > 1 and column in header:
        place = header.index(column)
        return [row[place] for row in rows[1:] if len(row) > place], False
    if marks is None:
        return lines, True
    if len(header) > 1:
        raise DataError(f"{path} has no column {column!r}. Its columns: {', '.join(header)}. Rename the one with the ids.")
    wide = next((at for at, row in enumerate(rows) if len(row) > 1), None)
    if wide is not None:
        raise DataError(
            f"{path} has {len(rows[wide])} fields in row {wide + 1} and one above. Put ids that hold {mark!r} in double quotes."
        )
    return [row[0] for row in rows], True


def _of_table(path: Path, column: str) -> pl.Series:
    (source,) = find_sources(str(path))
    name = column if column in source.columns else source.columns[0] if len(source.columns) == 1 else None
    if name is None:
        raise DataError(f"{path} has no column {column!r}. Its columns: {', '.join(source.columns)}. Rename the one with the ids.")
    values = pl.concat([chunk.frame[name] for chunk in source.chunks([name])] or [pl.Series(name, [], dtype=pl.String)])
    values = values.drop_nulls()
    try:
        problems = id_text(values, name).problems
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    for problem in problems:
        if problem.fault != IS_EMPTY and problem.mask.any():
            raise DataError(f"{path}: the column {name!r} must {problem.must}, but {problem.fault} {problem.example}.")
    return values


def _plain(name: str) -> str:
    """A column's name without case and signs; of `user_id:token` what is before the colon."""
    typed = TYPED_NAME.fullmatch(name)
    return "".join(letter for letter in (typed[1] if typed else name).lower() if letter.isalnum())
