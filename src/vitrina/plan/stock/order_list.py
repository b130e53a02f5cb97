"""What to order today, of each item, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.base.printing import fixed, short
from vitrina.base.showing import titled
from vitrina.base.showing import to_pandas as as_pandas
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.stock.days import NEAR, ordered
from vitrina.plan.stock.goods import Goods
from vitrina.plan.stock.rules import OrderRule
from vitrina.plan.stock.simulate import fitting
from vitrina.plan.stock.windows import protected, window_means


@final
@dataclass(frozen=True, eq=False, repr=False)
class OrderList:
    """Orders of one morning.

    Args:
        table: a row per series, what costs most first: `item`, `order` (units), `packs`, `money` (at cost), `on_hand`, `on_way`, `expired` (units that can't be sold
            any more), `days` that the order has to last, `expected` demand of them, `order_at` and `order_up_to` (or `lot`) of the rule, and `why`.
    """

    table: pl.DataFrame

    def __len__(self) -> int:
        return int((self.table["order"] > 0).sum())

    @property
    def orders(self) -> pl.DataFrame:
        """Only what is ordered."""
        return self.table.filter(pl.col("order") > 0)

    @cached_property
    def sentences(self) -> list[str]:
        """What to tell a reader."""
        orders = self.orders
        told = [
            f"{len(orders):,} of {len(self.table):,} series are ordered today: {fixed(float(orders['order'].sum()), 0)} units for {short(float(orders['money'].sum()))}."
        ]
        rounded = float((orders["order"] - orders["wanted"]).sum()) if len(orders) else 0.0
        if rounded > NEAR:
            told.append(f"{short(rounded)} of the units are there because of packs and least orders only.")
        expired = float(self.table["expired"].sum())
        if expired > 0:
            told.append(f"{short(expired)} units on hand are past their shelf life and count for nothing.")
        return told

    def __repr__(self) -> str:
        return f"OrderList({len(self):,} orders): " + " ".join(self.sentences)

    def _repr_html_(self) -> str:
        return titled(" ".join(self.sentences), self.table)

    def to_pandas(self) -> Any:
        """`table` as a pandas DataFrame."""
        return as_pandas(self.table)


def order_now(forecast: Forecast, goods: Goods, rule: OrderRule, *, waiting: Any = 0.0, names: Sequence[str] | None = None) -> OrderList:
    """What a rule orders on the first morning of a forecast, of what is on hand and on the way: as `simulate` does on its first day.

    Args:
        forecast: from today on.
        goods: `stock` and `coming` as they are this morning; packs, minimum, lead and review as they are agreed.
        rule: such as that of `optimise`.
        waiting: units that are owed to customers, one number or one per series.
        names: what to show of each series, such as `demand.names()`; None for the ids of the goods.

    Raises:
        ParameterError: as `simulate`; or names or waiting aren't one per series.

    >>> from datetime import date
    >>> from vitrina.plan import OrderUpTo
    >>> forecast = Forecast(np.full((1, 1, 10), 4, np.float32), date(2027, 1, 1))
    >>> orders = order_now(forecast, Goods(price=3, cost=2, pack=12, lead=2, review=3, stock=7), OrderUpTo(safety=2))
    >>> orders.table["order"].to_list(), orders.table["why"][0]
    ([24.0], '7 on hand and 0 on the way for about 20 wanted in 5 days: up to 22 takes 15, 2 packs of 12.')
    """
    goods = fitting(forecast, goods, forecast, 1.0)
    series = len(forecast)
    owed = np.broadcast_to(np.asarray(waiting, np.float64), (series,)) if np.ndim(waiting) == 0 else np.asarray(waiting, np.float64)
    if owed.shape != (series,) or not (owed >= 0).all():
        raise ParameterError(
            f"The 'waiting' of order_now must be units from 0 up, one number or one per series ({series:,}). Got {waiting!r}."
        )
    shown = pl.Series(np.arange(series) if names is None and goods.ids is None else goods.ids if names is None else list(names))
    if len(shown) != series:
        raise ParameterError(f"The 'names' of order_now must be one per series ({series:,}). Got {len(shown):,}.")
    targets = rule.targets(forecast, goods)
    point, level, lot = targets.point[:, 0], targets.level[:, 0], targets.lot
    stock = goods.stock.reshape(series, -1)
    fit = np.arange(stock.shape[1]) < goods.shelf_life[:, None]
    on_hand, expired, on_way = (stock * fit).sum(axis=1), (stock * ~fit).sum(axis=1), goods.coming.sum(axis=1)
    position = on_hand + on_way - owed
    units = np.array([ordered(*row) for row in zip(position, point, level, lot, goods.minimum, goods.pack, strict=True)], np.float64)
    wanted = np.where(units > 0, np.where(lot > 0, units, np.minimum(level - position, units)), 0.0)
    table = pl.DataFrame(
        {
            "item": shown, "order": units, "packs": units / goods.pack, "money": units * goods.cost, "on_hand": on_hand, "on_way": on_way, "waiting": owed, "expired": expired,
            "days": protected(goods), "expected": window_means(forecast, goods)[:, 0], "order_at": point, "order_up_to": np.where(lot > 0, np.nan, level), "lot": lot,
            "wanted": wanted, "pack": goods.pack, "minimum": goods.minimum,
        }
    )  # fmt: skip
    return OrderList(
        table.with_columns(why=pl.Series([_why(row) for row in table.iter_rows(named=True)])).sort(
            "money", descending=True, maintain_order=True
        )
    )


def _why(row: dict[str, Any]) -> str:
    """One sentence on one order."""
    there = f"{_units(row['on_hand'])} on hand and {_units(row['on_way'])} on the way" + (
        f", {_units(row['waiting'])} owed" if row["waiting"] else ""
    )
    need = f"about {_units(row['expected'])} wanted in {row['days']} days"
    if not row["order"]:
        if row["order_at"] < 0:
            return "No level at which it is worth ordering."
        return f"{there} for {need}: above the level to order at, {_units(row['order_at'])}."
    if row["lot"] > 0:
        return f"{there} for {need}: at or below {_units(row['order_at'])}, so lots of {_units(row['lot'])}" + _rounded(row) + "."
    return f"{there} for {need}: up to {_units(row['order_up_to'])} takes {_units(row['wanted'])}" + _rounded(row) + "."


def _rounded(row: dict[str, Any]) -> str:
    raised = f", at least {_units(row['minimum'])}" if row["minimum"] > row["wanted"] + NEAR else ""
    packs = f", {_units(row['packs'])} pack{'s' if row['packs'] != 1 else ''} of {_units(row['pack'])}" if row["pack"] != 1 else ""
    return raised + packs


def _units(value: float) -> str:
    return fixed(value, 0 if abs(value - round(value)) < NEAR else 1)
