"""The service as ASGI applications: the API with the console, and what operators watch.

A request goes: route, caller, rate, body, handler, answer. All of it is here in a few calls, without layers of middleware: an answer costs some ten
microseconds beside the handler.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
from starlette.routing import Router

from vitrina.service import console, logs, tracing
from vitrina.service.auth import Auth, Caller
from vitrina.service.limits import Deadlines, Gate, GoneError, Rates, Receive, body_of
from vitrina.service.problems import Header, RefusedError, refusal_of
from vitrina.service.reference import reference
from vitrina.service.routes import API, WATCHED
from vitrina.service.routes.table import Call, Endpoint, Reply

if TYPE_CHECKING:
    from vitrina.service.service import Service

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Scope = Mapping[str, Any]
ASGI = Callable[[Scope, Receive, Send], Awaitable[None]]

encode = msgspec.json.Encoder().encode

JSON = b"application/json"
SAME_ID = re.compile(rb"[\w.:-]{1,128}").fullmatch  # of a request, that a client may choose
PROCESS, COUNT = os.urandom(4).hex().encode(), itertools.count(1)  # what names a request that doesn't name itself
NOWHERE, CONSOLE = "(none)", "(console)"  # the routes of what has none
UNLOGGED = frozenset(endpoint.path for endpoint in WATCHED)  # what asks every few seconds would be most of the log
MOST_SUBJECT = 256  # characters of the last part of a path
FIXED: list[Header] = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
PREFLIGHT: list[Header] = [
    (b"access-control-allow-headers", b"authorization, content-type, x-api-key, x-request-id"),
    (b"access-control-max-age", b"600"),
]


@dataclass(slots=True)
class Seen:
    """What is said of a request in logs, metrics and traces. `status` 0: who asked has gone, or there is no answer yet."""

    id: bytes
    method: str
    started: float
    route: str = NOWHERE
    status: int = 0
    whole: bool = False  # its body is here
    caller: Caller | None = None

    @property
    def fields(self) -> dict[str, Any]:
        known = {} if self.caller is None else {"tenant": self.caller.tenant, "key": self.caller.name}
        return {"request_id": self.id.decode(), "method": self.method, "route": self.route, "status": self.status, **known}


def application(service: Service, tracer: tracing.Tracing | None = None) -> ASGI:
    """The API under /v1, its description, and the console at /."""
    pages: Any = Router(console.routes(service), default=_nothing_here)
    made = Application(service, (*API, *reference(API)), Auth.of(service.settings), pages, tracer)
    service.metrics.in_flight.set_function(made.running)
    return made


def admin(service: Service) -> ASGI:
    """What operators watch: health and metrics, without keys; for a port of its own that clients don't reach."""
    return Application(service, WATCHED, None, None)


