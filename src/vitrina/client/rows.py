"""From what a caller gives to JSON: structs or dictionaries, one or many, with moments that say their time zone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4

import msgspec

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.wire import EventIn, ItemIn, UserIn

Row = TypeVar("Row", EventIn, ItemIn, UserIn)
Given = EventIn | ItemIn | UserIn | Mapping[str, Any]
Made = TypeVar("Made", bound=msgspec.Struct)


def rows_of(kind: type[Row], given: Given | Iterable[Given]) -> list[Row]:
    """One or many rows as structs. Events without an id get one, by which the service knows them again, and without a time the moment of now.

    >>> rows_of(ItemIn, {"item": "tea", "columns": {"price": 3}})
    [ItemIn(item='tea', columns={'price': 3}, delete=False)]
    """
    many = [given] if isinstance(given, (Mapping, msgspec.Struct)) else given
    return [row if isinstance(row, kind) else _row_of(kind, row) for row in many]


def struct_of(kind: type[Made], fields: Mapping[str, Any]) -> Made:
    """A struct of the wire from its fields by name."""
    known = kind.__struct_fields__
    for name in fields:
        if name not in known:
            raise UnknownNameError.of(f"field of {kind.__name__}", str(name), known)
    try:
        return kind(**fields)
    except TypeError as error:
        raise ParameterError(f"Fields of {kind.__name__} are missing: {error}. It has {', '.join(known)}.") from None


def encoded(value: Any) -> bytes:
    """JSON: a moment with its offset, and of a struct only what is set.

    >>> encoded(EventIn(event_id="a", kind="click", time=datetime.fromisoformat("2026-01-02T03:04:05+00:00")))
    b'{"event_id":"a","kind":"click","time":"2026-01-02T03:04:05+00:00","properties":{}}'
    """
    try:
        return msgspec.json.encode(_plain(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise ParameterError(f"A value can't be told in JSON: {error}.") from None


def _row_of(kind: type[Row], row: Any) -> Row:
    if not isinstance(row, Mapping):
        raise ParameterError(f"What is sent must be of {kind.__name__}, or a dictionary of its fields. Got {row!r}.")
    new = {"event_id": uuid4().hex, "time": time.time()} if kind is EventIn else {}
    return struct_of(kind, {**new, **row})


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ParameterError(
                f"A time must say its time zone: {value} is another moment in each. Write datetime.now(UTC), or .astimezone()."
            )
        return value.isoformat()
    if isinstance(value, msgspec.Struct):
        return {name: _plain(kept) for name in value.__struct_fields__ if (kept := getattr(value, name)) is not None}
    if isinstance(value, Mapping):
        return {name: _plain(kept) for name, kept in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value
