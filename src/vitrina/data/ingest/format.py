"""The folder of a log that is larger than memory: what its manifest says, and how the pieces of a shard are read as one.

    manifest.json               the state of the log; written last, so that what it doesn't name doesn't exist
    manifests/00002.json        the same of each load that can still be read: who opened one goes on with it
    items/00000.parquet         ids of the items that a load brought, in the order of their codes
    items/table-00000.parquet   what describes them, row by code
    shards/0000/users-00000.parquet, events-00000.parquet, dropped-00001.parquet, table-00000.parquet

A shard is the people whose id has a hash that is its number modulo the number of shards (`base.hashing.text_hashes`). Their codes are their places in the
`users` pieces. `events` are sorted by (user, time, order, row); `basket` is the hash of the basket's id, and `row` counts the events of the log in the
order in which they arrived. `dropped` has ids of events: rows of them in pieces of earlier loads are gone.
"""

from __future__ import annotations

import io
import json
import platform
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, final

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from vitrina.base.errors import DataError
from vitrina.base.files import atomic_file, write_text
from vitrina.data.dataset import Step, TimeUnit
from vitrina.types import Int64

FORMAT = 1
HASH = "fnv1a-64, splitmix64, modulo"
MANIFEST, WORK, GONE = "manifest.json", ".work", ".gone"
FOLDERS = ("manifests", "items", "shards")
AGAIN = "Bring it back from a backup, or ingest the log again with --force."


@final
@dataclass(frozen=True)
class File:
    """A file of the folder, and what tells that it is whole."""

    name: str  # relative to the folder
    rows: int
    bytes: int
    crc32: int


@final
@dataclass(frozen=True)
class Piece:
    """What one load brought to a shard; None where it brought nothing."""

    load: int
    events: File | None = None
    users: File | None = None
    dropped: File | None = None
    latest: int | None = None  # time of its latest event
    content: str = "0" * 16  # sum over events of a hash of each, modulo 2^64, as hex


@final
@dataclass(frozen=True)
class Shard:
    """How much is in a shard, and where."""

    events: int  # what its pieces come to
    users: int  # ids
    people: int  # users with at least one event
    pieces: tuple[Piece, ...]
    table: File | None = None  # what describes its users, row by code
    gone: tuple[File, ...] = ()  # ids of events that were dropped before its pieces were compacted: no append brings them back


@final
@dataclass(frozen=True)
class TableOf:
    """A table of items or users: how its columns are meant."""

    kinds: dict[str, str]
    title: str | None
    file: File | None = None  # None where each shard has its own
    versions: File | None = None  # what was known at other times, where a load said it anew


@final
@dataclass(frozen=True)
class Manifest:
    """The state of a log after a load. Loads are numbered from 0; a file of a load has its number."""

    load: int
    name: str
    reading: dict[str, Any]  # arguments of `vitrina.ingest` besides the source, for the next load
    columns: dict[str, str]  # role -> column of the sources
    user_type: str  # "whole" where every id is a whole number, else "text"
    item_type: str
    time_unit: TimeUnit | None
    kind_names: tuple[str, ...]
    n_items: int
    items: tuple[File, ...]
    shards: tuple[Shard, ...]
    rows: int  # numbers given to rows so far
    watermark: int | None  # the latest time
    steps: tuple[Step, ...]
    sources: tuple[dict[str, Any], ...] = ()
    item_table: TableOf | None = None
    user_table: TableOf | None = None
    time_form: str | None = None  # "dates" or "numbers": steps of one are none of the other
    loads: tuple[dict[str, Any], ...] = ()  # of each after the first: number, kind, and how many rows it added, left out, replaced, deleted
    fingerprint: str = ""
    hash: str = HASH
    format: int = FORMAT

    @property
    def state(self) -> int:
        """Tells it from a manifest of the same folder and number that names other files."""
        return zlib.crc32(repr([(file.name, file.crc32) for file in self.files]).encode())

    @property
    def files(self) -> list[File]:
        """Every file that it names."""
        tables = [file for table in (self.item_table,) if table is not None for file in (table.file, table.versions)]
        of_shards = (
            file
            for shard in self.shards
            for file in (shard.table, *shard.gone, *(f for p in shard.pieces for f in (p.events, p.users, p.dropped)))
        )
        return [file for file in (*self.items, *tables, *of_shards) if file is not None]


