"""What jobs do to the PostgreSQL database, within the transaction of their batch: jobs of one kind that follow each other go in one statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec

from vitrina.service.records import Event
from vitrina.service.store.base import (
    AddEvents,
    AddShown,
    Audit,
    Erase,
    Erased,
    ForgetIds,
    Job,
    Reject,
    Result,
    Retain,
    SetItems,
    SetUsers,
)
from vitrina.service.store.rows import ACCEPTED, digest, event_cells, merged, naming, shown_cells

Tenants = dict[str, int]  # the number of each that has one
IDS = "INSERT INTO ids SELECT %s, one FROM unnest(%s::bytea[]) one ON CONFLICT DO NOTHING RETURNING digest"
EVENTS = """
    INSERT INTO events SELECT sequence, %s, event_id, kind, "user", item, time, received, value, basket, recommendation_id, position, session, properties
    FROM unnest(
        %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::double precision[], %s::text[], %s::text[],
        %s::bigint[], %s::text[], %s::text[])
    AS given (sequence, event_id, kind, "user", item, time, received, value, basket, recommendation_id, position, session, properties)"""
SHOWN = """
    INSERT INTO shown SELECT sequence, %s, recommendation_id, time, scenario, version, "user", session, experiment, variant, propensity, items, scores,
        sources, propensities
    FROM unnest(
        %s::bigint[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::double precision[],
        %s::text[], %s::text[], %s::text[], %s::text[])
    AS given (sequence, recommendation_id, time, scenario, version, "user", session, experiment, variant, propensity, items, scores, sources,
        propensities)"""
_json = msgspec.json.encode


class Transaction:
    """One transaction: it has the counter, so that no other writer goes on before it has ended, and what has a higher number is committed later.

    Args:
        numbers: how many are needed, at most.
    """

    def __init__(self, connection: Any, tenants: Tenants, numbers: int) -> None:
        self.connection, self._tenants = connection, tenants
        (last,) = connection.execute("UPDATE counter SET sequence = sequence + %s RETURNING sequence", (numbers,)).fetchone()
        self._next = last - numbers + 1

    def number(self) -> int:
        """One that no row has had, and that rises."""
        self._next += 1
        return self._next - 1

    def tenant(self, name: str) -> int:
        """The number of a tenant, who gets one at the first row."""
        number = self._tenants.get(name)
        if number is None:
            self.connection.execute("INSERT INTO tenants (name) VALUES (%s) ON CONFLICT DO NOTHING", (name,))
            (number,) = self.connection.execute("SELECT id FROM tenants WHERE name = %s", (name,)).fetchone()
            self._tenants[name] = number
        return number

    def many(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        """A statement for each row."""
        with self.connection.cursor() as cursor:
            cursor.executemany(query, rows)


def done(connection: Any, tenants: Tenants, jobs: Sequence[Job]) -> list[Result]:
    """Do all jobs in their order; the result of each."""
    transaction = Transaction(connection, tenants, sum(_numbers(job) for job in jobs))
    results: list[Result] = []
    for (kind, _), run in groupby(jobs, lambda job: (type(job), getattr(job, "tenant", None))):
        results += HANDLERS[kind](transaction, list(run))
    return results


def _numbers(job: Job) -> int:
    match job:
        case AddEvents(events=rows) | AddShown(shown=rows) | SetItems(rows=rows) | SetUsers(rows=rows):
            return len(rows)
        case Erase():
            return 1
    return 0


def _one_by_one(handler: Callable[[Transaction, Any], Result]) -> Callable[[Transaction, Sequence[Any]], list[Result]]:
    return lambda transaction, jobs: [handler(transaction, job) for job in jobs]


def _add_events(transaction: Transaction, jobs: Sequence[AddEvents]) -> list[Result]:
    tenant = transaction.tenant(jobs[0].tenant)
    given = [(digest(event.event_id), transaction.number(), event) for job in jobs for event in job.events]
    first: dict[bytes, tuple[int, Event]] = {}
    for known, number, event in given:
        first.setdefault(known, (number, event))
    new = {known for (known,) in transaction.connection.execute(IDS, (tenant, list(first)))}
    rows = [(number, *event_cells(event)) for known, (number, event) in first.items() if known in new]
    if rows:
        transaction.connection.execute(EVENTS, (tenant, *_columns(rows)))
    told = iter([known in new and first[known][0] == number for known, number, _ in given])
    return [[next(told) for _ in job.events] for job in jobs]


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _add_shown(transaction: Transaction, jobs: Sequence[AddShown]) -> list[Result]:
    tenant = transaction.tenant(jobs[0].tenant)
    rows = [(transaction.number(), *shown_cells(shown)) for job in jobs for shown in job.shown]
    transaction.connection.execute(SHOWN, (tenant, *_columns(rows)))
    return [None for _ in jobs]


def _set_items(transaction: Transaction, job: SetItems) -> list[bool]:
    return _set(transaction, "items", job)


def _set_users(transaction: Transaction, job: SetUsers) -> list[bool]:
    return _set(transaction, "users", job)


def _set(transaction: Transaction, table: str, job: SetItems | SetUsers) -> list[bool]:
    """Merge columns. What is deleted leaves its id, so that other processes hear of it."""
    tenant = transaction.tenant(job.tenant)
    query = f"SELECT id, columns, deleted FROM {table} WHERE tenant = %s AND id = ANY(%s)"
    found = transaction.connection.execute(query, (tenant, [row.id for row in job.rows]))
    now: dict[str, dict[str, Any] | None] = {name: None if deleted else msgspec.json.decode(columns) for name, columns, deleted in found}
    numbers, known = {}, []
    for row in job.rows:
        before = now.get(row.id)
        known.append(before is not None or not row.delete)
        now[row.id] = merged(before, row)
        numbers[row.id] = transaction.number()
    upsert = (
        f"INSERT INTO {table} SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::boolean[], %s::bigint[]) "
        "ON CONFLICT (tenant, id) DO UPDATE SET columns = excluded.columns, deleted = excluded.deleted, sequence = excluded.sequence"
    )
    columns = [_json(now[name] or {}).decode() for name in numbers]
    transaction.connection.execute(
        upsert, (tenant, list(numbers), columns, [now[name] is None for name in numbers], list(numbers.values()))
    )
    return known


def _reject(transaction: Transaction, job: Reject) -> None:
    tenant = transaction.tenant(job.tenant)
    query = "INSERT INTO rejected (tenant, received, row, reason) VALUES (%s, %s, %s, %s)"
    transaction.many(query, [(tenant, row.received, row.row, row.reason) for row in job.rows])


def _audit(transaction: Transaction, job: Audit) -> None:
    e = job.entry
    query = "INSERT INTO audited (time, tenant, who, action, subject, detail) VALUES (%s, %s, %s, %s, %s, %s)"
    transaction.connection.execute(query, (e.time, e.tenant, e.who, e.action, e.subject, e.detail))


def _retain(transaction: Transaction, job: Retain) -> int:
    tenant = transaction.tenant(job.tenant)
    _without_limit(transaction)
    if job.kind == "events":
        old = transaction.connection.execute("SELECT event_id FROM events WHERE tenant = %s AND received < %s", (tenant, job.before))
        _forget(transaction, tenant, [event_id for (event_id,) in old])
    return _deleted(transaction, job.kind, f"{ACCEPTED[job.kind]} < %s", tenant, job.before)


def _deleted(transaction: Transaction, table: str, condition: str, tenant: int, value: Any) -> int:
    """How many rows a deletion took; an answer counts a row per place."""
    counted = "sum(json_array_length(items::json))" if table == "shown" else "count(*)"
    query = f"WITH gone AS (DELETE FROM {table} WHERE tenant = %s AND {condition} RETURNING *) SELECT {counted} FROM gone"
    return int(transaction.connection.execute(query, (tenant, value)).fetchone()[0] or 0)


def _forget_ids(transaction: Transaction, job: ForgetIds) -> None:
    _forget(transaction, transaction.tenant(job.tenant), job.event_ids)


def _forget(transaction: Transaction, tenant: int, event_ids: Sequence[str]) -> None:
    transaction.connection.execute("DELETE FROM ids WHERE tenant = %s AND digest = ANY(%s)", (tenant, [digest(name) for name in event_ids]))


def _erase(transaction: Transaction, job: Erase) -> int:
    e, connection = job.erasure, transaction.connection
    tenant = transaction.tenant(e.tenant)
    _without_limit(transaction)
    connection.execute("INSERT INTO erasures VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING", (e.tenant, e.user, e.who, e.time))
    connection.execute("INSERT INTO forgotten VALUES (%s, %s, %s)", (tenant, transaction.number(), digest(e.user)))
    columns = {"events": '"user"', "shown": '"user"', "users": "NOT deleted AND id"}
    rows = sum(_deleted(transaction, table, f"{column} = %s", tenant, e.user) for table, column in columns.items())
    connection.execute("DELETE FROM users WHERE tenant = %s AND id = %s", (tenant, e.user))
    names = naming(e.user)
    refused = connection.execute("SELECT id, row, reason FROM rejected WHERE tenant = %s", (tenant,))
    gone = [number for number, row, reason in refused if names(row, reason)]
    connection.execute("DELETE FROM rejected WHERE id = ANY(%s)", (gone,))
    return rows + len(gone)


def _erased(transaction: Transaction, job: Erased) -> None:
    e = job.erasure
    transaction.connection.execute('DELETE FROM erasures WHERE tenant = %s AND "user" = %s', (e.tenant, e.user))
    transaction.connection.execute("UPDATE scrubs SET due = true")


def _without_limit(transaction: Transaction) -> None:
    """What goes through whole tables takes as long as it takes."""
    transaction.connection.execute("SET LOCAL statement_timeout = 0")


HANDLERS: Mapping[type, Callable[[Transaction, Any], list[Result]]] = {
    AddEvents: _add_events, AddShown: _add_shown,
} | {
    kind: _one_by_one(handler) for kind, handler in {
        SetItems: _set_items, SetUsers: _set_users, Reject: _reject, Audit: _audit, Retain: _retain, ForgetIds: _forget_ids, Erase: _erase, Erased: _erased,
    }.items()
}  # fmt: skip
