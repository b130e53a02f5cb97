"""What is at hand when it is decided whether to answer: the question, what was found for it, and what an answer would claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vitrina.types import Float64


@dataclass(frozen=True)
class Passage:
    """A text that was found.

    Args:
        id: of the item it comes from; what an answer cites.
        text: what it says.
        score: of the search, a higher one is better; NaN where there is none.
    """

    id: str
    text: str
    score: float = float("nan")


@dataclass(frozen=True)
class Claim:
    """One sentence of an answer, and the ids of the passages that it rests on."""

    text: str
    cites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """A question with what was found for it.

    Args:
        question: as it was asked.
        passages: the best first.
        claims: of an answer that has been written; none where nothing has been yet.
    """

    question: str
    passages: tuple[Passage, ...] = ()
    claims: tuple[Claim, ...] = ()

    def cited(self, claim: Claim) -> tuple[Passage, ...]:
        """The passages that a claim rests on, in their order."""
        return tuple(passage for passage in self.passages if passage.id in claim.cites)


@runtime_checkable
class Monitor(Protocol):
    """Says of each question how much speaks for answering it. A score means something beside others of the same monitor only: which one is
    enough is settled on labelled answers (`ErrorRate`, `ConformalRisk`).
    """

    @property
    def name(self) -> str: ...  # what tables and pages call it

    def scores(
        self, asked: Sequence[Evidence]
    ) -> Float64: ...  # (questions,) a higher one speaks for an answer; -inf where nothing does, never NaN
