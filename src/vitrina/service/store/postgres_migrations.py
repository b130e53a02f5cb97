"""The schema of the PostgreSQL database, step by step; the table `version` says how many were taken."""

from __future__ import annotations

from typing import Any

from vitrina.base.errors import DataError

SCHEMA = "vitrina"
LOCK = 0x76697472696E61  # of PostgreSQL's advisory ones: the word "vitrina"
PATIENCE = "60s"  # for another process that migrates

STEPS = {
    "events, answers, items and people": """
        CREATE TABLE tenants (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
        CREATE TABLE counter (sequence bigint NOT NULL);
        INSERT INTO counter VALUES (0);
        CREATE TABLE ids (tenant integer NOT NULL, digest bytea NOT NULL, PRIMARY KEY (tenant, digest));
        CREATE TABLE events (
            sequence bigint NOT NULL, tenant integer NOT NULL, event_id text NOT NULL, kind text NOT NULL, "user" text, item text, time bigint NOT NULL,
            received bigint NOT NULL, value double precision, basket text, recommendation_id text, position bigint, session text, properties text NOT NULL,
            PRIMARY KEY (tenant, sequence));
        CREATE INDEX events_by_user ON events (tenant, "user");
        CREATE INDEX events_by_moment ON events USING brin (received);
        CREATE TABLE shown (
            sequence bigint NOT NULL, tenant integer NOT NULL, recommendation_id text NOT NULL, time bigint NOT NULL, scenario text NOT NULL,
            version text NOT NULL, "user" text, session text, experiment text, variant text, propensity double precision,
            items text NOT NULL, scores text NOT NULL, sources text NOT NULL, propensities text NOT NULL, PRIMARY KEY (tenant, sequence));
        CREATE INDEX shown_by_user ON shown (tenant, "user");
        CREATE INDEX shown_by_moment ON shown USING brin (time);
        CREATE TABLE items (
            tenant integer NOT NULL, id text NOT NULL, columns text NOT NULL, deleted boolean NOT NULL, sequence bigint NOT NULL, PRIMARY KEY (tenant, id));
        CREATE INDEX items_by_sequence ON items (tenant, sequence);
        CREATE TABLE users (
            tenant integer NOT NULL, id text NOT NULL, columns text NOT NULL, deleted boolean NOT NULL, sequence bigint NOT NULL, PRIMARY KEY (tenant, id));
        CREATE INDEX users_by_sequence ON users (tenant, sequence);
        CREATE TABLE rejected (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant integer NOT NULL, received bigint NOT NULL, row bytea NOT NULL, reason text NOT NULL);
        CREATE TABLE audited (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, time bigint NOT NULL, tenant text NOT NULL, who text NOT NULL, action text NOT NULL,
            subject text NOT NULL, detail text NOT NULL);
    """,
    "erasures": """
        CREATE TABLE erasures (tenant text NOT NULL, "user" text NOT NULL, who text NOT NULL, time bigint NOT NULL, PRIMARY KEY (tenant, "user"));
        CREATE TABLE forgotten (tenant integer NOT NULL, sequence bigint NOT NULL, digest bytea NOT NULL, PRIMARY KEY (tenant, sequence));
        CREATE TABLE scrubs (due boolean NOT NULL);
        INSERT INTO scrubs VALUES (false);
    """,
}


def migrate(connection: Any) -> list[str]:
    """Take the steps that a database lacks, each in one transaction with its number. Of several processes one takes them, and the others wait for it.

    Raises:
        DataError: a later version has written the database.
    """
    taken: list[str] = []
    while True:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'; SET LOCAL statement_timeout = 0")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            version = version_of(connection)
            if version is None:
                _begin(connection)
                version = 0
            if version == len(STEPS):
                return taken
            name = list(STEPS)[version]
            connection.execute(STEPS[name])
            connection.execute("UPDATE version SET number = %s", (version + 1,))
        taken.append(name)


def version_of(connection: Any) -> int | None:
    """How many steps a database has; None where nothing was begun.

    Raises:
        DataError: more than this version knows.
    """
    if connection.execute(f"SELECT to_regclass('{SCHEMA}.version')").fetchone() == (None,):
        return None
    (version,) = connection.execute("SELECT number FROM version").fetchone()
    if version > len(STEPS):
        raise DataError(
            f"The database {connection.info.dbname} was written by a later version of Vitrina (its schema is number {version}, and this version knows "
            f"{len(STEPS)}). Install that version again, or start from a backup of before."
        )
    return version


def _begin(connection: Any) -> None:
    if connection.execute(f"SELECT to_regnamespace('{SCHEMA}')").fetchone() == (
        None,
    ):  # where it is there, the right to make one isn't needed
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
    connection.execute("CREATE TABLE version (number integer NOT NULL)")
    connection.execute("INSERT INTO version VALUES (0)")
