"""What rows of a table said at other times: slowly changing attributes, each state with the moment from which on it held."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.types import Bool, Int32, Int64

ALWAYS = int(np.iinfo(np.int64).min)  # from when on a state held of which nobody said since when


@dataclass(frozen=True, eq=False)
class Versions:
    """States of the rows of a table in the order in which they were told.

    At a time a row is in the state with the latest beginning up to it; of those that begin together the one told last.

    Args:
        codes: (states,) whose row it is.
        since: (states,) from when on it held, in the unit of the log's times; `ALWAYS` where nobody said.
        frame: (states,) the columns of the table.

    >>> price = Versions(np.array([0, 1, 0]), np.array([ALWAYS, 5, 10]), pl.DataFrame({"price": [3.0, 8.0, 4.0]}))
    >>> price.at(4, length=2)["price"].to_list(), price.at(10, length=2)["price"].to_list()
    ([3.0, None], [4.0, 8.0])
    """

    codes: Int32
    since: Int64
    frame: pl.DataFrame

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def order(self) -> Int64:
        """Positions of the states by (row, beginning), those told later behind."""
        return np.lexsort((self.since, self.codes))

    @cached_property
    def until(self) -> Int64:
        """(states,) to when a state held (exclusive): the beginning of the next one of its row; the largest number for the last."""
        until = np.full(len(self), np.iinfo(np.int64).max)
        same = self.codes[self.order[1:]] == self.codes[self.order[:-1]]
        until[self.order[:-1][same]] = self.since[self.order[1:][same]]
        return until

    def at(self, time: int, *, length: int) -> pl.DataFrame:
        """(length,) the rows as of a time, nulls for those of which nothing was known yet."""
        place = np.full(length, -1, np.int64)
        known = self.order[self.since[self.order] <= time]
        place[self.codes[known]] = known  # the last of a row stays
        return self.frame.select(pl.all().gather(pl.Series(place).replace(-1, None).cast(pl.UInt32)))

    def select(self, keep: Bool) -> Versions:
        """Only some of the states."""
        return Versions(self.codes[keep], self.since[keep], self.frame.filter(pl.Series(keep)))

    def take(self, codes: NDArray[Any]) -> Versions:
        """The states of these rows, which are the rows 0, 1, ... then."""
        place = np.full(max(int(self.codes.max(initial=-1)), int(np.max(codes, initial=-1))) + 1, -1, np.int32)
        place[codes] = np.arange(len(codes), dtype=np.int32)
        own = place[self.codes]
        kept = self.select(own >= 0)
        return Versions(own[own >= 0], kept.since, kept.frame)

    def table(self) -> pl.DataFrame:
        """The states as a table: `code`, `since` (null where nobody said), `until` (null where it holds still) and the columns."""
        since, until = pl.Series("since", self.since), pl.Series("until", self.until)
        return pl.DataFrame([
            pl.Series("code", self.codes),
            since.set(since == ALWAYS, None),
            until.set(until == np.iinfo(np.int64).max, None),
            *self.frame.get_columns(),
        ])  # fmt: skip

    @classmethod
    def of_table(cls, table: pl.DataFrame) -> Versions:
        """From what `table` gave."""
        since = table["since"].fill_null(ALWAYS).to_numpy()
        return cls(table["code"].cast(pl.Int32).to_numpy(), since, table.drop("code", "since", "until"))

    @cached_property
    def fingerprint(self) -> str:
        hashes = self.table().hash_rows(seed=0).to_numpy()
        return hashlib.sha256(hashes.tobytes()).hexdigest()[:16]
