"""Stage 2 of a load: what blocks have of a shard becomes its first piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.hashing import IdTable, text_hashes
from vitrina.base.ids import whole_numbers
from vitrina.data.features import TITLE_NAMES, FeatureTable, as_kind, guess_kind
from vitrina.data.ingest.blocks import rows_of
from vitrina.data.ingest.format import File, Shard, TableOf, write_file
from vitrina.data.ingest.shards import in_order, indptr_of, shard_of_ids, write_piece
from vitrina.data.order import stable_order
from vitrina.data.read.reader import MISSING_AS_TEXT
from vitrina.data.read.tables import TableRead
from vitrina.vocabulary import Vocabulary

TABLE = "users.arrow"


@final
@dataclass(frozen=True)
class Build:
    """Writes a shard; it may be done anywhere, and twice.

    Args:
        folder: of the log.
        work: of the blocks.
        blocks: how many there are.
        load: the number of the load.
        id_column: of the table of users that lies beside the blocks; None where there is none.
        kinds: of that table's columns.
    """

    folder: str
    work: str
    blocks: int
    load: int
    id_column: str | None = None
    kinds: Mapping[str, Any] | None = None

    def __call__(self, shard: int) -> dict[str, Any]:
        """What JSON holds: the `Shard`, and what is asked of all of them."""
        rows = rows_of(Path(self.work), self.blocks, shard)
        if rows is None:
            return {"shard": asdict(Shard(0, 0, 0, ())), "again": 0, "whole": True, "odd": [], "described": 0}
        count = rows.height
        if "event_id" in rows.columns:
            rows = rows.unique("event_id", keep="first", maintain_order=True)
        codes, places = IdTable().add(rows["user"])
        ids = rows["user"].gather(places).cast(pl.String).alias("id")
        events = in_order(rows.with_columns(user=pl.Series(codes)), len(ids))
        piece = write_piece(Path(self.folder), shard, self.load, ids, events, text_hashes(ids))
        table, described = self._table(shard, ids)
        return {
            "shard": asdict(Shard(rows.height, len(ids), len(ids), (piece,), table)), "again": count - rows.height,
            "whole": not whole_numbers(ids).null_count(), "odd": [word for word in MISSING_AS_TEXT if word in ids], "described": described,
        }  # fmt: skip

    def _table(self, shard: int, ids: pl.Series) -> tuple[File | None, int]:
        """What is known of its people, and of how many."""
        if self.id_column is None:
            return None, 0
        first, last = np.load(_starts(Path(self.work)), allow_pickle=False)[shard : shard + 2].tolist()
        part = pl.scan_ipc(Path(self.work) / TABLE).slice(first, last - first).collect()
        people = Vocabulary(ids)
        frame = FeatureTable.of(part, self.id_column, people, kinds=self.kinds).frame
        file = write_file(Path(self.folder), f"shards/{shard:04}/table-{self.load:05}.parquet", frame)
        return file, int((people.encode(part[self.id_column]) >= 0).sum())


def put_users(work: Path, read: TableRead, shards: int) -> TableOf:
    """Lay a table of users beside the blocks, grouped by shard; how its columns are meant."""
    columns = [as_kind(column, read.kinds.get(column.name)) for column in read.frame.drop(read.id_column)]
    kinds = {column.name: kind for column in columns if (kind := read.kinds.get(column.name) or guess_kind(column)) is not None}
    shard = shard_of_ids(read.ids, shards)
    starts = indptr_of(shard, shards)
    frame = pl.DataFrame([read.ids.alias(read.id_column), *columns])[stable_order(shard, starts, None)]
    frame.write_ipc(work / TABLE, compression="uncompressed")
    np.save(_starts(work), starts, allow_pickle=False)
    return TableOf(dict(kinds), next((c.name for name in TITLE_NAMES for c in columns if c.name.lower() == name), None))


def _starts(work: Path) -> Path:
    return work / "users-starts.npy"
