"""Recommendations for a whole clientele, written as they are made: in this process, or as a job over parts by workers that goes on after a kill."""

from vitrina.batch.aligned import aligned
from vitrina.batch.recommend import check_ending, recommend_to

__all__ = ["aligned", "check_ending", "recommend_to"]
