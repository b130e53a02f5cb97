"""From the bytes of a body to what the service works on: strict JSON, ids as texts, times as microseconds since 1970."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from vitrina.base.ids import id_text
from vitrina.service.moments import seconds_of
from vitrina.service.problems import RefusedError
from vitrina.service.records import Attributes, Event, Rejected
from vitrina.wire import AnswerRequest, EventIn, HistoryItem, ItemIn, RecommendRequest, SimilarRequest, UserIn

T = TypeVar("T")

EARLIEST = 631_152_000  # 1990-01-01, seconds since 1970
AHEAD = 86_400  # seconds that a client's clock may be wrong
ROW = 65_536  # bytes of a row of a batch
STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"')
SPACED = re.compile(rb'"\s+:')
EXACT = 2**53  # below it floats count in ones
BRACKETS = bytes(set(range(256)) - set(b"[]{}"))  # what is no bracket
BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
ANYTHING = msgspec.json.Decoder()
ROWS = msgspec.json.Decoder(dict[str, msgspec.Raw])
LIST = msgspec.json.Decoder(list[msgspec.Raw])
EVENT, ITEM, USER = msgspec.json.Decoder(EventIn), msgspec.json.Decoder(ItemIn), msgspec.json.Decoder(UserIn)
encode = msgspec.json.Encoder().encode


def decoded(body: bytes | memoryview, decoder: msgspec.json.Decoder[T], depth: int) -> T:
    """What a body says.

    Raises:
        RefusedError: 400 where it is no JSON, is nested too deep or says a thing twice; 422 where it isn't what is asked for. Says where.

    Cost: 5 us for a short one.
    """
    body = bytes(body)
    if body.count(b"[") + body.count(b"{") > depth and depth_of(body) > depth:
        raise RefusedError(400, f"The JSON is nested more than {depth} deep. Nothing that is asked for here is so deep.")
    try:
        try:
            value = decoder.decode(body)
        except msgspec.ValidationError as error:
            if "got `float`" not in str(error):
                raise
            value = decoder.decode(_with_whole_numbers(body) or body)
    except msgspec.ValidationError as error:
        raise RefusedError(422, _misfit(str(error), decoder.type)) from None
    except RecursionError:
        raise RefusedError(400, "The JSON is nested too deep. Nothing that is asked for here is so deep.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError(400, _no_json(body, str(error))) from None
    _check_texts(body)
    return value


def _with_whole_numbers(body: bytes) -> bytes | None:
    """The body with 7.0 as 7, which it is in JSON and as an id; None where it is no JSON.

    >>> _with_whole_numbers(b'{"user": 7.0, "k": 1e1, "x": 0.5}')
    b'{"user":7,"k":10,"x":0.5}'
    """
    try:
        return encode(json.loads(body, parse_float=_whole, parse_constant=_whole, object_pairs_hook=_without_repeats))
    except (ValueError, RecursionError):
        return None


def _whole(digits: str) -> int | float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return int(number) if abs(number) < EXACT and number == int(number) else number


def depth_of(body: bytes) -> int:
    """How deep brackets stand in brackets, outside of texts.

    >>> depth_of(b'{"a": [1, "]]["], "b": {}}')
    2
    """
    deepest = at = 0
    for bracket in STRINGS.sub(b"", body).translate(None, BRACKETS):
        at += 1 if bracket in b"[{" else -1
        deepest = max(deepest, at)
    return deepest


def _check_texts(body: bytes) -> None:
    """Refuse, in JSON that was read, a key that comes twice, and characters that databases don't hold."""
    if not _surely_without_repeats(body):
        json.loads(body, object_pairs_hook=_without_repeats)
    if b"\\u0000" in body and any("\0" in text for text in _texts(json.loads(body))):
        raise RefusedError(422, "The body has a NUL character (\\u0000) in a text. Send it without.")


def _surely_without_repeats(body: bytes) -> bool:
    """Whether there are as many keys as colons, or quotes with a colon: more quickly seen than what each key is."""
    value = ANYTHING.decode(body)
    keys = len(value) if type(value) is dict and body.count(b"{") == 1 else _keys(value)
    return body.count(b":") == keys or (body.count(b'":') == keys and SPACED.search(body) is None)


