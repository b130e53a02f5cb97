"""Rows in files: whole, once, tidied after an end at any place, readable by whoever trains, and gone when a person is."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from kept_rows import answer, event, ids, people

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, WriteError
from vitrina.service.records import Attributes, Rejected
from vitrina.service.store import segments, sqlite
from vitrina.service.store.sqlite import FILE
from vitrina.service.store.store import Store

START = 1_700_000_000_000_000  # microseconds since 1970


class Ended(BaseException):
    """As if the process had ended here."""


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and "segments" in path.parts)


def everything(folder: Path) -> Iterator[bytes]:
    """All bytes of all files, those of Parquet files as they are and unpacked."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.name.encode()
            yield path.read_bytes()
            if path.suffix == ".parquet":
                yield repr(pl.read_parquet(path).to_dicts()).encode()
                yield repr(pl.read_parquet_schema(path)).encode()


def test_training_reads_the_files(tmp_path):
    async def run() -> None:
        store = Store.open(tmp_path)
        await store.append("a/../b. c", [event(str(i), f"u{i % 3}", item=f"i{i % 5}", time=START + i, value=i / 4) for i in range(30)])
        await store.seal()
        await store.append("a/../b. c", [event("visitor", None), event("live", "u9", time=START)])
        await store.close()

    asyncio.run(run())
    folder = tmp_path / "segments" / "a%2F%2E%2E%2Fb%2E%20c"
    assert files(tmp_path) == [(folder / "events-000000000000001.parquet").relative_to(tmp_path).as_posix()]
    data = vt.read_interactions(folder / "events-*.parquet", user="user", item="item", time="time")
    assert (len(data.events), len(data.users), len(data.items), data.time_unit, data.kind_names) == (30, 3, 5, "us", ("click",))
    assert (data.events.times.min(), data.events.values.max()) == (START, 29 / 4)
    log = pl.concat(Store.read_only(tmp_path).events("a/../b. c")).drop_nulls(["user", "item"]).drop("value")
    assert len(vt.read_interactions(log, user="user", item="item", time="time", time_unit="us").events) == 31


def test_files_have_bounds_of_rows_and_of_time(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "MOST_ROWS", 10)
    monkeypatch.setattr(sqlite, "LIVE", sqlite.LIVE.replace(str(sqlite.CHUNK), "4"))

    async def run() -> None:
        store = Store.open(tmp_path)
        await store.append("shop", [event(str(i), received=i) for i in range(30)])
        assert await store.seal(before=27) == 27
        assert [name[-18:-8] for name in files(tmp_path)] == ["0000000001", "0000000013", "0000000025"]
        assert ids(store) == list(map(str, range(30)))
        assert ids(store, after=11) == list(map(str, range(11, 30)))
        assert await store.seal(before=27) == 0
        await store.close()

    asyncio.run(run())


