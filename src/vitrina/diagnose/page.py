"""The page of a diagnosis: findings in words, one plot of all effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrina.diagnose.findings import Effect, Finding
from vitrina.diagnose.steps import Steps
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
        "" if diagnosis.steps is None else section("steps", "How people walk from item to item", _steps(diagnosis.steps)),
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


def _steps(steps: Steps) -> Html:
    """What was measured without any model, with its doubt and what shuffled histories give."""
    once = 1.0 if steps.narrowing is not None else None
    rows = [
        ("two people at the same item go on to the same next one", steps.together, steps.shuffled, 4),
        ("that, over the same in shuffled histories", steps.narrowing, once, 2),
        ("that for the same last two items, over that for the last one", steps.deeper, None, 2),
        ("steps that somebody else made, too", steps.shared, None, 3),
        ("the next item is described more like the last one than a random item is", steps.alike, steps.alike_shuffled, 3),
    ]
    heads = [Column("of all steps", number=False), *(Column(h) for h in ("value", "low", "high", "shuffled"))]
    body = [
        (what, *(fixed(v, places) for v in (seen.value, seen.low, seen.high)), "" if shuffled is None else fixed(shuffled, places))
        for what, seen, shuffled, places in rows
        if seen is not None
    ]
    return table(
        heads, body, caption=f"{steps.steps:,} steps of {steps.people:,} people, 95% intervals over people; shares are from 0 to 1"
    )


def _class(effect: Effect) -> str:
    return "better" if effect.helps else "worse" if effect.harms else "unsure"
