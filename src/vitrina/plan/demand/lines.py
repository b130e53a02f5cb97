"""Sale lines, added up per item, place and day: all that is needed of a log to make its demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.time import DAY
from vitrina.types import Float64, Int32, Int64

Returns = Literal["error", "net", "drop"]
CELL = ("units", "back", "lines", "money", "priced")  # what adds up
TIMES = ("day", "first", "last")


@dataclass(frozen=True, eq=False)
class Lines:
    """Sums per cell (item, place, day), cells in that order and each once; and when the first and the last line of each day came.

    Args:
        item: (cells,) codes.
        place: (cells,) codes; 0 where there is one place.
        day: (cells,) days since 1970.
        units: (cells,) units sold.
        back: (cells,) units of lines below 0, which came back.
        lines: (cells,) how many lines.
        money: (cells,) what was paid for the units that have a price.
        priced: (cells,) units with a price.
        days: (days with a line, 3) the day, and the microseconds after midnight of its first and of its last line.
        read: lines that were looked at.
        empty: of them, lines of 0 units.
        returned: of them, lines below 0.
        largest: units of the largest line, and the code of its item.
    """

    item: Int32
    place: Int32
    day: Int64
    units: Float64
    back: Float64
    lines: Int64
    money: Float64
    priced: Float64
    days: Int64
    read: int
    empty: int
    returned: int
    largest: tuple[float, int]

    @classmethod
    def of(
        cls, item: Int32, place: Int32, times: Int64, quantity: NDArray[Any], price: NDArray[Any] | None = None, *, zone: str | None = None
    ) -> Lines:
        """Add lines up.

        Args:
            item: (lines,) codes.
            place: (lines,) codes.
            times: (lines,) microseconds since 1970.
            quantity: (lines,) units; below 0 for what came back.
            price: (lines,) per unit; NaN where it isn't known. A price of 0 is a gift, and no price.
            zone: whose midnight ends a day; None for that of the times as they are.
        """
        day, clock = days_of(times, zone)
        units, back = np.maximum(quantity, 0).astype(np.float64), np.maximum(-quantity, 0).astype(np.float64)
        known = np.zeros(len(units)) if price is None else np.where(price > 0, units, 0)
        money = np.zeros(len(units)) if price is None else np.nan_to_num(price) * known
        at = int(units.argmax()) if len(units) else 0
        own, where = np.unique(day, return_inverse=True)
        first, last = np.full(len(own), DAY), np.full(len(own), -1)
        np.minimum.at(first, where, clock)
        np.maximum.at(last, where, clock)
        largest = (float(units[at]), int(item[at])) if len(units) else (0.0, -1)
        tally = (len(item), int((quantity == 0).sum()), int((quantity < 0).sum()), largest)
        ones, days = np.ones(len(item), np.int64), np.stack([own, first, last], 1)
        return cls(item, place, day, units, back, ones, money, known, days, *tally)._added()

    @classmethod
    def joined(cls, parts: Sequence[Lines]) -> Lines:
        """The sums of several parts of a log."""
        if len(parts) == 1:
            return parts[0]
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("item", "place", "day", *CELL)}
        every = np.concatenate([part.days for part in parts])
        own, where = np.unique(every[:, 0], return_inverse=True)
        first, last = np.full(len(own), DAY), np.full(len(own), -1)
        np.minimum.at(first, where, every[:, 1])
        np.maximum.at(last, where, every[:, 2])
        sums = [sum(getattr(part, name) for part in parts) for name in ("read", "empty", "returned")]
        return cls(**columns, days=np.stack([own, first, last], 1), read=sums[0], empty=sums[1], returned=sums[2],
                   largest=max(part.largest for part in parts))._added()  # fmt: skip

    def _added(self) -> Lines:
        """The same with each cell once."""
        order = np.lexsort((self.day, self.place, self.item))
        item, place, day = self.item[order], self.place[order], self.day[order]
        new = np.ones(len(order), bool)
        new[1:] = (np.diff(item) != 0) | (np.diff(place) != 0) | (np.diff(day) != 0)
        start = np.flatnonzero(new)
        sums = {name: np.add.reduceat(getattr(self, name)[order], start) if len(start) else getattr(self, name) for name in CELL}
        return Lines(item[start], place[start], day[start], **sums, days=self.days, read=self.read, empty=self.empty,
                     returned=self.returned, largest=self.largest)  # fmt: skip

    def __len__(self) -> int:
        return len(self.item)

    def settled(self, returns: Returns) -> tuple[Float64, list[str]]:
        """(cells,) units sold with returns dealt with, and sentences on that.

        Raises:
            DataError: there are returns, and nobody said what to make of them.
        """
        if returns not in get_args(Returns):
            raise ParameterError(
                f"The 'returns' of demand must be 'error', 'net' or 'drop'. Got {returns!r}.", parameter="returns", value=returns
            )
        notes = [f"{self.empty:,} lines of 0 units count as no sale."] if self.empty else []
        if not self.returned:
            return self.units, notes
        came = f"{self.returned:,} of {self.read:,} lines have a quantity below 0 ({self.back.sum():,.0f} units)"
        if returns == "error":
            raise DataError(
                f"{came}: goods that came back, or mistakes that were mended. Take them off the day they came back with returns='net', "
                "or leave them out with returns='drop'."
            )
        if returns == "drop":
            return self.units, [*notes, f"{came} and were left out."]
        over = float(np.maximum(self.back - self.units, 0).sum())
        rest = f" {over:,.0f} of them found no sale of their item on that day, and are left out." if over else ""
        return np.maximum(self.units - self.back, 0), [*notes, f"{came} and were taken off the day they came back.{rest}"]


def days_of(times: Int64, zone: str | None) -> tuple[Int64, Int64]:
    """Days since 1970 and microseconds after midnight, by the clock of a zone.

    Raises:
        ParameterError: there is no such zone.

    >>> days_of(np.array([23 * 3_600_000_000]), "Europe/Berlin")[0].tolist(), days_of(np.array([23 * 3_600_000_000]), None)[0].tolist()
    ([1], [0])
    """
    if zone is not None:
        try:
            local = pl.Series(times).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone).dt.replace_time_zone(None)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, TypeError):
            raise ParameterError(
                f"The 'zone' must be a time zone such as 'Europe/London', or None for times as they are. Got {zone!r}.",
                parameter="zone",
                value=zone,
            ) from None
        times = local.to_physical().to_numpy()
    return times // DAY, times % DAY
