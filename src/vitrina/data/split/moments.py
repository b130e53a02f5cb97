"""Moments: runs of events of one person that happened at once and must be asked about together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vitrina.data.dataset import Dataset, TimeUnit
from vitrina.data.passes import Passes, itself
from vitrina.data.split.tally import Beginnings
from vitrina.types import Bool, Int32, Int64


@dataclass(frozen=True)
class Moments:
    """The log cut into moments: moment m is `events[start[m]:stop[m]]` of one user, in the order of the log.

    Events that share a user and a time (a time stamp or a step), or a basket, are one moment; baskets of one person that overlap in
    time are one moment too, so that no part of a basket is ever in the history of the rest. Without time the order of rows decides and
    every event is a moment of its own, baskets apart.
    """

    start: Int64  # (moments,)
    stop: Int64  # (moments,)
    user: Int32  # (moments,)

    @classmethod
    def of(cls, data: Dataset) -> Moments:
        n = data.n_events
        if not n:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32))
        start = np.flatnonzero(~_joined(data))
        return cls(start, np.append(start[1:], n), data.user_of[start])

    def __len__(self) -> int:
        return len(self.start)

    def take(self, keep: Bool | Int64) -> Moments:
        return Moments(self.start[keep], self.stop[keep], self.user[keep])

    def with_basket(self, baskets: Int32) -> Bool:
        """(moments,) whether any event of a moment has a basket."""
        held = np.append(0, np.cumsum(baskets >= 0))
        return held[self.stop] > held[self.start]

    def counted(self, data: Dataset) -> Bool:
        """(moments,) whether a moment holds an event that counts, which can be a target."""
        if data.events.weights is None:
            return np.ones(len(self), bool)
        before = np.append(0, np.cumsum(data.events.weights > 0))
        return before[self.stop] > before[self.start]

    @property
    def first_of_user(self) -> Bool:
        """(moments,) whether a moment is its user's first here."""
        return np.append(True, self.user[1:] != self.user[:-1])[: len(self)]

    @property
    def last_of_user(self) -> Bool:
        """(moments,) whether a moment is its user's last here."""
        return np.append(self.user[1:] != self.user[:-1], True)[-len(self) :] if len(self) else np.empty(0, bool)


def _joined(data: Dataset) -> Bool:
    """(events,) whether an event belongs to the same moment as the event before it."""
    n, user, events = data.n_events, data.user_of, data.events
    joined = np.zeros(n, bool)
    if events.times is not None:
        joined[1:] = (events.times[1:] == events.times[:-1]) & (user[1:] == user[:-1])
    if events.baskets is not None:
        reach = np.maximum.accumulate(_last_of_basket(data))
        joined[1:] |= reach[:-1] >= np.arange(1, n)
    return joined


def _last_of_basket(data: Dataset) -> Int64:
    """(events,) position of the last event of the same user and basket; events without a basket (-1) stand alone."""
    baskets = data.events.baskets
    assert baskets is not None
    position = np.arange(len(baskets), dtype=np.int64)
    inside = np.flatnonzero(baskets >= 0)
    if not len(inside):
        return position
    label = baskets[inside]
    first, last = (np.zeros(int(label.max()) + 1, np.int64) for _ in range(2))
    last[label] = inside
    first[label[::-1]] = inside[::-1]
    if not np.array_equal(data.user_of[first[label]], data.user_of[inside]) or not np.array_equal(
        data.user_of[last[label]], data.user_of[inside]
    ):  # the same basket number is used by several users
        key = data.user_of[inside].astype(np.int64) * len(last) + label
        _, label = np.unique(key, return_inverse=True)
        last = np.zeros(int(label.max()) + 1, np.int64)
        last[label] = inside
    position[inside] = last[label]
    return position


def steps_are_per_user(data: Dataset) -> bool:
    """Whether the times are steps that most people begin at the same number: positions within a person, not a common clock. A pass over a log with steps."""
    return data.time_unit == "step" and begins_alike(Passes(data, itself).sum(Beginnings.of), "step")


def begins_alike(beginnings: Beginnings, unit: TimeUnit | None) -> bool:
    """The same, of what is known of the people's beginnings."""
    return unit == "step" and beginnings.people >= 2 and beginnings.there / beginnings.people > 0.5
