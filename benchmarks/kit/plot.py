"""The plot of an ablation: accuracy against coverage, drawn like the board's report, as a file of its own."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from benchmarks.kit.runs import Run
from vitrina.report.charts import Dot, Point, scatter
from vitrina.report.html import WIDE, svg

STYLE = """<style>
svg { --paper: #ffffff; --ink: #1b1b1b; --soft: #5a5a5a; --mark: #868686; --rule: #dcdcd8; --accent: #0b57a4;
  background: var(--paper); font-family: system-ui, sans-serif; overflow: visible; }
text { font-size: 12px; fill: var(--ink); } .tick, .axis { fill: var(--soft); }
.name.lead { fill: var(--accent); font-weight: 600; } .name.base { font-weight: 600; }
.over { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; }
.grid { stroke: var(--rule); } .leader { stroke: var(--mark); stroke-width: 0.75; }
.front { fill: none; stroke: var(--mark); } .whisker { stroke-width: 1.25; stroke-opacity: 0.7; }
circle.lead { fill: var(--accent); } circle.base { fill: var(--ink); } circle.other { fill: var(--mark); }
circle.hollow { fill: var(--paper); stroke-width: 1.75; }
line.lead, circle.hollow.lead { stroke: var(--accent); } line.base, circle.hollow.base { stroke: var(--ink); }
line.other, circle.hollow.other { stroke: var(--mark); }
@media (prefers-color-scheme: dark) { svg { --paper: #151515; --ink: #ececea; --soft: #ababa8; --mark: #8b8b88; --rule: #3a3a38; --accent: #74b5ff; } }
</style>"""


def front_plot(runs: Mapping[str, Run], kinds: Mapping[str, str], points: pl.DataFrame, lead: str, title: str) -> str:
    """nDCG@10 with its interval against Coverage@10; `lead` in the accent, baselines in ink, filled on the front."""

    def point(row: str, y: float, on_front: bool) -> Point:
        value, low, high = runs[row].numbers["nDCG@10"]
        colour = "lead" if row == lead else "base" if kinds[row] == "baseline" else "other"
        return Point(Dot(row, value, low, high, colour, f"{row}: nDCG@10 {value:.4f}, Coverage@10 {y:.4f}"), y, None, None, on_front)

    named = [point(row["model"], row["y"], row["on_front"]) for row in points.iter_rows(named=True)]
    front = ", ".join(p.dot.label for p in named if p.on_front)
    drawing = scatter(named, across="nDCG@10", up="Coverage@10", limit=None, description=f"{len(named)} models; on the front: {front}.")
    drawn = svg("front", drawing, WIDE, title)
    return drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(">", f">{STYLE}", 1) + "\n"
