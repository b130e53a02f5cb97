"""Splits that somebody else made, and the random one that fits inside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vitrina.base.errors import SplitError
from vitrina.data.dataset import Dataset
from vitrina.data.passes import Offsets, Passes, itself, span_of, wider
from vitrina.data.split.assemble import CandidateQueries, Piece, assemble
from vitrina.data.split.base import Rule, Split
from vitrina.data.split.draws import drawn
from vitrina.data.split.join import joined
from vitrina.data.split.leave import LeaveOneOut
from vitrina.data.split.time import GlobalTime
from vitrina.types import Bool, Int64, Ragged


class RandomShare(Rule):
    """Hide a random share of each person's distinct items: how logs without an order are split in papers.

    Where there is time it leaks, since what came later helps to guess what came before; prefer `GlobalTime`. The history of a query is
    what stays in the training part. People with one item are not asked.

    Args:
        share: of the distinct items of a person, rounded down, at least one.
        seed: which items.

    >>> import vitrina as vt
    >>> vt.testing.toy().split(vt.split.RandomShare(share=0.5))
    Split(RandomShare(share=0.5): 13 training events, 6 queries, 7 targets)
    """

    share: float = Field(default=0.2, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)

    def apply(self, data: Dataset) -> Split:
        before = {data.first_user: 0} if data.in_memory else Offsets.of(Passes(data, itself), _pairs_of)[0].before
        parts = Passes(data, Hidden(self.share, self.seed, Offsets(before)))
        return _fixed(parts, self, self)


@dataclass(frozen=True)
class Parts:
    """Both parts of a published split, of a shard; or the training part and the truth, where only items are hidden."""

    train: Dataset
    truth: Ragged
    test: Dataset | None
    log: tuple[Dataset, ...]


@dataclass(frozen=True)
class Hidden:
    """RandomShare on a shard; `before` is how many pairs of a person and an item the shards before have."""

    share: float
    seed: int
    before: Offsets

    def __call__(self, data: Dataset) -> Parts:
        matrix = data.counted().csr()
        length = np.diff(matrix.indptr)
        row = np.repeat(np.arange(len(length)), length)
        order = np.lexsort((drawn(self.seed, self.before.of_shard(data), matrix.nnz), row))
        hidden = np.where(length > 1, np.maximum(1, np.floor(self.share * length)), 0).astype(np.int64)
        place = np.arange(matrix.nnz) - matrix.indptr[:-1][row]
        pairs = np.sort(order[place < hidden[row]])
        truth = Ragged.of_lengths(np.bincount(row[pairs], minlength=len(length)), matrix.indices[pairs])
        return Parts(data.select(~_is_hidden(data, truth)), truth, None, (data,))


def _pairs_of(shard: Dataset) -> tuple[int, int]:
    return shard.first_user, shard.counted().csr().nnz


def _is_hidden(data: Dataset, truth: Ragged) -> Bool:
    """(events,) whether an event is a (user, item) pair of `truth`."""
    key = truth.row_of * data.n_items + truth.values
    return np.isin(data.user_of * np.int64(data.n_items) + data.events.items, key)


def given(train: Dataset, test: Dataset | Bool | str, *, repeat: bool | None = None, holdout: Rule | None = None) -> Split:
    """A split that somebody else made: one query a person of the test part, with the person's training events as history.

    Args:
        train: the training part; or the whole log, when `test` is a mask or the name of a kind of event.
        test: the test part, read separately (ids of both are joined); or one flag an event of `train`, in its order; or the kind of
            event that marks the test ("test", when the log was read with kind="split"); kinds are then left out of the training part.
        repeat: may items of the history be recommended again; None decides from the training part.
        holdout: the rule for validation inside the training part. By default what looks like the given split: the same duration where
            all of the test is later than all of training, leave-one-out where it is each person's last event, else a random share.
    Raises:
        SplitError: the parts can't be joined, or one is empty.

    >>> import vitrina as vt
    >>> log = vt.testing.toy()
    >>> vt.split.given(log, log.events.times >= log.events.times.max() - 5)
    Split(a published split: 19 training events, 1 queries, 1 targets)
    """
    if isinstance(test, str):
        if test not in train.kind_names or "kinds" not in train.columns:
            raise _no_kind(train, test)
        parts = Passes(train, OfKind(train.kind_names.index(test)))
    else:
        parts = _held_parts(train, test)
    return _fixed(parts, None, holdout or parts.sum(Likeness.of).rule, repeat=repeat)


@dataclass(frozen=True)
class OfKind:
    """The parts of a shard whose test part is of one kind of event; kinds are then left out."""

    kind: int

    def __call__(self, data: Dataset) -> Parts:
        assert data.events.kinds is not None
        mask = data.events.kinds == self.kind
        plain = replace(data, events=replace(data.events, kinds=None), kind_names=())
        return _parts(plain.select(~mask), plain.select(mask))


def _held_parts(train: Dataset, test: Dataset | Bool) -> Passes[Parts]:
    if not (train.in_memory and (not isinstance(test, Dataset) or test.in_memory)):
        raise SplitError(
            f"A published split of {train!r}, which is larger than memory, is told by a kind of event: read both parts as one log with a column that "
            'says which part a row is of, kind="part", and give test="test".'
        )
    if isinstance(test, Dataset):
        train, test = joined(train, test)
    else:
        mask = _mask(train, test)
        train, test = train.select(~mask), train.select(mask)
    parts = _parts(train, test)
    return Passes(train, lambda _: parts)


def _parts(train: Dataset, test: Dataset) -> Parts:
    counted = test.counted()
    return Parts(train, Ragged(counted.indptr, counted.events.items), test, (train, test))


def _fixed(parts: Passes[Parts], rule: Rule | None, remember: Rule, *, repeat: bool | None = None) -> Split:
    """One query a person with targets; the history is the person's training part."""
    latest = max((last for last in parts.map(_latest_of) if last is not None), default=None)
    return assemble(parts.then(Given(latest)), rule, remember, repeat=repeat)


