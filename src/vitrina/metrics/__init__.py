"""Metrics of ranked lists: one pass over the ids, float64, definitions fixed in the docstrings."""

from vitrina.metrics.judged import Judged
from vitrina.metrics.names import DEFAULT_METRICS, known_names, metric

__all__ = ["DEFAULT_METRICS", "Judged", "known_names", "metric"]
