"""The description of the API as files of the service: for programs, and as a page to read, with nothing from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from vitrina.report.html import Column, Html, el, join, table
from vitrina.report.page import document
from vitrina.service.openapi import description
from vitrina.service.routes.table import Call, Endpoint, Reply

STRICT = (
    b"content-security-policy",
    b"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
)


def reference(routes: tuple[Endpoint, ...]) -> list[Endpoint]:
    """The two routes that describe the others; anybody may read them."""

    async def openapi(call: Call) -> Reply:
        """The description as OpenAPI 3.1."""
        return Reply(_as_json(routes))

    async def docs(call: Call) -> Reply:
        """The description to read."""
        return Reply(_as_page(routes), content_type=b"text/html; charset=utf-8", headers=(STRICT,))

    return [
        Endpoint("GET", "/openapi.json", openapi, None, "The description of the API for programs", "application/json"),
        Endpoint("GET", "/docs", docs, None, "The description of the API to read", "text/html"),
    ]


@lru_cache(maxsize=1)
def _as_json(routes: tuple[Endpoint, ...]) -> bytes:
    return msgspec.json.encode(description(routes))


@lru_cache(maxsize=1)
def _as_page(routes: tuple[Endpoint, ...]) -> bytes:
    told = description(routes)
    operations = [(method.upper(), path, one) for path, methods in told["paths"].items() for method, one in methods.items()]
    contents = el(
        "ul",
        *(el("li", el("a", f"{method} {path}", href=f"#{one['operationId']}"), f": {one['summary']}") for method, path, one in operations),
    )
    refusals = [
        (name.removeprefix("Refused"), one["description"].replace("`", "")) for name, one in told["components"]["responses"].items()
    ]
    head = el("header", el("h1", "The API of this service"), el("p", told["info"]["description"].replace("`", ""), class_="lede"))
    main = join(
        (
            head,
            el("section", el("h2", "Operations"), contents, el("p", "For programs: ", el("a", "openapi.json", href="/openapi.json"), ".")),
            *(_section(method, path, one) for method, path, one in operations),
            el("section", el("h2", "Refusals"), _table("Statuses", ("Status", "Meaning"), refusals), id="refusals"),
            el("section", el("h2", "Structures"), *(_structure(name, schema) for name, schema in told["components"]["schemas"].items())),
        )
    )
    return document("API of Vitrina", main).encode()


def _section(method: str, path: str, operation: Mapping[str, Any]) -> Html:
    """An operation: what it does, a call by curl, what it takes and answers."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    good = operation["responses"]["200"].get("content", {}).get("application/json", {})
    refused = ", ".join(sorted(status for status in operation["responses"] if status != "200"))
    parts = [el("h2", f"{method} {path}"), el("p", f"{operation['summary']}. {operation['description']}".replace("`", ""))]
    if operation["parameters"]:
        rows = [(one["name"], one["in"], _kind(one["schema"]), one["description"]) for one in operation["parameters"]]
        parts.append(_table("Parameters", ("Parameter", "In", "Type", "What"), rows))
    parts += [
        el("p", "Takes ", _kind(body["schema"]), ".") if body else None,
        el("pre", el("code", _curl(method, path, operation, body.get("example")))),
    ]
    if good:
        example = el("pre", el("code", json.dumps(good["example"], indent=2))) if "example" in good else None
        parts += [el("p", "Answers ", _kind(good["schema"]), "."), example]
    return el("section", *parts, el("p", el("a", "Refusals", href="#refusals"), f": {refused}."), id=operation["operationId"])


def _table(caption: str, titles: tuple[str, ...], rows: Sequence[Sequence[object]]) -> Html:
    return table([Column(title, number=False) for title in titles], rows, caption=caption)


def _curl(method: str, path: str, operation: Mapping[str, Any], example: Any) -> str:
    lines = [
        "curl" if method == "GET" else f"curl -X {method}",
        f"http://localhost:8000{path.replace('{user}', 'ann').replace('{scenario}', 'default')}",
    ]
    if operation["security"]:
        lines.append("-H 'X-API-Key: KEY'")
    if example is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(example)}'"]
    return " \\\n  ".join(lines)


def _structure(name: str, schema: Mapping[str, Any]) -> Html:
    """A struct, field by field."""
    required = schema.get("required", [])
    rows = [
        (field, _kind(one), "required" if field in required else json.dumps(one.get("default")), one.get("description", ""))
        for field, one in schema.get("properties", {}).items()
    ]
    fields = _table(f"Fields of {name}", ("Field", "Type", "Default", "What"), rows)
    return el("div", el("h3", name), el("p", schema.get("description", "")), fields, id=f"struct-{name}")


def _kind(schema: Mapping[str, Any]) -> Html:
    """The type of a value in words, with its limits; a struct is a link."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return el("a", name, href=f"#struct-{name}")
    if "anyOf" in schema:
        return join((_kind(one) for one in schema["anyOf"] if one), " or ")
    if schema.get("type") == "array":
        return join(("list of ", _kind(schema.get("items", {})), _limits(schema)))
    if schema.get("type") == "object" and "properties" in schema:
        return join(("{", join((join((field, ": ", _kind(one))) for field, one in schema["properties"].items()), ", "), "}"))
    return join((schema.get("type", "anything"), _limits(schema)))


def _limits(schema: Mapping[str, Any]) -> str:
    names = {"minimum": "from", "maximum": "to", "minLength": "at least", "maxLength": "at most", "maxItems": "at most"}
    said = [f"{word} {schema[key]:,}" for key, word in names.items() if key in schema]
    return f" ({', '.join(said)})" if said else ""
