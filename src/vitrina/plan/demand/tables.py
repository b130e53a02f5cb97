"""Tables beside a log: what was in stock, and what it cost, per item, place and day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.time import DAY
from vitrina.data.columns import Column, Problem
from vitrina.data.read.clock import Clock
from vitrina.data.read.number_column import number
from vitrina.data.read.numerals import Numerals
from vitrina.data.read.sources import Source, find_sources
from vitrina.policy.reading import Ids, Wanted, read_columns
from vitrina.types import Bool, Float32, Int32, Int64
from vitrina.vocabulary import Vocabulary

FLAGS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


@dataclass(frozen=True)
class StockLog:
    """What was in stock: a row says how many units of an item were on hand at the end of a day, or whether there were any.

    On a day that a row ends with nothing the item was sold out: what was sold of it is the least that was wanted. Of several rows of one day one with
    nothing is enough. A row holds until the next one of its item, or until a day on which the item is sold, which shows that there was some again.

    Args:
        source: a file or table, as `read_interactions` takes it.
        item: column of item ids.
        date: column of days.
        stock: column of units from 0 up, or of true and false.
        place: column of places; None where there is one.
        holds: False where a row says nothing of the days after it.
    """

    source: Any
    item: str = "item_id"
    date: str = "date"
    stock: str = "stock"
    place: str | None = None
    holds: bool = True


@dataclass(frozen=True)
class PriceLog:
    """What one unit of an item cost from a day on, until the next row of that item.

    Args:
        source: a file or table, as `read_interactions` takes it.
        item: column of item ids.
        date: column of days.
        price: column of prices from 0 up.
        place: column of places; None for prices that hold everywhere.
    """

    source: Any
    item: str = "item_id"
    date: str = "date"
    price: str = "price"
    place: str | None = None


class Rows(NamedTuple):
    """A table of days, with codes for ids; rows by series and day, in the order of the file within one day."""

    item: Int32
    place: Int32  # 0 where there is no column of it
    day: Int64
    value: Float32
    notes: list[str]


def rows_of(log: StockLog | PriceLog, items: Vocabulary, places: Vocabulary | None) -> Rows:
    """Read the table; rows of ids that the sales don't know are left out and said.

    Raises:
        DataError: a column is missing, or a row can't be used.
    """
    of_stock = isinstance(log, StockLog)
    what, column = ("stock", log.stock) if isinstance(log, StockLog) else ("prices", log.price)
    if log.place is not None and places is None:
        raise ParameterError(f"The {what} have places ({log.place!r}), and the demand has one. Make it with place=, or leave theirs out.")
    if of_stock and places is not None and log.place is None:
        raise ParameterError("The demand has places, and the stock has none: name its column, StockLog(..., place='shop').")
    ids = Ids()
    wanted = {
        "item": Wanted("item", log.item, ids), "date": Wanted("date", log.date, days),
        "value": Wanted("stock" if of_stock else "price", column, _Amounts("stock" if of_stock else "price")),
    }  # fmt: skip
    if log.place is not None:
        wanted["place"] = Wanted("place", log.place, Ids())
    read = read_columns(find_sources(log.source, f"the table of {what}"), wanted)
    item = items.encode(read.values["item"])
    place = places.encode(read.values["place"]) if places is not None and log.place is not None else np.zeros(len(item), np.int32)
    known = (item >= 0) & (place >= 0)
    notes = []
    if not known.all():
        which = "items or places" if log.place is not None else "items"
        notes.append(
            f"{int((~known).sum()):,} of {len(known):,} rows of the {what} are of {which} that the log does not know, and were left out."
        )
    day, value = read.values["date"].to_numpy()[known], read.values["value"].to_numpy()[known]
    order = np.lexsort((day, place[known], item[known]))
    return Rows(item[known][order], place[known][order], day[order], value[order].astype(np.float32), notes)


def days(column: pl.Series, name: str, source: Source) -> Column:
    """Days since 1970.

    Raises:
        DataError: the column holds no dates.
    """
    clock = Clock()
    read = clock.read(column, name)
    if not clock.real:
        raise DataError(f"the column {name!r} must hold dates, such as 2027-01-31. Its numbers are no moments since 1990.")
    return Column(read.values // DAY, read.problems)


@dataclass(frozen=True)
class _Amounts:
    """Reads numbers from 0 up; of stock true and false too."""

    role: str

    def __call__(self, column: pl.Series, name: str, source: Source) -> Column:
        if self.role == "stock" and column.dtype == pl.String and column.drop_nulls().str.to_lowercase().is_in(list(FLAGS)).all():
            column = column.str.to_lowercase().replace_strict(FLAGS, return_dtype=pl.Float64)
        values, problems = number(column, name, Numerals(), self.role, pl.Float64)
        below = (values < 0).fill_null(value=False)
        if below.any():
            must = "hold units on hand from 0 up, or true and false" if self.role == "stock" else "hold prices from 0 up"
            remedy = "Write 0 where nothing is left." if self.role == "stock" else "Leave out lines that are no price."
            problems = [*problems, Problem(below, must, "is below 0", f"{values.filter(below)[0]:g}", remedy, remedy)]
        return Column(values, problems)


class Known(NamedTuple):
    """What a table says of each series and day."""

    value: Float32  # (series, days) of the last row up to the day; NaN before the first one
    own: Bool  # (series, days) whether the day has a row
    least: Float32  # (series, days) the smallest value among the rows of the day; NaN without one


def on_days(rows: Rows, series: Int64, start: int, length: int, count: int) -> Known:
    """Lay rows on the calendar.

    Args:
        series: (rows,) the series of each row, -1 for none.
        start: the first day, in days since 1970.
        length: how many days.
        count: how many series.
    """
    value, own = np.full((count, length), np.nan, np.float32), np.zeros((count, length), bool)
    least = np.full((count, length), np.nan, np.float32)
    column = rows.day - start
    use = (series >= 0) & (column < length)
    before = use & (column < 0)
    value[series[before], 0] = rows.value[before]  # the last one stays
    use &= ~before
    at = (series[use], column[use])
    value[at], own[at] = rows.value[use], True
    least[at] = np.inf
    np.minimum.at(least, at, rows.value[use])
    return Known(carried(value), own, least)


def carried(values: NDArray[Any]) -> NDArray[Any]:
    """(series, days) with NaN replaced by the last value before it.

    >>> carried(np.array([[np.nan, 2.0, np.nan, 3.0]])).tolist()
    [[nan, 2.0, 2.0, 3.0]]
    """
    last = np.where(np.isnan(values), np.int32(0), np.arange(values.shape[1], dtype=np.int32))
    np.maximum.accumulate(last, axis=1, out=last)
    return np.take_along_axis(values, last, axis=1)
