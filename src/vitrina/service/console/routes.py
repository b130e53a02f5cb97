"""The pages and what they do: who may look, what is shown, and the few forms that change something."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from vitrina.base.errors import UnknownNameError, VitrinaError
from vitrina.service.auth import COOKIE, Auth, Caller, cookie_header, is_secure
from vitrina.service.console import (
    asking,
    board,
    compare,
    dashboard,
    data,
    experiments,
    health,
    items,
    models,
    overview,
    people,
    person,
    search,
    trials,
)
from vitrina.service.console.asked import Asked, Load, Render
from vitrina.service.console.frame import ASSETS, asset, asset_path, framed
from vitrina.service.console.login import failed, local_path, login
from vitrina.service.console.names import Names
from vitrina.service.console.trying import Tried
from vitrina.service.console.window import Windows
from vitrina.service.problems import RefusedError, refusal_of
from vitrina.wire import Problem

if TYPE_CHECKING:
    from vitrina.service.service import Service

MOST_FIELDS = 200  # of a form
log = logging.getLogger("vitrina.service.console")

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP, "x-content-type-options": "nosniff", "referrer-policy": "same-origin", "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin", "vary": "accept, cookie, authorization",
}  # fmt: skip
FOR_GOOD = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
PAGES: dict[str, tuple[Load, Render]] = {
    "/": (overview.load, overview.render),
    "/people": (people.load, person.render),
    "/items": (items.load_all, items.render_all),
    "/items/{item:path}": (items.load, items.render),
    "/dashboard": (dashboard.load, board.render),
    "/experiments": (trials.load, experiments.render),
    "/models": (models.load, models.render),
    "/models/compare": (compare.load, compare.render),
    "/models/promote": (models.load, models.promote),
    "/models/rollback": (models.load, models.rollback),
    "/data": (data.load, data.render),
    "/health": (health.load, health.render),
    "/search": (search.load, search.render),
    "/ask": (asking.load, asking.render),
}
Act = Callable[[Asked], Awaitable[str]]


async def promote(asked: Asked) -> str:
    """Let another model serve; where to go then."""
    await asked.tenant.load(asked.scenario.name, asked.text("folder"), asked.caller.name)
    return "/models?" + urlencode({"done": asked.scenario.name})


async def rollback(asked: Asked) -> str:
    """Let the version before serve again."""
    await asked.tenant.roll_back(asked.scenario.name, asked.caller.name)
    return "/models?" + urlencode({"done": asked.scenario.name})


ACTS: dict[str, tuple[str, Act]] = {"/models/promote": ("models", promote), "/models/rollback": ("models", rollback)}


def routes(service: Service) -> list[Route]:
    """All of the console, for the service's application to mount."""
    console = Console(service)
    pages = [Route(path, console.page(path, *made), methods=["GET"]) for path, made in PAGES.items()]
    acts = [Route(path, console.act(path, *made), methods=["POST"]) for path, made in ACTS.items()]
    assets = [Route(asset_path(file), _given(file), methods=["GET"]) for file in ASSETS]
    own = [
        Route("/login", console.ask_key, methods=["GET"]), Route("/login", console.login, methods=["POST"]), Route("/logout", console.logout, methods=["POST"]),
    ]  # fmt: skip
    order = {"/items/{item:path}": 1}  # a path that swallows others comes last
    return [*own, *assets, *acts, *sorted(pages, key=lambda route: order.get(route.path, 0))]


def _drawn(asked: Asked, render: Render, found: Any) -> tuple[str, int]:
    page = render(asked, found)
    return framed(asked, page), page.status


def _given(file: str) -> Callable[[Request], Awaitable[Response]]:
    async def given(request: Request) -> Response:
        return Response(asset(file), media_type=ASSETS[file], headers=FOR_GOOD)

    return given


@dataclass(frozen=True)
class Visitor:
    """Who asks for a page.

    Args:
        cookie: of the session; empty where a key came with the request.
        fresh: whether the browser doesn't have it yet.
    """

    caller: Caller
    cookie: str
    fresh: bool = False


