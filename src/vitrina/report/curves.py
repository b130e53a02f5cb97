"""Lines on a pair of axes: with a band where they are estimates, and with their names at their ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vitrina.report.charts import AXIS, BASE, level, path, rule, upright_tick, write
from vitrina.report.html import Drawing, Html, el, join
from vitrina.report.scales import SEMIBOLD, Box, Labels, Linear, Log, text_width


@dataclass(frozen=True)
class Curve:
    """A line through points with growing x.

    Args:
        band: (x, low, high) of the interval around it; nothing where it has none.
        name: written at its end.
    """

    points: Sequence[tuple[float, float]]
    class_: str
    detail: str = ""
    band: Sequence[tuple[float, float, float]] = ()
    name: str = ""


def curves(lines: Sequence[Curve], *, across: Linear | Log, up: tuple[float, float], across_ticks: Sequence[tuple[float, str]], up_ticks: Sequence[tuple[float, str]], note: tuple[float, float, str] | None, description: str, tall: int = 220, uprights: Sequence[tuple[float, str]] = (), zero: bool = False) -> Drawing:  # fmt: skip
    """Lines on one pair of axes.

    `note` is a point of the curve with the words that belong to it. `uprights` are values across with their words, such as where things stand today;
    `zero` draws the level of nothing, where values go below it.
    """

    def draw(width: int) -> Html:
        left = 10 + max((text_width(text) for _, text in up_ticks), default=0)  # lines begin beside the labels of the levels
        wide = type(across)(across.low, across.high, left, width - 10)
        high = Linear(*up, tall - AXIS, 16)
        grid = join(level(high(t), text, width) for t, text in up_ticks)
        below = join(upright_tick(wide(t), text, tall - AXIS, width) for t, text in across_ticks)
        bands = join(_band(c, wide, high) for c in lines if c.band)
        drawn = join(path([(wide(x), high(y)) for x, y in c.points], f"curve {c.class_}", c.detail) for c in lines)
        stood = join(
            (
                *(_upright(x, text, wide, tall, width) for x, text in uprights),
                rule(left, high(0), width, high(0), "marker") if zero else None,
            )
        )
        return join((bands, grid, below, stood, drawn, _noted(note, lines[0], wide, high, width), _names(lines, wide, high, width)))

    return Drawing(draw, lambda _: tall, description)


def _band(curve: Curve, wide: Linear | Log, high: Linear) -> Html:
    upper = [(wide(x), high(top)) for x, _, top in curve.band]
    lower = [(wide(x), high(bottom)) for x, bottom, _ in reversed(curve.band)]
    return path([*upper, *lower], f"band {curve.class_}", close=True)


def _upright(x: float, text: str, wide: Linear | Log, tall: int, width: int) -> Html:
    """A dashed line with its words above it, on the side that has room."""
    at = wide(x)
    right = at + 5 + text_width(text) < width
    words = write(text, at + 4 if right else at - 4, 11, "tick over", "start" if right else "end")
    return join((rule(at, 3, at, tall - AXIS, "limit"), words))


def _noted(note: tuple[float, float, str] | None, line: Curve, wide: Linear | Log, high: Linear, width: int) -> Html | None:
    """A point with its words: to the right of it, below a line that rises and above one that falls."""
    if note is None:
        return None
    x, y, text = wide(note[0]), high(note[1]), note[2]
    left = x + 9 + text_width(text, SEMIBOLD) < width
    dot = el("circle", cx=x, cy=y, r=4, class_="lead")
    base = y - 8 if line.points[0][1] > line.points[-1][1] else y + 14 + BASE
    return join((dot, write(text, x + 9 if left else x - 9, base, "said", "start" if left else "end")))


def _names(lines: Sequence[Curve], wide: Linear | Log, high: Linear, width: int) -> Html:
    """The names of lines near their ends, where they don't lie on each other."""
    placed = Labels(Box(0, 0, width, high.start))
    for line in lines:
        placed.block(*(Box(wide(x) - 2, high(y) - 2, wide(x) + 2, high(y) + 2) for x, y in line.points))
    named = [(c, placed.place(c.name, wide(c.points[-1][0]), high(c.points[-1][1]))) for c in lines if c.name]
    return join(write(c.name, label.box.left, label.box.bottom - BASE, f"name over {c.class_}") for c, label in named)
