"""What a load comes to in one shard: its new people, its events behind those of before, and which of those are gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from vitrina.base.hashing import IdTable, text_hashes
from vitrina.data.ingest.format import Manifest, Piece, Shard, events_of, users_of, write_file
from vitrina.data.ingest.shards import in_order, write_piece
from vitrina.data.ingest.upsert import replaced
from vitrina.types import Int64


def shard_after(folder: Path, manifest: Manifest, number: int, rows: pl.DataFrame, ids: pl.DataFrame | None = None) -> Shard:
    """A shard after the load that follows a state of the log; its files are written, and count when a manifest names them.

    Args:
        manifest: the state before.
        rows: events that are taken, in the order of their arrival: `user` as text, and the columns of `DTYPES`.
        ids: of a load that corrects, `event_id` and `deleted` of every event that it speaks of.

    Cost: the ids of the shard's people; for a load that corrects the ids of its events too.
    """
    shard, load = manifest.shards[number], manifest.load + 1
    known = users_of(folder, shard.pieces)
    table = IdTable()
    table.add(known)
    codes, places = table.add(rows["user"])
    new = rows["user"].gather(places)
    people = pl.concat([known, new.rename(known.name)])
    events = in_order(rows.with_columns(pl.Series("user", codes)), len(people))
    piece = write_piece(folder, number, load, new, events, text_hashes(people))
    gone = None if ids is None else replaced(folder, shard, ids, "time" in manifest.columns)
    if gone is not None and gone.height:
        piece = _dropping(folder, number, piece, gone)
    held = _events_per_user(folder, shard, len(people), gone) + np.bincount(codes, minlength=len(people))
    pieces = shard.pieces if piece == Piece(load) else (*shard.pieces, piece)
    return replace(shard, events=int(held.sum()), users=len(people), people=int((held > 0).sum()), pieces=pieces)


def _dropping(folder: Path, number: int, piece: Piece, gone: pl.DataFrame) -> Piece:
    """The piece with the ids of events that it takes out of the pieces before it."""
    ids = gone.drop("user")
    file = write_file(folder, f"shards/{number:04}/dropped-{piece.load:05}.parquet", ids)
    content = (int(piece.content, 16) + int(text_hashes(gone["event_id"]).sum(dtype=np.uint64))) % 2**64
    return replace(piece, dropped=file, content=f"{content:016x}")


def _events_per_user(folder: Path, shard: Shard, users: int, gone: pl.DataFrame | None) -> Int64:
    """(users,) the events of before that stay."""
    before, _ = events_of(folder, shard.pieces, ["user"])
    codes = before["user"].to_numpy() if before.width else np.empty(0, np.int32)
    held = np.bincount(codes, minlength=users)
    return held if gone is None else held - np.bincount(gone["user"].to_numpy(), minlength=users)
