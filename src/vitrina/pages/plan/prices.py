"""Prices that should move and by how much money, and the profit of a few items beside their price."""

from __future__ import annotations

from typing import Any

import polars as pl

from vitrina.base.printing import finite, half_width
from vitrina.pages.plan.making import MOST, coins, folded
from vitrina.pages.plan.study import PriceStudy
from vitrina.report.charts import Dot, dots
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Column, Drawing, Html, Panel, el, figure, name, panels, section, sentence, table
from vitrina.report.scales import Linear, spanning
from vitrina.report.words import between, day, fixed, percent, plural, short_count, signed

WIDTH = 320  # px of a small plot
DRAWN = 14  # items of the plot of gains


def moves(study: PriceStudy) -> Html | None:
    """Section: prices that earn more than today's, those that do so beyond doubt first; None where none were looked for."""
    rows = _rows(study)
    if rows is None:
        return None
    sure, rest = rows.filter(pl.col("low") > 0), rows.filter((pl.col("low") <= 0) & (pl.col("price") != pl.col("today")))
    days = f"over {plural(study.days, 'day')} from {day(study.start)}"
    parts = (
        [
            _gains(study, sure),
            _table(sure, f"Prices that earn more than today’s beyond doubt, {days}", ": sort the table of prices by money"),
        ]
        if sure.height
        else []
    )
    if not sure.height:
        parts.append(sentence("No price earns more than today’s beyond doubt."))
    if rest.height:
        parts.append(_table(rest, f"Prices that may earn more: test them first, {days}", ": sort the table of prices by money"))
    return section("moves", "Prices that should move", *parts)


def _rows(study: PriceStudy) -> pl.DataFrame | None:
    """The best prices with the names of their series, the most money first."""
    if study.best is None:
        return None
    return study.best.table.with_columns(name=pl.Series(list(study.names), dtype=pl.String)).sort(
        "difference", descending=True, maintain_order=True
    )


def _gains(study: PriceStudy, sure: pl.DataFrame) -> Html:
    rows = sure.head(DRAWN).to_dicts()
    places = coins([r["difference"] for r in rows], [half_width(r["low"], r["high"]) for r in rows])
    marks = [
        Dot(f"{r['name']}, {_move(r)}", r["difference"], r["low"], r["high"], "better", f"{r['name']}: {signed(r['difference'], places)}")
        for r in rows
    ]
    spoken = "; ".join(f"{r['name']} {_move(r)}: {signed(r['difference'], places)} {between(r['low'], r['high'], places)}" for r in rows)
    columns = [Column("Item", number=False), Column("Today"), Column("Price"), Column("Brings"), Column("Interval")]
    body = [
        [name(r["name"]), fixed(r["today"], 2), fixed(r["price"], 2), signed(r["difference"], places), between(r["low"], r["high"], places)]
        for r in rows
    ]
    ups = int((sure["price"] > sure["today"]).sum())
    title = f"{plural(sure.height, 'price')} should move: {ups} up and {sure.height - ups} down"
    title = f"As far as chosen prices tell, {title}" if study.response.observed else title
    confidence = percent(study.best.confidence) if study.best else ""
    note = f"money more than at today’s price, both with their best stock; {confidence} intervals of the response and of the days"
    return figure("gains-plot", title, dots(marks, description=f"{spoken}.", marker=0.0), table(columns, body, caption=title), note=note)


def _move(row: dict[str, Any]) -> str:
    return f"{100 * row['change']:+.0f}%".replace("-", "−")


