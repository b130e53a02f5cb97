"""The tables and plots of the page on a judge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vitrina.base.printing import finite
from vitrina.judge.calibration import BESIDE, JUDGE, PEOPLE
from vitrina.pages.agreement.study import Study, Tabled
from vitrina.report.charts import Dot, dots, interval
from vitrina.report.html import Column, Html, el, figure, name, section, sentence, table
from vitrina.report.words import between, count, fixed, percent, signed

MEASURE = {
    "accuracy": "share of equal labels", "kappa": "Cohen’s kappa", "kappa_linear": "kappa with linear weights", "kappa_quadratic": "kappa with quadratic weights",
    "AC1": "Gwet’s AC1", "AC2": "Gwet’s AC2", "AC2_linear": "Gwet’s AC2 with linear weights", "AC2_quadratic": "Gwet’s AC2 with quadratic weights", "tau": "Kendall’s tau",
}  # fmt: skip
COLOURS = {"biased": "worse", "none seen": "equal", "too few": "unsure", "fine": "better", "look": "unsure", "leave out": "worse"}


def agreement(study: Study) -> Html:
    """Section: each measure of judge and people, beside people among themselves."""
    found = study.calibration.agreement
    rows = found.filter(found["measure"] == study.measure).rows(named=True)
    shown = [row for row in rows if row["who"] != BESIDE]
    needed = (
        study.decision.needed
        if study.decision is not None and study.decision.measure.startswith(study.measure) and study.decision.needed > 0
        else None
    )
    marks = [
        Dot(
            row["who"],
            known(row["value"]),
            known(row["low"]),
            known(row["high"]),
            _colour(row["who"]),
            f"{row['who']}: {fixed(row['value'], 3)}",
        )
        for row in shown
    ]
    spoken = "; ".join(f"{row['who']} {fixed(row['value'], 3)} {between(row['low'], row['high'], 3)}" for row in shown)
    note = f"{MEASURE.get(study.measure, study.measure)}; intervals by query" + (
        "" if needed is None else f"; the upright line is what is needed, {fixed(needed, 2)}"
    )
    people = next((row for row in rows if row["who"] == PEOPLE), None)
    title = "The judge beside each rater, and people among themselves" if people else "The judge beside people"
    body = [[name(row["who"]), fixed(row["value"], 3), between(row["low"], row["high"], 3)] for row in shown]
    data = table(
        [Column("Who", number=False), Column("Agreement"), Column("Interval")], body, caption=MEASURE.get(study.measure, study.measure)
    )
    drawn = dots(marks, description=f"{MEASURE.get(study.measure, study.measure)}: {spoken}.", marker=needed)
    return section(
        "agreement",
        "Agreement",
        el("p", _finding(study), class_="finding"),
        figure("agreement-plot", title, drawn, data, note=note),
        _measures(study),
    )


def _colour(who: str) -> str:
    return "lead" if who == JUDGE else "base" if who == PEOPLE else "other"


def _finding(study: Study) -> str:
    found = study.calibration
    if PEOPLE not in found.agreement["who"]:
        return "Each item was labelled by one person, so it isn’t known how far people agree: what a judge could reach at best is open."
    gap = found.estimate(study.measure, BESIDE)
    if not finite(gap.low):
        return "Too few queries have two raters to say how the judge compares with them."
    apart = f"{signed(gap.value, 3)} ({signed(gap.low, 3)} to {signed(gap.high, 3)})"
    if gap.high < 0:
        return f"The judge agrees with people less than they do with one another, by {apart}."
    return f"The judge agrees with people {'more than' if gap.low > 0 else 'about as much as'} they do with one another: {apart}."


def _measures(study: Study) -> Html:
    found = study.calibration.agreement
    who = list(dict.fromkeys(found["who"]))
    cells = {(row["who"], row["measure"]): row for row in found.iter_rows(named=True)}
    columns = [Column("Measure", number=False, class_="first"), *(Column(name(one)) for one in who)]
    body = [
        [MEASURE.get(measure, measure), *(_number(cells.get((one, measure))) for one in who)] for measure in dict.fromkeys(found["measure"])
    ]
    if study.calibration.systems is not None:
        tau = study.calibration.systems
        body.append(
            [
                "Order of the systems, Kendall’s tau",
                _number({"value": tau.value, "low": tau.low, "high": tau.high}),
                *["–"] * (len(who) - 1),
            ]
        )
    return table(columns, body, caption="Agreement by every measure, with intervals by query", class_="metrics")


def _number(row: Mapping[str, Any] | None) -> Html | str:
    if row is None or not finite(row["value"]):
        return "–"
    return el("span", fixed(row["value"], 3), el("span", between(row["low"], row["high"], 3), class_="remark"))


def confusion(study: Study) -> Html:
    """Section: what the judge says of what people said."""
    found, grades = study.calibration.confusion, study.calibration.by_grade
    said = {(row["people"], row["judge"]): row for row in found.iter_rows(named=True)}
    values = grades["grade"].to_list()
    named = dict(zip(values, grades["means"], strict=True)) if "means" in grades.columns else {value: str(value) for value in values}
    columns = [
        Column("People say", number=False, class_="first"),
        *(Column(name(f"Judge: {named[one]}")) for one in values),
        Column("Labels"),
        Column("Found again", hint="recall"),
        Column("Right when given", hint="precision"),
    ]
    body = []
    for row in grades.iter_rows(named=True):
        cells = [_share(said[row["grade"], one], same=row["grade"] == one) for one in values]
        body.append([name(named[row["grade"]]), *cells, count(row["people"]), percent(row["recall"]), percent(row["precision"])])
    most = max((row for row in found.iter_rows(named=True) if row["people"] != row["judge"]), key=lambda row: row["labels"], default=None)
    finding = (
        f"Most often they differ where people say {named[most['people']]} and the judge {named[most['judge']]}: {count(most['labels'])} labels."
        if most and most["labels"]
        else "They never differ."
    )
    return section(
        "confusion",
        "Where they differ",
        el("p", finding, class_="finding"),
        table(columns, body, caption="Of the labels that people gave, the share that the judge gave", class_="metrics"),
    )


def _share(row: Mapping[str, Any], *, same: bool) -> Html | str:
    shown = percent(row["share"])
    return el("b", shown) if same else shown


def biases(study: Study) -> Html:
    """Section: what a judge should not care for."""
    rows = study.calibration.biases.rows(named=True)
    if not rows:
        return section("biases", "Biases", sentence("Nothing was probed: judge pairs in both orders, and items with texts said twice."))
    ends = [end for row in rows for end in (row["low"], row["high"], row["value"], 0.0) if finite(end)]
    scale = (min(ends), max(ends)) if len(set(ends)) > 1 else (-1.0, 1.0)
    columns = [
        Column("Bias", number=False, class_="first"),
        Column("Size"),
        Column("Interval"),
        Column("", number=False),
        Column("Verdict", number=False),
        Column("In words", number=False, class_="explained"),
    ]
    body = [
        [
            name(row["name"]), signed(row["value"], 3), between(row["low"], row["high"], 3) or "–",
            interval(Dot(row["name"], known(row["value"]), known(row["low"]), known(row["high"]), COLOURS.get(row["verdict"], "other"), ""), scale, 0.0),
            el("span", row["verdict"], class_=COLOURS.get(row["verdict"], "unsure")), row["sentence"],
        ]
        for row in rows
    ]  # fmt: skip
    biased = [row["name"] for row in rows if row["verdict"] == "biased"]
    finding = f"It cares for what it shouldn’t: {', '.join(biased)}." if biased else "Nothing is seen that it shouldn’t care for."
    return section(
        "biases",
        "Biases",
        el("p", finding, class_="finding"),
        table(columns, body, caption="What a judge should not care for; 0 is none", class_="metrics"),
    )


def raters(study: Study) -> Html | None:
    """Section: what each rater's labels are worth. None where nobody asked."""
    if study.raters is None:
        return None
    found = study.raters.tables["raters"]
    columns = [
        Column("Rater", number=False, class_="first"),
        *map(Column, ("Labels", "Agreement", "Known right", "Hurried")),
        Column("Verdict", number=False),
        Column("Why", number=False, class_="explained"),
    ]
    body = [
        [name(str(row["rater"])), count(row["labels"]), _number({"value": row["agreement"], "low": row["low"], "high": row["high"]}), percent(row["known"]), percent(row["hurried"]), el("span", row["verdict"], class_=COLOURS.get(row["verdict"], "unsure")), row["why"]]
        for row in found.iter_rows(named=True)
    ]  # fmt: skip
    out = [str(row["rater"]) for row in found.iter_rows(named=True) if row["verdict"] == "leave out"]
    finding = f"Leave out {', '.join(out)}." if out else "Nobody’s labels need to be left out."
    return section(
        "raters",
        "The raters",
        el("p", finding, class_="finding"),
        table(columns, body, caption="Raters, with the agreement of each with the others", class_="metrics"),
        _copied(study.raters),
    )


def _copied(raters: Tabled) -> Html | None:
    """Pairs of raters who copied; None where there is none."""
    copying = raters.tables["copying"]
    pairs = [row for row in copying.iter_rows(named=True) if row["verdict"] == "copied"]
    alike = [
        [
            name(f"{row['rater']} and {row['other']}"),
            count(row["items"]),
            percent(row["same"]),
            percent(row["expected"]),
            _number({"value": row["excess"], "low": row["low"], "high": row["high"]}),
        ]
        for row in pairs
    ]
    heads = [
        Column("Raters", number=False, class_="first"),
        Column("Items"),
        Column("Equal labels"),
        Column("Expected of independent ones"),
        Column("Beyond that"),
    ]
    return table(heads, alike, caption="Pairs that are more alike than independent raters", class_="metrics") if alike else None


def known(value: Any) -> float | None:
    """The number, or None where it says nothing."""
    return float(value) if value is not None and finite(value) else None
