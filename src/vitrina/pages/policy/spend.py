"""What money buys: the Qini curve with its band beside the same money given at random, and the curve of who is treated first."""

from __future__ import annotations

from typing import Any

import polars as pl

from vitrina.pages.policy.view import View
from vitrina.report.curves import Curve, curves
from vitrina.report.html import Column, Html, el, figure, section, table
from vitrina.report.scales import Linear, spanning
from vitrina.report.words import about, between, decimals, fixed, half_width, percent, signed

ROWS = 11  # of the table below a plot


def spend(view: View) -> Html | None:
    """Section: gain against spend, and against the share that is treated. None without predictions."""
    study = view.study
    if study.curve is None and study.uplift is None:
        return None
    parts = [
        _qini(view, study.curve) if study.curve is not None else None,
        _uplift(view, study.uplift) if study.uplift is not None else None,
    ]
    saying = el("p", _finding(view), class_="finding") if study.curve is not None else None
    return section("spend", "Who comes first" if study.curve is None else "What money buys", saying, *parts)


def _finding(view: View) -> str:
    study = view.study
    assert study.curve is not None
    end = study.curve.table.row(-1, named=True)
    half = next((r for r in study.curve.table.iter_rows(named=True) if r["gain"] >= 0.8 * end["gain"] > 0), end)
    over = study.curve.area(over=study.curve.random)
    first = f"{about(half['spend'])} per decision, spent where it is predicted to bring most, gains {about(half['gain'])} {study.reward}"
    share = f", {percent(half['gain'] / end['gain'])} of what {about(end['spend'])} gains" if half is not end and end["gain"] > 0 else ""
    if over.low > 0:
        return f"{first}{share}. Choosing who gets it is worth more than giving the same money at random, over the whole curve."
    if over.high < 0:
        return f"{first}{share}. Giving the same money at random gains more: the model’s order of who gains is wrong."
    return f"{first}{share}. Choosing who gets it can’t be told from giving the same money at random: the order of who gains is not proven."


def _qini(view: View, curve: Any) -> Html:
    found = curve.table
    rows = found.to_dicts()
    places = decimals([r["gain"] for r in rows], [half_width(r["low"], r["high"]) for r in rows])
    title = "Targeted money beside the same money at random"
    note = f"across: spend per decision; up: {view.study.reward} gained per decision over giving everybody {view.study.log.arms[view.study.log.control]}. Band: {view.confidence} interval"
    columns = [Column("Spend"), *map(Column, ("Gain", "Interval", "Promised", "At random", "Over random", "Interval", "Treated"))]
    body = [
        [
            fixed(r["spend"], 3), fixed(r["gain"], places), between(r["low"], r["high"], places), fixed(r["promised"], places), fixed(r["random"], places),
            signed(r["over_random"], places), between(r["over_random_low"], r["over_random_high"], places), percent(r["treated"]),
        ]
        for r in rows[:: max(1, (len(rows) - 1) // (ROWS - 1))]
    ]  # fmt: skip
    data = table(columns, body, caption="Gain by spend, per decision")
    described = "; ".join(
        f"spend {fixed(r['spend'], 3)} gains {fixed(r['gain'], places)}, at random {fixed(r['random'], places)}" for r in rows[::5]
    )
    return figure("qini-plot", title, _drawn(found, "spend", "random", described + ".", as_share=False), data, note=note)


def _uplift(view: View, found: pl.DataFrame) -> Html:
    rows = found.to_dicts()
    places = decimals([r["value"] for r in rows], [half_width(r["low"], r["high"]) for r in rows])
    columns = [Column("Treated"), Column(view.study.reward), Column("Interval"), Column("At random")]
    chosen = rows[:: max(1, (len(rows) - 1) // (ROWS - 1))]
    body = [
        [percent(r["share"]), fixed(r["value"], places), between(r["low"], r["high"], places), fixed(r["random"], places)] for r in chosen
    ]
    best = max(rows, key=lambda r: r["value"])
    worth = f"{fixed(best['value'], places)} {between(best['low'], best['high'], places)}"
    title = f"{view.study.reward} is highest with {percent(best['share'])} treated, those first who are predicted to gain most: {worth}"
    if best is not rows[-1]:
        title += f"; with all it is {fixed(rows[-1]['value'], places)} {between(rows[-1]['low'], rows[-1]['high'], places)}"
    note = f"across: share of the units that get the arm predicted best for them, the rest {view.study.log.arms[view.study.log.control]}; up: {view.study.reward} per decision. Band: {view.confidence} interval"
    described = "; ".join(f"{percent(r['share'])} treated: {fixed(r['value'], places)}" for r in chosen)
    return figure(
        "uplift-plot",
        title,
        _drawn(found, "share", "random", described + ".", as_share=True),
        table(columns, body, caption="Value by share treated"),
        note=note,
    )


def _drawn(found: pl.DataFrame, across: str, straight: str, described: str, *, as_share: bool) -> Any:
    """The curve with its band, and the line of chance."""
    up_name = "value" if "value" in found.columns else "gain"
    x, y = found[across].to_list(), found[up_name].to_list()
    up = spanning([*found["low"].to_list(), *found["high"].to_list(), *found[straight].to_list()], 0, 1)
    scale = Linear(min(x), max(x), 0, 1)
    ticks = [(t, percent(t)) for t in (0.0, 0.25, 0.5, 0.75, 1.0)] if as_share else scale.tick_labels(6)
    lines = [
        Curve(list(zip(x, found[straight].to_list(), strict=True)), "other", "the same at random", name="at random"),
        Curve(
            list(zip(x, y, strict=True)),
            "lead",
            "by prediction",
            list(zip(x, found["low"].to_list(), found["high"].to_list(), strict=True)),
            "by prediction",
        ),
    ]
    return curves(
        lines,
        across=scale,
        up=(up.low, up.high),
        across_ticks=ticks,
        up_ticks=up.tick_labels(4),
        note=None,
        description=described,
        tall=300,
    )
