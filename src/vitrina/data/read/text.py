"""Delimited text of any kind: its encoding, separator and header found or given; what Polars can't read becomes a UTF-8 copy."""

from __future__ import annotations

import codecs
import csv
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vitrina.base.errors import DataError, ParameterError
from vitrina.data.read import encodings, headers, streams
from vitrina.data.read.csv_rows import LOST, CsvFormat

SEPARATORS = ("\t", "::", ";", ",", "|")  # the earlier one where two divide all lines alike
MARK = "\x1e"  # the separator of copies whose own has several signs
HEAD, SAMPLE = 1 << 18, 50  # bytes and lines to look at
BLANKS = re.compile(r'"((?:[^"\n]|"")*)"|[ \t]+')


@dataclass(frozen=True)
class TextOptions:
    """How text files are written; None is found by looking."""

    encoding: str | None = None
    separator: str | None = None
    header: bool | None = None
    columns: tuple[str, ...] | None = None

    @classmethod
    def of(cls, encoding: Any = None, separator: Any = None, header: Any = None, columns: Any = None) -> TextOptions:
        """Checked.

        Raises:
            ParameterError: one has a wrong value, or there are names for the columns of a file that has a header.
        """
        if separator is not None and (not isinstance(separator, str) or not separator or "\n" in separator or '"' in separator):
            raise ParameterError(
                f"The 'separator' must be a sign or two, like ';' or '::', and ' ' for blanks. Got {separator!r}.",
                parameter="separator",
                value=separator,
            )
        if columns is not None:
            columns = (columns,) if isinstance(columns, str) else tuple(columns)
            if header or len(set(columns)) < len(columns) or not all(isinstance(name, str) and name for name in columns):
                what = "are for files without a header, and header is true" if header else "must be distinct names, one for each field"
                raise ParameterError(f"The 'columns' {what}. Got {list(columns)!r}.", parameter="columns")
        encoding = None if encoding is None else encodings.checked(encoding)
        return cls(encoding, "\t" if separator == "\\t" else separator, False if columns else header, columns)

    @property
    def layout(self) -> str | None:
        """The name of an option that only delimited text can have, if one is given."""
        return next((name for name in ("separator", "header", "columns") if getattr(self, name) is not None), None)


@dataclass(frozen=True)
class Readable:
    """Text in a form that Polars reads: the file itself, or a copy that lives as long as somebody holds it."""

    path: Path
    format: CsvFormat
    lossy: bool = False  # bytes that its encoding doesn't have became U+FFFD
    holder: Any = None


def open_text(path: Path, label: str, options: TextOptions) -> Readable:
    """Find out how a text file is written, and make it readable.

    Raises:
        DataError: no text at all, of no known encoding, no header, or a column name that comes twice.
    """
    encoding = encoding_of(path, label, options)
    text, whole = decoded_head(path, encoding)
    cr = "\n" not in text and "\r" in text
    lines = _lines(text.replace("\r", "\n") if cr else text, whole=whole)
    skip = next((k for k, line in enumerate(lines) if not line.startswith(("%", "#"))), 0)
    if told := re.fullmatch(r'"?sep=(.)"?', (lines or [""])[0], re.IGNORECASE):  # as Excel writes it
        skip, options = 1, replace(options, separator=options.separator or told[1])
    lines = lines[skip:]
    if LOST in (lines or [""])[0] and encoding == "utf-8":
        raise DataError(encodings.sentence(label, "its header" if options.header is None else "its first line", streams.blocks(path)))
    form = replace(_layout(lines, label, options), encoding=encoding, skip=skip)
    several = len(form.separator) > 1 or form.separator == " "
    if several:
        form = replace(form, mark=MARK, quoted=False)
    if not (several or cr or skip or encoding != "utf-8" or streams.is_compressed(path, by="stdlib")):
        return Readable(path, form)
    change = _blanks_to_mark if form.separator == " " else (lambda text: text.replace(form.separator, MARK)) if several else str
    copy, lossy, holder = utf8_copy(path, encoding, (lambda text: change(text.replace("\r", "\n"))) if cr else change, skip)
    return Readable(copy, form, lossy, holder)


def encoding_of(path: Path, label: str, options: TextOptions) -> str:
    """The encoding of a file: its mark says it, or the reader; and UTF-8 is taken for what it is, whatever was said.

    Raises:
        DataError: it holds zero bytes, and nobody said of which encoding.
    """
    head = streams.head(path, HEAD)
    if marked := encodings.marked(head):
        return marked
    given = options.encoding or "utf-8"
    if given in encodings.WIDE or (given != "utf-8" and not (_can_be_utf8(path) and encodings.likelier_utf8(head, given))):
        return given
    if b"\0" in head:
        guess = encodings.wide(head)
        if guess is None:
            raise DataError(f"{label} is no text: it holds zero bytes. Give a CSV, JSON lines, Excel or Parquet file.")
        first = head.decode(guess, errors="ignore").partition("\n")[0].strip()[:40]
        raise DataError(f"{label} is not UTF-8 text: it holds zero bytes, as UTF-16 does. In {guess} it begins with {first!r}: read it with encoding={guess!r}.")  # fmt: skip
    return "utf-8"


def decoded_head(path: Path, encoding: str) -> tuple[str, bool]:
    """The beginning of the text, and whether that is all of it."""
    head = streams.head(path, HEAD)
    whole = len(head) < HEAD
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head, final=whole)
    return text.removeprefix("\ufeff"), whole