def _latest_of(parts: Parts) -> int | None:
    span = span_of(parts.train.events.times)
    return None if span is None else span[1]


@dataclass(frozen=True)
class Given:
    """The piece of a published split; `latest` is the time of the last training event."""

    latest: int | None

    def __call__(self, parts: Parts) -> Piece:
        return Piece(parts.train, partial(self._ask, parts), parts.log)

    def _ask(self, parts: Parts) -> tuple[CandidateQueries, dict[str, int]]:
        train, truth, test = parts.train, parts.truth, parts.test
        users = np.flatnonzero(truth.lengths).astype(np.int32)
        start, stop = train.indptr[users], train.indptr[users + 1]
        later = None if test is None else span_of(test.events.times)
        candidates = CandidateQueries(
            train.events, users, start, stop, _now(train, start, stop, test, users, self.latest), truth.take(users),
            until=None if later is None else later[1], uncounted=0 if test is None else test.n_events - len(truth.values),
        )  # fmt: skip
        return candidates, {}


def _now(train: Dataset, start: Int64, stop: Int64, test: Dataset | None, users: NDArray[np.int32], latest: int | None) -> Int64 | None:
    """The first test event, or just after the history where the parts overlap in time."""
    times = train.events.times
    if times is None:
        return None
    now = (
        np.full(len(users), 0 if latest is None else latest + 1, np.int64)
        if test is None or test.events.times is None
        else test.events.times[test.indptr[users]]
    )
    known = stop > start
    now[known] = np.maximum(now[known], times[stop[known] - 1] + 1)
    return now


def _no_kind(data: Dataset, test: str) -> SplitError:
    had = ", ".join(data.kind_names) or "no kinds at all"
    return SplitError(f"The test part of a given split must be a kind of event in the log ({had}). Got {test!r}.")


def _mask(data: Dataset, test: Bool) -> Bool:
    mask = np.asarray(test)
    if mask.dtype != bool or mask.shape != (data.n_events,):
        raise SplitError(
            f"The mask of a given split must be one true or false an event ({data.n_events:,}), in the order of the Dataset. "
            f"Got {mask.dtype} of shape {mask.shape}."
        )
    return mask


@dataclass(frozen=True)
class Likeness:
    """What tells which rule looks most like a published split; of shards it adds up."""

    train: tuple[int, int] | None  # spans of time
    test: tuple[int, int] | None
    test_events: int
    longest: int  # test events of one person
    in_order: bool  # nobody has a training event after the first test event
    beside: int  # training events of those who have test events

    @classmethod
    def of(cls, parts: Parts) -> Likeness:
        train, test = parts.train, parts.test
        assert test is not None
        length = np.diff(test.indptr)
        return cls(
            span_of(train.events.times), span_of(test.events.times), test.n_events, int(length.max(initial=0)), _each_later(train, test),
            int(np.diff(train.indptr)[length > 0].sum()),
        )  # fmt: skip

    def __add__(self, other: Likeness) -> Likeness:
        return Likeness(
            wider(self.train, other.train), wider(self.test, other.test), self.test_events + other.test_events, max(self.longest, other.longest),
            self.in_order and other.in_order, self.beside + other.beside,
        )  # fmt: skip

    @property
    def rule(self) -> Rule:
        if self.train is not None and self.test is not None:
            first, last = self.test
            if self.train[1] < first:
                return GlobalTime(at=2 * first - last - 1, until=first, target="all")
            if self.longest == 1 and self.in_order:
                return LeaveOneOut()
        share = self.test_events / max(1, self.test_events + self.beside)
        return RandomShare(share=min(max(round(share, 2), 0.01), 0.99))


def _each_later(train: Dataset, test: Dataset) -> bool:
    if train.events.times is None or test.events.times is None:
        return True
    both = np.flatnonzero((np.diff(train.indptr) > 0) & (np.diff(test.indptr) > 0))
    return bool((train.events.times[train.indptr[both + 1] - 1] <= test.events.times[test.indptr[both]]).all())
