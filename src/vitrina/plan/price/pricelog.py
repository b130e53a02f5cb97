"""Which days of a demand have a price that counts, and what it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import final

import numpy as np
import polars as pl

from vitrina.base.errors import DataError, ParameterError
from vitrina.plan.demand.demand import ABSENT, SOLD_OUT, Demand
from vitrina.types import Bool, Float64, Int64

FEW = 0.7  # of the days as many as which they tell, below which it is said


@final
@dataclass(frozen=True, eq=False)
class PricedDays:
    """Prices of days and how much each day counts.

    Args:
        price: (series, days) NaN where none is known.
        weight: (series, days) 0 where a day doesn't count; else 1, or one over the chance of its price with a mean of 1 per item.
        censored: (series, days) units are the least that was wanted.
        notes: sentences on what was left out or filled.
    """

    price: Float64
    weight: Float64
    censored: Bool
    notes: tuple[str, ...]


def priced_days(demand: Demand, randomised: pl.DataFrame | None, *, at_least: bool, carry: int) -> PricedDays:
    """Look at the prices of a demand, and say what of them counts.

    Raises:
        ParameterError: there are no prices, or one isn't above 0.
        DataError: the table of drawn prices can't be used.
    """
    if not isinstance(carry, int) or isinstance(carry, bool) or carry < 0:
        raise ParameterError(f"The 'carry' of a price is a number of days from 0 up. Got {carry!r}.", parameter="carry")
    known = demand.state == 1
    censored = demand.state == SOLD_OUT
    notes, unit = [], "days" if demand.step == 1 else f"steps of {demand.step} days"
    if censored.any():
        what = (
            "count as 'at least what was sold'"
            if at_least
            else "are left out: the demand of them isn't known. at_least=True takes them as a lower bound"
        )
        notes.append(f"{censored.sum():,} {unit} were sold out and {what}.")
    if randomised is None:
        price, said = _carried(demand, _given(demand), carry)
        notes += said
        weight = np.isfinite(price).astype(np.float64)
    else:
        price, weight = _drawn(demand, randomised)
        notes += _spread_of(weight)
    counts = known | (censored & at_least)
    weight = np.where(counts, weight, 0.0)
    return PricedDays(price, weight, censored & (weight > 0), tuple(notes))


def _given(demand: Demand) -> Float64:
    """Prices as they stand, looked at."""
    if demand.price is None:
        raise ParameterError(
            "This Demand has no prices, and a response to them needs some. Make it of a log with a column of prices, or of values and quantities."
        )
    price = demand.price.astype(np.float64)
    wrong = (price <= 0) | np.isinf(price)
    if wrong.any():
        series, day = (int(at[0]) for at in np.nonzero(wrong))
        raise ParameterError(
            f"Prices must be numbers above 0: at 0 and below demand has no elasticity. {wrong.sum():,} days have none such, the first is {price[series, day]:g} of "
            f"{demand.names()[series]!r} on {demand.start + timedelta(days=day * demand.step)}. Leave these days out: "
            "dataclasses.replace(demand, price=np.where(demand.price > 0, demand.price, np.nan))."
        )
    if not np.isfinite(price).any():
        raise ParameterError(
            "All prices of this Demand are missing (NaN). Give the prices of at least two items, each sold at two prices or more."
        )
    return price


def _carried(demand: Demand, price: Float64, carry: int) -> tuple[Float64, list[str]]:
    """Days without a sale with the last known price, and what is to be said of it."""
    known = np.isfinite(price)
    column = np.arange(demand.days)
    last = np.maximum.accumulate(np.where(known, column, -1), axis=1)
    near = (last >= 0) & ((column - last) * demand.step <= carry) & (demand.units == 0) & (demand.state != ABSENT)
    filled = np.where(near & ~known, np.take_along_axis(price, np.maximum(last, 0), axis=1), price)
    carried = int((near & ~known).sum())
    lost = int((~np.isfinite(filled) & (demand.state != ABSENT)).sum())
    days, notes, unit = int((demand.state != ABSENT).sum()), [], "days" if demand.step == 1 else f"steps of {demand.step} days"
    if carried:
        notes.append(
            f"{carried:,} of {days:,} {unit} ({carried / days:.0%}) had no sale and no price: they take the last one known. Where the price had changed that is wrong, and draws elasticities "
            "towards 0; a table of prices per day mends it."
        )
    if lost:
        notes.append(
            f"{lost:,} of {days:,} {unit} ({lost / days:.0%}) have no price that is known, or none within {carry} days before, and are left out."
        )
    return filled, notes


def _drawn(demand: Demand, table: pl.DataFrame) -> tuple[Float64, Float64]:
    """Prices and weights of the days whose price was drawn."""
    codes, day, price, chance = _rows(demand, table)
    at_price, at_chance = (np.full((len(demand.items), demand.days), np.nan) for _ in range(2))
    cells = np.unique(codes * demand.days + day)
    if len(cells) < len(codes):
        raise DataError(
            f"The table of drawn prices has one row per item and day. {len(codes) - len(cells):,} rows are of a day that another row has: leave one of them."
        )
    at_price[codes, day], at_chance[codes, day] = price, chance
    weight = np.nan_to_num(1 / at_chance)
    count = (weight > 0).sum(axis=1, keepdims=True)
    weight *= np.divide(count, weight.sum(axis=1, keepdims=True), out=np.zeros((len(weight), 1)), where=count > 0)
    return at_price[demand.item], weight[demand.item]


def _spread_of(weight: Float64) -> list[str]:
    """What unequal chances cost."""
    heavy = weight[weight > 0]
    effective = float(heavy.sum() ** 2 / (heavy**2).sum() / len(heavy))
    if effective >= FEW:
        return []
    return [
        f"The chances of the drawn prices are so unequal that the days tell as much as {effective:.0%} of them with equal chances would; one day counts as {heavy.max():.0f}. Where such a day is missing elasticities "
        "are still biased: draw prices with chances of 0.2 and more."
    ]


def _rows(demand: Demand, table: pl.DataFrame) -> tuple[Int64, Int64, Float64, Float64]:
    """Codes, columns, prices and chances of the table, looked at."""
    wanted = ("item", "day", "price", "propensity")
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise DataError(
            f"The table of drawn prices has the columns {', '.join(wanted)}. Missing: {', '.join(missing)}. Rename yours with table.rename({{...}})."
        )
    if table.select(wanted).null_count().sum_horizontal()[0]:
        raise DataError("The table of drawn prices has gaps. Leave rows out whose price or chance isn't known: table.drop_nulls().")
    if table["day"].dtype not in (pl.Date, pl.Datetime):
        raise DataError(
            f"The 'day' of the table of drawn prices is a date. Got {table['day'].dtype}: table.with_columns(pl.col('day').str.to_date()) reads text."
        )
    codes = demand.items.encode(table["item"]).astype(np.int64)
    days = (table["day"].cast(pl.Date) - demand.start).dt.total_days().to_numpy() // demand.step
    price, chance = (table[name].cast(pl.Float64).to_numpy() for name in ("price", "propensity"))
    for name, values, sound in (("price", price, np.isfinite(price) & (price > 0)), ("propensity", chance, (chance > 0) & (chance <= 1))):
        if not sound.all():
            row = int(np.flatnonzero(~sound)[0])
            must = "a number above 0" if name == "price" else "above 0 and at most 1: the chance with which that price was drawn"
            raise DataError(
                f"The {name!r} of drawn prices must be {must}. Got {values[row]:g} in row {row}, and {int((~sound).sum()) - 1:,} more are so. Mend or leave out these rows."
            )
    kept = (codes >= 0) & (days >= 0) & (days < demand.days)
    if not kept.any():
        raise DataError(
            f"No row of the drawn prices is of an item and a day of the demand, which goes from {demand.start} to {demand.end}. Check ids and dates."
        )
    return codes[kept], days[kept].astype(np.int64), price[kept], chance[kept]
