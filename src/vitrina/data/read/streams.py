"""Bytes of files as they are: compressed ones opened, pipes kept once, and what the first bytes say."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from vitrina.base.errors import DataError

STDIN = "-"
BLOCK = 1 << 22  # bytes
ZSTD = b"\x28\xb5\x2f\xfd"
OPENERS = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
BINARY = (  # what a log is sometimes kept in and can't be read from, with the remedy
    (b"\x93NUMPY", "a NumPy array", "Load it with numpy and give a table with named columns."),
    (b"\x89HDF", "an HDF5 file", "Load it with pandas.read_hdf and give the table."),
    (b"ARROW1", "an Arrow file", "Load it with polars.read_ipc and give the table."),
    (b"SQLite format 3", "an SQLite database", "Write the table to a CSV or Parquet file."),
    (b"\x80\x04", "a pickle, which can run code", "Write the table to a CSV or Parquet file where you trust it."),
    (b"\x80\x05", "a pickle, which can run code", "Write the table to a CSV or Parquet file where you trust it."),
    (b"Rar!", "an archive", "Unpack it and name the file."),
    (b"7z\xbc\xaf", "an archive", "Unpack it and name the file."),
)
DAMAGES = (OSError, EOFError, zlib.error, lzma.LZMAError)


def is_stream(source: Any) -> bool:
    """Whether it can be read only once: "-", a pipe, /dev/fd/63, an open file."""
    if not isinstance(source, (str, Path)):
        return hasattr(source, "read")
    return str(source) == STDIN or (Path(source).exists() and not (Path(source).is_file() or Path(source).is_dir()))


def stored(source: Any) -> tuple[Path, str, Any]:
    """A stream as a file: its path, what to call it, and what deletes the file when nobody holds it any more.

    Raises:
        DataError: it is a terminal, or nothing came.
    """
    label = str(getattr(source, "name", "the open file") if hasattr(source, "read") else source)
    if label == STDIN:
        source, label = STDIN, "the standard input"
    if source == STDIN and sys.stdin.isatty():
        raise DataError("The standard input is a terminal, and no log comes from it. Pipe one in, or name a file in place of '-'.")
    folder = tempfile.TemporaryDirectory(prefix="vitrina-")
    path = Path(folder.name) / "stream"
    with _reading(source) as stream, path.open("wb") as file:
        while part := stream.read(BLOCK):
            file.write(part.encode() if isinstance(part, str) else part)
    if not path.stat().st_size:
        raise DataError(f"No log came through {label}: 0 bytes. Check the command before the pipe.")
    return path, label, folder


def _reading(source: Any) -> contextlib.AbstractContextManager[Any]:
    """The stream, left open where it isn't ours."""
    if isinstance(source, str) and source == STDIN:
        return contextlib.nullcontext(getattr(sys.stdin, "buffer", sys.stdin))
    return contextlib.nullcontext(source) if hasattr(source, "read") else Path(source).open("rb")


def blocks(path: Path) -> Iterator[bytes]:
    """The content, decompressed, in blocks.

    Raises:
        DataError: a compressed file is cut off or damaged.
    """
    first = _first(path, 8)
    if first.startswith(ZSTD):
        yield from _zstd_blocks(path)
        return
    opener = next((opener for magic, opener in OPENERS if first.startswith(magic)), None)
    try:
        with path.open("rb") if opener is None else opener(path, "rb") as file:
            while part := file.read(BLOCK if opener is None else BLOCK >> 4):
                yield part
    except DAMAGES as error:
        if opener is None:
            raise
        raise DataError(f"{path} is cut off or damaged: {error}. Copy or write it again.") from None


def _zstd_blocks(path: Path) -> Iterator[bytes]:
    """Through Polars, line by line: Python has no zstd before 3.14. What is not UTF-8 is lost here."""
    try:
        for part in lines(path):
            yield ("\n".join(part) + "\n").encode()
    except (PolarsError, OSError) as error:
        raise DataError(f"{path} is cut off or damaged: {str(error).splitlines()[0]}. Copy or write it again.") from None


def lines(path: Path) -> Iterator[list[str]]:
    """Lines of a plain, gzip or zstd file, in lists; bytes that aren't UTF-8 become U+FFFD."""
    scan = pl.scan_csv(
        path, has_header=False, separator="\x1f", quote_char=None, infer_schema=False, encoding="utf8-lossy", truncate_ragged_lines=True,
        glob=False,
    )  # fmt: skip
    for part in scan.collect_batches(chunk_size=100_000, maintain_order=True):
        yield part.to_series().fill_null("").to_list()


def head(path: Path, size: int) -> bytes:
    """The first bytes of the content, decompressed; as many as can be read.

    Raises:
        DataError: not even one can be read.
    """
    found = b""
    try:
        for part in blocks(path):
            found += part
            if len(found) >= size:
                break
    except DataError:
        if not found:
            raise
    return found[:size]


def is_compressed(path: Path, *, by: str = "any") -> bool:
    """Whether it is compressed at all, or `by="stdlib"` in a way that Polars doesn't open."""
    first = _first(path, 8)
    return first.startswith((b"BZh", b"\xfd7zXZ\x00") if by == "stdlib" else (ZSTD, *(magic for magic, _ in OPENERS)))


def binary_kind(path: Path) -> str | None:
    """What kind of file it is, where it is none of text, with the remedy."""
    first = head(path, 512)
    found = next((f"{what}. {remedy}" for magic, what, remedy in BINARY if first.startswith(magic)), None)
    tar = first[257:262] == b"ustar"
    return "an archive. Unpack it and name the file." if tar or (first.startswith(b"PK\x03\x04") and not is_workbook(path)) else found


def is_workbook(path: Path) -> bool:
    """Whether it is an Excel or OpenDocument workbook."""
    first = _first(path, 8)
    if first == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":  # .xls
        return True
    if not first.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith("xl/workbook") or name == "content.xml" for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return path.suffix.lower() in (".xlsx", ".xlsm", ".xlsb", ".ods")


def _first(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return file.read(size)
