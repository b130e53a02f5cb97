"""Section 4: what accuracy costs beyond accuracy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vitrina.board.sections.view import View, has, known, lower_is_better, rows
from vitrina.report.charts import Point, scatter
from vitrina.report.html import Column, Html, el, figure, section, sentence, table
from vitrina.report.words import decimals, fixed, percent

ENOUGH = 0.95  # share of the best accuracy that is nearly as good


def tradeoff(view: View) -> Html:
    """The Pareto front and what 95% of the best accuracy buys."""
    found = [r for r in _rows(view) if r["model"] in view.models]
    if not found:
        said = "There is no second metric to weigh accuracy against. Add one, for example Coverage@10 or ILD@10."
        return section("trade-off", "Accuracy and diversity", sentence(said))
    x, y = _metric_of(view, found, "x", view.board.primary), _metric_of(view, found, "y", "beyond accuracy")
    best = max(r["x"] for r in found)
    limit = (ENOUGH * best, f"{ENOUGH:.0%} of the best {x}") if best > 0 else None
    described = (
        f"{len(found)} models by {x} and {y}. On the front, best in one for what they have of the other: {', '.join(_front(found))}."
    )
    drawn = scatter([_point(view, r, x, y) for r in found], across=x, up=y, limit=limit, description=described)
    note = f"{y} against {x}, each with its interval; filled: no model is better in both. {_direction(y)}"
    plot = figure("front", _title(found, x, y), drawn, _table(view, found, x, y), note=note)
    return section("trade-off", "Accuracy and diversity", el("p", _bought(view, found, x, y), class_="finding"), plot)


def _rows(view: View) -> list[dict[str, Any]]:
    if not has(view.board.pareto, "model", "x", "y", "on_front"):
        return []
    return [r for r in rows(view.board.pareto) if known(r["x"]) is not None and known(r["y"]) is not None]


def _metric_of(view: View, found: list[dict[str, Any]], axis: str, otherwise: str) -> str:
    """The metric that the axis shows: named by the board, else the one with the same numbers."""
    if found[0].get(f"{axis}_metric"):
        return str(found[0][f"{axis}_metric"])
    same = (m for m in view.metrics if all(view.number(r["model"], m).value == r[axis] for r in found))
    return next(same, otherwise)


def _front(found: list[dict[str, Any]]) -> list[str]:
    return [r["model"] for r in sorted(found, key=lambda r: -r["x"]) if r["on_front"]]


def _point(view: View, row: dict[str, Any], x: str, y: str) -> Point:
    across = replace(view.dot(row["model"], x), value=row["x"])
    up = view.number(row["model"], y)
    front = " On the front." if row["on_front"] else ""
    detail = f"{row['model']}: {x} {view.shown(row['model'], x)}, {y} {view.shown(row['model'], y)}.{front}"
    return Point(replace(across, detail=detail), row["y"], up.low, up.high, bool(row["on_front"]))


def _direction(metric: str) -> str:
    return f"Lower is better for {metric}." if lower_is_better(metric) else ""


def _choice(found: list[dict[str, Any]], y: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The most accurate model, and the best in y among those with 95% of its accuracy."""
    sign = -1 if lower_is_better(y) else 1
    best = max(found, key=lambda r: (r["x"], sign * r["y"]))
    near = [r for r in found if r["x"] >= ENOUGH * best["x"]]
    return best, max(near, key=lambda r: (sign * r["y"], r["x"]))


def _title(found: list[dict[str, Any]], x: str, y: str) -> str:
    front = _front(found)
    if len(front) == 1:
        return f"{front[0]} is ahead in both {x} and {y}"
    best, chosen = _choice(found, y)
    if chosen is best:
        return f"More {y} than {best['model']} has costs more than {1 - ENOUGH:.0%} of its {x}"
    return f"{chosen['model']} keeps {percent(chosen['x'] / best['x'])} of the best {x} with {_more(best['y'], chosen['y'])} {y}"


def _bought(view: View, found: list[dict[str, Any]], x: str, y: str) -> str:
    best, chosen = _choice(found, y)
    places = decimals([r["y"] for r in found])
    had, now = fixed(best["y"], places), fixed(chosen["y"], places)
    if chosen is best:
        return f"Giving up {1 - ENOUGH:.0%} of the best {x} buys nothing here: no model within that reach is ahead of {best['model']} in {y} ({had})."
    cost = percent(1 - chosen["x"] / best["x"])
    return (
        f"{ENOUGH:.0%} of the best {x} is enough for {now} {y} ({chosen['model']}) instead of {had} ({best['model']}): "
        f"it costs {cost} of {x}."
    )


def _more(before: float, after: float) -> str:
    if before <= 0 or after <= 0:
        return "another"
    ratio = after / before
    if ratio >= 1.95:
        return f"{ratio:.1f} times the".replace(".0 ", " ")
    return f"{percent(abs(ratio - 1))} {'more' if ratio > 1 else 'less'}"


def _table(view: View, found: list[dict[str, Any]], x: str, y: str) -> Html:
    columns = [Column("Model", number=False), Column(x), Column(f"Share of the best {x}"), Column(y), Column("On the front", number=False)]
    best = max(r["x"] for r in found)
    body = [
        [
            view.model_cell(r["model"]), fixed(r["x"], view.places.get(x, 3)), percent(r["x"] / best, 1) if best > 0 else "–",
            fixed(r["y"], view.places.get(y, 3)), "yes" if r["on_front"] else "no",
        ]
        for r in sorted(found, key=lambda r: -r["x"])
    ]  # fmt: skip
    return table(columns, body, caption=f"{y} against {x}")
