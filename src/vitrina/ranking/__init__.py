"""From candidates to the list that is worth showing: candidate sources, features, rankers, two stages as one model, and the value of a session."""

from vitrina.ranking.calibration import Calibration, Isotonic, IsotonicCurve, Platt, PlattCurve
from vitrina.ranking.features.base import Features, FeatureSet
from vitrina.ranking.features.scores import SourceScores
from vitrina.ranking.monitor import Promises, Reliability, promises, reliability
from vitrina.ranking.online import OnlinePlatt, OnlinePlattCurves
from vitrina.ranking.pairs import Pairs, source_recall
from vitrina.ranking.sources import Source, Sources
from vitrina.ranking.value import SessionOrder, rank_session, session_value

__all__ = [
    "Calibration", "FeatureSet", "Features", "Isotonic", "IsotonicCurve", "OnlinePlatt", "OnlinePlattCurves", "Pairs", "Platt",
    "PlattCurve", "Promises", "Reliability", "SessionOrder", "Source", "SourceScores", "Sources", "promises", "rank_session",
    "reliability", "session_value", "source_recall",
]  # fmt: skip
