"""Other words for the same thing, as somebody wrote them down."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, final

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.state import State
from vitrina.search.analysis import WORD, TextAnalysis
from vitrina.search.reading import Change, Reading

NAME = "synonyms"
ARROW = "=>"


class Rule(NamedTuple):
    """Phrases, and what is put for each: in its place, or behind the text."""

    phrases: tuple[str, ...]
    others: tuple[str, ...]
    instead: bool


@final
@dataclass(frozen=True, eq=False, repr=False)
class Synonyms:
    """Adds the other words of a group, or puts one word in the place of another.

    The format is that of Lucene and Solr: "тв, телевизор, television" is a group of which any word brings the others (they are added behind the text, for a source that
    wants any of the words), "ноут => ноутбук" puts the right side in the place of the left. A line may have a comment behind a #. Phrases are found by their stems, the longest first, and what a rule
    brought in isn't looked at again.

    Args:
        lines: the rules as text, a line each.
        analysis: how words become stems.

    Raises:
        DataError: a line is no rule; names it.

    >>> import vitrina as vt
    >>> synonyms = vt.search.Synonyms.of("тв, телевизор\\nноут => ноутбук")
    >>> synonyms.read("телевизор").text, synonyms.read("игровой ноут").text
    ('телевизор тв', 'игровой ноутбук')
    """

    lines: tuple[str, ...]
    analysis: TextAnalysis = field(default_factory=lambda: TextAnalysis(languages=("russian", "english")))

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", tuple(self.lines))
        self._rules  # noqa: B018  a wrong line is refused now

    def __repr__(self) -> str:
        return f"Synonyms({len(self._rules):,} rules)"

    @classmethod
    def of(cls, text: str, analysis: TextAnalysis | None = None) -> Synonyms:
        """Of rules as one text.

        Raises:
            ParameterError: it is no text.
        """
        if not isinstance(text, str):
            raise ParameterError(
                f"The rules of Synonyms.of are one text, a rule per line: 'tv, television'. Got {text!r}.", owner="Synonyms"
            )
        return cls(tuple(text.splitlines())) if analysis is None else cls(tuple(text.splitlines()), analysis)

    @classmethod
    def read_file(cls, path: str | Path, analysis: TextAnalysis | None = None) -> Synonyms:
        """Of a file of rules, in UTF-8.

        Raises:
            DataError: there is no such file, or a line is no rule.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"The synonyms in {path} can't be read: {error}. They are a text file in UTF-8 with a rule per line."
            ) from error
        return cls.of(text, analysis)

    @cached_property
    def _rules(self) -> list[Rule]:
        return [rule for number, line in enumerate(self.lines, 1) for rule in _rule_of(line, number)]

    @cached_property
    def _by_terms(self) -> dict[tuple[str, ...], Rule]:
        found: dict[tuple[str, ...], Rule] = {}
        for rule in self._rules:
            for phrase in rule.phrases:
                found.setdefault(self._terms(phrase), rule)
        return found

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._by_terms), default=0)

    def _terms(self, text: str) -> tuple[str, ...]:
        """A term per word, stop words too, so that phrases keep their length."""
        plain = TextAnalysis(languages=(), stop_words=()).terms(text)
        return tuple(self.analysis.stems(plain))

    def read(self, text: str) -> Reading:
        """The text with what the rules bring."""
        found, terms = list(re.finditer(WORD, text)), self._terms(text)
        if len(found) != len(terms):  # a character that becomes several: the text is cut otherwise after it
            return Reading(text)
        out, added, changes, after, at = [], [], [], 0, 0
        while at < len(terms):
            size, rule = self._longest_at(terms, at)
            if rule is None:
                at += 1
                continue
            start, stop = found[at].start(), found[at + size - 1].end()
            here = terms[at : at + size]
            others = [other for other in rule.others if self._terms(other) != here or rule.instead]
            if rule.instead:
                out += [text[after:start], ", ".join(others) if len(others) > 1 else others[0]]
                after = stop
                changes.append(Change(NAME, text[start:stop], " ".join(others)))
            else:
                new = [other for other in others if not _within(self._terms(other), terms) and other not in added]
                added += new
                changes += [Change(NAME, text[start:stop], f"{text[start:stop]} {' '.join(new)}")] if new else []
            at += size
        return Reading(" ".join(["".join([*out, text[after:]]), *added]), tuple(changes))

    def _longest_at(self, terms: tuple[str, ...], at: int) -> tuple[int, Rule | None]:
        for size in range(min(self._longest, len(terms) - at), 0, -1):
            rule = self._by_terms.get(terms[at : at + size])
            if rule is not None:
                return size, rule
        return 0, None

    def state(self) -> State:
        return State({"lines": self.lines, "analysis": self.analysis})

    @classmethod
    def of_state(cls, state: State) -> Synonyms:
        return cls(tuple(state.config["lines"]), state.config["analysis"])


def _within(phrase: tuple[str, ...], terms: tuple[str, ...]) -> bool:
    return any(terms[at : at + len(phrase)] == phrase for at in range(len(terms) - len(phrase) + 1))


def _rule_of(line: str, number: int) -> Iterable[Rule]:
    body = line.partition("#")[0].strip()
    if not body:
        return
    left, arrow, right = body.partition(ARROW)
    phrases, others = ([part.strip() for part in side.split(",")] for side in (left, right))
    whole = [*phrases, *others] if arrow else phrases
    if any(not re.search(WORD, part) for part in whole) or ARROW in right or (not arrow and len(phrases) < 2):
        raise DataError(
            f"Line {number} of the synonyms is no rule: {line.strip()!r}. Write a group, 'tv, television', or what to put for what, 'telly => television'."
        )
    yield Rule(tuple(phrases), tuple(others if arrow else phrases), bool(arrow))
