"""What PostgreSQL alone must keep: several writers, a server that goes away, hangs and comes back, one schema for all."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random

import psycopg
import pytest
from kept_rows import answer, event, ids

from vitrina.base.errors import DataError, ParameterError
from vitrina.service.records import Attributes
from vitrina.service.store import postgres_connect, postgres_migrations
from vitrina.service.store.base import AddEvents, AddShown, SetItems, StoreUnavailableError
from vitrina.service.store.postgres import Postgres
from vitrina.service.store.store import Store

WRITERS, BATCHES = 5, 30


@pytest.fixture
def opened(postgres):
    """Backends on one database, which are closed at the end."""
    backends = []

    def another(address=postgres):
        backends.append(Postgres(address))
        return backends[-1]

    another().migrate()
    yield another
    for backend in backends:
        backend.close()


def test_who_reads_up_to_a_number_misses_nothing_below_it(opened):
    """Five processes write batches of all sizes; a reader that only asks for what is after the last number it saw gets every row, in one order."""
    stop = threading.Event()
    seen, stored = [], []

    def write(seed):
        backend, random = opened(), Random(seed)
        for batch in range(BATCHES):
            names = [f"{seed}-{batch}-{n}" for n in range(random.choice([1, 2, 20, 200]))]
            rows = [event(name) for name in names] + [event(f"shared-{random.randrange(300)}") for _ in range(3)]
            jobs = [
                AddShown("shop", [answer("r")]),
                AddEvents("shop", rows),
                SetItems("shop", [Attributes(f"i{random.randrange(9)}", {"n": batch})]),
            ]
            results = backend.write(random.sample(jobs, 3))
            told = next(result for result in results if isinstance(result, list) and len(result) == len(rows))
            stored.extend(row.event_id for row, new in zip(rows, told, strict=True) if new)

    def read():
        backend = opened()
        after = 0
        while True:
            ending = stop.is_set()
            for frame in backend.read.events("shop", after):
                seen.extend(zip(frame["sequence"].to_list(), frame["event_id"].to_list(), strict=True))
                after = seen[-1][0]
            if ending:
                return

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    stop.set()
    reader.join()
    sequences = [sequence for sequence, _ in seen]
    assert sequences == sorted(set(sequences))
    assert sorted(name for _, name in seen) == sorted(stored)
    assert len(stored) == len(set(stored))


def test_many_processes_that_send_the_same_store_it_once(opened):
    names = [str(n) for n in range(50)]

    def send(seed):
        rows = [event(name) for name in Random(seed).sample(names, len(names))]
        told = opened().write([AddEvents("shop", rows)])[0]
        return [row.event_id for row, new in zip(rows, told, strict=True) if new]

    with ThreadPoolExecutor(6) as pool:
        stored = [name for told in pool.map(send, range(6)) for name in told]
    assert sorted(stored) == sorted(names)


def test_a_server_that_stops_and_starts_loses_and_doubles_nothing(stoppable_postgres):
    """Four senders go on with what wasn't acknowledged while the server is stopped, and crashes, in turn."""
    server = stoppable_postgres
    address = server.database("shop")
    acknowledged, refused, stop = [], [], threading.Event()

    async def send(store, sender):
        for batch in range(10_000):
            rows = [event(f"{sender}-{batch}-{n}") for n in range(20)]
            while True:
                try:
                    await store.append("shop", rows)
                    break
                except StoreUnavailableError as error:
                    refused.append(str(error))
                    await asyncio.sleep(0.02)
            acknowledged.extend(row.event_id for row in rows)
            if stop.is_set():
                return

    async def run():
        store = Store.open(server.folder / "state", backend=Postgres(address))
        senders = [asyncio.create_task(send(store, n)) for n in range(4)]
        for end in (server.stop, server.kill, server.stop, server.kill):
            await asyncio.sleep(0.15)
            before = len(refused)
            await asyncio.to_thread(end)
            await asyncio.sleep(0.2)
            assert len(refused) > before
            assert not any(sender.done() for sender in senders)
            await asyncio.to_thread(server.start)
        stop.set()
        await asyncio.gather(*senders)
        found = ids(store)
        await store.close()
        return found

    found = asyncio.run(run())
    assert sorted(found) == sorted(acknowledged)
    assert len(set(found)) == len(found) > 300
    assert all("PostgreSQL database shop on /" in reason for reason in refused)


def test_a_server_that_is_away_is_not_asked_all_the_time(stoppable_postgres):
    backend = Postgres(stoppable_postgres.database("shop"))
    backend.migrate()
    stoppable_postgres.stop()
    begin = time.monotonic()
    reasons = []
    while time.monotonic() < begin + 0.5:
        with pytest.raises(StoreUnavailableError) as caught:
            backend.write([AddEvents("shop", [event("a")])])
        reasons.append(str(caught.value))
    asked = [reason for reason in reasons if "a moment ago" not in reason]
    assert len(asked) <= 4
    stoppable_postgres.start()
    deadline = time.monotonic() + 5
    while True:
        try:
            assert backend.write([AddEvents("shop", [event("a")])]) == [[True]]
            break
        except StoreUnavailableError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    backend.close()


