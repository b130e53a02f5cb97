"""Traces of requests for OpenTelemetry, where settings name a collector; otherwise nothing of it is loaded, and a request pays a look at a variable."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, final

from vitrina.base.errors import MissingExtraError
from vitrina.service.settings import Telemetry
from vitrina.service.trace import Stage

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

_REQUEST: ContextVar[Any] = ContextVar("request", default=None)  # the span of the request that runs here


@final
class Tracing:
    """Sends spans to a collector: one per request, with one per stage inside it.

    Args:
        telemetry: where to.
        exporter: another place, for tests.
    Raises:
        MissingExtraError: the extra 'telemetry' isn't installed.
    """

    def __init__(self, telemetry: Telemetry, exporter: SpanExporter | None = None) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
            from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError.of("opentelemetry", "telemetry", "Sending traces") from error
        endpoint = f"{(telemetry.endpoint or '').rstrip('/')}/v1/traces"
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(telemetry.share)), resource=Resource.create({"service.name": telemetry.name})
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter(endpoint=endpoint)))
        self._tracer = self._provider.get_tracer("vitrina.service")
        self._context = TraceContextTextMapPropagator().extract

    def start(self, method: str, headers: Mapping[bytes, bytes]) -> Any:
        """The span of a request, a child of the caller's where its headers name one."""
        from opentelemetry.trace import SpanKind  # noqa: PLC0415

        carrier = {name: headers[name.encode()].decode("latin-1") for name in ("traceparent", "tracestate") if name.encode() in headers}
        return self._tracer.start_span(method, context=self._context(carrier), kind=SpanKind.SERVER)

    def stages(self, parent: Any, stages: Sequence[Stage]) -> None:
        """Spans of stages that have just ended, one after the other."""
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415

        at = time.time_ns() - int(sum(stage.seconds for stage in stages) * 1e9)
        for stage in stages:
            known = {"vitrina.left": stage.left, "vitrina.skipped": list(stage.skipped), "vitrina.dropped": sum(stage.counts.values())}
            span = self._tracer.start_span(
                stage.name,
                context=set_span_in_context(parent),
                start_time=at,
                attributes={name: value for name, value in known.items() if value is not None},
            )
            at += int(stage.seconds * 1e9)
            span.end(at)

    def close(self) -> None:
        """Send what waits."""
        self._provider.shutdown()


@contextmanager
def request(tracing: Tracing | None, method: str, headers: Mapping[bytes, bytes]) -> Iterator[dict[str, Any]]:
    """The span of a request, while it is answered; what is put into the dictionary ("route", "status", "request_id", "tenant") becomes its attributes."""
    said: dict[str, Any] = {}
    if tracing is None:
        yield said
        return
    span = tracing.start(method, headers)
    token = _REQUEST.set((tracing, span))
    try:
        yield said
    finally:
        _REQUEST.reset(token)
        _end(span, method, said)


def _end(span: Any, method: str, said: Mapping[str, Any]) -> None:
    from opentelemetry.trace import StatusCode  # noqa: PLC0415

    names = {
        "route": "http.route",
        "status": "http.response.status_code",
        "request_id": "vitrina.request_id",
        "tenant": "vitrina.tenant",
        "key": "vitrina.key",
    }
    span.update_name(f"{method} {said.get('route', '')}".rstrip())
    span.set_attributes(
        {names.get(name, name): value for name, value in said.items() if value is not None} | {"http.request.method": method}
    )
    if said.get("status", 500) >= 500:
        span.set_status(StatusCode.ERROR)
    span.end()


def recorded() -> bool:
    """Whether the request that runs here is among those that are traced."""
    current = _REQUEST.get()
    return current is not None and current[1].is_recording()


def staged(stages: Sequence[Stage]) -> None:
    """The stages that the request, which runs here, has just gone through; nothing where it isn't traced."""
    if recorded():
        tracing, span = _REQUEST.get()
        tracing.stages(span, stages)
