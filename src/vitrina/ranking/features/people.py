"""What is known of the person who asks."""

from __future__ import annotations

from typing import final

import numpy as np

from vitrina.base.kernels import Spread
from vitrina.base.state import Arrays
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.forms.history import Baskets, moments
from vitrina.ranking.features.base import Columns, FeatureGroup, ratio
from vitrina.ranking.pairs import Pairs
from vitrina.ranking.sources import Sources
from vitrina.types import Float64, Queries


@final
class UserCounters(FeatureGroup):
    """Counters of each history, which begin with "person:".

    "events", "different items", "baskets" (what shares a time or a basket), "events per basket", "events per item"; with real times "days since
    the first event", "days since the last event", "days between baskets" (their mean); where events have values their "mean value". Days are counted to the moment of
    asking, or to the newest event where that isn't known. A history without events has counts of 0, and the rest is missing.

    Cost: the length of the histories.
    """

    def of_log(self, data: Dataset, sources: Sources) -> Arrays:
        return {"timed": np.array(data.time_unit == "us"), "valued": np.array(data.events.values is not None)}

    def compute(self, pairs: Pairs, learned: Arrays) -> Columns:
        queries = pairs.queries
        events, baskets = queries.lengths, Baskets.of(queries).counts
        items, values = np.zeros(len(queries), np.int64), np.zeros(len(queries))
        own = queries.events.values if queries.events.values is not None else np.empty(0, np.float32)
        _counted(len(queries), queries.events.items, own, queries.start, queries.stop, len(queries.vocabulary), items, values)
        numbers = {
            "events": events, "different items": items, "baskets": baskets,
            "events per basket": ratio(events, baskets), "events per item": ratio(events, items),
        }  # fmt: skip
        if learned["timed"]:
            oldest, newest = days_since(queries, queries.start), days_since(queries, queries.stop - 1)
            numbers |= {"days since the first event": oldest, "days since the last event": newest}
            numbers["days between baskets"] = ratio(oldest - newest, baskets - 1)
        if learned["valued"]:
            numbers["mean value"] = ratio(values, events if len(own) else np.zeros(len(queries)))
        return {f"person: {name}": number[pairs.rows] for name, number in numbers.items()}


def days_since(queries: Queries, at: np.ndarray) -> Float64:
    """(queries,) days from the event of each history that stands at a place of the log until the moment of asking; NaN where the history is empty."""
    now, times = moments(queries)
    if not len(times):
        return np.full(len(queries), np.nan)
    return np.where(queries.lengths > 0, (now - times[np.clip(at, 0, len(times) - 1)]) / DAY, np.nan)


@Spread
def _counted(first, last, items, values, start, stop, n_items, different, total):  # pragma: no cover
    """How many different items each history has, and the sum of its values."""
    seen = np.full(n_items, -1, np.int64)
    for q in range(first, last):
        for at in range(start[q], stop[q]):
            if seen[items[at]] != q:
                seen[items[at]] = q
                different[q] += 1
            if len(values):
                total[q] += values[at]
