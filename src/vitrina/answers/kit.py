"""What the steps work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vitrina.answers.guards import Guards
from vitrina.answers.items import ItemTexts
from vitrina.answers.nouns import Code, Draft, Drafted, Enough, Handing, NotEnough, Refusal, Sentence, Sufficiency, Unclear
from vitrina.language.protocol import LanguageModel
from vitrina.protocols import Recommender


@runtime_checkable
class Style(Protocol):
    """How an answer is made of what was found, and what each of its sentences is held to: `Extraction`, `Select`, `Write`."""

    def draft(self, enough: Enough, kit: Kit) -> Draft | NotEnough | Unclear | Refusal | Handing: ...

    def faults(
        self, sentences: tuple[Drafted, ...], cited: tuple[tuple[Sentence, ...], ...], kit: Kit
    ) -> list[str]: ...  # "" for each that may stand


@dataclass(frozen=True)
class Kit:
    """What the steps work with; one of its own for each answer, as it counts the calls of the model."""

    search: Recommender
    items: ItemTexts
    model: LanguageModel | None
    style: Style
    extraction: Style  # without a model, and where the model fails
    sufficiency: Sufficiency
    guards: Guards
    instructions: str
    examples: tuple[tuple[str, str], ...]
    hand_over: Callable[[Handing], str] | None
    hand_over_on: frozenset[Code]
    k: int
    rounds: int
    budget: int
