"""Words that were typed with the keyboard on the other alphabet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import final

import polars as pl

from vitrina.base.state import State
from vitrina.search.analysis import words
from vitrina.search.known import KnownWords
from vitrina.search.reading import Change, Reading
from vitrina.search.spelling import Spelling

LATIN = "`qwertyuiop[]asdfghjkl;'zxcvbnm,./" + '~QWERTYUIOP{}ASDFGHJKL:"ZXCVBNM<>?'
RUSSIAN = "ёйцукенгшщзхъфывапролджэячсмитьбю." + "ЁЙЦУКЕНГШЩЗХЪФЫВАПРОЛДЖЭЯЧСМИТЬБЮ,"
TO_RUSSIAN, TO_LATIN = str.maketrans(LATIN, RUSSIAN), str.maketrans(RUSSIAN, LATIN)
TAIL = ".,;:!?"  # what may follow a word, and is a letter on the other keyboard
NAME = "layout"


def other_layout(text: str) -> str:
    """What the same keys give on the other keyboard, Russian or English; the text itself where it has letters of both alphabets, or of none.

    >>> other_layout("ghbdtn"), other_layout("щдв ызщща"), other_layout("usb-кабель")
    ('привет', 'old spoof', 'usb-кабель')
    """
    latin, russian = bool(re.search("[A-Za-z]", text)), bool(re.search("[А-Яа-яЁё]", text))
    return text if latin == russian else text.translate(TO_RUSSIAN if latin else TO_LATIN)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Layout:
    """Puts a word on the other keyboard where it is unknown as typed, and known there: "ghbdtn" is "привет", "фвшвфы" is "adidas".

    A word is what stands between blanks, as keys of letters are marks on the other keyboard: ",k.pf" is "блюза". With a `Spelling` a word that is nearly known there, and not
    nearly known as typed, moves too, and the spelling is mended by that step afterwards.

    Args:
        known: the words.
        spelling: the step that follows, of the same words.

    >>> import vitrina as vt
    >>> known = vt.search.KnownWords.of(["кроссовки adidas"], analysis=vt.search.TextAnalysis(languages=("russian", "english")))
    >>> vt.search.Layout(known).read("rhjccjdrb фвшвфы 42").text
    'кроссовки adidas 42'
    """

    known: KnownWords
    spelling: Spelling | None = None

    def __repr__(self) -> str:
        return f"Layout({self.known!r})"

    def read(self, text: str) -> Reading:
        """The text with words on the keyboard on which they are known."""
        changes: list[Change] = []

        def put(match: re.Match[str]) -> str:
            new = self._other(match.group())
            if new is None:
                return match.group()
            changes.append(Change(NAME, match.group(), new))
            return new

        return Reading(re.sub(r"\S+", put, text), tuple(changes))

    def _other(self, chunk: str) -> str | None:
        if self._knows(chunk):
            return None
        tail = chunk[len(chunk.rstrip(TAIL)) :]
        for body, rest in ((chunk, ""), (chunk[: len(chunk) - len(tail)], tail)) if tail else ((chunk, ""),):
            moved = other_layout(body)
            if moved != body and self._knows(moved):
                return moved.lower() + rest
        moved = other_layout(chunk)
        return moved.lower() if moved != chunk and self._nearly(moved) and not self._nearly(chunk) else None

    def _knows(self, chunk: str) -> bool:
        """Whether all words of a chunk are known; numbers say nothing."""
        own = _words(chunk)
        return any(not word.isdigit() for word in own) and all(word.isdigit() or self.known.knows(word) for word in own)

    def _nearly(self, chunk: str) -> bool:
        own = _words(chunk)
        spelling = self.spelling
        return spelling is not None and len(own) == 1 and (self.known.knows(own[0]) or spelling.nearest(own[0]) is not None)

    def state(self) -> State:
        children = {"known": self.known} if self.spelling is None else {"spelling": self.spelling}
        return State(children=children)

    @classmethod
    def of_state(cls, state: State) -> Layout:
        spelling = state.children.get("spelling")
        return cls(state.children["known"]) if spelling is None else cls(spelling.known, spelling)


def _words(chunk: str) -> list[str]:
    return words(pl.Series([chunk])).to_list()[0]
