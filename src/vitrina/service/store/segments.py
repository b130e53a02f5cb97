"""Rows that are moved out of the database into Parquet files, one writer and many readers at a time.

The database is the manifest: a file counts from the transaction on that says so, and rows of the database stop counting in that same transaction. In this order nothing
is lost or doubled by an end at any moment: the intention is noted; the file is written beside, flushed and renamed, its folder flushed; it is noted as sealed; its rows are
deleted from the database, some at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
from msgspec import structs

from vitrina.base.errors import DataError
from vitrina.base.files import atomic_file, speaking_of
from vitrina.report.words import plural
from vitrina.service.records import Sealable, Segment
from vitrina.service.store import frames
from vitrina.service.store.base import Job, Mark, Readings, Trim
from vitrina.service.store.rows import ACCEPTED

FOLDER = "segments"
MOST_ROWS = 250_000  # of one file
KINDS: tuple[Sealable, ...] = ("events", "shown")
NOTHING = pl.DataFrame(schema={"sequence": pl.Int64})
Ask = Callable[[Job], Any]  # has a job committed, and gives its result


def folder_of(state: Path, tenant: str) -> Path:
    """Where the files of a tenant are; every name makes a folder of its own, whatever is in it."""
    return state / FOLDER / quote(tenant, safe="").replace(".", "%2E")


def read(state: Path, readings: Readings, kind: Sealable, tenant: str, after: int = 0, since: int = 0) -> Iterator[pl.DataFrame]:
    """Rows of a kind in the order in which they were accepted, each once: those in files, then those in the database, also while sealing runs.

    Only those after a sequence; files in which everything is from before a moment are not opened.

    Raises:
        DataError: a file is gone or damaged.
    """
    while True:
        live = next(getattr(readings, kind)(tenant, after), None)
        sealed = [s for s in readings.segments(tenant, kind) if s.state == "sealed" and s.last > after]
        if sealed:  # also where rows were sealed since the line above: the file has them
            frame = _opened(state, readings, sealed[0]) if sealed[0].newest >= since else NOTHING
            after, frame = sealed[0].last, frame.filter(pl.col("sequence") > after)
        elif live is None:
            return
        else:
            after, frame = live["sequence"][-1], live
        if len(frame):
            yield frame


def _opened(state: Path, readings: Readings, segment: Segment) -> pl.DataFrame:
    try:
        return frames.of_file(_file(state, segment))
    except DataError:
        if segment in readings.segments(segment.tenant, segment.kind):
            raise
        return NOTHING  # its time was over


def _file(state: Path, segment: Segment) -> pl.DataFrame:
    path = folder_of(state, segment.tenant) / segment.name
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path} can't be read: {error}. It held {plural(segment.rows, 'row')}; bring it back from a backup.") from error


def seal(state: Path, readings: Readings, ask: Ask, tenant: str, before: int) -> list[Segment]:
    """Move what was accepted before a moment into files; the new ones."""
    made = []
    for kind in KINDS:
        while (frame := _to_seal(readings, kind, tenant, before)) is not None:
            first, last = frame["sequence"][0], frame["sequence"][-1]
            segment = Segment(tenant, kind, first, last, len(frame), *_span(frame, kind), "writing")
            ask(Mark(segment))
            write(folder_of(state, tenant) / segment.name, frames.to_file(frame))
            ask(Mark(sealed := structs.replace(segment, state="sealed")))
            trim(ask, tenant, kind)
            made.append(sealed)
    return made


def trim(ask: Ask, tenant: str, kind: Sealable) -> None:
    """Delete from the database what is in files."""
    while ask(Trim(tenant, kind)):
        pass


def _to_seal(readings: Readings, kind: Sealable, tenant: str, before: int) -> pl.DataFrame | None:
    """The oldest rows that are not in a file, at most `MOST_ROWS` and a few; None where there are none from before."""
    parts, rows = [], 0
    for frame in getattr(readings, kind)(tenant):
        late = (frame[ACCEPTED[kind]] >= before).arg_max() if (frame[ACCEPTED[kind]] >= before).any() else None
        parts.append(frame if late is None else frame.head(late))
        rows += len(parts[-1])
        if late is not None or rows >= MOST_ROWS:
            break
    return pl.concat(parts) if rows else None


def write(path: Path, frame: pl.DataFrame) -> None:
    """A whole file that is on the disk, or none.

    Raises:
        WriteError: with the reason; also where the disk doesn't take the bytes in the end.
    """
    new = not path.parent.exists()
    with atomic_file(path) as staging:
        frame.write_parquet(staging)
        with speaking_of(path):
            _flush(staging)
    for folder in path.parents[:3] if new else path.parents[:1]:  # of the tenant, of all tenants, of the state
        _flush(folder)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def keep(state: Path, ask: Ask, segment: Segment, condition: pl.Expr) -> pl.DataFrame:
    """Leave only those rows of a file that meet a condition, and drop a file that has none; those that went."""
    frame = _file(state, segment)
    kept, gone = frame.filter(condition), frame.filter(~condition)
    if not len(kept):
        drop(state, ask, segment)
    elif len(gone):
        write(folder_of(state, segment.tenant) / segment.name, kept)
        oldest, newest = _span(kept, segment.kind)
        ask(Mark(structs.replace(segment, rows=len(kept), oldest=oldest, newest=newest)))
    return gone


def _span(frame: pl.DataFrame, kind: Sealable) -> tuple[int, int]:
    """When the first and the last row were accepted."""
    moments = frame[ACCEPTED[kind]].to_physical()
    return moments.min(), moments.max()  # type: ignore[return-value]


def drop(state: Path, ask: Ask, segment: Segment) -> None:
    """Take a file away: the intention first, so that whoever finds the file, or doesn't, knows why."""
    ask(Mark(structs.replace(segment, state="dropping")))
    path = folder_of(state, segment.tenant) / segment.name
    path.unlink(missing_ok=True)
    if path.parent.exists():
        _flush(path.parent)
    ask(Mark(segment, gone=True))


def without_temporary(folder: Path) -> None:
    """Take away what `atomic_file` left in a folder that nobody else is writing to."""
    for leftover in folder.glob(".*-[0-9]*"):
        if leftover.is_file():
            leftover.unlink()


def tidy(state: Path, readings: Readings, ask: Ask) -> None:
    """What an end in the middle left: temporary files, files that were being written or dropped, rows that are in files already."""
    for tenant in readings.tenants():
        without_temporary(folder_of(state, tenant))
        for segment in readings.segments(tenant):
            if segment.state != "sealed":
                drop(state, ask, segment)
        for kind in KINDS:
            trim(ask, tenant, kind)
