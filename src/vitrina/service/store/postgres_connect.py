"""Connections to PostgreSQL: opened, checked, cut where the server says nothing, and what is the matter in a sentence."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

from vitrina.base.errors import MissingExtraError, ParameterError
from vitrina.service.store.base import StoreUnavailableError
from vitrina.service.store.postgres_migrations import SCHEMA

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds between tries to connect, where it failed
IDLE = 4  # connections of readers that are kept
PATIENCE = 60.0  # seconds after which a server that says nothing counts as away
CONNECTING = {
    "connect_timeout": "5", "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "15000",
    "application_name": "vitrina",
}  # fmt: skip
SESSION = {
    "search_path": SCHEMA, "synchronous_commit": "on", "lock_timeout": "10s", "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "10s",
}  # fmt: skip


@final
class Connector:
    """Opens connections to one database, and says in a sentence what is the matter with it.

    Where it can't be reached it isn't tried again for a moment, which doubles up to 2 seconds: whoever asks meanwhile is told so at once.

    Raises:
        MissingExtraError: psycopg isn't installed.
        ParameterError: the address can't be read.
    """

    def __init__(self, address: str) -> None:
        self.psycopg = _psycopg()
        try:
            named = self.psycopg.conninfo.conninfo_to_dict(address)
        except self.psycopg.ProgrammingError as error:
            raise ParameterError(
                f"The address of the PostgreSQL database can't be read: {error}. Write postgresql://user@host:5432/name."
            ) from None
        self.place = f"{named.get('dbname') or named.get('user') or 'postgres'} on {named.get('host') or 'localhost'}"
        self._parameters: Mapping[str, Any] = {**CONNECTING, **named}
        self._pause, self._not_before = 0.0, 0.0
        self._deadlines: dict[Any, float] = {}
        self._changed = threading.Condition()
        self._watching = False

    def open(self) -> Any:
        """A new connection, outside of a transaction."""
        if time.monotonic() < self._not_before:
            raise self.psycopg.OperationalError("it was away a moment ago")
        try:
            connection = self.psycopg.connect(**self._parameters, autocommit=True)
            for name, value in SESSION.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        except self.psycopg.Error:
            self._pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, 2 * self._pause))
            self._not_before = time.monotonic() + self._pause
            raise
        self._pause = 0.0
        return connection

    @contextlib.contextmanager
    def speaking(self, action: str) -> Iterator[None]:
        """What the database can't do is told in a sentence.

        Raises:
            StoreUnavailableError: it is away, closes, has no room, or lacks rights or tables; other errors go on as they are.
        """
        errors = self.psycopg.errors
        away = (
            self.psycopg.OperationalError, self.psycopg.InterfaceError, errors.IdleInTransactionSessionTimeout, errors.ReadOnlySqlTransaction,
            errors.InsufficientPrivilege, errors.UndefinedTable, errors.InvalidSchemaName, OSError,
        )  # fmt: skip
        try:
            yield
        except away as error:
            reason = " ".join(str(error).split())
            raise StoreUnavailableError(
                f"The PostgreSQL database {self.place} can't be {action}: {reason or type(error).__name__}. Send the same again later; "
                "nothing is kept twice."
            ) from error

    @contextlib.contextmanager
    def patient(self, connection: Any, seconds: float | None = None) -> Iterator[None]:
        """Use a connection, which is cut where that takes longer: a server that hangs, or a network that swallows, must not hold a thread for ever."""
        with self._changed:
            self._deadlines[connection] = time.monotonic() + (PATIENCE if seconds is None else seconds)
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._watch, name="vitrina-postgres-watch", daemon=True).start()
        try:
            yield
        finally:
            with self._changed:
                self._deadlines.pop(connection, None)

    def _watch(self) -> None:
        """Cut what is late, about every second, as long as something is under way."""
        while True:
            time.sleep(1.0)
            with self._changed:
                late = [connection for connection, deadline in self._deadlines.items() if deadline < time.monotonic()]
                for connection in late:
                    del self._deadlines[connection]
                    _cut(connection)
                if not self._deadlines:
                    self._watching = False
                    return


@final
class Pool:
    """Connections of readers: a few are kept, and each call has one for itself."""

    def __init__(self, address: str) -> None:
        self.connector = Connector(address)
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """What a query gives, as of one moment.

        Raises:
            StoreUnavailableError: the database is away.
        """
        with self.connector.speaking("read"):
            connection = self._taken()
            try:
                with self.connector.patient(connection):
                    found = connection.execute(query, values).fetchall()
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)
            return found

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _taken(self) -> Any:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if fresh(connection):
                    return connection
                connection.close()
        return self.connector.open()

    def _give_back(self, connection: Any) -> None:
        with self._lock:
            if len(self._idle) < IDLE:
                self._idle.append(connection)
                return
        connection.close()


def fresh(connection: Any) -> bool:
    """Whether an idle connection can be used: one to which the server has said something unasked is closed, or soon will be."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


def _cut(connection: Any) -> None:
    """End a connection from another thread than the one that waits for it, which then gets an error."""
    with contextlib.suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def _psycopg() -> Any:
    try:
        import psycopg  # noqa: PLC0415  an extra
        import psycopg.conninfo  # noqa: PLC0415
    except ModuleNotFoundError:
        raise MissingExtraError.of("psycopg", "postgres", "A store in PostgreSQL") from None
    return psycopg
