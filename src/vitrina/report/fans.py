"""Values over days: what was, the bands of what may come, and what came; days that count for nothing are marked below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from vitrina.report.charts import AXIS, level, path, rule, upright_tick, write
from vitrina.report.html import Drawing, Html, el, join
from vitrina.report.scales import Linear, text_width, time_ticks
from vitrina.report.words import count, short_count

HEAD = 32  # px above the highest value: the words of the upright line, and of what goes higher


@dataclass(frozen=True)
class Thread:
    """A line by day, from the column `first` on; None where there is no value, which parts it."""

    values: Sequence[float | None]
    class_: str
    detail: str = ""
    first: int = 0


@dataclass(frozen=True)
class Ribbon:
    """A band by day, from the column `first` on."""

    low: Sequence[float]
    high: Sequence[float]
    class_: str
    first: int = 0


@dataclass(frozen=True)
class Spot:
    """One day that must be seen."""

    column: int
    value: float
    class_: str
    detail: str


@dataclass(frozen=True)
class Fan:
    """What is drawn over days.

    Args:
        start: the day of the first column.
        columns: how many there are, of `step` days each.
        bands: the widest first; they lie on one another.
        shut: columns that are marked below the axis, such as those without stock.
        cut: a column with the words that stand where it begins.
        top: the highest value that is drawn; the highest one above it is written where the line leaves the plot. None for all.
    """

    start: date
    columns: int
    lines: Sequence[Thread]
    bands: Sequence[Ribbon] = ()
    spots: Sequence[Spot] = ()
    shut: Sequence[int] = ()
    shut_name: str = ""
    cut: tuple[int, str] | None = None
    top: float | None = None
    step: int = 1


def fan(made: Fan, *, description: str, unit: str = "", tall: int = 180) -> Drawing:
    """Lines and bands over days from zero up, or from the lowest value where that is below zero."""

    def draw(width: int) -> Html:
        high = _upward(made, tall)
        levels = [(t, short_count(t) + (f" {unit}" if unit and t == high.ticks(3)[-1] else "")) for t in high.ticks(3)]
        left = 8 + max((text_width(short_count(t)) for t, _ in levels), default=0.0)
        wide = Linear(-0.5, max(made.columns - 0.5, 0.5), left, width - 4)
        grid = join(level(high(t), text, width) for t, text in levels)
        bands = join(_ribbon(band, wide, high) for band in made.bands)
        lines = join(_thread(line, wide, high) for line in made.lines)
        spots = join(el("circle", el("title", s.detail), cx=wide(s.column), cy=high(s.value), r=2.5, class_=s.class_) for s in made.spots)
        floor = tall - AXIS
        return join((bands, grid, _days(made, wide, floor, width), _shut(made, wide, floor), _cut(made, wide, floor, width), lines, spots, _above(made, wide, width)))  # fmt: skip

    return Drawing(draw, lambda _: tall, description)


def _upward(made: Fan, tall: int) -> Linear:
    values = [v for line in made.lines for v in line.values if v is not None]
    values += [v for band in made.bands for ends in (band.low, band.high) for v in ends]
    lowest, highest = min([*values, 0.0]), max([*values, 0.0])
    highest = highest if made.top is None else min(highest, made.top)
    return Linear(lowest, highest if highest > lowest else lowest + 1.0, tall - AXIS - (8 if made.shut else 0), HEAD)


def _ribbon(band: Ribbon, wide: Linear, high: Linear) -> Html:
    upper = [(wide(band.first + at), high(v)) for at, v in enumerate(band.high)]
    lower = [(wide(band.first + at), high(v)) for at, v in enumerate(band.low)]
    if len(upper) == 1:  # a band of one day has a width too
        upper, lower = ([(x - 2, y), (x + 2, y)] for ((x, y),) in (upper, lower))
    return path([*upper, *reversed(lower)], f"band {band.class_}", close=True)


def _thread(line: Thread, wide: Linear, high: Linear) -> Html:
    return join(path([(wide(x), high(y)) for x, y in run], f"curve {line.class_}", line.detail or None) for run in _runs(line))


def _runs(line: Thread) -> Iterator[list[tuple[float, float]]]:
    """The parts of a line; a day alone is a short dash."""
    run: list[tuple[float, float]] = []
    for at, value in enumerate([*line.values, None]):
        if value is not None:
            run.append((line.first + at, value))
        elif run:
            yield run if len(run) > 1 else [(run[0][0] - 0.3, run[0][1]), (run[0][0] + 0.3, run[0][1])]
            run = []


def _days(made: Fan, wide: Linear, floor: float, width: int) -> Html:
    last = made.start + timedelta(days=(made.columns - 1) * made.step)
    ticks = time_ticks(made.start, last, max(3, width // 90))
    return join(upright_tick(wide((day - made.start).days / made.step), text, floor, width) for day, text in ticks)


def _shut(made: Fan, wide: Linear, floor: float) -> Html | None:
    """One bar below the axis per run of days, so that months of them are few marks."""
    bars, days = [], sorted(made.shut)
    for at, day in enumerate(days):
        if at == 0 or day > days[at - 1] + 1:
            last = next(days[k] for k in range(at, len(days)) if k + 1 == len(days) or days[k + 1] > days[k] + 1)
            left, right = wide(day - 0.5), wide(last + 0.5)
            said = made.shut_name if day == last else f"{made.shut_name}, {last - day + 1} in a row"
            bars.append(el("rect", el("title", said), x=left, y=floor - 4, width=max(right - left, 1.5), height=4, class_="shut"))
    return join(bars) if bars else None


def _cut(made: Fan, wide: Linear, floor: float, width: int) -> Html | None:
    """The upright line with its words on the side that has room."""
    if made.cut is None:
        return None
    x, text = wide(made.cut[0] - 0.5), made.cut[1]
    right = x + 5 + text_width(text) < width
    return join((rule(x, 4, x, floor, "limit"), write(text, x + 5 if right else x - 5, 12, "tick over", "start" if right else "end")))


def _above(made: Fan, wide: Linear, width: int) -> Html | None:
    """The highest value above the top, where its line leaves the plot."""
    if made.top is None:
        return None
    over = [(v, line.first + at) for line in made.lines for at, v in enumerate(line.values) if v is not None and v > made.top]
    if not over:
        return None
    value, column = max(over)
    text = f"↑ {count(value)}"
    half = text_width(text) / 2
    return write(text, min(max(wide(column), half), width - half), HEAD - 5, "tick over", "middle")
