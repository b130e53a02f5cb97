"""Demand: how much of each item was wanted per day, with the days of which the log can't say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import ParameterError
from vitrina.types import Bool, Float32, Int32
from vitrina.vocabulary import Vocabulary

# States of a day: nothing is known, or the item wasn't on sale; what was sold is what was wanted; at least that was wanted.
ABSENT, SEEN, SOLD_OUT = 0, 1, 2


@final
@dataclass(frozen=True, eq=False, repr=False)
class Demand:
    """Units per series and day: a series is an item, or an item at a place. Days without a sale are kept as 0.

    A day on which the item was sold out is censored: its units are the least that was wanted, and no forecaster takes them for the demand. Before the
    first day of an item, and where nothing is known, there is no demand and no 0.

    Args:
        units: (series, days) what was sold; 0 where nothing was, or nothing is known.
        state: (series, days) 0 where nothing is known or the item wasn't on sale, 1 where the units are the demand, 2 where they are the least of it.
        item: (series,) codes of `items`.
        items: ids of the items.
        start: the first day.
        step: days in one of the columns: 1, or 7 for weeks.
        place: (series,) codes of `places`; None where there is one place.
        places: ids of the places.
        price: (series, days) what one unit cost on average; NaN where it isn't known. None without prices.
        stocked: whether a table of stock said when an item was sold out. Where it is False a day of 0 may be one without stock, which `notes` say.
        table: of the items, a row per code: titles and categories; None without one.
        title: the column of `table` to show to people.
        notes: sentences on what was made of the data.

    Raises:
        ParameterError: shapes don't fit, or units are below 0 or not finite.
    """

    units: Float32
    state: NDArray[np.int8]
    item: Int32
    items: Vocabulary
    start: date
    step: int = 1
    place: Int32 | None = None
    places: Vocabulary | None = None
    price: Float32 | None = None
    stocked: bool = False
    table: pl.DataFrame | None = None
    title: str | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.units.ndim != 2 or self.state.shape != self.units.shape or len(self.item) != len(self.units):
            raise ParameterError(
                f"Demand has units and states of one shape (series, days), and an item per series. Got {self.units.shape}, {self.state.shape} "
                f"and {len(self.item)} items."
            )
        if not (np.isfinite(self.units).all() and (self.units >= 0).all()):
            raise ParameterError("Units of demand must be numbers from 0 up. Take returns off, or leave them out, before a Demand is made.")

    def __len__(self) -> int:
        return len(self.units)

    def __repr__(self) -> str:
        return f"Demand({len(self):,} series, {self.days:,} {'days' if self.step == 1 else f'steps of {self.step} days'} from {self.start})"

    @property
    def days(self) -> int:
        """Columns: how many days, or steps of several."""
        return self.units.shape[1]

    @property
    def end(self) -> date:
        """The day after the last one: where a forecast begins."""
        return self.start + timedelta(days=self.days * self.step)

    @cached_property
    def seen(self) -> Bool:
        """(series, days) whether the units are the demand."""
        return self.state == SEEN

    @cached_property
    def weekday(self) -> Int32:
        """(days,) 0 for Monday to 6 for Sunday; all 0 where a step is no single day."""
        if self.step != 1:
            return np.zeros(self.days, np.int32)
        return ((self.start.weekday() + np.arange(self.days)) % 7).astype(np.int32)

    def select(self, series: NDArray[Any] | Sequence[int]) -> Demand:
        """These series, in this order; codes stay."""
        keep = np.asarray(series)
        return replace(
            self, units=self.units[keep], state=self.state[keep], item=self.item[keep], place=None if self.place is None else self.place[keep],
            price=None if self.price is None else self.price[keep],
        )  # fmt: skip

    def between(self, first: int, last: int) -> Demand:
        """Columns first to last - 1: what was known at an earlier day, or what came after it."""
        if not 0 <= first < last <= self.days:
            raise ParameterError(f"Columns of a Demand go from 0 to {self.days}, the first before the last. Got {first} to {last}.")
        return replace(
            self, units=self.units[:, first:last], state=self.state[:, first:last], start=self.start + timedelta(days=first * self.step),
            price=None if self.price is None else self.price[:, first:last],
        )  # fmt: skip

    def names(self) -> list[str]:
        """What to show of each series: the title, or the id, of its item, and its place."""
        ids = self.items.ids.gather(self.item).cast(pl.String)
        titles = (
            ids if self.table is None or self.title is None else self.table[self.title].cast(pl.String).gather(self.item).fill_null(ids)
        )
        if self.place is None or self.places is None:
            return titles.to_list()
        where = self.places.ids.gather(self.place).cast(pl.String)
        return [f"{title}, {at}" for title, at in zip(titles, where, strict=True)]
