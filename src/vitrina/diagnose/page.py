"""The page of a diagnosis: findings in words, one plot of all effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrina.diagnose.findings import Effect, Finding
from vitrina.report.charts import Dot, dots
from vitrina.report.html import Column, Html, el, figure, join, section, table
from vitrina.report.page import document
from vitrina.report.words import decimals, fixed, half_width, signed

if TYPE_CHECKING:
    from vitrina.diagnose.run import Diagnosis

CLASSES = {"yes": "better", "harmful": "worse", "no": "unsure", "unclear": "unsure"}


def render(diagnosis: Diagnosis) -> str:
    """One self-contained HTML page."""
    parts = (
        el("header", el("h1", diagnosis.title), el("p", diagnosis.advice)),
        section("findings", "What the data say", *(_finding(f) for f in diagnosis.findings)),
        section("effects", "How that was seen", _plot(diagnosis), el("p", diagnosis.footnote, class_="sub")),
    )
    return document(f"{diagnosis.title}: diagnosis", join(parts, "\n"))


def _finding(finding: Finding) -> Html:
    answer = el("span", finding.answer, class_=CLASSES[finding.answer])
    return el("div", el("h3", finding.question, " ", answer), el("p", finding.meaning), el("p", finding.evidence, class_="sub"))


def _plot(diagnosis: Diagnosis) -> Html:
    rows = [
        Dot(e.variant, e.difference, e.low, e.high, _class(e), f"{e.variant} against {e.against}: {e.words}") for e in diagnosis.effects
    ]
    helpful, harmful = sum(e.helps for e in diagnosis.effects), sum(e.harms for e in diagnosis.effects)
    title = f"{helpful} of {len(diagnosis.effects)} changes help, {harmful} do harm, the rest can't be told from zero"
    drawing = dots(rows, description=f"Difference in {diagnosis.metric} of each change, with its 95% interval.", marker=0.0)
    heads = [
        Column("change", number=False),
        Column("against", number=False),
        *(Column(h) for h in (diagnosis.metric, "difference", "low", "high", "p")),
    ]
    places = max(decimals([e.value for e in diagnosis.effects], [half_width(e.low, e.high) for e in diagnosis.effects]), 3)
    body = [
        (e.variant, e.against, fixed(e.value, places), *(signed(v, places) for v in (e.difference, e.low, e.high)), fixed(e.p, 3))
        for e in diagnosis.effects
    ]
    data = table(heads, body, caption=f"Every change, {diagnosis.metric}")
    return figure(
        "effects-plot", title, drawing, data, note=f"difference in {diagnosis.metric} to what each is held against, 95% intervals"
    )


def _class(effect: Effect) -> str:
    return "better" if effect.helps else "worse" if effect.harms else "unsure"
