"""How demand answers to prices: elasticities with their doubt, and whether the prices were drawn or chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vitrina.base.printing import finite
from vitrina.pages.plan.making import MOST, folded, warned
from vitrina.plan import PriceResponse
from vitrina.report.charts import Dot, dots
from vitrina.report.html import Column, Html, el, figure, name, section, table
from vitrina.report.words import between, count, fixed, percent, plural

DRAWN = 16  # items of the plot


def elasticities(response: PriceResponse) -> Html:
    """Section: by how many percent demand changes per percent of the price."""
    rows = response.table.sort("units", descending=True, nulls_last=True, maintain_order=True).to_dicts()
    said = el("p", response.sentences[1 if response.observed else 0], class_="finding")
    warnings = warned(response.sentences[:1]) if response.observed else el("p", "These prices were drawn by lot, so that what changes with them is their effect.", class_="sub")  # fmt: skip
    return section(
        "elasticities", "How demand answers to prices", warnings, said, _plot(response, rows), _every(response, rows), _checks(response)
    )


def _plot(response: PriceResponse, rows: list[dict[str, Any]]) -> Html:
    shown = rows[:DRAWN]
    marks = [Dot(_title(r), r["elasticity"], r["low"], r["high"], "unsure" if r["high"] - r["low"] > 2 else "equal", f"{_title(r)}: {_said(r)}") for r in shown]  # fmt: skip
    spoken = "; ".join(f"{_title(r)} {_said(r)}" for r in shown)
    sure = sum(r["high"] < -1 for r in rows)
    title = (
        f"For {count(sure)} of {plural(len(rows), 'item')} a higher price takes in less money, beyond doubt"
        if sure
        else "Of no item a higher price is sure to take in less money"
    )
    note = (
        f"elasticity: per cent of demand per per cent of the price, with {percent(response.confidence)} intervals; left of the line at −1 a higher price takes in less money. "
        f"{'The items that sell most. ' if len(rows) > len(shown) else ''}Grey: the interval is more than 2 wide"
    )
    data = table([Column("Item", number=False), Column("Elasticity"), Column("Interval")], [[name(_title(r)), fixed(r["elasticity"], 2), between(r["low"], r["high"], 2)] for r in shown], caption="Elasticities")  # fmt: skip
    return figure(
        "elasticities-plot", title, dots(marks, description=f"Elasticities with intervals: {spoken}.", marker=-1.0), data, note=note
    )


def _title(row: Mapping[str, Any]) -> str:
    return str(row["item"] if row["title"] is None else row["title"])


def _said(row: Mapping[str, Any]) -> str:
    return f"{fixed(row['elasticity'], 2)} {between(row['low'], row['high'], 2)}"


def _every(response: PriceResponse, rows: list[dict[str, Any]]) -> Html:
    grouped = any(r["category"] is not None for r in rows)
    columns = [
        Column("Item", number=False, class_="first"), *([Column("Pooled over", number=False)] if grouped else []), Column("Elasticity"), Column(f"{percent(response.confidence)} interval"),
        Column("Alone", hint="what the days of this item say without the others"), Column("Prices seen"), Column("Days"), Column("Units"),
    ]  # fmt: skip
    body = [
        [
            name(_title(r)), *([name(str(r["category"]))] if grouped else []), fixed(r["elasticity"], 2), between(r["low"], r["high"], 2),
            fixed(r["own"] if finite(r["own"]) else None, 2), _range(r["least"], r["most"]), count(r["days"]), count(r["units"]),
        ]
        for r in rows[:MOST]
    ]  # fmt: skip
    return folded(columns, body, caption="Every item, those that sell most first", of=len(rows))


def _range(least: float | None, most: float | None) -> str:
    if least is None or most is None or not (finite(least) and finite(most)):
        return "–"
    return fixed(least, 2) if least == most else f"{fixed(least, 2)} to {fixed(most, 2)}"


def _checks(response: PriceResponse) -> Html | None:
    if response.checks is None or not response.checks.rows:
        return None
    columns = [
        Column("Check", number=False),
        Column("Value"),
        Column("p"),
        Column("Verdict", number=False),
        Column("What it means", number=False),
    ]
    body = [[check.name, fixed(check.statistic, 3), fixed(check.p, 3), check.verdict, check.sentence] for check in response.checks.rows]
    return table(columns, body, caption="What gives away that prices were chosen", class_="metrics")
