"""Times as clients write them."""

from __future__ import annotations

import re
from datetime import datetime

ISO = re.compile(r"\d{4}-?\d\d-?\d\d([Tt ][\d:.,]{2,18}([Zz]|[+-][\d:]{2,8})?)?", re.ASCII).fullmatch


def seconds_of(value: str | float) -> float:
    """Seconds since 1970 of ISO 8601 with an offset; a number is seconds already.

    Raises:
        ValueError: says what is wrong, and what to send; without a full stop.

    >>> seconds_of("2024-01-31T18:30:00+01:00"), seconds_of(1706722200)
    (1706722200.0, 1706722200.0)
    """
    if not isinstance(value, str):
        return float(value)
    try:
        if not ISO(value):
            raise ValueError
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"The time {value[:64]!r} can't be read: send ISO 8601 with an offset, such as 2026-11-26T14:00:00Z") from None
    if parsed.tzinfo is None:
        raise ValueError(
            f"The time {value[:64]!r} has no offset, so that it may be any hour: send {value[:40]}Z if it is UTC, or +02:00 and the like"
        )
    try:
        return parsed.timestamp()
    except OverflowError:  # an offset at the end of time
        return float("-inf")
