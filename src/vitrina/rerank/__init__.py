"""Ranking again: other orders of the lists that a model gives, for who wants more variety, or anything else that no single score says.

`reranked` makes a model of a model and a re-ranker; `base` is what every re-ranker starts from; each re-ranker is a file of its own.
"""

from vitrina.rerank import rules, similarity
from vitrina.rerank.base import Candidates, Ordering, RerankerConfig
from vitrina.rerank.calibrated import Calibrated
from vitrina.rerank.dpp import DPP
from vitrina.rerank.mmr import MMR
from vitrina.rerank.reranked import Reranked, RerankedLists
from vitrina.rerank.smmr import SMMR
from vitrina.rerank.ssd import SSD
from vitrina.rerank.xquad import XQuAD

__all__ = [
    "DPP", "MMR", "SMMR", "SSD", "Calibrated", "Candidates", "Ordering", "Reranked", "RerankedLists", "RerankerConfig", "XQuAD", "rules",
    "similarity",
]  # fmt: skip
