"""What can go wrong with a disk and a database is said, costs no acknowledged event, and ends no thread."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest
from kept_rows import event, ids

from vitrina.base.errors import DataError, MissingExtraError
from vitrina.service.store import sqlite
from vitrina.service.store.base import StoreUnavailableError
from vitrina.service.store.sqlite import FILE, SQLite
from vitrina.service.store.store import Store


class Disk(apsw.VFS):
    """A disk that fails on command: `trouble` is how likely each kind of call is to fail."""

    def __init__(self) -> None:
        super().__init__("troubled", "")
        self.trouble: dict[str, float] = {}
        self.chance = random.Random(0)

    def xOpen(self, name: Any, flags: Any) -> Any:  # noqa: N802
        return DiskFile(self, name, flags)

    def may(self, call: str, error: type[Exception]) -> None:
        if self.chance.random() < self.trouble.get(call, 0):
            raise error(call)


class DiskFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: Any) -> None:
        super().__init__("", name, flags)
        self.disk = disk

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self.disk.may("write", apsw.FullError)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self.disk.may("sync", apsw.IOError)
        super().xSync(flags)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """The disk that the writer's connections are on."""
    made = Disk()
    connect = apsw.Connection
    monkeypatch.setattr(
        apsw, "Connection", lambda *args, **more: connect(*args, **({} if "flags" in more else {"vfs": "troubled"}), **more)
    )
    yield made
    made.unregister()


def test_a_full_or_broken_disk_is_said_and_nothing_is_lost_or_doubled(disk, tmp_path):
    async def run() -> None:
        store = Store.open(tmp_path)
        disk.trouble = {"write": 1.0}
        with pytest.raises(
            StoreUnavailableError, match=r"store\.sqlite can't be written: the disk is full\. Make room\. Send the same again later"
        ):
            await store.append("shop", [event("first")])
        disk.trouble = {"sync": 1.0}
        with pytest.raises(StoreUnavailableError, match="the disk reports an error"):
            await store.append("shop", [event("first")])  # the disk has it after all, as after a commit whose answer got lost
        disk.trouble = {"write": 0.02, "sync": 0.05}
        refusals = [await sent_until_kept(store, client) for client in range(40)]
        disk.trouble = {}
        assert sum(refusals) > 5
        await store.append("shop", [event("first")])
        assert await store.seal() == 40 * 5 + 1
        assert sorted(ids(store)) == sorted([*(f"{client}-{i}" for client in range(40) for i in range(5)), "first"])
        await store.close()

    asyncio.run(run())
    assert apsw.Connection(str(tmp_path / FILE)).pragma("integrity_check") == "ok"


async def sent_until_kept(store: Store, client: int) -> int:
    """Send a batch as a client does, with the same ids until it is kept; how often it was refused."""
    for refused in range(1000):
        try:
            await store.append("shop", [event(f"{client}-{i}") for i in range(5)])
            return refused
        except StoreUnavailableError:
            continue
    raise AssertionError("never kept")


def test_a_locked_database_is_said_and_comes_back(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY", 50)

    async def run() -> None:
        store = Store.open(tmp_path)
        await store.append("shop", [event("a")])
        other = apsw.Connection(str(tmp_path / FILE))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="another process holds it"):
            await store.append("shop", [event("b")])
        assert ids(store) == ["a"]  # it is read all the same
        other.execute("ROLLBACK")
        other.close()
        assert await store.append("shop", [event("b")]) == [True]
        await store.close()

    asyncio.run(run())


def test_a_read_only_file_is_said(tmp_path, monkeypatch):
    async def run() -> None:
        store = Store.open(tmp_path)
        await store.append("shop", [event("a")])
        monkeypatch.setattr(sqlite, "SETTINGS", sqlite.SETTINGS | {"query_only": "ON"})
        store._backend.close()  # type: ignore[attr-defined]
        with pytest.raises(StoreUnavailableError, match="it may not be written to"):
            await store.append("shop", [event("b")])
        monkeypatch.undo()
        assert await store.append("shop", [event("b")]) == [True]
        await store.close()

    asyncio.run(run())


def test_a_damaged_file_is_said(tmp_path):
    (tmp_path / FILE).write_bytes(b"no database at all" * 500)
    for opening in (Store.open, Store.read_only):
        with pytest.raises(StoreUnavailableError, match="it is no database"):
            opening(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match="can't be written"):
        Store.open(tmp_path / "file")


def test_a_folder_has_one_service(tmp_path):
    async def run() -> None:
        store = Store.open(tmp_path)
        with pytest.raises(StoreUnavailableError, match="is in use by another service"):
            Store.open(tmp_path)
        await store.close()
        await Store.open(tmp_path).close()

    pytest.importorskip("fcntl")
    asyncio.run(run())


def test_it_runs_on_no_sqlite_that_loses_commits(tmp_path, monkeypatch):
    old = SimpleNamespace(sqlite_lib_version=lambda: "3.51.2")
    monkeypatch.setitem(sys.modules, "apsw", old)
    with pytest.raises(DataError, match=r"apsw is built on SQLite 3\.51\.2, which can lose what was committed"):
        Store.open(tmp_path)
    monkeypatch.setitem(sys.modules, "apsw", None)
    with pytest.raises(MissingExtraError, match=r"The store of the service needs apsw\. Install it with: pip install 'vitrina\[serve\]'"):
        Store.open(tmp_path)


def test_every_commit_is_flushed(tmp_path):
    backend = SQLite(tmp_path)
    backend.migrate()
    with backend._working() as connection:
        kept = {name: connection.pragma(name) for name in ("journal_mode", "synchronous", "fullfsync", "secure_delete")}
    assert kept == {"journal_mode": "wal", "synchronous": 2, "fullfsync": 1, "secure_delete": 1}
    backend.close()


def test_a_folder_that_nobody_may_write_is_read(tmp_path: Path, monkeypatch):
    async def run() -> None:
        store = Store.open(tmp_path)
        await store.append("shop", [event("a")])
        await store.close()

    asyncio.run(run())
    connect = apsw.Connection
    refused: list[str] = []

    class Refused:
        """What SQLite gives where it can't make its files of the log."""

        def pragma(self, *_: Any) -> None:
            refused.append("pragma")
            raise apsw.CantOpenError("no -shm")

        def close(self, *_: Any) -> None:
            refused.append("close")

    monkeypatch.setattr(apsw, "Connection", lambda name, **more: connect(name, **more) if "immutable" in name else Refused())
    assert ids(Store.read_only(tmp_path)) == ["a"]
    assert refused
