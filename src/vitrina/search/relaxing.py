"""Why a search found nothing, and what is found when something is given up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, final

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.protocols import Recommender
from vitrina.rerank.narrow import only
from vitrina.search.analysis import words
from vitrina.search.answering import Answered, answer_of
from vitrina.search.around import Around
from vitrina.search.known import KnownWords
from vitrina.types import Bool, Eligibility, Int32, Queries, Ragged, Recommendations
from vitrina.vocabulary import Vocabulary

Given = Literal["filter", "words", "any"]
FILTER, NOTHING = "the filter leaves none of what was found", "nothing was typed"
BARRED, TOGETHER = "what was found may not be shown", "no item has the words together"


class Attempt(NamedTuple):
    """One more way to ask: what was given up, and with what."""

    name: str
    source: Recommender
    eligible: Eligibility
    dropped: int = 0


@final
@dataclass(frozen=True, eq=False, repr=False)
class Relaxed(Around):
    """A source that says why it found nothing, and gives something up to find more: the filter of who asks, then the rarest words, then all but one of them.

    Lists that are not empty stay as they are. `answer` tells of the empty ones `why`, and of those that were filled `relaxed` ("filter", "words" or "any") and `without`, the
    words that were left out. What the shop forbids (`eligible`) is never given up.

    Args:
        source: any recommender that reads texts; one that wants all words (`index.lexical(match="all")`) gains most.
        known: says which words no item has, and which are rare. None: words are not dropped.
        any: a source that is content with any word, asked with the whole text at last; None: there is none.
        order: what is given up first.
        drops: how many words may go; one always stays.

    Cost: for the empty lists alone: one more list to see whether something was forbidden, and one for each thing that is given up, 4 to 5 together.
    """

    source: Recommender
    known: KnownWords | None = None
    any: Recommender | None = None
    order: tuple[Given, ...] = ("filter", "words", "any")
    drops: int = 2

    def __post_init__(self) -> None:
        wrong = set(self.order) - {"filter", "words", "any"}
        if wrong or len(set(self.order)) < len(self.order) or self.drops < 0:
            raise ParameterError(
                f"The 'order' of Relaxed is of 'filter', 'words' and 'any', each once, and 'drops' is 0 or more. Got {self.order!r} and {self.drops}.",
                owner="Relaxed",
            )

    def __repr__(self) -> str:
        return f"Relaxed({self.source!r})"

    def answer(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility(), chosen: Int32 | Ragged | None = None) -> Answered:
        """The lists, and why those were empty that were.

        Args:
            chosen: the items that keep the filters which the visitor has set, for all or a row per query; what may be given up.
        """
        narrow = eligible if chosen is None else only(eligible, chosen)
        answered = answer_of(self.source, queries, k, eligible=narrow)
        empty = _empty(answered.lists)
        why: list[str | None] = [None] * len(queries)
        relaxed, without = list(why), list(why)
        for q, reason in zip(np.flatnonzero(empty), self._reasons(queries, empty, k, eligible, chosen is not None), strict=True):
            why[q] = reason
        lists = answered.lists
        for attempt in self._attempts(eligible, narrow, chosen is not None):
            left = np.flatnonzero(_empty(lists) & np.array([reason not in (None, NOTHING) for reason in why], bool))
            texts, gone = self._texts(queries, left, attempt.dropped)
            asked = left[[text is not None for text in texts]]
            if not len(asked):
                continue
            own = replace(queries[asked], texts=pl.Series("text", [text for text in texts if text is not None], pl.String))
            more = attempt.source.recommend(own, k, eligible=attempt.eligible.take(asked))
            lists = _filled(lists, asked, more)
            for q, row in zip(asked, more.items, strict=True):
                if (row >= 0).any():
                    relaxed[q], without[q] = attempt.name, gone[q]
        said = {"why": why, "relaxed": relaxed, "without": without}
        return answered.with_lists(lists).beside(queries, pl.DataFrame(said, schema=dict.fromkeys(said, pl.String)))

    def _attempts(self, eligible: Eligibility, narrow: Eligibility, filtered: bool) -> Iterator[Attempt]:
        for name in self.order:
            if name == "filter" and filtered:
                yield Attempt(name, self.source, eligible)
            if name == "words" and self.known is not None:
                yield from (Attempt(name, self.source, narrow, dropped) for dropped in range(1, self.drops + 1))
            if name == "any" and self.any is not None:
                yield Attempt(name, self.any, narrow)

    def _reasons(self, queries: Queries, empty: Bool, k: int, eligible: Eligibility, filtered: bool) -> Iterator[str]:
        """Why each of the empty lists is."""
        at = np.flatnonzero(empty)
        if not len(at):
            return
        asked = queries[at]
        everything = self._found(asked, k, Eligibility(repeat=True))
        allowed = self._found(asked, k, eligible.take(at)) if filtered else np.zeros(len(at), bool)
        texts = [None] * len(at) if asked.texts is None else asked.texts.to_list()
        for text, any_item, within in zip(texts, everything, allowed, strict=True):
            if text is None or not text.strip():
                yield NOTHING
            elif any_item:
                yield FILTER if within else BARRED
            else:
                unknown = [word for word in _words(text) if self.known is not None and not self.known.knows(word)]
                named = ", ".join(repr(word) for word in unknown)
                yield f"no item has the word{'s' * (len(unknown) > 1)} {named}" if unknown else TOGETHER

    def _found(self, queries: Queries, k: int, eligible: Eligibility) -> Bool:
        return ~_empty(self.source.recommend(queries, k, eligible=eligible))

    def _texts(self, queries: Queries, left: np.ndarray, dropped: int) -> tuple[list[str | None], dict[int, str | None]]:
        """What is asked of each query that is left, None where nothing new can be; and the words that go."""
        texts, gone = [], {}
        for q in left:
            text = str(queries.texts[int(q)]) if queries.texts is not None else ""
            gone[int(q)] = None
            if dropped and self.known is not None:
                own = _words(text)
                out = set(sorted(range(len(own)), key=lambda at: (self._rarity(own[at]), at))[:dropped])
                texts.append(" ".join(word for at, word in enumerate(own) if at not in out) if dropped < len(own) else None)
                gone[int(q)] = " ".join(own[at] for at in sorted(out))
            else:
                texts.append(text)
        return texts, gone

    def _rarity(self, word: str) -> int:
        """How many texts have the word; stop words are not what is dropped first."""
        assert self.known is not None
        count = self.known.count(word)
        return count if count or not self.known.knows(word) else 1

    def state(self) -> State:
        children = {"source": self.source, "known": self.known, "any": self.any}
        return State(
            {"order": self.order, "drops": self.drops}, children={name: child for name, child in children.items() if child is not None}
        )

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Relaxed:
        parts = state.children
        return cls(parts["source"], parts.get("known"), parts.get("any"), tuple(state.config["order"]), int(state.config["drops"]))


def _empty(lists: Recommendations) -> Bool:
    return np.asarray((lists.items < 0).all(axis=1))


def _words(text: str) -> list[str]:
    return words(pl.Series([text])).to_list()[0]


def _filled(lists: Recommendations, rows: np.ndarray, more: Recommendations) -> Recommendations:
    """The lists with other ones at some rows."""
    width = max(lists.k, more.k)
    lists, more = lists.padded(width), more.padded(width)
    place = np.arange(len(lists))
    place[rows] = len(lists) + np.arange(len(rows))
    bare = set(lists.extra) != set(more.extra)
    both = [replace(part, extra={}, sources=("model",), labels=None) if bare else replace(part, labels=None) for part in (lists, more)]
    return replace(Recommendations.concat(both)[place], labels=lists.labels)
