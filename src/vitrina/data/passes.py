"""Functions that go over a log shard by shard, and what is added up of what they give."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

if TYPE_CHECKING:
    from vitrina.data.dataset import Dataset

P = TypeVar("P")
R = TypeVar("R")


@final
@dataclass(frozen=True)
class Through:
    """One function after the other, as one that can go to another process.

    >>> Through(abs, str)(-1)
    '1'
    """

    first: Callable[[Any], Any]
    then: Callable[[Any], Any]

    def __call__(self, given: Any) -> Any:
        return self.then(self.first(given))


@final
class Passes(Generic[P]):
    """What a function makes of each shard of a log, gone through as often as is asked. Of a log in memory, which is one shard, it is made once and kept.

    Args:
        data: the log.
        prepare: a function of a shard; it may go to another process.

    >>> import vitrina as vt
    >>> lengths = Passes(vt.testing.toy(), len)
    >>> lengths.sum(abs), list(lengths.then(str).map(len))
    (20, [2])
    """

    def __init__(self, data: Dataset, prepare: Callable[[Dataset], P]) -> None:
        self.data, self.prepare = data, prepare

    @cached_property
    def held(self) -> P:
        """Of a log in memory."""
        return self.prepare(self.data)

    def map(self, function: Callable[[P], R]) -> Iterator[R]:
        """What a function gives for each shard, in their order: a pass."""
        return iter((function(self.held),)) if self.data.in_memory else self.data.map_shards(Through(self.prepare, function))

    def sum(self, function: Callable[[P], R]) -> R:
        """The sum of what a function gives: a pass."""
        parts: Iterator[Any] = self.map(function)
        return reduce(operator.add, parts)

    def then(self, function: Callable[[P], R]) -> Passes[R]:
        """The same passes over what a function makes of it."""
        following = Passes(self.data, Through(self.prepare, function))
        if self.data.in_memory:
            following.__dict__["held"] = function(self.held)
        return following


def itself(shard: Dataset) -> Dataset:
    """For passes over the log as it is."""
    return shard


def added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    """Counts by name, of two parts.

    >>> added({"tea": 1}, {"tea": 2, "jam": 1})
    {'tea': 3, 'jam': 1}
    """
    return {name: one.get(name, 0) + other.get(name, 0) for name in one | other}


def wider(one: tuple[int, int] | None, other: tuple[int, int] | None) -> tuple[int, int] | None:
    """From the first to the last of two spans; None is one without anything.

    >>> wider((3, 5), None), wider((3, 5), (1, 4))
    ((3, 5), (1, 5))
    """
    if one is None or other is None:
        return other if one is None else one
    return min(one[0], other[0]), max(one[1], other[1])


def span_of(times: Any) -> tuple[int, int] | None:
    """The first and the last of times, in any order."""
    return None if times is None or not len(times) else (int(times.min()), int(times.max()))


@final
@dataclass(frozen=True)
class Offsets:
    """How many things (people, events) the shards before one have, by the `first_user` of the shard."""

    before: dict[int, int]

    @classmethod
    def of(cls, passes: Passes[P], count: Callable[[P], tuple[int, int]]) -> tuple[Offsets, int]:
        """The offsets, and how many there are in all: a pass. `count` gives the `first_user` of a shard, and how many things it has."""
        before, total = {}, 0
        for first_user, number in passes.map(count):
            before[first_user] = total  # a shard without people has the number of the next one, which comes after it
            total += number
        return cls(before), total

    def of_shard(self, shard: Dataset) -> int:
        return self.before[shard.first_user]


def users_of(shard: Dataset) -> tuple[int, int]:
    """The `first_user` of a shard, and how many people have events: for `Offsets`."""
    return shard.first_user, shard.n_users
