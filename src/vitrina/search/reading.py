"""What was typed, and what is searched for in its place: steps that rewrite a text and say what they changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, final, runtime_checkable
from unicodedata import normalize

import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.base.state import State
from vitrina.catalogue import Catalogue
from vitrina.protocols import Recommender
from vitrina.request import check_queries
from vitrina.search.answering import Answered, answer_of
from vitrina.search.around import Around
from vitrina.types import Eligibility, Queries
from vitrina.vocabulary import Vocabulary

AS_TYPED = "as_typed"  # of the context of queries: above 0 where somebody refuses what was changed
CHANGES = pl.List(pl.Struct({"step": pl.String, "before": pl.String, "after": pl.String}))


class Change(NamedTuple):
    """What one step put in the place of something."""

    step: str
    before: str
    after: str


class Reading(NamedTuple):
    """A text, and how it came about."""

    text: str
    changes: tuple[Change, ...] = ()

    @property
    def told(self) -> str | None:
        """A sentence for whoever typed; None where nothing was changed."""
        if not self.changes:
            return None
        return "searched for " + "; ".join(f"{change.after!r} in place of {change.before!r}" for change in self.changes)


@runtime_checkable
class Step(Protocol):
    """Reads a text. What it has nothing to say of stays to the letter."""

    def read(self, text: str) -> Reading: ...


@final
@dataclass(frozen=True, eq=False)
class Query:
    """Steps one after the other: what the first makes of a text is what the next one reads.

    The order that works: `Layout` (other steps need letters of the right alphabet), `Units`, `Spelling`, `Synonyms` (which are those of the right spelling).

    Args:
        steps: objects with `read(text)`, such as those above.

    >>> import vitrina as vt
    >>> query = vt.search.Query((vt.search.Units(), vt.search.Synonyms.of("тв, телевизор")))
    >>> query.read("тв 1,5 м").text
    'тв 1500мм телевизор'
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))
        wrong = next((step for step in self.steps if not callable(getattr(step, "read", None))), None)
        if wrong is not None:
            raise ParameterError(
                f"The 'steps' of a Query are objects with read(text), such as vt.search.Units(). Got {wrong!r}.", parameter="steps"
            )

    def read(self, text: str) -> Reading:
        """What is searched for, and all changes in the order in which they were made."""
        changes: list[Change] = []
        for step in self.steps:
            text, own = step.read(text)
            changes += own
        return Reading(text, tuple(changes))

    def before(self, source: Recommender) -> Understood:
        """The source, asked with what this makes of texts."""
        return Understood(source, self)

    def state(self) -> State:
        return State(children={f"step-{number}": step for number, step in enumerate(self.steps, 1)})

    @classmethod
    def of_state(cls, state: State) -> Query:
        return cls(tuple(state.children[f"step-{number}"] for number in range(1, len(state.children) + 1)))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Understood(Around):
    """A source that is asked with what a `Query` makes of what was typed.

    `answer` tells beside the lists what was changed. Whoever doesn't want that asks with `as_typed` above 0 in the context of the queries:
    `replace(queries, context=pl.DataFrame({"as_typed": [1]}))`.

    Args:
        source: any recommender that reads texts.
        query: the steps.
    """

    source: Recommender
    query: Query

    def __repr__(self) -> str:
        return f"Understood({self.source!r} after {', '.join(type(step).__name__ for step in self.query.steps)})"

    def answer(self, queries: Queries, k: int, *, eligible: Eligibility = Eligibility()) -> Answered:
        """The lists, and beside them `searched`, `changes` (step, before, after) and `told`, a sentence or null."""
        check_queries(queries)
        readings = self.readings(queries)
        texts = None if queries.texts is None else pl.Series("text", [reading.text if reading else None for reading in readings], pl.String)
        said = pl.DataFrame({
            "searched": pl.Series([reading.text if reading else None for reading in readings], dtype=pl.String),
            "changes": pl.Series([[change._asdict() for change in reading.changes] if reading else [] for reading in readings], dtype=CHANGES),
            "told": pl.Series([reading.told if reading else None for reading in readings], dtype=pl.String),
        })  # fmt: skip
        return answer_of(self.source, replace(queries, texts=texts), k, eligible=eligible).beside(queries, said)

    def readings(self, queries: Queries) -> list[Reading | None]:
        """What is searched for of each query; None where nothing was typed. Each distinct text is read once."""
        if queries.texts is None:
            return [None] * len(queries)
        texts, refused = queries.texts.to_list(), queries.setting(AS_TYPED, 0) > 0
        read = {text: self.query.read(text) for text in {t for t, no in zip(texts, refused, strict=True) if t is not None and not no}}
        return [None if text is None else Reading(text) if no else read[text] for text, no in zip(texts, refused, strict=True)]

    def state(self) -> State:
        return State(children={"source": self.source, "query": self.query})

    @classmethod
    def of_state(cls, state: State, vocabulary: Vocabulary, catalogue: Catalogue) -> Understood:
        return cls(state.children["source"], state.children["query"])


def plain(text: str, *, strip_end: bool = True) -> str:
    """A query as it is counted and looked up: NFKC, lower case, ё as е, one blank between words and none before the first.

    Args:
        strip_end: whether blanks at the end go as well; while somebody types, one says that the word is whole.

    >>> plain("  Тёплые   НОСКИ "), plain("тёплые ", strip_end=False)
    ('теплые носки', 'теплые ')
    """
    whole = normalize("NFKC", text).lower().replace("ё", "е")
    end = " " if not strip_end and whole[-1:].isspace() else ""
    return " ".join(whole.split()) + end


def series_of(texts: Sequence[str | None] | pl.Series, what: str) -> pl.Series:
    """Texts as a series of text.

    Raises:
        ParameterError: they are one text, and no list.
    """
    if isinstance(texts, str) or (not isinstance(texts, pl.Series) and not all(text is None or isinstance(text, str) for text in texts)):
        raise ParameterError(f"{what} are a list of texts. Got {texts!r}.")
    return pl.Series("text", texts, dtype=pl.String) if not isinstance(texts, pl.Series) else texts.cast(pl.String)
