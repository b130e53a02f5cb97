"""What each job does to the embedded database, within the transaction of its batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any

import msgspec

from vitrina.service.records import Attributes, Event
from vitrina.service.store.base import (
    AddEvents,
    AddShown,
    Audit,
    Erase,
    Erased,
    ForgetIds,
    Job,
    Mark,
    Reject,
    Result,
    Retain,
    SetItems,
    SetUsers,
    Trim,
)
from vitrina.service.store.rows import ACCEPTED, digest, event_cells, merged, naming, shown_cells

Tenants = dict[str, int]  # the number of each that has one
TRIMMED = 2_000  # rows that one transaction deletes: others wait for it
LARGEST = 256  # rows of a statement; a power of two
_json = msgspec.json.encode


def tenant_number(connection: Any, tenants: Tenants, name: str) -> int:
    """Of a tenant, who gets one at the first row."""
    number = tenants.get(name)
    if number is None:
        connection.execute("INSERT INTO tenants (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))
        number = tenants[name] = connection.execute("SELECT id FROM tenants WHERE name = ?", (name,)).get
    return number


def _next(connection: Any, count: int) -> int:
    """The first of `count` numbers that no row has had."""
    return connection.execute("UPDATE counter SET sequence = sequence + ? RETURNING sequence", (count,)).get - count + 1


def _add_events(connection: Any, tenants: Tenants, job: AddEvents) -> list[bool]:
    tenant = tenant_number(connection, tenants, job.tenant)
    digests = [digest(event.event_id) for event in job.events]
    known = {key for (key,) in _among(connection, "SELECT digest FROM ids WHERE tenant = ? AND digest IN", tenant, digests)}
    new: dict[bytes, Event] = {}
    stored = []
    for key, event in zip(digests, job.events, strict=True):
        stored.append(key not in known and key not in new)
        new.setdefault(key, event)
    new = {key: event for key, event in new.items() if key not in known}
    _insert(connection, "INSERT INTO ids", [(tenant, key) for key in new])
    _insert(connection, "INSERT INTO events", [
        (number, tenant, *event_cells(event))
        for number, event in enumerate(new.values(), _next(connection, len(new)))
    ])  # fmt: skip
    return stored


def _among(connection: Any, query: str, tenant: int, keys: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Rows of a tenant with one of some keys. Statements are of 1, 2, 4 ... 256 keys, so that each is compiled once."""
    for start in range(0, len(keys), LARGEST):
        part = keys[start : start + LARGEST]
        size = 1 << (len(part) - 1).bit_length()
        yield from connection.execute(f"{query} ({_marks(size)})", (tenant, *part, *[part[-1]] * (size - len(part))))


def _add_shown(connection: Any, tenants: Tenants, job: AddShown) -> None:
    tenant = tenant_number(connection, tenants, job.tenant)
    _insert(connection, "INSERT INTO shown", [
        (number, tenant, *shown_cells(shown))
        for number, shown in enumerate(job.shown, _next(connection, len(job.shown)))
    ])  # fmt: skip


def _insert(connection: Any, into: str, rows: Sequence[Sequence[Any]]) -> None:
    """Many rows per statement: each statement gives the interpreter away and must wait for it, behind all that the event loop is doing.

    Statements are of 256, 128 ... 1 rows, so that each is compiled once.
    """
    start, size = 0, LARGEST
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        part = rows[start : start + size]
        values = ", ".join([f"({_marks(len(part[0]))})"] * size)
        connection.execute(f"{into} VALUES {values}", [cell for row in part for cell in row])
        start += size


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _set_items(connection: Any, tenants: Tenants, job: SetItems) -> list[bool]:
    return _set(connection, "items", tenant_number(connection, tenants, job.tenant), job.rows)


def _set_users(connection: Any, tenants: Tenants, job: SetUsers) -> list[bool]:
    tenant = tenant_number(connection, tenants, job.tenant)
    known = _set(connection, "users", tenant, job.rows)
    connection.execute("DELETE FROM users WHERE tenant = ? AND deleted", (tenant,))
    return known


def _set(connection: Any, table: str, tenant: int, rows: Sequence[Attributes]) -> list[bool]:
    """Merge columns. What is deleted leaves its id."""
    query = f"SELECT id, columns FROM {table} WHERE NOT deleted AND tenant = ? AND id IN "
    now = {name: msgspec.json.decode(columns) for name, columns in _among(connection, query, tenant, [row.id for row in rows])}
    known = []
    for row in rows:
        found = now.get(row.id)
        known.append(found is not None or not row.delete)
        now[row.id] = merged(found, row)
    _insert(
        connection,
        f"INSERT OR REPLACE INTO {table}",
        [(tenant, name, _json(columns or {}).decode(), columns is None) for name, columns in now.items()],
    )
    return known


def _reject(connection: Any, tenants: Tenants, job: Reject) -> None:
    tenant = tenant_number(connection, tenants, job.tenant)
    query = "INSERT INTO rejected (tenant, received, row, reason) VALUES (?, ?, ?, ?)"
    connection.executemany(query, ((tenant, row.received, row.row, row.reason) for row in job.rows))


