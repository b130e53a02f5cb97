"""A log larger than memory: its shards are opened one at a time, and what is asked of the whole is the sum over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, NoReturn, Protocol, TypeVar, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError
from vitrina.base.executor import Executor, InProcess
from vitrina.base.ids import id_texts, listed
from vitrina.base.showing import titled
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.data.order import number_within
from vitrina.data.passes import span_of
from vitrina.data.recipe import digest_of
from vitrina.types import Events, Queries
from vitrina.vocabulary import Vocabulary

T = TypeVar("T")
R = TypeVar("R")
WHOLE = ("events", "indptr", "user_of")  # arrays of the whole log, and so what is made of them: csr, select, frame, user_range
ABOUT = {"items": None, "time_unit": None, "kind_names": (), "item_table": None, "user_table": None, "rule": None, "repeat": None, "steps": (), "name": "log"}  # fmt: skip
FACTS = ("n_events", "n_users", "latest", "columns", "fingerprint")  # which may be known beforehand, and else cost a pass
OF_SHARDS = ("rule", "repeat", "steps", "name")  # what the log says of itself, its shards say too


class Parts(Protocol):
    """Where shards come from: light and plain, so that another process can open a shard by its number.

    `load(index)` is a Dataset in memory with the users of that shard alone: its own user vocabulary and `first_user`, the number of people in the
    shards before it, so that `first_user + code` is the code of a person in the whole log; `latest` is the time of the last event of the whole log.
    All shards share the item vocabulary, and have the same columns.

    What parts know of the whole they have as attributes: `n_events`, `n_users`, `latest`, `columns`, `fingerprint`; else each costs a pass.

    Where the shard of a person can be told by the id, parts have a method `shard_of(ids: pl.Series)` besides: (ids,) the number of the shard that has the
    person if the log does. Without it all shards are searched for people who are named.
    """

    def __len__(self) -> int: ...
    def load(self, index: int) -> Dataset: ...


@final
@dataclass(frozen=True)
class Mapped:
    """Shards, each through a pure function when it is opened.

    Args:
        parts: that are opened.
        step: the function.
        fields: what the results say of the whole: `latest`, say.
        first_users: of the results, where the function leaves other people.
    """

    parts: Parts
    step: Callable[[Dataset], Dataset]
    fields: Mapping[str, Any] = field(default_factory=dict)
    first_users: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.parts)

    def load(self, index: int) -> Dataset:
        made = self.step(self.parts.load(index))
        first = made.first_user if self.first_users is None else self.first_users[index]
        return replace(made, first_user=first, **self.fields)


@final
@dataclass(frozen=True)
class OnShard:
    """A function of a shard as one of its number, for an executor."""

    parts: Parts
    function: Callable[[Dataset], Any]
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, index: int) -> Any:
        return self.function(replace(self.parts.load(index), **self.fields))


@final
@dataclass(frozen=True)
class OverParts:
    """A function of all shards and an item as one of the item, for an executor."""

    parts: Parts
    function: Callable[[Parts, Any], Any]

    def __call__(self, item: Any) -> Any:
        return self.function(self.parts, item)


def over_parts(data: Dataset, function: Callable[[Parts, T], R], items: Iterable[T]) -> Iterator[R]:
    """`function` of the shards and each of `items`, by the executor of the log: for what is cut otherwise than by people, such as blocks of items.

    Each call loads the shards that it needs, one after another.
    """
    if isinstance(data, Sharded):
        return data.executor.map(OverParts(data.parts, function), items)
    return map(OverParts(Held(tuple(data.shards())), function), items)


def workers_of(data: Dataset) -> int:
    """How many go through the shards at once."""
    return data.executor.workers if isinstance(data, Sharded) else 1


@final
class Sharded(Dataset):
    """A log of which one shard at a time is in memory; what adds up over shards can be asked of the whole, its arrays can't.

    Rows of what is made of all shards (lists, tables) come in their order.

    Args:
        parts: the shards.
        about: the fields of a Dataset but its arrays and users: items, time_unit, kind_names, item_table, rule, repeat, steps, name; and what is known
            of the whole: n_events, n_users, latest, columns, fingerprint.
        executor: who runs functions over shards.

    Cost: what is not known (the events, the catalogue) is one pass over the shards, once.

    >>> import vitrina as vt
    >>> log = held(vt.testing.toy(), 3)
    >>> log, sum(log.map_shards(len)), log.to_memory()
    (Sharded('toy': 3 shards, 20 events, 6 users, 4 items), 20, Dataset('toy': 20 events, 6 users, 4 items))
    >>> log.events
    Traceback (most recent call last):
    ...
    vitrina.base.errors.DataError: Sharded('toy': ...) is larger than memory: ...
    """

    in_memory: ClassVar[bool] = False
    parts: Parts
    executor: Executor

    def __init__(self, parts: Parts, about: Mapping[str, Any], executor: Executor = InProcess()) -> None:
        known = {name: fact for name in FACTS if (fact := getattr(parts, name, None)) is not None}  # a manifest says it
        given = ABOUT | known | {name: about[name] for name in (*ABOUT, *FACTS) if name in about}
        for name, value in (given | {"parts": parts, "executor": executor, "shard_count": len(parts), "first_user": 0}).items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        known = [f"{vars(self)[f'n_{name}']:,} {name}" for name in ("events", "users") if f"n_{name}" in vars(self)]  # a repr makes no pass
        return f"Sharded({self.name!r}: {', '.join([f'{self.shard_count:,} shards', *known, f'{self.n_items:,} items'])})"

    def _repr_html_(self) -> str:
        first = next((shard for shard in self.shards() if shard.n_events), None)
        return titled(
            repr(self),
            pl.DataFrame()
            if first is None
            else replace(first, events=first.events.take(slice(10)), indptr=np.minimum(first.indptr, 10)).frame(),
        )

    def __getattr__(self, name: str) -> NoReturn:
        if name in WHOLE:
            raise DataError(
                f"{self!r} is larger than memory: its {name!r} can't be had as a whole. Go through data.shards(), or take data.to_memory() where it fits."
            )
        raise AttributeError(f"A Sharded has no {name!r}.")

    def changed(self, **fields: Any) -> Sharded:
        kept = {name: vars(self)[name] for name in (*ABOUT, *FACTS, "catalogue") if name in vars(self)}
        other = Sharded(self.parts, kept | fields, fields.get("executor", self.executor))
        if "catalogue" in kept:
            vars(other)["catalogue"] = kept["catalogue"]
        return other

    def on(self, executor: Executor) -> Sharded:
        """The same log, whose shards this executor goes through."""
        return self.changed(executor=executor)

    def mapped(self, step: Callable[[Dataset], Dataset], *, first_users: tuple[int, ...] | None = None, **fields: Any) -> Sharded:
        """The log whose shards are those of this one, each through `step` when it is opened. `step` can go to another process.

        Args:
            step: a pure function of a shard.
            first_users: the `first_user` of each shard of the result, where it leaves other people.
            fields: other fields of the result, and what is known of it: `n_events=`, `latest=`.
        """
        about = {name: getattr(self, name) for name in ABOUT} | fields
        ends = {"latest": fields["latest"]} if "latest" in fields else {}
        return Sharded(Mapped(self.parts, step, ends, first_users), about, self.executor)

    def shards(self) -> Iterator[Dataset]:
        return map(self._opens(_itself), range(len(self.parts)))

    def map_shards(self, function: Callable[[Dataset], R]) -> Iterator[R]:
        return self.executor.map(self._opens(function), range(len(self.parts)))

    def _opens(self, function: Callable[[Dataset], Any]) -> OnShard:
        return OnShard(self.parts, function, {name: getattr(self, name) for name in OF_SHARDS})

    def sharded(self, count: int) -> NoReturn:
        raise DataError(
            f"{self!r} has its shards for good: it can't be cut into {count} others. Ingest the log again, or take data.to_memory()."
        )

    def counted(self) -> Sharded:
        return self.mapped(Dataset.counted) if self.has_weights else self

    def queries(self, users: Sequence[Any] | pl.Series | None = None, *, codes: Sequence[int] | NDArray[Any] | None = None) -> Queries:
        """One query per person who is named, asked after the end of the log. Only the shards of these people are opened, where their ids tell the shard.

        Codes of the answer's users are places among the people who are asked, and not in the whole log.

        Raises:
            DataError: nobody is named by ids.
        """
        if users is None:
            given = "Nobody" if codes is None else "Codes"
            raise DataError(
                f"The queries of {self!r} are asked for people by their ids: data.queries(['ann', 'bob']). {given} came; for everybody go through "
                "data.shards(), and take shard.queries() of each."
            )
        return replace(self.to_memory(people=listed(users)), latest=self.latest).queries(users)

    def to_memory(self, people: Any = None) -> Dataset:
        """The log as one Dataset in memory, with the people in the order of the shards.

        Args:
            people: a list of ids; only these, where the log has them.

        Cost: twice the log, or the events of these people.
        """
        if people is None:
            return _joined(self, list(self.shards()))
        base, ids = self.parts, id_texts(people).drop_nulls()
        while isinstance(base, Mapped):
            base = base.parts
        find = getattr(base, "shard_of", None)
        numbers = range(len(self.parts)) if find is None else np.unique(find(ids)).tolist()
        return _joined(self, [part for part in map(self._opens(_Only(ids)), numbers) if len(part.users)])

    @cached_property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]
        """The names of the columns of events, which all shards share."""
        return tuple(next(self.shards()).events.columns()) if len(self.parts) else ("items",)

    @cached_property
    def n_events(self) -> int:  # type: ignore[override]
        return sum(events for events, _, _ in self._sizes)

    @cached_property
    def n_users(self) -> int:  # type: ignore[override]
        return sum(users for _, users, _ in self._sizes)

    @cached_property
    def latest(self) -> int | None:  # type: ignore[override]
        return max((latest for _, _, latest in self._sizes if latest is not None), default=None)

    @cached_property
    def _sizes(self) -> list[tuple[int, int, int | None]]:
        return list(self.map_shards(_sizes_of))

    @cached_property
    def catalogue(self) -> Catalogue:  # type: ignore[override]
        events, users, people = np.zeros(self.n_items, np.int64), np.zeros(self.n_items, np.int64), 0
        for part in self.map_shards(_catalogue_of):
            events, users, people = events + part.events, users + part.users, people + part.n_users
        return Catalogue(events, users, people)

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits of a sha256 over what the shards are made of, which reads none of them."""
        return digest_of((self.parts, self.items, self.item_table, self.user_table))

    @cached_property
    def users(self) -> Vocabulary:  # type: ignore[override]
        """Of the whole log, in the order of shards: 16 bytes and the text per person."""
        return Vocabulary(one_column(list(self.map_shards(_ids_of))))


