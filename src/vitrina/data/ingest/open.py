"""A log on disk as a Dataset whose shards are read when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.ids import without_zero_fraction
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.data.ingest.format import (
    Manifest,
    TableOf,
    check,
    events_of,
    first_users,
    manifest_at,
    read_file,
    read_manifest,
    users_of,
)
from vitrina.data.ingest.shards import DTYPES, in_order, indptr_of, number_baskets, shard_of_ids
from vitrina.data.sharded import Sharded
from vitrina.data.versions import Versions
from vitrina.types import Events, Int32
from vitrina.vocabulary import Vocabulary

OF_EVENTS = {"item": "items", "time": "times", "value": "values", "kind": "kinds", "basket": "baskets", "weight": "weights"}


@final
@dataclass(frozen=True)
class Opened:
    """The shards of a log on disk as it was after a load: a folder and a number, so that another process can open them.

    What all shards share (the manifest, the items and their table) is read once per process.
    """

    folder: str
    generation: int  # the load
    state: int | None = None  # of its manifest, so that another log that takes the folder isn't taken for it

    @property
    def manifest(self) -> Manifest:
        return manifest_at(Path(self.folder), self.generation, self.state)

    def __len__(self) -> int:
        return len(self.manifest.shards)

    @property
    def n_events(self) -> int:
        return sum(shard.events for shard in self.manifest.shards)

    @property
    def n_users(self) -> int:
        return sum(shard.people for shard in self.manifest.shards)

    @property
    def fingerprint(self) -> str:
        return self.manifest.fingerprint

    @property
    def latest(self) -> int | None:
        return self.manifest.watermark

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(field for name, field in OF_EVENTS.items() if name in self.manifest.columns)

    def shard_of(self, ids: pl.Series) -> Int32:
        """(ids,) the shard of each person, by the plain text of the id."""
        return shard_of_ids(without_zero_fraction(ids), len(self))

    def load(self, index: int) -> Dataset:
        manifest, folder = self.manifest, Path(self.folder)
        pieces = manifest.shards[index].pieces
        users = Vocabulary(_typed(users_of(folder, pieces), manifest.user_type))
        columns = ["user", *(name for name in OF_EVENTS if name in manifest.columns)]
        if "order_by" in manifest.columns and len(pieces) > 1:
            columns.append("order")
        frame, is_sorted = events_of(folder, pieces, columns)
        if not frame.width:
            frame = pl.DataFrame(schema={name: DTYPES[name] for name in columns})
        if not is_sorted:
            frame = in_order(frame, len(users))
        indptr = indptr_of(frame["user"].to_numpy(), len(users))
        own = {field: frame[name].to_numpy(writable=True) for name, field in OF_EVENTS.items() if name in frame.columns}
        if "baskets" in own:
            own["baskets"] = number_baskets(own["baskets"], indptr)
        about = shared(self.folder, self.generation, self.state)
        return Dataset(
            Events(**own),
            indptr,
            users,
            first_user=int(first_users(manifest)[index]),
            latest=manifest.watermark,
            user_table=self._user_table(index),
            **about,
        )

    def _user_table(self, index: int) -> FeatureTable | None:
        manifest, folder = self.manifest, Path(self.folder)
        file, table = manifest.shards[index].table, manifest.user_table
        return None if file is None or table is None else _table(folder, table, file, manifest.shards[index].users)


@lru_cache(maxsize=2)
def shared(folder: str, generation: int, state: int | None = None) -> dict[str, Any]:
    """What all shards have in common, as fields of a Dataset."""
    manifest, place = manifest_at(Path(folder), generation, state), Path(folder)
    ids = pl.concat([read_file(place, file)["id"] for file in manifest.items])
    table = manifest.item_table
    return {
        "items": Vocabulary(_typed(ids, manifest.item_type)),
        "item_table": None if table is None or table.file is None else _table(place, table, table.file, manifest.n_items),
        "time_unit": manifest.time_unit,
        "kind_names": manifest.kind_names,
        "steps": manifest.steps,
        "name": manifest.name,
    }


def _typed(ids: pl.Series, kind: str) -> pl.Series:
    return ids.cast(pl.Int64) if kind == "whole" else ids


def _table(folder: Path, about: TableOf, file: Any, count: int) -> FeatureTable:
    """A table with a row for each of `count` codes: those that came after it have nulls."""
    frame = read_file(folder, file)
    if frame.height < count:
        frame = frame[pl.Series(np.arange(count)).set(pl.Series(np.arange(count) >= frame.height), None).cast(pl.UInt32)]
    versions = None if about.versions is None else Versions.of_table(read_file(folder, about.versions))
    return FeatureTable(frame, about.kinds, about.title, versions)  # type: ignore[arg-type]


def open_log(folder: str | Path) -> Sharded:
    """Open a log that `vitrina.ingest` wrote; its files are looked for, and read when a shard is asked for.

    Raises:
        DataError: there is none, it isn't finished, or a file is gone or cut off.
    """
    folder = Path(folder).absolute()
    manifest = read_manifest(folder)
    for file in manifest.files:
        check(folder, file)
    parts = Opened(str(folder), manifest.load, manifest.state)
    return Sharded(parts, shared(parts.folder, parts.generation, parts.state))
