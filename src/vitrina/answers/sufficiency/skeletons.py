"""Questions whose evidence is weakened, to see what it told."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, final, runtime_checkable

import numpy as np
from pydantic import Field

from vitrina.answers.evidence import Evidence
from vitrina.base.config import Config

MASK = "[…]"
NAMES = r"\b[A-ZА-ЯЁ][a-zа-яё]+(?:\s+[A-ZА-ЯЁ][a-zа-яё]+)+\b"
MASKED = tuple(re.compile(pattern) for pattern in (r"([“\"'«])(.+?)[”\"'»]", NAMES, r"\b\d+(?:[.,]\d+)*\b"))


@runtime_checkable
class Skeletons(Protocol):
    """Ways to weaken a question. A law: the same question gives the same skeletons."""

    @property
    def count(self) -> int: ...

    def whole(self, evidence: Evidence) -> Evidence: ...  # what the skeletons are compared with

    def weakened(self, evidence: Evidence) -> list[Evidence]: ...  # `count` of them


@final
class EvidenceErased(Config):
    """The passages are there in number and place, and their texts erased; each skeleton has them in another order.

    Args:
        count: of skeletons.
        seed: of the orders.

    >>> from vitrina.answers import Evidence, Passage
    >>> EvidenceErased(count=2).weakened(Evidence("How loud?", (Passage("a", "40 dB"),)))[0].passages[0].text
    '[…]'
    """

    count: int = Field(default=6, ge=2)
    seed: int = Field(default=0, ge=0)

    def whole(self, evidence: Evidence) -> Evidence:
        """The question as it is."""
        return evidence

    def weakened(self, evidence: Evidence) -> list[Evidence]:
        """The question with nothing in its passages."""
        erased = [replace(passage, text=MASK) for passage in evidence.passages]
        rng = np.random.default_rng(self.seed)
        return [replace(evidence, passages=tuple(erased[at] for at in rng.permutation(len(erased)))) for _ in range(self.count)]


@final
class ClosedBook(Config):
    """No passages at all, and names, numbers and quotations of the question masked, each with the chance of the skeleton's level: it asks what the model
    knows by itself. A question that has none of them stays as it is, and its gain is about 0.

    Args:
        levels: the chance of a mask in each skeleton.
        seed: of the draws.

    >>> ClosedBook(levels=(0.5, 1.0)).weakened(Evidence("How tall is Ada Long in 2020?"))[1].question
    'How tall is […] in […]?'
    """

    levels: tuple[float, ...] = Field(default=(0.25, 0.35, 0.5, 0.65, 0.8, 0.9), min_length=2)
    seed: int = Field(default=0, ge=0)

    @property
    def count(self) -> int:
        return len(self.levels)

    def whole(self, evidence: Evidence) -> Evidence:
        """The question without what was found for it."""
        return replace(evidence, passages=())

    def weakened(self, evidence: Evidence) -> list[Evidence]:
        """The question with masks."""
        return [
            replace(evidence, question=masked(evidence.question, _coin(level, self.seed, at)), passages=())
            for at, level in enumerate(self.levels)
        ]


def masked(text: str, hides: Callable[[], bool]) -> str:
    """The text with a mask for each quotation, name of several words and number that is to be hidden."""
    for pattern in MASKED:
        text = pattern.sub(lambda found: MASK if hides() else found.group(0), text)
    return text


def _coin(level: float, seed: int, at: int) -> Callable[[], bool]:
    rng = np.random.default_rng([seed, at])
    return lambda: bool(rng.random() < level)
