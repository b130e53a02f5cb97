"""Numbers, shares, durations, dates and lists as a reader wants them."""

from __future__ import annotations

import math
from datetime import date, datetime

from vitrina.base.printing import MISSING, between, decimals, finite, fixed, half_width, sentence_end, signed

__all__ = [
    "about", "between", "count", "day", "decimals", "finite", "fixed", "half_width", "listed", "minute", "percent", "plural", "seconds",
    "sentence_end", "short_count", "signed",
]  # fmt: skip


def count(value: float | None) -> str:
    """A whole number with thousands separated."""
    return fixed(value, 0)


def short_count(value: float) -> str:
    """For an axis: 12k, 3.4M."""
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.1f}".removesuffix(".0") + unit
    return f"{value:g}"


def percent(share: float | None, places: int | None = None) -> str:
    """A share as two digits of a percentage, or with `places` decimals for a column; never a 0% or 100% that isn't exact.

    >>> percent(0.1234), percent(0.0123), percent(0.0001), percent(0), percent(0.12, 1)
    ('12%', '1.2%', '<0.1%', '0%', '12.0%')
    """
    if share is None or not finite(share):
        return MISSING
    least = 10.0 ** -(1 if places is None else places)
    if 0 < share < least / 200:
        return f"<{least:g}%"
    if 1 - least / 200 < share < 1:
        return f">{100 - least:g}%"
    if places is not None:
        return f"{fixed(100 * share, places)}%"
    return fixed(100 * share, 1 if abs(share) < 0.0995 or 0.995 <= share < 1 else 0).removesuffix(".0") + "%"


def about(value: float) -> str:
    """Two significant digits, for a sentence.

    >>> about(4342.2), about(0.318)
    ('4,300', '0.32')
    """
    if not value:
        return "0"
    places = 1 - math.floor(math.log10(abs(value)))
    return fixed(round(value, places), max(places, 0))


def seconds(value: float | None, places: int = 1) -> str:
    """A duration in seconds; what is shorter than can be shown is said to be."""
    if value is None or not finite(value):
        return MISSING
    smallest = 10.0**-places
    return f"<{smallest:.{places}f}" if 0 < value < smallest / 2 else fixed(value, places)


def day(value: object) -> str:
    """A date as "5 March 2024"; text of another form as it is."""
    if isinstance(value, (int, float)):
        return fixed(value, 0)
    moment = value if isinstance(value, date) else _parse(str(value))
    return str(value) if moment is None else f"{moment.day} {moment:%B %Y}"


def minute(value: object) -> str:
    """A date with its time of day, where it has one."""
    moment = value if isinstance(value, datetime) else _parse(str(value))
    return day(value) if moment is None else f"{day(moment)}, {moment:%H:%M}" + (f" {moment.tzname()}" if moment.tzinfo else "")


def _parse(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def plural(number: int, one: str, many: str | None = None) -> str:
    """
    >>> plural(1, "model"), plural(1200, "person", "people")
    ('1 model', '1,200 people')
    """
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def listed(words: list[str]) -> str:
    """
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
