"""The embedded database: SQLite in WAL mode, by `apsw`, which has an SQLite of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import msgspec
import polars as pl

from vitrina.base.errors import DataError, MissingExtraError
from vitrina.service.records import Attributes, Audited, Erasure, Rejected, Sealable, Segment
from vitrina.service.store import frames
from vitrina.service.store.base import Job, Result, StoreUnavailableError
from vitrina.service.store.migrations import STEPS, migrate, version_of
from vitrina.service.store.sqlite_jobs import Tenants, run

FILE = "store.sqlite"
CHUNK = 10_000  # rows of a table that a reader gets at once
BUSY = 5_000  # milliseconds that a statement waits for another process
MENDED = (3, 51, 3)  # the first SQLite without the WAL-reset bug: from 3.7.0 on, two connections could corrupt a file in WAL mode
SETTINGS = {"journal_mode": "WAL", "synchronous": "FULL", "fullfsync": "ON", "checkpoint_fullfsync": "ON", "secure_delete": "ON"}
ANSWERS = "sequence, recommendation_id, time, scenario, version, user, session, experiment, variant, propensity, items, scores, sources, propensities"
OF_TENANT = "tenant = (SELECT id FROM tenants WHERE name = ?)"
UNSEALED = "sequence > max(?, coalesce((SELECT last FROM sealed WHERE tenant = {0}.tenant AND kind = '{0}'), 0))"
LIVE = "SELECT {1} FROM {0} WHERE " + OF_TENANT + " AND " + UNSEALED + f" ORDER BY sequence LIMIT {CHUNK}"
TROUBLES = {
    "BusyError": "another process holds it. Only one service may use a store",
    "LockedError": "another process holds it. Only one service may use a store",
    "FullError": "the disk is full. Make room",
    "ReadOnlyError": "it may not be written to. Look at its rights, and at whether the disk is mounted for reading only",
    "PermissionsError": "it may not be written to. Look at its rights",
    "CantOpenError": "it can't be opened. Look at the folder and its rights",
    "IOError": "the disk reports an error. Look at the system's log",
    "NoMemError": "there is no memory left",
    "CorruptError": "it is damaged. Stop the service and start it from a backup",
    "NotADBError": "it is no database. Stop the service and start it from a backup",
}


@final
class SQLite:
    """A `Backend` in one file of a folder.

    `synchronous=FULL`: a commit returns when the disk says that it has the bytes. `secure_delete`: what is deleted is overwritten.
    After an error of the database the connection is given up, and the next call opens another: what a disk does after it has failed once, nobody promises.

    Raises:
        MissingExtraError: apsw isn't installed.
        DataError: its SQLite is one with the WAL-reset bug.
    """

    seals = True

    def __init__(self, folder: Path) -> None:
        self.read = SQLiteReadings(folder)
        self._file = folder / FILE
        self._apsw = _apsw()
        self._connection: Any = None
        self._tenants: Tenants = {}

    def migrate(self) -> list[str]:
        with self._working() as connection:
            return migrate(connection)

    def write(self, jobs: Sequence[Job]) -> list[Result]:
        with self._working() as connection:
            connection.execute("BEGIN IMMEDIATE")
            results = run(connection, self._tenants, jobs)
            connection.execute("COMMIT")
            return results

    def scrub(self) -> None:
        with self._working() as connection:
            if connection.execute("SELECT due FROM scrubs").get:
                connection.execute("VACUUM")
                connection.execute("UPDATE scrubs SET due = 0")
                _empty_log(connection)

    def close(self) -> None:
        connection, self._connection, self._tenants = self._connection, None, {}
        if connection is not None:
            connection.close(True)

    @contextlib.contextmanager
    def _working(self) -> Iterator[Any]:
        """The connection that writes, a new one after an error."""
        with speaking_of(self._apsw, self._file, "written"):
            try:
                if self._connection is None:
                    self._connection = self._opened()
                yield self._connection
            except (self._apsw.Error, OSError):
                with contextlib.suppress(self._apsw.Error):
                    self.close()
                raise
            except BaseException:  # a row that is no good
                if self._connection is not None and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._tenants.clear()
                raise

    def _opened(self) -> Any:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        connection = self._apsw.Connection(str(self._file), statementcachesize=200)
        connection.set_busy_timeout(BUSY)
        for name, value in SETTINGS.items():
            connection.pragma(name, value)
        _empty_log(
            connection
        )  # after an error the system may hold parts of the log that it never wrote and no longer knows to be unwritten: they go into the file
        return connection


@final
class SQLiteReadings:
    """The `Readings` of a file: each call has a connection of its own, which sees what was committed when it began."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._apsw = _apsw()

    def events(self, tenant: str, after: int = 0) -> Iterator[pl.DataFrame]:
        return self._tables("events", ", ".join(frames.EVENTS), tenant, after, frames.of_events)

    def shown(self, tenant: str, after: int = 0) -> Iterator[pl.DataFrame]:
        return self._tables("shown", ANSWERS, tenant, after, frames.of_shown)

    def items(self, tenant: str) -> list[Attributes]:
        return self._attributes("items", tenant)

    def users(self, tenant: str) -> list[Attributes]:
        return self._attributes("users", tenant)

    def rejected(self, tenant: str, most: int = 100) -> list[Rejected]:
        rows = self._rows(f"SELECT received, row, reason FROM rejected WHERE {OF_TENANT} ORDER BY id DESC LIMIT ?", (tenant, most))
        return [Rejected(received, bytes(row), reason) for received, row, reason in rows]

    def audited(self, tenant: str, most: int = 100) -> list[Audited]:
        query = "SELECT time, tenant, who, action, subject, detail FROM audited WHERE tenant IN (?, '') ORDER BY id DESC LIMIT ?"
        return [Audited(*row) for row in self._rows(query, (tenant, most))]

    def tenants(self) -> list[str]:
        return [name for (name,) in self._rows("SELECT name FROM tenants ORDER BY id")]

    def segments(self, tenant: str, kind: Sealable | None = None) -> list[Segment]:
        query = f"SELECT kind, first, last, rows, oldest, newest, state FROM segments WHERE {OF_TENANT} AND kind = coalesce(?, kind) ORDER BY kind, first"
        return [Segment(tenant, *row) for row in self._rows(query, (tenant, kind))]

    def erasures(self) -> list[Erasure]:
        return [Erasure(*row) for row in self._rows("SELECT tenant, user, who, time FROM erasures ORDER BY time")]

    def copy(self, folder: Path) -> None:
        with self._reading() as connection:
            target = self._apsw.Connection(str(folder / FILE))
            with contextlib.closing(target), target.backup("main", connection, "main") as backup:
                backup.step(-1)

    def _attributes(self, table: str, tenant: str) -> list[Attributes]:
        rows = self._rows(f"SELECT id, columns, deleted FROM {table} WHERE {OF_TENANT} ORDER BY id", (tenant,))
        return [Attributes(name, msgspec.json.decode(columns), bool(deleted)) for name, columns, deleted in rows]

    def _tables(
        self, table: str, columns: str, tenant: str, after: int, made: Callable[[list[Any]], pl.DataFrame]
    ) -> Iterator[pl.DataFrame]:
        while rows := self._rows(LIVE.format(table, columns), (tenant, after)):
            after = rows[-1][0]
            yield made(rows)

    def _rows(self, query: str, bindings: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        with self._reading() as connection:
            return list(connection.execute(query, bindings))

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Any]:
        with speaking_of(self._apsw, self._file, "read"), contextlib.closing(self._opened()) as connection:
            connection.set_busy_timeout(BUSY)
            if version_of(connection) < len(STEPS):
                raise DataError(
                    f"{self._file} is not begun, or of an earlier version of Vitrina. Start the service on it once, which brings it to this version."
                )
            yield connection

    def _opened(self) -> Any:
        """A connection that only reads; where nobody may write beside the file, and nobody does, it is read as it is."""
        if not self._file.exists():
            raise DataError(
                f"{self._file.parent} holds no store: there is no {FILE} in it. Name the folder that the service keeps its state in."
            )
        flags = self._apsw.SQLITE_OPEN_READONLY
        connection = self._apsw.Connection(str(self._file), flags=flags)
        try:
            connection.pragma("user_version")
        except (self._apsw.CantOpenError, self._apsw.ReadOnlyError):
            connection.close(True)
            if self._file.with_name(FILE + "-wal").exists():
                raise
            return self._apsw.Connection(f"{self._file.absolute().as_uri()}?immutable=1", flags=flags | self._apsw.SQLITE_OPEN_URI)
        return connection