def _keys(value: Any) -> int:
    """How many keys a value has, inside too."""
    inside = value.values() if type(value) is dict else value if type(value) is list else ()
    return (len(value) if type(value) is dict else 0) + sum(_keys(one) for one in inside if type(one) in (dict, list))


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise RefusedError(400, f"The JSON has {twice[:128]!r} twice in one object, and which one counts nobody can know. Send it once.")
    return found


def _texts(value: Any) -> list[str]:
    """All texts and keys of a value."""
    if isinstance(value, dict):
        return [text for key, one in value.items() for text in (key, *_texts(one))]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


def _misfit(message: str, asked: Any) -> str:
    """What doesn't fit, in a sentence.

    >>> _misfit("Expected `int` <= 1000 - at `$.k`", RecommendRequest)
    "The body doesn't fit at k: expected int <= 1000. What is asked for is in /openapi.json, under RecommendRequest."
    >>> _misfit("Object contains unknown field `users`", RecommendRequest)
    "There is no field 'users' in RecommendRequest. Did you mean 'user'? What is asked for is in /openapi.json."
    """
    what, _, place = message.partition(" - at ")
    name = getattr(asked, "__name__", "its operation")
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", what, re.DOTALL):
        field = unknown[1][:128]
        close = get_close_matches(field, getattr(asked, "__struct_fields__", ()), n=1) if not place else []
        hint = f"Did you mean {close[0]!r}? " if close else ""
        inside = f"{name} at {place.strip('`').removeprefix('$.')}" if place else name
        return f"There is no field {field!r} in {inside}. {hint}What is asked for is in /openapi.json."
    where = f" at {place.strip('`').removeprefix('$.')}" if place else ""
    problem = (what[:1].lower() + what[1:]).replace("`", "")
    return f"The body doesn't fit{where}: {problem}. What is asked for is in /openapi.json, under {name}."


def _no_json(body: bytes, message: str) -> str:
    if not body:
        return "The body is empty, and JSON is asked for: send at least {}."
    if body.startswith(BOMS) or body[:2].count(0):
        return "The body begins with a byte order mark, or is in UTF-16 or UTF-32. Send plain UTF-8, without a mark."
    if "utf-8" in message or re.search(rb"\\u[dD][89a-fA-F]", body):
        return (
            "The body holds characters that are no text: bytes that aren't UTF-8, or half of a pair (\\ud800 to \\udfff). Send plain UTF-8."
        )
    if re.search(rb"\b(NaN|Infinity)\b", body):
        return "JSON has neither NaN nor Infinity. Send null, or leave the value out."
    return f"The body is no JSON: {message.removeprefix('JSON is malformed: ')}. Send one JSON object."


def moment(value: str | float, now: float, *, any_year: bool = False) -> int:
    """Microseconds since 1970 of a time that a client sent.

    Args:
        value: ISO 8601 with an offset, or seconds since 1970.
        now: seconds since 1970; later than a day from it is refused.
        any_year: times before 1990 are taken.

    Raises:
        ValueError: says what is wrong, and what to send.

    >>> moment("2026-11-26T14:00:00+01:00", now=1.8e9), moment(1.7e9, now=1.8e9)
    (1795698000000000, 1700000000000000)
    """
    seconds = seconds_of(value)
    if seconds > now + AHEAD:
        hint = (
            ": numbers are seconds, and this looks like milliseconds" if not isinstance(value, str) and seconds / 1000 < now + AHEAD else ""
        )
        raise ValueError(f"The time {value!r:.64} is more than a day ahead of the service's clock{hint}")
    if seconds < EARLIEST and (not any_year or seconds < -62_135_596_800):
        raise ValueError(f"The time {value!r:.64} is before 1990, which is likely a mistake: leave the time out if it isn't known")
    return round(seconds * 1e6)


Asked = TypeVar("Asked", RecommendRequest, SimilarRequest, AnswerRequest)


