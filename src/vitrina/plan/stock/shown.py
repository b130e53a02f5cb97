"""What the plan knows, for the list: what is in stock, what a unit earns, and what will not sell before its shelf life ends."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl

from vitrina.base.arrays import Ragged, cuts
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.dataset import Dataset, Step
from vitrina.data.features import FeatureKind, FeatureTable, table_ids
from vitrina.data.versions import Versions
from vitrina.plan.demand.forecast import Forecast
from vitrina.plan.stock.goods import Goods
from vitrina.plan.stock.simulated import Simulated
from vitrina.types import Eligibility, Float64
from vitrina.vocabulary import Vocabulary

ID = "item_id"
COLUMNS = ("in_stock", "margin", "expiring", "value")
BLOCK = 1 << 23  # numbers of demand that are added up at a time


def item_columns(goods: Goods, forecast: Forecast, simulated: Simulated | None = None) -> pl.DataFrame:
    """What rules, re-rankers and rankers may read of each item, out of stock and plan.

        margin   = (margin of what is sold and stays sold - storage - deposit - write-offs - spoilt returns - orders - penalty) / units sold, over all paths of the
                   simulation; price - cost without one
        expiring = expected units on hand that are not sold before their shelf life ends, the oldest sold first; within the days of the forecast
        value    = margin + cost (1 - salvage) E[min(units that expire, 1)]

    The last term is what selling one more unit today saves: its cost is lost already where a unit expires otherwise. What is left at the end of the simulation counts
    nothing in the margin; where nothing is sold in it, the margin is unknown (null), and so is the value.

    Args:
        goods: a row per item, with ids and the stock on hand, by age where units expire: (items, ages).
        forecast: demand of these items, in their order.
        simulated: of these goods.

    Returns:
        Columns `item_id`, `in_stock`, `margin`, `expiring`, `value`; a row per item, in the order of the goods.

    Raises:
        ParameterError: goods have no ids, or one twice, or the three are not of the same rows.

    Cost: items x paths x (days + ages).

    >>> from datetime import date
    >>> import polars as pl
    >>> milk = Goods(price=2.0, cost=1.0, shelf_life=3, stock=[[0, 0, 6]], ids=pl.Series(["milk"]))  # six units whose last day is today
    >>> item_columns(milk, Forecast(np.full((1, 10, 7), 2, np.float32), date(2027, 3, 1))).rows()
    [('milk', True, 1.0, 4.0, 2.0)]
    """
    if goods.ids is None:
        raise ParameterError(
            "Columns of items need to know which items the goods are of. Give Goods their ids, or read them with Goods.of_table(...)."
        )
    if goods.ids.is_duplicated().any():
        twice = goods.ids.filter(goods.ids.is_duplicated())[0]
        raise ParameterError(
            f"A list has one row per item, and the goods have {twice!r} more than once. Choose one place: goods.select(...), forecast.select(...)."
        )
    others = {"forecast": len(forecast)} if simulated is None else {"forecast": len(forecast), "simulation": len(simulated)}
    for what, rows in others.items():
        if rows != len(goods):
            raise ParameterError(f"The {what} must be of the items of the goods, in their order ({len(goods):,}). Got {rows:,}.")
    lost = _lost(goods, forecast)
    margin = goods.margin if simulated is None else earned(simulated)
    value = margin + goods.cost * (1 - goods.salvage) * lost.one
    return pl.DataFrame({
        ID: goods.ids, "in_stock": goods.stock.reshape(len(goods), -1).sum(axis=1) > 0, "margin": pl.Series(margin).fill_nan(None), "expiring": lost.units,
        "value": pl.Series(value).fill_nan(None),
    })  # fmt: skip


def earned(simulated: Simulated) -> Float64:
    """(series,) money per unit that is sold and stays sold, after all costs but that of what is left; NaN where nothing is sold."""
    sold = (simulated.units("sold") - simulated.units("returned")).sum(axis=1)
    money = (simulated.profit + simulated.money["leftover"]).sum(axis=1)
    return np.divide(money, sold, out=np.full(len(sold), np.nan), where=sold > 0)


class Lost(NamedTuple):
    """(items,) expected units that expire, and the expected share of one unit that would be saved by selling one more."""

    units: Float64
    one: Float64


def _lost(goods: Goods, forecast: Forecast) -> Lost:
    units, one = np.zeros(len(goods)), np.zeros(len(goods))
    at = np.flatnonzero(np.isfinite(goods.shelf_life))
    for part in cuts(np.full(len(at), forecast.paths * (forecast.days + 1)), BLOCK):
        rows = at[part]
        lost = expired(goods.stock[rows].reshape(len(rows), -1), goods.shelf_life[rows], forecast.samples[rows].astype(np.float64))
        units[rows], one[rows] = lost.mean(axis=1), np.minimum(lost, 1).mean(axis=1)
    return Lost(units, one)


def expired(stock: Float64, life: Float64, demand: Float64) -> Float64:
    """(items, paths) units on hand that are not sold in time, the oldest sold first. What arrives later is younger, and changes nothing.

    A unit of age a can be sold on the days 0 .. life - a - 1. At each such end, from the oldest units on, what all units up to that age were, less what was sold or expired
    until then, expires.

    Args:
        stock: (items, ages) units that arrived a days ago.
        life: (items,) days.
        demand: (items, paths, days) of the coming days; ends after them are left out.
    """
    days = demand.shape[2]
    cumulative = np.concatenate([np.zeros((*demand.shape[:2], 1)), np.cumsum(demand, axis=2)], axis=2)
    total = stock.sum(axis=1)[:, None]
    sold, lost, older = np.zeros(demand.shape[:2]), np.zeros(demand.shape[:2]), np.zeros((len(stock), 1))
    before = np.zeros(len(stock), np.int64)
    row = np.arange(len(stock))
    for age in range(stock.shape[1])[::-1]:
        end = np.clip(life - age, 0, days).astype(np.int64)
        sold += np.minimum(cumulative[row, :, end] - cumulative[row, :, before], total - sold - lost)
        older = older + stock[:, age, None]
        lost += np.where((life - age <= days)[:, None], np.maximum(older - sold - lost, 0), 0)
        before = end
    return lost


def onto_items(data: Dataset, columns: pl.DataFrame) -> Dataset:
    """The log with these columns in its table of items, for rules, re-rankers and rankers; a column of the same name is replaced.

    `vt.rules.Only(where={"in_stock": True})` shows what is in stock, `vt.ranking.SessionValue(value="value")` orders by what is earned. Items without a row have nulls: no rule takes
    them for in stock.

    Args:
        data: a log.
        columns: `item_columns` makes them; any table with `item_id` will do.

    Raises:
        DataError: there is no column of ids, or an id is there twice.

    >>> import polars as pl, vitrina as vt
    >>> data = onto_items(vt.testing.toy(), pl.DataFrame({"item_id": ["tea", "zzz"], "in_stock": [True, True]}))
    >>> data.item_table.frame["in_stock"].drop_nulls().to_list(), data.steps[-1].note
    ([True], '1 of 4 items have a row. 1 row is of an item that the log does not know.')
    """
    if ID not in columns.columns:
        raise DataError(f"Columns of items need their ids in {ID!r}. Got {', '.join(columns.columns)}.")
    known = data.items.encode(table_ids(columns[ID])) >= 0
    new = FeatureTable.of(columns, ID, data.items)
    old = data.item_table
    table = new if old is None else _joined(old, new)
    counts = (data.n_events, data.n_events, data.n_users, data.n_users, data.n_items, data.n_items)
    rest = int((~known).sum())
    unknown = f" {rest:,} row{'s are of items' if rest > 1 else ' is of an item'} that the log does not know." if rest else ""
    note = f"{int(known.sum()):,} of {data.n_items:,} items have a row.{unknown}"
    return data.changed(item_table=table, steps=(*data.steps, Step("onto_items", *counts, note)))


def _joined(old: FeatureTable, new: FeatureTable) -> FeatureTable:
    """Both tables, the second before the first; at earlier times its columns aren't known."""
    names = new.frame.columns
    frame = old.frame.drop(names, strict=False).hstack(new.frame)
    kept: dict[str, FeatureKind] = {name: kind for name, kind in old.kinds.items() if name not in names}
    versions = old.versions
    if versions is not None:
        unknown = [pl.lit(None, new.frame.schema[name]).alias(name) for name in names]
        versions = Versions(versions.codes, versions.since, versions.frame.drop(names, strict=False).with_columns(unknown))
    return FeatureTable(frame, kept | dict(new.kinds), old.title or new.title, versions)


