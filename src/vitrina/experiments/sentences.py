"""Numbers of an experiment as sentences and as a printed table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from vitrina.base.printing import MISSING, between, finite, fixed, places_of, signed
from vitrina.base.tables import Fitted
from vitrina.experiments.metrics import Metric, Share


def percent(value: float | None, *, sign: bool = True) -> str:
    """A share as per cent, two digits that count.

    >>> percent(0.0412), percent(-0.00041), percent(0.5, sign=False), percent(None)
    ('+4.1%', '−0.041%', '50%', '–')
    """
    if value is None or not finite(value):
        return MISSING
    size = abs(100 * value)
    places = 0 if size >= 9.95 or size == 0 else min(max(1, 1 - math.floor(math.log10(size))), 4)
    return f"{(signed if sign else fixed)(100 * value, places)}%"


def of_row(row: Mapping[str, Any], metric: Metric, family: int, confidence: float) -> str:
    """What one comparison says."""
    name, arm, control = row["metric"], repr(row["arm"]), repr(row["control"])
    if math.isnan(row["p"]):
        return f"{name}: {_nothing(row, arm, control)}."
    values = f"{_number(row['value'], row['error'], metric)} against {_number(row['control_value'], row['error'], metric)}"
    if row["role"] == "guard":
        worse = f"less than {percent(row['margin'], sign=False)} worse than {control}"
        return f"{name} (guard): {GUARDS[row['verdict']].format(arm=arm, worse=worse)}: {values}, {_effect(row, metric)}."
    if row["verdict"] in ("better", "worse"):
        return f"{name}: {arm} is {row['verdict']} than {control}, {values}: {_effect(row, metric)}."
    seen = f"{name}: no measurable difference between {arm} and {control} ({_effect(row, metric)})"
    if row["p"] <= 1 - confidence:
        return f"{seen}; alone it would be one, but among {family} comparisons one as large comes by chance (p {row['p_adjusted']:.2f})."
    return f"{seen}; one of {_size(row['detectable'], metric)}{_share_of(row['detectable'], row['control_value'])} could have been seen."


def _nothing(row: Mapping[str, Any], arm: str, control: str) -> str:
    """Why there is no interval."""
    if not row["units"] or not row["units_control"]:
        return f"{arm if not row['units'] else control} has no units, so nothing is known of it"
    if row["error"] == 0 and not row["difference"]:
        return f"all units of {arm} and {control} have {row['value']:g}, so nothing can differ"
    if math.isnan(row["value"]) or math.isnan(row["control_value"]):
        return f"the total that it is divided by is 0 in {arm} or {control}"
    return f"{arm} and {control} have too few units, or too few that differ, for an interval"


GUARDS = {
    "holds": "holds, {arm} is {worse}", "broken": "is broken, {arm} isn't {worse}", "not proved": "not proved, nobody knows yet whether {arm} is {worse}",
}  # fmt: skip


def _number(value: float, error: float, metric: Metric) -> str:
    return f"{fixed(100 * value, max(places_of(100 * error) - 1, 1))}%" if isinstance(metric, Share) else fixed(value, places_of(value))


def _size(value: float, metric: Metric) -> str:
    return (
        f"{fixed(100 * value, max(places_of(100 * value) - 1, 1))} points" if isinstance(metric, Share) else fixed(value, places_of(value))
    )


def _effect(row: Mapping[str, Any], metric: Metric) -> str:
    """The difference, and the same relative to control, each with its interval."""
    if isinstance(metric, Share):
        points = [signed(100 * row[key], max(places_of(100 * row["error"]) - 1, 1)) for key in ("difference", "low", "high")]
        text = f"{points[0]} points ({points[1]} to {points[2]})"
    else:
        places = places_of(row["error"])
        text = f"{signed(row['difference'], places)} {between(row['low'], row['high'], places)}"
    if not finite(row["relative"]):
        return text
    return f"{text}, {percent(row['relative'])} ({percent(row['relative_low'])} to {percent(row['relative_high'])})"


def _share_of(value: float, control: float) -> str:
    return f" ({percent(value / control, sign=False)})" if control > 0 else ""


def printed(table: pl.DataFrame, told: Sequence[str], refused: bool) -> Group:
    """The table and the sentences, for a terminal of any width."""
    if refused:
        return Group(*map(Text, told))
    heading = Text(f"Against {table['control'][0]!r}:")
    shown = Table(
        "metric", "arm", *(Column(c, justify="right") for c in ("units", "control", "value", "difference", "relative")), "verdict", box=None
    )
    for row in table.iter_rows(named=True):
        places = places_of(row["error"])
        shown.add_row(
            row["metric"] + (" (guard)" if row["role"] == "guard" else ""), row["arm"],
            f"{row['units'] + row['units_control']:,}", fixed(row["control_value"], places), fixed(row["value"], places),
            f"{signed(row['difference'], places)} {between(row['low'], row['high'], places)}".strip(),
            MISSING if row["relative"] is None else f"{percent(row['relative'])} ({percent(row['relative_low'])} to {percent(row['relative_high'])})",
            row["verdict"],
        )  # fmt: skip
    return Group(heading, Fitted(shown), *(Text(line) for line in ("", *told)))
