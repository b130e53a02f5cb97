"""The tables and plots of the page on a benchmark."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from vitrina.base.printing import finite
from vitrina.evaluate.quality import Quality
from vitrina.evaluate.quality.record import LIKELY, STABLE, size
from vitrina.report.charts import Dot, dots
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Column, Drawing, Html, Panel, el, figure, name, panels, section, table
from vitrina.report.scales import Log
from vitrina.report.words import count, fixed, listed, percent, plural, short_count

PANEL = 300  # px of a small plot
MOST = 12  # pairs of orders of one kind that are drawn
COLOURS = {STABLE: "better", LIKELY: "equal"}
KINDS = {
    "folds": "Between folds in time",
    "rules": "Between rules of splitting",
    "metrics": "Between metrics",
    "checkpoints": "From one epoch to the next",
}
TARGET = re.compile(r"target='(\w+)'")
UP = [(share, percent(share)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]


def metrics(quality: Quality) -> Html:
    """Section: each metric with what it takes to trust its order."""
    stable = [row["metric"] for row in quality.table.iter_rows(named=True) if row["verdict"] == STABLE]
    said = (
        f"By {listed(stable)} the order of the models is stable with the people who were asked."
        if stable
        else "By no metric the order of the models is surely stable with the people who were asked."
    )
    heads = ["Stable from", "Interval", "Right now", "First place from", "First two from", "Signal to noise", "Interval", "Pairs apart"]
    columns = [Column("Metric", number=False, class_="first"), Column("Order", number=False), *map(Column, heads)]
    return section("metrics", "Which metric", el("p", said, class_="finding"), table(columns, [_row(r, quality) for r in quality.table.iter_rows(named=True)], caption="What it takes to trust each metric; sizes are people", class_="metrics"))  # fmt: skip


def _row(row: Mapping[str, Any], quality: Quality) -> list[object]:
    named = el("span", name(row["metric"]), class_="model lead" if row["metric"] == quality.trusted else "model other")
    noise = "unknown" if not row["freedom"] else fixed(row["ratio"], 1)
    ends = "" if row["ratio_low"] is None else f"({fixed(row['ratio_low'], 1)} to {fixed(row['ratio_high'], 1)})"
    return [
        named, el("span", row["verdict"], class_=COLOURS.get(row["verdict"], "worse")), _size(row["stable"]), f"({_size(row['stable_low'])} to {_size(row['stable_high'])})",
        fixed(row["now"], 2), _size(row["first_stable"]), _size(row["needed"]), noise, ends, f"{row['apart']} of {row['pairs']}",
    ]  # fmt: skip


def _size(people: float) -> str:
    return "∞" if people == float("inf") else size(people)


def stable(quality: Quality) -> Html | None:
    """Section: the share of comparisons that are right by the number of people, metric by metric."""
    every = quality.table.filter(pl.col("pairs") > 0)
    if not len(every):
        return None
    row = quality.row(quality.trusted)
    said = (
        f"No number of people makes the order by {quality.trusted} stable." if row["stable"] == float("inf")
        else f"By {quality.trusted} {count(row['stable'])} people are enough, and {count(row['people'])} were asked."
    )  # fmt: skip
    note = f"across: people asked; up: share of comparisons with the true order (tau {quality.tau:g} or more), the wanted {percent(quality.share)} at the dark line; band: {percent(quality.confidence)} interval; upright: people of this test"
    parts = [
        Panel(
            name(metric), _curve(quality, metric), f"stable from {_size(quality.row(metric)['stable'])}, {quality.row(metric)['verdict']}"
        )
        for metric in sorted(every["metric"], key=lambda metric: metric != quality.trusted)
    ]
    made = panels("stable-plot", "The more people, the surer the order", parts, _numbers(quality), width=PANEL, note=note)
    return section("stable", "How many people", el("p", said, class_="finding"), made)


def _curve(quality: Quality, metric: str) -> Drawing:
    rows, row = quality.curve.filter(pl.col("metric") == metric).rows(named=True), quality.row(metric)
    low, high = rows[0]["people"], max(rows[-1]["people"], rows[0]["people"] + 1)
    band = [(r["people"], r["order_low"], r["order_high"]) for r in rows]
    lines = [
        Curve([(r["people"], r["order"]) for r in rows], "lead" if metric == quality.trusted else "other", metric, band),
        Curve([(low, quality.share), (high, quality.share)], "base", "wanted"),
    ]
    across = Log(low, high, 0, 1)
    inside = across.powers()
    ticks = [(t, short_count(t)) for t in (inside if len(inside) > 1 else (low, high))]
    spoken = f"{metric}: stable from {_size(row['stable'])} people; with {count(row['people'])} people {percent(row['now'])} of comparisons are right."
    return curves(
        lines,
        across=across,
        up=(0.0, 1.0),
        across_ticks=ticks,
        up_ticks=UP,
        note=None,
        description=spoken,
        tall=170,
        uprights=[(row["people"], "asked")],
    )


def _numbers(quality: Quality) -> Html:
    columns = [Column("Metric", number=False), *map(Column, ("People", "Order right", "Interval", "First place right", "Interval"))]
    body = [
        [r["metric"], count(r["people"]), fixed(r["order"], 2), f"({fixed(r['order_low'], 2)} to {fixed(r['order_high'], 2)})", fixed(r["first"], 2), f"({fixed(r['first_low'], 2)} to {fixed(r['first_high'], 2)})"]
        for at, r in enumerate(quality.curve.iter_rows(named=True))
        if at % 4 == 0
    ]  # fmt: skip
    return table(columns, body, caption="Share of comparisons that are right")


def agreement(quality: Quality) -> Html | None:
    """Section: tau between orders, kind by kind."""
    drawn = [made for kind, title in KINDS.items() if (made := _kind(quality, kind, title)) is not None]
    if not drawn:
        return None
    said = f"A tau of 1 is the same order, 0 none, −1 the reverse. Orders of {plural(int(quality.agreement['models'].to_numpy().max()), 'model')}."
    return section("agreement", "Orders beside each other", el("p", said, class_="finding"), *drawn)


def _kind(quality: Quality, kind: str, title: str) -> Html | None:
    rows = quality.of(kind).filter(pl.col("tau").is_not_null())
    if kind == "folds":
        rows = rows.filter(pl.col("metric") == quality.trusted)
    if kind == "rules" and len(rows):
        rows = rows.filter(pl.col("one") == quality.of(kind)["one"][0])
    if not len(rows):
        return None
    shown = rows.head(MOST).rows(named=True)
    marks = [Dot(_pair(row, kind), row["tau"], None, None, "lead" if row["same_first"] else "other", f"{_pair(row, kind)}: {fixed(row['tau'], 2)}", mark=row["expected"]) for row in shown]  # fmt: skip
    spoken = "; ".join(f"{_pair(row, kind)} {fixed(row['tau'], 2)}" for row in shown)
    note = "across: tau-b; coloured where the best model is the same one" + (
        "; upright ticks: what the doubt of people and seeds alone would leave" if kind == "folds" else ""
    )
    columns = [Column("Orders", number=False), *map(Column, ("Tau", "By doubt alone", "Models")), Column("Same best model", number=False)]
    body = [[name(f"{r['one']} and {r['other']}"), fixed(r["tau"], 2), fixed(r["expected"], 2), count(r["models"]), "yes" if r["same_first"] else "no"] for r in rows.iter_rows(named=True)]  # fmt: skip
    data = table(columns, body, caption=title)
    return figure(
        f"{kind}-plot",
        f"{title}: tau {fixed(_mean(rows), 2)} on average",
        dots(marks, description=f"{title}: {spoken}.", marker=1.0, among=(0.0,)),
        data,
        note=note,
    )


def _pair(row: Mapping[str, Any], kind: str) -> str:
    if kind == "rules":
        target = TARGET.search(row["other"])
        return f"target {target[1]}" if target else str(row["other"]).partition("(")[0]
    word = {"folds": "fold ", "checkpoints": "epoch "}.get(kind, "")
    return f"{word}{row['one']} and {row['other']}"


def _mean(rows: pl.DataFrame) -> float:
    return float(rows["tau"].to_numpy().mean())


def sizes(quality: Quality) -> Html | None:
    """Section: models fitted again on parts of the people. None where nobody did."""
    rows = quality.sizes.sort("share", "draw").rows(named=True)
    if not rows:
        return None
    marks = [
        Dot(f"{percent(r['share'])}, {count(r['people'])} asked", r["tau"], None, None, "lead" if r["same_first"] else "other", f"{percent(r['share'])}: {fixed(r['tau'], 2)}", mark=r["expected"])
        for r in rows
    ]  # fmt: skip
    spoken = "; ".join(f"{percent(r['share'])} of the people: tau {fixed(r['tau'], 2)}" for r in rows)
    columns = [
        *map(Column, ("Share of people", "Draw", "People asked", "Training events", "Tau", "By doubt alone")),
        Column("Same best model", number=False),
    ]
    body = [[percent(r["share"]), count(r["draw"]), count(r["people"]), count(r["events"]), fixed(r["tau"], 2), fixed(r["expected"], 2), "yes" if r["same_first"] else "no"] for r in rows]  # fmt: skip
    data = table(columns, body, caption="Models fitted and asked on parts of the people")
    note = "across: tau-b with the order of the whole log; upright ticks: what asking so few people alone would leave; coloured where the best model is the same"
    made = figure(
        "sizes-plot",
        "What smaller logs make of the order",
        dots(marks, description=f"{spoken}.", marker=1.0, among=(0.0,)),
        data,
        note=note,
    )
    return section(
        "sizes",
        "Smaller logs",
        el("p", "Here the models learn from fewer people too, not only the test asks fewer.", class_="finding"),
        made,
    )


def learning(quality: Quality) -> Html | None:
    """Section: whether the metric rises while models learn. None where no model has epochs."""
    rows = quality.monotonicity.rows(named=True)
    if not rows:
        return None
    known = [r for r in rows if finite(r["spearman"])]
    columns = [Column("Model", number=False, class_="first"), Column("Checkpoints"), Column("Rank correlation")]
    body = [[name(r["model"]), count(r["checkpoints"]), fixed(r["spearman"], 2)] for r in rows]
    said = f"In {count(sum(r['spearman'] >= 0.7 for r in known))} of {plural(len(known), 'model')} {rows[0]['metric']} in validation follows the training (rank correlation .7 or more)."
    return section(
        "learning",
        "While models learn",
        el("p", said, class_="finding"),
        table(columns, body, caption=f"{rows[0]['metric']} in validation by epoch", class_="metrics"),
    )