def in_stock(columns: pl.DataFrame, items: Vocabulary, eligible: Eligibility | None = None) -> Eligibility:
    """Only what is in stock may be shown: an item without a row, or of which it isn't known, may not.

    Args:
        columns: with `item_id` and `in_stock`, as `item_columns` makes them.
        items: of the log, `data.items`.
        eligible: what else holds; None for what an Eligibility is by itself.

    Raises:
        DataError: a column is missing, or no item of the log is in stock.

    >>> import polars as pl, vitrina as vt
    >>> data = vt.testing.toy()
    >>> have = in_stock(pl.DataFrame({"item_id": ["tea", "jam"], "in_stock": [True, False]}), data.items)
    >>> data.items.decode(have.include).to_list()
    ['tea']
    """
    for name in (ID, "in_stock"):
        if name not in columns.columns:
            raise DataError(f"What is in stock is read of the columns {ID!r} and 'in_stock'. Got {', '.join(columns.columns)}.")
    codes = items.encode(table_ids(columns[ID]))
    have = np.unique(codes[(codes >= 0) & columns["in_stock"].fill_null(value=False).to_numpy()])
    if not len(have):
        raise DataError(
            f"No item of the log is in stock: {len(columns):,} rows, {int((codes >= 0).sum()):,} of them of its items. Check the ids and the stock."
        )
    eligible = Eligibility() if eligible is None else eligible
    other = eligible.include
    if isinstance(other, Ragged):
        return replace(eligible, include=other.keep(np.isin(other.values, have)))
    return replace(eligible, include=have if other is None else np.intersect1d(other, have).astype(np.int32))
