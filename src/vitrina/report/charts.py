"""Plots as inline SVG: dots with their intervals, bars, areas over time, points with labels. Lines are in `curves`.

Every helper returns the marks of one drawing at a given width. Colours come from the page's style by class, and a mark's
<title> holds the detail that a pointer finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from vitrina.report.html import Drawing, Html, el, join
from vitrina.report.scales import FONT, SEMIBOLD, Box, Labels, Linear, shorten, spanning, text_width, time_ticks
from vitrina.report.words import short_count

ROW, AXIS = 22, 26  # px: a row of a dot plot or bar chart, the strip for an axis
BASE = 4  # px from the middle of a line of text to its baseline


@dataclass(frozen=True)
class Dot:
    """One estimate with its interval, and a mark to compare it with."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    class_: str  # the colour: lead, base, other, better, worse, unsure
    detail: str
    model: int | None = None
    mark: float | None = None

    @property
    def size(self) -> float:
        """What its name is measured by: those of the lead and of the baseline are semibold."""
        return SEMIBOLD if self.class_ in ("lead", "base") else FONT


def write(text: object, x: float, y: float, class_: str | None = None, anchor: str | None = None) -> Html:
    """Text at a point."""
    return el("text", text, x=float(x), y=float(y), class_=class_, text_anchor=anchor)


