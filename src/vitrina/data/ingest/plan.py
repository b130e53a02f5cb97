"""What a load will take, said before it begins."""

from __future__ import annotations

import gzip
import math
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import polars as pl

from vitrina.base.errors import WriteError
from vitrina.data.ingest.blocks import ROWS
from vitrina.data.read import streams
from vitrina.data.read.io import Begun
from vitrina.data.read.sources import CHUNK, Source

PER_SHARD = 1_500_000  # rows
SAMPLE = 100_000  # rows, or ten times as many bytes
GUESSED_RATIO = 4  # of compressed text whose compression can't be looked at
INLINE, VIEW = 12, 16  # bytes of a text that lie in its place, and of the place
# bytes per row and column: in blocks, in the log (measured on a log of Zipf people and items)
WORK_BYTES = {"item": 4, "time": 8, "value": 4, "kind": 1, "basket": 8, "weight": 4, "order_by": 8}
LOG_BYTES = {"item": 3, "time": 5, "value": 3, "kind": 0.5, "basket": 6, "weight": 2, "order_by": 5}
ROW = (8, 4.5)  # of its number
BASE = 400e6  # bytes of memory: the interpreter and the libraries
PER_ROW = 130  # bytes of memory, of a shard that is made
PER_ITEM = 200


@final
@dataclass(frozen=True)
class Plan:
    """What a load will take: rows, shards, and bytes of the disk and of memory."""

    rows: int
    counted: bool  # or estimated from a sample and the sizes of files
    shards: int
    work: int  # bytes on the disk until it is done
    log: int  # bytes on the disk that stay
    memory: int  # bytes at the peak, besides the items
    free: int  # bytes of the disk

    def __str__(self) -> str:
        about = "" if self.counted else "About "
        return (
            f"{about}{self.rows:,} rows into {self.shards} shard{'s' * (self.shards != 1)}. Disk: {_size(self.work + self.log)}, of which {_size(self.log)} "
            f"stay; {_size(self.free)} are free. Memory: about {_size(self.memory)}, and {_size(PER_ITEM * 1e6)} per million items."
        )


def planned(begun: Begun, folder: Path, shards: int | None, workers: int = 1) -> Plan:
    """What a load will take.

    Args:
        shards: how many; None for one per 1.5 million rows.
        workers: how many shards are made at a time.
    """
    sample = _sample(begun)
    counted = all(source.height for source in begun.sources)
    rows = sum(source.height or _estimated(source) for source in begun.sources)
    shards = shards or max(1, math.ceil(rows / PER_SHARD))
    of_work, of_log = _bytes_per_row(begun, sample)
    block = min(rows, ROWS) * of_work * 3 + min(rows, CHUNK) * 3 * sample.estimated_size() / max(sample.height, 1)
    memory = BASE + max(block, workers * rows / shards * PER_ROW)
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    return Plan(rows, counted, shards, int(rows * of_work), int(rows * of_log), int(memory), shutil.disk_usage(there).free)


def check_room(plan: Plan, folder: Path, done: int) -> None:
    """Refuse what the disk has no room for.

    Args:
        done: bytes of the work that are there already.

    Raises:
        WriteError: with the numbers.
    """
    needed = plan.work + plan.log - done
    if needed > plan.free:
        reason = f"the load takes about {_size(needed)} there ({_size(plan.work)} while it runs, {_size(plan.log)} that stay), and {_size(plan.free)} are free"
        raise WriteError(folder, reason)


def _sample(begun: Begun) -> pl.DataFrame:
    """The first rows of the first source that has some."""
    for source in begun.sources:
        for chunk in source.chunks(begun.reader.wanted):
            return chunk.frame.head(SAMPLE)
    return pl.DataFrame({name: [] for name in begun.reader.wanted})


def _bytes_per_row(begun: Begun, sample: pl.DataFrame) -> tuple[float, float]:
    """In blocks, and in the log."""
    work, log = ROW
    for role, column in begun.columns.items():
        if role in WORK_BYTES:
            work, log = work + WORK_BYTES[role], log + LOG_BYTES[role]
        elif role in ("user", "event_id"):
            length = _mean_length(sample[column])
            number = sample[column].dtype.is_integer()
            work += 8 if number and role == "user" else VIEW + (length if length > INLINE else 0)
            log += 0.5 if role == "user" else 0.8 * length
    return work, log


def _mean_length(column: pl.Series) -> float:
    mean: Any = column.cast(pl.String, strict=False).str.len_bytes().mean() if column.dtype != pl.Object else None
    return INLINE if mean is None else float(mean)


def _estimated(source: Source) -> int:
    """Rows of a text file, from its first lines and its size."""
    path = Path(source.label)
    if not path.is_file():
        return 0
    head = streams.head(path, 10 * SAMPLE)
    lines = max(head.count(b"\n"), 1)
    return int(path.stat().st_size * _ratio(path) * lines / max(len(head), 1))


def _ratio(path: Path) -> float:
    """How much larger the content is than the file."""
    if not streams.is_compressed(path):
        return 1.0
    try:
        with path.open("rb") as raw, gzip.open(raw) as file:
            read = len(file.read(streams.BLOCK))
            return read / raw.tell()
    except (OSError, EOFError, zlib.error):  # cut off or damaged: reading says so
        return GUESSED_RATIO


def bytes_of(folder: Path) -> int:
    """Of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


__all__: Sequence[str] = ("Plan", "bytes_of", "check_room", "planned")