def _table(rows: pl.DataFrame, caption: str, where: str) -> Html:
    shown = rows.head(MOST).to_dicts()
    places = coins([r["difference"] for r in shown], [half_width(r["low"], r["high"]) for r in shown])
    columns = [
        Column("Item", number=False, class_="first"), Column("Today"), Column("Price"), Column("Change"), Column("Brings"), Column("Interval"), Column("Chance that it earns more"), Column("Elasticity"),
        Column("", number=False, class_="mark"),
    ]  # fmt: skip
    body = [
        [name(r["name"]), fixed(r["today"], 2), fixed(r["price"], 2), _move(r), signed(r["difference"], places), between(r["low"], r["high"], places), percent(r["chance"]),
         fixed(r["elasticity"], 2), el("span", _remark(r), class_="remark")]
        for r in shown
    ]  # fmt: skip
    return folded(columns, body, caption=caption, of=rows.height, where=where)


def _remark(row: dict[str, Any]) -> str:
    if not row["held"]:
        return "not worth holding even so"
    if row["beyond"]:
        return "outside of the prices seen: a guess"
    return f"the {row['edge']} price tried" if row["edge"] else ""


def profits(study: PriceStudy) -> Html | None:
    """Section: profit beside the price of a few items; None where none was asked for."""
    if not len(study.profits):
        return None
    parts, body = [], []
    for (series,), part in study.profits.group_by("series", maintain_order=True):
        rows = part.sort("price").to_dicts()
        called, today = study.names[int(series)], float(study.today[int(series)])  # pyright: ignore[reportArgumentType]
        best = max(rows, key=lambda r: r["profit"])
        places = coins([best["profit"]], [half_width(best["low"], best["high"])])
        parts.append(Panel(name(called), _curve(rows, called, today, best, places), _said(best, today, rows, places)))
        body += [[name(called), fixed(r["price"], 2), fixed(r["profit"], places), between(r["low"], r["high"], places)] for r in rows]
    columns = [Column("Item", number=False), Column("Price"), Column("Profit"), Column("Interval")]
    note = (
        f"across: price; up: profit over {plural(study.days, 'day')} with the stock that is best at each price, after storage, deposit and write-offs. The band is {percent(study.best.confidence if study.best else study.confidence)} of what isn’t known of the difference "
        "from today’s price, at which it closes"
    )
    title = f"Profit beside the price of {plural(len(parts), 'item')}"
    return section(
        "profits", "Profit by price", panels("profits-plot", title, parts, table(columns, body, caption=title), width=WIDTH, note=note)
    )


def _said(best: dict[str, Any], today: float, rows: list[dict[str, Any]], places: int) -> str:
    if best["price"] == today:
        return f"today’s price of {fixed(today, 2)} earns most"
    now = next((r["profit"] for r in rows if r["price"] == today), None)
    if now is None:
        return f"most at {fixed(best['price'], 2)}"
    gain = f"{signed(best['profit'] - now, places)} {between(best['low'] - now, best['high'] - now, places)}"
    return f"{fixed(best['price'], 2)} brings {gain} against {fixed(today, 2)}"


def _curve(rows: list[dict[str, Any]], called: str, today: float, best: dict[str, Any], places: int) -> Drawing:
    band = [(r["price"], r["low"], r["high"]) for r in rows if finite(r["low"]) and finite(r["high"])]
    up = spanning([v for r in rows for v in (r["profit"], r["low"], r["high"])], 0, 1)
    first, last = rows[0]["price"], rows[-1]["price"]
    wide = Linear(first, last if last > first else first + 1, 0, 1)
    spoken = "; ".join(f"{fixed(r['price'], 2)}: {fixed(r['profit'], places)} {between(r['low'], r['high'], places)}".strip() for r in rows)
    return curves(
        [Curve([(r["price"], r["profit"]) for r in rows], "lead", called, band)],
        across=wide, up=(up.low, up.high), across_ticks=wide.tick_labels(5), up_ticks=[(t, short_count(t).replace("-", "−")) for t in up.ticks(3)],
        note=(best["price"], best["profit"], fixed(best["price"], 2)), description=f"{called}: profit by price, today {fixed(today, 2)}. {spoken}.", tall=180,
        uprights=[(today, "today")] if first <= today <= last else [], zero=up.low < 0 < up.high,
    )  # fmt: skip
