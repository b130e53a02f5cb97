"""Stage 1 of a load: the sources are read once, and their good rows written in blocks, each grouped by shard.

A block is a folder that is there as a whole or not at all. Its record holds all that reading had decided and counted up to its end, so that a load which
was killed goes on behind the last block as if nothing had happened: the same items have the same codes, and the same rows the same numbers.

    00000/rows.arrow      the rows, shard by shard, in each as they came: `user` (the id), `item` (the code), the columns of `shards.DTYPES`, `row`
    00000/starts.npy      (shards + 1,) where the rows of each shard begin
    00000/items.parquet   ids of the items that are new in it; titles.parquet their titles, where the log has them; gate.parquet what its gate saw
    00000/block.json      the record
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.files import atomic_folder
from vitrina.base.hashing import text_hashes
from vitrina.base.ids import without_zero_fraction
from vitrina.data.ingest.gate import Everything, Gate
from vitrina.data.ingest.shards import DTYPES, indptr_of, shard_of_ids
from vitrina.data.order import stable_order
from vitrina.data.read.clock import Clock
from vitrina.data.read.dates import DateForm
from vitrina.data.read.numerals import Numerals
from vitrina.data.read.reader import LogReader
from vitrina.data.read.sources import Chunk, Source
from vitrina.data.read.validate import BadRows, OnBadRow

ROWS = 4_000_000  # of a block
RECORD = "block.json"


@dataclass
class Place:
    """How far the sources were read."""

    source: int = 0  # those before it are done
    row: int = 0  # the last row of this one that was read
    good: int = 0  # rows that are in blocks, or will be in the next one
    latest: int | None = None  # time


@dataclass
class Blocks:
    """Reads sources into blocks of a folder; those that are there already are not made again."""

    reader: LogReader
    sources: list[Source]
    folder: Path
    shards: int
    on_bad_row: OnBadRow
    gate: Gate = field(default_factory=Everything)
    count: int = 0
    place: Place = field(default_factory=Place)
    bad: BadRows = field(init=False)
    waiting: list[pl.DataFrame] = field(default_factory=list)  # rows of the next block
    known: int = 0  # parts of the item ids that are in blocks

    def __post_init__(self) -> None:
        self.bad = BadRows(self.on_bad_row, self._bad_rows(0))
        while (self._block(self.count) / RECORD).exists():
            self._take_up()

    def write(self, done: Callable[[int], None]) -> None:
        """Read what is not in blocks yet.

        Args:
            done: called with the number of rows read, now and then.
        """
        done(self.reader.rows)
        if self.place.source == len(self.sources):
            return
        with ThreadPoolExecutor(1, "vitrina-blocks") as pool:
            under_way: Future[None] | None = None
            for number in range(self.place.source, len(self.sources)):
                source, after = self.sources[number], self.place.row if number == self.place.source else 0
                self.place = replace(self.place, source=number, row=after)
                for chunk in _chunks_after(source, list(dict.fromkeys([*self.reader.wanted, *self.gate.columns])), after):
                    self._take(source, chunk)
                    done(self.reader.rows)
                    if sum(map(len, self.waiting)) >= ROWS:
                        under_way = self._cut(pool, under_way)
            self.place = Place(len(self.sources), 0, self.place.good, self.place.latest)
            last = self._cut(pool, under_way)
            last.result()

    def _take(self, source: Source, chunk: Chunk) -> None:
        frame, ready = self.reader.kept(source, self.gate.before(source, chunk, self.bad), self.bad)
        if (taken := self.gate.keep(frame, ready, self.place.good)) is not None:
            frame, ready = frame.filter(taken), {role: values.filter(taken) for role, values in ready.items()}
        own: dict[str, Any] = {}
        for role, values in ready.items():
            if role in ("item", "kind"):
                own[role] = self.reader.codes(role, values, frame, source)
            elif role in ("user", "basket"):
                own[role] = self.reader.coders[role].plain(values, self.reader.form(role, frame, source))
            else:
                own["order" if role == "order_by" else role] = without_zero_fraction(values) if role == "event_id" else values
        self.reader.kind_names()  # too many are refused at once
        own["shard"] = shard_of_ids(own["user"], self.shards)
        given = frame[self.reader.columns["user"]]
        if given.dtype.is_integer() and given.dtype != pl.UInt64:
            own["user"] = given.cast(pl.Int64)
        if "basket" in own:
            own["basket"] = text_hashes(own["basket"])
        own["row"] = np.arange(self.place.good, self.place.good + len(frame))
        table = pl.DataFrame({name: own[name] for name in ("shard", *DTYPES) if name in own})
        self.waiting.append(table.cast({name: DTYPES[name] for name in table.columns if name not in ("shard", "user")}))
        times = [own["time"].max(), self.place.latest] if "time" in own and len(frame) else [self.place.latest]
        self.place = Place(
            self.place.source,
            max([self.place.row, *([int(chunk.rows[-1])] if len(chunk.rows) else []), *(one.row for one in chunk.broken)]),
            self.place.good + len(frame),
            max((time for time in times if time is not None), default=None),
        )

    def _cut(self, pool: ThreadPoolExecutor, under_way: Future[None] | None) -> Future[None]:
        """What waits becomes a block, which is written while reading goes on; one at a time, so that none is there without those before it."""
        self.bad.__exit__(None, None, None)
        items = self.reader.coders["item"].ids_of_chunks
        new, self.known = items[self.known :], len(items)
        titles = None if self.reader.titles is None else self.reader.titles.pairs
        gate, came = self.gate.cut()
        record = {
            "gate": gate, "place": asdict(self.place), "read": _decided(self.reader),
            "bad": {"reasons": dict(self.bad.reasons), "remedies": self.bad.remedies},
        }  # fmt: skip
        waiting, self.waiting = self.waiting, []
        if under_way is not None:
            under_way.result()
        block = self._block(self.count)
        self.count += 1
        self.bad = BadRows(self.on_bad_row, self._bad_rows(self.count), self.bad.reasons, self.bad.remedies)
        return pool.submit(_write_block, block, waiting, self.shards, new, {"titles": titles, "gate": came}, record)

    def _take_up(self) -> None:
        """The next block that is there: what it says becomes what is known."""
        block = self._block(self.count)
        record = json.loads((block / RECORD).read_text(encoding="utf-8"))
        self.place = Place(**record["place"])
        _decide(self.reader, record["read"])
        ids = pl.read_parquet(block / "items.parquet")["id"]
        self.reader.coders["item"].table.add(ids)
        self.reader.coders["item"].ids_of_chunks.append(ids)
        self.known = len(self.reader.coders["item"].ids_of_chunks)
        if self.reader.titles is not None:
            self.reader.titles.pairs = pl.read_parquet(block / "titles.parquet")
        self.gate.take_up(record["gate"], pl.read_parquet(block / "gate.parquet") if (block / "gate.parquet").exists() else None)
        self.count += 1
        self.bad = BadRows(self.on_bad_row, self._bad_rows(self.count), Counter(record["bad"]["reasons"]), record["bad"]["remedies"])

    def busy_shards(self) -> list[int]:
        """The shards that have rows in blocks."""
        starts = [np.load(path, allow_pickle=False) for path in sorted(self.folder.glob("*/starts.npy"))]
        return np.flatnonzero(sum(np.diff(one) for one in starts)).tolist() if starts else []

    def _block(self, number: int) -> Path:
        return self.folder / f"{number:05}"

    def _bad_rows(self, number: int) -> Path:
        return self.folder / f"bad-{number:05}.csv"

    def bad_rows(self, path: Path) -> BadRows:
        """The account of all bad rows, which are put together in a file."""
        files = [self._bad_rows(number) for number in range(self.count) if self._bad_rows(number).exists()]
        all_of_them = BadRows(self.on_bad_row, path, self.bad.reasons, self.bad.remedies)
        with all_of_them:
            all_of_them.take_files(files)
        return all_of_them


def _chunks_after(source: Source, columns: list[str], row: int) -> Iterator[Chunk]:
    """The chunks of a source behind a row of it."""
    begun = row == 0
    for chunk in source.chunks(columns):
        if begun or chunk.frame.height == 0:
            if begun or any(one.row > row for one in chunk.broken):
                yield chunk
            continue
        numbers = np.asarray(chunk.rows)
        begun = int(numbers[-1]) > row
        if begun and int(numbers[0]) > row:
            yield chunk
        elif begun:
            keep = numbers > row
            broken = tuple(one for one in chunk.broken if one.row > row)
            yield Chunk(chunk.frame.filter(pl.Series(keep)), numbers[keep], broken)


def _write_block(
    folder: Path,
    rows: list[pl.DataFrame],
    shards: int,
    items: list[pl.Series],
    beside: dict[str, pl.DataFrame | None],
    record: dict[str, Any],
) -> None:
    with atomic_folder(folder) as staging:
        if rows:
            kinds = {table.schema["user"] for table in rows}
            frame = pl.concat(rows if len(kinds) == 1 else [table.cast({"user": pl.String}) for table in rows])
            shard = frame["shard"].to_numpy(writable=True)
            starts = indptr_of(shard, shards)
            frame.drop("shard")[stable_order(shard, starts, None)].write_ipc(staging / "rows.arrow", compression="uncompressed")
            np.save(staging / "starts.npy", starts, allow_pickle=False)
        ids = pl.concat(items) if items else pl.Series("id", [], dtype=pl.String)
        ids.to_frame("id").write_parquet(staging / "items.parquet")
        for name, table in beside.items():
            if table is not None:
                table.write_parquet(staging / f"{name}.parquet")
        (staging / RECORD).write_text(json.dumps(record), encoding="utf-8")


def rows_of(folder: Path, blocks: int, shard: int) -> pl.DataFrame | None:
    """The rows of a shard in all blocks, in the order in which they arrived; None where it has none. Ids of people are numbers where all of them are."""
    parts = []
    for block in (folder / f"{number:05}" for number in range(blocks)):
        if (block / "starts.npy").exists():
            first, last = np.load(block / "starts.npy", mmap_mode="r", allow_pickle=False)[shard : shard + 2].tolist()
            if last > first:
                parts.append(pl.scan_ipc(block / "rows.arrow").slice(first, last - first).collect())
    if not parts:
        return None
    numbers = len({part.schema["user"] for part in parts}) == 1
    return pl.concat(parts if numbers else [part.cast({"user": pl.String}) for part in parts])


def _decided(reader: LogReader) -> dict[str, Any]:
    """What a reader had decided and counted, as JSON has it."""
    return {
        "rows": reader.rows, "blank": reader.blank,
        "kinds": reader.coders["kind"].ids().cast(pl.String).to_list() if "kind" in reader.coders else [],
        "coders": {role: {"forms": sorted(c.forms), "rewritten": c.rewritten, "example": c.example} for role, c in reader.coders.items()},
        "clocks": [_of_clock(clock) for clock in (reader.clock, reader.order)],
        "numerals": {role: _of_numerals(numerals) for role, numerals in reader.numerals.items()},
    }  # fmt: skip


def _of_clock(clock: Clock) -> dict[str, Any]:
    form = clock.dates.form
    return {
        "unit": clock.unit, "form": clock.form, "latest": clock.latest, "notes": clock._notes, "date_notes": clock.dates.notes,
        "dates": None if form is None else [form.date, list(form.tails)], "numerals": _of_numerals(clock.numerals),
    }  # fmt: skip


def _of_numerals(numerals: Numerals) -> dict[str, Any]:
    return {"decimal": numerals.decimal, "note": numerals.note, "_chunks": numerals._chunks}


def _decide(reader: LogReader, said: dict[str, Any]) -> None:
    """Make a reader go on as the one that `_decided` described."""
    reader.rows, reader.blank = said["rows"], said["blank"]
    for role, about in said["coders"].items():
        coder = reader.coders[role]
        coder.forms, coder.rewritten, coder.example = set(about["forms"]), about["rewritten"], about["example"]
    if kinds := reader.coders.get("kind"):
        kinds.table.add(pl.Series(said["kinds"], dtype=pl.String)[kinds.count :])
        kinds.ids_of_chunks = [pl.Series("id", said["kinds"], dtype=pl.String)]
    for clock, about in zip((reader.clock, reader.order), said["clocks"], strict=True):
        clock.unit, clock.form, clock.latest, clock._notes, clock.dates.notes = (
            about[n] for n in ("unit", "form", "latest", "notes", "date_notes")
        )
        clock.dates.form = None if about["dates"] is None else DateForm(about["dates"][0], tuple(about["dates"][1]))
        vars(clock.numerals).update(about["numerals"])
    for role, about in said["numerals"].items():
        vars(reader.numerals[role]).update(about)
