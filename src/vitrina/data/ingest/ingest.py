"""A log of files becomes a folder of shards."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.base.hashing import text_hashes
from vitrina.data.dataset import Dataset
from vitrina.data.ingest.format import MANIFEST, Manifest, Shard, TableOf, commit, write_file
from vitrina.data.ingest.open import open_log
from vitrina.data.ingest.shards import shard_of_ids, write_piece
from vitrina.data.read.io import read_interactions
from vitrina.vocabulary import Vocabulary


def ingest(source: Any, out: str | Path, *, shards: int | None = None, force: bool = False, **reading: Any) -> Dataset:
    """Write a log to a folder of shards, and open it."""
    folder = Path(out)
    if (folder / MANIFEST).exists() and not force:
        raise ParameterError(f"{folder} holds a log already. Open it with Dataset.open, or replace it with force=True.", parameter="out")
    data = read_interactions(source, **reading)
    manifest = _written(data, folder, shards or 1, reading)
    commit(folder, manifest)
    return open_log(folder)


def _written(data: Dataset, folder: Path, count: int, reading: dict[str, Any]) -> Manifest:
    texts = data.users.as_text().ids
    shard = shard_of_ids(texts, count)
    parts = tuple(_shard(data, folder, number, np.flatnonzero(shard == number)) for number in range(count))
    items = write_file(folder, "items/00000.parquet", data.items.as_text().ids.rename("id").to_frame())
    table = data.item_table
    about = None if table is None else TableOf(dict(table.kinds), table.title, write_file(folder, "items/table-00000.parquet", table.frame))
    columns = {"user": "user_id", "item": "item_id"} | {
        name: name for name in ("time", "value", "kind", "basket", "weight") if getattr(data.events, f"{name}s") is not None
    }
    types = {name: "whole" if v.ids.dtype.is_integer() else "text" for name, v in (("user_type", data.users), ("item_type", data.items))}
    times = data.events.times
    manifest = Manifest(
        0,
        data.name,
        {},
        columns,
        **types,
        time_unit=data.time_unit,
        kind_names=data.kind_names,
        n_items=data.n_items,
        items=(items,),
        shards=parts,
        rows=data.n_events,
        watermark=None if times is None else int(times.max()),
        steps=data.steps,
        item_table=about,
    )
    return replace(manifest, fingerprint=fingerprint_of(manifest, data.items))


def fingerprint_of(manifest: Manifest, items: Vocabulary) -> str:
    """16 hex digits that stand for the content of a log: ids, events, types and tables, not for the files that it came from or lies in."""
    total = sum(int(piece.content, 16) for shard in manifest.shards for piece in shard.pieces) % 2**64
    asked = (
        manifest.user_type,
        manifest.time_unit,
        manifest.kind_names,
        sorted(manifest.columns),
        items.fingerprint(),
        total,
        [
            None if table is None else (table.kinds, table.title, table.file and table.file.crc32)
            for table in (manifest.item_table, manifest.user_table)
        ],
        sum(shard.table.crc32 for shard in manifest.shards if shard.table is not None),
    )
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]


def _shard(data: Dataset, folder: Path, number: int, people: Any) -> Shard:
    lengths = np.diff(data.indptr)[people]
    at = data.events_of(people)
    own = data.events.take(at)
    columns = {"user": np.repeat(np.arange(len(people)), lengths)} | {
        name.removesuffix("s"): column for name, column in own.columns().items()
    }
    events = pl.DataFrame(columns | {"row": at})
    ids = data.users.as_text().ids.gather(people)
    piece = write_piece(folder, number, 0, ids, events, text_hashes(ids))
    return Shard(len(at), len(people), int((lengths > 0).sum()), (piece,) if len(people) else ())
