"""Judges of relevance that are calibrated against people, and what their verdicts are worth.

For whoever can't have everything labelled by people: a language model labels, people label some, and each number says how far the labels may be trusted.
"""

from vitrina.judge.agreement import cohen_kappa, gwet_ac
from vitrina.judge.annotators import Annotators, annotators
from vitrina.judge.batch import Cost
from vitrina.judge.bias import Bias, probe
from vitrina.judge.calibration import Calibration, calibrate
from vitrina.judge.clusters import Estimate
from vitrina.judge.comparisons import Comparisons
from vitrina.judge.consensus import Consensus, CrowdKit, DawidSkene, Majority
from vitrina.judge.corrected import Corrected, corrected_difference, corrected_mean
from vitrina.judge.decision import Decision
from vitrina.judge.distil import Distilled, distil
from vitrina.judge.drift import Drift, drift
from vitrina.judge.gold import Gold
from vitrina.judge.judge import Judge
from vitrina.judge.judgements import Interrupted, Judgements
from vitrina.judge.labelling import NextLabels, next_labels
from vitrina.judge.prompt import Example, PairExample
from vitrina.judge.scale import Scale
from vitrina.judge.systems import system_order
from vitrina.judge.tune import Tried, Tuned, tune_prompt
from vitrina.judge.tune_judge import TunedJudge, tune_judge

__all__ = [
    "Annotators", "Bias", "Calibration", "Comparisons", "Consensus", "Corrected", "Cost", "CrowdKit", "DawidSkene", "Decision",
    "Distilled", "Drift", "Estimate", "Example", "Gold", "Interrupted", "Judge", "Judgements", "Majority", "NextLabels", "PairExample",
    "Scale", "Tried", "Tuned", "TunedJudge", "annotators", "calibrate", "cohen_kappa", "corrected_difference", "corrected_mean",
    "distil", "drift", "gwet_ac", "next_labels", "probe", "system_order", "tune_judge", "tune_prompt",
]  # fmt: skip