@final
@dataclass(frozen=True)
class _Only:
    """The people of a shard who are named."""

    ids: pl.Series

    def __call__(self, shard: Dataset) -> Dataset:
        codes = shard.users.encode(self.ids)
        return of_people(shard, np.unique(codes[codes >= 0]))


def of_people(shard: Dataset, codes: NDArray[Any]) -> Dataset:
    """A shard with these people alone, who are the codes 0, 1, ... then."""
    lengths, table = np.diff(shard.indptr)[codes], shard.user_table
    return replace(
        shard, events=shard.events.take(shard.events_of(codes)), indptr=np.append(0, np.cumsum(lengths)),
        users=Vocabulary(shard.users.decode(codes)), user_table=None if table is None else table.take(codes),
    )  # fmt: skip


def _joined(log: Sharded, shards: list[Dataset]) -> Dataset:
    """Shards one after another; baskets are numbered anew, as reading does."""
    fields = {name: getattr(log, name) for name in ABOUT if name != "user_table"}
    if not shards:
        empty: dict[str, Any] = {name: np.empty(0, dtype) for name, dtype in _DTYPES.items() if name in log.columns}
        return Dataset(Events(**empty), np.zeros(1, np.int64), Vocabulary.of([]), **fields)
    columns = {name: np.concatenate([getattr(shard.events, name) for shard in shards]) for name in shards[0].events.columns()}
    indptr = np.append(0, np.cumsum(np.concatenate([np.diff(shard.indptr) for shard in shards])))
    if "baskets" in columns:
        columns["baskets"] = number_within(columns["baskets"], indptr, int(columns["baskets"].max(initial=-1)) + 1)
    fields["user_table"] = FeatureTable.joined([shard.user_table for shard in shards])
    return Dataset(Events(**columns), indptr, Vocabulary(one_column([shard.users.ids for shard in shards])), **fields)


