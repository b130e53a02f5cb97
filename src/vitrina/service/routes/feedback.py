"""Events: what happened, row by row, and the rows that were refused."""

from __future__ import annotations

import time

from vitrina.service.decoding import batch_of, event_of
from vitrina.service.problems import RefusedError
from vitrina.service.routes.table import Call, Endpoint
from vitrina.wire import BatchAnswer, EventIn, RejectedAnswer, RejectedRow

MOST_REJECTED = 1000  # of a listing


async def add(call: Call) -> BatchAnswer:
    """Keep events. What is no event is kept apart with its reason, and the others go on; one that came alone is refused as a whole."""
    limits = call.service.settings.limits
    batch = batch_of(call.body, "events", limits.batch)
    now = time.time()
    answer = await call.tenant.add_events([event_of(raw, now, limits.depth, any_year=limits.any_year) for raw in batch.rows])
    if answer.rejected and not batch.many:
        raise RefusedError(422, answer.results[0].reason or "The event can't be kept.")
    return answer


async def rejected(call: Call) -> RejectedAnswer:
    """The latest rows that were refused."""
    rows = await call.in_thread(call.service.store.rejected, call.tenant.name, call.query["most"])
    return RejectedAnswer([RejectedRow(row.received / 1e6, row.row.decode("utf-8", "replace"), row.reason) for row in rows])


BUY = {"event_id": "e-1", "kind": "purchase", "user": "ann", "item": "tea", "time": "2026-11-26T14:00:00Z", "value": 3.5}

ROUTES = [
    Endpoint(
        "POST", "/v1/events", add, "events", "Keep events: one, or a batch, of which each row is judged by itself; on disk when it is answered", BatchAnswer, EventIn, many="events",
        example=BUY, answered={"stored": 1, "duplicates": 0, "rejected": 0, "results": [{"status": "stored", "id": "e-1"}]},
        links={"catalogue_erase": {"user": "$request.body#/user"}},
    ),
    Endpoint(
        "GET", "/v1/events/rejected", rejected, "read", "Rows of events, items and people that were refused, newest first", RejectedAnswer,
        query={"most": (100, 1, MOST_REJECTED)},
    ),
]  # fmt: skip
