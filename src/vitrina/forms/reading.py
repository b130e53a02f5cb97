"""How an item map reads a history: which events, how much each counts, each item once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vitrina.base.kernels import Spread
from vitrina.forms.combine import Combine, Sum
from vitrina.forms.decay import Decay, factors_of, faded
from vitrina.forms.history import event_levels, faint
from vitrina.forms.levels import products
from vitrina.types import Bool, Float32, Float64, Int32, Int64, Queries, ranges


class History(NamedTuple):
    """The distinct items of each query (or each event) with their weights: row q is `start[q]..start[q] + counts[q]`, by first event.

    So the history of a person's next basket begins with that of the one before, where its weights are the same.
    """

    start: Int64  # (queries,)
    counts: Int64  # (queries,)
    items: Int32
    weights: Float32 | Float64

    def rows(self, selection: slice) -> History:
        """A run of consecutive queries."""
        return self._replace(start=self.start[selection], counts=self.counts[selection])


@dataclass(frozen=True)
class Reading:
    """Settings of an item map that concern the history.

    An item that comes several times counts once, with the largest of its weights, or with `every_event` each time; a weight is
    the product of the decay, of the weight of the event's kind and of the event's own in the log, and an event of weight 0 is not read.

    Args:
        combine: from the weights of several items of the history to one score.
        decay: old events count less, by events since (0 for the newest) or by days until the moment of asking (or until the
            newest event, if that moment is not known). A history without times does not fade by days.
        last: read only so many events at the end.
        kinds: weights by the name of the kind of event; a kind that is not named counts 1.
        every_event: each event of an item counts.
    """

    combine: Combine = field(default_factory=Sum)
    decay: Decay | None = None
    last: int | None = None
    kinds: Mapping[str, float] = field(default_factory=dict)
    every_event: bool = False

    def read(self, queries: Queries, n_items: int) -> History:
        """The histories of a block of queries. Items beyond `n_items` are left out."""
        recent = queries if self.last is None else queries.last(self.last)
        lengths = recent.lengths
        start = np.cumsum(lengths) - lengths
        # zeros: places behind the distinct items of a history are looked up, though never counted
        items, weights = np.zeros(int(lengths.sum()), np.int32), np.empty(int(lengths.sum()), np.float32)
        counts = np.zeros(len(queries), np.int64)
        times, now = _moments(recent)
        _read(
            len(recent), recent.events.items, times, self._kind_of(recent), _own(recent), recent.start, recent.stop, now,
            kind_weights(self.kinds, recent.kind_names), *factors_of(self.decay), n_items, self.every_event, start, counts, items, weights,
        )  # fmt: skip
        return History(start, counts, items, weights)

    def read_levels(self, queries: Queries, n_items: int) -> History:
        """As `read`, with levels for weights, and the items of a history in the order of their codes."""
        recent = queries if self.last is None else queries.last(self.last)
        place, rows = ranges(recent.start, recent.lengths), np.repeat(np.arange(len(queries)), recent.lengths)
        items = recent.events.items[place]
        levels = event_levels(recent, self.decay)
        kinds = self._kind_of(recent)
        if len(kinds):
            levels = products(levels, kind_weights(self.kinds, recent.kind_names)[kinds[place]])
        read = (items < n_items) & (levels > -np.inf)
        if self.every_event:
            counts = np.bincount(rows[read], minlength=len(queries))
            return History(np.cumsum(counts) - counts, counts, items[read], levels[read])
        pairs, group = np.unique(rows[read] * n_items + items[read], return_inverse=True)
        largest = np.full(len(pairs), -np.inf)
        np.maximum.at(largest, group, levels[read])
        counts = np.bincount(pairs // n_items, minlength=len(queries))
        return History(np.cumsum(counts) - counts, counts, (pairs % n_items).astype(np.int32), largest)

    def faint(self, queries: Queries, halvings: float) -> Bool:
        """(queries,) whether the decay halves the weight of some event so many times."""
        return faint(queries if self.last is None else queries.last(self.last), self.decay, halvings)

    def _kind_of(self, queries: Queries) -> NDArray[np.uint8]:
        kinds = queries.events.kinds
        return np.empty(0, np.uint8) if kinds is None or not self.kinds else kinds


def kind_weights(kinds: Mapping[str, float], names: tuple[str, ...]) -> Float32:
    """(kinds,) the weight of each kind of event."""
    return np.array([kinds.get(name, 1.0) for name in names], np.float32)


def _own(queries: Queries) -> Float32:
    return np.empty(0, np.float32) if queries.events.weights is None else queries.events.weights


def _moments(queries: Queries) -> tuple[Int64, Int64]:
    """Times of the events and moments of asking; empty without times."""
    times: Any = queries.events.times
    if times is None:
        return np.empty(0, np.int64), np.zeros(len(queries), np.int64)
    newest = times[np.maximum(queries.stop - 1, 0)] if len(times) else np.zeros(len(queries), np.int64)
    return times, newest if queries.now is None else queries.now


@Spread
def _read(
    first_query, last_query, items, times, kinds, own, start, stop, now, kind_weights, shapes, scales, by_time, n_items,
    every_event, out_start, counts, out_items, out_weights,
):  # fmt: skip  # pragma: no cover
    place = np.full(n_items, -1, np.int64)
    for q in range(first_query, last_query):
        first, count = out_start[q], 0
        for at in range(start[q], stop[q]):
            item = items[at]
            if item < 0 or item >= n_items:
                continue
            elapsed = now[q] - times[at] if len(times) else 0
            weight = faded(shapes, scales, by_time, float(stop[q] - 1 - at), float(elapsed))
            if len(kinds):
                weight *= kind_weights[kinds[at]]
            if len(own):
                weight *= own[at]
            if not weight > 0:
                continue
            spot = place[item]
            if every_event or spot < first or spot >= first + count or out_items[spot] != item:
                place[item] = first + count
                out_items[first + count], out_weights[first + count] = item, weight
                count += 1
            elif weight > out_weights[spot]:
                out_weights[spot] = weight
        counts[q] = count