def test_a_server_that_hangs_does_not_hold_the_writer(opened, monkeypatch):
    backend = opened()
    backend.write([AddEvents("shop", [event("a")])])
    pid = backend._connection.info.backend_pid
    monkeypatch.setattr("vitrina.service.store.postgres_connect.PATIENCE", 0.2)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailableError, match="can't be written"):
            backend.write([AddEvents("shop", [event("b")])])
    finally:
        os.kill(pid, signal.SIGCONT)
    assert backend.write([AddEvents("shop", [event("b"), event("c")])])[0][1]


def test_a_writer_that_stands_still_does_not_hold_the_others(opened, monkeypatch):
    monkeypatch.setitem(postgres_connect.SESSION, "idle_in_transaction_session_timeout", "300ms")
    monkeypatch.setitem(postgres_connect.SESSION, "lock_timeout", "100ms")
    still, other = opened(), opened()
    rows = [AddEvents("shop", [event("a")])]

    def stand():
        with still._working() as connection, connection.transaction():
            connection.execute("UPDATE counter SET sequence = sequence + 1")
            with pytest.raises(StoreUnavailableError, match="lock timeout"):
                other.write(rows)
            time.sleep(0.4)
            assert other.write(rows) == [[True]]

    with pytest.raises(StoreUnavailableError, match="idle-in-transaction"):
        stand()


def test_readers_outlive_a_restart(stoppable_postgres):
    backend = Postgres(stoppable_postgres.database("shop"))
    backend.migrate()
    backend.write([AddEvents("shop", [event("a")])])
    assert backend.read.tenants() == ["shop"]
    stoppable_postgres.stop()
    with pytest.raises(StoreUnavailableError, match="can't be read"):
        backend.read.tenants()
    stoppable_postgres.start()
    time.sleep(postgres_connect.FIRST_PAUSE)
    assert backend.read.tenants() == ["shop"]
    backend.close()


def test_a_commit_waits_for_the_disk_whatever_the_server_does_by_default(stoppable_postgres):
    address = stoppable_postgres.database("shop")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("ALTER DATABASE shop SET synchronous_commit = off")
    backend = Postgres(address)
    with backend._working() as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
    backend.close()


def test_a_server_without_fsync_is_told_of(opened, caplog):
    with caplog.at_level(logging.WARNING):
        opened().migrate()
    assert "fsync=off" in caplog.text


def test_one_of_many_takes_the_steps(postgres):
    with ThreadPoolExecutor(5) as pool:
        taken = list(pool.map(lambda _: Postgres(postgres).migrate(), range(5)))
    assert sorted(step for steps in taken for step in steps) == sorted(postgres_migrations.STEPS)


@pytest.mark.parametrize("begun", range(len(postgres_migrations.STEPS)))
def test_each_earlier_schema_is_brought_up(opened, postgres_server, begun, monkeypatch):
    """The rows of an earlier version stay, and the schema becomes that of a new database."""
    address = postgres_server.database(f"earlier_{begun}_{os.getpid()}")
    steps = dict(postgres_migrations.STEPS)
    monkeypatch.setattr(postgres_migrations, "STEPS", dict(list(steps.items())[:begun]))
    opened(address).migrate()
    if begun:
        opened(address).write([AddEvents("shop", [event("a")])])
    monkeypatch.setattr(postgres_migrations, "STEPS", steps)
    assert opened(address).migrate() == list(steps)[begun:]
    assert opened(address).write([AddEvents("shop", [event("a"), event("b")])]) == [[begun == 0, True]]
    assert schema(address) == schema(opened().read._pool.connector._parameters)


def schema(address):
    with psycopg.connect(**address) if isinstance(address, dict) else psycopg.connect(address) as connection:
        columns = "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = 'vitrina' ORDER BY 1, 2"
        indexes = "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'vitrina' ORDER BY 1, 2"
        return connection.execute(columns).fetchall(), connection.execute(indexes).fetchall()


def test_a_later_schema_is_refused(opened, postgres):
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("UPDATE vitrina.version SET number = 99")
    with pytest.raises(DataError, match="written by a later version"):
        opened().migrate()


def test_a_text_that_it_cannot_hold_fails_alone(postgres, tmp_path):
    async def run():
        store = Store.open(tmp_path, backend=Postgres(postgres))
        results = await asyncio.gather(
            store.append("shop", [event("a")]),
            store.append("shop", [event("b\0")]),
            store.append("shop", [event("c")]),
            return_exceptions=True,
        )
        await store.close()
        return results

    first, bad, last = asyncio.run(run())
    assert (first, last) == ([True], [True])
    assert isinstance(bad, Exception)


def test_a_database_is_copied_by_its_own_tools(opened, tmp_path):
    with pytest.raises(ParameterError, match="pg_dump"):
        Store.read_only(tmp_path, backend=opened()).backup(tmp_path / "copy")


def test_what_is_wrong_is_said_without_the_password():
    with pytest.raises(ParameterError, match="can't be read"):
        Postgres("postgresql://[")
    backend = Postgres("postgresql://me:secret@localhost:1/shop")
    with pytest.raises(StoreUnavailableError, match="shop on localhost can't be written") as caught:
        backend.migrate()
    assert "secret" not in str(caught.value)


def test_a_missing_package_is_named():
    program = "import sys; sys.modules['psycopg'] = None; from vitrina.service.store.postgres import Postgres; Postgres('postgresql:///x')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'vitrina[postgres]'" in done.stderr.splitlines()[-1]
