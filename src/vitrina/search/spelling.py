"""Typing errors mended from the words that a shop knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.errors import MissingExtraError, ParameterError
from vitrina.base.state import State
from vitrina.search.analysis import WORD, words
from vitrina.search.known import KnownWords
from vitrina.search.reading import Change, Reading

SHORTEST = 3  # letters of each part of a word that is split
NAME = "spelling"


@final
@dataclass(frozen=True, eq=False, repr=False)
class Spelling:
    """Puts the nearest known word in the place of one that nobody knows.

    Only a word that is unknown in all its forms is looked at, so a rare word of one item stays, whatever common word is near. The distance is
    that of insertions, deletions, changes and swaps of neighbours (optimal string alignment): none for up to 3 letters, 1 for 4 to 7, 2 from 8 on. Of equally near
    words one with the same first letter is taken, then the one that more texts have. Where none is near, two words that were run together are cut
    ("bluetoothcolumn"), and two pieces of one word are joined. Words with digits stay: a model number has no nearest word.

    Args:
        known: the words.
        longest: letters of a word above which it is left alone.

    Raises:
        MissingExtraError: rapidfuzz isn't installed.

    Cost: 5 milliseconds per unknown word at 100,000 known ones; a known word costs microseconds.

    >>> import vitrina as vt
    >>> known = vt.search.KnownWords.of(["красные кроссовки", "кроссовки"], analysis=vt.search.TextAnalysis(languages=("russian",)))
    >>> vt.search.Spelling(known).read("красные кросовки").told
    "searched for 'кроссовки' in place of 'кросовки'"
    """

    known: KnownWords
    longest: int = 40

    def __post_init__(self) -> None:
        if not isinstance(self.known, KnownWords):
            raise ParameterError(
                f"The 'known' of Spelling are vt.search.KnownWords.of(texts, ...). Got a {type(self.known).__name__}.", owner="Spelling"
            )
        _library()

    def __repr__(self) -> str:
        return f"Spelling({self.known!r})"

    def read(self, text: str) -> Reading:
        """The text with known words; what is between words stays."""
        found = list(re.finditer(WORD, text))
        plain = words(pl.Series([match.group() for match in found], dtype=pl.String)).list.first().to_list() if found else []
        changes: list[tuple[int, int, str]] = []
        at = 0
        while at < len(found):
            word = plain[at] or ""
            if not self.unknown(word):
                at += 1
                continue
            joined = self._joined(plain, at)
            if joined is not None:
                first, last, new = joined
                if not changes or changes[-1][1] <= found[first].start():
                    changes.append((found[first].start(), found[last].end(), new))
                at = last + 1
                continue
            new = self.nearest(word) or self._cut(word)
            if new is not None:
                changes.append((found[at].start(), found[at].end(), new))
            at += 1
        return _replaced(text, changes)

    def unknown(self, word: str) -> bool:
        """Whether a word is one to be mended."""
        return word.isalpha() and len(word) <= self.longest and not self.known.knows(word)

    def nearest(self, word: str, most: int | None = None) -> str | None:
        """The known word that is taken for an unknown one; None where none is near enough.

        Args:
            most: the largest distance; None is that of its length.
        """
        most = allowed(len(word)) if most is None else most
        if not most:
            return None
        found = list(self._near(word, most))
        return min(found)[-1] if found else None

    def _near(self, word: str, most: int) -> Iterator[tuple[int, bool, int, str]]:
        process, distance = _library()
        for length in range(len(word) - most, len(word) + most + 1):
            choices = self._by_length.get(length)
            for other, off, _ in process.extract(word, choices, scorer=distance, score_cutoff=most, limit=None) if choices else ():
                yield int(off), other[0] != word[0], -self.known.count(other), other

    @cached_property
    def _by_length(self) -> dict[int, list[str]]:
        table = pl.DataFrame({"word": self.known.words}).filter(pl.col("word").str.contains(r"^\p{L}{2,}$"))
        groups = table.with_columns(length=pl.col("word").str.len_chars()).group_by("length").agg(pl.col("word").sort())
        return dict(zip(groups["length"].to_list(), groups["word"].to_list(), strict=True))

    def _joined(self, plain: list[Any], at: int) -> tuple[int, int, str] | None:
        """Two neighbours that are one word: where they are, and the word."""
        for first in (at, at - 1):
            if first >= 0 and first + 1 < len(plain) and self.known.count(f"{plain[first]}{plain[first + 1]}"):
                return first, first + 1, f"{plain[first]}{plain[first + 1]}"
        return None

    def _cut(self, word: str) -> str | None:
        """Two known words that were run together; those that most texts have."""
        cuts = [(word[:at], word[at:]) for at in range(SHORTEST, len(word) - SHORTEST + 1)]
        both = [(min(map(self.known.count, pair)), pair) for pair in cuts]
        best = max(both, default=(0, ("", "")))
        return " ".join(best[1]) if best[0] else None

    def state(self) -> State:
        return State({"longest": self.longest}, children={"known": self.known})

    @classmethod
    def of_state(cls, state: State) -> Spelling:
        return cls(state.children["known"], int(state.config["longest"]))


def allowed(letters: int) -> int:
    """How far a known word may be from one of so many letters."""
    return int(np.searchsorted([4, 8], letters, side="right"))


def _replaced(text: str, changes: list[tuple[int, int, str]], name: str = NAME) -> Reading:
    """The text with other words at some places."""
    out, told, after = [], [], 0
    for start, stop, new in changes:
        out += [text[after:start], new]
        told.append(Change(name, text[start:stop], new))
        after = stop
    return Reading("".join([*out, text[after:]]), tuple(told))


def _library() -> tuple[Any, Any]:
    try:
        from rapidfuzz import process  # noqa: PLC0415  an extra
        from rapidfuzz.distance import OSA  # noqa: PLC0415  an extra
    except ImportError:
        raise MissingExtraError.of("rapidfuzz", "search", "Repair of typing errors") from None
    return process, OSA.distance
