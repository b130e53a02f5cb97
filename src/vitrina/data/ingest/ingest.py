"""A log of files becomes a folder of shards, out of core: stage 1 reads the sources into blocks, stage 2 makes shards of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, final

import polars as pl

from vitrina.base import parts
from vitrina.base.errors import DataError, ParameterError
from vitrina.base.executor import Executor, InProcess
from vitrina.base.parts import run_parts
from vitrina.data.dataset import Dataset, Step
from vitrina.data.features import FeatureTable
from vitrina.data.ingest.attributes import Told, table_of
from vitrina.data.ingest.blocks import Blocks
from vitrina.data.ingest.build import Build, put_users
from vitrina.data.ingest.format import (
    FOLDERS,
    GONE,
    MANIFEST,
    WORK,
    Manifest,
    TableOf,
    commit,
    forget_before,
    read_manifest,
    shard_of,
    sweep,
    write_file,
)
from vitrina.data.ingest.load import Added, Addition, given_for
from vitrina.data.ingest.open import open_log
from vitrina.data.ingest.plan import Plan, bytes_of, check_room, planned
from vitrina.data.ingest.reading import ROLES, Progress, begun_of, fingerprint_of, given_of, mark_of
from vitrina.data.ingest.work import Asked, is_committed, is_there, remove, shards_of, take_up, tidy
from vitrina.data.read.io import Begun, bad_rows_of, name_of
from vitrina.data.read.tables import TableRead, coverage_of_users, read_features, read_typed
from vitrina.data.read.text import TextOptions
from vitrina.data.read.validate import BadRows
from vitrina.data.versions import ALWAYS
from vitrina.vocabulary import Vocabulary


def ingest(
    source: Any,
    out: str | Path,
    *,
    load: Literal["full", "append", "upsert"] = "full",
    event_id: str | None = None,
    lateness: str | int | timedelta | None = None,
    deleted: str | None = None,
    version: str | None = None,
    valid_from: str | None = None,
    shards: int | None = None,
    executor: Executor | None = None,
    force: bool = False,
    plan: Callable[[Plan], None] = lambda plan: None,
    progress: Progress = lambda what, number, of: None,
    **reading: Any,
) -> Dataset:
    """Write a log to a folder of shards, out of core, and open it: what `read_interactions` makes of the same sources, for any number of rows.

    Where the folder has the log of just these files and arguments, it is opened.

    Rows are read as `read_interactions` reads them, with the same sentences about bad ones. People are spread over shards by a hash of their ids, items have
    one vocabulary. Killed at any moment, or after Ctrl-C, the same call goes on where it was and comes to the same folder
    (sources that are no files are read again). `cancel(out)` removes what an unfinished load left.

    Args:
        source: as of `read_interactions`.
        out: the folder.
        load: "full" makes the folder. "append" adds rows that are later than the watermark, the latest time of the log, less the lateness; of those that reach
            back the ones whose event ids the log doesn't have. "upsert" puts rows in place of the events with their ids. Columns, and how
            files are read, are taken over from the loads before. See docs/loads.md.
        event_id: column of ids of events: of rows with an equal one only the first is kept. An event is of one person.
        lateness: of "append": "2d", "36h" or a timedelta, or a number of steps; needs event ids.
        deleted: of "upsert": the column that says which rows delete their event; they need an id alone.
        version: of "upsert": the column, of numbers or dates, whose largest value wins among rows of one event; without it the later row.
        valid_from: the column of the table of items that says since when a row holds. Without it what a later load tells holds from its watermark on.
        shards: how many, for the life of the log; by default one per 1.5 million rows that are planned. One shard at a time is in memory.
        executor: who makes shards of the blocks; by default this process.
        force: replace a log that is there; until the end it can be read.
        plan: called with what the load will take, before it begins.
        progress: called with what is done ("Rows", "Shards"), how far, and of how much.
        reading: arguments of `read_interactions`.

    Raises:
        DataError: as of `read_interactions`; or the sources changed since the load began.
        ParameterError: there is a log already, or another load in the folder.
        WriteError: the disk has less room than planned.

    Cost: two passes over the rows. Memory: items and their table, a block of 4 million rows, and a shard per worker.

    >>> import tempfile, vitrina as vt
    >>> with tempfile.TemporaryDirectory() as place:
    ...     vt.ingest(vt.testing.toy().frame(), place + "/log", shards=2)
    Sharded('log': 2 shards, 20 events, 6 users, 4 items)
    """
    folder = Path(out)
    if is_committed(folder):
        remove(folder)
        return open_log(folder)
    tidy(folder)
    if load != "full":
        if shards is not None or force:
            name = "force" if force else "shards"
            raise ParameterError(
                f"The {name!r} is for a full load: a log keeps its shards and what it holds. Leave it out.", parameter=name
            )
        asked = Addition(load, lateness, deleted, version, valid_from)
        own = reading | ({} if event_id is None else {"event_id": event_id})
        return _added(source, folder.absolute(), asked, own, executor or InProcess(), plan, progress)
    _refuse_of_later_loads(lateness=lateness, deleted=deleted, version=version)
    own = {name: column for name, column in (("event_id", event_id), ("valid_from", valid_from)) if column is not None}
    return _made(source, folder, own, reading, shards, executor or InProcess(), plan, progress, force=force)


def cancel(out: str | Path) -> bool:
    """End the load of a folder where one runs, and remove what it made; a log that was there before stays. False where there is nothing to cancel.

    Raises:
        ParameterError: the load runs on another machine.
    """
    folder = Path(out)
    if is_committed(folder) or not parts.cancel(folder / WORK):
        return False
    (folder / GONE).mkdir(parents=True, exist_ok=True)  # what says that the rest is to be removed
    remove(folder)
    if (folder / MANIFEST).exists():
        forget_before(folder, 0)
    return True


def _made(
    source: Any, folder: Path, own: Mapping[str, str], reading: Mapping[str, Any], shards: int | None, executor: Executor,
    plan: Callable[[Plan], None], progress: Progress, *, force: bool,
) -> Dataset:  # fmt: skip
    """A full load; `own` are columns that only an ingested log has."""
    if shards is not None and shards < 1:
        raise ParameterError(f"The 'shards' must be 1 or more. Got {shards}.", parameter="shards", value=shards)
    given, plain, work = given_of(reading), {**reading, **own}, folder / WORK
    begun = begun_of(source, given, own.get("event_id"))
    if not force and is_there(folder, Asked.of(begun.sources, plain, 0, shards or 0)):
        return open_log(folder)
    number = _next_load(folder, force=force)
    settled = planned(begun, folder, shards or shards_of(work), executor.workers)
    plan(settled)
    check_room(settled, folder, bytes_of(work))
    asked = Asked.of(begun.sources, plain, number, settled.shards)
    with parts.alone(work):
        if _next_load(folder, force=force) != number:
            raise _another_ended(folder)
        take_up(work, asked)
        try:
            manifest = _Load(begun, folder, asked, given, source, executor, progress, settled.rows, own.get("valid_from")).run()
        except (DataError, ParameterError):  # the same call would say the same: there is nothing to go on with
            remove(folder)
            raise
        commit(folder, manifest)
        sweep(folder, manifest)
        remove(folder)  # while it is held: the work that another process begins then isn't ours
    return open_log(folder)


def _refuse_of_later_loads(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise ParameterError(
                f"The {name!r} is for loads that come later: load='append' or 'upsert'. Got {value!r}.", parameter=name, value=value
            )


def _added(
    source: Any, folder: Path, asked: Addition, reading: Mapping[str, Any], executor: Executor, plan: Callable[[Plan], None], progress: Progress
) -> Dataset:  # fmt: skip
    """A load after the first."""
    before = read_manifest(folder)
    columns = {role: reading[role] for role in (*ROLES, "event_id") if reading.get(role) is not None}
    added = Added(folder, before, asked, given_for(before, reading), columns, source)
    work = folder / WORK
    settled = planned(added.begun, folder, len(before.shards), executor.workers)
    plan(settled)
    check_room(settled, folder, bytes_of(work))
    begun = Asked.of(added.begun.sources, {**reading, **asked.plain()}, before.load + 1, len(before.shards))
    with parts.alone(work):
        if read_manifest(folder).state != before.state:
            raise _another_ended(folder)
        take_up(work, begun)
        try:
            manifest = added.run(begun, executor, progress, settled.rows)
        except (DataError, ParameterError):
            shutil.rmtree(work)
            forget_before(folder, 0)
            raise
        commit(folder, manifest)
        remove(folder)
    return open_log(folder)


def _another_ended(folder: Path) -> ParameterError:
    return ParameterError(f"Another load of {folder} came to its end while this one was planned. Ask for the same again.", parameter="out")


def _next_load(folder: Path, *, force: bool) -> int:
    if not (folder / MANIFEST).exists():
        own = (WORK, *FOLDERS) if (folder / WORK).exists() else ()  # what is called so without a load under way is another's
        others = sorted(path.name for path in folder.iterdir() if path.name not in own) if folder.is_dir() else []
        if others:
            raise ParameterError(f"{folder} holds other things ({others[0]}). Name a folder that is empty, or a new one.", parameter="out")
        return 0
    if not force:
        raise ParameterError(
            f"{folder} holds a log already. Open it with Dataset.open, or replace it (force=True, --force).",
            parameter="out",
            value=str(folder),
        )
    return read_manifest(folder).load + 1


@final
@dataclass(frozen=True)
class _Load:
    """A load that is under way."""

    begun: Begun
    folder: Path
    asked: Asked
    given: Mapping[str, Any]  # arguments of `read_interactions`
    source: Any
    executor: Executor
    progress: Progress
    rows: int  # that are expected
    valid_from: str | None = None

    def run(self) -> Manifest:
        """Both stages; the manifest is not written."""
        work = self.folder / WORK
        reader, given = self.begun.reader, self.given
        blocks = Blocks(reader, self.begun.sources, work / "blocks", self.asked.shards, given["on_bad_row"])
        blocks.write(lambda rows: self.progress("Rows", rows, max(self.rows, rows)))
        bad = blocks.bad_rows(bad_rows_of(self.source) if given["bad_rows_path"] is None else Path(given["bad_rows_path"]))
        reader.check_any(blocks.place.good, bad, self.begun.sources)
        items, users = self._items(), self._users(blocks.folder)
        beside: tuple[Any, ...] = () if users is None else (users[0].id_column, users[1].kinds)
        build = Build(str(self.folder.absolute()), str(blocks.folder.absolute()), blocks.count, self.asked.load, *beside)
        built = run_parts(
            build, range(self.asked.shards), work / "shards", key=self.asked.key, executor=self.executor,
            done=lambda count: self.progress("Shards", count, self.asked.shards),
        )  # fmt: skip
        return self._manifest(blocks, bad, built, items, users)

    def _items(self) -> tuple[Vocabulary, FeatureTable | None, str]:
        """The items, those that only their table has among them, and a word on how well the two fit."""
        reader, given = self.begun.reader, self.given
        items = Vocabulary(reader.coders["item"].ids())
        if given["items"] is None:
            return items, None if reader.titles is None else reader.titles.table(items), ""
        if self.valid_from is not None:
            told = Told.of(given, self.begun.columns["item"], self.valid_from)
            return _reordered(told.added(None, items, reader.time_unit, ALWAYS))
        table, known, note = read_features(
            given["items"], "items", self.begun.columns["item"], items, given["item_kinds"], given["title"],
            TextOptions(encoding=given["encoding"]), given["decimal"],
        )  # fmt: skip
        return known, table, note

    def _users(self, blocks: Path) -> tuple[TableRead, TableOf] | None:
        """The table of people, laid beside the blocks."""
        given = self.given
        if given["users"] is None:
            return None
        options = TextOptions(encoding=given["encoding"])
        read = read_typed(given["users"], "users", self.begun.columns["user"], given["user_kinds"], None, options, given["decimal"])
        return read, put_users(blocks, read, self.asked.shards)

    def _manifest(
        self, blocks: Blocks, bad: BadRows, built: Sequence[Mapping[str, Any]], items: tuple[Vocabulary, FeatureTable | None, str],
        users: tuple[TableRead, TableOf] | None,
    ) -> Manifest:  # fmt: skip
        """What the folder is to say; writes the items."""
        vocabulary, table, note = items
        reader, load = self.begun.reader, self.asked.load
        shards = tuple(shard_of(one["shard"]) for one in built)
        whole = "text" not in reader.coders["user"].forms and all(one["whole"] for one in built)
        odd = Vocabulary(pl.Series("id", [word for one in built for word in one["odd"]], dtype=pl.String))
        people = sum(shard.users for shard in shards)
        notes = [reader.note(bad, self.begun.sources, odd, vocabulary), note]
        if users is not None:
            notes.append(coverage_of_users(users[0], people, sum(one["described"] for one in built)))
        goods = reader.coders["item"].count
        read = Step("read", reader.rows, blocks.place.good, people, people, goods, goods, " ".join(note for note in notes if note))
        manifest = Manifest(
            load, self.given["name"] or name_of(self.source), self.asked.reading, dict(self.begun.columns), "whole" if whole else "text",
            "whole" if vocabulary.ids.dtype.is_integer() else "text", reader.time_unit, reader.kind_names(), len(vocabulary),
            (write_file(self.folder, f"items/{load:05}.parquet", vocabulary.as_text().ids.rename("id").to_frame()),),
            shards, blocks.place.good, blocks.place.latest, (read, *_left_out(read, built)), self._sources(),
            self._written(table), None if users is None else users[1], reader.clock.form,
        )  # fmt: skip
        return replace(manifest, fingerprint=fingerprint_of(manifest, vocabulary))

    def _sources(self) -> tuple[dict[str, Any], ...]:
        """What is remembered of the sources, and of the tables behind them."""
        marks = [mark_of(one, self.asked.load, hashed="event_id" not in self.begun.columns) for one in self.begun.sources]
        return tuple(stamp | mark for stamp, mark in zip_longest(self.asked.sources, marks, fillvalue={}))

    def _written(self, table: FeatureTable | None) -> TableOf | None:
        if table is None:
            return None
        return table_of(self.folder, table, self.asked.load)


def _reordered(told: tuple[FeatureTable, Vocabulary, str]) -> tuple[Vocabulary, FeatureTable, str]:
    table, items, note = told
    return items, table, note


def _left_out(read: Step, built: Sequence[Mapping[str, Any]]) -> list[Step]:
    """The step that left out rows whose event had come before, where there were some."""
    again = sum(one["again"] for one in built)
    note = f"{again:,} row{'s' * (again > 1)} with the id of an event that had come before."
    return (
        [replace(read, name="event ids", events_before=read.events_after, events_after=read.events_after - again, note=note)]
        if again
        else []
    )
