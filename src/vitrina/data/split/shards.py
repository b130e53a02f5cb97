"""A split of a log that is larger than memory: each shard is cut when it is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, TypeVar, final

from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset
from vitrina.data.passes import Passes, Through
from vitrina.data.sharded import Sharded
from vitrina.data.split.base import Rule, Split
from vitrina.data.split.tally import Tally
from vitrina.types import Eligibility, Queries, Ragged

R = TypeVar("R")
OWN = ("eligible", "rule", "counts", "warnings")  # what a split says of itself, its shards say too


@final
@dataclass(frozen=True)
class Told:
    """The split of a shard with what is said of the whole."""

    fields: Mapping[str, Any]
    of_train: Mapping[str, Any]

    def __call__(self, split: Split) -> Split:
        return split.changed(train=split.train.changed(**self.of_train), **self.fields)


@final
class ShardedSplit(Split):
    """One fold of a log larger than memory: fit on `train`, which has shards; answer and judge shard by shard with `map_shards`.

    The split of a shard has its own `queries` and `truth`, and says of rule, counts and warnings what the whole says. People of a shard have
    codes of its own: `shard.train.first_user + code` is one in the whole log.

    Args:
        made: passes over the log that make the split of each shard.
        train: the training part, a Sharded log.
        fields: `eligible`, `rule`, `counts`, `warnings`, `validation`, as in a Split.

    Cost: nothing is kept: a pass over `map_shards` opens and cuts each shard again; over `train` it makes the training part alone.

    >>> import vitrina as vt
    >>> from vitrina.data.sharded import held
    >>> split = held(vt.testing.toy(), 3).split(vt.split.LeaveOneOut())
    >>> split, [shard.n_queries for shard in split.shards()]
    (Split(LeaveOneOut(): 14 training events, 6 queries, 6 targets), [2, 2, 2])
    """

    def __init__(self, made: Passes[Split], train: Sharded, **fields: Any) -> None:
        given = {"rule": None, "counts": {}, "warnings": (), "validation": None, "grades": None} | fields | {"made": made, "train": train}
        for name, value in given.items():
            object.__setattr__(self, name, value)

    made: Passes[Split]
    train: Sharded
    eligible: Eligibility
    rule: Rule | None

    @property
    def queries(self) -> Queries:  # type: ignore[override]
        self._refuse("queries")

    @property
    def truth(self) -> Ragged:  # type: ignore[override]
        self._refuse("truth")

    @property
    def n_queries(self) -> int:
        return self.tally.queries

    @property
    def n_targets(self) -> int:
        return self.tally.targets

    def _refuse(self, name: str) -> NoReturn:
        raise DataError(
            f"{self!r} is of a log larger than memory, and its {name!r} can't be had as a whole. Go through split.shards(), each of which has "
            "them, or split data.to_memory() where that fits."
        )

    def changed(self, **fields: Any) -> ShardedSplit:
        kept = {name: getattr(self, name) for name in (*OWN, "validation", "made", "train")} | fields
        return ShardedSplit(**kept)

    def shards(self) -> Iterator[Split]:
        return map(Through(self.made.prepare, self._told), self.made.data.shards())

    def map_shards(self, function: Callable[[Split], R]) -> Iterator[R]:
        return self.made.map(Through(self._told, function))

    @property
    def _told(self) -> Told:
        of_train = {"rule": self.train.rule, "latest": self.train.latest}
        return Told({name: getattr(self, name) for name in OWN}, of_train)

    @cached_property
    def tally(self) -> Tally:
        return self.made.sum(Tally.of)


@final
@dataclass(frozen=True)
class TrainOf:
    """The training part of a shard, by what makes its piece or its split."""

    make: Callable[[Dataset], Any]

    def __call__(self, shard: Dataset) -> Dataset:
        return self.make(shard).train


@final
@dataclass(frozen=True)
class Instead:
    """The split of a shard with another training part: that of the validation inside."""

    make: Callable[[Dataset], Split]
    validation: Callable[[Dataset], Split]

    def __call__(self, shard: Dataset) -> Split:
        split = self.make(shard)
        return split.changed(train=self.validation(split.train).train)
