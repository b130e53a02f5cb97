"""Small charts of the console: lines over time, and bars of a table's cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from vitrina.base.time import DAY, HOUR
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Drawing, Html, el
from vitrina.report.scales import Linear, spanning
from vitrina.report.words import short_count
from vitrina.service.console.words import SECOND, duration, when

COLOURS = ("lead", "base", "other")


def over_time(lines: Mapping[str, Sequence[tuple[int, int]]], width: int, description: str) -> Drawing:
    """Counts per bin, one line per name; the time is UTC.

    Args:
        lines: (start of the bin, count) of each, the same bins; the first is the one that the plot is about.
        width: of a bin, in microseconds.
    """
    moments = [start for start, _ in next(iter(lines.values()))]
    up = spanning([float(c) for points in lines.values() for _, c in points], 0, 1, zero=True)
    top = max(up.high, 1.0)
    drawn = [
        Curve([(float(start), float(c)) for start, c in points], COLOURS[min(at, 2)], f"{name}, per {duration(width)}", name=name)
        for at, (name, points) in enumerate(lines.items())
    ]
    across = Linear(float(moments[0]), float(max(moments[-1], moments[0] + width)), 0, 1)
    ticks = [(t, short_count(t)) for t in Linear(0, top, 0, 1).ticks(3) if t == int(t)]
    return curves(drawn, across=across, up=(0.0, top), across_ticks=_moments(moments[0], moments[-1]), up_ticks=ticks, note=None, description=description, tall=170)  # fmt: skip


def _moments(first: int, last: int) -> list[tuple[float, str]]:
    """Round moments between two, at most five, with their names."""
    steps = (HOUR // 4, HOUR // 2, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY)
    step = next((s for s in steps if (last - first) / s <= 4), steps[-1])
    start = -(-first // step) * step
    return [(float(t), _named(t, step)) for t in range(start, last + 1, step)]


def _named(time: int, step: int) -> str:
    at = datetime.fromtimestamp(time / SECOND, UTC)
    return f"{at.day} {at:%b}" if step >= DAY or (at.hour, at.minute) == (0, 0) else f"{at:%H:%M}"


def bar(value: float | None, most: float, width: int = 48) -> Html | None:
    """A bar of a score beside its number, which says the same."""
    if value is None or most <= 0:
        return None
    long = max(width * min(max(value / most, 0.0), 1.0), 1.0)
    return el(
        "svg",
        el("rect", x=0.0, y=0.0, width=long, height=4),
        viewBox=f"0 0 {width} 4",
        width=width,
        height=4,
        class_="bar",
        aria_hidden="true",
    )


def said_of(lines: Mapping[str, Sequence[tuple[int, int]]]) -> str:
    """The lines in words, for who doesn't see them."""
    parts = []
    for name, points in lines.items():
        most = max(points, key=lambda point: point[1])
        parts.append(f"{name}: {sum(c for _, c in points):,} in all, most ({most[1]:,}) from {when(most[0])}")
    return "; ".join(parts) + "."
