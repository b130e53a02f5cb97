"""The whole page: which sections it has, in which order, and the answer first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import vitrina
from vitrina.base.printing import sentence_end
from vitrina.evaluate.quality import Quality
from vitrina.pages.frame import framed
from vitrina.pages.quality.parts import agreement, learning, metrics, sizes, stable
from vitrina.report.html import Html, el, section
from vitrina.report.words import count, percent, plural

FIRST = 2  # sentences at the top; the others follow as a list
SAID = (
    "“Stable” is about who was asked: with so many other people, the same models would come out in their true order. It says nothing about whether the metric is what the job needs.",
    "A model that was not compared can change everything: the numbers are of these models. Two that are nearly equal need many people, however good the benchmark is.",
    "The stable size takes means over people as normal, people as independent of one another, and the people of this test as those that will come.",
)


@dataclass(frozen=True)
class Study:
    """What the page shows.

    Args:
        title: of the page.
        quality: the numbers and sentences.
        notes: what was left out, and why.
        settings: facts for the last section.
    """

    title: str
    quality: Quality
    notes: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    date: str = ""


def render(study: Study) -> str:
    """The quality of a benchmark as one self-contained HTML page: no network, no fonts, no libraries; light, dark, phone and paper.

    The same study gives the same text. All names of the data are escaped.
    """
    return framed(
        study.title, dateline(study), study.quality.sentences[:FIRST], [(key, title, make(study)) for key, title, make in SECTIONS]
    )


def dateline(study: Study) -> list[str]:
    """Short facts below the title."""
    row = study.quality.row(study.quality.primary)
    parts = [study.quality.rule, plural(row["people"], "person asked", "people asked"), plural(row["models"], "model"), plural(len(study.quality.table), "metric"), study.date]  # fmt: skip
    return [part for part in parts if part]


def found(study: Study) -> Html | None:
    """Section: the other sentences."""
    said = [*study.quality.sentences[FIRST:], *(sentence_end(note) for note in study.notes)]
    return section("found", "What else was found", el("ul", *(el("li", sentence) for sentence in said), class_="notes")) if said else None


def meaning(study: Study) -> Html:
    """Section: what the numbers measure, and what they don't."""
    return section("meaning", "What this says, and what it doesn’t", el("ul", *(el("li", said) for said in SAID), class_="notes"))


def making(study: Study) -> Html:
    """Section: everything that it takes to repeat the page."""
    quality = study.quality
    ties = "no times to see ties" if quality.ties is None else percent(quality.ties)
    facts = {
        "Questions": quality.rule or "–",
        "Stable": f"Kendall’s tau with the true order {quality.tau:g} or more in {percent(quality.share)} of comparisons; {percent(quality.confidence)} intervals over what may be true",
        "First two": "power .8 at 5%, paired, people with all their queries; the interval of the difference 95%, for this pair alone",
        "Signal to noise": "largest difference of means over the standard deviation over seeds, pooled over the models that were fitted several times; 95%",
        "Targets that ties decide": ties,
        "Metrics": ", ".join(f"{row['metric']} ({count(row['people'])} people)" for row in quality.table.iter_rows(named=True)),
        "Vitrina": vitrina.__version__,
    } | dict(study.settings)  # fmt: skip
    pairs = [piece for key, value in facts.items() for piece in (el("dt", key), el("dd", value))]
    return section("making", "How it was made", el("dl", *pairs, class_="settings"))


SECTIONS: tuple[tuple[str, str, Callable[[Study], Html | None]], ...] = (
    ("metrics", "Which metric", lambda study: metrics(study.quality)),
    ("stable", "How many people", lambda study: stable(study.quality)),
    ("agreement", "Orders beside each other", lambda study: agreement(study.quality)),
    ("sizes", "Smaller logs", lambda study: sizes(study.quality)),
    ("learning", "While models learn", lambda study: learning(study.quality)),
    ("found", "What else", found),
    ("meaning", "What this says", meaning),
    ("making", "How it was made", making),
)
