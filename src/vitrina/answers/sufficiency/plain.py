"""Monitors without information theory: what the search says, whether samples agree, whether what was found holds what is claimed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import final

import numpy as np
from pydantic import BaseModel, Field

from vitrina.answers.evidence import Evidence, Passage
from vitrina.answers.sufficiency.asking import QUOTED, Asker, Verdict, entailment_prompt, numbered, passages_of
from vitrina.answers.sufficiency.words import content_words, share_covered
from vitrina.base.config import Config
from vitrina.base.errors import DataError
from vitrina.language.protocol import LanguageModel, Message
from vitrina.types import Float64


@final
class TopScore(Config):
    """The score of the best passage; -inf where nothing was found. BM25 has no scale, so that a threshold holds for one index only.

    >>> from vitrina.answers import Evidence, Passage
    >>> TopScore().scores([Evidence("red lamp", (Passage("a", "a red lamp", 7.5), Passage("b", "a lamp", 4.0))), Evidence("tea")]).tolist()
    [7.5, -inf]
    """

    @property
    def name(self) -> str:
        return "top score"

    def scores(self, asked: Sequence[Evidence]) -> Float64:
        """(questions,) the largest score.

        Raises:
            DataError: a passage has no score.
        """
        return np.array([max(_scored(one), default=-np.inf) for one in asked], np.float64)


@final
class ScoreMargin(Config):
    """By how much the best passage leads the one at a place below it; -inf where nothing was found.

    Args:
        place: of the other passage, from 2. Where fewer were found, the best leads 0.

    >>> from vitrina.answers import Evidence, Passage
    >>> ScoreMargin().scores([Evidence("red lamp", (Passage("a", "a red lamp", 7.5), Passage("b", "a lamp", 4.0)))]).tolist()
    [3.5]
    """

    place: int = Field(default=2, ge=2)

    @property
    def name(self) -> str:
        return "score margin"

    def scores(self, asked: Sequence[Evidence]) -> Float64:
        """(questions,) the lead.

        Raises:
            DataError: a passage has no score.
        """
        return np.array([self._margin(sorted(_scored(one), reverse=True)) for one in asked], np.float64)

    def _margin(self, scores: list[float]) -> float:
        if not scores:
            return -np.inf
        return scores[0] - (scores[self.place - 1] if len(scores) >= self.place else 0.0)


class ShortAnswer(BaseModel):
    """The answer in a few words; absent where the passages don't have it."""

    answer: str | None = None


@final
class SelfConsistency(Config):
    """The share of samples that give the most frequent answer. [Wang et al. 2022](https://arxiv.org/abs/2203.11171)'s vote, read as confidence.

    Answers agree when their words without stop words do, in whatever order. A sample without an answer agrees with none. What a model repeats is not
    therefore right.

    Args:
        model: any language model that samples.
        samples: per question.

    Cost: `samples` calls per question.
    """

    model: LanguageModel
    samples: int = Field(default=7, ge=2)

    @property
    def name(self) -> str:
        return "self-consistency"

    @property
    def calls(self) -> int:
        """Of the model, per question."""
        return self.samples

    def scores(self, asked: Sequence[Evidence]) -> Float64:
        """(questions,) shares."""
        return np.array([self._agreed(one) for one in asked], np.float64)

    def _agreed(self, evidence: Evidence) -> float:
        prompt = [Message("system", f"Answer in a few words, by the passages alone. Leave the answer out where they don't have it. {QUOTED}"),
                  Message("user", f"{passages_of(evidence.passages)}\n\nQuestion: {evidence.question}".strip())]  # fmt: skip
        said = (self.model.complete(numbered(prompt, at), ShortAnswer).value.answer for at in range(1, self.samples + 1))
        votes = Counter(frozenset(words) for one in said if one and (words := content_words(one)))
        return max(votes.values(), default=0) / self.samples


@final
class LexicalEntailment(Config):
    """The share of the words of the weakest claim that stand in the passages it cites; of the question's words in all passages, where nothing is claimed yet.

    It sees no negation and no synonym: a cheap floor for what a model should do better.

    >>> from vitrina.answers import Claim, Evidence, Passage
    >>> found = (Passage("a", "The lamp is red."),)
    >>> LexicalEntailment().scores([Evidence("What colour?", found, (Claim("The lamp is red", ("a",)), Claim("It is cheap", ("a",))))]).tolist()
    [0.0]
    """

    @property
    def name(self) -> str:
        return "lexical entailment"

    def scores(self, asked: Sequence[Evidence]) -> Float64:
        """(questions,) shares."""
        return np.array([min(share_covered(content_words(text), texts) for text, texts in _held(one)) for one in asked], np.float64)


@final
class ModelEntailment(Config):
    """How likely the weakest claim follows from the passages it cites, by a model: the share of YES. Where nothing is claimed yet, it is asked whether the passages
    answer the question, as in [Joren et al. 2024](https://arxiv.org/abs/2411.06037).

    Args:
        asker: `Sampled`, or `Likely`.

    Cost: calls of the asker per claim.
    """

    asker: Asker

    @property
    def name(self) -> str:
        return "model entailment"

    def scores(self, asked: Sequence[Evidence]) -> Float64:
        """(questions,) shares."""
        return np.array([min(self._share(one, at) for at in range(max(len(one.claims), 1))) for one in asked], np.float64)

    def _share(self, evidence: Evidence, at: int) -> float:
        if evidence.claims:
            claim = evidence.claims[at]
            text, passages = claim.text, evidence.cited(claim)
        else:
            text, passages = f"The passages answer the question {evidence.question!r}.", evidence.passages
        return self.asker.ask(entailment_prompt(text, passages), Verdict).shares["YES"] if passages else 0.0


def _held(evidence: Evidence) -> list[tuple[str, list[str]]]:
    """Each text that should be covered, with the texts that should cover it."""
    if not evidence.claims:
        return [(evidence.question, _texts(evidence.passages))]
    return [(claim.text, _texts(evidence.cited(claim))) for claim in evidence.claims]


def _texts(passages: Sequence[Passage]) -> list[str]:
    return [passage.text for passage in passages]


def _scored(evidence: Evidence) -> list[float]:
    scores = [passage.score for passage in evidence.passages]
    missing = next((passage.id for passage in evidence.passages if np.isnan(passage.score)), None)
    if missing is not None:
        raise DataError(f"The score of the search is needed of each passage. {missing!r} has none: give Passage(id, text, score).")
    return scores
