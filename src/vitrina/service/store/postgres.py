"""PostgreSQL behind the store, by psycopg 3: the step up from the embedded database, for several service processes on one database."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, final

import msgspec
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.service.records import Attributes, Audited, Erasure, Event, Rejected, Sealable, Segment
from vitrina.service.store import frames
from vitrina.service.store.base import Changes, Job, Result
from vitrina.service.store.postgres_connect import SESSION, Connector, Pool, fresh
from vitrina.service.store.postgres_jobs import Tenants, done
from vitrina.service.store.postgres_migrations import SCHEMA, migrate

LOG = logging.getLogger(__name__)
CHUNK = 10_000  # rows of a table that a reader gets at once
UNLIMITED = 86_400.0  # seconds: for what goes through whole tables
OF_TENANT = "tenant = (SELECT id FROM tenants WHERE name = %s)"
ANSWERS = 'sequence, recommendation_id, time, scenario, version, "user", session, experiment, variant, propensity, items, scores, sources, propensities'
EVENTS = ", ".join(f'"{name}"' for name in frames.EVENTS)
EVENT = ", ".join(f'"{name}"' for name in Event.__struct_fields__)
ATTRIBUTES = "SELECT id, columns, deleted FROM {} WHERE " + OF_TENANT + ' ORDER BY id COLLATE "C"'


@final
class Postgres:
    """A `Backend` in the schema "vitrina" of a PostgreSQL database, which any number of service processes may share.

    Each transaction takes the next numbers from one counter, whose row stays locked until it has ended: so writers of all processes take turns, numbers rise in the order
    of commits, and who has read up to a number has missed nothing below it. `synchronous_commit` is on: a commit returns when it is on the server's disk.
    A server that doesn't answer for a minute counts as away, and its connection is given up; so it is after any error. Rows stay in the database and are not sealed.

    Args:
        address: "postgresql://user:password@host:5432/name", with what else libpq takes.
    """

    seals = False

    def __init__(self, address: str) -> None:
        self._connector = Connector(address)
        self.read = PostgresReadings(address)
        self._connection: Any = None
        self._tenants: Tenants = {}

    def migrate(self) -> list[str]:
        with self._working(UNLIMITED) as connection:
            if connection.execute("SHOW fsync").fetchone() == ("off",):
                LOG.warning("PostgreSQL runs with fsync=off: events that were acknowledged are lost when its machine loses power")
            return migrate(connection)

    def write(self, jobs: Sequence[Job]) -> list[Result]:
        with self._working() as connection, connection.transaction():
            return done(connection, self._tenants, jobs)

    def scrub(self) -> None:
        """Let the server reuse the room of what was deleted, after an erasure; it doesn't overwrite it, nor in its log and its backups."""
        with self._working(UNLIMITED) as connection:
            if connection.execute("SELECT due FROM scrubs").fetchone() == (True,):
                connection.execute("SET statement_timeout = 0")
                connection.execute("VACUUM events, shown, users, rejected, erasures")
                connection.execute("SELECT set_config('statement_timeout', %s, false)", (SESSION["statement_timeout"],))
                connection.execute("UPDATE scrubs SET due = false")

    def close(self) -> None:
        self._let_go()
        self.read.close()

    def _let_go(self) -> None:
        connection, self._connection, self._tenants = self._connection, None, {}
        if connection is not None:
            connection.close()

    @contextlib.contextmanager
    def _working(self, seconds: float | None = None) -> Iterator[Any]:
        """The connection that writes, a new one after an error."""
        with self._connector.speaking("written"):
            try:
                if self._connection is None or not fresh(self._connection):
                    self._let_go()
                    self._connection = self._connector.open()
                with self._connector.patient(self._connection, seconds):
                    yield self._connection
            except BaseException:  # of the server, of the line, or of a row that is no good: a new connection knows nothing of it
                with contextlib.suppress(Exception):
                    self._let_go()
                raise