def _audit(connection: Any, tenants: Tenants, job: Audit) -> None:
    e = job.entry
    query = "INSERT INTO audited (time, tenant, who, action, subject, detail) VALUES (?, ?, ?, ?, ?, ?)"
    connection.execute(query, (e.time, e.tenant, e.who, e.action, e.subject, e.detail))


def _retain(connection: Any, tenants: Tenants, job: Retain) -> int:
    tenant = tenant_number(connection, tenants, job.tenant)
    if job.kind == "events":
        old = connection.execute("SELECT event_id FROM events WHERE tenant = ? AND received < ?", (tenant, job.before)).fetchall()
        _forget(connection, tenant, [event_id for (event_id,) in old])
    return _deleted(connection, job.kind, f"tenant = ? AND {ACCEPTED[job.kind]} < ?", (tenant, job.before))


def _deleted(connection: Any, table: str, condition: str, bindings: Sequence[Any]) -> int:
    """How many rows a deletion took; an answer counts a row per place."""
    counted = "json_array_length(items)" if table == "shown" else "1"
    return sum(rows for (rows,) in connection.execute(f"DELETE FROM {table} WHERE {condition} RETURNING {counted}", bindings))


def _forget_ids(connection: Any, tenants: Tenants, job: ForgetIds) -> None:
    _forget(connection, tenant_number(connection, tenants, job.tenant), job.event_ids)


def _forget(connection: Any, tenant: int, event_ids: Sequence[str]) -> None:
    connection.executemany("DELETE FROM ids WHERE tenant = ? AND digest = ?", ((tenant, digest(event_id)) for event_id in event_ids))


def _erase(connection: Any, tenants: Tenants, job: Erase) -> int:
    e = job.erasure
    tenant = tenant_number(connection, tenants, e.tenant)
    connection.execute("INSERT INTO erasures VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", (e.tenant, e.user, e.who, e.time))
    columns = {"events": "user", "shown": "user", "users": "id"}
    rows = sum(_deleted(connection, table, f"tenant = ? AND {column} = ?", (tenant, e.user)) for table, column in columns.items())
    names = naming(e.user)
    refused = connection.execute("SELECT id, row, reason FROM rejected WHERE tenant = ?", (tenant,))
    gone = [(number,) for number, row, reason in refused if names(row, reason)]
    connection.executemany("DELETE FROM rejected WHERE id = ?", gone)
    return rows + len(gone)


def _erased(connection: Any, tenants: Tenants, job: Erased) -> None:
    e = job.erasure
    connection.execute("DELETE FROM erasures WHERE tenant = ? AND user = ?", (e.tenant, e.user))
    connection.execute("UPDATE scrubs SET due = 1")


def _mark(connection: Any, tenants: Tenants, job: Mark) -> None:
    s = job.segment
    tenant = tenant_number(connection, tenants, s.tenant)
    if job.gone:
        connection.execute("DELETE FROM segments WHERE tenant = ? AND kind = ? AND first = ?", (tenant, s.kind, s.first))
        return
    connection.execute(
        "INSERT OR REPLACE INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (tenant, s.kind, s.first, s.last, s.rows, s.oldest, s.newest, s.state),
    )
    if s.state == "sealed":
        query = "INSERT INTO sealed VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET last = max(last, excluded.last)"
        connection.execute(query, (tenant, s.kind, s.last))


def _trim(connection: Any, tenants: Tenants, job: Trim) -> int:
    tenant = tenant_number(connection, tenants, job.tenant)
    last = connection.execute("SELECT last FROM sealed WHERE tenant = ? AND kind = ?", (tenant, job.kind)).get
    chosen = f"SELECT sequence FROM {job.kind} WHERE tenant = ? AND sequence <= ? ORDER BY sequence LIMIT {TRIMMED}"
    connection.execute(f"DELETE FROM {job.kind} WHERE sequence IN ({chosen})", (tenant, last or 0))
    return connection.changes()


def run(connection: Any, tenants: Tenants, jobs: Sequence[Job]) -> list[Result]:
    """The result of each job; events of a tenant that follow each other, and answers, are one job on the way."""
    results: list[Result] = []
    for (kind, _), group in groupby(jobs, key=lambda job: (type(job), job.tenant if isinstance(job, AddEvents | AddShown) else id(job))):
        same: list[Any] = list(group)
        if kind is AddEvents:
            stored = iter(_add_events(connection, tenants, AddEvents(same[0].tenant, [event for job in same for event in job.events])))
            results += [list(islice(stored, len(job.events))) for job in same]
        elif kind is AddShown:
            _add_shown(connection, tenants, AddShown(same[0].tenant, [shown for job in same for shown in job.shown]))
            results += [None] * len(same)
        else:
            results.append(HANDLERS[kind](connection, tenants, same[0]))
    return results


HANDLERS: Mapping[type, Callable[[Any, Tenants, Any], Result]] = {
    SetItems: _set_items, SetUsers: _set_users, Reject: _reject, Audit: _audit, Retain: _retain,
    ForgetIds: _forget_ids, Erase: _erase, Erased: _erased, Mark: _mark, Trim: _trim,
}  # fmt: skip
