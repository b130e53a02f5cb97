"""Metrics of ranked lists: one pass over the ids, float64, definitions fixed in the docstrings.

`Judged` holds lists beside what people took; a metric reads it and says of itself what it needs and which direction is good.
For whoever judges lists: `vitrina.evaluate`, the board, and metrics of one's own.
"""

from vitrina.metrics.info import MetricInfo
from vitrina.metrics.judged import Judged
from vitrina.metrics.names import DEFAULT_METRICS, known_names, metric

__all__ = ["DEFAULT_METRICS", "Judged", "MetricInfo", "known_names", "metric"]
