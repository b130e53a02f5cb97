"""Risk against coverage, the thresholds that were looked at, and the areas of the monitors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vitrina.answers import Promise
from vitrina.base.printing import finite
from vitrina.pages.sufficiency.study import Study
from vitrina.report.charts import Dot, dots
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Column, Drawing, Html, Panel, el, figure, name, panels, section, sentence, table
from vitrina.report.scales import Linear
from vitrina.report.words import between, count, fixed, percent, plural, signed

PANEL = 300  # px of a small plot
SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)  # of the questions, in the table below the curve
ACROSS = tuple((share, percent(share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0))
COLOURS = {"better": "better", "worse": "worse", "no measurable difference": "unsure", "": "base"}


def risk(study: Study) -> Html:
    """Section: how often answers are wrong by the share that is given, with the threshold's place."""
    curve = study.board.curves[study.monitor]
    if not len(curve.curve):
        return section("risk", "Risk against coverage", sentence("No answer of the test part has a score."))
    half, all_ = _at(study, 0.5), curve.risk
    finding = f"All {count(curve.answers)} test answers together: {percent(all_)} wrong. " + (
        f"The surest half: {percent(half['risk'])} {between(100 * half['low'], 100 * half['high'], 1)}."
        if half
        else "Fewer than half of them have a score."
    )
    title = f"Risk by the share of questions answered, the surest by {study.monitor} first"
    note = f"across: share of the questions that is answered; up: share of these answers that is wrong. Band: {percent(study.confidence)} interval at each threshold, by question, cut at the top of the plot; test part"
    made = figure("risk-plot", title, _drawn(study), _numbers(study), note=note)
    return section("risk", "Risk against coverage", el("p", finding, class_="finding"), made)


def _at(study: Study, share: float) -> dict[str, Any] | None:
    rows = study.board.curves[study.monitor].curve
    found = [row for row in rows.iter_rows(named=True) if row["coverage"] >= share - 1e-12]
    return found[0] if found else None


def _drawn(study: Study) -> Drawing:
    lead, top = study.board.curves[study.monitor].curve.rows(named=True), _top(study)
    lines = [_line(lead, "lead", study.monitor, top)]
    if study.promise.unit == "answer":
        lines.append(Curve(_level(study.promise.most), "base", "", name=f"at most {percent(study.promise.most)}"))
    kept = study.kept
    from_ = fixed(study.promise.threshold, 3)
    note = (kept.coverage, min(_risk_near(study, kept.coverage), top), f"from {from_} on") if kept is not None and kept.answered else None
    spoken = "; ".join(f"{percent(s)} answered: {percent(row['risk'])} wrong" for s in SHARES if (row := _at(study, s)) is not None)
    return _plot(lines, top, note, f"{study.monitor}: {spoken}.", 320)


def _top(study: Study) -> float:
    """Of the axis of risk, for all monitors: the ends of intervals of a tenth of the questions on fit below it."""
    shown = [
        row["high"]
        for row in study.board.curves[study.monitor].curve.iter_rows(named=True)
        if row["coverage"] >= 0.1 and finite(row["high"])
    ]
    return min(1.0, 1.1 * max(*shown, study.board.curves[study.monitor].risk, study.promise.most))


def _plot(lines: list[Curve], top: float, note: tuple[float, float, str] | None, description: str, tall: int) -> Drawing:
    ticks = [(t, percent(t)) for t in Linear(0, top, 0, 1).ticks(4)]
    return curves(
        lines, across=Linear(0, 1, 0, 1), up=(0.0, top), across_ticks=ACROSS, up_ticks=ticks, note=note, description=description, tall=tall
    )


def others(study: Study) -> Html | None:
    """The curves of the other monitors on the same scale; None where there is no other."""
    top, parts = _top(study), []
    for row in study.board.table.iter_rows(named=True):
        found = study.board.curves[row["monitor"]]
        if row["monitor"] != study.monitor and len(found.curve):
            line = _line(found.curve.rows(named=True), "other", row["monitor"], top, named=False)
            note = f"area {fixed(row['area'], 3)}, {row['verdict'] or 'the baseline'}"
            parts.append(Panel(name(row["monitor"]), _plot([line], top, None, f"{row['monitor']}: {note}.", 170), note))
    note = "across: share of the questions that is answered; up: share of these answers that is wrong; bands are intervals, cut at the top of the plot"
    return panels("others-plot", "The same by the other monitors", parts, _areas(study), width=PANEL, note=note) if parts else None


def _risk_near(study: Study, coverage: float) -> float:
    rows = study.board.curves[study.monitor].curve
    return min(rows.iter_rows(named=True), key=lambda row: abs(row["coverage"] - coverage))["risk"]


def _line(rows: Sequence[dict[str, Any]], class_: str, label: str, top: float, *, named: bool = True) -> Curve:
    points = [(row["coverage"], min(row["risk"], top)) for row in rows]
    around = [(row["coverage"], min(row["low"], top), min(row["high"], top)) for row in rows if finite(row["low"])]
    return Curve(points, class_, label, around, label if named else "")


def _level(most: float) -> list[tuple[float, float]]:
    """A level line; of many points, so that no name is written over it."""
    return [(at / 40, most) for at in range(41)]