def canonical(request: Asked, *, any_year: bool = False) -> Asked:
    """A request with ids as texts and times as seconds; the very same where they are so already.

    Raises:
        RefusedError: 422, where a time of the history is none.
    """
    changed: dict[str, Any] = {}
    for name in ("user", "item"):
        if (value := getattr(request, name, None)) is not None and (text := id_text(value)) != value:
            changed[name] = text
    for name in ("candidates", "exclude"):
        if ids := getattr(request, name):
            changed[name] = [id_text(one) for one in ids]
    if isinstance(request, (RecommendRequest, AnswerRequest)) and request.history:
        now = time.time()
        try:
            changed["history"] = [_happened(one, now, any_year=any_year) for one in request.history]
        except ValueError as error:
            raise RefusedError(422, f"{error}.") from None
    return replace(request, **changed) if changed else request


def _happened(one: HistoryItem | str | int, now: float, *, any_year: bool) -> HistoryItem | str:
    if not isinstance(one, HistoryItem):
        return id_text(one) or ""
    at = None if one.time is None else moment(one.time, now, any_year=any_year) / 1e6
    return HistoryItem(id_text(one.item) or "", at, one.kind, one.value)


class Batch(NamedTuple):
    """Rows as they came, and whether they came in a list."""

    rows: list[msgspec.Raw]
    many: bool


def batch_of(body: bytes, name: str, most: int) -> Batch:
    """One object, or the list that stands under `name` in one.

    Raises:
        RefusedError: 400 and 422, as in `decoded`; 413 where there are more than `most` rows.
    """
    try:
        outer = ROWS.decode(body)
        if name not in outer:
            return Batch([msgspec.Raw(body)], many=False)
        rows = LIST.decode(outer[name])
    except msgspec.ValidationError:
        raise RefusedError(422, f'The body is one object, or {{"{name}": [...]}} with a list of them.') from None
    except RecursionError:
        raise RefusedError(400, "The JSON is nested too deep. Nothing that is asked for here is so deep.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError(400, _no_json(body, str(error))) from None
    if others := sorted(set(outer) - {name}):
        raise RefusedError(422, f"Beside {name!r} the body has {others[0][:128]!r}. Put it into the rows, or send it by itself.")
    if len(rows) > most:
        raise RefusedError(413, f"A batch may have {most:,} rows, and this one has {len(rows):,}. Send it in parts.")
    return Batch(rows, many=True)


def row_of(raw: msgspec.Raw, decoder: msgspec.json.Decoder[T], depth: int) -> T:
    """A row by itself.

    Raises:
        RefusedError: as of `decoded`.
    """
    if len(view := memoryview(raw)) > ROW:
        raise RefusedError(413, f"A row may have {ROW:,} bytes, and this one has {len(view):,}.")
    return decoded(view, decoder, depth)


def event_of(raw: msgspec.Raw, now: float, depth: int, *, any_year: bool = False) -> Event | Rejected:
    """A row of events, or why it is none."""
    received = round(now * 1e6)
    try:
        row = row_of(raw, EVENT, depth)
        at = received if row.time is None else moment(row.time, now, any_year=any_year)
    except (RefusedError, ValueError) as error:
        return Rejected.of(received, raw, str(error))
    user, item = (None if one is None else id_text(one) for one in (row.user, row.item))
    return Event(
        row.event_id, row.kind, user, item, at, received, row.value, row.basket, row.recommendation_id, row.position, row.session,
        encode(row.properties) if row.properties else b"{}",
    )  # fmt: skip


def attributes_of(
    raw: msgspec.Raw, decoder: msgspec.json.Decoder[ItemIn] | msgspec.json.Decoder[UserIn], now: float, depth: int
) -> Attributes | Rejected:
    """A row of items or people, or why it is none."""
    try:
        row: ItemIn | UserIn = row_of(raw, decoder, depth)  # type: ignore[arg-type]  one of the two
        if row.delete and row.columns:
            raise RefusedError(422, "A row either sets columns or deletes. Send one of them.")
    except RefusedError as error:
        return Rejected.of(round(now * 1e6), raw, str(error))
    return Attributes(id_text(row.item if isinstance(row, ItemIn) else row.user) or "", row.columns, row.delete)
