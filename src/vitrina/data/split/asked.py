"""The questions of a log over shards, in memory: all of them where they fit, else those of people drawn by a hash of their ids.

Models are fitted on all shards. What a board keeps per question (histories, truth, lists, values) grows with the questions, so these are
what is bounded; who is drawn depends on ids alone, so that every model, fold and run asks the same people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np
import polars as pl

from vitrina.data.drawn import BUCKETS, bucket_of, buckets_within
from vitrina.data.features import FeatureTable
from vitrina.data.split.base import Split
from vitrina.data.split.protocol import Protocol
from vitrina.data.split.shards import ShardedSplit
from vitrina.types import Bool, Events, Int64, Queries, Ragged, ranges
from vitrina.vocabulary import Vocabulary

if TYPE_CHECKING:
    from vitrina.data.split.summary import SplitSummary
    from vitrina.data.split.tally import Tally

MOST_QUERIES = 2_000_000  # some hundred bytes each, and as much again for each model of a board
MOST_EVENTS = 50_000_000  # of the histories of who is asked: 12 to 25 bytes each


@final
@dataclass(frozen=True, eq=False, repr=False)
class AskedSplit(Split):
    """A split whose training part is in shards and whose questions are in memory. Codes of users are those of the people asked, `queries.people`.

    Args:
        whole: the split over shards.
        trained: (people,) whether each has events in the training part.
        user_table: (people,) what is known of them.
    """

    whole: Split = field(kw_only=True)
    trained: Bool = field(kw_only=True)
    user_table: FeatureTable | None = field(kw_only=True, default=None)

    @property
    def n_queries(self) -> int:
        return len(self.queries)

    @cached_property
    def tally(self) -> Tally:
        """Of the whole."""
        return self.whole.tally

    @property
    def drawn(self) -> bool:
        """Whether some people are left out."""
        return len(self.queries) < self.whole.n_queries

    @cached_property
    def summary(self) -> SplitSummary:
        """Of the whole."""
        return self.whole.summary

    @cached_property
    def protocol(self) -> Protocol:
        """That of the whole, with how many of its queries are asked."""
        protocol = self.whole.protocol
        return replace(protocol, queries=len(self.queries), out_of=protocol.queries) if self.drawn else protocol


def asked(split: Split, *, queries: int = MOST_QUERIES, events: int = MOST_EVENTS) -> Split:
    """The split with its questions in memory; one that is there already comes back.

    Args:
        split: over shards, or in memory.
        queries: the most that are asked.
        events: the most events that the histories of the people asked may have.

    Returns:
        The same training part. Where there are more questions, those of people drawn by a hash of their ids, each with all that are asked of them:
        the same people whatever is asked, and at least one bucket of 4,096.

    Cost: one pass over the shards, and one more where people are drawn.

    >>> import vitrina as vt
    >>> split = vt.testing.toy().split(vt.split.LeaveOneOut())
    >>> asked(split) is split
    True
    """
    if not isinstance(split, ShardedSplit):
        return split
    buckets = BUCKETS
    if split.n_queries > queries or split.counts.get("log_events", split.train.n_events) > events:
        sizes = sum(split.map_shards(sizes_of), np.zeros((2, BUCKETS), np.int64))
        buckets = buckets_within(sizes, np.array([queries, events]))
    return _joined(split, list(split.map_shards(Take(buckets))))


class Part(NamedTuple):
    """What is taken of a shard. Codes of users are places in `ids`."""

    events: Events
    queries: Queries
    truth: Ragged
    ids: pl.Series
    trained: Bool
    user_table: FeatureTable | None


@final
@dataclass(frozen=True)
class Take:
    """The questions of the people in the first buckets, with only their events."""

    buckets: int

    def __call__(self, split: Split) -> Part:
        queries = split.queries
        codes, person = np.unique(queries.users, return_inverse=True)
        ids = split.train.users.decode(codes)
        kept = bucket_of(ids) < self.buckets
        rows, place = np.flatnonzero(kept[person]), np.cumsum(kept) - 1
        low, high = spans(queries, person, len(codes))
        low, length = low[kept], (high - low)[kept]
        begin = np.cumsum(length) - length
        users = place[person[rows]].astype(np.int32)
        moved = begin[users] - low[users]
        events = queries.events.take(ranges(low, length))
        own = replace(
            queries[rows], events=events, start=queries.start[rows] + moved, stop=queries.stop[rows] + moved, users=users, people=None,
            labels=None,
        )  # fmt: skip
        trained, table = np.diff(split.train.indptr)[codes[kept]] > 0, split.train.user_table
        about = None if table is None else table.take(codes[kept])
        return Part(events, own, split.truth.take(rows), ids.filter(pl.Series(kept)), trained, about)


def sizes_of(split: Split) -> Int64:
    """(2, buckets) the questions of each bucket of people, and the events of their histories."""
    codes, person = np.unique(split.queries.users, return_inverse=True)
    bucket = bucket_of(split.train.users.decode(codes))
    low, high = spans(split.queries, person, len(codes))
    counts = [np.bincount(bucket, weights, BUCKETS) for weights in (np.bincount(person, minlength=len(codes)), high - low)]
    return np.stack(counts).astype(np.int64)


def spans(queries: Queries, person: Int64, people: int) -> tuple[Int64, Int64]:
    """(people,) where the histories of each begin and end."""
    low, high = np.full(people, len(queries.events), np.int64), np.zeros(people, np.int64)
    np.minimum.at(low, person, queries.start)
    np.maximum.at(high, person, queries.stop)
    return low, high


def _joined(split: Split, parts: Sequence[Part]) -> AskedSplit:
    """One split of the parts of all shards, in their order."""
    parts = [part for part in parts if len(part.queries)]
    first = parts[0].queries
    events = Events(**{name: np.concatenate([part.events.columns()[name] for part in parts]) for name in parts[0].events.columns()})
    moved = np.cumsum([0, *(len(part.events) for part in parts)])
    people = np.cumsum([0, *(len(part.ids) for part in parts)])

    def column(name: str, begins: Int64 | None = None) -> np.ndarray:
        columns = [getattr(part.queries, name) for part in parts]
        return np.concatenate(columns if begins is None else [own + begin for own, begin in zip(columns, begins, strict=False)])

    queries = Queries(
        events, column("start", moved), column("stop", moved), split.train.items, column("users", people).astype(np.int32),
        now=None if first.now is None else column("now"),
        context=None if first.context is None else pl.concat([part.queries.context for part in parts if part.queries.context is not None]),
        kind_names=first.kind_names, people=Vocabulary(pl.concat([part.ids for part in parts]).rename("id")),
    )  # fmt: skip
    truth = Ragged.of_lengths(np.concatenate([part.truth.lengths for part in parts]), np.concatenate([part.truth.values for part in parts]))
    return AskedSplit(
        split.train, queries, truth, split.eligible, split.rule, split.counts, split.warnings,
        validation=None if split.validation is None else asked(split.validation), whole=split,
        trained=np.concatenate([part.trained for part in parts]), user_table=FeatureTable.joined([part.user_table for part in parts]),
    )  # fmt: skip


def users_of(split: Split) -> FeatureTable | None:
    """What is known of the people of a split, by the codes of its queries."""
    return split.user_table if isinstance(split, AskedSplit) else split.train.user_table


def together(folds: Sequence[Split]) -> tuple[Split, ...]:
    """The folds of one log, in which a person has one code; those whose people are those of a log in memory have that already."""
    if not all(isinstance(fold, AskedSplit) for fold in folds) or len(folds) < 2:
        return tuple(folds)
    people = Vocabulary.of(pl.concat([_people(fold).ids for fold in folds]))
    return tuple(_with(fold, people) for fold in folds if isinstance(fold, AskedSplit))


def _with(fold: AskedSplit, people: Vocabulary) -> AskedSplit:
    codes = people.encode(_people(fold).ids)
    place = np.full(len(people), -1, np.int64)
    place[codes] = np.arange(len(codes))
    trained = np.where(place < 0, False, fold.trained[place])
    table = None if fold.user_table is None else replace(fold.user_table, frame=fold.user_table.frame[np.maximum(place, 0)])
    queries = replace(fold.queries, users=codes[fold.queries.users], people=people)
    return replace(fold, queries=queries, trained=trained, user_table=table)


def _people(fold: Split) -> Vocabulary:
    people = fold.queries.people
    assert people is not None
    return people
