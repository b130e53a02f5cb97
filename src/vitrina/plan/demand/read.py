"""Sale lines in, demand out: a file or table that nobody made a log of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vitrina.base.errors import DataError, ParameterError
from vitrina.data.features import FeatureKind
from vitrina.data.read.clock import GivenUnit
from vitrina.data.read.io import bad_rows_of
from vitrina.data.read.numerals import Decimal
from vitrina.data.read.reader import LogReader
from vitrina.data.read.sources import Source, find_sources
from vitrina.data.read.tables import read_features
from vitrina.data.read.text import TextOptions
from vitrina.data.read.validate import BadRows, OnBadRow, choose_columns
from vitrina.plan.demand.demand import Demand
from vitrina.plan.demand.lines import Lines, Returns
from vitrina.plan.demand.series import Holidays, Making, Suspicious, assembled, logs_of
from vitrina.plan.demand.tables import PriceLog, StockLog
from vitrina.types import Float64
from vitrina.vocabulary import Vocabulary

ODD = 1000  # times the usual line, from which a line is said


def read_demand(
    source: Any, *, item: str = "item_id", time: str = "timestamp", quantity: str = "quantity", price: str | None = None, paid: str | None = None,
    place: str | None = None, stock: StockLog | Any = None, prices: PriceLog | Any = None, returns: Returns = "error", step: int = 1,
    zone: str | None = None, min_sales: int = 1, top: int | None = None, holidays: Holidays = "unknown", suspicious: Suspicious = "keep",
    time_unit: GivenUnit | None = None, time_format: str | None = None, any_year: bool = False, decimal: Decimal | None = None,
    encoding: str | None = None, separator: str | None = None, header: bool | None = None, columns: Sequence[str] | None = None, items: Any = None,
    item_kinds: Mapping[str, FeatureKind] | None = None, title: str | None = None, on_bad_row: OnBadRow = "error",
    bad_rows_path: str | Path | None = None,
) -> Demand:  # fmt: skip
    """Demand out of sale lines: one row says that so many units of an item were sold, or came back.

    What is not said here is as in `demand_of` (what becomes of the lines) and `vt.read_interactions` (how files, dates, numbers and bad rows are read).

    Args:
        source: a file of any kind that `vt.read_interactions` reads, a glob, a table, or a list of these.
        item: column of item ids.
        time: column of dates or moments.
        quantity: column of units; below 0 for what came back.
        price: column of the price of ONE unit. Prices of a day are means over its units.
        paid: column of what the LINE cost, quantity x price; instead of `price`.
        place: column of shops or countries; None for one place.
        items: a file or table that describes items; its id column is named like `item`, or `item_id`.
        item_kinds: kinds of its columns.
        title: the column to show to people, of that table, or of the lines where there is none.

    Raises:
        DataError: a file, a column or a row can't be used.
        ParameterError: both `price` and `paid`, or prices in the lines and in a table.
        MemoryBudgetError: series x days would not fit in memory; says how many would.

    Cost: a pass over the lines, which keeps some 24 bytes of each; then as `demand_of`.

    >>> import polars as pl, vitrina as vt
    >>> lines = pl.DataFrame({"sku": ["tea", "tea"], "day": ["2025-03-03", "2025-03-05"], "units": [3, 1], "total": [6.0, 2.5]})
    >>> demand = vt.plan.read_demand(lines, item="sku", time="day", quantity="units", paid="total")
    >>> demand.units.tolist(), demand.price.tolist()
    ([[3.0, 0.0, 1.0]], [[2.0, nan, 2.5]])
    """
    given = [name for name, value in (("price", price), ("paid", paid), ("prices", prices)) if value is not None]
    if len(given) > 1:
        raise ParameterError(
            f"Prices are given once: price= of one unit, paid= for the line, or prices= as a table. Got {' and '.join(given)}.",
            parameter=given[1],
        )
    making = Making(returns, step, min_sales, top, holidays, suspicious, *logs_of(stock, prices))
    options = TextOptions.of(encoding, separator, header, columns)
    sources = find_sources(source, options=options)
    named = {"item": item, "time": time, "quantity": quantity, "price": price, "paid": paid, "place": place,
             "title": title if items is None else None}  # fmt: skip
    chosen = choose_columns(sources, named, {})
    reader = LogReader.of(sources, chosen, time_unit=time_unit, time_format=time_format, any_year=any_year, decimal=decimal)
    with BadRows(on_bad_row, bad_rows_of(source) if bad_rows_path is None else Path(bad_rows_path)) as bad:
        for one in sources:
            reader.read(one, bad)
    lines, known, places = _lines(reader, bad, sources, zone)
    note = reader.note(bad, sources, None, known)
    table = None if reader.titles is None else reader.titles.table(known)
    if items is not None:
        table, known, said = read_features(items, "items", item, known, item_kinds, title, TextOptions(encoding=options.encoding), decimal)
        note = f"{note} {said}".strip()
    made = assembled(lines, known, places, making)
    notes = (*([note] if note else []), *made.notes, *_odd(lines, known))
    return replace(made, notes=notes, table=None if table is None else table.frame, title=None if table is None else table.title)


def _lines(reader: LogReader, bad: BadRows, sources: Sequence[Source], zone: str | None) -> tuple[Lines, Vocabulary, Vocabulary | None]:
    """The sums of the lines that were read, and the ids of items and places."""
    parts = {role: part.done() for role, part in reader.parts.items()}
    reader.check_any(len(parts["item"]), bad, sources)
    if not reader.clock.real:
        raise DataError(
            f"Demand is per day, and the column {reader.columns['time']!r} holds numbers that are no moments since 1990. Name a column of dates: time='...'."
        )
    price = parts.get("price") if "paid" not in parts else _per_unit(parts["paid"], parts["quantity"], reader.columns["paid"])
    places = Vocabulary(reader.coders["place"].ids()) if "place" in parts else None
    place = parts.get("place", np.zeros(len(parts["item"]), np.int32))
    lines = Lines.of(parts["item"], place, parts["time"], parts["quantity"], price, zone=zone)
    return lines, Vocabulary(reader.coders["item"].ids()), places


def _per_unit(paid: Any, quantity: Any, column: str) -> Float64:
    """(lines,) the price of one unit; NaN of lines without units, and of those that came back."""
    wrong = (quantity > 0) & (paid < 0)
    if wrong.any():
        raise DataError(
            f"{int(wrong.sum()):,} lines with units above 0 have a total below 0 in {column!r}, the first {paid[wrong][0]:g}. Leave these lines out, or mend them."
        )
    return np.divide(paid, quantity, out=np.full(len(paid), np.nan), where=quantity > 0)


def _odd(lines: Lines, items: Vocabulary) -> list[str]:
    """A word on a line that is far from the usual: fuel in thousandths, or a mistake."""
    units, item = lines.largest
    usual = float(np.median(lines.units[lines.units > 0] / lines.lines[lines.units > 0]))
    if units < ODD * usual:
        return []
    return [
        f"The largest line has {units:,.0f} units of {items.decode([item])[0]!r}, and a usual one {usual:,.0f}: look at it, it may be another unit or a mistake."
    ]
