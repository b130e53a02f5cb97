"""Who is asked after each epoch, with which questions: in memory, however large the log is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import ParameterError
from vitrina.data.split import Split
from vitrina.metrics import metric
from vitrina.metrics.judged import Judged
from vitrina.protocols import Recommender
from vitrina.sequence.group import ALONE, Group
from vitrina.types import Eligibility, Events, Int64, Queries, Ragged, ranges
from vitrina.vocabulary import Vocabulary, hashes


@final
@dataclass(frozen=True, eq=False)
class Judges:
    """Questions of a validation part, and what came of them."""

    queries: Queries
    truth: Ragged
    eligible: Eligibility

    @classmethod
    def of(cls, split: Split, most: int) -> Judges:
        """All that a split in memory asks; of one in shards the questions of at most `most`, drawn by a hash of the ids of who is asked."""
        if split.train.in_memory:
            return cls(split.queries, split.truth, split.eligible)
        drawn: Drawn | None = None
        for part in split.map_shards(Draw(most)):  # type: ignore[attr-defined]
            drawn = part if drawn is None else drawn.joined(part).first(most)
        assert drawn is not None
        return cls(drawn.queries, drawn.truth, split.eligible)

    def __len__(self) -> int:
        return len(self.queries)

    def share(self, rank: int, world: int) -> tuple[slice, Judges]:
        """The part of one of several processes, and where it stands."""
        at = slice(len(self) * rank // world, len(self) * (rank + 1) // world)
        return at, Judges(self.queries[at], self.truth.rows(at), self.eligible.rows(at))

    def value(self, recommender: Recommender, name: str, group: Group = ALONE) -> float:
        """The mean of a metric over all questions, of which each process of a group asks its part.

        Raises:
            ParameterError: the metric says nothing of any question.
        """
        judge, (at, own) = metric(name), self.share(group.rank, group.world)
        answers = recommender.recommend(own.queries, judge.k, eligible=own.eligible).padded(judge.k)
        values = judge.per_query(Judged(answers, own.truth, recommender.catalogue, own.queries))
        values = group.joined(values, at, len(self))
        values = values[~np.isnan(values)]
        if not len(values):
            raise ParameterError(
                f"The 'metric' of Training must say something of the validation part. {name} has no value for any of its "
                f"{len(self):,} queries: take another, for example nDCG@10.",
                owner="Training",
                parameter="metric",
            )
        return float(values.mean())

    def alone(self) -> Judges:
        """The same, with none of the log but the histories that are asked."""
        return replace(self, queries=_alone(self.queries))


@final
@dataclass(frozen=True, eq=False)
class Drawn:
    """Questions in the order of the log, with a hash of the id of who is asked."""

    queries: Queries
    truth: Ragged
    ids: NDArray[np.uint64]

    def first(self, most: int) -> Drawn:
        """Those of the lowest hashes."""
        if len(self.ids) <= most:
            return self
        chosen = np.sort(np.argsort(self.ids, kind="stable")[:most])
        return Drawn(_alone(self.queries[chosen]), self.truth.take(chosen), self.ids[chosen])

    def joined(self, other: Drawn) -> Drawn:
        truth = Ragged.of_lengths(
            np.concatenate([self.truth.lengths, other.truth.lengths]), np.concatenate([self.truth.values, other.truth.values])
        )
        return Drawn(_joined(self.queries, other.queries), truth, np.concatenate([self.ids, other.ids]))


@final
@dataclass(frozen=True)
class Draw:
    """A function of a shard's split: at most `most` of its questions."""

    most: int

    def __call__(self, split: Split) -> Drawn:
        queries = split.queries
        assert queries.people is not None
        drawn = Drawn(queries, split.truth, hashes(queries.people.decode(queries.users))).first(self.most)
        return replace(drawn, queries=_alone(drawn.queries))


def _alone(queries: Queries) -> Queries:
    """The same questions over a log of nothing else, and people of nobody else."""
    codes, users = np.unique(queries.users, return_inverse=True)
    people = None if queries.people is None else Vocabulary(queries.people.decode(codes))
    stop = np.cumsum(queries.lengths)
    return replace(
        queries, events=queries.events.take(ranges(queries.start, queries.lengths)), start=stop - queries.lengths, stop=stop,
        users=queries.users if people is None else users.astype(np.int32), people=people, labels=None, first_user=0,
    )  # fmt: skip


def _joined(one: Queries, other: Queries) -> Queries:
    assert one.people is not None
    assert other.people is not None
    first = len(one.events)
    columns = (one.events.columns(), other.events.columns())
    assert columns[0].keys() == columns[1].keys()  # shards of one log
    now: Any = None if one.now is None or other.now is None else np.concatenate([one.now, other.now])
    start, stop = (_behind(getattr(one, name), getattr(other, name), first) for name in ("start", "stop"))
    return replace(
        one, events=Events(**{name: np.concatenate([part[name] for part in columns]) for name in columns[0]}), start=start, stop=stop, now=now,
        users=_behind(one.users, other.users, len(one.people)), people=Vocabulary(pl.concat([one.people.ids, other.people.ids])),
    )  # fmt: skip


def _behind(one: NDArray[Any], other: NDArray[Any], first: int) -> Int64 | Any:
    return np.concatenate([one, other + np.asarray(first, one.dtype)])