def utf8_copy(path: Path, encoding: str, change: Callable[[str], str] = str, skip: int = 0) -> tuple[Path, bool, Any]:
    """A changed copy in UTF-8 without the first lines, whether letters were lost, and its holder.

    `change` gets whole lines; memory is one block.
    """
    holder = tempfile.TemporaryDirectory(prefix="vitrina-")
    copy, lossy = Path(holder.name) / "copy", False
    with copy.open("w", encoding="utf-8", newline="") as file:
        for text in _whole_lines(path, encoding):
            lossy = lossy or LOST in text
            *gone, left = change(text).split("\n", skip) if skip else [change(text)]
            skip -= len(gone)
            file.write("" if skip else left)
    return copy, lossy, holder


def _whole_lines(path: Path, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    rest, first = "", True
    for block in streams.blocks(path):
        text = decoder.decode(block)
        text, first = rest + (text.removeprefix("\ufeff") if first else text), False
        cut = max(text.rfind("\n"), text.rfind("\r", 0, -1)) + 1
        rest = text[cut:]
        yield text[:cut]
    yield rest + decoder.decode(b"", final=True)


def _can_be_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in streams.blocks(path):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _lines(text: str, *, whole: bool) -> list[str]:
    lines = [line.removesuffix("\r") for line in text.split("\n", SAMPLE)[:SAMPLE]]
    complete = whole or text.count("\n") >= SAMPLE
    return lines if complete or len(lines) < 2 else lines[:-1]


def _layout(lines: Sequence[str], label: str, options: TextOptions) -> CsvFormat:
    if not lines or not lines[0].strip():
        raise DataError(f"{label} has no header. Its first line must name the columns.")
    filled = [line for line in lines if line.strip()]
    separator = options.separator or _separator(filled)
    rows = [_fields(line, separator) for line in filled]
    if len(rows[0]) == 1 and len(filled) > 1 and all(re.fullmatch(r"\s*\d+( +\d+)+\s*", line) for line in filled):
        raise DataError(f"{label} has lines of many numbers, as lists of items for each user have. Write one user and one item a line.")
    if options.separator and len(rows[0]) == 1 and len(_fields(filled[0], found := _separator(filled))) > 1:
        raise DataError(f"{label} is not divided by {separator!r}: its first line is {_shown(rows[0])!r}. Leave it out, or take separator={found!r}.")  # fmt: skip
    last = _fields(filled[-1], options.separator or _separator(filled[-1:]))
    if len(rows[0]) == 1 < len(last) and options.header is None:
        raise DataError(f"{label} has the first line {_shown(rows[0])!r}, one field, and {len(last)} fields below. Take away what is above the names of the columns.")  # fmt: skip
    names = headers.suggested(rows)
    if options.header is False:
        return CsvFormat(_given_names(rows[0], names, label, options), separator, header=False, suggested=names)
    types = headers.typed_names(rows[0])
    columns = tuple(types) or tuple(rows[0])
    headless = options.header is None and not types and headers.looks_like_data(rows)
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if repeated and headless:
        raise DataError(headless_sentence(label, rows[0], names))
    if repeated:
        places = " and ".join(str(k + 1) for k, name in enumerate(columns) if name == repeated[0])
        raise DataError(f"{label} has the column {repeated[0]!r} twice in its header (fields {places}). Rename or drop one.")
    return CsvFormat(columns, separator, types=types, headless=headless, suggested=names)


def _given_names(first: Sequence[str], names: Sequence[str], label: str, options: TextOptions) -> tuple[str, ...]:
    columns = options.columns
    if columns is None:
        raise DataError(f"{label} has no header, as was said, so its columns need names: columns={list(names)!r}")
    if len(columns) != len(first):
        raise DataError(
            f"{label} must have a name for each of its {len(first)} fields. Its first line is {_shown(first)}, "
            f"and {len(columns)} names were given: columns={list(columns)!r}."
        )
    if [cell.strip().lower() for cell in first] == [name.lower() for name in columns]:
        raise DataError(f"{label} has a header: its first line is {_shown(first)}, as the names that were given. Leave out columns=[...].")
    return columns


def headless_sentence(label: str, first: Sequence[str], names: Sequence[str]) -> str:
    """What to say of data without a header."""
    return f"{label} has no header: its first line looks like data ({_shown(first)}). Name its columns: header=False, columns={list(names)!r}"  # fmt: skip


def _shown(cells: Sequence[str]) -> str:
    text = ", ".join(cells)
    return text if len(text) <= 60 else text[:59] + "…"


def _separator(lines: Sequence[str]) -> str:
    """The one that divides most lines into as many fields as the first; blanks where nothing else does, and they divide all lines so."""
    best, score = ",", (0.0, 1)
    for separator in SEPARATORS:
        counts = [len(_fields(line, separator)) for line in lines]
        share = sum(count == counts[0] for count in counts) / len(counts)
        if counts[0] > 1 and (share, counts[0]) > score:
            best, score = separator, (share, counts[0])
    if score[1] > 1:
        pieces = [line.split(best)[1:] for line in lines]
        spaced = best in ",;|" and not any('"' in line for line in lines) and all(one[:1] == " " for row in pieces for one in row)
        return f"{best} " if spaced else best
    counts = {len(_fields(line, " ")) for line in lines}
    return " " if len(counts) == 1 and counts != {1} else best


def _fields(line: str, separator: str) -> list[str]:
    if separator == " ":
        return _blanks_to_mark(line).split(MARK)
    return line.split(separator) if len(separator) > 1 else next(csv.reader([line], delimiter=separator), [""])


def _blanks_to_mark(text: str) -> str:
    """Blanks of any number become one mark; those in quotes stay, and the quotes go."""
    stripped = "\n".join(line.strip(" \t\r") for line in text.split("\n"))
    return BLANKS.sub(lambda found: MARK if found[1] is None else found[1].replace('""', '"'), stripped)
