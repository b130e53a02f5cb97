"""Leave the last event, or the last basket, of each person out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vitrina.base.errors import SplitError
from vitrina.data.dataset import Dataset
from vitrina.data.passes import Offsets, Passes, Through, itself, users_of
from vitrina.data.split.assemble import CandidateQueries, Piece, assemble, strictly
from vitrina.data.split.base import Rule, Split
from vitrina.data.split.draws import drawn, smallest
from vitrina.data.split.moments import Moments
from vitrina.types import Bool, Int32, Int64
from vitrina.vocabulary import hashes


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
        cut = LastOut(self.position, self.people is not None, None if self.ties is None else self._ties(data))
        if self.people is not None:
            asked = sum(data.map_shards(Through(cut, _asked_by)))
            if asked > self.people:
                hashes = Through(cut, _hashes_of)
                cut = replace(cut, most=smallest(data, hashes, self.people - 1, (0, (1 << 64) - 1), asked))
        remember = self.model_copy(update={"position": 1, "ties": None})
        return assemble(Passes(data, cut), self, remember, shares=_shares)

    def _ties(self, data: Dataset) -> Ties:
        assert self.ties is not None
        if not {"times", "baskets"} & set(data.columns):
            raise SplitError(
                f"LeaveOneOut(ties={self.ties}) draws the order of equal times, and {data!r} has neither times nor baskets. Leave 'ties' out."
            )
        return Ties(self.ties, Offsets.of(Passes(data, itself), _events_of)[0])


@dataclass(frozen=True)
class Ties:
    """A random order of what happened at once, the same whatever the shards are."""

    seed: int
    offsets: Offsets  # of events

    def __call__(self, data: Dataset) -> Dataset:
        same = _at_once(data)
        assert same is not None
        draws = drawn(self.seed, self.offsets.of_shard(data), data.n_events)
        return replace(data, events=data.events.take(np.lexsort((draws, np.cumsum(~same)))))


@dataclass(frozen=True)
class LastOut:
    """LeaveOneOut on a shard.

    Args:
        position: of the target, from the end.
        some: whether only some are asked, and the others keep all.
        ties: the order to draw first.
        most: of the hashes of the ids who are asked; None asks everybody.
    """

    position: int
    some: bool
    ties: Ties | None
    most: int | None = None

    def __call__(self, data: Dataset) -> Piece:
        data = data if self.ties is None else self.ties(data)
        weights = data.events.weights
        place = np.arange(data.n_events) if weights is None else np.flatnonzero(weights > 0)  # of the events that count
        ends = np.searchsorted(place, data.indptr)
        length = np.diff(ends)
        users = self._asked(data, np.flatnonzero(length > self.position).astype(np.int32))
        kept, stop = np.maximum(1, length - self.position), data.indptr[1:].copy()
        stop[length > kept] = place[(ends[:-1] + kept)[length > kept]]
        if self.some:  # who is not asked keeps everything
            stop = np.where(np.isin(np.arange(len(length)), users), stop, data.indptr[1:])
        train = data.select(np.arange(data.n_events) < stop[data.user_of])
        return Piece(train, partial(_last_ones, data, users, place, place[ends[users + 1] - self.position]), (data,))

    def _asked(self, data: Dataset, users: Int32) -> Int32:
        return users if self.most is None else users[hashes(data.users.ids.gather(users)) <= self.most]


def _last_ones(data: Dataset, users: Int32, place: Int64, target: Int64) -> tuple[CandidateQueries, dict[str, int]]:
    """One question per person about the event at `target`; `place` are the events that count."""
    times = data.events.times
    now = None if times is None else times[target]
    own = {"users": len(users), "users_not_asked": data.n_users - len(users)}
    return CandidateQueries.of_ranges(data, users, target, now=now, first=target, last=target + 1), own | _tied(data, place, target)


def _people_of(piece: Piece) -> tuple[Dataset, Int32]:
    candidates, _ = piece.ask()
    return piece.train, candidates.users


def _asked_by(piece: Piece) -> int:
    return len(_people_of(piece)[1])


def _hashes_of(piece: Piece) -> NDArray[np.uint64]:
    data, users = _people_of(piece)
    return hashes(data.users.ids.gather(users))


def _events_of(shard: Dataset) -> tuple[int, int]:
    return shard.first_user, shard.n_events


def _tied(data: Dataset, place: Int64, target: Int64) -> dict[str, int]:
    """Targets whose neighbour in the history shares their time or basket, and targets that happened at once with another item."""
    events, tied = data.events, np.zeros(len(target), bool)
    if events.times is not None:
        tied |= events.times[target] == events.times[target - 1]
    if events.baskets is not None:
        tied |= (events.baskets[target] == events.baskets[target - 1]) & (events.baskets[target] >= 0)
    counted = {"targets_tied_to_history": int(tied.sum())}
    same = _at_once(data)
    if same is None or not len(target):
        return counted if same is None else counted | {"tie_breaks": 0}
    moment = np.cumsum(~same)
    first = np.flatnonzero(np.diff(moment[place], prepend=0))
    items = events.items[place]
    differ = np.minimum.reduceat(items, first) != np.maximum.reduceat(items, first)
    return counted | {"tie_breaks": int(differ[np.searchsorted(moment[place[first]], moment[target])].sum())}


def _shares(own: dict[str, int]) -> dict[str, Any]:
    """What is counted of a split, with the shares of the targets."""
    counts: dict[str, Any] = {name: own[name] for name in own if name != "users"}
    for name in ("targets_tied_to_history", "tie_breaks"):
        counts[f"{name}_share"] = own[name] / own["users"] if name in own else None
    return counts


def _at_once(data: Dataset) -> Bool | None:
    """(events,) whether the order of rows alone puts an event behind the one before it; None where a log has neither times nor baskets."""
    mark = data.events.baskets if data.events.times is None else data.events.times
    if mark is None:
        return None
    same = np.zeros(data.n_events, bool)
    same[1:] = (mark[1:] == mark[:-1]) & (data.user_of[1:] == data.user_of[:-1])
    return same if data.events.times is not None else same & (mark >= 0)


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
        if "baskets" not in data.columns:
            raise SplitError(
                "LeaveLastBasket needs baskets, and the log has no basket column. Read it with basket=..., "
                "or use LeaveOneOut() or GlobalTime(), which takes what shares a time stamp as one."
            )
        before, people = Offsets.of(Passes(data, itself), users_of)
        pieces = Passes(data, LastBasketOut(before, round(people * (1 - self.test_share))))
        by_place = not data.in_memory and self.test_share < 1
        return assemble(pieces, self, self, people_by_place=by_place)


@dataclass(frozen=True)
class LastBasketOut:
    """LeaveLastBasket on a shard: who has `first` people or more with events before them in the log is asked."""

    before: Offsets
    first: int

    def __call__(self, data: Dataset) -> Piece:
        baskets = data.events.baskets
        assert baskets is not None
        moments = Moments.of(data)
        moments = moments.take(moments.with_basket(baskets) & moments.counted(data))
        present = np.flatnonzero(np.diff(data.indptr))
        population = np.zeros(len(data.users), bool)
        population[present[max(self.first - self.before.of_shard(data), 0) :]] = True
        last = moments.take(moments.last_of_user)
        target = last.take(population[last.user] & (last.start > data.indptr[last.user]))
        end = data.indptr[1:].copy()
        end[target.user] = target.start
        train = data.select(np.arange(data.n_events) < end[data.user_of])
        return Piece(train, partial(_last_baskets, data, target, int(population.sum())), (data,))


def _last_baskets(data: Dataset, target: Moments, population: int) -> tuple[CandidateQueries, dict[str, int]]:
    times = data.events.times
    now = None if times is None else times[target.start]
    candidates = CandidateQueries.of_ranges(data, target.user, target.start, now=now, first=target.start, last=target.stop)
    return candidates, {"users_not_asked": population - len(target)}
