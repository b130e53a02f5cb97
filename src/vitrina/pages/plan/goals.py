"""The page on goals: how likely they are met, what bonuses cost at each ambition, whether promises were kept, and what pilots say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vitrina.base.printing import decimals, finite, half_width
from vitrina.pages.frame import framed
from vitrina.pages.plan.making import MOST, dense, folded, making, warned
from vitrina.pages.plan.pilot import bonuses, pilot
from vitrina.pages.plan.study import GoalsStudy
from vitrina.plan.goals.goals import EFFORT
from vitrina.report.charts import Dot, interval
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Column, Drawing, Html, el, figure, name, section, table
from vitrina.report.scales import Linear
from vitrina.report.words import between, day, fixed, percent, plural, short_count

ACROSS = tuple((share, percent(share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0))


def goals_page(study: GoalsStudy) -> str:
    """Goals and their bonuses as one self-contained HTML page: no network, no fonts, no libraries; light, dark, phone and paper.

    The same study gives the same text. All names of the data are escaped.
    """
    return framed(study.title, dateline(study), answer(study), [(key, title, make(study)) for key, title, make in SECTIONS])


def dateline(study: GoalsStudy) -> list[str]:
    """Short facts below the title."""
    facts = [
        plural(len(study.goals), "goal"),
        f"{plural(study.days, 'day')} from {day(study.start)}",
        plural(study.goals.paths, "path"),
        study.date,
    ]
    return [fact for fact in facts if fact]


def answer(study: GoalsStudy) -> list[str]:
    """What the goals promise and cost, whether such promises were kept, and what a pilot says."""
    told = [sentence for sentence in study.goals.sentences if sentence != EFFORT and sentence not in study.goals.notes]
    told += list(study.judged.sentences[:1]) if study.judged is not None else []
    told += list(study.response.sentences[:1]) if study.response is not None else []
    return [*told, *(study.change.sentences[2:3] if study.change is not None else ())]


def ambition(study: GoalsStudy) -> Html | None:
    """Section: what each ambition promises and costs; None where neither is known."""
    parts = [made for made in (_kept(study), _cost(study)) if made is not None]
    if not parts:
        return None
    warnings = warned([EFFORT]) if study.response is None else None
    return section("ambition", "Ambition", warnings, el("div", *parts, class_="pair"))


def _kept(study: GoalsStudy) -> Html | None:
    """Goals of the past: promised and met."""
    if study.judged is None:
        return None
    rows = study.judged.table.to_dicts()
    band = [(r["ambition"], r["low"], r["high"]) for r in rows if finite(r["low"])]
    lines = [
        Curve(dense([(r["ambition"], r["met"]) for r in rows]), "lead", "met", band, "came true"),
        Curve(dense([(r["ambition"], r["promised"]) for r in rows]), "base", "promised", name="promised"),
    ]
    spoken = "; ".join(
        f"at {percent(r['ambition'])} {percent(r['met'])} {between(100 * r['low'], 100 * r['high'], 0)} of {percent(r['promised'])} promised"
        for r in rows
    )
    title = study.judged.sentences[0].partition(":")[0]
    columns = [Column("Ambition"), Column("Goals"), Column("Promised"), Column("Met"), Column("Interval"), Column("", number=False)]
    body = [[percent(r["ambition"]), str(r["goals"]), percent(r["promised"], 1), percent(r["met"], 1), between(100 * r["low"], 100 * r["high"], 1), r["verdict"]] for r in rows]  # fmt: skip
    note = f"across: ambition; up: share of goals that are met, with {percent(study.judged.confidence)} intervals over those who have one. {study.judged.sentences[1]}"
    drawn = _plot(lines, (0.0, 1.0), None, f"Share of goals met by ambition: {spoken}.", ACROSS[:5])
    return figure("kept-plot", title, drawn, table(columns, body, caption="Goals of the past"), note=note, span="half")


def _cost(study: GoalsStudy) -> Html | None:
    """Bonuses by ambition, with the bill's own spread."""
    if study.curve is None:
        return None
    rows = study.curve.table.to_dicts()
    top = 1.05 * max(1e-9, *(r["bill_high"] for r in rows))
    bill = [(r["ambition"], r["bill_low"], r["bill_high"]) for r in rows]
    around = [(r["ambition"], r["cost_low"], r["cost_high"]) for r in rows if finite(r["cost_low"])]
    points = [(r["ambition"], r["cost"]) for r in rows]
    lines = [Curve(points, "faint", "", bill), Curve(points, "lead", "bonuses on average", around)]
    chosen = study.goals.table["ambition"].drop_nulls().unique()
    note = (
        (float(chosen[0]), study.goals.cost[0], f"chosen: {fixed(study.goals.cost[0], 0)}")
        if len(chosen) == 1 and study.goals.paid
        else None
    )
    places = decimals([r["cost"] for r in rows], [half_width(r["cost_low"], r["cost_high"]) for r in rows])
    columns = [Column("Ambition"), Column("Goals in all"), Column("Met"), Column("Bonuses"), Column("Interval"), Column("The bill")]
    body = [
        [percent(r["ambition"]), fixed(r["goals"], 0), percent(r["met"], 1), fixed(r["cost"], places), between(r["cost_low"], r["cost_high"], places), between(r["bill_low"], r["bill_high"], 0)]
        for r in rows
    ]  # fmt: skip
    spoken = "; ".join(
        f"{percent(r['ambition'])} {fixed(r['cost'], places)} {between(r['cost_low'], r['cost_high'], places)}" for r in rows
    )
    ticks = [(t, short_count(t)) for t in Linear(0, top, 0, 1).ticks(4)]
    drawn = _plot(lines, (0.0, top), note, f"Bonuses of all together by ambition: {spoken}.", ACROSS, ticks)
    title = f"Bonuses cost {fixed(rows[0]['cost'], 0)} at an ambition of {percent(rows[0]['ambition'])}, and {fixed(rows[-1]['cost'], 0)} at {percent(rows[-1]['ambition'])}"
    text = f"across: ambition; up: bonuses of all together. Blue: their mean; grey: where the bill itself will be in {percent(study.curve.confidence)} of such periods"
    return figure("cost-plot", title, drawn, table(columns, body, caption="Bonuses by ambition"), note=text, span="half")


