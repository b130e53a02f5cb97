"""Recency and trend: what is taken now more than before, by all and by the person."""

from __future__ import annotations

from typing import Annotated, final

import numpy as np
from pydantic import Field

from vitrina.base.config import Days
from vitrina.base.errors import DataError
from vitrina.base.kernels import Spread
from vitrina.base.state import Arrays
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.forms.history import moments
from vitrina.ranking.features.base import Columns, FeatureGroup
from vitrina.ranking.pairs import Pairs
from vitrina.ranking.sources import Sources


@final
class Trends(FeatureGroup):
    """Shares of windows of time.

    For each window of w days: "item: share of w days", the item's share of all events in the last w days of the log that the sources were fitted
    on; "person: events in w days" before the moment of asking. For each two windows that follow each other, v shorter than w:
    "item: trend of v days to w", log((share of v + s) / (share of w + s)) with s one event of the shorter window, above 0 for what is rising.

    Args:
        windows: lengths in days.

    Raises:
        DataError: the log has no real times.

    Cost: a pass over the log per window; the length of the histories.
    """

    windows: Annotated[tuple[Days, ...], Field(strict=False, min_length=1)] = (3, 14, 60)

    def of_log(self, data: Dataset, sources: Sources) -> Arrays:
        if data.time_unit != "us" or data.events.times is None:
            raise DataError(f"{self!r} needs events with real time, and {data!r} has none. Leave Trends out of the features.")
        end = data.events.times.max(initial=0)
        counts = [np.bincount(data.events.items[data.events.times > end - w * DAY], minlength=data.n_items) for w in self._sorted]
        return {"shares": np.array([c / max(c.sum(), 1) for c in counts]), "one": np.array([1 / max(c.sum(), 1) for c in counts])}

    def compute(self, pairs: Pairs, learned: Arrays) -> Columns:
        shares, one, queries = learned["shares"][:, pairs.codes], learned["one"], pairs.queries
        columns = {f"item: share of {w:g} days": shares[at] for at, w in enumerate(self._sorted)}
        for at, (v, w) in enumerate(zip(self._sorted, self._sorted[1:], strict=False)):
            columns[f"item: trend of {v:g} days to {w:g}"] = np.log((shares[at] + one[at]) / (shares[at + 1] + one[at]))
        now, times = moments(queries)
        for w in self._sorted:
            counts = np.zeros(len(queries), np.int64)
            if len(times):
                _within(len(queries), times, queries.start, queries.stop, now - int(w * DAY), counts)
            columns[f"person: events in {w:g} days"] = counts[pairs.rows]
        return columns

    @property
    def _sorted(self) -> tuple[float, ...]:
        return tuple(sorted(self.windows))


@Spread
def _within(first, last, times, start, stop, since, counts):  # pragma: no cover
    """How many events of each history are at or after a moment."""
    for q in range(first, last):
        at = stop[q]
        while at > start[q] and times[at - 1] >= since[q]:
            at -= 1
        counts[q] = stop[q] - at
