"""Sizes of memory and spans of time, as people write and read them."""

from __future__ import annotations

import re

from vitrina.base.errors import ParameterError

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
SPANS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def bytes_of(memory: str | float) -> float:
    """How many bytes a text says, or a number is.

    Raises:
        ParameterError: it says none above 0.

    >>> bytes_of("8GB"), bytes_of("1.5 GiB"), bytes_of(1000)
    (8000000000.0, 1610612736.0, 1000.0)
    """
    text = memory if isinstance(memory, str) else f"{memory!r}B"
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*([kmgt]?i?b)\s*", text, re.IGNORECASE)
    size = float(found[1]) * UNITS[found[2].upper()] if found and found[2].upper() in UNITS else 0.0
    if not 0 < size < float("inf"):
        raise ParameterError(
            f"The 'memory' must be a size above 0 with its unit, such as 8GB or 500MB. Got {memory!r}.", parameter="memory", value=memory
        )
    return size


def in_words(size: float | None) -> str:
    """Bytes, with two digits that count.

    >>> in_words(250_000_000), in_words(7e9), in_words(10), in_words(None)
    ('250 MB', '7.0 GB', '<1 MB', '')
    """
    if size is None:
        return ""
    for unit, of in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if size >= 0.995 * of:
            return f"{_two(size / of)} {unit}"
    return "<1 MB"


def time_in_words(seconds: float | None) -> str:
    """Seconds in the unit that people would take, with two digits that count.

    >>> time_in_words(0.02), time_in_words(95), time_in_words(7300), time_in_words(2e6)
    ('<1 s', '1.6 min', '2.0 h', '23 d')
    """
    if seconds is None:
        return ""
    for unit, of in SPANS:
        if seconds >= of:
            return f"{_two(seconds / of)} {unit}"
    return "<1 s"


def _two(number: float) -> str:
    return f"{number:.1f}" if number < 9.95 else f"{number:,.0f}"
