"""What is settled of a whole log before its shards are cut: the value at a place in their order, and draws by the place of a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.data.dataset import Dataset
from vitrina.data.passes import Passes, itself
from vitrina.types import Float64

BINS = 1 << 16
FEW = 1 << 22  # values that are held at once

Column = Callable[[Dataset], NDArray[Any]]  # 64-bit integers of a shard


def smallest(data: Dataset, column: Column, place: int, span: tuple[int, int], count: int) -> int:
    """The value at `place` when those of all shards are sorted, exactly.

    While more than 4 million values are left, a pass counts them in 65,536 bins between the least and the most, and the bin that has the place goes on;
    then a pass collects the few that are left. Two passes for 100 million times of a year.

    Args:
        column: 64-bit integers of a shard.
        span: between which two all values are.
        count: of all values.

    Cost: a pass reads every shard, with 1 MB of counts each; the last holds at most 4 million values.

    >>> import vitrina as vt
    >>> from vitrina.data.split.time import times_of
    >>> log = vt.testing.toy()
    >>> smallest(log, times_of, 3, (0, 2**62), 20) == int(np.sort(log.events.times)[3])
    True
    """
    low, high = span
    while count > FEW and low < high:
        width = (high - low) // BINS + 1
        counts = Passes(data, itself).sum(Counted(column, low, high, width))
        upto = np.cumsum(counts)
        within = int(np.searchsorted(upto, place, side="right"))
        place -= int(upto[within] - counts[within])
        low, high, count = low + within * width, min(low + within * width + width - 1, high), int(counts[within])
    if low == high:
        return low
    left = np.concatenate(list(data.map_shards(Between(column, low, high))))
    return int(np.partition(left, place)[place])


@dataclass(frozen=True)
class Between:
    """The values of a shard from `low` to `high`."""

    column: Column
    low: int
    high: int

    def __call__(self, shard: Dataset) -> NDArray[Any]:
        values = self.column(shard)
        return values[(values >= self.low) & (values <= self.high)]


@dataclass(frozen=True)
class Counted:
    """How many values of a shard are in each bin of a width between `low` and `high`."""

    column: Column
    low: int
    high: int
    width: int

    def __call__(self, shard: Dataset) -> NDArray[Any]:
        values = Between(self.column, self.low, self.high)(shard)
        above = values.astype(np.uint64) - np.uint64(self.low % (1 << 64))  # wraps around to what it should be, below 0 too
        return np.bincount((above // np.uint64(self.width)).astype(np.int64), minlength=BINS)


def drawn(seed: int, first: int, count: int) -> Float64:
    """Numbers `first` to `first + count - 1` of a sequence of uniform draws: those of a shard are a part of those of the whole.

    >>> bool((drawn(3, 2, 2) == drawn(3, 0, 4)[2:]).all())
    True
    """
    generator = np.random.Generator(np.random.PCG64(seed).advance(first))
    return generator.random(count)
