"""Columns of items and of people, and to forget a person."""

from __future__ import annotations

import time
from collections.abc import Sequence

from vitrina.base.ids import id_text
from vitrina.service.decoding import ITEM, USER, attributes_of, batch_of
from vitrina.service.problems import RefusedError
from vitrina.service.records import Attributes, Rejected
from vitrina.service.routes.table import Call, Endpoint
from vitrina.wire import BatchAnswer, ErasedAnswer, ItemIn, UserAnswer, UserIn

MOST_LATEST = 1000  # items of a person in an answer


def _rows(call: Call, name: str, decoder) -> tuple[Sequence[Attributes | Rejected], bool]:
    limits = call.service.settings.limits
    batch = batch_of(call.body, name, limits.batch)
    now = time.time()
    return [attributes_of(raw, decoder, now, limits.depth) for raw in batch.rows], batch.many


def _answered(answer: BatchAnswer, many: bool) -> BatchAnswer:
    if answer.rejected and not many:
        raise RefusedError(422, answer.results[0].reason or "The row can't be kept.")
    return answer


async def set_items(call: Call) -> BatchAnswer:
    """Set columns of items, or take items out of every list."""
    rows, many = _rows(call, "items", ITEM)
    return _answered(await call.tenant.set_items(rows), many)


async def set_users(call: Call) -> BatchAnswer:
    """Set columns of people."""
    rows, many = _rows(call, "users", USER)
    return _answered(await call.tenant.set_users(rows), many)


async def user(call: Call) -> UserAnswer:
    """What lists for this person come from."""
    name = id_text(call.subject) or ""
    tenant, most = call.tenant, call.query["most"]
    events = tenant.histories.of(name)
    latest = [tenant.histories.items.texts[code] for code in events.items[len(events) - min(most, len(events)) :].tolist()]
    return UserAnswer(name, dict(tenant.users.of(name)), len(events), latest)


async def erase(call: Call) -> ErasedAnswer:
    """Forget a person."""
    name = id_text(call.subject) or ""
    return ErasedAnswer(name, await call.tenant.erase(name, call.caller.name))


ROUTES = [
    Endpoint(
        "PUT", "/v1/items", set_items, "catalogue", "Set columns of items, or delete items: one, or a batch", BatchAnswer, ItemIn, many="items",
        example={"item": "tea", "columns": {"title": "Green tea", "price": 3.5, "available": True}},
        answered={"stored": 1, "duplicates": 0, "rejected": 0, "results": [{"status": "stored", "id": "tea"}]},
    ),
    Endpoint(
        "PUT", "/v1/users", set_users, "catalogue", "Set columns of people, or delete them: one, or a batch", BatchAnswer, UserIn, many="users",
        example={"user": "ann", "columns": {"country": "SE"}}, links={"catalogue_erase": {"user": "$request.body#/user"}},
    ),
    Endpoint(
        "GET", "/v1/users/{user}", user, "people", "What is kept of a person", UserAnswer, query={"most": (100, 1, MOST_LATEST)},
        answered={"user": "ann", "columns": {"country": "SE"}, "events": 2, "latest": ["jam", "tea"]},
    ),
    Endpoint(
        "DELETE", "/v1/users/{user}", erase, "people", "Forget a person: events, what was shown, columns; on disk and in memory", ErasedAnswer,
        answered={"user": "ann", "rows": 41}, long=True,
    ),
]  # fmt: skip
