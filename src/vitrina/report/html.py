"""Markup that is escaped by construction: plain text is always escaped, only what `el` made is not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

VOID = frozenset({"br", "col", "hr", "link", "meta", "wbr"})
DRAWN = frozenset({"circle", "line", "path", "rect"})
WIDE, HALF, NARROW = 900, 430, 350  # widths that a figure is drawn at; a screen shows it a little larger, paper smaller
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def escape(value: object) -> Html:
    """Any value as text of the page: markup escaped, control and direction-changing characters dropped."""
    return value if isinstance(value, Html) else Html(_CONTROL.sub("", str(value)).translate(_ENTITIES))


def el(tag: str, *children: object, **attributes: Any) -> Html:
    """One element. Children None and "" are skipped, plain text is escaped; `class_` is class and `_` in a name is `-`.

    >>> el("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    named = "".join(_attribute(name, value) for name, value in attributes.items() if value is not None and value is not False)
    if tag in VOID:
        return Html(f"<{tag}{named}>")
    body = join(children)
    return Html(f"<{tag}{named}/>") if tag in DRAWN and not body else Html(f"<{tag}{named}>{body}</{tag}>")


def join(children: Iterable[object], between: str = "") -> Html:
    """Pieces of markup or text, one after another; None is skipped."""
    return Html(between.join(escape(child) for child in children if child is not None))


def _attribute(name: str, value: Any) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    if isinstance(value, float):
        assert math.isfinite(value), f"{name} is {value}"
        value = f"{value:.1f}".removesuffix(".0")
    return f' {name}="{escape(value)}"'


def name(text: str) -> Html:
    """A name that comes from the data: isolated, so that its writing direction stays its own."""
    return el("bdi", breakable(text))


def breakable(text: str) -> Html:
    """A text that may go to the next line after the punctuation of code, as in Model(parameter=value)."""
    return Html(re.sub(r"(?<=\w)([(=_/])(?=\w)", r"\1<wbr>", escape(text)))


@dataclass(frozen=True)
class Column:
    """One column of a table: its heading, and whether its cells are numbers."""

    title: object
    number: bool = True
    class_: str | None = None
    hint: str | None = None


def table(columns: Sequence[Column], rows: Sequence[Sequence[object]], *, caption: str, class_: str | None = None) -> Html:
    """A table whose first column heads its rows. It scrolls sideways by itself where the page is narrow."""
    heads = (el("th", c.title, scope="col", class_=_classes(c), title=c.hint) for c in columns)
    body = join((table_row(columns, row) for row in rows), "\n")
    inner = el("table", el("caption", el("span", caption)), el("thead", el("tr", *heads)), el("tbody", body), class_=class_)
    return scrolling(inner, caption)


def table_row(columns: Sequence[Column], row: Sequence[object], **attributes: Any) -> Html:
    """One row; its first cell heads it."""
    first = el("th", row[0], scope="row", class_=_classes(columns[0]))
    rest = (el("td", cell, class_=_classes(c)) for c, cell in zip(columns[1:], row[1:], strict=True))
    return el("tr", first, *rest, **attributes)


def _classes(column: Column) -> str | None:
    return " ".join(c for c in ("num" if column.number else None, column.class_) if c) or None


def scrolling(inner: Html, label: str) -> Html:
    """A region that the keyboard can scroll when its content is wider than the page."""
    return el("div", inner, class_="scroll", role="region", aria_label=label, tabindex=0)


@dataclass(frozen=True)
class Drawing:
    """What a plot shows and how to draw it at a width in pixels."""

    draw: Callable[[int], Html]  # the marks inside the <svg>
    height: Callable[[int], int]
    description: str  # the plot in words, for those who don't see it


def svg(key: str, drawing: Drawing, width: int, title: str, class_: str | None = None) -> Html:
    """The plot as an image with a name and a description."""
    ids = f"{key}-t {key}-d"
    inner = (el("title", title, id=f"{key}-t"), el("desc", drawing.description, id=f"{key}-d"), drawing.draw(width))
    box = f"0 0 {width} {drawing.height(width)}"
    return el("svg", *inner, viewBox=box, width=width, height=drawing.height(width), role="img", aria_labelledby=ids, class_=class_)


def figure(key: str, title: str, drawing: Drawing, data: Html, *, note: object = "", span: Literal["wide", "half"] = "wide") -> Html:
    """A plot drawn twice, for a page and for a phone; its title says the finding, its numbers are below."""
    wide = svg(f"{key}-w", drawing, WIDE if span == "wide" else HALF, title, "on-page")
    narrow = svg(f"{key}-n", drawing, NARROW, title, "on-phone")
    return el("figure", caption(title, note), wide, narrow, numbers(data), class_=span, id=key)


@dataclass(frozen=True)
class Panel:
    """One of several small plots on the same scale."""

    title: object
    drawing: Drawing
    note: object = ""
    model: int | None = None


def panels(key: str, title: str, parts: Sequence[Panel], data: Html, *, width: int, note: object = "") -> Html:
    """Small multiples: as many beside each other as fit."""
    cells = []
    for at, part in enumerate(parts):
        drawn = svg(f"{key}-{at}", part.drawing, width, f"{title}, part {at + 1} of {len(parts)}")
        small = el("p", part.note, class_="sub") if part.note else None
        cells.append(el("div", el("h4", part.title), small, drawn, class_="panel", data_model=part.model))
    return el("figure", caption(title, note), el("div", *cells, class_="panels"), numbers(data), class_="wide", id=key)


def caption(title: str, note: object) -> Html:
    """A plot's finding, and below it what its axes are."""
    return el("figcaption", el("h3", title), el("p", note, class_="sub") if note else None)


def numbers(data: Html) -> Html:
    """The data of a plot, folded."""
    return el("details", el("summary", "The numbers of this plot"), data)


def section(key: str, title: str, *parts: object) -> Html:
    """A part of the page with its heading."""
    return el("section", el("h2", title, id=f"{key}-h"), *parts, id=key, aria_labelledby=f"{key}-h")


def sentence(text: object) -> Html:
    """What stands where a table or a plot would be if there were something to show."""
    return el("p", text, class_="empty")
