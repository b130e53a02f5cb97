"""What the service counts, for Prometheus."""

from __future__ import annotations

from vitrina.service.routes.table import Call, Endpoint, Reply


async def metrics(call: Call) -> Reply:
    """All numbers, as Prometheus reads them."""
    return Reply(call.service.metrics.text(), content_type=b"text/plain; version=0.0.4; charset=utf-8")


ROUTES = [Endpoint("GET", "/metrics", metrics, None, "What the service counts", "text/plain")]
