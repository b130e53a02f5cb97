"""What every page on a decision has: a title, the answer first, links to its parts, and the parts."""

from __future__ import annotations

from collections.abc import Sequence

from vitrina.report.html import Html, el, join
from vitrina.report.page import document

Part = tuple[str, str, Html | None]  # key, title for the link, the section; None where there is nothing to show


def framed(title: str, dateline: Sequence[object], answer: Sequence[object], parts: Sequence[Part]) -> str:
    """The whole page as text: one file, nothing from anywhere else.

    Args:
        title: of the page; it is escaped as everything is.
        dateline: short facts below it: the log, its size, the date.
        answer: sentences, the most important first.
        parts: made by `report.html.section` with the same key.
    """
    shown = [part for part in parts if part[2] is not None]
    first, *rest = answer
    said = (el("p", first, class_="lede"), *(el("p", sentence, class_="lede second") for sentence in rest))
    head = el("header", el("h1", title), el("p", *(el("span", fact) for fact in dateline), class_="dateline"), el("div", *said), id="top")
    links = el("nav", *(el("a", name, href=f"#{key}") for key, name, _ in shown), aria_label="Sections")
    skip = el("a", "Skip to the first part", href=f"#{shown[0][0]}", class_="skip") if shown else None
    return document(title, join((head, links, *(made for _, _, made in shown)), "\n"), skip)
