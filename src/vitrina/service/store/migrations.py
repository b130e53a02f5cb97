"""The schema of the embedded database, step by step; `user_version` of the file says how many were taken."""

from __future__ import annotations

from typing import Any

from vitrina.base.errors import DataError

STEPS = {
    "events, answers, items and people": """
        CREATE TABLE tenants (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
        CREATE TABLE counter (sequence INTEGER NOT NULL);
        INSERT INTO counter VALUES (0);
        CREATE TABLE ids (tenant INTEGER NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (tenant, digest)) WITHOUT ROWID;
        CREATE TABLE events (
            sequence INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, event_id TEXT NOT NULL, kind TEXT NOT NULL, user TEXT, item TEXT,
            time INTEGER NOT NULL, received INTEGER NOT NULL, value REAL, basket TEXT, recommendation_id TEXT, position INTEGER, session TEXT,
            properties TEXT NOT NULL);
        CREATE TABLE shown (
            sequence INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, recommendation_id TEXT NOT NULL, time INTEGER NOT NULL, scenario TEXT NOT NULL,
            version TEXT NOT NULL, user TEXT, session TEXT, experiment TEXT, variant TEXT, propensity REAL,
            items TEXT NOT NULL, scores TEXT NOT NULL, sources TEXT NOT NULL, propensities TEXT NOT NULL);
        CREATE TABLE items (
            tenant INTEGER NOT NULL, id TEXT NOT NULL, columns TEXT NOT NULL, deleted INTEGER NOT NULL, PRIMARY KEY (tenant, id)) WITHOUT ROWID;
        CREATE TABLE users (
            tenant INTEGER NOT NULL, id TEXT NOT NULL, columns TEXT NOT NULL, deleted INTEGER NOT NULL, PRIMARY KEY (tenant, id)) WITHOUT ROWID;
        CREATE TABLE rejected (id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, received INTEGER NOT NULL, row BLOB NOT NULL, reason TEXT NOT NULL);
        CREATE TABLE audited (
            id INTEGER PRIMARY KEY, time INTEGER NOT NULL, tenant TEXT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,
            detail TEXT NOT NULL);
    """,
    "segments": """
        CREATE TABLE segments (
            tenant INTEGER NOT NULL, kind TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, rows INTEGER NOT NULL, oldest INTEGER NOT NULL,
            newest INTEGER NOT NULL,
            state TEXT NOT NULL, PRIMARY KEY (tenant, kind, first)) WITHOUT ROWID;
        CREATE TABLE sealed (tenant INTEGER NOT NULL, kind TEXT NOT NULL, last INTEGER NOT NULL, PRIMARY KEY (tenant, kind)) WITHOUT ROWID;
    """,
    "erasures": """
        CREATE TABLE erasures (tenant TEXT NOT NULL, user TEXT NOT NULL, who TEXT NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (tenant, user)) WITHOUT ROWID;
        CREATE TABLE scrubs (due INTEGER NOT NULL);
        INSERT INTO scrubs VALUES (0);
    """,
}


def migrate(connection: Any) -> list[str]:
    """Take the steps that a database lacks, each in one transaction with its number: after a kill between two it goes on with the next.

    Raises:
        DataError: a later version has written the file.
    """
    taken = []
    names = list(STEPS)
    version = version_of(connection)
    for number, name in enumerate(names[version:], version + 1):
        with connection:
            connection.execute(STEPS[name])
            connection.pragma("user_version", number)
        taken.append(name)
    return taken


def version_of(connection: Any) -> int:
    """How many steps a database has.

    Raises:
        DataError: more than this version knows.
    """
    version = int(connection.pragma("user_version"))
    if version > len(STEPS):
        raise DataError(
            f"{connection.filename} was written by a later version of Vitrina (its schema is number {version}, and this version knows {len(STEPS)}). "
            "Install that version again, or start from a backup of before."
        )
    return version
