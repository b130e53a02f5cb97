"""The frame of every page: pages above, scenarios at the left, the call of the API below."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

import vitrina
from vitrina.report.html import Html, el, join, name
from vitrina.report.page import part
from vitrina.service.console.asked import Asked, Call, Page, address
from vitrina.service.console.words import age, fitted, model_of

ASK = ("/ask", "Search")  # where a scenario searches
PAGES = (
    ("/", "Overview"), ("/people", "People"), ("/items", "Items"), ASK, ("/dashboard", "Dashboard"), ("/experiments", "Experiments"),
    ("/models", "Models"), ("/data", "Data"), ("/health", "Health"),
)  # fmt: skip
OF_SCENARIO = ("/people", "/items", "/ask", "/dashboard", "/models")  # pages that show one scenario
ASSETS = {"console.css": "text/css", "console.js": "text/javascript"}


@cache
def asset(file: str) -> bytes:
    """The style, which is that of the report and what the console has beside it, or the script."""
    own = files("vitrina.service.console")
    if file == "console.css":
        return (part("style.css") + own.joinpath(file).read_text(encoding="utf-8")).encode()
    return own.joinpath("script.js").read_bytes()


@cache
def asset_path(file: str) -> str:
    """Where a browser finds it: the address changes with the content, so that it may be kept for good."""
    return f"/console/{hashlib.sha256(asset(file)).hexdigest()[:12]}/{file}"


def framed(asked: Asked, page: Page) -> str:
    """The whole page as text."""
    skip = el("a", "Skip to the page", href="#main", class_="skip")
    body = (skip, _top(asked), el("div", _side(asked), el("main", *_main(asked, page), id="main"), class_="frame"))
    return document(page.title, join(body, "\n"))


def document(title: str, body: Html) -> str:
    """A page with its style and its script, and nothing from anywhere else."""
    head = el(
        "head", el("meta", charset="utf-8"), el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"), el("meta", name="generator", content=f"Vitrina {vitrina.__version__}"),
        el("title", f"{title} · Vitrina"), el("link", rel="icon", href="data:,"), el("link", rel="stylesheet", href=asset_path("console.css")),
        el("script", src=asset_path("console.js"), defer=True),
    )  # fmt: skip
    return f"<!doctype html>\n{el('html', head, el('body', body), lang='en')}\n"


def _top(asked: Asked) -> Html:
    """The name, a search, the pages, who is here."""
    pages = PAGES if any(one.way(None).pipeline.searches for one in asked.tenant.scenarios.values()) else [p for p in PAGES if p != ASK]
    links = (
        el("a", title, href=_of_scenario(asked, path), aria_current="page" if _is_here(asked, path) else None) for path, title in pages
    )
    field = el("input", type="search", name="q", placeholder="Person or item", aria_label="Find a person or an item", value=asked.text("q"))
    find = el("form", field, el("button", "Find", type="submit"), action="/search", method="get", class_="find", role="search")
    return el(
        "header", el("a", "Vitrina", href="/", class_="brand"), el("nav", *links, aria_label="Pages"), find, _who(asked), class_="top"
    )


def _is_here(asked: Asked, path: str) -> bool:
    return asked.path == path or (path != "/" and asked.path.startswith(f"{path}/"))


def _of_scenario(asked: Asked, path: str) -> str:
    """A page keeps the scenario that is looked at."""
    named = asked.text("scenario")
    return address(path, [("scenario", named)] if named and path in OF_SCENARIO else [])


def _who(asked: Asked) -> Html:
    several = len(asked.service.tenants) > 1
    said = el("span", name(asked.tenant.name), " · ", name(asked.caller.name)) if several else el("span", name(asked.caller.name))
    if not asked.service.settings.keys:
        return el("div", el("span", "this machine, no key"), class_="who")
    return el("div", said, post(asked, "/logout", "Log out", class_="plain-act"), class_="who")


def _side(asked: Asked) -> Html:
    """The scenarios: what serves each, and how old it is."""
    here = asked.text("scenario")
    rows = []
    for key, scenario in asked.tenant.scenarios.items():
        at = asked.path if asked.path in OF_SCENARIO else "/people"
        link = el("a", name(key), href=address(at, [("scenario", key)]), aria_current="true" if key == here else None)
        version = scenario.version
        made = f", fitted {age(fitted(version))} ago" if version.created else ""
        rows.append(el("li", link, el("span", model_of(version.artifact.manifest), made, class_="remark")))
    return el("div", el("nav", el("h2", "Scenarios", id="scenarios"), el("ul", *rows), aria_labelledby="scenarios"), class_="side")


def _main(asked: Asked, page: Page) -> list[Html | None]:
    first, *rest = page.answer or [None]
    said = [el("p", first, class_="lede")] if first else []
    said += [el("p", sentence, class_="lede second") for sentence in rest]
    facts = el("p", *(el("span", fact) for fact in page.dateline), class_="dateline") if page.dateline else None
    head = el("header", el("h1", page.title), facts)
    live = el("div", *said, *(p for p in page.parts if p is not None), id="live")
    heard = el("p", id="said", class_="hidden", role="status")
    return [head, page.before, live, heard, _calls(asked, page.calls)]


def _calls(asked: Asked, calls: tuple[Call, ...] | list[Call] | object) -> Html:
    """What a program asks for the same data."""
    own = Call("GET", asked.link(**{"as": "json"}), what="This page as JSON")
    written = []
    for call in (*calls, own) if isinstance(calls, (tuple, list)) else (own,):
        written += [el("p", call.what, ":") if call.what else None, el("pre", el("code", _curl(asked, call)))]
    link = el("p", el("a", "This page as JSON", href=own.path))
    return el("footer", el("details", el("summary", "The same data by the API"), *written), link)


def _curl(asked: Asked, call: Call) -> str:
    key = " -H 'Authorization: Bearer KEY'" if asked.service.settings.keys else ""
    if call.body is None:
        return f"curl{key} {_quoted(asked.base + call.path)}"
    return f"curl -X {call.method}{key} -H 'Content-Type: application/json' {_quoted(asked.base + call.path)} \\\n  -d {_quoted(call.body)}"


def _quoted(text: str) -> str:
    """Within single quotes of a shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def post(asked: Asked, action: str, label: str, *, class_: str | None = None, **fields: str) -> Html:
    """A button that does something: a form of its own, with the token."""
    hidden = [el("input", type="hidden", name=key, value=value) for key, value in (("token", asked.token), *fields.items())]
    return el("form", *hidden, el("button", label, type="submit", class_=class_), action=action, method="post")


def search_field(named: str, value: str, what: str, placeholder: str) -> Html:
    """A text field that suggests people or items while somebody types, where there is a script."""
    key = f"known-{named}"
    field = el("input", type="search", name=named, value=value, placeholder=placeholder, list=key, autocomplete="off", data_suggest=what)
    return join((field, el("datalist", id=key)))


def unsaid(text: str) -> Html:
    """A heading that the eye doesn't need, for who doesn't see."""
    return el("span", text, class_="hidden")
