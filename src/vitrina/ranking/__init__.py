"""From candidates to the list that is worth showing: candidate sources, features, rankers, two stages as one model, and the value of a session."""

from vitrina.ranking.calibration import Calibration, Isotonic, IsotonicCurve, Platt, PlattCurve
from vitrina.ranking.features.affinity import Affinity
from vitrina.ranking.features.base import FeatureGroup, FeatureSet
from vitrina.ranking.features.crosses import Crosses
from vitrina.ranking.features.drift import drift, statistics
from vitrina.ranking.features.items import ItemCounters
from vitrina.ranking.features.own import UserItemCounters
from vitrina.ranking.features.people import UserCounters
from vitrina.ranking.features.relations import Relations
from vitrina.ranking.features.scores import SourceScores
from vitrina.ranking.features.standard import standard
from vitrina.ranking.features.trends import Trends
from vitrina.ranking.heads import Head
from vitrina.ranking.lambdarank import LambdaRank, TreeRanker
from vitrina.ranking.logistic import FittedLogistic, Logistic
from vitrina.ranking.monitor import Promises, Reliability, promises, reliability
from vitrina.ranking.offers import Offers
from vitrina.ranking.online import OnlinePlatt, OnlinePlattCurves
from vitrina.ranking.pairs import Pairs, source_recall
from vitrina.ranking.ranked import RankedLists
from vitrina.ranking.ranker import Examples, FittedRanker, Ranker
from vitrina.ranking.session_rerank import SessionValue
from vitrina.ranking.sessions import FittedSessionModel, SessionLog, SessionModel
from vitrina.ranking.simulate import SessionWorld
from vitrina.ranking.sources import Source, Sources
from vitrina.ranking.value import SessionOrder, rank_session, session_value

__all__ = [
    "Affinity", "Calibration", "Crosses", "Examples", "FeatureGroup", "FeatureSet", "FittedLogistic", "FittedRanker", "FittedSessionModel",
    "Head", "Isotonic", "IsotonicCurve", "ItemCounters", "LambdaRank", "Logistic", "Offers", "OnlinePlatt", "OnlinePlattCurves", "Pairs",
    "Platt", "PlattCurve", "Promises", "RankedLists", "Ranker", "Relations", "Reliability", "SessionLog", "SessionModel", "SessionOrder",
    "SessionValue", "SessionWorld", "Source", "SourceScores", "Sources", "TreeRanker", "Trends", "UserCounters", "UserItemCounters",
    "drift", "promises", "rank_session", "reliability", "session_value", "source_recall", "standard", "statistics",
]  # fmt: skip
