"""The Dataset: an interaction log as arrays, sorted by (user, time, row)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from vitrina.base.codes import codes_within
from vitrina.base.errors import ParameterError, SplitError
from vitrina.base.executor import Executor, InProcess
from vitrina.base.ids import as_given, listed
from vitrina.base.showing import titled, to_pandas
from vitrina.base.time import microseconds
from vitrina.catalogue import Catalogue
from vitrina.data.features import FeatureTable
from vitrina.data.order import stable_order, users_an_item
from vitrina.data.passes import span_of
from vitrina.types import Bool, Events, Int32, Int64, Queries, ranges
from vitrina.vocabulary import Vocabulary

if TYPE_CHECKING:
    from vitrina.data.split import Rule, Split

TimeUnit = Literal["us", "step"]
R = TypeVar("R")


@dataclass(frozen=True)
class Step:
    """One thing that reading or a filter did, and what it removed."""

    name: str
    events_before: int
    events_after: int
    users_before: int
    users_after: int
    items_before: int
    items_after: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Interactions of users with items, dictionary-encoded and sorted by (user, time, row of the file).

    The events of user code u are `events[indptr[u]:indptr[u + 1]]`, oldest first; rows with equal time keep the order of
    the file. A part of a split shares the vocabularies of the whole, so codes mean the same in every part.

    Where `in_memory` is False, a log is larger than memory: only `shards()` and what adds up over them (`n_events`, `n_users`, `catalogue`)
    can be read, and models that say `reads_shards` are fitted on it.

    Cost: 4 bytes per event for items, 8 for times, 4 for values, baskets and weights, 1 for kinds; 8 bytes per user.
    """

    in_memory: ClassVar[bool] = True

    events: Events
    indptr: Int64  # (users + 1,)
    users: Vocabulary
    items: Vocabulary
    time_unit: TimeUnit | None = None  # "us": microseconds since 1970; "step": only the order means something
    kind_names: tuple[str, ...] = ()
    item_table: FeatureTable | None = None
    user_table: FeatureTable | None = None
    rule: Rule | None = None  # the split rule that made this training part
    repeat: bool | None = None  # may items come back in the job that a whole log is fitted for; a training part has it in its rule
    steps: tuple[Step, ...] = ()
    name: str = "log"
    shard_count: int = 1
    first_user: int = 0  # of a shard with a vocabulary of its own: how many people the shards before it have
    also: Int32 | None = None  # codes of items that belong to the catalogue without an event, as those of a shop that is searched do
    latest: int | None = None  # of a shard: the time of the last event of the whole log; None where these events say it
    executor: Executor = field(default_factory=InProcess)  # who goes through the shards, and whose workers train a network

    @classmethod
    def of_codes(cls, user_codes: NDArray[Any], events: Events, users: Vocabulary, items: Vocabulary, **rest: Any) -> Dataset:
        """Sort events by (user, time, row) and make a Dataset. `rest` are its other fields."""
        indptr = np.zeros(len(users) + 1, np.int64)
        np.cumsum(np.bincount(user_codes, minlength=len(users)), out=indptr[1:])
        order = stable_order(np.ascontiguousarray(user_codes, dtype=np.int32), indptr, events.times)
        return cls(events.take(order), indptr, users, items, **rest)

    @staticmethod
    def open(folder: str | Path) -> Dataset:
        """A log on disk that `vitrina.ingest` wrote: its shards are read when they are asked for.

        People are in the order of the shards, within one in the order of first appearance.

        Raises:
            DataError: there is no such log, it isn't finished, or a file of it is gone or damaged.
        """
        return import_module("vitrina.data.ingest.open").open_log(folder)  # by name: what opens logs is built on this class

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}: {self.n_events:,} events, {self.n_users:,} users, {len(self.catalogue.items):,} items)"

    def _repr_html_(self) -> str:
        first = int(np.searchsorted(self.indptr, 10))  # so many people have the first ten events
        return titled(repr(self), self.user_range(0, min(first, len(self.users))).frame().head(10))

    def __len__(self) -> int:
        return self.n_events

    @property
    def n_events(self) -> int:
        return len(self.events)

    @cached_property
    def n_users(self) -> int:
        """Users with at least one event."""
        return int((np.diff(self.indptr) > 0).sum())

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of events that the log has."""
        return tuple(self.events.columns())

    @property
    def has_weights(self) -> bool:
        """Whether events say how much they count."""
        return "weights" in self.columns

    @property
    def n_items(self) -> int:
        """Size of the item vocabulary: the width of every item array."""
        return len(self.items)

    @cached_property
    def user_of(self) -> Int32:
        """User code of each event, (events,); built on demand."""
        return np.repeat(np.arange(len(self.users), dtype=np.int32), np.diff(self.indptr))

    @cached_property
    def catalogue(self) -> Catalogue:
        """The items that have events here that count (weights above 0), with the numbers of events and people."""
        counted = self.counted()
        if counted is not self:
            return counted.catalogue
        events = np.bincount(self.events.items, minlength=self.n_items).astype(np.int64)
        also = np.empty(0, np.int32) if self.also is None else self.also
        return Catalogue(events, users_an_item(self.events.items, self.indptr, self.n_items), self.n_users, also)

    @cached_property
    def time_span(self) -> tuple[int, int] | None:
        """The earliest and the latest time of an event; None where there is none."""
        spans = [span for span in self.map_shards(_span_of) if span is not None]
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None

    def csr(self, *, binary: bool = True) -> sparse.csr_matrix:
        """(users, items) float32 matrix, indices sorted; repeated interactions become one, or a count."""
        ones = np.ones(self.n_events, np.float32)
        matrix = sparse.csr_matrix((ones, self.events.items.copy(), self.indptr.copy()), shape=(len(self.users), self.n_items))
        matrix.sum_duplicates()
        if binary:
            matrix.data[:] = 1
        return matrix

    def queries(self, users: Sequence[Any] | pl.Series | None = None, *, codes: Sequence[int] | NDArray[Any] | None = None) -> Queries:
        """One query a user, asked after the end of the log; everybody with events where neither ids nor codes are given.

        Args:
            users: ids of people. One whom the log doesn't know has an empty history and the code -1, and is counted in the print.
            codes: codes of people in place of their ids, as `data.users.encode(ids)` gives them.

        Raises:
            ParameterError: both are given, the ids are one text or number, or a code stands for nobody.

        >>> import vitrina as vt
        >>> vt.testing.toy().queries(["ann", "zoe"])
        Queries(2 queries, 4 events of 4 items; 1 are asked for people who are not in the log)
        """
        if users is not None and codes is not None:
            raise ParameterError("Queries are for users, by their ids, or for codes. Got both; leave one out.")
        if users is not None:
            return self._queries_of_ids(users)
        chosen = np.flatnonzero(np.diff(self.indptr)) if codes is None else codes
        known = codes_within(chosen, len(self.users), "The 'codes' of queries", "data.users.encode")
        return self._queries(known, self.indptr[known + 1], self.users.decode(known))

    def _queries_of_ids(self, users: Any) -> Queries:
        if isinstance(users, (str, bytes)) or not isinstance(users, Iterable):
            raise ParameterError(
                f"The 'users' of queries are a list of ids: data.queries([{users!r}]). Got {users!r}.", parameter="users", value=users
            )
        users = listed(users)
        codes = self.users.encode(users)
        return self._queries(codes, np.where(codes >= 0, self.indptr[codes + 1], self.indptr[np.maximum(codes, 0)]), as_given(users))

    def _queries(self, codes: Int32, stop: Int64, ids: pl.Series) -> Queries:
        span = span_of(self.events.times) if self.latest is None else (0, self.latest)
        return Queries(
            self.events, self.indptr[np.maximum(codes, 0)], stop, self.items, codes,
            now=None if self.events.times is None or span is None else np.full(len(codes), span[1] + 1, np.int64),
            kind_names=self.kind_names, people=self.users, labels=ids.alias("user_id"), first_user=self.first_user,
        )  # fmt: skip

    def select(self, keep: Bool, **changes: Any) -> Dataset:
        """The events where `keep` (one flag an event) holds; vocabularies stay."""
        counts = np.zeros(len(keep) + 1, np.int64)
        np.cumsum(keep, out=counts[1:])
        return replace(self, events=self.events.take(np.flatnonzero(keep)), indptr=counts[self.indptr], **changes)

    def counted(self) -> Dataset:
        """The events that models learn from: those of weights above 0, so neither dislikes nor what counts for nothing."""
        weights = self.events.weights
        return self if weights is None or self.events.least_weight > 0 else self.select(weights > 0)

    def user_range(self, first: int, last: int) -> Dataset:
        """Users first..last-1 only; events are views, codes stay."""
        indptr = np.clip(self.indptr, self.indptr[first], self.indptr[last]) - self.indptr[first]
        return replace(self, events=self.events.take(slice(self.indptr[first], self.indptr[last])), indptr=indptr, shard_count=1)

    def sharded(self, count: int) -> Dataset:
        """The same data that `shards()` hands out in `count` parts."""
        return replace(self, shard_count=count)

    def shards(self) -> Iterator[Dataset]:
        """Parts with disjoint users, for statistics that add up. A Dataset in memory is one shard."""
        edges = np.linspace(0, len(self.users), self.shard_count + 1).astype(int)
        if self.shard_count == 1:
            yield self
            return
        for first, last in pairwise(edges):
            yield self.user_range(int(first), int(last))

    def map_shards(self, function: Callable[[Dataset], R]) -> Iterator[R]:
        """What `function` gives for each shard, in their order. It may be run in another process: a function of a module, or a dataclass with `__call__`."""
        return map(function, self.shards())

    def on(self, executor: Executor) -> Self:
        """The same log with other workers: of shards, and of networks, whose training they share."""
        return replace(self, executor=executor)

    def changed(self, **fields: Any) -> Self:
        """The same log with other fields than its arrays: `rule`, `repeat`, `steps`, `name`, tables."""
        return replace(self, **fields)

    def split(self, rule: Rule) -> Split:
        """Training part, queries and truth under `rule`.

        Raises:
            SplitError: the rule doesn't fit the log; says why.
        """
        if isinstance(rule, type) or not hasattr(rule, "apply"):
            raise ParameterError(f"A log is split by a rule, for example vt.split.GlobalTime(days=30). Got {rule!r}.")
        return rule.apply(self)

    def holdout(self) -> Split:
        """Apply again, inside this training part, the rule that made it: for early stopping and tuning.

        Raises:
            SplitError: the data are not a training part of a split.
        """
        if self.rule is None:
            raise SplitError(f"The {self!r} is not a training part of a split, so it has no rule to apply again. Use data.split(rule).")
        return self.rule.apply(self)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of a sha256 over vocabularies and every column."""
        digest = hashlib.sha256((self.users.fingerprint() + self.items.fingerprint()).encode())
        for name, column in {"indptr": self.indptr, **self.events.columns()}.items():
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(column).data)
        for table in (self.item_table, self.user_table):
            digest.update(b"" if table is None else table.fingerprint.encode())
        if self.also is not None:
            digest.update(np.ascontiguousarray(self.also).data)
        return digest.hexdigest()[:16]

    def frame(self) -> pl.DataFrame:
        """The log as a table with the standard column names, in the Dataset's order."""
        columns: dict[str, Any] = {"user_id": self.users.decode(self.user_of), "item_id": self.items.decode(self.events.items)}
        if self.events.times is not None:
            times = pl.Series(self.events.times)
            columns["timestamp"] = times.cast(pl.Datetime("us")) if self.time_unit == "us" else times
        if self.events.values is not None:
            columns["value"] = self.events.values
        if self.events.kinds is not None:
            columns["kind"] = pl.Series(self.kind_names).gather(self.events.kinds)
        if self.events.baskets is not None:
            columns["basket_id"] = self.events.baskets
        if self.events.weights is not None:
            columns["weight"] = self.events.weights
        return pl.DataFrame(columns)

    def to_pandas(self) -> Any:
        """The same as a pandas DataFrame."""
        return to_pandas(self.frame())

    def titles(self, codes: NDArray[Any]) -> list[str]:
        """Names to show: the item table's title where there is one, the id otherwise."""
        ids = self.items.decode(codes).cast(pl.String).to_list()
        if self.item_table is None:
            return ids
        return [title or item for title, item in zip(self.item_table.titles(codes), ids, strict=True)]

    def item_table_at(self, time: int | datetime) -> FeatureTable | None:
        """The table of items as it was known at a time, of a log whose loads brought versions of it; `item_table` is the latest state.

        Args:
            time: in the unit of the log's times, or a date (UTC where it has no zone). What began up to it is known.

        Raises:
            ParameterError: a date, of a log whose times are steps.
        """
        if isinstance(time, datetime):
            if self.time_unit != "us":
                raise ParameterError(f"The {self!r} has steps and no dates. Give the time as a number. Got {time!r}.", parameter="time")
            time = microseconds(time)
        return None if self.item_table is None else self.item_table.at(time)

    def events_of(self, users: NDArray[Any]) -> Int64:
        """Positions of the events of these users, in order."""
        return ranges(self.indptr[users], np.diff(self.indptr)[users])


def _span_of(shard: Dataset) -> tuple[int, int] | None:
    return span_of(shard.events.times)
