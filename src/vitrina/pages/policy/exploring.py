"""What a random share costs today, and what tomorrow's log can tell for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from vitrina.pages.policy.view import View
from vitrina.policy import exploration
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Column, Html, el, figure, section, table
from vitrina.report.scales import Linear, spanning
from vitrina.report.words import about, between, decimals, fixed, half_width, percent

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
SHOWN = 0.05  # the share that the words speak of


def exploring(view: View) -> Html | None:
    """Section: cost and worth of a random share. None without predictions, or where nothing is to be told apart."""
    study = view.study
    if study.found.advised is None or study.found.rival == study.found.shown:
        return None
    found = explored(view, SHARES).to_dicts()
    chosen = next(r for r in found if r["share"] == SHOWN)
    large = [r for r in found if r["share"] >= SHOWN]
    places = decimals([r["cost"] for r in large], [half_width(r["cost_low"], r["cost_high"]) for r in large])
    saying = (
        f"With {percent(SHOWN)} of the decisions at random, a decision brings {_cost(chosen, places)}, and as many decisions again tell {study.found.shown} from {study.found.rival} "
        f"where the difference is {about(chosen['detectable'])} or more, in four cases of five. With none at random, tomorrow’s log can’t tell them apart at all."
    )
    columns = [
        Column("At random", number=False),
        *map(Column, (f"{study.reward} lost per decision", "Interval", "Difference that is seen")),
    ]
    body = [
        [percent(r["share"]), fixed(r["cost"], places), between(r["cost_low"], r["cost_high"], places), about(r["detectable"])]
        for r in found
    ]
    data = table(columns, body, caption=f"What a random share costs and buys, for {len(study.log):,} decisions")
    return section("exploring", "What a random share costs and buys", el("p", saying, class_="finding"), _plot(view, data), data)


def explored(view: View, shares: Sequence[float]) -> pl.DataFrame:
    """Cost and worth of each share, for the policy of the page and the policy that it is told from."""
    study = view.study
    return exploration(
        study.log, study.chances[study.found.shown], shares=shares, baseline=study.chances[study.found.rival], reward=study.reward,
        predictions=study.predictions, confidence=study.confidence,
    )  # fmt: skip


def _cost(chosen: Mapping[str, Any], places: int) -> str:
    cost, low, high = (chosen[name] for name in ("cost", "cost_low", "cost_high"))
    if low <= 0 <= high:
        return f"about as much as without ({fixed(cost, places)} less, {fixed(low, places)} to {fixed(high, places)})"
    return f"{fixed(cost, places)} less ({fixed(low, places)} to {fixed(high, places)})"


def _plot(view: View, data: Html) -> Html:
    points = explored(view, sorted({SHOWN, *np.geomspace(0.01, 1.0, 24).tolist()})).select("share", "detectable").rows()
    up = spanning([s for _, s in points], 0, 1, zero=True)
    scale = Linear(0.0, 1.0, 0, 1)
    chosen = dict(points)[SHOWN]
    drawn = curves(
        [Curve(points, "lead", "difference that is seen in four cases of five")], across=scale, up=(up.low, up.high),
        across_ticks=[(s, percent(s)) for s in (0.05, 0.2, 0.5, 1.0)], up_ticks=up.tick_labels(4), note=(SHOWN, chosen, f"{percent(SHOWN)}: {about(chosen)}"),
        description=f"The difference that can be seen falls from {about(points[0][1])} at {percent(points[0][0], 1)} to {about(points[-1][1])} at 100%.",
    )  # fmt: skip
    title = "The first percents at random buy most of what can be known"
    note = (
        f"across: share of the decisions at random; up: difference in {view.study.reward} per decision that is seen in four cases of five"
    )
    return figure("exploring-plot", title, drawn, data, note=note)
