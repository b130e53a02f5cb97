"""One more load of a log on disk: rows that are new, or that correct what is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, final

import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.base.executor import Executor
from vitrina.base.files import atomic_file
from vitrina.base.ids import whole_numbers
from vitrina.base.parts import run_parts
from vitrina.data.dataset import Step
from vitrina.data.features import FeatureTable
from vitrina.data.ingest.append import Fresh
from vitrina.data.ingest.attributes import Told, table_of
from vitrina.data.ingest.blocks import Blocks, rows_of
from vitrina.data.ingest.format import WORK, Manifest, Shard, TableOf, manifest_at, read_file, shard_of, write_file
from vitrina.data.ingest.landing import shard_after
from vitrina.data.ingest.open import shared
from vitrina.data.ingest.reading import ROLES, Progress, begun_of, fingerprint_of, given_of, mark_of
from vitrina.data.ingest.schema import columns_for, ids_after, kinds_after, require_same_time, unused
from vitrina.data.ingest.upsert import Corrections
from vitrina.data.ingest.work import Asked
from vitrina.data.read.io import STANDARD, Begun, bad_rows_of
from vitrina.data.read.sources import Source, Table, find_sources
from vitrina.data.read.text import TextOptions
from vitrina.data.read.validate import BadRows
from vitrina.data.versions import ALWAYS
from vitrina.vocabulary import Vocabulary

Load = Literal["append", "upsert"]
OF_FIRST = ("users", "user_kinds", "name")  # arguments that only the first load takes
OF_ONE = ("items", "bad_rows_path", "valid_from")  # arguments that no load takes over
IDS = "ids.parquet"


@dataclass(frozen=True)
class Addition:
    """What a load is asked to do; see `vitrina.ingest`."""

    load: Load
    lateness: Any = None
    deleted: str | None = None
    version: str | None = None
    valid_from: str | None = None

    def __post_init__(self) -> None:
        if self.load not in ("append", "upsert"):
            raise ParameterError(f"The 'load' must be 'full', 'append' or 'upsert'. Got {self.load!r}.", parameter="load", value=self.load)
        other, foreign = {"append": ("upsert", ("deleted", "version")), "upsert": ("append", ("lateness",))}[self.load]
        for name in foreign:
            if getattr(self, name) is not None:
                raise ParameterError(
                    f"The {name!r} is for load={other!r}. Got {getattr(self, name)!r} with load={self.load!r}.", parameter=name
                )

    def plain(self) -> dict[str, Any]:
        """What is given, as JSON has it."""
        return {name: str(value) for name, value in vars(self).items() if value is not None}


@final
@dataclass(frozen=True)
class Added:
    """A load that is added to a log.

    Args:
        folder: of the log.
        before: its state.
        asked: what the load is to do.
        given: arguments of `read_interactions`: those of the loads before, and over them those of this one.
        named: columns that are named for this load, by role.
        source: as it was given.
    """

    folder: Path
    before: Manifest
    asked: Addition
    given: Mapping[str, Any]
    named: Mapping[str, str]  # columns that are named for this load, by role
    source: Any

    @cached_property
    def found(self) -> tuple[list[Source], list[dict[str, Any]], list[str]]:
        """The sources to read, what is remembered of them, and sentences on those that the log has already."""
        given = self.given
        sources = find_sources(
            self.source, options=TextOptions.of(given["encoding"], given["separator"], given["header"], given["columns"])
        )
        marks = [mark_of(source, self.before.load + 1, hashed="event_id" not in self.before.columns) for source in sources]
        if self.asked.load == "upsert" or "event_id" in self.before.columns:
            return sources, marks, []
        seen = {mark["sha256"]: mark for mark in self.before.sources if mark.get("sha256")}
        known = [mark.get("sha256") in seen for mark in marks]
        notes = [
            f"{mark['label']} is in the log since load {seen[mark['sha256']].get('load', 0)} and was left out."
            for mark, k in zip(marks, known, strict=True) if k
        ]  # fmt: skip
        new = [place for place, k in enumerate(known) if not k]
        if not new:  # the columns of the first say how the nothing that is left is read
            return [Table(pl.DataFrame(schema=dict.fromkeys(sources[0].columns, pl.String)), sources[0].label, typed=False)], [], notes
        return [sources[place] for place in new], [marks[place] for place in new], notes

    @cached_property
    def begun(self) -> Begun:
        """Sources and reader, with the columns of the loads before; its codes go on from theirs."""
        sources = self.found[0]
        columns = columns_for(self.before, str(self.folder), sources, self.named, STANDARD)
        begun = begun_of(sources, {**self.given, **{role: columns.get(role) for role in ROLES}}, columns.get("event_id"))
        begun.reader.coders["item"].table.add(self.items.as_text().ids)
        if "kind" in begun.reader.coders:
            kinds = pl.Series("id", self.before.kind_names, dtype=pl.String)
            begun.reader.coders["kind"].table.add(kinds)
            begun.reader.coders["kind"].ids_of_chunks.append(kinds)
        return begun

    @property
    def items(self) -> Vocabulary:
        """Of the state before."""
        return shared(str(self.folder), self.before.load, self.before.state)["items"]

    @cached_property
    def gate(self) -> Fresh | Corrections:
        """Which rows are taken."""
        if self.asked.load == "append":
            return Fresh.of(self.folder, self.before, self.asked.lateness)
        return Corrections.of(self.folder, self.before, self.found[0], self.asked.deleted, self.asked.version, self.given["decimal"])

    def run(self, plain: Asked, executor: Executor, progress: Progress, rows: int) -> Manifest:
        """Both stages; the manifest is not written."""
        work = self.folder / WORK
        blocks = Blocks(
            self.begun.reader, self.begun.sources, work / "blocks", len(self.before.shards), self.given["on_bad_row"], gate=self.gate
        )
        blocks.write(lambda done: progress("Rows", done, max(rows, done)))
        bad = blocks.bad_rows(Path(self.given["bad_rows_path"] or bad_rows_of(self.source)))
        correcting = isinstance(self.gate, Corrections)
        if isinstance(self.gate, Corrections):
            with atomic_file(work / IDS) as staging:
                self.gate.standing().write_parquet(staging)
        numbers = list(range(len(self.before.shards))) if correcting else blocks.busy_shards()
        land = _Land(str(self.folder), str(blocks.folder), blocks.count, self.before.load, self.before.state, correcting=correcting)
        landed = run_parts(
            land, numbers, work / "shards", key=plain.key, executor=executor, done=lambda count: progress("Shards", count, len(numbers))
        )
        shards = list(self.before.shards)
        for number, one in zip(numbers, landed, strict=True):
            shards[number] = shard_of(one["shard"])
        return self._after(plain, tuple(shards), blocks, bad, all(one["whole"] for one in landed))

    def _after(self, plain: Asked, shards: tuple[Shard, ...], blocks: Blocks, bad: BadRows, whole: bool) -> Manifest:
        """What the folder is to say; writes the items."""
        before, reader, load = self.before, self.begun.reader, self.before.load + 1
        if reader.clock.form is not None:
            require_same_time(before, str(self.folder), reader.clock)
        kinds, kinds_note = kinds_after(before, reader.kind_names())
        latest = [time for time in (before.watermark, *_latest(shards, load)) if time is not None]
        watermark = max(latest, default=None)
        new = reader.coders["item"].ids()
        items = self.items.extended(new) if len(new) else self.items
        table, items, told = self._told(items, ALWAYS if watermark is None else watermark)
        user_type, users_note = ids_after(
            before.user_type, "whole" if whole and "text" not in reader.coders["user"].forms else "text", "users"
        )
        item_type, items_note = ids_after(before.item_type, "whole" if items.ids.dtype.is_integer() else "text", "items")
        counts = self._counts(shards, load)
        note = [
            *self.found[2], self._counted(counts), reader.note(bad, self.begun.sources, Vocabulary.of([]), items), kinds_note, users_note, items_note,
            unused(before, self.begun.sources, [*self.begun.columns.values(), *self.gate.columns]), told,
        ]  # fmt: skip
        manifest = replace(
            before, load=load, user_type=user_type, item_type=item_type, kind_names=kinds,
            n_items=len(items), items=(*before.items, *self._new_items(items, load)), shards=shards, rows=before.rows + blocks.place.good,
            watermark=watermark, sources=(*before.sources, *self.found[1]), item_table=table, loads=(*before.loads, {"load": load, "kind": self.asked.load, **counts}),
        )  # fmt: skip
        step = _step(self.asked.load, before, manifest, " ".join(part for part in note if part))
        return replace(manifest, steps=(*before.steps, step), fingerprint=fingerprint_of(manifest, items))

    def _told(self, items: Vocabulary, since: int) -> tuple[TableOf | None, Vocabulary, str]:
        """The table of items after the load, the items with those that only it has, and a word on it."""
        given, reader = self.given, self.begun.reader
        known: FeatureTable | None = shared(str(self.folder), self.before.load, self.before.state)["item_table"]
        if given["items"] is not None:
            told = Told.of(given, self.before.columns["item"], self.asked.valid_from)
        elif reader.titles is not None and len(reader.titles.pairs):
            titles = reader.titles.table(items)
            told = Told(titles.frame.with_columns(items.ids.alias("item_id")).drop_nulls(titles.title), "item_id", title=titles.title)
        else:
            return self.before.item_table, items, ""
        table, items, note = told.added(known, items, self.before.time_unit, since)
        return table_of(self.folder, table, self.before.load + 1), items, note

    def _new_items(self, items: Vocabulary, load: int) -> list[Any]:
        new = items.as_text().ids.slice(self.before.n_items).rename("id")
        return [write_file(self.folder, f"items/{load:05}.parquet", new.to_frame())] if len(new) else []

    def _counts(self, shards: Sequence[Shard], load: int) -> dict[str, int]:
        """How many rows the load added, and what else came of its rows."""
        pieces = [piece for shard in shards for piece in shard.pieces if piece.load == load]
        added = {"added": sum(piece.events.rows for piece in pieces if piece.events is not None)}
        if isinstance(self.gate, Fresh):
            return added | self.gate.counts()
        standing = self.gate.standing()
        gone = [read_file(self.folder, piece.dropped) for piece in pieces if piece.dropped is not None]
        ids = pl.concat(gone) if gone else pl.DataFrame(schema={"event_id": pl.String, "deleted": pl.Boolean})
        deleting = standing.filter("deleted")
        return added | {
            "superseded": self.gate.rows - len(standing), "replaced": int((~ids["deleted"]).sum()), "deleted": int(ids["deleted"].sum()),
            "unknown": len(deleting.join(ids, on="event_id", how="anti")),
        }  # fmt: skip

    def _counted(self, counts: Mapping[str, int]) -> str:
        """The counts in sentences."""
        if isinstance(self.gate, Fresh):
            return self.gate.note(self.before.time_unit)
        words = {
            "superseded": "rows that a later one of the load overrules", "replaced": "events replaced", "deleted": "events deleted",
            "unknown": "deletions of events that aren't there",
        }  # fmt: skip
        return f"{', '.join(f'{counts[name]:,} {word}' for name, word in words.items() if counts[name])}.".removeprefix(".")


@final
@dataclass(frozen=True)
class _Land:
    """What blocks have of a shard, behind what the shard has; it may be done anywhere, and twice."""

    folder: str
    blocks: str
    count: int
    generation: int
    state: int
    correcting: bool

    def __call__(self, number: int) -> dict[str, Any]:
        folder = Path(self.folder)
        manifest = manifest_at(folder, self.generation, self.state)
        rows = rows_of(Path(self.blocks), self.count, number)
        rows = (
            pl.DataFrame(schema={"user": pl.String, "item": pl.Int32, "row": pl.Int64}) if rows is None else rows.cast({"user": pl.String})
        )
        ids = None
        if self.correcting:
            path = folder / WORK / IDS
            ids = _standing(str(path), path.stat().st_mtime_ns)
            rows = rows.join(ids.filter(~pl.col("deleted")).select("row"), on="row", how="semi", maintain_order="left")
        rows = rows.with_columns(pl.col("row") + manifest.rows)
        shard = shard_after(folder, manifest, number, rows, ids)
        return {"shard": asdict(shard), "whole": not whole_numbers(rows["user"]).null_count()}


@lru_cache(maxsize=1)
def _standing(path: str, changed: int) -> pl.DataFrame:
    return pl.read_parquet(path, columns=["event_id", "row", "deleted"])


def _latest(shards: Sequence[Shard], load: int) -> list[int]:
    return [piece.latest for shard in shards for piece in shard.pieces if piece.load == load and piece.latest is not None]


def given_for(manifest: Manifest, reading: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `read_interactions`: those of the first load, and over them those that are given for this one alone.

    Raises:
        ParameterError: one of them is for a first load.
    """
    for name in OF_FIRST:
        if reading.get(name) is not None:
            raise ParameterError(
                f"The {name!r} is read with the first load alone. Leave it out, or ingest the whole log again. Got {reading[name]!r}.",
                parameter=name,
            )
    first = {name: value for name, value in manifest.reading.items() if name not in (*ROLES, *OF_FIRST, *OF_ONE, "event_id")}
    if manifest.reading.get("items") is not None:
        first.pop("title", None)  # a column of that table, and none of the log
    return given_of({**first, **{name: value for name, value in reading.items() if name != "event_id"}})


def _step(name: str, before: Manifest, after: Manifest, note: str) -> Step:
    events, people = ([sum(getattr(shard, field) for shard in state.shards) for state in (before, after)] for field in ("events", "people"))
    return Step(name, events[0], events[1], people[0], people[1], before.n_items, after.n_items, note)
