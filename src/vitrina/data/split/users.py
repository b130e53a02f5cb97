"""Strong generalisation: people whom training has never seen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vitrina.data.dataset import Dataset
from vitrina.data.passes import Offsets, Passes, itself, users_of
from vitrina.data.split.assemble import CandidateQueries, Piece, assemble
from vitrina.data.split.base import Rule, Split
from vitrina.data.split.moments import Moments
from vitrina.types import Bool, Int64


class UserShare(Rule):
    """A share of the people is entirely out of training; the first part of their log is the history, the rest the truth.

    Shows whether a model serves people who came after it was fitted. The cut of a person falls between two moments (time stamps, steps or
    baskets), so the history is strictly before the query. People with a single moment are not asked.

    Args:
        share: the share of people who are out of training.
        fold_in: the share of a person's events that is the history, rounded down to a whole moment, at least one.
        repeat: may items of the history be recommended again; None decides from the training part.
        seed: which people, by their place in the log.

    >>> import vitrina as vt
    >>> split = vt.testing.toy().split(vt.split.UserShare(share=0.34, seed=1))
    >>> len(split.queries), split.train.n_users
    (2, 4)
    """

    share: float = Field(default=0.1, gt=0, lt=1)
    fold_in: float = Field(default=0.8, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)

    def apply(self, data: Dataset) -> Split:
        before, people = Offsets.of(Passes(data, itself), users_of)
        out = np.zeros(people, bool)
        out[np.random.default_rng(self.seed).permutation(people)[: max(1, round(self.share * people))]] = True
        return assemble(Passes(data, PeopleOut(np.packbits(out), before, self.fold_in)), self, self)


@dataclass(frozen=True)
class PeopleOut:
    """UserShare on a shard.

    Args:
        out: a bit for each person with events in the log, whether that person is out of training.
        before: how many of these the shards before have.
        fold_in: the share of a person's events that is the history.
    """

    out: NDArray[np.uint8]
    before: Offsets
    fold_in: float

    def __call__(self, data: Dataset) -> Piece:
        out, first = np.zeros(len(data.users), bool), self.before.of_shard(data)
        present = np.flatnonzero(np.diff(data.indptr))
        bits = np.unpackbits(self.out[first // 8 : (first + len(present) + 7) // 8])
        out[present] = bits[first % 8 : first % 8 + len(present)]
        return Piece(data.select(~out[data.user_of]), partial(self._ask, data, out), (data,))

    def _ask(self, data: Dataset, out: Bool) -> tuple[CandidateQueries, dict[str, int]]:
        moments = Moments.of(data)
        stop = self._history_end(data, moments)
        users = np.flatnonzero(out & (stop < data.indptr[1:])).astype(np.int32)
        times = data.events.times
        now = None if times is None else times[stop[users]]
        candidates = CandidateQueries.of_ranges(data, users, stop[users], now=now, first=stop[users], last=data.indptr[users + 1])
        return candidates, {"users_not_asked": int(out.sum()) - len(users)}

    def _history_end(self, data: Dataset, moments: Moments) -> Int64:
        """(users,) where the truth begins: the last start of a moment within the share, but after the first moment."""
        limit = data.indptr[:-1] + np.floor(self.fold_in * np.diff(data.indptr)).astype(np.int64)
        end = data.indptr[:-1].copy()
        inside = moments.start <= limit[moments.user]
        np.maximum.at(end, moments.user[inside], moments.start[inside])
        first = moments.take(moments.first_of_user)
        end[first.user] = np.maximum(end[first.user], first.stop)
        return end
