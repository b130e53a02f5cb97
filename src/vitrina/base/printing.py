"""How a number is written, wherever people read it: one precision for what stands together, and never a zero for what isn't one."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Iterable
from statistics import median
from typing import Any

MISSING = "–"
MOST = 8  # decimals that anybody is shown
ZERO = 1e-12  # what is left of a zero after a few sums
ENOUGH = 4  # decimals that a column takes on for the sake of its smallest value


def finite(value: object) -> bool:
    """Whether it is a number that can be shown."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def decimals(values: Iterable[float | None], half_widths: Iterable[float | None] = ()) -> int:
    """How many decimals a column deserves.

    Those that its intervals can tell apart, else three digits of its largest value; and up to four where its smallest would read 0.

    >>> decimals([0.25, 0.3], [0.011]), decimals([4.2, 1.7]), decimals([0.143, 0.0002])
    (3, 2, 4)
    """
    sizes = [abs(v) for v in values if v is not None and finite(v) and v]
    widths = [w for w in half_widths if w is not None and finite(w) and w > 0]
    largest = max(sizes, default=100.0)
    places = math.ceil(-math.log10(median(widths)) + 0.5) if widths else 2 - math.floor(math.log10(largest))
    smallest = -math.floor(math.log10(min(sizes))) if sizes else 0
    return min(6, max(0, places, min(smallest, ENOUGH)))


def half_width(low: float | None, high: float | None) -> float | None:
    """Half of an interval; None where an end is missing."""
    return (high - low) / 2 if low is not None and high is not None and finite(low) and finite(high) else None


def fixed(value: float | None, places: int) -> str:
    """`value` with thousands separated and exactly `places` decimals; what is too small for them is said to be smaller.

    >>> fixed(-1234.5678, 2), fixed(None, 2), fixed(0.0001, 2), fixed(-0.0001, 2), fixed(0.0, 2)
    ('−1,234.57', '–', '<0.01', '>−0.01', '0.00')
    """
    if value is None or not finite(value):
        return MISSING
    text = f"{value:,.{places}f}"
    if text.strip("-0.,"):
        return text.replace("-", "−")
    if abs(value) < ZERO:
        return text.lstrip("-")
    least = f"{10.0**-places:.{places}f}"
    return f"<{least}" if value > 0 else f">−{least}"


def signed(value: float | None, places: int) -> str:
    """`fixed` with the sign of what is above zero.

    >>> signed(0.0114, 3), signed(-0.0114, 3), signed(0.00001, 3), signed(0, 3)
    ('+0.011', '−0.011', '<0.001', '0.000')
    """
    text = fixed(value, places)
    return f"+{text}" if value is not None and value > 0 and text[0].isdigit() else text


def between(low: float | None, high: float | None, places: int) -> str:
    """An interval in brackets, or nothing where there is none."""
    return f"({fixed(low, places)} to {fixed(high, places)})" if half_width(low, high) is not None else ""


def places_of(value: float | None) -> int:
    """Decimals for a number in a sentence, and for the ends of its interval: two digits that count, three decimals or more below 10.

    >>> [places_of(v) for v in (1234, 12.5, 0.25, 0.0114, 0.0082, 0.0002)]
    [0, 1, 3, 3, 4, 5]
    """
    size = abs(value) if value is not None and finite(value) else 0.0
    if size >= 9.995:
        return 1 if size < 999.5 else 0
    return 3 if size < ZERO else min(max(3, 1 - math.floor(math.log10(size))), MOST)


def short(value: float | None) -> str:
    """A number alone in a sentence.

    >>> short(0.2124), short(0.0114), short(0.00002)
    ('0.212', '0.011', '0.000020')
    """
    return fixed(value, places_of(value))


def short_interval(value: float | None, low: float | None, high: float | None) -> str:
    """A number with its interval, one precision for the three.

    >>> short_interval(0.102, 0.0951, 0.109), short_interval(0.0002, 0.000002, 0.0004), short_interval(0.5, None, None)
    ('0.102 (0.095 to 0.109)', '0.00020 (<0.00001 to 0.00040)', '0.500')
    """
    places = places_of(value)
    return f"{fixed(value, places)} {between(low, high, places)}".strip()


def sentence_end(text: str) -> str:
    """The text with a full stop, where it has no end of its own; so that sentences can stand one after another.

    >>> sentence_end("limited by max_items."), sentence_end("4 rounds"), sentence_end("")
    ('limited by max_items.', '4 rounds.', '')
    """
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?", "…", ":")) else f"{text}."


def first_paragraph(cls: type) -> str:
    """The first paragraph of a class's docstring on one line, without links."""
    text = (cls.__doc__ or "").strip().split("\n\n")[0]
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(text.split()))


def as_text(thing: Any, width: int = 140) -> str:
    """What rich would print of it, without colours and blanks at ends: `width` columns, or fewer where the terminal has fewer."""
    from rich.console import Console  # noqa: PLC0415  numbers are written where nothing is printed, too

    columns = min(width, shutil.get_terminal_size((width, 24)).columns)
    console = Console(width=columns, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as printed:
        console.print(thing)
    return "\n".join(line.rstrip() for line in printed.get().splitlines())
