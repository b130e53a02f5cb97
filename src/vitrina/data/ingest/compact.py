"""Pieces of many loads into one per shard: the same log in fewer files, without what was replaced or deleted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base import parts
from vitrina.base.errors import ParameterError
from vitrina.base.executor import Executor, InProcess
from vitrina.base.hashing import text_hashes
from vitrina.data.dataset import Dataset
from vitrina.data.ingest.format import (
    WORK,
    File,
    Manifest,
    Shard,
    commit,
    events_of,
    forget_before,
    manifest_at,
    read_file,
    read_manifest,
    shard_of,
    users_of,
    write_file,
)  # fmt: skip
from vitrina.data.ingest.open import open_log
from vitrina.data.ingest.shards import columns_of, in_order, write_piece
from vitrina.data.ingest.work import ASKED, is_committed, remove
from vitrina.types import Int64


def compact(out: str | Path, *, executor: Executor = InProcess()) -> Dataset:
    """Write the pieces that loads have brought to each shard as one, without events that were replaced or deleted, and open the log.

    The events, their order, all numbers and the fingerprint are the same. People without events leave the vocabularies of their shards; items stay, as models know
    them by their codes. The files of the state before stay for who has it open, until the next compaction; where nothing is left to compact they are removed.

    Args:
        out: the folder of the log.
        executor: who goes through the shards.

    Raises:
        DataError: there is no log, or a file of it is gone or damaged.
        ParameterError: a load of the folder is under way.

    Cost: each shard that has more than one piece, or something dropped, is read and written once; a killed one goes on with the same call.
    """
    folder = Path(out).absolute()
    work = folder / WORK
    read_manifest(folder)  # before anything is written there
    if is_committed(folder):
        remove(folder)
    with parts.alone(work):
        if (work / ASKED).exists():
            raise ParameterError(
                f"{folder} has an unfinished load. Ask for the same again to go on with it, or remove it: vitrina ingest --out {folder} --cancel."
            )
        manifest = read_manifest(folder)
        after = _compacted(folder, manifest, executor)
        if after is not None:
            commit(folder, after)
        forget_before(folder, manifest.load)
        remove(folder)
    return open_log(folder)


def _compacted(folder: Path, manifest: Manifest, executor: Executor) -> Manifest | None:
    """The state with one piece per shard, whose files are written; None where it is so already."""
    busy = [number for number, shard in enumerate(manifest.shards) if len(shard.pieces) > 1 or any(p.dropped for p in shard.pieces)]
    if not busy and len(manifest.items) <= 1:
        return None
    function, load = _Compacted(str(folder), manifest.load, manifest.state), manifest.load + 1
    job = folder / WORK / f"compact-{load:05}"  # what a killed one of another state left is not gone on with
    found = parts.run_parts(function, busy, job, key=f"compact {manifest.state}", executor=executor)
    shards = list(manifest.shards)
    for number, shard in zip(busy, found, strict=True):
        shards[number] = shard_of(shard)
    ids = pl.concat([read_file(folder, file) for file in manifest.items])
    return replace(manifest, load=load, shards=tuple(shards), items=(write_file(folder, f"items/{load:05}.parquet", ids),))


@final
@dataclass(frozen=True)
class _Compacted:
    """A shard of a state of the log as one piece of the next."""

    folder: str
    generation: int
    state: int

    def __call__(self, number: int) -> dict[str, Any]:
        folder, load = Path(self.folder), self.generation + 1
        manifest = manifest_at(folder, self.generation, self.state)
        shard = manifest.shards[number]
        users = users_of(folder, shard.pieces)
        events, _ = events_of(folder, shard.pieces, columns_of(manifest.columns))
        codes = events["user"].to_numpy() if events.width else np.empty(0, np.int32)
        people = np.flatnonzero(np.bincount(codes, minlength=len(users)))
        place = np.zeros(len(users), np.int32)
        place[people] = np.arange(len(people), dtype=np.int32)
        ids = users.gather(people)
        if events.width:
            events = in_order(events.with_columns(pl.Series("user", place[codes])), len(people))
        piece = write_piece(folder, number, load, ids, events, text_hashes(ids))
        content = sum(int(before.content, 16) for before in shard.pieces) % 2**64  # so that the log has the fingerprint that it had
        gone = (*shard.gone, *(before.dropped for before in shard.pieces if before.dropped is not None))
        pieces = (replace(piece, content=f"{content:016x}"),)
        return asdict(Shard(events.height, len(people), len(people), pieces, _described(folder, shard, number, load, people), gone))


def _described(folder: Path, shard: Shard, number: int, load: int, people: Int64) -> File | None:
    """The table of the shard's people, of those who are left."""
    if shard.table is None:
        return None
    table = read_file(folder, shard.table)
    return write_file(folder, f"shards/{number:04}/table-{load:05}.parquet", table[people[people < table.height]])
