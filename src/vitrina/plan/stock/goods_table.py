"""Which values goods may have, and a table of goods, read as any other: what is wrong is said with its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from vitrina.base.errors import DataError
from vitrina.data.columns import Column
from vitrina.data.read.sources import Source
from vitrina.policy.reading import Ids, Numbers, Wanted, coded, listed, read_columns
from vitrina.types import Bool, Float64
from vitrina.vocabulary import Vocabulary

MEND = "Mend these rows, or leave them out"
LONGEST = 3650  # days of a lead: ten years
NEVER = 1e9  # days, after which nothing spoils any more


class Domain(NamedTuple):
    """Which values are possible; `good` takes arrays and columns."""

    must: str  # after "must be"
    good: Callable[[Any], Any]
    remedy: str


def _from(least: float, remedy: str) -> Domain:
    return Domain(f"numbers from {least:g} up", lambda v: (v >= least) & (v < np.inf), remedy)


def _share(remedy: str) -> Domain:
    return Domain("shares from 0 to 1", lambda v: (v >= 0) & (v <= 1), remedy)


MONEY = "Write what it costs, 0 where that is nothing"
WHOLE = "Write whole days"
DOMAINS: Mapping[str, Domain] = {
    "price": _from(0, "Write the price of one unit"),
    "cost": _from(0, "Write what one unit is bought for"),
    "volume": _from(0, "Write the room that a unit takes"),
    "storage": _from(0, MONEY),
    "deposit": _from(0, "Write the rate per year, 0.16 for 16%"),
    "shelf_life": Domain(
        "whole days from 1 up", lambda v: (v >= 1) & ((v > NEVER) | (v == v.round())), "Leave it empty (inf in an array) where an item never spoils"
    ),
    "pack": Domain("numbers above 0", lambda v: (v > 0) & (v < np.inf), "Write 1 where single units can be ordered"),
    "minimum": _from(0, "Write 0 where an order may be of any size"),
    "order_cost": _from(0, MONEY),
    "lead": Domain(f"whole days from 0 to {LONGEST}", lambda v: (v >= 0) & (v <= LONGEST) & (v == v.round()), WHOLE),
    "review": Domain("whole days from 1 up", lambda v: (v >= 1) & (v < np.inf) & (v == v.round()), "Write 1 where the stock is looked at each day"),
    "salvage": Domain("shares of the cost, 1 at most", lambda v: (v <= 1) & (v > -np.inf), "Write 0 where a unit that is written off brings nothing"),
    "returns": _share("It is a share of the units sold, 0.1 for one of ten; quantities that came back have to be divided by what was sold"),
    "return_days": Domain("whole days from 1 up", lambda v: (v >= 1) & (v < np.inf) & (v == v.round()), WHOLE),
    "resold": _share("It is the share of returned units that can be sold again"),
    "penalty": _from(0, MONEY),
    "stock": _from(0, "Stock below 0 is mostly a sale that was booked before its delivery: count it again, or write 0"),
    "coming": _from(0, "Leave out orders that were called off"),
}  # fmt: skip
DOMAINS = {**DOMAINS, "leads": Domain("chances of each lead that sum to 1", lambda v: (v >= 0) & (v <= 1), "Divide each row by its sum")}


def refusal(subject: str, domain: Domain, values: Float64, bad: Bool, ids: pl.Series | None) -> str:
    """What is wrong with the rows of an array, and what to do about it."""
    rows = np.flatnonzero(bad.any(axis=1) if bad.ndim == 2 else bad)
    first = values[rows[0]] if values.ndim == 1 else values[rows[0]][bad[rows[0]]][0]
    where = "" if len(values) == 1 else f" in row {rows[0]:,}" if ids is None else f" for item {ids[int(rows[0])]!r}"
    more = f" ({len(rows):,} of {len(values):,} items are so)" if len(values) > 1 else ""
    return f"{subject} must be {domain.must}. Got {first:g}{where}{more}. {domain.remedy}."


def rows_of(
    sources: list[Source], id: str, items: Vocabulary | None, named: Mapping[str, str], keep: bool
) -> tuple[Vocabulary, dict[str, Float64], tuple[str, ...]]:
    """The items, a value of each for every argument, and what was made of the table.

    Raises:
        DataError: a column isn't there, an id is there twice, items are missing, or a value is outside its domain.
    """
    ids = Ids()
    wanted = {n: Wanted(n, column, _reader(n, keep and n in ("price", "cost"))) for n, column in named.items()}
    read = read_columns(sources, {"id": Wanted("id", id, ids)} | wanted)
    codes, distinct = coded(read.values["id"])
    if len(distinct) < len(codes):
        again = np.flatnonzero(np.bincount(codes)[codes] > 1)
        first = read.values["id"][int(again[0])]
        raise DataError(
            f"{read.label} has more than one row for an item: {first!r} and others stand in {read.places(again)}. Leave one row per item."
        )
    own = Vocabulary.of(ids.typed(distinct))
    at = np.arange(len(own)) if items is None else own.encode(items.ids)
    wanted_items = own if items is None else items
    notes = _notes(read.label, wanted_items, own, at, keep)
    values = {}
    for name in named:
        column = read.values[name].fill_null(np.inf if name == "shelf_life" else np.nan).to_numpy()
        blank = 1.0 if name in ("shelf_life", "pack", "review", "return_days") else 0.0 if name not in ("price", "cost") else np.nan
        values[name] = np.where(at < 0, blank, column[at])
    return wanted_items, values, notes


def _notes(label: str, items: Vocabulary, own: Vocabulary, at: Any, keep: bool) -> tuple[str, ...]:
    """What is said of items without a row, and of rows without an item.

    Raises:
        DataError: items are missing, and must not.
    """
    absent = np.flatnonzero(at < 0)
    few = listed(items.ids.gather(absent[:3]).cast(pl.String))
    notes = []
    if len(absent):
        said = f"{label} has no row for {len(absent):,} of {len(items):,} items (first: {few})"
        if not keep:
            raise DataError(f"{said}. Add them, or keep them as items of which nothing is known: missing='keep'.")
        notes.append(f"{said}; they are kept as items of which nothing is known.")
    others = len(own) - (len(items) - len(absent))
    if others:
        notes.append(f"{others:,} rows of {label} are of no item that was asked for, and are left out.")
    return tuple(notes)


def _reader(name: str, keep: bool) -> Any:
    domain = DOMAINS[name]
    read = Numbers(name, domain.good, f"hold {domain.must}", f"{domain.remedy}.", f"{domain.remedy}.")

    def convert(column: pl.Series, header: str, source: Source) -> Column:
        values, problems = read(column, header, source)
        if name == "shelf_life" or keep:  # empty means never, or unknown
            problems = [p for p in problems if p.fault not in ("is empty", "is NaN or infinite")]
            values = values.fill_nan(None)
        return Column(values, problems)

    return convert