class Console:
    """What all pages share."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._auth = Auth.of(service.settings)
        self._windows, self._names, self._tried, self._looks = Windows(service.store), Names(), Tried(), trials.Looks()

    def page(self, path: str, load: Load, render: Render) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of a page: HTML, or the same data as JSON."""

        async def answered(request: Request) -> Response:
            try:
                visitor = self._visitor(request)
                asked = self._asked(request, visitor, request.query_params)
                visitor.caller.check("read")
                await asyncio.to_thread(self._names.tables, asked.tenant)  # made once per artifact, and not in the loop that answers
                found = await load(asked)
                if _wants_json(request):
                    return Response(msgspec.json.encode(found), media_type="application/json", headers=HEADERS)
                text, status = await asyncio.to_thread(_drawn, asked, render, found)
                return self._html(request, text, status, visitor)
            except VitrinaError as error:
                return self._refused(request, error)

        return answered

    def act(self, path: str, scope: str, act: Act) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of a form that changes something: its token is looked at, then it leads to the page that says what came of it."""

        async def answered(request: Request) -> Response:
            try:
                visitor = self._visitor(request)
                asked = self._asked(request, visitor, await _fields(request))
                self._auth.check_form(visitor.cookie, asked.text("token"))
                visitor.caller.check(scope)
                return RedirectResponse(await act(asked), 303, headers=HEADERS)
            except VitrinaError as error:
                return self._refused(request, error, then="Not done")

        return answered

    async def ask_key(self, request: Request) -> Response:
        """The page that asks for a key."""
        if self._auth.open:
            return RedirectResponse("/", 303, headers=HEADERS)
        return self._html(request, login(local_path(request.query_params.get("next"))))

    async def login(self, request: Request) -> Response:
        """A session for who shows a key."""
        fields = await _fields(request)
        target = local_path(fields.get("next"))
        if not _of_this_site(request):
            return self._html(
                request, failed("Not done", "This form is not from a page of this service. Open the page, and log in there."), 403
            )
        caller = None if self._auth.open else self._auth.caller_of(fields.get("key", "").strip())
        if caller is None:
            log.warning("a login with an unknown key")
            await asyncio.sleep(0.3)  # whoever guesses waits
            return self._html(request, login(target, "The service doesn’t know this key."), 401)
        log.info("%s logged in", caller.name)
        response = RedirectResponse(target, 303, headers=HEADERS)
        response.headers.append("set-cookie", cookie_header(self._auth.session(caller), secure=_over_tls(request)))
        return response

    async def logout(self, request: Request) -> Response:
        """The end of a session."""
        fields, cookie = await _fields(request), request.cookies.get(COOKIE, "")
        try:
            self._auth.check_form(cookie, fields.get("token", ""))
        except RefusedError as error:
            return self._refused(request, error)
        self._auth.end_session(cookie)
        response = RedirectResponse("/login", 303, headers=HEADERS)
        response.headers.append("set-cookie", cookie_header(""))
        return response

    def _visitor(self, request: Request) -> Visitor:
        """Who asks: by a key in the headers, or by the cookie of a session.

        Raises:
            RefusedError: 401, where there is neither.
        """
        cookie = request.cookies.get(COOKIE, "")
        known = self._auth.caller_of_session(cookie)
        if known is not None:
            return Visitor(known, cookie)
        headers = dict(request.scope["headers"])
        caller = self._auth.caller(headers)
        return Visitor(caller, self._auth.session(caller), fresh=True) if self._auth.open else Visitor(caller, "")

    def _asked(self, request: Request, visitor: Visitor, words: QueryParams) -> Asked:
        tenant = self._service.tenants.get(visitor.caller.tenant)
        if tenant is None or not tenant.scenarios:
            raise RefusedError(
                404, f"The tenant {visitor.caller.tenant!r} of this key has no scenario. Add one to the settings of the service."
            )
        token = self._auth.form_token(visitor.cookie)
        base = f"{'https' if _over_tls(request) else request.url.scheme}://{request.headers.get('host', 'localhost')}"
        path = request.url.path if request.method == "GET" else request.scope["path"]
        return Asked(
            self._service, tenant, visitor.caller, self._windows, self._names, self._tried, self._looks, path, words, token, base,
            dict(request.path_params),
        )  # fmt: skip

    def _html(self, request: Request, text: str, status: int = 200, visitor: Visitor | None = None) -> Response:
        response = Response(text, status, HEADERS, "text/html")
        if visitor is not None and visitor.fresh:
            response.headers.append("set-cookie", cookie_header(visitor.cookie, secure=_over_tls(request)))
        return response

    def _refused(self, request: Request, error: VitrinaError, then: str = "Not found") -> Response:
        """What went wrong as a page, or as JSON; who has no session is led to the login."""
        refused = refusal_of(error)
        assert refused is not None  # every error of ours is one
        status = 404 if isinstance(error, UnknownNameError) else refused.status
        headers = HEADERS | {name.decode(): value.decode() for name, value in refused.headers}
        if _wants_json(request):
            return Response(msgspec.json.encode(Problem(_WORDS.get(status, "invalid"), str(error))), status, headers, "application/json")
        if status == 401 and request.method == "GET" and not self._auth.open:
            after = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse("/login?" + urlencode({"next": after}), 303, headers=HEADERS)
        title = {403: "Not allowed", 404: then, 503: "Not now"}.get(status, "Not done" if request.method == "POST" else "Not understood")
        return Response(failed(title, str(error)), status, headers, "text/html")


_WORDS = {401: "unauthorized", 403: "forbidden", 404: "not_found", 503: "unavailable"}


def _over_tls(request: Request) -> bool:
    return is_secure(request.url.scheme, request.headers.get("x-forwarded-proto"))


def _wants_json(request: Request) -> bool:
    return request.query_params.get("as") == "json" or request.headers.get("accept", "").startswith("application/json")


async def _fields(request: Request) -> QueryParams:
    """The fields of a form, as browsers send them."""
    body = await request.body()
    try:
        return QueryParams(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise RefusedError(422, f"A form of the console has fewer than {MOST_FIELDS} fields. Send it from its page.") from None


def _of_this_site(request: Request) -> bool:
    """Whether a form was sent from a page of this service, as far as the browser says."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")
