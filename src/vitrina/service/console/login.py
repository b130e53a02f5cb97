"""The way in, and pages that say what went wrong."""

from __future__ import annotations

from vitrina.report.html import Html, el
from vitrina.service.console.frame import document


def local_path(wanted: str | None) -> str:
    """Where to go after the login: a path of this service, else the first page.

    >>> local_path("/people?user=7"), local_path("//evil.example"), local_path("https://evil.example"), local_path(None)
    ('/people?user=7', '/', '/', '/')
    """
    inside = wanted is not None and wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and wanted.isprintable()
    return wanted if inside and wanted is not None else "/"


def login(next_path: str, refused: str | None = None) -> str:
    """The page that asks for a key."""
    said = el("p", refused, class_="notice refused", role="alert") if refused else None
    field = el("label", "Key", el("input", type="password", name="key", autocomplete="current-password", required=True, autofocus=True))
    hint = "A key of this service with the scope “read”: the operator has it, or makes one with vitrina key NAME."
    form = el("form", el("input", type="hidden", name="next", value=next_path), field, el("button", "Log in", type="submit", class_="main-act"), action="/login", method="post", class_="login")  # fmt: skip
    return _alone("Log in", said, el("p", hint, class_="sub"), form)


def failed(title: str, message: str, *, back: bool = True) -> str:
    """What went wrong, in a sentence with the remedy."""
    way = el("p", el("a", "To the first page", href="/")) if back else None
    return _alone(title, el("p", message, class_="lede"), way)


def _alone(title: str, *parts: Html | None) -> str:
    top = el("header", el("a", "Vitrina", href="/", class_="brand"), class_="top")
    return document(title, el("div", top, el("main", el("header", el("h1", title)), el("div", *parts), id="main")))
