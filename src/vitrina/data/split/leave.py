"""Leave the last event, or the last basket, of each person out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from vitrina.base.errors import SplitError
from vitrina.data.dataset import Dataset
from vitrina.data.split.assemble import CandidateQueries, assemble, sizes, strictly
from vitrina.data.split.base import Rule, Split
from vitrina.data.split.moments import Moments
from vitrina.types import Bool, Int32, Int64
from vitrina.vocabulary import id_hashes


class LeaveOneOut(Rule):
    """The last event of each person is the target, everything before it in the order of rows is the history.

    The protocol of many papers (SASRec, BERT4Rec, TIGER), and it leaks where there is time: the training part of one person goes on
    after the test of another. Events with the time (or step) or basket of the target stay in its history, as published: only the order of
    rows decides. `counts` and the summary say how many. People with too few events are not asked and stay in the training part.

    Args:
        position: which event is the target: 1 is the last, 2 the one before it (the usual validation part, equal to
            `LeaveOneOut().apply(data).train.holdout()`); what comes after the target is left out.
        ties: order the events of one person and one time (without times: of one basket) at random by this seed before anything is cut. Their order
            in the file says nothing, and which of them is the last is then a draw: the spread of a metric over some seeds is the doubt that ties
            leave. Each seed costs a fit, since what is asked moves between training and test. None keeps the order of rows.
        people: ask at most that many people, chosen by a hash of their ids; the others stay in the training part with all their events.
        repeat: may items of the history be recommended again; None decides from the training part.
        strict: train without the last two events of everybody: the last but one is for validation only (`Split.validation`), and the last
            is asked with all others as history. Without it (retrained, as it is often called) models learn the last but one event too, which papers that are strict don't:
            their numbers stand in another table.

    >>> import vitrina as vt
    >>> split = vt.testing.toy().split(vt.split.LeaveOneOut())
    >>> len(split.queries), split.train.n_events
    (6, 14)
    >>> strict = vt.testing.toy().split(vt.split.LeaveOneOut(strict=True, repeat=True))
    >>> len(strict.queries), strict.train.n_events, len(strict.validation.queries)
    (6, 8, 6)
    """

    remedy: ClassVar[str] = "It takes people with more events."
    position: int = Field(default=1, ge=1)
    people: int | None = Field(default=None, ge=1)
    ties: int | None = Field(default=None, ge=0)
    strict: bool = False

    def apply(self, data: Dataset) -> Split:
        if self.strict:
            return strictly(self, self.model_copy(update={"strict": False}).apply(data))
        data = data if self.ties is None else _in_drawn_order(data, self.ties)
        weights = data.events.weights
        place = np.arange(data.n_events) if weights is None else np.flatnonzero(weights > 0)  # of the events that count
        ends = np.searchsorted(place, data.indptr)
        length = np.diff(ends)
        users = self._asked(data, np.flatnonzero(length > self.position))
        target = place[ends[users + 1] - self.position]
        kept, stop = np.maximum(1, length - self.position), data.indptr[1:].copy()
        stop[length > kept] = place[(ends[:-1] + kept)[length > kept]]
        if self.people is not None:  # who is not asked keeps everything
            stop = np.where(np.isin(np.arange(len(length)), users), stop, data.indptr[1:])
        keep = np.arange(data.n_events) < stop[data.user_of]
        times = data.events.times
        now = None if times is None else times[target]
        candidates = CandidateQueries.of_ranges(data, users, target, now=now, first=target, last=target + 1)
        tied = {} if not len(users) else _tied_to_history(data, target) | _tie_breaks(data, place, target)
        remember = self.model_copy(update={"position": 1, "ties": None})
        not_asked = data.n_users - len(users)
        return assemble(data.select(keep), candidates, sizes(data), self, remember, users_not_asked=not_asked, **tied)

    def _asked(self, data: Dataset, users: Int64) -> Int32:
        if self.people is not None and len(users) > self.people:
            users = np.sort(users[np.argsort(id_hashes(data.users)[users], kind="stable")[: self.people]])
        return users.astype(np.int32)


def _tied_to_history(data: Dataset, target: Int64) -> dict[str, Any]:
    """Targets whose neighbour in the history shares their time or basket."""
    tied = np.zeros(len(target), bool)
    if data.events.times is not None:
        tied |= data.events.times[target] == data.events.times[target - 1]
    if data.events.baskets is not None:
        tied |= (data.events.baskets[target] == data.events.baskets[target - 1]) & (data.events.baskets[target] >= 0)
    return {"targets_tied_to_history": int(tied.sum()), "targets_tied_to_history_share": float(tied.mean())}


def _at_once(data: Dataset) -> Bool | None:
    """(events,) whether the order of rows alone puts an event behind the one before it; None where a log has neither times nor baskets."""
    mark = data.events.baskets if data.events.times is None else data.events.times
    if mark is None:
        return None
    same = np.zeros(data.n_events, bool)
    same[1:] = (mark[1:] == mark[:-1]) & (data.user_of[1:] == data.user_of[:-1])
    return same if data.events.times is not None else same & (mark >= 0)


def _in_drawn_order(data: Dataset, seed: int) -> Dataset:
    """The log with what happened at once in a random order."""
    same = _at_once(data)
    if same is None:
        raise SplitError(
            f"LeaveOneOut(ties={seed}) draws the order of equal times, and {data!r} has neither times nor baskets. Leave 'ties' out."
        )
    order = np.lexsort((np.random.default_rng(seed).random(data.n_events), np.cumsum(~same)))
    return replace(data, events=data.events.take(order))


def _tie_breaks(data: Dataset, place: Int64, target: Int64) -> dict[str, Any]:
    """Targets that happened at once with another item; `place` are the events that count."""
    same = _at_once(data)
    if same is None:
        return {"tie_breaks_share": None}
    moment = np.cumsum(~same)
    first = np.flatnonzero(np.diff(moment[place], prepend=0))
    items = data.events.items[place]
    differ = np.minimum.reduceat(items, first) != np.maximum.reduceat(items, first)
    tied = differ[np.searchsorted(moment[place[first]], moment[target])]
    return {"tie_breaks": int(tied.sum()), "tie_breaks_share": float(tied.mean())}


class LeaveLastBasket(Rule):
    """The last basket of each person is the target, the baskets before it are the history: next-basket recommendation.

    The truth is the basket's distinct items; baskets that overlap or share a time are one question, and so is what else a person did
    at that moment. Like leave-one-out it leaks across people where there is time.

    Args:
        test_share: the share of people who are asked, the last ones in the order of first appearance (the published next-basket
            protocol asks the last 0.2 of the file); the others stay in the training part with all their baskets.
        repeat: may items of the history be recommended again; None decides from the training part.
        strict: train without the last two baskets of who is asked: the last but one is for validation only (`Split.validation`).
    Raises:
        SplitError: the log has no baskets.
    """

    remedy: ClassVar[str] = "It takes people with two baskets, one after the other."
    test_share: float = Field(default=1.0, gt=0, le=1)
    strict: bool = False

    def apply(self, data: Dataset) -> Split:
        if self.strict:
            return strictly(self, self.model_copy(update={"strict": False}).apply(data))
        baskets = data.events.baskets
        if baskets is None:
            raise SplitError(
                "LeaveLastBasket needs baskets, and the log has no basket column. Read it with basket=..., "
                "or use LeaveOneOut() or GlobalTime(), which takes what shares a time stamp as one."
            )
        moments = Moments.of(data)
        moments = moments.take(moments.with_basket(baskets) & moments.counted(data))
        present = np.flatnonzero(np.diff(data.indptr))
        population = np.zeros(len(data.users), bool)
        population[present[round(len(present) * (1 - self.test_share)) :]] = True
        last = moments.take(moments.last_of_user)
        target = last.take(population[last.user] & (last.start > data.indptr[last.user]))
        end = data.indptr[1:].copy()
        end[target.user] = target.start
        keep = np.arange(data.n_events) < end[data.user_of]
        times = data.events.times
        now = None if times is None else times[target.start]
        candidates = CandidateQueries.of_ranges(data, target.user, target.start, now=now, first=target.start, last=target.stop)
        not_asked = int(population.sum()) - len(target)
        return assemble(data.select(keep), candidates, sizes(data), self, self, users_not_asked=not_asked)
