"""The page of an analysis: whether the experiment is sound, what each arm did to each metric, by day and by segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from vitrina.experiments import Analysis, Sequential
from vitrina.experiments.sentences import percent as signed_percent
from vitrina.experiments.slices import sentences_of
from vitrina.pages.frame import framed
from vitrina.report.charts import Dot, dots, interval
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Column, Drawing, Html, Panel, el, figure, name, panels, section, sentence, table
from vitrina.report.scales import Linear, spanning
from vitrina.report.words import between, count, decimals, fixed, half_width, percent, plural, signed

Row = Mapping[str, Any]
CLASSES = {"better": "better", "holds": "better", "worse": "worse", "broken": "worse"}
PANEL = 300
MARKS = {"pass": ("better", "✓ passed"), "warn": ("unsure", "! look"), "refuse": ("worse", "✕ refused")}


def render_analysis(
    analysis: Analysis, *, title: str, sequential: Sequential | None = None, date: str = "", settings: Sequence[tuple[str, str]] = ()
) -> str:
    """An analysis as one self-contained page.

    Args:
        title: of the page.
        sequential: the same experiment looked at day by day.
        date: for the line below the title.
        settings: what was asked, for "how it was made".

    The same analysis gives the same text. All names of the data are escaped.
    """
    rows = analysis.table.to_dicts()
    arms = {r["control"]: r["units_control"] for r in rows} | {r["arm"]: r["units"] for r in rows}
    line = [*(f"{count(units)} in {arm}" for arm, units in arms.items()), f"{analysis.confidence:.0%} intervals", *([date] if date else [])]
    parts = [
        ("results", "What came of it", _results(analysis, rows)), ("days", "Day by day", _days(sequential)), ("segments", "By segment", _segments(analysis)),
        ("checks", "Is it sound?", _checks(analysis)), ("making", "How it was made", _making(analysis, settings)),
    ]  # fmt: skip
    parts = [parts[3], *parts[:3], parts[4]] if analysis.refused else parts
    return framed(title, line, _answer(analysis, rows), parts)


def _answer(analysis: Analysis, rows: Sequence[Row]) -> list[str]:
    """The goals first and what harms beside them, unless something refuses them."""
    refusals = [c.sentence for c in analysis.checks.rows if c.verdict == "refuse"]
    if analysis.refused:
        return [f"No effect is told. {refusals[0]}", *refusals[1:3]]
    order = sorted(rows, key=lambda r: (r["verdict"] != "broken", r["role"] != "goal", r["verdict"] not in CLASSES))
    told = [r["sentence"] for r in order if r["role"] != "beside"]
    broken = sum(r["verdict"] == "broken" for r in rows)
    told = [*told[broken : broken + 1], *told[:broken], *told[broken + 1 :]] if broken < len(told) else told  # a harm is never left out
    warned = [c.sentence for c in analysis.checks.rows if c.verdict == "warn"]
    return [*(f"Shown although a check refuses it: {s}" for s in refusals), *told[: max(3, broken + 1)], *warned[:1]]


def _results(analysis: Analysis, rows: Sequence[Row]) -> Html:
    """Section: relative differences drawn, and all numbers."""
    if analysis.refused:
        return section("results", "What came of it", sentence("No effect is told: the checks say why, and what to do."))
    shown = [r for r in rows if r["relative"] is not None]
    plot = _effects(analysis, shown) if shown else None
    return section("results", "What came of it", plot, _table(rows))


def _effects(analysis: Analysis, rows: Sequence[Row]) -> Html:
    several = len({r["arm"] for r in rows}) > 1
    marks = [
        Dot(
            f"{r['metric']}, {r['arm']}" if several else r["metric"],
            100 * r["relative"],
            100 * r["relative_low"],
            100 * r["relative_high"],
            _class(r),
            r["sentence"],
        )
        for r in rows
    ]
    sure = sum(r["verdict"] in CLASSES for r in rows)
    title = (
        f"{sure} of {plural(len(rows), 'comparison')} {'is' if sure == 1 else 'are'} decided"
        if sure
        else "No difference can be told from none"
    )
    spoken = "; ".join(f"{m.label} {signed(m.value, 1)}% {between(m.low, m.high, 1)}" for m in marks)
    columns = [Column("Metric", number=False), *map(Column, ("Change", "from", "to"))]
    body = [[name(m.label), *(f"{signed(v, 2)}%" for v in (m.value, m.low, m.high))] for m in marks]
    guarded = "; a guard is green where it holds" * any(r["role"] == "guard" for r in rows)
    note = f"change from {rows[0]['control']}, per cent, {analysis.confidence:.0%} intervals; grey can’t be told from no change{guarded}"
    return figure(
        "effects-plot",
        title,
        dots(marks, description=f"Changes with intervals: {spoken}.", marker=0.0),
        table(columns, body, caption="Changes in per cent"),
        note=note,
    )


def _class(row: Row) -> str:
    return CLASSES.get(row["verdict"], "unsure")


def _table(rows: Sequence[Row]) -> Html:
    scale = {r["metric"]: spanning([r["low"], r["high"], 0.0], 0, 1) for r in _by_metric(rows)}
    heads = [
        Column("Metric", number=False, class_="first"), Column("Arm", number=False), *map(Column, ("Control", "Arm’s value", "Difference")), Column("", number=False),
        Column("Change"), Column("p, corrected"), Column("Verdict", number=False),
    ]  # fmt: skip
    body = []
    for r in rows:
        places = decimals([r["difference"]], [half_width(r["low"], r["high"])])
        drawn = (
            interval(Dot("", r["difference"], r["low"], r["high"], _class(r), ""), (scale[r["metric"]].low, scale[r["metric"]].high), 0.0)
            if r["low"] is not None
            else ""
        )
        role = el("span", r["role"], class_="remark") if r["role"] != "goal" else None
        body.append(
            [
                el("div", name(r["metric"]), role), name(r["arm"]), fixed(r["control_value"], places), fixed(r["value"], places),
                f"{signed(r['difference'], places)} {between(r['low'], r['high'], places)}".strip(), drawn, signed_percent(r["relative"]), fixed(r["p_adjusted"], 4),
                el("span", r["verdict"], class_=_class(r)),
            ]
        )  # fmt: skip
    return table(
        heads,
        body,
        caption="Differences from control, each with its interval; p is corrected for all goals and arms together",
        class_="metrics",
    )


def _by_metric(rows: Sequence[Row]) -> Sequence[Row]:
    """Per metric the widest ends of its arms."""
    table = pl.DataFrame(
        [{key: r[key] for key in ("metric", "low", "high")} for r in rows],
        schema={"metric": pl.String, "low": pl.Float64, "high": pl.Float64},
    )
    return table.group_by("metric").agg(pl.col("low").min(), pl.col("high").max()).to_dicts()


def _days(sequential: Sequential | None) -> Html | None:
    """Section: the always-valid interval after each day."""
    if sequential is None or sequential.refused:
        return None
    parts = []
    for (metric, arm), part in sequential.table.group_by("metric", "arm", maintain_order=True):
        known = part.filter(pl.col("low").is_not_null())
        if known.height >= 2:
            parts.append(Panel(f"{metric}, {arm}", _so_far(f"{metric}, {arm}", known), known["verdict"][-1]))
    if not parts:
        return section("days", "Day by day", *(el("p", s, class_="finding") for s in sequential.sentences))
    key = ["metric", "arm", "look", "units", "difference", "low", "high", "verdict"]
    columns = [Column(h.capitalize(), number=h not in ("metric", "arm", "verdict")) for h in key]
    body = [[_plain(v) for v in row] for row in sequential.table.select(key).iter_rows()]
    made = panels(
        "days-plot",
        "May be looked at every day",
        parts,
        table(columns, body, caption="Every look"),
        width=PANEL,
        note="difference so far with its always-valid interval; looks across",
    )
    said = [s for s in sequential.sentences if s not in {c.sentence for c in sequential.checks.rows}]
    return section("days", "Day by day", *(el("p", s, class_="finding") for s in said), made)


def _so_far(title: str, known: pl.DataFrame) -> Drawing:
    """The difference so far with its band, look by look."""
    looks, band = known["look"].to_list(), list(known.select("look", "low", "high").iter_rows())
    up = spanning([0.0, *known["low"].tail(known.height * 3 // 4), *known["high"].tail(known.height * 3 // 4)], 0, 1)
    across = Linear(looks[0], looks[-1], 0, 1)
    lines = [
        Curve(
            list(known.select("look", "difference").iter_rows()),
            "lead",
            "difference so far",
            band=[(x, max(a, up.low), min(b, up.high)) for x, a, b in band],
        ),
        Curve([(looks[0], 0.0), (looks[-1], 0.0)], "other"),
    ]
    last = known.row(-1, named=True)
    described = f"{title}: after {last['look']} looks {last['difference']:.4g}, between {last['low']:.4g} and {last['high']:.4g}."
    return curves(
        lines,
        across=across,
        up=(up.low, up.high),
        across_ticks=across.tick_labels(4),
        up_ticks=up.tick_labels(4),
        note=None,
        description=described,
    )


def _plain(value: Any) -> str:
    return fixed(value, 4) if isinstance(value, float) or value is None else count(value) if isinstance(value, int) else str(value)


def _segments(analysis: Analysis) -> Html | None:
    """Section: effects in each group, a small plot per slice, metric and arm."""
    if analysis.slices is None or analysis.refused or not analysis.slices.height:
        return None
    parts = []
    for (slice_, metric, arm), part in analysis.slices.group_by("slice", "metric", "arm", maintain_order=True):
        rows = [
            Dot(str(r["group"]), r["difference"], r["low"], r["high"], "other", f"{r['group']}: {fixed(r['difference'], 4)}")
            for r in part.iter_rows(named=True)
        ]
        spoken = "; ".join(f"{d.label} {fixed(d.value, 3)} {between(d.low, d.high, 3)}" for d in rows)
        parts.append(Panel(f"{metric}, {arm}", dots(rows, description=f"Difference by {slice_}: {spoken}.", marker=0.0), f"by {slice_}"))
    key = ["slice", "group", "metric", "arm", "units", "difference", "low", "high", "p_adjusted"]
    columns = [Column(h.replace("_", " ").capitalize(), number=h not in ("slice", "group", "metric", "arm")) for h in key]
    body = [[_plain(v) for v in row] for row in analysis.slices.select(key).iter_rows()]
    told = [] if analysis.heterogeneity is None else sentences_of(analysis.heterogeneity, 1 - analysis.confidence)
    made = panels(
        "segments-plot",
        "The difference in each group",
        parts,
        table(columns, body, caption="Every group"),
        width=PANEL,
        note="difference from control, with intervals of each group alone",
    )
    return section("segments", "By segment", *(el("p", s, class_="finding") for s in told), made)


def _checks(analysis: Analysis) -> Html:
    """Section: what must hold before a number is believed."""
    columns = [Column("Check", number=False), Column("Verdict", number=False), Column("What it means", number=False), Column("p")]
    body = [[c.name, el("span", MARKS[c.verdict][1], class_=MARKS[c.verdict][0]), c.sentence, fixed(c.p, 4)] for c in analysis.checks.rows]
    return section("checks", "Is it sound?", table(columns, body, caption="Checks of the assignment, before any effect"))


def _making(analysis: Analysis, settings: Sequence[tuple[str, str]]) -> Html:
    facts = [*settings, ("confidence", percent(analysis.confidence))]
    return section(
        "making",
        "How it was made",
        el("dl", *(item for key, value in facts for item in (el("dt", key), el("dd", value))), class_="settings"),
    )
