"""A sum and its parts, one below the other: what comes in, what goes off, and what is left, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from vitrina.report.charts import AXIS, BASE, ROW, bottom_axis, rule, whisker, write
from vitrina.report.html import Drawing, Html, el, join
from vitrina.report.scales import FONT, SEMIBOLD, Linear, shorten, spanning, text_width
from vitrina.report.words import short_count


@dataclass(frozen=True)
class Part:
    """One part of a sum.

    Args:
        value: above 0 where it adds, below 0 where it takes off; of a total, the sum so far.
        shown: the number as it is written beside the bar.
        low, high: its interval; None where there is none.
        total: whether it begins at 0 and not where the last part ended.
    """

    label: str
    value: float
    shown: str
    low: float | None = None
    high: float | None = None
    total: bool = False

    @property
    def size(self) -> float:
        """What its name is measured by: those of totals are semibold."""
        return SEMIBOLD if self.total else FONT


def cascade(parts: Sequence[Part], *, description: str) -> Drawing:
    """Bars that begin where the one above ended; totals begin at zero."""
    sums = list(accumulate((p.value for p in parts if not p.total), initial=0.0))
    begins, at = [], 0
    for part in parts:
        begins.append(0.0 if part.total else sums[at])
        at += not part.total

    def draw(width: int) -> Html:
        gutter = min(0.4 * width, 12 + max(text_width(p.label, p.size) for p in parts))
        room = 12 + max(text_width(p.shown) for p in parts)
        ends = [b + e for p, b in zip(parts, begins, strict=True) for e in (0.0, p.value, p.low or p.value, p.high or p.value)]
        wide = spanning(ends, gutter + 4, width - room, zero=True)
        bottom = ROW * len(parts) + 4
        ticks = [(t, short_count(t).replace("-", "−")) for t in wide.ticks(max(2, int((width - gutter) / 110)))]
        axis = join((bottom_axis(wide, 0, bottom, ticks), rule(wide(0), 0, wide(0), bottom, "marker")))
        return join((axis, *(_part(p, b, k, wide, gutter) for k, (p, b) in enumerate(zip(parts, begins, strict=True)))))

    return Drawing(draw, lambda _: ROW * len(parts) + 4 + AXIS, description)


def _part(part: Part, begin: float, at: int, wide: Linear, gutter: float) -> Html:
    y, left, right = ROW * at + 4.0, *sorted((wide(begin), wide(begin + part.value)))
    class_ = "lead" if part.total else "other" if part.value >= 0 else "less"
    named = write(shorten(part.label, gutter - 8, part.size), gutter - 6, y + 8 + BASE, "name lead" if part.total else "name", "end")
    body = el("rect", x=left, y=y, width=max(right - left, 1.0), height=15, class_=class_)
    ends = (begin + part.low, begin + part.high) if part.low is not None and part.high is not None else (None, None)
    line = whisker(wide, *ends, y + 7.5, "thin base")
    after = max(right, *(wide(e) for e in ends if e is not None)) if ends[0] is not None else right
    return el("g", el("title", f"{part.label}: {part.shown}"), named, body, line, write(part.shown, after + 6, y + 8 + BASE, "value over"))