def rule(x1: float, y1: float, x2: float, y2: float, class_: str) -> Html:
    """A straight line."""
    return el("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def path(points: Sequence[tuple[float, float]], class_: str, detail: str | None = None, *, close: bool = False) -> Html:
    """A line through the points; those that fall on one another at this size are drawn once."""
    kept: list[str] = []
    for x, y in points:
        step = f"{x:.1f} {y:.1f}"
        if not kept or kept[-1] != step:
            kept.append(step)
    body = "M" + "L".join(kept) + ("Z" if close else "")
    return el("path", el("title", detail) if detail else None, d=body, class_=class_)


def bottom_axis(scale: Linear, top: float, bottom: float, ticks: Sequence[tuple[float, str]]) -> Html:
    """Thin upright lines with their values below."""
    lines = (rule(scale(t), top, scale(t), bottom, "grid") for t, _ in ticks)
    last = scale.stop
    names = []
    for t, text in ticks:
        half = text_width(text) / 2
        names.append(write(text, min(max(scale(t), half), last + 12 - min(half, 12)), bottom + 17, "tick", "middle"))
    return join((*lines, *names))


def level(y: float, text: str, width: int) -> Html:
    """A thin level line with its value."""
    return join((rule(0, y, width, y, "grid"), write(text, 0, y - 3, "tick")))


def upright_tick(x: float, text: str, bottom: float, width: int) -> Html:
    """A value below the bottom line, kept inside the plot."""
    half = text_width(text) / 2
    return join((rule(x, bottom, x, bottom + 4, "grid"), write(text, min(max(x, half), width - half), bottom + 17, "tick", "middle")))


# Dots with intervals


def dots(rows: Sequence[Dot], *, description: str, marker: float | None = None, among: Sequence[float] = ()) -> Drawing:
    """One row per estimate: a dot, its interval, its name at the left. `marker` draws an upright line to compare with; the axis holds `among` too."""

    def draw(width: int) -> Html:
        gutter = min((0.3 if width > 600 else 0.42) * width, 12 + max((text_width(r.label, r.size) for r in rows), default=0))
        wide = spanning([v for r in rows for v in (r.value, r.low, r.high, r.mark)] + [marker, *among], gutter + 6, width - 14)
        bottom = ROW * len(rows) + 4
        axis = bottom_axis(wide, 0, bottom, wide.tick_labels(max(3, int((width - gutter) / 90))))
        line = rule(wide(marker), 0, wide(marker), bottom, "marker") if marker is not None else None
        return join((axis, line, *(_dot(row, at, wide, gutter) for at, row in enumerate(rows))))

    return Drawing(draw, lambda _: ROW * len(rows) + 4 + AXIS, description)


def _dot(row: Dot, at: int, scale: Linear, gutter: float, *, named: bool = True) -> Html:
    y = ROW * at + ROW / 2 + 2
    label = write(shorten(row.label, gutter - 8, row.size), gutter - 6, y + BASE, f"name {row.class_}", "end") if named else None
    if row.value is None:
        return el("g", el("title", row.detail), label, write("no value", scale.start, y + BASE, "tick"), data_model=row.model)
    mark = rule(scale(row.mark), y - 8, scale(row.mark), y + 8, "reference") if row.mark is not None else None
    marks = join((whisker(scale, row.low, row.high, y, row.class_), mark, el("circle", cx=scale(row.value), cy=y, r=4, class_=row.class_)))
    return el("g", el("title", row.detail), label, marks, data_model=row.model)


@dataclass(frozen=True)
class Group:
    """One part of a trellis: its heading and one row per model, the same models in every group."""

    title: str
    small: str
    rows: Sequence[Dot]


def trellis(groups: Sequence[Group], *, scale: tuple[float, float], description: str) -> Drawing:
    """Groups beside each other on one scale, the names once at the left; below each other where there is no room."""
    high = 54 + ROW * len(groups[0].rows) + 4 + AXIS

    def columns(width: int) -> int:
        return 1 if width < 600 else -(-len(groups) // -(-len(groups) // 5))

    def draw(width: int) -> Html:
        across = columns(width)
        gutter = min((0.24 if across > 1 else 0.42) * width, 12 + max(text_width(d.label, d.size) for d in groups[0].rows))
        each = (width - gutter) / across
        parts = []
        for at, group in enumerate(groups):
            left = gutter + each * (at % across)
            parts.append(
                el("g", _group(group, gutter, left, each, scale, at % across == 0), transform=f"translate(0 {(at // across) * high})")
            )
        return join(parts)

    return Drawing(draw, lambda width: -(-len(groups) // columns(width)) * high - 14, description)


def _group(group: Group, gutter: float, left: float, each: float, scale: tuple[float, float], named: bool) -> Html:
    wide, bottom = Linear(*scale, left + 6, left + each - 34), 40 + ROW * len(group.rows) + 4
    head = join((write(shorten(group.title, each - 10, SEMIBOLD), left + 6, 13, "head"), write(group.small, left + 6, 30, "tick")))
    axis = bottom_axis(wide, 40, bottom, wide.tick_labels(3))
    rows = join(_dot(row, at, wide, gutter, named=named) for at, row in enumerate(group.rows))
    return join((head, axis, el("g", rows, transform="translate(0 40)")))


def whisker(scale: Linear, low: float | None, high: float | None, y: float, class_: str) -> Html | None:
    """The interval of an estimate; nothing where there is none."""
    return rule(scale(low), y, scale(high), y, f"whisker {class_}") if low is not None and high is not None else None


def interval(dot: Dot, scale: tuple[float, float], marker: float | None, width: int = 130) -> Html:
    """The picture of one estimate for a table's cell; the numbers stand beside it, so it says nothing to a screen reader."""
    wide, y = Linear(*scale, 5, width - 5), 9.0
    line = rule(wide(marker), 0, wide(marker), 18, "marker") if marker is not None else None
    marks = [whisker(wide, dot.low, dot.high, y, f"broad {dot.class_}")]
    marks += [rule(wide(dot.value), 4, wide(dot.value), 14, f"mean {dot.class_}")] if dot.value is not None else []
    return el("svg", line, *marks, viewBox=f"0 0 {width} 18", width=width, height=18, class_="cell", aria_hidden="true")


# Bars


@dataclass(frozen=True)
class Bar:
    """One bar, what it is called, and a mark to compare it with."""

    label: str
    value: float
    shown: str
    mark: float | None = None
    class_: str = "other"


def bars(rows: Sequence[Bar], *, description: str, top: float | None = None) -> Drawing:
    """Bars that start at zero, each with its number at its end; the mark is an upright tick."""

    def draw(width: int) -> Html:
        gutter = min(0.45 * width, 10 + max((text_width(r.label) for r in rows), default=0))
        room = 8 + max((text_width(r.shown) for r in rows), default=0)
        most = top or max([r.value for r in rows] + [r.mark or 0.0 for r in rows] + [0.0])
        return join(_bar(row, at, Linear(0, most or 1.0, gutter, width - room), gutter) for at, row in enumerate(rows))

    return Drawing(draw, lambda _: ROW * len(rows) + 4, description)


def _bar(row: Bar, at: int, scale: Linear, gutter: float) -> Html:
    y, end = ROW * at + 5, scale(row.value)
    named = write(shorten(row.label, gutter - 6), gutter - 6, y + 8 + BASE, "name", "end")
    body = el("rect", x=gutter, y=float(y), width=max(end - gutter, 0.5), height=15, class_=row.class_)
    line = rule(scale(row.mark), y - 2, scale(row.mark), y + 17, "reference") if row.mark is not None else None
    after = max(end, scale(row.mark) if row.mark is not None else 0)
    return el("g", el("title", f"{row.label}: {row.shown}"), named, body, line, write(row.shown, after + 5, y + 8 + BASE, "value"))


# Events over time, with the parts of the split


@dataclass(frozen=True)
class Span:
    """A part of the split on the time axis."""

    label: str
    first: date
    last: date
    class_: str
    shown: str


def over_time(days: Sequence[date], counts: Sequence[float], spans: Sequence[Span], *, cut: date | None, unit: str, description: str) -> Drawing:  # fmt: skip
    """Counts as an area; below the axis one bar for each part of the split, at its place in time."""
    tall = 190

    def draw(width: int) -> Html:
        wide = Linear(days[0].toordinal(), max(days[-1].toordinal(), days[0].toordinal() + 1), 0, width - 1)
        high = spanning(counts, tall - AXIS, 18, zero=True)
        grid = join(level(high(t), short_count(t) + (f" {unit}" if t == high.ticks(3)[-1] else ""), width) for t in high.ticks(3))
        ticks = time_ticks(days[0], days[-1], max(4, width // 90))
        below = join(upright_tick(wide(t.toordinal()), text, tall - AXIS, width) for t, text in ticks)
        parts = join(_span(s, at, wide, tall, width) for at, s in enumerate(spans))
        return join((_area(days, counts, wide, high, cut), grid, below, _cut(cut, wide, tall, len(spans)), parts))

    return Drawing(draw, lambda _: tall + 24 * len(spans) + (6 if spans else 0), description)


def _area(days: Sequence[date], counts: Sequence[float], wide: Linear, high: Linear, cut: date | None) -> Html:
    points = [(wide(d.toordinal()), high(c), d) for d, c in zip(days, counts, strict=True)]
    floor = high(0)
    after = [(x, y) for x, y, d in points if cut is not None and d >= cut]
    before = [(x, y) for x, y, d in points if cut is None or d < cut] + after[:1]
    areas = []
    for part, class_ in ((before, "area"), (after, "area lead")):
        if len(part) > 1:
            areas.append(path([(part[0][0], floor), *part, (part[-1][0], floor)], class_, close=True))
    return join(areas)


def _cut(cut: date | None, wide: Linear, tall: int, spans: int) -> Html | None:
    return None if cut is None else rule(wide(cut.toordinal()), 4, wide(cut.toordinal()), tall + 24 * spans + 4, "marker")


def _span(span: Span, at: int, wide: Linear, tall: int, width: int) -> Html:
    left, right, y = wide(span.first.toordinal()), wide(span.last.toordinal()), tall + 6 + 24 * at
    right = max(right, left + 3)
    body = el("rect", x=left, y=float(y), width=right - left, height=18, class_=f"span {span.class_}")
    text = span.shown if text_width(span.shown) < max(left, width - right, right - left - 12) else span.label
    size = text_width(text)
    if size < right - left - 12:
        named = write(text, left + 6, y + 9 + BASE, f"on {span.class_}")
    elif right + 6 + size < width:
        named = write(text, right + 6, y + 9 + BASE, "value")
    else:
        named = write(text, left - 6, y + 9 + BASE, "value", "end")
    return el("g", el("title", span.shown), body, named)


# Points with names


@dataclass(frozen=True)
class Point:
    """A model in the plane of two metrics, each with its interval."""

    dot: Dot  # across
    y: float
    y_low: float | None
    y_high: float | None
    on_front: bool


def scatter(points: Sequence[Point], *, across: str, up: str, limit: tuple[float, str] | None, description: str) -> Drawing:
    """Points with whiskers in both directions, the front as stairs, and names beside the points."""

    def tall(width: int) -> int:
        return 420 if width > 600 else 380

    def draw(width: int) -> Html:
        bottom = tall(width) - AXIS - 18
        wide = spanning([v for p in points for v in (p.dot.value, p.dot.low, p.dot.high)], 34, width - 16, margin=0.06)
        high = spanning([v for p in points for v in (p.y, p.y_low, p.y_high)], bottom - 8, 44, margin=0.06)
        grid = join(level(high(t), text, width) for t, text in high.tick_labels(4))
        axis = bottom_axis(wide, 24, bottom, wide.tick_labels(max(3, width // 130)))
        names = join((write(up + " ↑", 0, 12, "axis"), write(across + " →", width, bottom + 36, "axis", "end")))
        line = _limit(limit, wide, bottom) if limit else None
        stairs = _stairs(points, wide, high, bottom)
        placed = Labels(Box(0, 22, width, bottom))
        placed.block(*(_thin(a, b) for a, b in pairwise(stairs)))
        if limit:
            placed.block(Box(wide(limit[0]) - 1, 20, wide(limit[0]) + 1, bottom))
        front = path(stairs, "front") if stairs else None
        marks = join(_point(p, wide, high) for p in points)
        return join((grid, axis, names, line, front, marks, _point_names(points, wide, high, placed)))

    return Drawing(draw, tall, description)


def _limit(limit: tuple[float, str], wide: Linear, bottom: float) -> Html:
    x = wide(limit[0])
    left = x - 6 > text_width(limit[1])
    return join((rule(x, 20, x, bottom, "limit"), write(limit[1], x - 6 if left else x + 6, 32, "tick", "end" if left else "start")))


def _thin(a: tuple[float, float], b: tuple[float, float]) -> Box:
    return Box(min(a[0], b[0]) - 1, min(a[1], b[1]) - 1, max(a[0], b[0]) + 1, max(a[1], b[1]) + 1)


def _stairs(points: Sequence[Point], wide: Linear, high: Linear, bottom: float) -> list[tuple[float, float]]:
    """Corners of the front; nothing where it is a single point."""
    front = sorted((wide(p.dot.value), high(p.y)) for p in points if p.on_front and p.dot.value is not None)
    if len(front) < 2:
        return []
    corners = [front[0]]
    for x, y in front[1:]:
        corners += [(x, corners[-1][1]), (x, y)]
    corners = [c for k, c in enumerate(corners) if k == 0 or c != corners[k - 1]]
    return [(wide.start, front[0][1]), *corners, (front[-1][0], bottom)]


def _point(point: Point, wide: Linear, high: Linear) -> Html:
    dot = point.dot
    assert dot.value is not None
    x, y = wide(dot.value), high(point.y)
    marks = [whisker(wide, dot.low, dot.high, y, f"thin {dot.class_}")]
    if point.y_low is not None and point.y_high is not None:
        marks.append(rule(x, high(point.y_low), x, high(point.y_high), f"whisker thin {dot.class_}"))
    mark = el("circle", cx=x, cy=y, r=5 if point.on_front else 4, class_=dot.class_ + ("" if point.on_front else " hollow"))
    return el("g", el("title", dot.detail), *marks, mark, data_model=dot.model)


def _point_names(points: Sequence[Point], wide: Linear, high: Linear, placed: Labels) -> Html:
    for p in points:
        x, y = wide(p.dot.value or 0), high(p.y)
        placed.block(Box(x - 6, y - 6, x + 6, y + 6))
        if p.dot.low is not None and p.dot.high is not None:
            placed.block(Box(wide(p.dot.low), y - 1.5, wide(p.dot.high), y + 1.5))
        if p.y_low is not None and p.y_high is not None:
            placed.block(Box(x - 1.5, high(p.y_high), x + 1.5, high(p.y_low)))
    order = sorted(points, key=lambda p: (not p.on_front, p.dot.label))
    named = [(p, placed.place(shorten(p.dot.label, 210), wide(p.dot.value or 0), high(p.y))) for p in order]
    return join(_point_name(p, label.box, label.text, label.x, label.y, label.far) for p, label in named)


def _point_name(point: Point, box: Box, text: str, x: float, y: float, far: bool) -> Html:
    near_x = min(max(x, box.left), box.right)
    near_y = min(max(y, box.top), box.bottom)
    joined = rule(x, y, near_x, near_y, "leader") if far else None
    written = write(text, box.left, box.bottom - FONT / 4 - 1, f"name over {point.dot.class_}")
    return el("g", joined, written, data_model=point.dot.model)
