"""What pilots say of goals: what each level of ambition brought, and why bonuses changed under another forecast."""

from __future__ import annotations

from typing import Any

from vitrina.base.printing import decimals, finite, half_width
from vitrina.pages.plan.study import GoalsStudy
from vitrina.report.cascade import Part, cascade
from vitrina.report.charts import Dot, dots
from vitrina.report.html import Column, Html, el, figure, name, section, table
from vitrina.report.words import between, count, fixed, percent, signed

COLOURS = {"better": "better", "worse": "worse"}
NAMES = {
    "accuracy": "Nearer to what comes",
    "bias": "Goals too low or too high",
    "effort": "People sold more or less",
    "total": "Change of bonuses",
}


def pilot(study: GoalsStudy) -> Html | None:
    """Section: levels of ambition that were drawn by lot; None without a pilot."""
    found = study.response
    if found is None:
        return None
    rows = found.table.to_dicts()
    places = decimals([r["net"] for r in rows], [half_width(r["net_low"], r["net_high"]) for r in rows])
    marks = [
        Dot(f"ambition {r['ambition']:g}", r["net"], _known(r["net_low"]), _known(r["net_high"]), "lead" if r["arm"] == found.best else "base" if r["arm"] == found.control else "other", f"ambition {r['ambition']:g}: {fixed(r['net'], places)}")
        for r in rows
    ]  # fmt: skip
    spoken = "; ".join(f"{r['ambition']:g}: {fixed(r['net'], places)} {between(r['net_low'], r['net_high'], places)}" for r in rows)
    drawn = dots(marks, description=f"Kept per unit after bonuses, by ambition: {spoken}.")
    best = next(r for r in rows if r["arm"] == found.best)
    title = f"An ambition of {best['ambition']:g} brought most after bonuses"
    note = f"{percent(found.margin)} of the outcome less the bonus, per unit, if all had the level; {percent(found.confidence)} intervals"
    plot = figure("pilot-plot", title, drawn, _arms(rows, places), note=note)
    refused = [check.sentence for check in found.analysis.checks.rows if check.verdict != "pass"]
    said = (el("p", sentence, class_="sub") for sentence in (*refused[1:], *found.sentences[-2:]))
    return section("pilot", "What a pilot brought", el("p", found.sentences[0], class_="finding"), plot, _arms(rows, places), *said)


def _arms(rows: list[dict[str, Any]], places: int) -> Html:
    columns = [
        Column("Ambition"), Column("Units"), Column("Kept after bonuses"), Column("Interval"), Column("Outcome against control"), Column("Bonus against control"), Column("Gain"),
        Column("Verdict", number=False),
    ]  # fmt: skip
    body = [
        [f"{r['ambition']:g}", count(r["units"]), fixed(r["net"], places), between(r["net_low"], r["net_high"], places), *(_against(r, key, places) for key in ("uplift", "more_bonus", "gain")),
         el("span", r["verdict"] or "control", class_=COLOURS.get(r["verdict"] or "", "unsure"))]
        for r in rows
    ]  # fmt: skip
    return table(columns, body, caption="Levels of ambition, per unit", class_="metrics")


def _against(row: dict[str, Any], key: str, places: int) -> str:
    return "–" if not finite(row[key]) else f"{signed(row[key], places)} {between(row[f'{key}_low'], row[f'{key}_high'], places)}".strip()


def bonuses(study: GoalsStudy) -> Html | None:
    """Section: a change of bonuses in its parts, and what the pilot is worth; None without one."""
    change = study.change
    if change is None:
        return None
    rows = change.table.to_dicts()
    places = decimals([r["bonus"] for r in rows], [half_width(r["low"], r["high"]) for r in rows])
    parts = [
        Part(
            _name(r),
            r["bonus"],
            signed(r["bonus"], places),
            _known(r["low"]),
            _known(r["high"]),
            r["part"] == "total",
        )
        for r in rows
    ]
    spoken = "; ".join(f"{_name(r)} {signed(r['bonus'], places)} {between(r['low'], r['high'], places)}" for r in rows)
    columns = [
        Column("Because of", number=False),
        Column("Bonus per unit"),
        Column("Interval"),
        Column("Goals met, points"),
        Column("Interval"),
    ]
    body = [
        [name(_name(r)), signed(r["bonus"], places), between(r["low"], r["high"], places), signed(100 * r["met"], 1), between(100 * r["met_low"], 100 * r["met_high"], 1)]
        for r in rows
    ]  # fmt: skip
    title = f"Bonuses changed by {signed(rows[-1]['bonus'], places)} per unit, {signed(change.part('bias')['bonus'], places)} of it because the new goals weren’t as ambitious"
    note = f"money per unit, {change.treated} against {change.control}; {percent(change.confidence)} intervals"
    plot = figure(
        "bonuses-plot", title, cascade(parts, description=f"{spoken}."), table(columns, body, caption="The change in its parts"), note=note
    )
    said = (el("p", sentence, class_="finding" if at == 2 else "sub") for at, sentence in enumerate(change.sentences) if at)
    return section("bonuses", "Why bonuses changed", plot, _worth(study), *said)


def _worth(study: GoalsStudy) -> Html:
    """What the pilot is worth as it was run, and at equal ambition."""
    assert study.change is not None
    rows = [r for r in study.change.worth.to_dicts() if r["what"] != "sales"]
    places = decimals([r["value"] for r in rows], [half_width(r["low"], r["high"]) for r in rows])
    told = ["unsure" if not (r["low"] > 0 or r["high"] < 0) else "better" if r["low"] > 0 else "worse" for r in rows]
    marks = [
        Dot(r["what"], r["value"], r["low"], r["high"], class_, f"{r['what']}: {signed(r['value'], places)}")
        for r, class_ in zip(rows, told, strict=True)
    ]
    spoken = "; ".join(f"{r['what']} {signed(r['value'], places)} {between(r['low'], r['high'], places)}" for r in rows)
    columns = [Column("", number=False), Column("Worth per unit"), Column("Interval")]
    body = [[r["what"], signed(r["value"], places), between(r["low"], r["high"], places)] for r in rows]
    title = "What the pilot is worth per unit after bonuses"
    drawn = dots(marks, description=f"{title}: {spoken}.", marker=0.0)
    return figure("worth-plot", title, drawn, table(columns, body, caption=title), note="grey: can’t be told from nothing")


def _name(row: dict[str, Any]) -> str:
    return NAMES.get(row["part"], str(row["part"]))


def _known(value: Any) -> float | None:
    return float(value) if finite(value) else None
