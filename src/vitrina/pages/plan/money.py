"""Where the money of a stock goes: what could be earned, what is missed, what holding costs, and what is left; by item and over the days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np

from vitrina.base.printing import half_width
from vitrina.pages.plan.making import MOST, coins, folded
from vitrina.pages.plan.study import StockStudy
from vitrina.plan import Simulated
from vitrina.report.cascade import Part, cascade
from vitrina.report.fans import Fan, Ribbon, Thread, fan
from vitrina.report.html import Column, Drawing, Html, Panel, el, figure, name, panels, section, sentence, table
from vitrina.report.words import between, count, day, fixed, percent, plural
from vitrina.types import Float64

WIDTH = 320  # px of a small plot
DRAWN = 6  # series over time
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
COSTS = {
    "storage": "Storage", "deposit": "Deposit on the stock", "write_offs": "Write-offs", "spoilt": "Spoilt returns", "orders": "Orders", "penalty": "Waiting customers",
    "leftover": "Stock left at the end",
}  # fmt: skip


def money(study: StockStudy) -> Html:
    """Section: the margin of all that is wanted, what goes off it, and the profit."""
    found = study.simulated
    if not found.ideal.any():
        return section("money", "Where the money goes", sentence("Nothing is wanted on any path, so that there is no money to show."))
    rows = _parts(found)
    places = coins([rows[-1][1]], [half_width(rows[-1][2], rows[-1][3])])
    shown = [Part(label, value, fixed(value, places), low, high, total=label == "Profit") for label, value, low, high in rows]
    spoken = "; ".join(f"{label} {fixed(value, places)} {between(low, high, places)}".strip() for label, value, low, high in rows)
    columns = [Column("Part", number=False), Column("Money"), Column("Interval"), Column("Of what could be earned")]
    body = [
        [label, fixed(v, places), between(low, high, places), percent(v / rows[0][1]) if rows[0][1] else "–"]
        for label, v, low, high in rows
    ]
    most = max(rows[1:-1], key=lambda row: -row[1], default=None)
    title = f"{fixed(rows[-1][1], places)} are left of {fixed(rows[0][1], places)} that could be earned"
    title += f"; most goes to {most[0][0].lower()}{most[0][1:]}" if most and most[1] < 0 else ""
    note = f"money over {plural(found.days, 'day')}; thin lines are 95% intervals over {plural(found.paths, 'path')}"
    plot = figure(
        "money-plot", title, cascade(shown, description=f"{spoken}."), table(columns, body, caption="Profit and its parts"), note=note
    )
    return section("money", "Where the money goes", plot, _items(study))


def _parts(found: Simulated) -> list[tuple[str, float, float | None, float | None]]:
    """label, money, low, high: from the margin of all that is wanted to the profit; what takes off is below 0."""
    lost, back = found.lost_margin, found.goods.margin[:, None] * found.units("returned")
    waits = found.ideal - lost - back - found.money["margin"]
    parts: dict[str, Float64] = {
        "Margin on all demand": found.ideal,
        "Lost sales": -lost,
        "Sales still waiting": -waits,
        "Returns": -back,
    }
    parts |= {COSTS.get(key, key): -part for key, part in found.money.items() if key != "margin"}
    rows = [(label, *_told(found, part)) for label, part in parts.items() if label.startswith("Margin") or np.abs(part).max() > 1e-9]
    return [*rows, ("Profit", *_told(found, found.profit))]


def _told(found: Simulated, part: Float64) -> tuple[float, float | None, float | None]:
    mean, low, high = (float(v) for v in found.interval(part.sum(axis=0)))
    return (mean, low, high) if np.isfinite(low) else (mean, None, None)


def _items(study: StockStudy) -> Html:
    """Every item, those that earn most first."""
    rows = study.simulated.table.with_columns(name=np.asarray(study.names, dtype=object)).sort(
        "profit", descending=True, maintain_order=True
    )
    shown = rows.head(MOST).to_dicts()
    places = coins([r["profit"] for r in shown], [half_width(r["low"], r["high"]) for r in shown])
    columns = [
        Column("Item", number=False, class_="first"), Column("Profit"), Column("Interval"), Column("Could be earned"), Column("Met at once"), Column("Mean stock"), Column("Written off"),
        Column("Orders"),
    ]  # fmt: skip
    body = [
        [name(str(r["name"])), _money(r["profit"], places), between(r["low"], r["high"], places), fixed(r["ideal"], places), percent(r["fill_rate"]),
         fixed(r["mean_stock"], 1), fixed(r["written_off"], 1), fixed(r["order_count"], 1)]
        for r in shown
    ]  # fmt: skip
    return folded(columns, body, caption="Items, those that earn most first; units and orders are means over paths", of=rows.height)


def _money(value: float, places: int) -> Html | str:
    return el("span", fixed(value, places), class_="worse") if value < 0 else fixed(value, places)


def shelves(study: StockStudy) -> Html | None:
    """Section: the stock of a few items day by day; None where none was kept."""
    found = study.simulated
    if not len(found.traced):
        return None
    chosen, bands = _picked(found), found.bands(LEVELS)
    parts = [Panel(name(study.names[s]), _over_days(study, at, bands[:, at]), why) for at, s, why in chosen]
    columns = [
        Column("Item", number=False),
        Column("Mean stock"),
        Column("90% of evenings"),
        Column("Evenings without stock"),
        Column("Written off"),
    ]
    body = []
    for at, s, _ in chosen:
        low, high = np.quantile(found.evenings[at], [0.05, 0.95])
        empty, gone = float((found.evenings[at] <= 0).mean()), float(found.units("written_off")[s].mean())
        body.append(
            [
                name(study.names[s]),
                fixed(float(found.evenings[at].mean()), 1),
                between(float(low), float(high), 0),
                percent(empty),
                fixed(gone, 1),
            ]
        )
    note = "units in the evening; the bands hold 50% and 90% of the paths, the blue line is their middle, and the grey line is one path, with its deliveries. Each plot has its own scale"
    title = f"Stock of {plural(len(chosen), 'item')} over {plural(found.days, 'day')}"
    return section(
        "shelves", "Stock over time", panels("shelves-plot", title, parts, table(columns, body, caption=title), width=WIDTH, note=note)
    )


def _picked(found: Simulated) -> list[tuple[int, int, str]]:
    """Place among the traced ones, series and the reason: what earns most, what loses most, what is written off most, then the others as they come."""
    profit = found.profit.mean(axis=1)[found.traced]
    gone = (found.money["write_offs"].mean(axis=1))[found.traced]
    wanted = [(np.argsort(-profit), "earns most", 2)]
    wanted += [(np.argsort(profit)[np.sort(profit) < 0], "loses most", 2)] if (profit < 0).any() else []
    wanted += [(np.argsort(-gone), "most is written off", 1)] if (gone > 0).any() else []
    wanted += [(np.arange(len(profit)), "", DRAWN)]
    chosen: dict[int, str] = {}
    for order, why, many in wanted:
        fresh = [int(at) for at in order if int(at) not in chosen][:many]
        chosen |= dict.fromkeys(fresh, why)
    return [(at, int(found.traced[at]), why) for at, why in chosen.items()][:DRAWN]


def _over_days(study: StockStudy, at: int, bands: Any) -> Drawing:
    found, (low, quarter, middle, upper, high) = study.simulated, bands
    one, series = found.evenings[at, 0], int(found.traced[at])
    made = Fan(
        study.start,
        found.days,
        lines=(Thread(one.tolist(), "other thin", "one path"), Thread(middle.tolist(), "lead", "middle of the paths")),
        bands=(Ribbon(low.tolist(), high.tolist(), "lead"), Ribbon(quarter.tolist(), upper.tolist(), "lead")),
    )
    last = study.start + timedelta(days=found.days - 1)
    spoken = (
        f"{study.names[series]}: stock from {day(study.start)} to {day(last)}, {fixed(float(found.evenings[at].mean()), 1)} units on average; on {percent(float((found.evenings[at] <= 0).mean()))} "
        f"of evenings none; at most {count(float(found.evenings[at].max()))}."
    )
    return fan(made, description=spoken, unit="units")
