"""A log larger than memory: its shards are opened one at a time, and what is asked of the whole is the sum over them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, NoReturn, Protocol, TypeVar, final

import numpy as np
import polars as pl

from vitrina.base.errors import DataError
from vitrina.base.executor import Executor, InProcess
from vitrina.catalogue import Catalogue
from vitrina.data.dataset import Dataset
from vitrina.vocabulary import Vocabulary

T = TypeVar("T")
R = TypeVar("R")
WHOLE = ("events", "indptr", "user_of", "csr", "select", "frame", "user_range", "events_of", "to_pandas")  # arrays of the whole log


class Parts(Protocol):
    """Where shards come from: light and plain, so that another process can open a shard by its number.

    `load(index)` is a Dataset in memory with the users of that shard alone: its own user vocabulary and `first_user`, the number of people in the
    shards before it, so that `first_user + code` is the code of a person in the whole log. All shards share the item vocabulary.
    """

    def __len__(self) -> int: ...
    def load(self, index: int) -> Dataset: ...


@final
@dataclass(frozen=True)
class Mapped:
    """Shards, each through a pure function when it is opened."""

    parts: Parts
    step: Callable[[Dataset], Dataset]

    def __len__(self) -> int:
        return len(self.parts)

    def load(self, index: int) -> Dataset:
        return self.step(self.parts.load(index))


@final
@dataclass(frozen=True)
class OnShard:
    """A function of a shard as one of its number, for an executor."""

    parts: Parts
    function: Callable[[Dataset], Any]

    def __call__(self, index: int) -> Any:
        return self.function(self.parts.load(index))


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

    Args:
        parts: the shards.
        about: the fields of a Dataset but its arrays and users: items, time_unit, kind_names, item_table, rule, repeat, steps, name.
        executor: who runs functions over shards.
    """

    in_memory: ClassVar[bool] = False

    def __init__(self, parts: Parts, about: Mapping[str, Any], executor: Executor = InProcess()) -> None:
        given = {"time_unit": None, "kind_names": (), "item_table": None, "user_table": None, "rule": None, "repeat": None, "steps": (), "name": "log", "first_user": 0}  # fmt: skip
        for name, value in (given | dict(about) | {"parts": parts, "executor": executor, "shard_count": len(parts)}).items():
            object.__setattr__(self, name, value)

    parts: Parts
    executor: Executor

    def changed(self, **fields: Any) -> Sharded:
        about = {name: getattr(self, name) for name in ("items", "time_unit", "kind_names", "item_table", "user_table", "rule", "repeat", "steps", "name")}  # fmt: skip
        return Sharded(self.parts, about | fields, self.executor)

    def on(self, executor: Executor) -> Sharded:
        """The same log, whose shards this executor goes through."""
        about = {name: getattr(self, name) for name in ("items", "time_unit", "kind_names", "item_table", "user_table", "rule", "repeat", "steps", "name")}  # fmt: skip
        return Sharded(self.parts, about, executor)

    def mapped(self, step: Callable[[Dataset], Dataset], **fields: Any) -> Sharded:
        """The log whose shards are those of this one, each through `step` when it is opened. `step` can go to another process."""
        changed = self.changed(**fields)
        return Sharded(
            Mapped(self.parts, step),
            {name: value for name, value in vars(changed).items() if name not in ("parts", "executor")},
            self.executor,
        )

    def shards(self) -> Iterator[Dataset]:
        return (self.parts.load(index) for index in range(len(self.parts)))

    def map_shards(self, function: Callable[[Dataset], R]) -> Iterator[R]:
        return self.executor.map(OnShard(self.parts, function), range(len(self.parts)))

    def counted(self) -> Sharded:
        return self.mapped(Dataset.counted)

    @cached_property
    def n_events(self) -> int:  # type: ignore[override]
        known = getattr(self.parts, "n_events", None)  # a manifest says it
        return sum(self.map_shards(_events_of)) if known is None else known

    @cached_property
    def n_users(self) -> int:  # type: ignore[override]
        known = getattr(self.parts, "n_users", None)
        return sum(self.map_shards(_users_of)) if known is None else known

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]
        """16 hex digits: of the content of an opened log, as its manifest has it; of other shards, a sha256 over the fingerprint of each."""
        known = getattr(self.parts, "fingerprint", None)
        return hashlib.sha256("".join(self.map_shards(_fingerprint_of)).encode()).hexdigest()[:16] if known is None else known

    @cached_property
    def catalogue(self) -> Catalogue:  # type: ignore[override]
        events, users, people = np.zeros(self.n_items, np.int64), np.zeros(self.n_items, np.int64), 0
        for part in self.map_shards(_catalogue_of):
            events, users, people = events + part.events, users + part.users, people + part.n_users
        return Catalogue(events, users, people)

    @cached_property
    def users(self) -> Vocabulary:  # type: ignore[override]
        """Of the whole log, in the order of shards: 16 bytes and the text per person."""
        return Vocabulary(pl.concat(list(self.map_shards(_ids_of))))

    def __getattr__(self, name: str) -> NoReturn:
        if name in WHOLE:
            raise DataError(
                f"{type(self).__name__} {self.name!r} is larger than memory: its {name!r} can't be had as a whole. Go through data.shards(), or "
                "take data.to_memory() where it fits."
            )
        raise AttributeError(name)


def _events_of(shard: Dataset) -> int:
    return shard.n_events


def _fingerprint_of(shard: Dataset) -> str:
    return shard.fingerprint


def _users_of(shard: Dataset) -> int:
    return shard.n_users


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
    """A log in memory in `count` shards with user vocabularies of their own, as an opened one has."""
    edges = np.linspace(0, len(whole.users), count + 1).astype(int)
    parts = []
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        part = whole.user_range(first, last)
        users = Vocabulary(whole.users.ids.slice(first, last - first))
        parts.append(replace(part, users=users, indptr=part.indptr[first : last + 1], first_user=first))
    about = {name: getattr(whole, name) for name in ("items", "time_unit", "kind_names", "item_table", "rule", "repeat", "steps", "name")}
    return Sharded(Held(tuple(parts)), about)
