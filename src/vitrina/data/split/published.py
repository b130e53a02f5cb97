"""Splits that somebody else made, and the random one that fits inside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vitrina.base.errors import SplitError
from vitrina.data.dataset import Dataset
from vitrina.data.split.assemble import CandidateQueries, assemble, sizes
from vitrina.data.split.base import Rule, Split
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
        matrix = data.counted().csr()
        length = np.diff(matrix.indptr)
        row = np.repeat(np.arange(len(length)), length)
        order = np.lexsort((np.random.default_rng(self.seed).random(matrix.nnz), row))
        hidden = np.where(length > 1, np.maximum(1, np.floor(self.share * length)), 0).astype(np.int64)
        place = np.arange(matrix.nnz) - matrix.indptr[:-1][row]
        pairs = np.sort(order[place < hidden[row]])
        truth = Ragged.of_lengths(np.bincount(row[pairs], minlength=len(length)), matrix.indices[pairs])
        train = data.select(~_is_hidden(data, truth))
        return _fixed(train, truth, sizes(data), self, self)


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
    if isinstance(test, Dataset):
        train, test = joined(train, test)
    else:
        mask = _mask(train, test)
        drop = replace(train, events=replace(train.events, kinds=None), kind_names=()) if isinstance(test, str) else train
        train, test = drop.select(~mask), drop.select(mask)
    both = np.bincount(np.concatenate([train.events.items, test.events.items]), minlength=len(train.items))
    users = int(((np.diff(train.indptr) > 0) | (np.diff(test.indptr) > 0)).sum())
    log = {"events": train.n_events + test.n_events, "users": users, "items": int((both > 0).sum())}
    counted = test.counted()
    truth = Ragged(counted.indptr, counted.events.items)
    return _fixed(train, truth, log, None, holdout or _like(train, test), repeat=repeat, test=test)


def _fixed(train: Dataset, truth: Ragged, log: dict[str, int], rule: Rule | None, remember: Rule, *, repeat: bool | None = None, test: Dataset | None = None) -> Split:  # fmt: skip
    """One query a person with targets; the history is the person's training part."""
    users = np.flatnonzero(truth.lengths).astype(np.int32)
    start, stop = train.indptr[users], train.indptr[users + 1]
    later = test.events.times if test is not None else None
    candidates = CandidateQueries(
        train.events, users, start, stop, _now(train, start, stop, test, users), truth.take(users),
        until=int(later.max()) if later is not None and len(later) else None,
        uncounted=0 if test is None else test.n_events - len(truth.values),
    )  # fmt: skip
    return assemble(train, candidates, log, rule, remember, repeat=repeat)


def _now(train: Dataset, start: Int64, stop: Int64, test: Dataset | None, users: NDArray[np.int32]) -> Int64 | None:
    """The first test event, or just after the history where the parts overlap in time."""
    times = train.events.times
    if times is None:
        return None
    now = (
        np.full(len(users), times.max() + 1 if len(times) else 0, np.int64)
        if test is None or test.events.times is None
        else test.events.times[test.indptr[users]]
    )
    known = stop > start
    now[known] = np.maximum(now[known], times[stop[known] - 1] + 1)
    return now


def _mask(data: Dataset, test: Bool | str) -> Bool:
    if isinstance(test, str):
        if data.events.kinds is None or test not in data.kind_names:
            had = ", ".join(data.kind_names) or "no kinds at all"
            raise SplitError(f"The test part of a given split must be a kind of event in the log ({had}). Got {test!r}.")
        return data.events.kinds == data.kind_names.index(test)
    mask = np.asarray(test)
    if mask.dtype != bool or mask.shape != (data.n_events,):
        raise SplitError(
            f"The mask of a given split must be one true or false an event ({data.n_events:,}), in the order of the Dataset. "
            f"Got {mask.dtype} of shape {mask.shape}."
        )
    return mask


def _like(train: Dataset, test: Dataset) -> Rule:
    """The rule that looks most like the given split."""
    length = np.diff(test.indptr)
    if train.events.times is not None and test.events.times is not None and train.n_events and test.n_events:
        first = int(test.events.times.min())
        if train.events.times.max() < first:
            return GlobalTime(at=2 * first - int(test.events.times.max()) - 1, until=first, target="all")
        if length.max() == 1 and _each_later(train, test):
            return LeaveOneOut()
    share = test.n_events / max(1, test.n_events + int(np.diff(train.indptr)[length > 0].sum()))
    return RandomShare(share=min(max(round(share, 2), 0.01), 0.99))


def _each_later(train: Dataset, test: Dataset) -> bool:
    assert train.events.times is not None
    assert test.events.times is not None
    both = np.flatnonzero((np.diff(train.indptr) > 0) & (np.diff(test.indptr) > 0))
    return bool((train.events.times[train.indptr[both + 1] - 1] <= test.events.times[test.indptr[both]]).all())