PLACES = ["Mark writing", "write", "Mark sealed", "Trim", "after"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_end_at_any_place_of_sealing_loses_and_doubles_nothing(tmp_path, monkeypatch, place, moment):
    async def prepared() -> None:
        store = Store.open(tmp_path)
        await store.append("shop", [event(str(i)) for i in range(5)])
        store.show("shop", answer("r"))
        await store.close()

    def ending(call: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        def called(*args: Any) -> Any:
            if name(*args) == place and moment == "before":
                raise Ended
            result = call(*args)
            if name(*args) == place:
                raise Ended
            return result

        return called

    asyncio.run(prepared())
    opened = Store.open(tmp_path)  # what it does when it is opened is no part of this
    asyncio.run(opened.close())
    database = opened._backend  # type: ignore[attr-defined]
    ask = ending(
        lambda job: database.write([job])[0],
        lambda job: f"{type(job).__name__} {job.segment.state}" if hasattr(job, "segment") else type(job).__name__,
    )
    with monkeypatch.context() as patch:
        patch.setattr(segments, "write", ending(segments.write, lambda *_: "write"))
        try:
            segments.seal(tmp_path, database.read, ask, "shop", 2**62)
        except Ended:
            assert place != "after"
    (tmp_path / "segments" / "shop").mkdir(parents=True, exist_ok=True)
    (tmp_path / "segments" / "shop" / ".events-000000000000001.parquet-77").write_bytes(b"half")
    (tmp_path / ".serving.json-77").write_bytes(b"half")
    assert ids(Store.read_only(tmp_path)) == list("01234")
    database.close()

    async def again() -> None:
        store = Store.open(tmp_path)
        assert ids(store) == list("01234")
        assert await store.append("shop", [event("3"), event("5")]) == [False, True]
        await store.seal()
        assert ids(store) == list("012345")
        assert sum(map(len, store.shown("shop"))) == 2
        live = database.read._rows("SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM shown)")
        assert live == [(0,)]
        await store.close()

    asyncio.run(again())
    assert not list(tmp_path.rglob(".*"))
    assert {Path(name).name.partition("-")[0] for name in files(tmp_path)} == {"events", "shown"}


def test_a_disk_that_takes_no_file_leaves_the_rows_where_they_are(tmp_path, monkeypatch):
    async def run() -> None:
        store = Store.open(tmp_path)
        await store.append("shop", [event(str(i)) for i in range(5)])
        with monkeypatch.context() as patch:
            patch.setattr(segments, "_flush", lambda path: (_ for _ in ()).throw(OSError(5, "Input/output error", str(path))))
            with pytest.raises(WriteError, match="Input/output error"):
                await store.seal()
        assert ids(store) == list("01234")
        assert await store.erase("shop", "nobody", "me") == 0
        assert await store.seal() == 5
        assert ids(store) == list("01234")
        await store.close()

    asyncio.run(run())


def test_readers_see_every_event_once_while_it_is_sealed_and_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "MOST_ROWS", 300)
    monkeypatch.setattr("vitrina.service.store.sqlite_jobs.TRIMMED", 50)
    seen: list[list[int]] = []
    running = threading.Event()

    def reader(store: Store) -> None:
        while not running.is_set():
            seen.append([number for frame in store.events("shop") for number in frame["sequence"]])

    async def run() -> None:
        store = Store.open(tmp_path)
        threads = [threading.Thread(target=reader, args=(store,)) for _ in range(2)]
        await store.append("shop", [event("0-0", received=0)])
        for thread in threads:
            thread.start()
        for part in range(8):
            await store.append("shop", [event(f"{part}-{i}", received=part) for i in range(1, 100)])
            await store.seal(before=part)
        running.set()
        for thread in threads:
            thread.join()
        await store.close()

    asyncio.run(run())
    assert len(seen) > 5
    for numbers in seen:
        assert numbers == list(range(1, len(numbers) + 1)) or set(numbers) >= set(range(2, numbers[-1] + 1))
        assert len(set(numbers)) == len(numbers)


def test_nothing_of_an_erased_person_is_in_any_byte(tmp_path):
    secret = "péter.müller+shop@example.org"
    rows = [f'{{"user":"{secret}"}}', '{"user":"p\\u00e9ter.m\\u00FCller+shop@example.org"}', '{"user":"bob"}']

    async def run() -> None:
        store = Store.open(tmp_path)
        for part in range(4):
            store.show("shop", answer(f"r{part}", secret))
            await store.append("shop", [event(f"{part}-{i}", secret if i % 7 == 0 else f"somebody-{i}") for i in range(400)])
            if part % 2:
                await store.seal()
        await store.append("shop", [event(secret, secret), event("of bob", "bob", properties=b'{"a":"' + b"x" * 9000 + b'"}')])
        await store.set_users("shop", [Attributes(secret, {"town": "x" * 5000}), Attributes("bob", {})])
        await store.reject("shop", [Rejected(1, row.encode(), f"bad row of {secret}" if row != rows[2] else "") for row in rows])
        assert found(secret)
        assert await store.erase("shop", secret, "me") > 4 * 58
        assert not found(secret)
        assert found("bob")
        await store.append("shop", [event(secret, "x")])  # its digest is all that is left
        await store.close()

    def found(text: str) -> bool:
        parts = [
            form.encode() for form in (text, text.encode("unicode_escape").decode(), text.replace("é", "\\u00e9").replace("ü", "\\u00FC"))
        ]
        return any(part in content for content in everything(tmp_path) for part in parts)

    asyncio.run(run())
    assert not found(secret)
    assert people(Store.read_only(tmp_path)) >= {"bob"}


@pytest.mark.parametrize("jobs", range(1, 12))
def test_an_erasure_goes_on_after_an_end_at_any_job(tmp_path, monkeypatch, jobs):
    async def prepared() -> None:
        store = Store.open(tmp_path)
        for part in range(3):
            await store.append("shop", [event(f"{part}-{i}", f"person-{i % 2}") for i in range(6)])
            await store.seal()
        await store.append("shop", [event("only", "person-0")])
        await store.seal()  # a file that is dropped
        await store.append("shop", [event("live", "person-0")])
        await store.close()

    asyncio.run(prepared())

    async def ended() -> None:
        store = Store.open(tmp_path)
        left = iter([*[False] * (jobs - 1), True])
        ask = store.writer.ask

        def asked(job: Any) -> Any:
            if next(left, False):
                raise Ended
            return ask(job)

        monkeypatch.setattr(store.writer, "ask", asked)
        with contextlib.suppress(Ended):
            await store.erase("shop", "person-0", "me")
        monkeypatch.undo()
        await store.close()

    asyncio.run(ended())
    begun = any(e.user == "person-0" for e in Store.read_only(tmp_path)._read.erasures())

    async def again() -> None:
        store = Store.open(tmp_path)
        if not begun:
            await store.erase("shop", "person-0", "me")
        await store.close()

    asyncio.run(again())
    assert people(Store.read_only(tmp_path)) == {"person-1"}
    assert not any(b"person-0" in content for content in everything(tmp_path))
    assert not list(tmp_path.rglob(".*"))


def test_a_backup_is_the_store_of_one_moment_and_starts(tmp_path):
    async def run() -> None:
        store = Store.open(tmp_path / "state")
        await store.append("shop", [event(str(i)) for i in range(50)])
        await store.seal()
        await store.append("shop", [event("live")])
        store.backup(tmp_path / "one")
        await store.append("shop", [event("later")])
        Store.read_only(tmp_path / "state").backup(tmp_path / "two")
        with pytest.raises(ParameterError, match="is there already"):
            store.backup(tmp_path / "two")
        await store.close()

    async def started(name: str) -> list[bool]:
        store = Store.open(tmp_path / name)
        stored = await store.append("shop", [event("live"), event("later"), event("9")])
        await store.close()
        return stored

    asyncio.run(run())
    assert ids(Store.read_only(tmp_path / "one")) == [*map(str, range(50)), "live"]
    assert asyncio.run(started("one")) == [False, True, False]
    assert asyncio.run(started("two")) == [False, False, False]


def test_a_file_that_is_gone_or_damaged_is_said(tmp_path):
    async def run() -> None:
        store = Store.open(tmp_path)
        await store.append("shop", [event("a")])
        await store.seal()
        await store.close()

    asyncio.run(run())
    path = tmp_path / files(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"events-0+1\.parquet can't be read: .*It held 1 row; bring it back from a backup"):
        ids(Store.read_only(tmp_path))
    path.unlink()
    with pytest.raises(DataError, match="can't be read"):
        ids(Store.read_only(tmp_path))
    assert (tmp_path / FILE).exists()
