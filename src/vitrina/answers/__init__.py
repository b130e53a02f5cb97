"""Answers that cite items: a graph of plain steps from a question to sentences with what they rest on, or to a refusal with its reason.

For whoever lets a shop, a help desk or a catalogue answer in sentences, and must know when it shouldn't.
"""

from vitrina.answers.answer import Answer
from vitrina.answers.answerer import GRAPH, Answerer
from vitrina.answers.context import Context, build_context
from vitrina.answers.enough import AtLeast, Coverage
from vitrina.answers.evidence import Claim, Evidence, Monitor, Passage
from vitrina.answers.graph import Graph, Step
from vitrina.answers.guards import Guards, PersonalData, Topics
from vitrina.answers.items import ItemTexts
from vitrina.answers.nouns import Citation, Cited, Extract, Sentence, Sufficiency, Turn, Verdict
from vitrina.answers.sufficiency.asking import Asker, Likely, Sampled
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
from vitrina.answers.trace import Trace
from vitrina.answers.write import Extraction, Select, Write
from vitrina.language.protocol import TokenModel, TopTokens

__all__ = [
    "GRAPH", "Answer", "Answerer", "Asker", "AtLeast", "Bounds", "Chances", "Citation", "Cited", "Claim", "ClaimGain", "ClaimInformation",
    "ClosedBook", "ConformalRisk", "Context", "Coverage", "ErrorRate", "Evidence", "EvidenceErased", "EvidenceGain", "Extract",
    "Extraction", "Graph", "Guards", "Heard", "Information", "ItemTexts", "Kept", "LexicalEntailment", "Likely", "ModelEntailment",
    "Monitor", "MonitorBoard", "Passage", "PersonalData", "Promise", "PublishedEvidenceGain", "RiskCoverage", "Sampled", "ScoreMargin",
    "Select", "SelfConsistency", "Sentence", "Signals", "Skeletons", "Step", "Sufficiency", "TokenModel", "TopScore", "TopTokens",
    "Topics", "Trace", "Turn", "Verdict", "Write", "bernoulli_kl", "bits_to_trust", "build_context", "claim_information",
    "compare_monitors", "information", "published_claim_information", "published_information", "risk_coverage", "risk_of_hallucination",
]  # fmt: skip
