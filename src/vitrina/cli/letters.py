"""Letters that a console doesn't have: our own signs in plain letters, all else by its number."""

from __future__ import annotations

import codecs
from typing import Any

PLAIN = str.maketrans({
    "→": "->", "…": "...", "·": "-", "–": "-", "—": "-", "±": "+/-", "’": "'", "‘": "'", "“": '"', "”": '"', "×": "x", "≥": ">=", "≤": "<=",
    **dict(zip("▁▂▃▄▅▆▇█", "._-=+*%#", strict=True)),
})  # fmt: skip
NAME = "vitrina.plain"


def survive(stream: Any) -> None:
    """Let a text stream of a narrow encoding say what it can't show in other letters, in place of raising."""
    if hasattr(stream, "reconfigure") and not is_wide(stream):
        codecs.register_error(NAME, _plain)
        stream.reconfigure(errors=NAME)


def is_wide(stream: Any) -> bool:
    """Whether it has every letter."""
    return codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name.startswith("utf")


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end].translate(PLAIN)
    return text.encode("ascii", "backslashreplace").decode(), error.end
