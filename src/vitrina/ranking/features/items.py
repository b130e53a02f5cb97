"""What is known of the candidate: counters of the log that the sources were fitted on."""

from __future__ import annotations

from typing import final

import numpy as np

from vitrina.base.state import Arrays
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.forms.history import moments
from vitrina.ranking.features.base import Columns, FeatureGroup, ratio
from vitrina.ranking.pairs import Pairs
from vitrina.ranking.sources import Sources
from vitrina.types import Float64


@final
class ItemCounters(FeatureGroup):
    """Counters of each item in the log that the sources were fitted on, which begin with "item:".

    "share of all events", "share of all people" (shares, and not counts, so that they mean the same when the log has grown), "place by people" from 1,
    "events per person", "share who took it again" of those who took it; with real times "days since its first event" and
    "days since its last event", to the moment of asking; where events have values their "mean value".
    An item that nobody has taken has shares of 0, and the rest is missing.

    Cost: one pass over the log; 4 bytes x items a counter.
    """

    def of_log(self, data: Dataset, sources: Sources) -> Arrays:
        events, n_items = data.events, data.n_items
        counts = np.bincount(events.items, minlength=n_items)
        matrix = data.csr(binary=False)
        people = np.bincount(matrix.indices, minlength=n_items)
        place = np.full(n_items, np.nan)
        ranked = np.lexsort((np.arange(n_items), -people))[: int((people > 0).sum())]
        place[ranked] = np.arange(1, len(ranked) + 1)
        again = np.bincount(matrix.indices[matrix.data > 1], minlength=n_items)
        numbers = {
            "share-events": counts / max(len(events), 1), "share-people": people / max(data.n_users, 1), "place": place,
            "per-person": ratio(counts, people), "again": ratio(again, people),
        }  # fmt: skip
        if data.time_unit == "us" and events.times is not None:
            numbers |= _first_and_last(events.items, events.times, n_items)
        if events.values is not None:
            numbers["value"] = ratio(np.bincount(events.items, events.values, minlength=n_items), counts)
        return numbers

    def compute(self, pairs: Pairs, learned: Arrays) -> Columns:
        named = {
            "share of all events": "share-events", "share of all people": "share-people", "place by people": "place",
            "events per person": "per-person", "share who took it again": "again", "mean value": "value",
        }  # fmt: skip
        columns = {f"item: {name}": learned[key][pairs.codes] for name, key in named.items() if key in learned}
        if "first" in learned:
            now = moments(pairs.queries)[0][pairs.rows]
            columns["item: days since its first event"] = (now - learned["first"][pairs.codes]) / DAY
            columns["item: days since its last event"] = (now - learned["last"][pairs.codes]) / DAY
        return columns


def _first_and_last(items: np.ndarray, times: np.ndarray, n_items: int) -> dict[str, Float64]:
    """(items,) microseconds of the first and the last event, NaN where there is none."""
    first, last = np.full(n_items, np.inf), np.full(n_items, -np.inf)
    np.minimum.at(first, items, times)
    np.maximum.at(last, items, times)
    return {"first": np.where(np.isfinite(first), first, np.nan), "last": np.where(np.isfinite(last), last, np.nan)}