def manifest_of(plain: dict[str, Any]) -> Manifest:
    """A manifest from what its JSON says."""
    shards = tuple(shard_of(shard) for shard in plain["shards"])
    tables: dict[str, Any] = {name: None if plain[name] is None else _table(plain[name]) for name in ("item_table", "user_table")}
    lists: dict[str, Any] = {
        "kind_names": tuple(plain["kind_names"]),
        "items": tuple(File(**file) for file in plain["items"]),
        "sources": tuple(plain["sources"]),
        "loads": tuple(plain["loads"]),
    }
    return Manifest(**plain | tables | lists | {"shards": shards, "steps": tuple(Step(**step) for step in plain["steps"])})


def shard_of(plain: dict[str, Any]) -> Shard:
    """A shard from what its JSON says: `dataclasses.asdict` is the inverse."""
    gone = tuple(File(**file) for file in plain["gone"])
    return Shard(**plain | {"pieces": tuple(_piece(piece) for piece in plain["pieces"]), "table": _file(plain["table"]), "gone": gone})


def _table(plain: dict[str, Any]) -> TableOf:
    files: dict[str, Any] = {name: _file(plain[name]) for name in ("file", "versions")}
    return TableOf(**plain | files)


def _piece(plain: dict[str, Any]) -> Piece:
    files: dict[str, Any] = {name: _file(plain[name]) for name in ("events", "users", "dropped")}
    return Piece(**plain | files)


def _file(plain: dict[str, Any] | None) -> File | None:
    return None if plain is None else File(**plain)


def read_manifest(folder: Path, load: int | None = None) -> Manifest:
    """The state of a folder: as it is now, or after an earlier load.

    Raises:
        DataError: there is no log, it isn't finished, its format is another one, or that state was given up since.
    """
    path = folder / MANIFEST if load is None else _of_load(folder, load)
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(_no_manifest(folder, load)) from None
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}. {AGAIN}") from None
    if plain.get("format") != FORMAT or plain.get("hash") != HASH:
        raise DataError(f"{path} has format {plain.get('format')!r}, and this version reads {FORMAT}. Ingest the log again.")
    return manifest_of(plain)


def _no_manifest(folder: Path, load: int | None) -> str:
    if load is not None and (folder / MANIFEST).exists():
        return _written_anew(folder)
    if (folder / WORK).exists():
        return f"The log in {folder} isn't finished. Ingest it again with the same arguments to go on, or take --cancel."
    return f"{folder} holds no ingested log: it has no {MANIFEST}. Make one with: vitrina ingest SOURCE --out {folder}"


def commit(folder: Path, manifest: Manifest) -> None:
    """Make this the state of the folder. Its files must be there."""
    text = json.dumps(asdict(manifest), indent=1)
    write_text(_of_load(folder, manifest.load), text)
    write_text(folder / MANIFEST, text)


def sweep(folder: Path, manifest: Manifest) -> None:
    """Remove every file of the log that the manifest doesn't name, with the states that need them."""
    named = {folder / file.name for file in manifest.files} | {_of_load(folder, manifest.load)}
    for path in [path for part in FOLDERS for path in (folder / part).rglob("*")]:
        if path.is_file() and path not in named:
            path.unlink()


def forget_before(folder: Path, load: int) -> None:
    """Remove the files that no state from this load on names, and the earlier states that need one of them."""
    states = {int(path.stem): path for path in (folder / "manifests").glob("*.json")}
    now = read_manifest(folder).load
    kept = [read_manifest(folder, number) for number in states if load <= number <= now]
    named = {folder / file.name for state in kept for file in state.files}
    for number, path in states.items():
        if number > now or (
            number < load and not named.issuperset(folder / file.name for file in read_manifest(folder, number).files)
        ):  # of a load that was killed in its last moment, and given up
            path.unlink()
    for path in sorted(
        (path for part in ("items", "shards") for path in (folder / part).rglob("*")), reverse=True
    ):  # files before their folders
        if path.is_file() and path not in named:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _of_load(folder: Path, load: int) -> Path:
    return folder / "manifests" / f"{load:05}.json"


