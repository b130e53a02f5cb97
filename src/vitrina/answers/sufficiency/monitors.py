"""Monitors that ask a model: what the evidence tells of the decision to answer, and of each claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import numpy as np
from pydantic import Field

from vitrina.answers.evidence import Claim, Evidence
from vitrina.answers.sufficiency.asking import REMOVED, Asked, Asker, Decision, Verdict, decision_prompt, entailment_prompt
from vitrina.answers.sufficiency.claims import ClaimInformation, claim_information, unheard
from vitrina.answers.sufficiency.information import Chances, Information, Signals, information, published_information
from vitrina.answers.sufficiency.skeletons import EvidenceErased, Skeletons
from vitrina.base.config import Config
from vitrina.types import Float64


@final
class EvidenceGain(Config):
    """By how much the evidence makes the model willing to answer, over how much is needed for an error rate: `information`, asked of a model.

    The score is the ratio (ISR): 1 is what the theory asks for, and a threshold of labelled answers what can be promised. It is what the model *wants*, and a model
    that is wrong with confidence has a high one.

    Args:
        asker: `Sampled` of a language model, or `Likely` of one that tells log-probabilities.
        skeletons: how the evidence is weakened.
        error_rate: that the need is reckoned for.

    Cost: (1 + skeletons) x calls of the asker per question.
    """

    asker: Asker
    skeletons: Skeletons = EvidenceErased()
    error_rate: float = Field(default=0.05, gt=0, lt=1)

    @property
    def name(self) -> str:
        return "evidence gain"

    @property
    def calls(self) -> int:
        """Of the model, per question."""
        return self.asker.calls * (1 + self.skeletons.count)

    def looks(self, asked: Sequence[Evidence]) -> list[Information]:
        """All numbers of each question."""
        return [self._look(one) for one in asked]

    def scores(self, asked: Sequence[Evidence]) -> Float64:
        """(questions,) the ratio."""
        return np.array([look.ratio for look in self.looks(asked)], np.float64)

    def _look(self, evidence: Evidence) -> Information:
        full, weakened = _decided(self.asker, self.skeletons, evidence)
        chances = Chances(full.chances["answer"].low, tuple(one.chances["answer"].high for one in weakened))
        return information(chances, error_rate=self.error_rate)


@final
class PublishedEvidenceGain(Config):
    """The same by the published form, whose verdict one skeleton or a firm refusal can turn (`published_information`): to be compared with.

    Args:
        asker: `Sampled`, or `Likely`, for which the event is the label that the model gave.
        skeletons: how the evidence is weakened.
        error_rate: that the need is reckoned for.
        clip: what one skeleton says at most, in nats.
    """

    asker: Asker
    skeletons: Skeletons = EvidenceErased()
    error_rate: float = Field(default=0.05, gt=0, lt=1)
    clip: float = Field(default=12.0, gt=0)

    @property
    def name(self) -> str:
        return "evidence gain, published form"

    @property
    def calls(self) -> int:
        """Of the model, per question."""
        return self.asker.calls * (1 + self.skeletons.count)

    def looks(self, asked: Sequence[Evidence]) -> list[Information]:
        """All numbers of each question."""
        return [self._look(one) for one in asked]

    def scores(self, asked: Sequence[Evidence]) -> Float64:
        """(questions,) the ratio."""
        return np.array([look.ratio for look in self.looks(asked)], np.float64)

    def _look(self, evidence: Evidence) -> Information:
        full, weakened = _decided(self.asker, self.skeletons, evidence)
        event = (full.samples or (full.heard.said,))[0]
        signals = Signals(
            "answer" if event == "answer" else "refuse", full.shares[event], tuple(one.shares[event] for one in weakened),
            tuple(one.shares["answer"] for one in weakened), 1 / (len(full.samples) + 2) if full.samples else 0.0,
        )  # fmt: skip
        return published_information(signals, error_rate=self.error_rate, clip=self.clip)


@final
class ClaimGain(Config):
    """What the cited passages tell of each claim of a written answer: `claim_information`, asked of a model.

    The score is the surplus of the weakest claim: what was observed above what the target requires. A claim without citations, with unknown ones or with empty passages can't
    pass, and no model is asked about it; an answer without claims scores -inf.

    Args:
        asker: a verifier; with few samples of it no claim can reach a high target, as its bounds are wide.
        target: the chance of YES that is asked for.
        least_gain: in log odds.

    Cost: 2 x calls of the asker per claim.
    """

    asker: Asker
    target: float = Field(default=0.95, gt=0, lt=1)
    least_gain: float = 0.0

    @property
    def name(self) -> str:
        return "claim gain"

    def looks(self, asked: Sequence[Evidence]) -> list[list[ClaimInformation]]:
        """All numbers of each claim of each question."""
        return [[self._look(one, claim) for claim in one.claims] for one in asked]

    def scores(self, asked: Sequence[Evidence]) -> Float64:
        """(questions,) the surplus of the weakest claim."""
        return np.array([min((claim.surplus for claim in look), default=-np.inf) for look in self.looks(asked)], np.float64)

    def _look(self, evidence: Evidence, claim: Claim) -> ClaimInformation:
        cited = evidence.cited(claim)
        if not claim.cites:
            return unheard("missing_citations")
        if len({passage.id for passage in cited}) < len(set(claim.cites)):
            return unheard("unknown_citations")
        if not any(passage.text.strip() for passage in cited):
            return unheard("empty_context")
        removed = [replace(passage, text=REMOVED) for passage in cited]
        prior, posterior = (self.asker.ask(entailment_prompt(claim.text, shown), Verdict).heard for shown in (removed, cited))
        return claim_information(prior, posterior, target=self.target, least_gain=self.least_gain)


def _decided(asker: Asker, skeletons: Skeletons, evidence: Evidence) -> tuple[Asked, list[Asked]]:
    """The decisions with all evidence, and by each skeleton."""
    full = asker.ask(decision_prompt(skeletons.whole(evidence)), Decision)
    weakened = [asker.ask(decision_prompt(one, f"variant {at}"), Decision) for at, one in enumerate(skeletons.weakened(evidence), 1)]
    return full, weakened
