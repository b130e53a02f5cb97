"""From candidates to the list that is worth showing: candidate sources, features, rankers, two stages as one model, and the value of a session."""

from vitrina.ranking.calibration import Calibration, Isotonic, IsotonicCurve, Platt, PlattCurve
from vitrina.ranking.features.base import Features, FeatureSet
from vitrina.ranking.features.scores import SourceScores
from vitrina.ranking.pairs import Pairs, source_recall
from vitrina.ranking.sources import Source, Sources
from vitrina.ranking.value import SessionOrder, rank_session, session_value

__all__ = [
    "Calibration", "FeatureSet", "Features", "Isotonic", "IsotonicCurve", "Pairs", "Platt", "PlattCurve", "SessionOrder", "Source",
    "SourceScores", "Sources", "rank_session", "session_value", "source_recall",
]  # fmt: skip
