"""Whether the service lives and answers, for whoever watches it."""

from __future__ import annotations

from msgspec.json import encode

from vitrina.service.routes.table import Call, Endpoint, Reply
from vitrina.wire import Health

ALIVE = Health("live")


async def live(call: Call) -> Health:
    """The process runs and its event loop turns."""
    return ALIVE


async def ready(call: Call) -> Reply:
    """Whether it can serve; 503 and why, where it can't."""
    reasons = call.service.not_ready
    return Reply(encode(Health("not ready" if reasons else "ready", reasons)), 503 if reasons else 200)


ROUTES = [
    Endpoint("GET", "/v1/health/live", live, None, "Whether the process lives", Health, answered={"status": "live", "reasons": []}),
    Endpoint(
        "GET", "/v1/health/ready", ready, None, "Whether it can serve, and why not", Health, answered={"status": "ready", "reasons": []}
    ),
]
