"""Columns of items and of people, and to forget a person."""

from __future__ import annotations

import time
from collections.abc import Sequence

from vitrina.service.decoding import ITEM, USER, attributes_of, batch_of, id_text
from vitrina.service.problems import RefusedError
from vitrina.service.records import Attributes, Rejected
from vitrina.service.routes.table import Call, Endpoint
from vitrina.wire import BatchAnswer, ErasedAnswer, ItemIn, UserIn


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


async def erase(call: Call) -> ErasedAnswer:
    """Forget a person."""
    user = id_text(call.subject)
    return ErasedAnswer(user, await call.tenant.erase(user, call.caller.name))


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
        "DELETE", "/v1/users/{user}", erase, "people", "Forget a person: events, what was shown, columns; on disk and in memory", ErasedAnswer,
        answered={"user": "ann", "rows": 41},
    ),
]  # fmt: skip
