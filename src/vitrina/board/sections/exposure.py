"""Section 7: how popular the recommended items are, and how many different ones there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vitrina.board.sections.view import View, distinct, has, known, rows
from vitrina.report.charts import Bar, bars
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Column, Html, Panel, name, panels, section, sentence, table
from vitrina.report.scales import Log
from vitrina.report.words import count, percent, short_count

PANEL = 300
TAKEN = "taken"  # the row of the popularity table that is not a model
POINTS = 48  # of a drawn curve
HALF = 0.5


def exposure(view: View) -> Html:
    """How popular what is recommended is, and how many items share the places."""
    parts = [_popularity(view), _coverage(view)]
    return section("exposure", "What is recommended", view.of_latest, *parts)


# Popularity


def _popularity(view: View) -> Html:
    places = (
        [r for r in rows(view.board.popularity) if known(r["share"]) is not None]
        if has(view.board.popularity, "model", "bucket", "order", "share")
        else []
    )
    shares = {m: {r["bucket"]: r["share"] for r in places if r["model"] == m} for m in (TAKEN, *view.models)}
    shares = {m: s for m, s in shares.items() if s}
    buckets = distinct(r["bucket"] for r in sorted(places, key=lambda r: r["order"]))
    if not any(m != TAKEN for m in shares):
        return sentence("How popular the recommended items are was not measured on this board.")
    top = max(s for model in shares.values() for s in model.values())
    parts = [_popularity_panel(view, m, shares, buckets, top) for m in shares]
    note = "Share of recommended places by how popular the item was in training; the upright tick is what people really took"
    title = _popularity_title(view, shares, buckets)
    return panels("popularity", title, parts, _popularity_table(view, shares, buckets), width=PANEL, note=note)


def _popularity_panel(view: View, model: str, shares: Mapping[str, Mapping[str, float]], buckets: Sequence[str], top: float) -> Panel:
    own, taken = shares[model], shares.get(TAKEN, {})
    colour = "base" if model == TAKEN else "lead" if model == view.leader else "other"
    drawn = [
        Bar(str(b), own.get(b, 0.0), percent(own.get(b, 0.0), 0), None if model == TAKEN else taken.get(b) or None, colour) for b in buckets
    ]
    described = f"{_named(model)}: " + "; ".join(f"{b} {percent(own.get(b, 0.0))}" for b in buckets) + "."
    return Panel(name(_named(model)), bars(drawn, description=described, top=top), model=view.place.get(model))


def _named(model: str) -> str:
    return "What people took" if model == TAKEN else model


def _popularity_title(view: View, shares: Mapping[str, Mapping[str, float]], buckets: Sequence[str]) -> str:
    head, taken = buckets[0], shares.get(TAKEN, {}).get(buckets[0])
    models = {m: s.get(head, 0.0) for m, s in shares.items() if m != TAKEN}
    subject = view.leader if view.leader in models else next(iter(models))
    share = models[subject]
    if not taken:
        return f"{percent(share)} of the places of {subject} go to items of “{head}”"
    ratio = share / taken
    if ratio >= 1.25:
        return f"{percent(share)} of the places of {subject} go to items of “{head}”, {_times(ratio)} what people take"
    if ratio <= 0.8:
        return f"{percent(share)} of the places of {subject} go to items of “{head}”, less than the {percent(taken)} that people take"
    return f"{subject} recommends “{head}” about as often as people take it"


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times".replace(".0 ", " ")


def _popularity_table(view: View, shares: Mapping[str, Mapping[str, float]], buckets: Sequence[str]) -> Html:
    columns = [Column("Model", number=False, class_="first"), *(Column(str(b)) for b in buckets)]
    body = [[_named(m) if m == TAKEN else view.model_cell(m), *(percent(s.get(b, 0.0), 1) for b in buckets)] for m, s in shares.items()]
    return table(columns, body, caption="Share of places by popularity of the item")


# Coverage


def _coverage(view: View) -> Html:
    curve = (
        [r for r in rows(view.board.coverage) if known(r["share"]) is not None]
        if has(view.board.coverage, "model", "rank", "share")
        else []
    )
    lines = {m: sorted((float(r["rank"]), float(r["share"])) for r in curve if r["model"] == m and r["rank"] > 0) for m in view.models}
    lines = {m: _thinned(points) for m, points in lines.items() if points}
    if not lines:
        return sentence("How the places are shared among the items was not measured on this board.")
    longest = max(points[-1][0] for points in lines.values())
    parts = [_coverage_panel(view, m, lines, longest) for m in lines]
    note = "Cumulative share of all places that the most recommended items take; number of items on a logarithmic scale"
    return panels("coverage", _coverage_title(view, lines), parts, _coverage_table(view, lines), width=PANEL, note=note)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most POINTS of the points, evenly in the logarithm of the rank; the first and the last stay."""
    if len(points) <= POINTS:
        return points
    last = points[-1][0] / points[0][0]
    wanted = [points[0][0] * last ** (k / (POINTS - 1)) for k in range(POINTS - 1)]
    kept, at = [], 0
    for rank in wanted:
        while points[at][0] < rank:
            at += 1
        kept.append(points[at])
    return distinct([*kept, points[-1]])


def half_of_places(points: Sequence[tuple[float, float]]) -> float:
    """The number of items that take half of all places."""
    return next((rank for rank, share in points if share >= HALF), points[-1][0])


def _coverage_panel(view: View, model: str, lines: Mapping[str, Sequence[tuple[float, float]]], longest: float) -> Panel:
    half, last = half_of_places(lines[model]), lines[model][-1][0]
    colour = view.colour(model)
    drawn = [Curve(points, "faint") for m, points in lines.items() if m != model] + [Curve(lines[model], colour, model)]
    across = Log(1, max(longest, 10), 0, 1)
    described = f"{model}: {count(half)} items take half of all places, {count(last)} are recommended at all."
    chart = curves(
        drawn, across=across, up=(0, 1), across_ticks=[(p, short_count(p)) for p in across.powers()], up_ticks=[(0.5, "50%"), (1, "100%")],
        note=None, description=described, tall=150,
    )  # fmt: skip
    return Panel(name(model), chart, f"half of the places go to {count(half)} of {_items(last)}", model=view.place.get(model))


def _items(number: float) -> str:
    return "1 item" if number == 1 else f"{count(number)} items"


def _coverage_title(view: View, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    halves = {m: half_of_places(points) for m, points in lines.items()}
    subject = view.leader if view.leader in halves else next(iter(halves))
    widest = max(halves, key=lambda m: halves[m])
    if widest == subject:
        return f"{subject} spreads its places widest: half of them go to {_items(halves[subject])}"
    return f"Half of the places of {subject} go to {_items(halves[subject])}; {widest} spreads them over {count(halves[widest])}"


def _coverage_table(view: View, lines: Mapping[str, Sequence[tuple[float, float]]]) -> Html:
    columns = [
        Column("Model", number=False, class_="first"),
        *(Column(f"{s:.0%} of places") for s in (0.25, 0.5, 0.75, 0.9)),
        Column("Items in all"),
    ]

    def needed(points: Sequence[tuple[float, float]], share: float) -> str:
        return count(next((rank for rank, got in points if got >= share), points[-1][0]))

    body: list[list[Any]] = [
        [view.model_cell(m), *(needed(p, s) for s in (0.25, 0.5, 0.75, 0.9)), count(p[-1][0])] for m, p in lines.items()
    ]
    return table(columns, body, caption="How many items take a share of the places")
