"""What is written of a shard: its people, its events in their order, and what both come to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.hashing import text_hashes
from vitrina.base.kernels import Spread, kernel
from vitrina.data.ingest.format import File, Piece, write_file
from vitrina.data.order import stable_order
from vitrina.types import Int32, Int64

# columns of a piece of events, in their order; all but the first two where the log has them
DTYPES: dict[str, Any] = {
    "user": pl.Int32, "item": pl.Int32, "time": pl.Int64, "value": pl.Float32, "kind": pl.UInt8, "basket": pl.UInt64, "weight": pl.Float32,
    "order": pl.Int64, "row": pl.Int64, "event_id": pl.String,
}  # fmt: skip
OF_CONTENT = ("time", "value", "kind", "basket", "weight")


def shard_of_ids(texts: pl.Series, shards: int) -> Int32:
    """(ids,) the shard of each person, by the plain text of the id (`base.ids`)."""
    return (text_hashes(texts) % np.uint64(shards)).astype(np.int32)


def in_order(events: pl.DataFrame, users: int) -> pl.DataFrame:
    """Events of one load sorted by (user, time, order); those that are equal keep their order, which is that of `row`."""
    if "order" in events.columns:
        events = events[np.argsort(events["order"].to_numpy(), kind="stable")]
    codes = events["user"].to_numpy(writable=True)
    times = events["time"].to_numpy(writable=True) if "time" in events.columns else None
    return events[stable_order(codes, indptr_of(codes, users), times)]


def indptr_of(codes: Int32, users: int) -> Int64:
    """(users + 1,) where the events of each user begin, once they are sorted."""
    indptr = np.zeros(users + 1, np.int64)
    np.cumsum(np.bincount(codes, minlength=users), out=indptr[1:])
    return indptr


def write_piece(folder: Path, shard: int, load: int, users: pl.Series, events: pl.DataFrame, people: NDArray[np.uint64]) -> Piece:
    """Write what a load brings to a shard.

    Args:
        users: ids of its new people as text, in the order of their codes.
        events: with the columns of `DTYPES`, sorted by `in_order`.
        people: the hash of the id of every user of the shard, by code.
    """

    def write(what: str, frame: pl.DataFrame) -> File | None:
        return write_file(folder, f"shards/{shard:04}/{what}-{load:05}.parquet", frame) if frame.height else None

    columns = [name for name in DTYPES if name in events.columns]
    events = events.select(pl.col(name).cast(DTYPES[name]) for name in columns)
    latest = events["time"].max() if "time" in columns else None
    return Piece(
        load, write("events", events), write("users", users.rename("id").to_frame()), latest=latest, content=content_of(events, people)  # type: ignore[arg-type]
    )  # fmt: skip


def columns_of(roles: Iterable[str]) -> list[str]:
    """The columns of the pieces of a log that has these roles."""
    has = {"user", "item", "row", *roles} | ({"order"} if "order_by" in roles else set())
    return [name for name in DTYPES if name in has]


def content_of(events: pl.DataFrame, people: NDArray[np.uint64]) -> str:
    """16 hex digits that stand for the events of a piece: the sum, modulo 2^64, of a hash of each.

    A hash is of the person's id, the item's code, the columns, and the item before it in the same moment: so pieces can be added up, and the order of
    equal times counts.
    """
    if not events.height:
        return "0" * 16
    user, item = events["user"].to_numpy(), events["item"].to_numpy().astype(np.uint64)
    new = np.append(True, user[1:] != user[:-1])
    if "time" in events.columns:
        times = events["time"].to_numpy()
        new |= np.append(True, times[1:] != times[:-1])
    before = np.where(new, np.uint64(0), np.append(np.uint64(0), item[:-1]) + np.uint64(1))
    columns = [events[name] for name in OF_CONTENT if name in events.columns]
    if "event_id" in events.columns:
        columns.append(pl.Series(text_hashes(events["event_id"])))
    total = people[user]
    for values in (item, before, *(_bits(column.to_numpy()) for column in columns)):
        _stir(len(total), total, values)
    return f"{int(total.sum(dtype=np.uint64)):016x}"


def _bits(column: NDArray[Any]) -> NDArray[np.uint64]:
    return column.view(np.uint32).astype(np.uint64) if column.dtype == np.float32 else column.astype(np.uint64)


@Spread
def _stir(first: Any, last: Any, total: Any, values: Any) -> None:  # pragma: no cover
    for row in range(first, last):
        value = total[row] * np.uint64(0x9E3779B97F4A7C15) + values[row] + np.uint64(1)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        total[row] = value ^ (value >> np.uint64(31))


@kernel
def number_baskets(hashes: Any, indptr: Any) -> Any:  # pragma: no cover
    """(events,) codes of (user, basket) in the order of the events, from hashes of the baskets' ids: equal ones of two people are two baskets."""
    size = 1
    while size < 2 * len(hashes):
        size *= 2
    mask = np.uint64(size - 1)
    slots = np.full(size, -1, np.int64)  # the first event of a basket
    codes, owner = np.empty(len(hashes), np.int32), np.empty(len(hashes), np.int32)
    count = 0
    for user in range(len(indptr) - 1):
        for at in range(indptr[user], indptr[user + 1]):
            owner[at] = user
            slot = (hashes[at] + np.uint64(user) * np.uint64(0x9E3779B97F4A7C15)) & mask
            while slots[slot] >= 0 and not (owner[slots[slot]] == user and hashes[slots[slot]] == hashes[at]):
                slot = (slot + np.uint64(1)) & mask
            if slots[slot] < 0:
                slots[slot] = at
                codes[at] = count
                count += 1
            else:
                codes[at] = codes[slots[slot]]
    return codes
