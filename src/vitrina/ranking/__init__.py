"""From candidates to the list that is worth showing: candidate sources, features, rankers, two stages as one model, and the value of a session."""

from vitrina.ranking.calibration import Calibration, Isotonic, IsotonicCurve, Platt, PlattCurve
from vitrina.ranking.features.base import Features, FeatureSet
from vitrina.ranking.features.scores import SourceScores
from vitrina.ranking.pairs import Pairs, source_recall
from vitrina.ranking.sources import Source, Sources

__all__ = [
    "Calibration", "FeatureSet", "Features", "Isotonic", "IsotonicCurve", "Pairs", "Platt", "PlattCurve", "Source", "SourceScores", "Sources",
    "source_recall",
]  # fmt: skip
