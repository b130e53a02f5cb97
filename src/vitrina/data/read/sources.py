"""Where rows come from: files of every kind, pipes, and tables in memory; each hands out chunks with row numbers."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PanicException, PolarsError

from vitrina.base.errors import DataError, ParameterError
from vitrina.data.read import streams, workbooks
from vitrina.data.read.csv_rows import BrokenRow, CsvFormat, lines_of, slow_rows
from vitrina.data.read.encodings import sentence
from vitrina.data.read.json_rows import JsonText, is_json, open_json
from vitrina.data.read.text import Readable, TextOptions, open_text

CHUNK = 1_000_000  # rows
PARQUET = (".parquet", ".pq")
AS_FOUND = TextOptions()


@dataclass(frozen=True)
class Chunk:
    """Some rows of a source, the number of each (from 1), and the rows that could not be read at all."""

    frame: pl.DataFrame
    rows: range | NDArray[np.int64]
    broken: tuple[BrokenRow, ...] = ()
    blank: int = 0  # empty lines among them, left out


@runtime_checkable
class Source(Protocol):
    """One file or table."""

    @property
    def label(self) -> str: ...  # what messages call it
    @property
    def note(self) -> str: ...  # what opening it decided by itself, in a sentence
    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def typed(self) -> bool: ...  # False where everything is text, as in a CSV
    @property
    def height(self) -> int: ...  # rows, 0 when nobody knows before reading

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]: ...

    def lines(self, rows: Sequence[int]) -> list[int]: ...  # of a text file, empty for other sources


def find_sources(source: Any, label: str = "the table", options: TextOptions = AS_FOUND) -> list[Source]:
    """The files and tables that a user's `source` stands for: a path, a glob, a pipe, a table, a Source, or a list of these.

    Raises:
        DataError: nothing is there, or it can't be opened.
        ParameterError: an option of text is given for something else.
    """
    if streams.is_stream(source):
        path, named, holder = streams.stored(source)
        return [open_file(path, options, named, holder)]
    if isinstance(source, (str, Path)):
        return [open_file(path, options) for path in _expand(source)]
    if isinstance(source, (list, tuple)):
        if not source:
            raise DataError("The source must name at least one file or table. Got an empty list.")
        return [one for k, part in enumerate(source) for one in find_sources(part, f"{label} {k + 1}", options)]
    if not isinstance(source, pl.LazyFrame) and isinstance(source, Source):  # to look at the columns of a lazy frame costs, and warns
        return [source]
    _refuse_layout(label, "a table in memory", options)
    return [_table(source, label)]


def open_file(path: Path, options: TextOptions = AS_FOUND, label: str = "", holder: Any = None) -> Source:
    """A file by what its first bytes say: Parquet, a workbook, JSON, or delimited text; its name decides nothing.

    Args:
        holder: kept as long as the source: it deletes the copy of a pipe.
    """
    label, name = label or str(path), path.name.lower()
    if path.is_dir():
        raise DataError(
            f"{path} is a folder. Name its files with a glob, for example '{path}/*.parquet'. Where they are larger than memory, ingest them first: "
            f"vitrina ingest '{path}/*.parquet' --out DIR"
        )
    if path.stat().st_size == 0:
        raise DataError(f"{label} is empty (0 bytes). Write the log to it again, or leave it out.")
    if name.endswith(PARQUET) or _ends(path, 4)[0] == b"PAR1":
        _refuse_layout(label, "a Parquet file", options)
        return _parquet(path, label, holder)
    if streams.is_workbook(path):
        frame, note = workbooks.read_workbook(path, label, options)
        return Table(frame, label, note=note, first_line=1 if options.header is False else 2)
    if name.endswith(workbooks.ENDINGS):
        raise DataError(f"{label} is no workbook. Save it again, or as CSV.")
    if kind := streams.binary_kind(path):
        raise DataError(f"{label} is {kind}")
    if is_json(path, label, options):
        _refuse_layout(label, "JSON", options)
        found = open_json(path, label, options)
        return Table(found, label, typed=False) if isinstance(found, pl.DataFrame) else JsonLines(label, found, holder)
    return CsvFile(label, open_text(path, label, options), path, holder)


def _refuse_layout(label: str, what: str, options: TextOptions) -> None:
    if options.layout:
        raise ParameterError(f"{options.layout!r} is for delimited text, and {label} is {what}. Leave it out.")


def _expand(source: str | Path) -> list[Path]:
    path, text = Path(source), str(source)
    if path.exists():
        return [path]
    if any(sign in text for sign in "*?["):
        found = [Path(name) for name in sorted(glob.glob(text, recursive=True)) if not Path(name).is_dir()]
        if not found:
            raise DataError(f"No file matches {text!r} (looked from {Path.cwd()}). Check the folder and the ending.")
        return found
    near = get_close_matches(path.name, [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else [], n=2)
    hint = f"Its folder has {' and '.join(map(repr, near))}." if near else f"Check the path (looked from {Path.cwd()})."
    raise DataError(f"There is no file {text!r}. {hint}")


@final
@dataclass(frozen=True)
class Table:
    """A Polars table in memory."""

    frame: pl.DataFrame
    label: str
    typed: bool = True
    note: str = ""
    first_line: int | None = None  # of a sheet, where rows are lines

    @property
    def columns(self) -> Sequence[str]:
        return self.frame.columns

    @property
    def height(self) -> int:
        return self.frame.height

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        for first, part in enumerate(self.frame.select(columns).iter_slices(CHUNK)):
            yield Chunk(part, range(first * CHUNK + 1, first * CHUNK + 1 + part.height))

    def lines(self, rows: Sequence[int]) -> list[int]:
        return [] if self.first_line is None else [row - 1 + self.first_line for row in rows]


@final
@dataclass(frozen=True)
class Scan:
    """A Parquet file or a lazy Polars table, read in chunks."""

    frame: pl.LazyFrame
    label: str
    columns: Sequence[str]
    height: int
    typed: bool = True
    note: str = ""
    holder: Any = None

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        first = 1
        try:
            for part in self.frame.select(columns).collect_batches(chunk_size=CHUNK, maintain_order=True):
                yield Chunk(part, range(first, first + part.height))
                first += part.height
        except (PolarsError, OSError, PanicException) as error:
            raise DataError(f"{self.label} is damaged after row {first - 1}: {_first_line(error)}. Copy or write it again.") from None

    def lines(self, rows: Sequence[int]) -> list[int]:
        return []


@final
@dataclass(frozen=True)
class CsvFile:
    """Delimited text, plain or compressed; every field is text until a role gives it a type."""

    label: str
    text: Readable
    path: Path  # of the file as it is
    holder: Any = None
    height: int = 0
    typed: bool = False

    @property
    def format(self) -> CsvFormat:
        return self.text.format

    @property
    def columns(self) -> Sequence[str]:
        return self.format.columns

    @property
    def note(self) -> str:
        form = self.format
        lists = [name for name, kind in form.types.items() if kind == "token_seq"]
        parts = [
            f"{self.label} was read as {form.encoding}." if form.encoding != "utf-8" else "",
            f"{self.label} has no header: its columns were called {', '.join(form.columns)}." if not form.header else "",
            f"The fields of {self.label} are separated by {'blanks' if form.separator == ' ' else repr(form.separator)}."
            if form.mark
            else "",
            f"Of {self.label} {form.skip} line{'s' * (form.skip > 1)} above the columns were left out." if form.skip else "",
            f"{self.label} has lists of ids in {', '.join(lists)}, which are no events." if lists else "",
        ]
        return " ".join(part for part in parts if part)

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Fast while the rows are sound; from a row that Polars refuses on, row by row."""
        done, reason = 0, ""
        try:
            for part in () if self.text.lossy else self._frames():
                yield _without_blank(part, range(done + 1, done + 1 + part.height), columns)
                done += part.height
            if not self.text.lossy:
                return
        except OSError as error:
            raise DataError(f"{self.label} is cut off: {_first_line(error)} after row {done}. Copy or write it again.") from None
        except PolarsError as error:
            reason = _first_line(error)
        found = False
        for rows, records, broken in slow_rows(self.text.path, self.format, done, CHUNK):
            found = found or bool(broken)
            frame = pl.DataFrame(records, schema=dict.fromkeys(self.columns, pl.String), orient="row")
            yield _without_blank(frame, np.asarray(rows, np.int64), columns, tuple(broken))
        if not found and reason:
            raise DataError(f"{self.label} can't be read as CSV: {reason}.")

    def _frames(self) -> Iterator[pl.DataFrame]:
        form = self.format
        # No projection: Polars would not notice a row with too many fields behind the wanted columns.
        scan = pl.scan_csv(
            self.text.path, has_header=form.header, infer_schema=False, separator=form.mark or form.separator, glob=False,
            quote_char='"' if form.quoted else None, schema=None if form.header else dict.fromkeys(form.columns, pl.String),
        )  # fmt: skip
        for part in scan.collect_batches(chunk_size=CHUNK, maintain_order=True):
            if form.types:
                part.columns = list(form.columns)
            yield part

    def lines(self, rows: Sequence[int]) -> list[int]:
        return lines_of(self.text.path, self.format, rows)

    def foreign(self, where: str) -> str:
        """What to say of a row that isn't UTF-8: the encodings that fit."""
        return sentence(self.label, where, streams.blocks(self.path))


