"""The whole page: which sections it has, in which order, and the answer in three sentences."""

from __future__ import annotations

from collections.abc import Callable

import vitrina
from vitrina.base.printing import short_interval
from vitrina.judge.calibration import JUDGE, PEOPLE
from vitrina.pages.agreement.parts import MEASURE, agreement, biases, confusion, raters
from vitrina.pages.agreement.study import Study
from vitrina.pages.frame import framed
from vitrina.report.html import Html, el, section
from vitrina.report.words import count, plural


def render(study: Study) -> str:
    """A judge beside people as one self-contained HTML page: no network, no fonts, no libraries; light, dark, phone and paper.

    The same study gives the same text. All names of the data are escaped.
    """
    return framed(study.title, dateline(study), answer(study), [(key, title, make(study)) for key, title, make in SECTIONS])


def dateline(study: Study) -> list[str]:
    """Short facts below the title."""
    seen = study.calibration.estimate(study.measure)
    parts = [study.calibration.model, f"{count(seen.rows)} labels of people", plural(seen.clusters, "query", "queries"), study.date]
    return [part for part in parts if part]


def answer(study: Study) -> list[str]:
    """Whether the judge may be used, how well it agrees, what is wrong with it."""
    found = study.calibration
    seen = found.estimate(study.measure)
    beside = f"Judge and people agree by a {MEASURE[study.measure]} of {short_interval(seen.value, seen.low, seen.high)}"
    if PEOPLE in found.agreement["who"]:
        people = found.estimate(study.measure, PEOPLE)
        beside += f"; people among themselves by {short_interval(people.value, people.low, people.high)}"
    told = [f"{beside}."] if study.decision is None else [study.decision.sentence, f"{beside}."]
    return [*told, _biases(study)]


def _biases(study: Study) -> str:
    rows = study.calibration.biases
    biased = rows.filter(rows["verdict"] == "biased") if len(rows) else rows
    if len(biased):
        return f"It is biased: {' '.join(biased['sentence'])}"
    few = int((rows["verdict"] == "too few").sum()) if len(rows) else 0
    if not len(rows) or few == len(rows):
        return "Its biases are not known: too little was labelled to see them, or nothing was probed."
    return f"No bias is seen by {plural(len(rows) - few, 'check')}."


def labels(study: Study) -> Html:
    """Section: what more labels would settle."""
    decision, more = study.decision, study.next_labels
    said = [decision.sentence if decision is not None else "No decision is named: what a judge must reach depends on what it is used for."]
    said += [more.sentence] if more is not None else []
    return section("labels", "How many labels more", *(el("p", text, class_="finding") for text in said))


def making(study: Study) -> Html:
    """Section: everything that it takes to repeat the page."""
    found = study.calibration
    facts = {
        "Judge": found.judge, "Model": found.model, "Intervals": f"{100 * found.confidence:g}%, by query: all labels of a query stand and fall together",
        "Agreement": f"{JUDGE}: the judge’s label beside that of each rater; {PEOPLE}: each pair of raters of an item", "Vitrina": vitrina.__version__,
    } | dict(study.settings)  # fmt: skip
    pairs = [piece for key, value in facts.items() for piece in (el("dt", key), el("dd", value))]
    notes = el("ul", *(el("li", note) for note in found.notes), class_="notes") if found.notes else None
    return section("making", "How it was made", notes, el("dl", *pairs, class_="settings"))


SECTIONS: tuple[tuple[str, str, Callable[[Study], Html | None]], ...] = (
    ("agreement", "Agreement", agreement),
    ("labels", "How many labels more", labels),
    ("confusion", "Where they differ", confusion),
    ("biases", "Biases", biases),
    ("raters", "The raters", raters),
    ("making", "How it was made", making),
)