def _plot(lines: list[Curve], up: tuple[float, float], note: Any, description: str, across: Any, ticks: Any = None) -> Drawing:
    levels = ticks or [(t, percent(t)) for t in (0.0, 0.25, 0.5, 0.75, 1.0)]
    return curves(
        lines, across=Linear(0, 1, 0, 1), up=up, across_ticks=across, up_ticks=levels, note=note, description=description, tall=260
    )


def chosen(study: GoalsStudy) -> Html:
    """Section: every goal, with its chance and its bonus."""
    found, paid = study.goals, study.goals.paid
    rows = found.table.sort("expected", descending=True, maintain_order=True).head(MOST).to_dicts()
    sizes, money = (
        decimals([r["goal"] for r in rows]),
        decimals([r["bonus"] for r in rows], [half_width(r["bonus_low"], r["bonus_high"]) for r in rows]),
    )
    columns = [
        Column("For", number=False, class_="first"), Column("Expected"), Column("Goal"), Column("Over what is expected"), Column("Chance to meet it"), Column("", number=False),
        *([Column("Bonus on average"), Column("Interval")] if paid else []),
    ]  # fmt: skip
    body = []
    for r in rows:
        dot = Dot(
            "", r["met"], r["met_low"] if finite(r["met_low"]) else None, r["met_high"] if finite(r["met_high"]) else None, "lead", ""
        )
        over = f"{100 * (r['goal'] / r['expected'] - 1):+.1f}%".replace("-", "−") if r["expected"] else "–"
        cells = [
            name(str(r["name"])),
            fixed(r["expected"], sizes),
            fixed(r["goal"], sizes),
            over,
            percent(r["met"], 1),
            interval(dot, (0.0, 1.0), 0.5),
        ]
        body.append([*cells, *([fixed(r["bonus"], money), between(r["bonus_low"], r["bonus_high"], money)] if paid else [])])
    caption = f"Goals for {plural(study.days, 'day')} from {day(study.start)}, the biggest first; the upright line is an even chance"
    return section("goals", "The goals", folded(columns, body, caption=caption, of=len(found)))


SECTIONS: tuple[tuple[str, str, Callable[[GoalsStudy], Html | None]], ...] = (
    ("ambition", "Ambition", ambition),
    ("goals", "The goals", chosen),
    ("pilot", "What a pilot brought", pilot),
    ("bonuses", "Why bonuses changed", bonuses),
    ("making", "How it was made", lambda study: making(study.settings, (*study.goals.notes, EFFORT))),
)
