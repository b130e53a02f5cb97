"""What loses money and why, what another agreement would bring, profit by pack size and by delivery, and what to order today."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from vitrina.base.printing import finite, half_width
from vitrina.pages.plan.making import MOST, coins, dense, folded
from vitrina.pages.plan.study import StockStudy
from vitrina.plan import Varied
from vitrina.report.charts import Dot, dots
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Column, Drawing, Html, el, figure, name, section, sentence, table
from vitrina.report.scales import Linear, spanning
from vitrina.report.words import between, count, fixed, plural, short_count, signed

NAMED = {
    "pack": "pack size",
    "review": "days between orders",
    "lead": "days of lead",
    "shelf_life": "shelf life in days",
    "deposit": "deposit rate",
    "storage": "storage",
}

SAID = {  # what stands before a value, and what it counts
    "pack": ("packs of", ""), "review": ("orders every", "day"), "lead": ("a lead of", "day"), "shelf_life": ("a shelf life of", "day"), "deposit": ("a deposit rate of", ""), "storage": ("storage at", ""),
}  # fmt: skip


def losing(study: StockStudy) -> Html | None:
    """Section: items that never pay, the reason, and what would mend it; None where nobody asked."""
    found = study.diagnosis
    if found is None:
        return None
    rows = found.losing.head(MOST).to_dicts()
    said = [el("p", told, class_="finding") for told in found.sentences[: 2 if found.losing.height else 1]]
    if not rows:
        return section("losing", "What loses money", *said, sentence("No item loses money beyond doubt."), _changes(study))
    places = _places(rows, "profit")
    columns = [
        Column("Item", number=False, class_="first"), Column("Profit per day"), Column("Interval"), Column("Why", number=False, class_="explained"), Column("Sold per day"), Column("Pays from, per day"),
        Column("What helps most", number=False), Column("brings per day"),
    ]  # fmt: skip
    body = [
        [name(str(r["item"])), el("span", fixed(r["profit"], places), class_="worse"), between(r["low"], r["high"], places), r["why"] or "–", fixed(r["demand"], 2), _or_dash(r["pays_from"], 2),
         r["best_change"] or "nothing that was tried", _or_dash(r["gain"], places)]
        for r in rows
    ]  # fmt: skip
    caption = "Items that never pay, even with their best orders, the largest loss first; what helps counts from not holding the item"
    return section("losing", "What loses money", *said, folded(columns, body, caption=caption, of=found.losing.height), _changes(study))


def _or_dash(value: float | None, places: int) -> str:
    return "–" if value is None else fixed(value, places)


def _places(rows: Sequence[dict[str, Any]], key: str) -> int:
    return coins([r[key] for r in rows], [half_width(r["low"], r["high"]) for r in rows])


def _changes(study: StockStudy) -> Html | None:
    """What each change would bring over all items, and the items for which it would bring most."""
    assert study.diagnosis is not None
    rows = study.diagnosis.totals.to_dicts()
    if not rows:
        return None
    places = _places(rows, "gain")
    marks = [
        Dot(r["change"], r["gain"], _known(r["low"]), _known(r["high"]), _told(r), f"{r['change']}: {signed(r['gain'], places)}")
        for r in rows
    ]
    spoken = "; ".join(f"{r['change']} {signed(r['gain'], places)} {between(r['low'], r['high'], places)}" for r in rows)
    columns = [Column("Change", number=False), Column("Items that it touches"), Column("Brings per day"), Column("Interval")]
    body = [[r["change"], count(r["series"]), signed(r["gain"], places), between(r["low"], r["high"], places)] for r in rows]
    title = (
        f"{rows[0]['change'].capitalize()} would bring most: {signed(rows[0]['gain'], places)} per day"
        if rows[0]["gain"] > 0
        else "No change that was tried would bring anything"
    )
    note = "money per day over all items, with orders adapted to each change, on the same paths; grey: can’t be told from nothing"
    plot = figure(
        "changes-plot", title, dots(marks, description=f"{spoken}.", marker=0.0), table(columns, body, caption="Changes"), note=note
    )
    return el("div", plot, _offers(study))


def _told(row: dict[str, Any]) -> str:
    return "better" if row["low"] > 0 else "worse" if row["high"] < 0 else "unsure"


def _known(value: Any) -> float | None:
    return float(value) if finite(value) else None


def _offers(study: StockStudy) -> Html | None:
    assert study.diagnosis is not None
    sure = study.diagnosis.offers.filter(pl.col("low") > 0)
    rows = sure.head(MOST).to_dicts()
    if not rows:
        return None
    places = _places(rows, "gain")
    columns = [Column("Item", number=False, class_="first"), Column("Change", number=False), Column("Brings per day"), Column("Interval")]
    body = [[name(str(r["item"])), r["change"], signed(r["gain"], places), between(r["low"], r["high"], places)] for r in rows]
    return folded(columns, body, caption="What to ask for first: changes that bring money beyond doubt", of=sure.height)


def packs(study: StockStudy) -> Html | None:
    """Section: profit by pack size, by delivery, or whatever was varied; None where nothing was."""
    made = [_varied(f"varied-{at}", one) for at, one in enumerate(study.varied)]
    if not made:
        return None
    return section("packs", "Packs and deliveries", el("div", *made, class_="pair"))


def _varied(key: str, varied: Varied) -> Html:
    """Profit beside the first argument that was varied, a line for each value of the others."""
    first, *others = varied.settings[0]
    now, rows = varied.table.row(0, named=True), varied.table.sort(*others, first)
    rows = rows.with_columns(low=now["profit"] + pl.col("difference_low"), high=now["profit"] + pl.col("difference_high"))
    places = coins(rows["difference"].to_list(), [half_width(*ends) for ends in rows.select("low", "high").iter_rows()])
    best = rows.sort("profit", descending=True, maintain_order=True).row(0, named=True)
    title = f"Nothing that was tried is measurably better than {_said(first, now)}"
    if (best["difference_low"] or 0.0) > 0:
        title = f"{_said(first, best).capitalize()} would earn most: {signed(best['difference'], places)} {between(best['difference_low'], best['difference_high'], places)} against {_said(first, now)}"
    columns = [
        *(Column(_argument(o).capitalize()) for o in (first, *others)), Column("Profit"), Column("Against the first"), Column("Interval"), Column("Mean stock"), Column("Write-offs"),
    ]  # fmt: skip
    body = [
        [*(f"{r[o]:g}" for o in (first, *others)), fixed(r["profit"], places), signed(r["difference"], places), between(r["difference_low"], r["difference_high"], places),
         fixed(r["mean_stock"], 0), fixed(r["written_off"], 0)]
        for r in rows.iter_rows(named=True)
    ]  # fmt: skip
    note = f"across: {_argument(first)}; up: profit of all items over {plural(varied.found[0].simulated.days, 'day')}, each with its best orders; bands are 95% intervals of the difference from now, on the same paths"
    drawn = _lines(rows, first, others, now, best, places)
    return figure(key, title, drawn, table(columns, body, caption=f"Profit by {_argument(first)}"), note=note, span="half")


def _lines(rows: pl.DataFrame, first: str, others: Sequence[str], now: dict[str, Any], best: dict[str, Any], places: int) -> Drawing:
    lines = []
    for at, part in enumerate(rows.partition_by(*others, maintain_order=True) if others else [rows]):
        called = ", ".join(_said(o, part.row(0, named=True)) for o in others)
        band = [(r[first], r["low"], r["high"]) for r in part.iter_rows(named=True) if finite(r["low"])]
        lines.append(Curve(dense(list(part.select(first, "profit").iter_rows())), "lead" if at == 0 else "other", called, band, called))
    up = spanning([v for r in rows.iter_rows(named=True) for v in (r["profit"], r["low"], r["high"])], 0, 1)
    values = rows[first].unique().sort().to_list()
    wide = Linear(values[0], values[-1] if len(values) > 1 else values[0] + 1, 0, 1)
    spoken = "; ".join(
        f"{', '.join(_said(o, r) for o in (first, *others))}: {fixed(r['profit'], places)} {between(r['low'], r['high'], places)}".strip()
        for r in rows.iter_rows(named=True)
    )
    return curves(
        lines, across=wide, up=(up.low, up.high), across_ticks=_ticks(values), up_ticks=[(t, short_count(t).replace("-", "−")) for t in up.ticks(4)],
        note=(best[first], best["profit"], fixed(best["profit"], places)), description=f"Profit of all items: {spoken}.", tall=260, uprights=[(now[first], "now")], zero=up.low < 0 < up.high,
    )  # fmt: skip


def _said(argument: str, row: dict[str, Any]) -> str:
    """A value with the words that belong to it."""
    before, unit = SAID.get(argument, (f"{_argument(argument)} of", ""))
    value = row[argument]
    return f"{before} {value:g} {unit}{'s' if unit and value != 1 else ''}".strip()


def _argument(argument: str) -> str:
    return NAMED.get(argument, argument.replace("_", " "))


def _ticks(values: Sequence[float]) -> list[tuple[float, str]]:
    """The values themselves where they are few, a part of them where they would lie on each other."""
    step = (values[-1] - values[0]) / 12 if len(values) > 1 else 0.0
    ticks: list[tuple[float, str]] = []
    for value in values:
        if not ticks or value - ticks[-1][0] >= step:
            ticks.append((value, f"{value:g}"))
    return ticks


def orders(study: StockStudy) -> Html | None:
    """Section: what to order today; None where there is no list."""
    found = study.orders
    if found is None:
        return None
    rows = found.orders.head(MOST).to_dicts()
    said = [el("p", told, class_="finding" if at == 0 else "sub") for at, told in enumerate(found.sentences)]
    if not rows:
        return section("orders", "To order today", *said, sentence("Nothing has to be ordered today."))
    columns = [
        Column("Item", number=False, class_="first"), Column("Units"), Column("Packs"), Column("Money"), Column("On hand"), Column("On the way"), Column("Wanted"), Column("in days"),
        Column("Why", number=False, class_="explained"),
    ]  # fmt: skip
    money = coins([r["money"] for r in rows])
    body = [
        [name(str(r["item"])), _units(r["order"]), _units(r["packs"]), fixed(r["money"], money), _units(r["on_hand"]), _units(r["on_way"]), _units(r["expected"]), count(r["days"]),
         el("span", r["why"], class_="remark")]
        for r in rows
    ]  # fmt: skip
    where = "; the file of orders beside it has all"
    return section(
        "orders", "To order today", *said, folded(columns, body, caption="Orders, those that cost most first", of=len(found), where=where)
    )


def _units(value: float) -> str:
    return fixed(value, 0 if abs(value - round(value)) < 1e-9 else 1)
