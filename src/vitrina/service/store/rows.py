"""What every database writes of a row, and how it knows it again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from msgspec.json import encode

from vitrina.service.records import Attributes, Event, Retained, Shown

ACCEPTED: Mapping[Retained, str] = {"events": "received", "shown": "time", "rejected": "received"}  # the column that says when


def digest(id: str) -> bytes:
    """What is remembered of the id of an event, or of who is forgotten: 16 bytes, from which nobody reads it, and by which it is known again."""
    return blake2b(id.encode(), digest_size=16).digest()


def event_cells(e: Event) -> tuple[Any, ...]:
    """In the order of the columns behind sequence and tenant."""
    return (
        e.event_id, e.kind, e.user, e.item, e.time, e.received, e.value, e.basket, e.recommendation_id, e.position, e.session, e.properties.decode(),
    )  # fmt: skip


def shown_cells(s: Shown) -> tuple[Any, ...]:
    """In the order of the columns behind sequence and tenant; lists as JSON."""
    return (
        s.recommendation_id, s.time, s.scenario, s.version, s.user, s.session, s.experiment, s.variant, s.propensity,
        *(encode(places).decode() for places in (s.items, s.scores, s.sources, s.propensities)),
    )  # fmt: skip


def merged(before: Mapping[str, Any] | None, row: Attributes) -> dict[str, Any] | None:
    """The columns of an item or a person after they were set, None of who is deleted. A column that was emptied stays as null: it covers that of a model's table."""
    return None if row.delete else {**(before or {}), **row.columns}


def naming(user: str) -> Callable[[bytes, str], bool]:
    """Whether a refused row, or its reason, names a person: the id as a whole, as it is or as JSON writes it. One that is part of a longer word or number is
    another's.

    >>> naming("ann")(b'{"user": "ann"}', "No item."), naming("ann")(b'{"user": "anna"}', "No item.")
    (True, False)
    """
    escaped = "".join(c if c.isascii() else "".join(f"\\u{unit:04x}" for unit in _units(c)) for c in encode(user).decode()[1:-1])
    forms = {user, encode(user).decode()[1:-1], escaped}
    found = re.compile(r"(?<![\w])(?:" + "|".join(re.escape(form) for form in sorted(forms)) + r")(?![\w])", re.IGNORECASE).search
    return lambda row, reason: bool(found(row.decode(errors="replace")) or found(reason))


def _units(character: str) -> Sequence[int]:
    """The UTF-16 units of a character, by which JSON escapes it."""
    packed = character.encode("utf-16-be", errors="surrogatepass")
    return [int.from_bytes(packed[i : i + 2], "big") for i in range(0, len(packed), 2)]