def _numbers(study: Study) -> Html:
    columns = [Column("Answered"), Column("Threshold"), Column("Answers"), Column("Wrong"), Column("Interval")]
    body = [
        [
            percent(share),
            fixed(row["threshold"], 3),
            count(row["answered"]),
            percent(row["risk"], 1),
            between(100 * row["low"], 100 * row["high"], 1),
        ]
        for share in SHARES
        if (row := _at(study, share)) is not None
    ]
    return table(columns, body, caption=f"Wrong answers by the share that is given, {study.monitor}, in percent")


def promised(study: Study) -> Html:
    """Section: the thresholds that were looked at, the one that was taken, and what the test part says."""
    promise = study.promise
    said = [el("p", promise.sentence, class_="finding")]
    said += [el("p", study.kept.sentence, class_="finding")] if study.kept is not None else []
    if not len(promise.tried):
        return section("promise", "The threshold", *said)
    return section("promise", "The threshold", *said, _tried(promise))


def _tried(promise: Promise) -> Html:
    """The thresholds that were looked at, with what was seen and the bound of each."""
    rows = promise.tried.rows(named=True)
    top = min(1.0, max(2.5 * promise.most, 1.1 * min(row["upper"] for row in rows)))
    upper = [(row["answered"] / promise.labels, min(row["upper"], top)) for row in rows]
    seen = [(row["answered"] / promise.labels, min(row["rate"], top)) for row in rows]
    lines = [
        Curve(upper, "lead", "upper bound", name="upper bound"),
        Curve(seen, "other", "seen", name="seen"),
        Curve(_level(promise.most), "base", "promised", name="promised"),
    ]
    taken = next((row for row in rows if row["threshold"] == promise.threshold), None)
    note = (
        (taken["answered"] / promise.labels, min(taken["upper"], top), f"from {fixed(promise.threshold, 3)} on")
        if taken is not None
        else None
    )
    per = "answers that are given" if promise.unit == "answer" else "questions that are asked"
    drawn = _plot(lines, top, note, f"{len(rows)} thresholds; {promise.sentence}", 260)
    columns = [
        Column("Threshold"),
        Column("Answered"),
        Column("Wrong"),
        Column("Rate"),
        Column("Upper bound"),
        Column("Holds", number=False),
    ]
    body = [
        [
            fixed(r["threshold"], 3),
            count(r["answered"]),
            fixed(r["errors"], 0),
            percent(r["rate"], 1),
            percent(r["upper"], 1),
            "yes" if r["holds"] else "no",
        ]
        for r in rows
    ]
    title = "The bound of each threshold, on the part that chose" if promise.made else "No bound is within what is to be promised"
    notes = f"across: share of the questions that is answered; up: share of the {per} that is wrong, and the most it may be. What is above {percent(top)} is drawn there"
    return figure("promise-plot", title, drawn, table(columns, body, caption="Thresholds that were looked at"), note=notes)


def monitors(study: Study) -> Html:
    """Section: the area of each monitor, how it differs from knowing nothing, and the curves."""
    found = study.board.table.rows(named=True)
    nothing = found[0]["area"] - found[0]["difference"]
    better = sum(r["verdict"] == "better" for r in found)
    orders = "orders" if better == 1 else "order"
    finding = (
        f"{count(better)} of {plural(len(found), 'monitor')} {orders} the answers better than knowing nothing does."
        if better
        else "No monitor can be told from one that knows nothing."
    )
    marks = [
        Dot(
            r["monitor"],
            r["area"],
            _known(r["low"]),
            _known(r["high"]),
            "lead" if r["monitor"] == study.monitor else "other",
            f"{r['monitor']}: {fixed(r['area'], 3)}",
        )
        for r in found
    ]
    spoken = "; ".join(f"{r['monitor']} {fixed(r['area'], 3)} {between(r['low'], r['high'], 3)}" for r in found)
    drawn = dots(marks, description=f"Areas: {spoken}; knowing nothing {fixed(nothing, 3)}.", marker=nothing)
    note = f"the upright line knows nothing; {percent(study.confidence)} intervals by question, those of the differences hold together; test part"
    made = figure("monitors-plot", "Area under the risk-coverage curve, smaller is better", drawn, _areas(study), note=note)
    return section("monitors", "The monitors", el("p", finding, class_="finding"), made, others(study))


def _areas(study: Study) -> Html:
    columns = [
        Column("Monitor", number=False, class_="first"), Column("Area"), Column("Interval"), Column("Above the least"), Column("Against knowing nothing"), Column("Verdict", number=False),
    ]  # fmt: skip
    body = [
        [
            el("span", name(r["monitor"]), class_="model lead" if r["monitor"] == study.monitor else "model other"), fixed(r["area"], 3), between(r["low"], r["high"], 3), fixed(r["excess"], 3),
            f"{signed(r['difference'], 3)} ({signed(r['difference_low'], 3)} to {signed(r['difference_high'], 3)})", el("span", r["verdict"], class_=COLOURS[r["verdict"]]),
        ]
        for r in study.board.table.iter_rows(named=True)
    ]  # fmt: skip
    return table(columns, body, caption="Areas under the risk-coverage curve; smaller is better", class_="metrics")


def _known(value: float) -> float | None:
    return value if finite(value) else None
