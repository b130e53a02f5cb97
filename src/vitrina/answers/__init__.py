"""Answers that cite items: a graph of plain steps from a question to sentences with what they rest on, or to a refusal with its reason.

For whoever lets a shop, a help desk or a catalogue answer in sentences, and must know when it shouldn't.
"""

from vitrina.answers.evidence import Claim, Evidence, Monitor, Passage
from vitrina.answers.nouns import Citation, Cited, Extract, Sentence, Sufficiency, Turn, Verdict
from vitrina.answers.sufficiency.asking import Asker, Likely, Sampled, TokenModel, TopTokens
from vitrina.answers.sufficiency.claims import Bounds, ClaimInformation, Heard, claim_information, published_claim_information
from vitrina.answers.sufficiency.coverage import MonitorBoard, RiskCoverage, compare_monitors, risk_coverage
from vitrina.answers.sufficiency.information import (
    Chances,
    Information,
    Signals,
    bernoulli_kl,
    bits_to_trust,
    information,
    published_information,
    risk_of_hallucination,
)
from vitrina.answers.sufficiency.monitors import ClaimGain, EvidenceGain, PublishedEvidenceGain
from vitrina.answers.sufficiency.plain import LexicalEntailment, ModelEntailment, ScoreMargin, SelfConsistency, TopScore
from vitrina.answers.sufficiency.promise import ConformalRisk, ErrorRate, Kept, Promise
from vitrina.answers.sufficiency.skeletons import ClosedBook, EvidenceErased, Skeletons

__all__ = [
    "Asker", "Bounds", "Chances", "Citation", "Cited", "Claim", "ClaimGain", "ClaimInformation", "ClosedBook", "ConformalRisk",
    "ErrorRate", "Evidence", "EvidenceErased", "EvidenceGain", "Extract", "Heard", "Information", "Kept", "LexicalEntailment", "Likely",
    "ModelEntailment", "Monitor", "MonitorBoard", "Passage", "Promise", "PublishedEvidenceGain", "RiskCoverage", "Sampled", "ScoreMargin",
    "SelfConsistency", "Sentence", "Signals", "Skeletons", "Sufficiency", "TokenModel", "TopScore", "TopTokens", "Turn", "Verdict",
    "bernoulli_kl", "bits_to_trust", "claim_information", "compare_monitors", "information", "published_claim_information",
    "published_information", "risk_coverage", "risk_of_hallucination",
]  # fmt: skip