@final
class PostgresReadings:
    """The `Readings` of a database."""

    def __init__(self, address: str) -> None:
        self._pool = Pool(address)

    def events(self, tenant: str, after: int = 0) -> Iterator[pl.DataFrame]:
        return self._tables("events", EVENTS, tenant, after, frames.of_events)

    def shown(self, tenant: str, after: int = 0) -> Iterator[pl.DataFrame]:
        return self._tables("shown", ANSWERS, tenant, after, frames.of_shown)

    def items(self, tenant: str) -> list[Attributes]:
        return self._attributes(ATTRIBUTES.format("items"), (tenant,))

    def users(self, tenant: str) -> list[Attributes]:
        return self._attributes(ATTRIBUTES.format("(SELECT * FROM users WHERE NOT deleted) users"), (tenant,))

    def rejected(self, tenant: str, most: int = 100) -> list[Rejected]:
        rows = self._pool.rows(f"SELECT received, row, reason FROM rejected WHERE {OF_TENANT} ORDER BY id DESC LIMIT %s", (tenant, most))
        return [Rejected(*row) for row in rows]

    def audited(self, tenant: str, most: int = 100) -> list[Audited]:
        query = "SELECT time, tenant, who, action, subject, detail FROM audited WHERE tenant IN (%s, '') ORDER BY id DESC LIMIT %s"
        return [Audited(*row) for row in self._pool.rows(query, (tenant, most))]

    def tenants(self) -> list[str]:
        return [name for (name,) in self._pool.rows("SELECT name FROM tenants ORDER BY id")]

    def last(self) -> int:
        """The number of the latest commit."""
        return self._pool.rows("SELECT sequence FROM counter")[0][0]

    def changes(self, tenant: str, after: int, last: int) -> Changes:
        """What was committed after a number and up to another, or up to an earlier one where that is much: commits come in the order of their numbers, so it is all."""
        between = f"{OF_TENANT} AND sequence > %s AND sequence <= %s"
        events = self._pool.rows(
            f"SELECT sequence, {EVENT} FROM events WHERE {between} ORDER BY sequence LIMIT {CHUNK}", (tenant, after, last)
        )
        upto = events[-1][0] if len(events) == CHUNK else last
        asked = (tenant, after, upto)
        items, users = (
            self._attributes(f"SELECT id, columns, deleted FROM {table} WHERE {between} ORDER BY sequence", asked)
            for table in ("items", "users")
        )
        forgotten = [digest for (digest,) in self._pool.rows(f"SELECT digest FROM forgotten WHERE {between}", asked)]
        return Changes(upto, [Event(*row[1:-1], properties=row[-1].encode()) for row in events], items, users, forgotten)

    def segments(self, tenant: str, kind: Sealable | None = None) -> list[Segment]:
        return []

    def erasures(self) -> list[Erasure]:
        return [Erasure(*row) for row in self._pool.rows('SELECT tenant, "user", who, time FROM erasures ORDER BY time')]

    def copy(self, folder: Path) -> None:
        raise ParameterError(
            f"The PostgreSQL database {self._pool.connector.place} is copied by its own tools: pg_dump --schema={SCHEMA} --format=custom, and pg_restore."
        )

    def close(self) -> None:
        self._pool.close()

    def _attributes(self, query: str, values: Sequence[Any]) -> list[Attributes]:
        return [Attributes(name, msgspec.json.decode(columns), deleted) for name, columns, deleted in self._pool.rows(query, values)]

    def _tables(
        self, table: str, columns: str, tenant: str, after: int, made: Callable[[list[Any]], pl.DataFrame]
    ) -> Iterator[pl.DataFrame]:
        query = f"SELECT {columns} FROM {table} WHERE {OF_TENANT} AND sequence > %s ORDER BY sequence LIMIT {CHUNK}"
        while rows := self._pool.rows(query, (tenant, after)):
            after = rows[-1][0]
            yield made(rows)
