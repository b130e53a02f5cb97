"""From values to pixels: scales, round ticks, the width of text, and labels that don't lie on each other."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from vitrina.report.words import fixed

FONT = 12.0  # px of the text in a plot
SEMIBOLD = 1.1 * FONT  # what semibold text is measured by: it is wider
_NARROW, _BROAD = frozenset("ijlIft.,:;'|!()[] -–·"), frozenset("mwMWQO@%&—…")


@dataclass(frozen=True)
class Linear:
    """Values from `low` to `high` onto pixels from `start` to `stop`."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + min(1.0, max(0.0, share)) * (self.stop - self.start)

    def ticks(self, most: int) -> list[float]:
        """At most about `most` round values inside."""
        step = _round_step((self.high - self.low) / max(most, 1))
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, first + most + 3) if k * step <= self.high + 1e-9 * step]

    def tick_labels(self, most: int) -> list[tuple[float, str]]:
        ticks = self.ticks(most)
        step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(ticks[0] if ticks else 1.0) or 1.0
        places = max(0, -math.floor(math.log10(step) + 1e-9))
        return [(t, fixed(t, places)) for t in ticks]


@dataclass(frozen=True)
class Log:
    """Positive values onto pixels by their logarithm."""

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        inner = Linear(math.log(self.low), math.log(self.high), self.start, self.stop)
        return inner(math.log(max(value, self.low)))

    def powers(self) -> list[float]:
        last = math.floor(math.log10(self.high) + 1e-9)
        return [10.0**p for p in range(math.ceil(math.log10(self.low) - 1e-9), last + 1)]


def spanning(values: Iterable[float | None], start: float, stop: float, *, zero: bool = False, margin: float = 0.04) -> Linear:
    """A scale that holds all the values with a little air; from zero on if asked."""
    known = [v for v in values if v is not None and math.isfinite(v)] or [0.0, 1.0]
    low, high = min(known), max(known)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    air = margin * ((high - low) or abs(high) or 1.0)
    return Linear(low if zero and low == 0 else low - air, high if zero and high == 0 else high + air, start, stop)


def _round_step(rough: float) -> float:
    if rough <= 0 or not math.isfinite(rough):
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(m for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))


def time_ticks(first: date, last: date, most: int) -> list[tuple[date, str]]:
    """Round dates from `first` to `last`: years, months or days, whichever gives at most `most`."""
    days = max((last - first).days, 1)
    for months in (1, 2, 3, 6, 12, 24, 60, 120):
        if days / 30.4 / months <= most:
            break
    if days > 75:
        return _month_ticks(first, last, months)
    step = next(s for s in (1, 2, 5, 7, 14, 28) if days / s <= most or s == 28)
    ticks = [first + timedelta(days=k) for k in range(0, days + 1, step)]
    return [(t, f"{t.day} {t:%b}" + (f" {t.year}" if k == 0 else "")) for k, t in enumerate(ticks)]


def _month_ticks(first: date, last: date, months: int) -> list[tuple[date, str]]:
    ticks, year, month = [], first.year, 1
    while (tick := date(year, month, 1)) <= last:
        if tick >= first:
            named = not ticks or tick.month == 1
            ticks.append((tick, str(year) if months >= 12 else f"{tick:%b}" + (f" {year}" if named else "")))
        year, month = year + (month + months - 1) // 12, (month + months - 1) % 12 + 1
    return ticks


def text_width(text: str, size: float = FONT) -> float:
    """About how wide a text is in a sans-serif face, in px; rather too wide than too narrow."""
    return size * sum(_char_width(c) for c in text)


def _char_width(char: str) -> float:
    if unicodedata.combining(char):
        return 0.0
    if unicodedata.east_asian_width(char) in "WF":
        return 1.05
    if char in _NARROW:
        return 0.36
    return 1.0 if char in _BROAD else 0.75 if char.isupper() else 0.62


def shorten(text: str, width: float, size: float = FONT) -> str:
    """`text` cut in its middle so that it fits `width` px; what tells long names apart is often their end."""
    if text_width(text, size) <= width:
        return text
    keep = len(text) - 1
    while keep > 2:
        head = (keep * 3 + 4) // 5
        short = text[:head].rstrip() + "…" + text[len(text) - (keep - head) :].lstrip()
        if text_width(short, size) <= width:
            return short
        keep -= 1
    return text[:1] + "…"


@dataclass(frozen=True)
class Box:
    """A rectangle in the plot."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return wide * high if wide > 0 and high > 0 else 0.0


@dataclass(frozen=True)
class Label:
    """A placed label: its box, and the point that it names."""

    text: str
    box: Box
    x: float
    y: float
    far: bool  # so far from its point that a line should join them


@dataclass
class Labels:
    """Places labels one after another where nothing lies yet."""

    frame: Box
    taken: list[Box] = field(default_factory=list)

    def block(self, *boxes: Box) -> None:
        self.taken.extend(boxes)

    def place(self, text: str, x: float, y: float) -> Label:
        """The nearest free place around (x, y); where all are taken, the one that covers least."""
        tries = [(self._cost(box), step, box, far) for step, (box, far) in enumerate(_around(text, x, y))]
        _, _, box, far = min(tries, key=lambda t: (t[0], t[1]))
        self.taken.append(box)
        return Label(text, box, x, y, far)

    def _cost(self, box: Box) -> float:
        inside = box.overlap(self.frame)
        outside = (box.right - box.left) * (box.bottom - box.top) - inside
        return round(10 * outside + sum(box.overlap(other) for other in self.taken), 3)


def _around(text: str, x: float, y: float) -> Sequence[tuple[Box, bool]]:
    wide, high, boxes = text_width(text), FONT + 3, []
    for gap in (7, 12, 20, 30, 42, 56, 72):
        sides = ((gap, -high / 2), (-gap - wide, -high / 2), (-wide / 2, -gap - high), (-wide / 2, gap))
        corners = ((gap, -gap - high / 2), (gap, gap - high / 2), (-gap - wide, -gap - high / 2), (-gap - wide, gap - high / 2))
        boxes += [(Box(x + dx, y + dy, x + dx + wide, y + dy + high), gap > 12) for dx, dy in (*sides, *corners)]
    return boxes