_DTYPES = {"items": np.int32, "times": np.int64, "values": np.float32, "kinds": np.uint8, "baskets": np.int32, "weights": np.float32}


def one_column(ids: list[pl.Series]) -> pl.Series:
    """Ids of all shards; as text where some shards have numbers alone."""
    alike = len({column.dtype for column in ids}) < 2
    return pl.concat(ids if alike else [column.cast(pl.String) for column in ids])


def _itself(shard: Dataset) -> Dataset:
    return shard


def _sizes_of(shard: Dataset) -> tuple[int, int, int | None]:
    span = span_of(shard.events.times)
    return shard.n_events, shard.n_users, None if span is None else span[1]


def _catalogue_of(shard: Dataset) -> Catalogue:
    return shard.catalogue


def _ids_of(shard: Dataset) -> pl.Series:
    return shard.users.ids


@final
@dataclass(frozen=True)
class Held:
    """Shards that are in memory already: of tests, and of a log that is cut up to be gone through by several processes."""

    datasets: tuple[Dataset, ...]

    def __len__(self) -> int:
        return len(self.datasets)

    def load(self, index: int) -> Dataset:
        return self.datasets[index]


def held(whole: Dataset, count: int) -> Sharded:
    """A log in memory in `count` shards with user vocabularies of their own, as an opened one has; some are empty where there are fewer people."""
    edges = np.linspace(0, len(whole.users), count + 1).astype(int)
    span, parts = span_of(whole.events.times), []
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = whole.user_range(first, last)
        users = Vocabulary(whole.users.ids.slice(first, last - first))
        table = None if whole.user_table is None else whole.user_table.take(np.arange(first, last))
        own = {"users": users, "user_table": table, "first_user": first, "latest": None if span is None else span[1]}
        parts.append(replace(part, indptr=part.indptr[first : last + 1], **own))
    about = {name: getattr(whole, name) for name in ABOUT if name != "user_table"}
    return Sharded(Held(tuple(parts)), about | {"n_events": whole.n_events, "n_users": whole.n_users})