def write_file(folder: Path, name: str, frame: pl.DataFrame) -> File:
    """Write a file of the folder, whole or not at all; the same frame gives the same bytes."""
    path = folder / name
    body = io.BytesIO()
    frame.write_parquet(body, compression="zstd", compression_level=1, statistics=False)
    content = body.getbuffer()
    with atomic_file(path) as staging:
        staging.write_bytes(content)
    return File(name, frame.height, len(content), zlib.crc32(content))


_sound: set[tuple[str, int]] = set()  # files whose content this process has looked at


def read_file(folder: Path, file: File, columns: list[str] | None = None) -> pl.DataFrame:
    """The rows of a file.

    Raises:
        DataError: it is gone, cut off, damaged, or another one.
    """
    path = folder / file.name
    if not path.is_file():
        raise DataError(_gone(folder, file))
    try:
        if (str(path), file.crc32) in _sound:
            check(folder, file)  # another log may have taken the place
            return pl.read_parquet(path, columns=columns, glob=False)
        content = path.read_bytes()
        check(folder, file, len(content))
        if zlib.crc32(content) != file.crc32:
            raise DataError(f"{path} is damaged: its content isn't what was written. {AGAIN}")
        frame = pl.read_parquet(io.BytesIO(content), columns=columns)
    except (OSError, PolarsError) as error:
        raise DataError(f"{path} can't be read: {str(error).splitlines()[0]}. {AGAIN}") from None
    _sound.add((str(path), file.crc32))
    return frame


def _gone(folder: Path, file: File) -> str:
    try:
        named = file in read_manifest(folder).files
    except DataError:
        named = True
    if not named:
        return _written_anew(folder)
    if not folder.exists():
        return (
            f"There is no folder {folder} on {platform.node()}: the log was moved or removed, or this machine doesn't see it. Workers of a cluster need "
            "the log at the same path as the command (shared storage)."
        )
    return f"{folder / file.name} is gone. It held {file.rows:,} row{'s' * (file.rows != 1)}. {AGAIN}"


def _written_anew(folder: Path) -> str:
    return f"The log in {folder} was written anew since it was opened. Open it again: Dataset.open({str(folder)!r})."


def check(folder: Path, file: File, size: int | None = None) -> None:
    """Refuse a file that is gone or has another size than it was written with; its content is looked at when it is read."""
    path = folder / file.name
    if size is None and not path.is_file():
        raise DataError(_gone(folder, file))
    size = path.stat().st_size if size is None else size
    if size != file.bytes:
        raise DataError(f"{path} is damaged: it has {size:,} bytes, and {file.bytes:,} were written. {AGAIN}")


def users_of(folder: Path, pieces: Iterable[Piece]) -> pl.Series:
    """The ids of a shard's people as text, in the order of their codes."""
    parts = [read_file(folder, piece.users)["id"] for piece in pieces if piece.users is not None]
    return pl.concat(parts) if parts else pl.Series("id", [], dtype=pl.String)


def events_of(folder: Path, pieces: Sequence[Piece], columns: Sequence[str]) -> tuple[pl.DataFrame, bool]:
    """The named columns of a shard's events, one load after another, without those that were dropped; and whether they are sorted already."""
    dropping = [piece for piece in pieces if piece.dropped is not None]
    wanted = [*columns, *(["event_id"] if dropping and "event_id" not in columns else [])]
    parts, gone = [], None
    for piece in reversed(pieces):
        if piece.events is not None:
            frame = read_file(folder, piece.events, wanted)
            parts.append(frame if gone is None else frame.filter(~pl.col("event_id").is_in(gone.implode())))
        if piece.dropped is not None:
            ids = read_file(folder, piece.dropped)["event_id"]
            gone = ids if gone is None else pl.concat([gone, ids])
    return (pl.concat(parts[::-1]) if parts else pl.DataFrame()).select(columns if parts else []), len(parts) <= 1


def first_users(manifest: Manifest) -> Int64:
    """(shards + 1,) how many people the shards before each have."""
    return np.append(0, np.cumsum([shard.users for shard in manifest.shards])).astype(np.int64)


@lru_cache(maxsize=8)
def manifest_at(folder: Path, load: int, state: int | None = None) -> Manifest:
    """The same as `read_manifest`, read once per process.

    Raises:
        DataError: the folder was given another log since, which has another `Manifest.state`.
    """
    manifest = read_manifest(folder, load)
    if state not in (None, manifest.state):
        raise DataError(_written_anew(folder))
    return manifest
