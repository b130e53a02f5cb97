"""Strong generalisation: people whom training has never seen."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from vitrina.data.dataset import Dataset
from vitrina.data.split.assemble import CandidateQueries, assemble, sizes
from vitrina.data.split.base import Rule, Split
from vitrina.data.split.moments import Moments
from vitrina.types import Int64


class UserShare(Rule):
    """A share of the people is entirely out of training; the first part of their log is the history, the rest the truth.

    Shows whether a model serves people who came after it was fitted. The cut of a person falls between two moments (time stamps, steps or
    baskets), so the history is strictly before the query. People with a single moment are not asked.

    Args:
        share: the share of people who are out of training.
        fold_in: the share of a person's events that is the history, rounded down to a whole moment, at least one.
        repeat: may items of the history be recommended again; None decides from the training part.
        seed: which people.

    >>> import vitrina as vt
    >>> split = vt.testing.toy().split(vt.split.UserShare(share=0.34, seed=1))
    >>> len(split.queries), split.train.n_users
    (2, 4)
    """

    share: float = Field(default=0.1, gt=0, lt=1)
    fold_in: float = Field(default=0.8, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)

    def apply(self, data: Dataset) -> Split:
        present = np.flatnonzero(np.diff(data.indptr))
        chosen = np.random.default_rng(self.seed).permutation(present)[: max(1, round(self.share * len(present)))]
        out = np.zeros(len(data.users), bool)
        out[chosen] = True
        moments = Moments.of(data)
        stop = self._history_end(data, moments)
        users = np.flatnonzero(out & (stop < data.indptr[1:])).astype(np.int32)
        times = data.events.times
        now = None if times is None else times[stop[users]]
        candidates = CandidateQueries.of_ranges(data, users, stop[users], now=now, first=stop[users], last=data.indptr[users + 1])
        train = data.select(~out[data.user_of])
        return assemble(train, candidates, sizes(data), self, self, users_not_asked=int(out.sum()) - len(users))

    def _history_end(self, data: Dataset, moments: Moments) -> Int64:
        """(users,) where the truth begins: the last start of a moment within the share, but after the first moment."""
        limit = data.indptr[:-1] + np.floor(self.fold_in * np.diff(data.indptr)).astype(np.int64)
        end = data.indptr[:-1].copy()
        inside = moments.start <= limit[moments.user]
        np.maximum.at(end, moments.user[inside], moments.start[inside])
        first = moments.take(moments.first_of_user)
        end[first.user] = np.maximum(end[first.user], first.stop)
        return end
