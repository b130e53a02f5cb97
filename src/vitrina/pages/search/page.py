"""The whole page: which sections it has, in which order, and the answer in two sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import vitrina
from vitrina.base.printing import finite, short_interval
from vitrina.pages.frame import framed
from vitrina.pages.search.study import Study
from vitrina.report.charts import Dot, dots
from vitrina.report.html import Column, Html, el, figure, name, section, table
from vitrina.report.words import between, count, fixed, plural, signed

SHOWN = 12  # queries that went worst
COLOURS = {"better": "better", "worse": "worse"}


def render(study: Study) -> str:
    """Ways to search side by side as one self-contained HTML page: no network, no fonts, no libraries; light, dark, phone and paper.

    The same study gives the same text. All names of the data are escaped.
    """
    return framed(study.title, dateline(study), answer(study), [(key, title, make(study)) for key, title, make in SECTIONS])


def dateline(study: Study) -> list[str]:
    """Short facts below the title."""
    facts = [plural(study.queries, "query", "queries"), plural(study.judgements, "judgement"), plural(study.items, "item"), study.date]
    return [fact for fact in facts if fact]


def answer(study: Study) -> list[str]:
    """Which system is ahead, and what may be said of differences."""
    best = study.systems.sort("value", descending=True).row(0, named=True)
    doubt = short_interval(best["value"], best["low"], best["high"])
    return [f"The highest {study.metric} is that of {best['system']}: {doubt}.", *study.verdicts]


def systems(study: Study) -> Html:
    """Section: every system with its interval."""
    rows = study.systems.sort("value", descending=True).rows(named=True)
    marks = [Dot(row["system"], row["value"], _end(row["low"]), _end(row["high"]), "lead" if at == 0 else "other", f"{row['system']}: {fixed(row['value'], 4)}") for at, row in enumerate(rows)]  # fmt: skip
    heads = [
        Column("System", number=False),
        Column(study.metric),
        Column("Interval"),
        *map(Column, study.more),
        Column("Empty lists"),
        Column("ms per query"),
    ]
    body = [
        [name(row["system"]), fixed(row["value"], 4), between(row["low"], row["high"], 4), *(fixed(row[m], 4) for m in study.more), count(row["empty"]),
         "" if row["ms"] is None else fixed(row["ms"], 1)]
        for row in rows
    ]  # fmt: skip
    spoken = "; ".join(f"{row['system']} {fixed(row['value'], 4)} {between(row['low'], row['high'], 4)}" for row in rows)
    drawn = dots(marks, description=f"{study.metric}: {spoken}.")
    note = f"Intervals of {100 * study.confidence:g}%, by query; they are of each system by itself, so differences are judged below"
    return section(
        "systems",
        "Systems",
        figure("systems-plot", f"{study.metric} of each system", drawn, table(heads, body, caption="Systems"), note=note),
    )


def differences(study: Study) -> Html | None:
    """Section: pairs on the same queries."""
    if study.pairs.is_empty():
        return None
    heads = [
        Column("System", number=False),
        Column("Against", number=False),
        Column("Difference"),
        Column("Interval"),
        Column("Verdict", number=False),
    ]
    body = [
        [name(row["model"]), name(row["against"]), signed(row["difference"], 4), between(row["low"], row["high"], 4), row["verdict"].replace("people", "queries")]
        for row in study.pairs.iter_rows(named=True)
    ]  # fmt: skip
    said = "Each pair is compared query by query, and the intervals hold for all pairs together."
    return section("differences", "Differences", el("p", said, class_="finding"), table(heads, body, caption="Differences"))


def worst(study: Study) -> Html | None:
    """Section: the queries that none answers well."""
    rows = study.worst.head(SHOWN)
    if rows.is_empty():
        return None
    names = study.systems["system"].to_list()
    body = [[name(str(row["query"])), *(_number(row[system]) for system in names)] for row in rows.iter_rows(named=True)]
    said = "By the best system for each query: what is low here no system finds, or nobody judged what it finds."
    heads = [Column("Query", number=False), *map(Column, names)]
    return section(
        "worst", "Queries that went worst", el("p", said, class_="finding"), table(heads, body, caption="Queries that went worst")
    )


def making(study: Study) -> Html:
    """Section: everything that it takes to repeat the page."""
    facts = dict(study.settings) | {"Intervals": f"{100 * study.confidence:g}%, by query", "Vitrina": vitrina.__version__}
    pairs = [piece for key, value in facts.items() for piece in (el("dt", key), el("dd", value))]
    notes = el("ul", *(el("li", note) for note in study.notes), class_="notes") if study.notes else None
    return section("making", "How it was made", notes, el("dl", *pairs, class_="settings"))


def _end(value: Any) -> float | None:
    return value if finite(value) else None


def _number(value: Any) -> str:
    return fixed(value, 3) if finite(value) else ""


SECTIONS: tuple[tuple[str, str, Callable[[Study], Html | None]], ...] = (
    ("systems", "Systems", systems),
    ("differences", "Differences", differences),
    ("worst", "Queries that went worst", worst),
    ("making", "How it was made", making),
)
