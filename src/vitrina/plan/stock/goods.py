"""Goods: what an item costs, earns and takes up, how long it keeps, and how it can be ordered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal, final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.data.read.sources import find_sources
from vitrina.plan.stock.goods_table import DOMAINS, refusal, rows_of
from vitrina.types import Bool, Float64
from vitrina.vocabulary import Vocabulary

YEAR = 365  # days for which the deposit rate is paid
ROUNDED = 1e-6  # by which chances may miss a sum of 1
PerItem = Any  # a number for all, or one per item; what is kept is Float64 of the shape (items,)


@final
@dataclass(frozen=True, eq=False, repr=False)
class Goods:
    """What is known of each item: a row per item, or per series of a forecast. A single number stands for all; what is kept is (items,) float64.

    `select(demand.item)` makes a row per series of a demand. Goods of one row stand for any number of series.

    Args:
        price: what a unit is sold for; NaN where it isn't known, and such an item can't be simulated.
        cost: what a unit is bought for; NaN likewise.
        volume: room that a unit takes, in any measure of space or area.
        storage: money per unit of volume and day, for what is there in the evening.
        deposit: rate per year on the stock valued at cost: what the money would have earned elsewhere; 0.16 for 16%.
        shelf_life: days on which a unit can be sold, the day of its arrival counted; inf, or None, for what never spoils.
        pack: units; orders are rounded up to whole packs: with 1 to whole units.
        minimum: units; an order is at least that much.
        order_cost: money per order.
        lead: days from an order in the morning to its arrival in the morning: 0 is there before the shop opens. A table (items, leads) has the chance of
            each lead of 0, 1, 2... days; orders may then overtake each other.
        review: days between two looks at the stock; 1 is each morning.
        salvage: share of the cost that a unit brings when it is written off; below 0 where getting rid of it costs money.
        returns: share of the sold units that come back, their price paid back.
        return_days: after how many days they do.
        resold: share of the returned units that can be sold again; they are as old as if they had stayed. The others are lost.
        penalty: money per unit and day that somebody waits for, where demand waits (back-orders).
        stock: units on hand, (items,) fresh ones, or (items, ages) with those that arrived a days ago in column a.
        coming: (items, days) units ordered before, which arrive in the morning of each day; None for nothing.
        ids: of the items, for tables and messages; None for numbers of rows.
        notes: sentences on how the table was read.

    Raises:
        ParameterError: a value is outside its domain; names the first rows.

    >>> Goods(price=10, cost=[6.0, 7.0], pack=12, shelf_life=14, lead=2, review=3)
    Goods(2 items; packs of 12, shelf life 14 days, lead 2 days, a look each 3 days)
    """

    price: PerItem
    cost: PerItem
    volume: PerItem = 1.0
    storage: PerItem = 0.0
    deposit: PerItem = 0.0
    shelf_life: PerItem = np.inf
    pack: PerItem = 1.0
    minimum: PerItem = 0.0
    order_cost: PerItem = 0.0
    lead: PerItem = 0.0
    review: PerItem = 1.0
    salvage: PerItem = 0.0
    returns: PerItem = 0.0
    return_days: PerItem = 7.0
    resold: PerItem = 1.0
    penalty: PerItem = 0.0
    stock: PerItem = 0.0
    coming: PerItem = None
    ids: pl.Series | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given = {f.name: self._numbers(f.name) for f in fields(self) if f.name not in ("ids", "notes")}
        lengths = {name: len(v) for name, v in given.items() if v.ndim and len(v) != 1}
        rows = max(lengths.values(), default=1) if self.ids is None else len(self.ids)
        if any(length != rows for length in lengths.values()):
            said = ", ".join(f"{length:,} of {name!r}" for name, length in lengths.items())
            raise ParameterError(f"The arguments of Goods must be one number each, or one per item ({rows:,}). Got {said}.")
        for name, values in given.items():
            object.__setattr__(self, name, np.ascontiguousarray(np.broadcast_to(values, (rows, *values.shape[1:]))))
            shown = np.atleast_1d(values)
            domain = DOMAINS["leads" if name == "lead" and shown.ndim == 2 else name]
            bad = ~domain.good(shown)
            if name == "lead" and shown.ndim == 2:
                bad[:, 0] |= np.abs(shown.sum(axis=1) - 1) > ROUNDED
            if name in ("price", "cost"):
                bad &= ~np.isnan(shown)  # isn't known
            if bad.any():
                raise ParameterError(refusal(f"The {name!r} of Goods", domain, shown, bad, self.ids), owner="Goods", parameter=name)

    def _numbers(self, name: str) -> Float64:
        value: Any = getattr(self, name)
        if value is None:
            value = {"shelf_life": np.inf, "coming": np.zeros((1, 0))}.get(name)
        try:
            values = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            raise ParameterError(f"The {name!r} of Goods must be a number, or one per item. Got {value!r}.", parameter=name) from None
        most = 2 if name in ("lead", "stock", "coming") else 1
        if values.ndim > most or (name == "coming" and values.ndim < most):
            raise ParameterError(
                f"The {name!r} of Goods must have {most} axes{' at most' if name != 'coming' else ''}. Got the shape {values.shape}."
            )
        return values

    @classmethod
    def of_table(
        cls, frame: Any, *, id: str = "item", items: Vocabulary | None = None, columns: Mapping[str, str] | None = None,
        missing: Literal["refuse", "keep"] = "refuse", **others: ArrayLike,
    ) -> Goods:  # fmt: skip
        """Read a table with a row per item. Columns that are called as the arguments of Goods are found without being named.

        Args:
            frame: a table of Polars, pandas or Arrow, or the path of a file.
            id: the column with ids of items.
            items: the ids of which a row is wanted, in their order; None for those of the table.
            columns: argument of Goods -> the table's own name of its column.
            missing: what to do where an item has no row, or no price or cost: refuse, or keep it as one that is not `known`, which no simulation takes.
            others: numbers for what the table doesn't tell.

        Raises:
            DataError: a column isn't there, an id is there twice, items are missing, or a value is outside its domain; names the first rows.

        >>> frame = pl.DataFrame({"sku": ["tea", "milk"], "retail": [4.0, 1.5], "cost": [2.0, 1.0], "days": [None, 9]})
        >>> goods = Goods.of_table(frame, id="sku", columns={"price": "retail", "shelf_life": "days"}, pack=6)
        >>> goods.shelf_life.tolist(), goods.pack.tolist()
        ([inf, 9.0], [6.0, 6.0])
        """
        if missing not in ("refuse", "keep"):
            raise ParameterError(f"The 'missing' of Goods.of_table must be 'refuse' or 'keep'. Got {missing!r}.", parameter="missing")
        known = [f.name for f in fields(cls) if f.name not in ("ids", "notes")]
        for name in [*(columns or {}), *others]:
            if name not in known:
                raise UnknownNameError.of("argument of Goods", name, known)
        both = sorted(set(columns or ()) & set(others))
        if both:
            raise ParameterError(f"The {both[0]!r} of Goods comes from a column or is given for all, not both.", parameter=both[0])
        sources = find_sources(frame, "the table of goods")
        named = {n: n for n in known if n in sources[0].columns and n not in others} | dict(columns or {})
        for name in ("price", "cost"):
            if name not in named and name not in others:
                raise DataError(
                    f"{sources[0].label} has no column {name!r}. Name yours: columns={{{name!r}: '...'}}. Its columns: {', '.join(sources[0].columns)}."
                )
        wanted, values, notes = rows_of(sources, id, items, named, keep=missing == "keep")
        return cls(**{**values, **others}, ids=wanted.ids, notes=notes)

    def __len__(self) -> int:
        return len(self.price)

    def __repr__(self) -> str:
        parts = [
            f"{words} {_range(getattr(self, name))}{unit}"
            for name, words, unit, plain in (
                ("pack", "packs of", "", 1.0), ("shelf_life", "shelf life", " days", np.inf), ("review", "a look each", " days", 1.0),
            )
            if (getattr(self, name) != plain).any()
        ]  # fmt: skip
        parts.insert(-1 if len(parts) > 2 else len(parts), f"lead {_range(self.mean_lead)} days")
        return f"Goods({len(self):,} items; {', '.join(parts)})"

    @property
    def known(self) -> Bool:
        """(items,) whether price and cost are known."""
        return ~(np.isnan(self.price) | np.isnan(self.cost))

    @property
    def margin(self) -> Float64:
        """(items,) price - cost."""
        return self.price - self.cost

    @property
    def holding(self) -> Float64:
        """(items,) money per unit in stock and day: volume * storage + cost * deposit / 365."""
        return self.volume * self.storage + self.cost * self.deposit / YEAR

    @cached_property
    def mean_lead(self) -> Float64:
        """(items,) days."""
        return self.lead if self.lead.ndim == 1 else self.lead @ np.arange(self.lead.shape[1])

    def select(self, rows: NDArray[Any] | list[int]) -> Goods:
        """These rows, in this order, each as often as it is named."""
        at = np.asarray(rows)
        values = {f.name: getattr(self, f.name)[at] for f in fields(self) if f.name not in ("ids", "notes")}
        return replace(self, **values, ids=None if self.ids is None else self.ids.gather(at))


def _range(values: Float64) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