def _empty_log(connection: Any) -> None:
    """Write everything into the file itself and cut the log; readers who are at it are waited for.

    Raises:
        apsw.BusyError: for too long.
    """
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]
    if busy:
        raise _apsw().BusyError("a reader holds the log")


def _apsw() -> Any:
    """The module, with an SQLite that may be trusted."""
    try:
        import apsw  # noqa: PLC0415  an extra
    except ModuleNotFoundError:
        raise MissingExtraError.of("apsw", "serve", "The store of the service") from None
    version = tuple(map(int, apsw.sqlite_lib_version().split(".")))
    if version < MENDED:
        raise DataError(
            f"apsw is built on SQLite {apsw.sqlite_lib_version()}, which can lose what was committed (its WAL-reset bug, mended in 3.51.3). "
            "Install apsw from PyPI, which brings an SQLite of its own: pip install --force-reinstall 'apsw>=3.51.3.0'."
        )
    return apsw


@contextlib.contextmanager
def speaking_of(apsw: Any, file: Path, done: str) -> Iterator[None]:
    """What the database or the disk can't do is told in a sentence.

    Raises:
        StoreUnavailableError: instead of the errors of `TROUBLES`; others go on as they are.
    """
    try:
        yield
    except (apsw.Error, OSError) as error:
        trouble = f"{error.strerror or error}" if isinstance(error, OSError) else TROUBLES.get(type(error).__name__)
        if trouble is None:
            raise
        raise StoreUnavailableError(f"{file} can't be {done}: {trouble}. Send the same again later; nothing is kept twice.") from error
