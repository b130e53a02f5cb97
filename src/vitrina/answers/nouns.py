"""What the steps of an answer hand to each other: small frozen records, from the question to the cited answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from vitrina.answers.evidence import Evidence, Passage
from vitrina.types import Eligibility

ItemId: TypeAlias = str | int
Status: TypeAlias = Literal["answered", "refused", "asked", "handed over"]
Code: TypeAlias = Literal[
    "empty", "blocked", "off topic", "nothing found", "not enough", "not said", "unclear", "not verified", "person wanted", "too many steps", ""
]  # fmt: skip


@dataclass(frozen=True)
class Turn:
    """One turn of the conversation before the question. A question back has the status "asked", so that nobody is asked twice in a row."""

    role: Literal["person", "answer"]
    text: str
    status: Status = "answered"


@dataclass(frozen=True)
class Sentence:
    """A sentence of an item's text: `ref` is what it is called in the context ("2.3" is the third sentence of the second item)."""

    ref: str
    item: ItemId
    column: str
    text: str


@dataclass(frozen=True)
class Extract:
    """What was found of one item: sentences as they stand in its columns. `withheld` counts those that a guard kept back."""

    item: ItemId
    title: str
    sentences: tuple[Sentence, ...]
    score: float
    withheld: int = 0

    @property
    def passage(self) -> Passage:
        """The same for a monitor."""
        return Passage(str(self.item), " ".join(sentence.text for sentence in self.sentences), self.score)


@dataclass(frozen=True)
class Verdict:
    """Whether passages suffice for an answer.

    Args:
        enough: whether to answer.
        reason: in a sentence, where they don't.
        score: what was compared with a threshold; None where nothing was.
        numbers: whatever else was measured, for the trace.
    """

    enough: bool
    reason: str = ""
    score: float | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Sufficiency(Protocol):
    """Says whether what was found suffices to answer at all: `Coverage` by words, `AtLeast` by any monitor and a threshold."""

    def check(self, evidence: Evidence) -> Verdict: ...


@dataclass(frozen=True)
class Asked:
    """The question, with who asks (a history of item ids and what is known of the person) and what was said before."""

    question: str
    history: tuple[ItemId, ...] = ()
    conversation: tuple[Turn, ...] = ()
    person: Mapping[str, Any] = field(default_factory=dict)
    eligible: Eligibility = field(default_factory=lambda: Eligibility(repeat=True))


@dataclass(frozen=True)
class Understood:
    """What to look for: the parts of the question, and the texts to search for. `round` counts how often it was looked for before."""

    asked: Asked
    question: str  # without what guards took out; as a model rewrote it
    parts: tuple[str, ...]
    searches: tuple[str, ...]  # in the first round the parts, with the subject
    language: str
    subject: str = ""  # words of the conversation that the question leans on
    round: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """What all searches found together, best item first."""

    understood: Understood
    extracts: tuple[Extract, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Enough:
    """What was found suffices for these parts of the question, as far as `verdict` can tell; `unanswered` are the others."""

    found: Found
    verdict: Verdict
    parts: tuple[str, ...]
    unanswered: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotEnough:
    """What was found doesn't suffice; `searches` is what a model would look for next."""

    found: Found
    verdict: Verdict
    searches: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drafted:
    """A sentence as it was chosen or written: the refs that it cites, and the words that it says to quote from them."""

    text: str
    refs: tuple[str, ...]
    quotes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """Sentences before anybody has verified them."""

    found: Found
    sentences: tuple[Drafted, ...]
    by: str  # who chose or wrote them: the name of a model, or "extraction"
    parts: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unclear:
    """The question can be read in several ways; `options` are items between which the person may choose."""

    understood: Understood
    options: tuple[tuple[ItemId, str], ...] = ()  # id, title


@dataclass(frozen=True)
class Refusal:
    """There will be no answer; `code` is why."""

    asked: Asked
    code: Code
    language: str = "en"
    detail: str = ""


@dataclass(frozen=True)
class Handing:
    """A person should answer; `code` is why."""

    asked: Asked
    code: Code
    language: str = "en"
    detail: str = ""


@dataclass(frozen=True)
class Citation:
    """What a sentence rests on: the item, and the words of it."""

    item: ItemId
    title: str
    column: str
    quote: str


@dataclass(frozen=True)
class Cited:
    """A sentence of the answer with what it rests on; never without."""

    text: str
    citations: tuple[Citation, ...]
