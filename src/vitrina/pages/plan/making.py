"""What the pages share: long tables that fold, warnings, and the last section."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

import vitrina
from vitrina.base.printing import decimals
from vitrina.report.html import Column, Html, el, join, section, table
from vitrina.report.words import plural

FIRST, MOST = 20, 200  # rows of a long table that are shown at once, and after a click


def making(facts: Mapping[str, str], notes: Sequence[str] = ()) -> Html:
    """Section: everything that it takes to repeat the page."""
    said = el("ul", *(el("li", note) for note in notes), class_="notes") if notes else None
    pairs = [piece for key, value in {**facts, "Vitrina": vitrina.__version__}.items() for piece in (el("dt", key), el("dd", value))]
    return section("making", "How it was made", said, el("dl", *pairs, class_="settings"))


def folded(columns: Sequence[Column], rows: Sequence[Sequence[object]], *, caption: str, of: int | None = None, where: str = "") -> Html:
    """A table whose first rows are shown and whose further ones are a click away.

    Args:
        of: how many rows there are in all, where `rows` are the first of them.
        where: what to do for those that a page doesn't hold.
    """
    more, left = rows[FIRST:MOST], (of or len(rows)) - min(len(rows), MOST)
    first = table(columns, rows[:FIRST], caption=caption, class_="metrics")
    if not more:
        return first
    said = plural(len(more), "further row")
    end = el("p", f"{plural(left, 'more row', 'more rows')} are not on this page{where}.", class_="sub") if left else None
    return join((first, el("details", el("summary", said), table(columns, more, caption=said, class_="metrics"), end)))


def step_name(step: int) -> str:
    """What one column of days is."""
    return {1: "day", 7: "week"}.get(step, f"step of {step} days")


def length(columns: int, step: int) -> str:
    """
    >>> length(28, 1), length(1, 7), length(3, 14)
    ('28 days', '1 week', '3 steps of 14 days')
    """
    return plural(columns, step_name(step), None if step in (1, 7) else f"steps of {step} days")


def coins(values: Iterable[float | None], half_widths: Iterable[float | None] = ()) -> int:
    """Decimals for a column of money: those that its intervals can tell apart, two at most."""
    return min(decimals(values, half_widths), 2)


def warned(notes: Sequence[str]) -> Html | None:
    """What must be known of the numbers; nothing where there is nothing."""
    return el("ul", *(el("li", note) for note in notes), class_="warnings") if notes else None


def dense(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same line through many points, so that no name is written over it."""
    x, y = zip(*points, strict=True)
    at = np.unique(np.concatenate([np.linspace(x[0], x[-1], 60), x]))
    return list(zip(at.tolist(), np.interp(at, x, y).tolist(), strict=True))
