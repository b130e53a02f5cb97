"""The description of the API as OpenAPI 3.1, made from the table of routes and the structs that go over the wire."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

import vitrina
from vitrina.service.routes.table import Endpoint
from vitrina.wire import Health, Problem

REFS = "#/components/schemas/{name}"
ARGUMENT = re.compile(r"^(\w+): (.*?)(?=^\w+: |\Z)", re.MULTILINE | re.DOTALL)  # of a docstring, without its indent

MEANING = {
    400: "The body is no JSON, or the request can't be read.",
    401: "There is no key, or one that isn't known.",
    403: "The key doesn't open this.",
    404: "There is nothing of that name that the key may see.",
    405: "The path takes other methods; `Allow` names them.",
    408: "The body came too slowly.",
    409: "It doesn't go with how things are now, as to go back where there is nothing before.",
    413: "The body, or the batch, is too large.",
    415: "The body isn't said to be plain JSON.",
    422: "The JSON isn't what is asked for here, or can't be answered.",
    429: "The key sends too much; `Retry-After` says when to come again.",
    431: "The headers are too large.",
    500: "The service failed; its log says why, under the `request_id`.",
    503: "The service can't answer now, or not in time; `Retry-After` says when to come again.",
}
AGAIN = (429, 503)
ABOUT = """Every refusal is a `Problem`: a word for programs, and a sentence with the remedy.
Ids are texts, or whole numbers that stand for their digits. Times are ISO 8601 with an offset, or seconds since 1970.
A request may name itself in `X-Request-ID`; the answer has it, or one that the service made."""


@lru_cache(maxsize=4)
def description(table: tuple[Endpoint, ...]) -> dict[str, Any]:
    """The whole description of a table of routes."""
    structs = {
        one
        for endpoint in table
        for one in (endpoint.request, endpoint.answer)
        if isinstance(one, type) and issubclass(one, msgspec.Struct)
    }
    _, schemas = msgspec.json.schema_components(sorted({*structs, Problem, Health}, key=lambda one: one.__name__), ref_template=REFS)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in table:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Vitrina", "version": vitrina.__version__, "description": ABOUT},
        "paths": paths,
        "components": {
            "schemas": {name: _told(schema) for name, schema in schemas.items()},
            "responses": {_name(status): _refusal(status) for status in MEANING},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    scope = f"The key needs the scope `{endpoint.scope}`." if endpoint.scope else "No key is needed."
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.handler.__module__.rpartition('.')[2]}_{endpoint.handler.__name__}",
        "summary": endpoint.summary,
        "description": scope,
        "security": [{"bearer": []}, {"key": []}] if endpoint.scope else [],
        "parameters": list(_parameters(endpoint)),
        "responses": {
            "200": _good(endpoint),
            **{str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in _statuses(endpoint)},
        },
    }
    if endpoint.has_body:
        content: dict[str, Any] = {"schema": _body(endpoint)}
        if endpoint.example is not None:
            content["example"] = endpoint.example
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    if endpoint.answer is Health:
        operation["responses"]["503"] = _good(endpoint) | {"description": "It can't; the reasons are in the answer."}
    return operation


def _statuses(endpoint: Endpoint) -> Iterable[int]:
    """Those that a route can have beside 200."""
    yield from (400, 405, 422, 431, 500)
    if endpoint.scope:
        yield from (401, 403, 404, 429, 503)
    if endpoint.has_body:
        yield from (408, 413, 415)
    yield from endpoint.statuses


def _parameters(endpoint: Endpoint) -> Iterable[dict[str, Any]]:
    if name := re.search(r"{(\w+)}", endpoint.path):
        schema = {"type": "string", "minLength": 1, "maxLength": 256}
        yield {
            "name": name[1],
            "in": "path",
            "required": True,
            "schema": schema,
            "description": f"The {name[1]}, escaped as in any address.",
        }
    for one, (default, least, most) in endpoint.query.items():
        schema = {"type": "integer", "minimum": least, "maximum": most, "default": default}
        yield {"name": one, "in": "query", "required": False, "schema": schema, "description": "How many at most."}


def _body(endpoint: Endpoint) -> dict[str, Any]:
    single = {"$ref": REFS.format(name=endpoint.request.__name__)}
    if endpoint.many is None:
        return single
    rows = {
        "type": "array",
        "items": {"anyOf": [single, {}]},
        "description": "Each row by itself: one that doesn't fit is answered with its reason.",
    }
    return {
        "anyOf": [
            single,
            {"type": "object", "properties": {endpoint.many: rows}, "required": [endpoint.many], "additionalProperties": False},
        ]
    }


def _good(endpoint: Endpoint) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Answered.", "headers": _headers()}
    if not isinstance(endpoint.answer, type):
        return answer | {"content": {endpoint.answer: {"schema": {}}}}
    content: dict[str, Any] = {"schema": {"$ref": REFS.format(name=endpoint.answer.__name__)}}
    if endpoint.answered is not None:
        content["example"] = endpoint.answered
    if endpoint.links:
        answer["links"] = {name: {"operationId": name, "parameters": dict(parameters)} for name, parameters in endpoint.links.items()}
    return answer | {"content": {"application/json": content}}


def _headers(*, again: bool = False) -> dict[str, Any]:
    headers: dict[str, Any] = {"X-Request-ID": {"schema": {"type": "string"}, "description": "To find the request in the log."}}
    if again:
        headers["Retry-After"] = {"schema": {"type": "integer"}, "description": "Seconds, where trying again helps."}
    return headers


def _name(status: int) -> str:
    return f"Refused{status}"


def _refusal(status: int) -> dict[str, Any]:
    schema = {"$ref": REFS.format(name="Problem")}
    return {"description": MEANING[status], "headers": _headers(again=status in AGAIN), "content": {"application/json": {"schema": schema}}}


def _told(schema: dict[str, Any]) -> dict[str, Any]:
    """A struct's schema with what its docstring says, field by field.

    >>> _told({"description": "A list.\\n\\n    Args:\\n        k: how\\n            many.\\n    ", "properties": {"k": {"type": "integer"}}})
    {'description': 'A list.', 'properties': {'k': {'type': 'integer', 'description': 'how many.'}}}
    """
    text = schema.get("description", "")
    what, _, arguments = text.partition("Args:\n")
    lines = [line.removeprefix(" " * 8).rstrip() for line in arguments.splitlines()]
    words: Mapping[str, str] = {name: " ".join(said.split()) for name, said in ARGUMENT.findall("\n".join(lines))}
    properties = {name: one | ({"description": words[name]} if name in words else {}) for name, one in schema.get("properties", {}).items()}
    return schema | {"description": " ".join(what.split()), "properties": properties}
