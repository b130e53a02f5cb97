"""What a split holds, as numbers that add up over shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from vitrina.data.passes import span_of, wider
from vitrina.types import Bool, Int64

if TYPE_CHECKING:
    from vitrina.data.dataset import Dataset
    from vitrina.data.split.base import Split


@final
@dataclass(frozen=True)
class Lengths:
    """How often each length, or another number, occurs: 16 bytes for each different one.

    >>> both = Lengths.of(np.array([1, 3])) + Lengths.of(np.array([3, 9]))
    >>> both.mean, both.median, both.most
    (4.0, 3.0, 9)
    """

    values: NDArray[Any]  # (different lengths,) ascending
    counts: Int64

    @classmethod
    def of(cls, lengths: NDArray[Any], counts: Int64 | None = None) -> Lengths:
        """Of numbers in any order, each of which occurs once, or as often as `counts` says."""
        if counts is None:
            return cls(*np.unique(lengths, return_counts=True))
        values, place = np.unique(lengths, return_inverse=True)
        total = np.zeros(len(values), np.int64)
        np.add.at(total, place, counts)
        return cls(values, total)

    def __add__(self, other: Lengths) -> Lengths:
        return Lengths.of(np.concatenate([self.values, other.values]), np.concatenate([self.counts, other.counts]))

    @property
    def mean(self) -> float:
        return float(self.values @ self.counts / self.counts.sum())

    @property
    def median(self) -> float:
        upto, total = np.cumsum(self.counts), int(self.counts.sum())
        low, high = self.values[np.searchsorted(upto, [(total - 1) // 2, total // 2], side="right")]
        return float(low + high) / 2

    @property
    def most(self) -> int:
        return int(self.values[-1])

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def quantiles(self, at: Sequence[float]) -> list[float]:
        """As `np.quantile` of all of them has it, to the last digit."""
        place = np.asarray(at) * (self.total - 1)
        before = np.floor(place).astype(np.int64)
        upto, part = np.cumsum(self.counts), place - before
        low, high = (self.values[np.searchsorted(upto, which, side="right")] for which in (before, np.minimum(before + 1, self.total - 1)))
        between = high - low
        return np.where(part >= 0.5, high - between * (1 - part), low + between * part).tolist()


@final
@dataclass(frozen=True)
class Beginnings:
    """The first time of people: who begins at the very first one of all."""

    first: int | None = None
    there: int = 0  # people who begin there
    people: int = 0

    @classmethod
    def of(cls, data: Dataset) -> Beginnings:
        times = data.events.times
        if times is None or not len(times):
            return cls()
        own = times[data.indptr[:-1][np.diff(data.indptr) > 0]]
        return cls(int(times.min()), int((own == times.min()).sum()), len(own))

    def __add__(self, other: Beginnings) -> Beginnings:
        known = [part.first for part in (self, other) if part.first is not None]
        first = min(known, default=None)
        return Beginnings(first, sum(part.there for part in (self, other) if part.first == first), self.people + other.people)


@final
@dataclass(frozen=True)
class Tally:
    """A split in numbers: that of the whole is the sum of those of its shards.

    Args:
        queries, targets: of the test part.
        people, new, without_history: who is asked; of these without a training event; queries without a history.
        busiest: the queries of the person who asks most, and the id.
        warm: (items,) whether an item has a training event.
        asked: (items,) targets of each item.
        histories, rows: lengths of the histories, and of the rows of the truth.
        now: the first and the last moment of asking.
        events, users, trained: of the training part; its span of time.
        beginnings: of the people of the training part.
    """

    queries: int
    targets: int
    people: int
    new: int
    without_history: int
    busiest: tuple[int, Any]
    warm: Bool
    asked: Int64
    histories: Lengths
    rows: Lengths
    now: tuple[int, int] | None
    events: int
    users: int
    trained: tuple[int, int] | None
    beginnings: Beginnings

    @classmethod
    def of(cls, split: Split) -> Tally:
        """Of a split in memory."""
        train, queries, truth = split.train, split.queries, split.truth
        warm = np.zeros(train.n_items, bool)
        warm[train.events.items] = True
        users = np.unique(queries.users)
        known = users[users >= 0]
        named = known[known < len(train.users)]
        strangers = int((queries.users < 0).sum())  # each is somebody else
        people = len(known) + strangers
        new = people - int((np.diff(train.indptr)[named] > 0).sum())
        return cls(
            queries=len(queries), targets=len(truth.values), people=people, new=new,
            without_history=int((queries.lengths == 0).sum()), busiest=_busiest(train, queries.users),
            warm=warm, asked=np.bincount(truth.values, minlength=train.n_items).astype(np.int64),
            histories=Lengths.of(queries.lengths), rows=Lengths.of(truth.lengths), now=span_of(queries.now),
            events=train.n_events, users=train.n_users, trained=span_of(train.events.times), beginnings=Beginnings.of(train),
        )  # fmt: skip

    def __add__(self, other: Tally) -> Tally:
        mine, theirs = ({f.name: getattr(part, f.name) for f in fields(Tally)} for part in (self, other))
        both = {name: mine[name] + theirs[name] for name in mine if name not in ("busiest", "warm", "now", "trained")}
        return Tally(
            **both, warm=self.warm | other.warm, now=wider(self.now, other.now), trained=wider(self.trained, other.trained),
            busiest=self.busiest if self.busiest[0] >= other.busiest[0] else other.busiest,
        )  # fmt: skip

    @property
    def cold(self) -> int:
        """Targets that training has never seen."""
        return int(self.asked[~self.warm].sum())

    @property
    def items(self) -> int:
        """Different items among the targets."""
        return int(np.count_nonzero(self.asked))

    @property
    def cold_items(self) -> int:
        return int(np.count_nonzero(self.asked[~self.warm]))


def _busiest(train: Dataset, users: Any) -> tuple[int, Any]:
    queries = np.bincount(users[users >= 0], minlength=1)
    if not len(train.users) or not queries.any():
        return 0, None
    return int(queries.max()), train.users.decode([int(queries.argmax())]).to_list()[0]