class Application:
    """Routes of a table, and pages for what is in none. Without `auth` everybody may ask."""

    def __init__(
        self, service: Service, table: Sequence[Endpoint], auth: Auth | None, pages: ASGI | None, tracer: tracing.Tracing | None = None
    ) -> None:
        self.service, self._auth, self._pages, self._tracing = service, auth, pages, tracer
        limits = service.settings.limits
        self._limits = limits
        self._rates, self._gate, self._deadlines = Rates(limits.rate, limits.burst), Gate(limits.waiting), Deadlines(limits.seconds)
        self._origins = frozenset(origin.encode() for origin in service.settings.origins)
        self._at: dict[str, dict[str, Endpoint]] = {}  # by the path, or its part before the braces, and the method
        for endpoint in table:
            self._at.setdefault(endpoint.path.partition("{")[0], {})[endpoint.method] = endpoint
        self._under = {endpoint.path.partition("{")[0] for endpoint in table if "{" in endpoint.path}

    def running(self) -> int:
        """Requests that are being answered."""
        return len(self._deadlines)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _no_http(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        seen = Seen(given if SAME_ID(given) else b"%s%08x" % (PROCESS, next(COUNT)), scope["method"], perf_counter())
        if self._tracing is None:
            await self._respond(seen, scope, headers, receive, send)
        else:
            with tracing.request(self._tracing, seen.method, headers) as said:
                await self._respond(seen, scope, headers, receive, send)
                said.update(seen.fields)
        if seen.status:
            seconds = perf_counter() - seen.started
            self.service.metrics.request(seen.route, seen.status, seconds)
            if seen.route not in UNLOGGED:
                logs.request(**seen.fields, seconds=seconds)

    async def _respond(self, seen: Seen, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        try:
            methods, subject = self._find(scope)
            if methods is None:
                await self._page(seen, scope, headers, receive, send)
                return
            seen.route = next(iter(methods.values())).path
            endpoint = _method(methods, scope["method"])
            reply = (
                self._options(methods, headers)
                if endpoint is None
                else await self._answer(seen, endpoint, subject, scope, headers, receive)
            )
        except GoneError:
            return
        except Exception as error:
            reply = _refused(error, seen)
            if seen.status:  # of a page that had begun: nothing can be said any more, and the server ends the connection
                raise
        await self._send(reply, seen.id, headers, send)
        seen.status = reply.status

    def _find(self, scope: Scope) -> tuple[dict[str, Endpoint] | None, str]:
        """The methods of a path, and its last part where it stands for a name."""
        path = scope["path"]
        if path in self._at and path not in self._under:
            return self._at[path], ""
        before, _, last = (scope.get("raw_path") or path.encode()).rpartition(b"/")  # raw: a name may hold an escaped slash
        methods = self._at.get(before.decode("latin-1") + "/")
        if methods is not None and last and before.decode("latin-1") + "/" in self._under:
            return methods, _subject(last)
        if self._pages is None or path.startswith("/v1/"):
            raise RefusedError(404, "There is nothing at this path. What there is: /openapi.json, or /docs to read.")
        return None, ""

    async def _answer(
        self, seen: Seen, endpoint: Endpoint, subject: str, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Reply:
        """Who asks, what, and the answer."""
        caller = self._caller(seen, endpoint, scope, headers)
        call = Call(self.service, caller, b"", subject, _query(endpoint, scope["query_string"]))
        if endpoint.has_body:
            _check_type(headers)
        elif _has_body(headers):
            raise RefusedError(422, f"{endpoint.method} {endpoint.path} takes no body. Send none.", headers=[(b"connection", b"close")])
        answer = await self._in_time(seen, self._handled(seen, endpoint, call, headers, receive))
        return answer if type(answer) is Reply else Reply(encode(answer))

    async def _handled(self, seen: Seen, endpoint: Endpoint, call: Call, headers: Mapping[bytes, bytes], receive: Receive) -> Any:
        if endpoint.has_body:
            call.body = await body_of(receive, headers, self._limits.body)
        seen.whole = True
        if endpoint.long:
            self._deadlines.lift()
        if not endpoint.model:
            return await endpoint.handler(call)
        with self._gate:
            return await endpoint.handler(call)

    async def _in_time(self, seen: Seen, work: Awaitable[Any]) -> Any:
        """What the work gives, where it gives it in time."""
        seconds = self._limits.seconds
        try:
            return await self._deadlines.within(work)
        except TimeoutError:
            if seen.whole:
                raise RefusedError(503, f"There was no answer within {seconds:g} s. Come again.", retry_after=1.0) from None
            close = [(b"connection", b"close")]
            raise RefusedError(408, f"The body didn't come within {seconds:g} s. Send it at once.", headers=close) from None

    def _caller(self, seen: Seen, endpoint: Endpoint, scope: Scope, headers: Mapping[bytes, bytes]) -> Any:
        """Who asks, if that is asked; one header that comes twice could be read in two ways."""
        if self._auth is None or endpoint.scope is None:
            return None
        names = [name for name, _ in scope["headers"] if name in ONCE] if len(headers) < len(scope["headers"]) else ()
        if len(set(names)) < len(names):
            raise RefusedError(400, f"The headers {', '.join(sorted(name.decode() for name in ONCE))} may come once each.")
        caller = seen.caller = self._auth.caller(headers)
        self._rates.check(caller.name)
        caller.check(endpoint.scope)
        return caller

    def _options(self, methods: Mapping[str, Endpoint], headers: Mapping[bytes, bytes]) -> Reply:
        """What may be asked here, and of pages of a site that is allowed."""
        allowed = (b"allow", _allowed(methods))
        if headers.get(b"origin") not in self._origins:
            return Reply(b"", 204, headers=(allowed,))
        return Reply(b"", 204, headers=(allowed, (b"access-control-allow-methods", allowed[1]), *PREFLIGHT))

    async def _page(self, seen: Seen, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> None:
        """A page of the console. Its body is held, within the limit, before it is asked."""
        assert self._pages is not None
        seen.route = CONSOLE
        if self._auth is not None:
            self._auth.check_place(headers)
        body = await self._in_time(seen, body_of(receive, headers, self._limits.body)) if _has_body(headers) else b""

        async def again() -> Mapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def sent(message: MutableMapping[str, Any]) -> None:
            seen.status = message.get("status", seen.status)
            await send(message)

        await self._pages(scope, again, sent)

    async def _send(self, reply: Reply, request_id: bytes, headers: Mapping[bytes, bytes], send: Send) -> None:
        answered = [(b"content-length", b"%d" % len(reply.body)), (b"x-request-id", request_id), *FIXED, *reply.headers]
        if reply.body:
            answered.append((b"content-type", reply.content_type))
        if self._origins:
            answered.append((b"vary", b"origin"))
            if (origin := headers.get(b"origin")) in self._origins:
                answered += [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", b"x-request-id, retry-after")]
        await send({"type": "http.response.start", "status": reply.status, "headers": answered})
        await send({"type": "http.response.body", "body": reply.body})


ONCE = frozenset((b"authorization", b"x-api-key", b"host", b"origin", b"content-type", b"content-length", b"content-encoding"))


def _refused(error: Exception, seen: Seen) -> Reply:
    refused = refusal_of(error)
    if refused is None:
        logs.error("a request failed", error, request_id=seen.id.decode(), method=seen.method, route=seen.route)
        refused = RefusedError(500, "The service failed to answer; its log says why, under the request_id.")
    elif refused.status == 503:
        logs.unavailable(error, request_id=seen.id.decode(), route=seen.route)
    return Reply(refused.body(seen.id.decode()), refused.status, headers=tuple(refused.headers))


def _method(methods: Mapping[str, Endpoint], method: str) -> Endpoint | None:
    """The endpoint of a method; None for OPTIONS."""
    endpoint = methods.get("GET" if method == "HEAD" else method)
    if endpoint is None and method != "OPTIONS":
        allowed = _allowed(methods)
        raise RefusedError(405, f"This path takes {allowed.decode()}, and no {method[:32]}.", headers=[(b"allow", allowed)])
    return endpoint


def _allowed(methods: Mapping[str, Endpoint]) -> bytes:
    return ", ".join(sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])})).encode()


def _has_body(headers: Mapping[bytes, bytes]) -> bool:
    return headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers


def _subject(raw: bytes) -> str:
    """The name that ends a path."""
    try:
        name = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise RefusedError(400, "The path holds bytes that aren't UTF-8. Escape the name as UTF-8, byte by byte.") from None
    if not 0 < len(name) <= MOST_SUBJECT or "\0" in name:
        raise RefusedError(422, f"The name that ends the path may have {MOST_SUBJECT} characters, none of them NUL.")
    return name


def _query(endpoint: Endpoint, raw: bytes) -> dict[str, int]:
    """The parameters of a route, with their defaults."""
    if not endpoint.query and not raw:
        return {}
    values = {name: default for name, (default, _, _) in endpoint.query.items()}
    for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
        if name not in endpoint.query:
            known = f"It takes {', '.join(endpoint.query)}." if endpoint.query else "It takes none; what is asked stands in the body."
            raise RefusedError(422, f"{endpoint.method} {endpoint.path} has no parameter {name[:128]!r} behind the question mark. {known}")
        _, least, most = endpoint.query[name]
        if not (value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value) <= most):
            raise RefusedError(422, f"The parameter {name!r} is a whole number from {least:,} to {most:,}. Got {value[:64]!r}.")
        values[name] = int(value)
    return values


def _check_type(headers: Mapping[bytes, bytes]) -> None:
    """Refuse what isn't said to be plain JSON in UTF-8. A page of another site can't send that type without asking first."""
    kind = headers.get(b"content-type", b"")
    if kind != JSON:
        kind, _, parameter = kind.lower().partition(b";")
        if kind.strip() != JSON or parameter.strip().replace(b'"', b"") not in (b"", b"charset=utf-8"):
            raise RefusedError(415, "A body is JSON in UTF-8. Send it with 'Content-Type: application/json'.")
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise RefusedError(415, "A body can't be compressed. Send it plain, without Content-Encoding.")


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    raise RefusedError(404, "There is nothing at this path. What there is: /, /docs, /openapi.json.")


async def _no_http(scope: Scope, receive: Receive, send: Send) -> None:
    """The start and the stop of a server, and web sockets, which there are none of."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1000})
        return
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})
