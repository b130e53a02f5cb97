"""What loses money and why, what another agreement would bring, profit by pack size and by delivery, and what to order today."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from vitrina.base.printing import decimals, finite, half_width
from vitrina.pages.plan.making import MOST, folded
from vitrina.pages.plan.study import StockStudy
from vitrina.plan import Varied
from vitrina.report.charts import Dot, dots
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Column, Html, el, figure, name, section, sentence, table
from vitrina.report.scales import Linear, spanning
from vitrina.report.words import between, count, fixed, plural, short_count, signed

NAMED = {"pack": "pack size", "review": "days between deliveries", "lead": "days of lead", "shelf_life": "shelf life in days", "deposit": "deposit rate", "storage": "storage"}


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
    return decimals([r[key] for r in rows], [half_width(r["low"], r["high"]) for r in rows])


def _changes(study: StockStudy) -> Html | None:
    """What each change would bring over all items, and the items for which it would bring most."""
    assert study.diagnosis is not None
    rows = study.diagnosis.totals.to_dicts()
    if not rows:
        return None
    places = _places(rows, "gain")
    marks = [Dot(r["change"], r["gain"], _known(r["low"]), _known(r["high"]), _told(r), f"{r['change']}: {signed(r['gain'], places)}") for r in rows]
    spoken = "; ".join(f"{r['change']} {signed(r['gain'], places)} {between(r['low'], r['high'], places)}" for r in rows)
    columns = [Column("Change", number=False), Column("Items that it touches"), Column("Brings per day"), Column("Interval")]
    body = [[r["change"], count(r["series"]), signed(r["gain"], places), between(r["low"], r["high"], places)] for r in rows]
    title = f"{rows[0]['change'].capitalize()} would bring most: {signed(rows[0]['gain'], places)} per day" if rows[0]["gain"] > 0 else "No change that was tried would bring anything"
    note = "money per day over all items, with orders adapted to each change, on the same paths; grey: can’t be told from nothing"
    plot = figure("changes-plot", title, dots(marks, description=f"{spoken}.", marker=0.0), table(columns, body, caption="Changes"), note=note)
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
    return section("packs", "Packs and deliveries", el("div", *made, class_="pair") if len(made) > 1 else made[0])


def _varied(key: str, varied: Varied) -> Html:
    """Profit beside the first argument that was varied, a line for each value of the others."""
    first, *others = varied.settings[0]
    rows = varied.table.sort(*others, first) if others else varied.table.sort(first)
    lines, places = [], decimals(rows["profit"].to_list(), [half_width(r["low"], r["high"]) for r in rows.iter_rows(named=True)])
    groups = rows.partition_by(*others, maintain_order=True) if others else [rows]
    for at, part in enumerate(groups):
        called = ", ".join(f"{_argument(o)} {part[o][0]:g}" for o in others)
        band = [(r[first], r["low"], r["high"]) for r in part.iter_rows(named=True) if finite(r["low"])]
        lines.append(Curve(list(part.select(first, "profit").iter_rows()), "lead" if at == 0 else "other", called, band, called))
    up = spanning([v for r in rows.iter_rows(named=True) for v in (r["profit"], r["low"], r["high"])], 0, 1)
    wide = Linear(rows[first].min(), rows[first].max() if rows[first].n_unique() > 1 else rows[first].min() + 1, 0, 1)  # type: ignore[arg-type,operator]
    best = rows.sort("profit", descending=True).row(0, named=True)
    now = varied.settings[0][first]
    drawn = curves(
        lines, across=wide, up=(up.low, up.high), across_ticks=_ticks(rows[first].unique().sort().to_list()), up_ticks=[(t, short_count(t).replace("-", "−")) for t in up.ticks(4)],
        note=(best[first], best["profit"], fixed(best["profit"], places)), description=_spoken(rows, first, others, places), tall=260, uprights=[(now, f"now {now:g}")], zero=up.low < 0 < up.high,
    )  # fmt: skip
    change = next((n for n, s in enumerate(varied.settings) if all(best[k] == v for k, v in s.items())), 0)
    gain = varied.difference(change)
    title = f"A {_argument(first)} of {best[first]:g} earns most" + (f": {signed(float(gain.mean), places)} {between(float(gain.low), float(gain.high), places)} against {now:g}" if change else ", as it is now")
    columns = [*(Column(_argument(o).capitalize()) for o in (first, *others)), Column("Profit"), Column("Interval"), Column("Against the first"), Column("Interval"), Column("Mean stock"), Column("Write-offs")]
    body = [
        [*(f"{r[o]:g}" for o in (first, *others)), fixed(r["profit"], places), between(r["low"], r["high"], places), signed(r["difference"], places),
         between(r["difference_low"], r["difference_high"], places), fixed(r["mean_stock"], 0), fixed(r["write_offs"], places)]
        for r in rows.iter_rows(named=True)
    ]  # fmt: skip
    note = f"across: {_argument(first)}; up: profit of all items over {plural(varied.found[0].simulated.days, 'day')}, each with its best orders, with 95% intervals"
    return figure(key, title, drawn, table(columns, body, caption=f"Profit by {_argument(first)}"), note=note, span="half")


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


def _spoken(rows: pl.DataFrame, first: str, others: Sequence[str], places: int) -> str:
    each = []
    for r in rows.iter_rows(named=True):
        at = ", ".join(f"{_argument(o)} {r[o]:g}" for o in (first, *others))
        each.append(f"{at}: {fixed(r['profit'], places)} {between(r['low'], r['high'], places)}".strip())
    return f"Profit of all items by {_argument(first)}: {'; '.join(each)}."


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
    money = decimals([r["money"] for r in rows])
    body = [
        [name(str(r["item"])), _units(r["order"]), _units(r["packs"]), fixed(r["money"], min(money, 2)), _units(r["on_hand"]), _units(r["on_way"]), _units(r["expected"]), count(r["days"]),
         el("span", r["why"], class_="remark")]
        for r in rows
    ]  # fmt: skip
    where = "; the file of orders beside it has all"
    return section("orders", "To order today", *said, folded(columns, body, caption="Orders, those that cost most first", of=len(found), where=where))


def _units(value: float) -> str:
    return fixed(value, 0 if abs(value - round(value)) < 1e-9 else 1)