@final
@dataclass(frozen=True)
class JsonLines:
    """One JSON object a line, plain or compressed; values are text, as in a CSV."""

    label: str
    text: JsonText
    holder: Any = None
    height: int = 0
    typed: bool = False
    note: str = ""

    @property
    def columns(self) -> Sequence[str]:
        return self.text.columns

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Fast while the lines are sound; from a line that Polars refuses on, line by line."""
        done = 0
        try:
            for part in self.text.frames(columns, CHUNK):
                yield Chunk(part.select(columns), range(done + 1, done + 1 + part.height))
                done += part.height
            return
        except OSError as error:
            raise DataError(f"{self.label} is cut off: {_first_line(error)} after row {done}. Copy or write it again.") from None
        except PolarsError:
            pass
        for rows, records, broken in self.text.slow_rows(columns, done, CHUNK):
            frame = pl.DataFrame(records, schema=dict.fromkeys(columns, pl.String), orient="row")
            yield Chunk(frame, np.asarray(rows, np.int64), tuple(broken))

    def lines(self, rows: Sequence[int]) -> list[int]:
        return self.text.lines_of(rows)


def _without_blank(
    frame: pl.DataFrame, rows: range | NDArray[np.int64], columns: Sequence[str], broken: tuple[BrokenRow, ...] = ()
) -> Chunk:
    """A chunk of the wanted columns, without the lines that hold nothing at all."""
    if not frame.height or frame.to_series(0).null_count() == 0:
        return Chunk(frame.select(columns), rows, broken)
    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    keep = (~blank).to_numpy()
    return Chunk(frame.filter(~blank).select(columns), np.asarray(rows)[keep], broken, int(blank.sum()))


def _parquet(path: Path, label: str, holder: Any) -> Source:
    head, tail = _ends(path, 4)
    if head != b"PAR1" or tail != b"PAR1":
        what = "is cut off: it begins as Parquet and does not end as such" if head == b"PAR1" else "is no Parquet file"
        raise DataError(f"{label} {what}. Copy or write it again.")
    try:
        scan = pl.scan_parquet(path, glob=False)
        return Scan(scan, label, scan.collect_schema().names(), int(scan.select(pl.len()).collect().item()), holder=holder)
    except (PolarsError, OSError, PanicException) as error:
        raise DataError(f"{label} is a damaged Parquet file: {_first_line(error)}. Copy or write it again.") from None


def _table(source: Any, label: str) -> Source:
    if isinstance(source, pl.LazyFrame):
        return Scan(source, label, source.collect_schema().names(), 0)
    if isinstance(source, pl.DataFrame):
        return Table(source, label)
    if type(source).__module__.partition(".")[0] == "pandas" and hasattr(source, "columns"):
        return Table(_of_pandas(source), label)
    if hasattr(source, "__arrow_c_stream__"):
        return Table(pl.DataFrame(source), label)
    raise DataError(f"A source must be a path, a glob, a Polars, pandas or Arrow table, or a list of these. Got {type(source).__name__}.")


def _of_pandas(frame: Any) -> pl.DataFrame:
    """Column by column, without pyarrow; columns of mixed Python objects stay such, for the checks to name their rows."""
    names = [str(name) for name in frame.columns]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"The table has the column {repeated[0]!r} more than once. Rename or drop one.")
    return pl.DataFrame([_of_pandas_column(name, frame.iloc[:, k]) for k, name in enumerate(names)])


def _of_pandas_column(name: str, column: Any) -> pl.Series:
    kind = getattr(column.dtype, "kind", "O")
    if kind == "M":  # with a time zone or without: the same moments
        return pl.Series(name, column.to_numpy(dtype="datetime64[us]"))
    if kind in "iufb" and isinstance(column.dtype, np.dtype):
        return pl.Series(name, column.to_numpy())
    missing = column.isna().to_list()
    values = [None if gone else value for value, gone in zip(column.to_list(), missing, strict=True)]
    return of_objects(name, values)


def of_objects(name: str, values: Iterable[Any]) -> pl.Series:
    """A typed column where the values agree on a type, an Object column where they don't."""
    values = list(values)
    types = {type(value) for value in values if value is not None}
    plain = len(types) <= 1 or types <= {int, float}
    return pl.Series(name, values, strict=False) if plain else pl.Series(name, values, dtype=pl.Object)


def _ends(path: Path, size: int) -> tuple[bytes, bytes]:
    with path.open("rb") as file:
        head = file.read(size)
        file.seek(max(path.stat().st_size - size, 0))
        return head, file.read(size)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")[:200]
