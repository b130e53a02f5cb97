"""Section 4: what accuracy costs beyond accuracy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from vitrina.board.sections.view import View, has, known, rows
from vitrina.report.charts import Point, scatter
from vitrina.report.html import Column, Html, el, figure, section, sentence, table
from vitrina.report.words import decimals, fixed, percent

if TYPE_CHECKING:
    from vitrina.metrics import MetricInfo

ENOUGH = 0.95  # share of the best accuracy that is nearly as good
Row = dict[str, Any]  # of Board.pareto


@dataclass(frozen=True)
class Plane:
    """The models that have both numbers, and the two metrics."""

    rows: list[Row]
    x: MetricInfo
    y: MetricInfo

    @property
    def front(self) -> list[str]:
        """Models that no other one beats in both, the best in x first."""
        sign = 1 if self.x.lower_is_better else -1
        return [r["model"] for r in sorted(self.rows, key=lambda r: sign * r["x"]) if r["on_front"]]

    @property
    def best(self) -> Row:
        """The model that is best in x; among equals in y."""
        return max(self.rows, key=lambda r: (self._good(self.x, r["x"]), self._good(self.y, r["y"])))

    @property
    def bargain(self) -> Row:
        """The model that is best in y among those with 95% of the best x; the best one itself where less of x is better."""
        if self.x.lower_is_better:
            return self.best
        near = [r for r in self.rows if r["x"] >= ENOUGH * self.best["x"]]
        return max(near, key=lambda r: (self._good(self.y, r["y"]), r["x"]))

    @staticmethod
    def _good(metric: MetricInfo, value: float) -> float:
        return -value if metric.lower_is_better else value


def tradeoff(view: View) -> Html:
    """The Pareto front and what 95% of the best accuracy buys."""
    plane = _plane(view)
    if plane is None:
        said = "There is no second metric to weigh accuracy against. Add one, for example Coverage@10 or ILD@10."
        return section("trade-off", "Accuracy and diversity", sentence(said))
    x, y, shares = plane.x.name, plane.y.name, not plane.x.lower_is_better
    best = plane.best["x"]
    limit = (ENOUGH * best, f"{ENOUGH:.0%} of the best {x}") if shares and best > 0 else None
    described = (
        f"{len(plane.rows)} models by {x} and {y}. On the front, best in one for what they have of the other: {', '.join(plane.front)}."
    )
    drawn = scatter([_point(view, r, x, y) for r in plane.rows], across=x, up=y, limit=limit, description=described)
    lower = f"Lower is better for {y}." if plane.y.lower_is_better else ""
    note = f"{y} against {x}, each with its interval; filled: no model is better in both. {lower}"
    plot = figure("front", _title(plane), drawn, _table(view, plane), note=note)
    bought = el("p", _bought(plane), class_="finding") if shares else None
    return section("trade-off", "Accuracy and diversity", bought, plot)


def _plane(view: View) -> Plane | None:
    if not has(view.board.pareto, "model", "x", "y", "on_front", "x_metric", "y_metric"):
        return None
    points = [r for r in rows(view.board.pareto) if known(r["x"]) is not None and known(r["y"]) is not None and r["model"] in view.models]
    return Plane(points, view.info(points[0]["x_metric"]), view.info(points[0]["y_metric"])) if points else None


def _point(view: View, row: Row, x: str, y: str) -> Point:
    across = replace(view.dot(row["model"], x), value=row["x"])
    up = view.numbers.of(row["model"], y)
    front = " On the front." if row["on_front"] else ""
    detail = f"{row['model']}: {x} {view.numbers.shown(row['model'], x)}, {y} {view.numbers.shown(row['model'], y)}.{front}"
    return Point(replace(across, detail=detail), row["y"], up.low, up.high, bool(row["on_front"]))


def _title(plane: Plane) -> str:
    front, x, y = plane.front, plane.x.name, plane.y.name
    if len(front) == 1:
        return f"{front[0]} is ahead in both {x} and {y}"
    if plane.x.lower_is_better:
        return f"{len(front)} models are not beaten in both {x} and {y}"
    best, bargain = plane.best, plane.bargain
    if bargain is best:
        return f"More {y} than {best['model']} has costs more than {1 - ENOUGH:.0%} of its {x}"
    return f"{bargain['model']} keeps {percent(bargain['x'] / best['x'])} of the best {x} with {_more(best['y'], bargain['y'])} {y}"


def _bought(plane: Plane) -> str:
    best, bargain, x, y = plane.best, plane.bargain, plane.x.name, plane.y.name
    places = decimals([r["y"] for r in plane.rows])
    had, now = fixed(best["y"], places), fixed(bargain["y"], places)
    if bargain is best:
        return f"Giving up {1 - ENOUGH:.0%} of the best {x} buys nothing here: no model within that reach is ahead of {best['model']} in {y} ({had})."
    cost = percent(1 - bargain["x"] / best["x"])
    return (
        f"{ENOUGH:.0%} of the best {x} is enough for {now} {y} ({bargain['model']}) instead of {had} ({best['model']}): "
        f"it costs {cost} of {x}."
    )


def _more(before: float, after: float) -> str:
    if before <= 0 or after <= 0:
        return "another"
    ratio = after / before
    if ratio >= 1.95:
        return f"{ratio:.1f} times the".replace(".0 ", " ")
    return f"{percent(abs(ratio - 1))} {'more' if ratio > 1 else 'less'}"


def _table(view: View, plane: Plane) -> Html:
    x, y, best = plane.x.name, plane.y.name, plane.best["x"]
    columns = [Column("Model", number=False), Column(x), Column(f"Share of the best {x}"), Column(y), Column("On the front", number=False)]
    body = [
        [
            view.model_cell(r["model"]), fixed(r["x"], view.numbers.places.get(x, 3)), percent(r["x"] / best, 1) if best > 0 else "–",
            fixed(r["y"], view.numbers.places.get(y, 3)), "yes" if r["on_front"] else "no",
        ]
        for r in sorted(plane.rows, key=lambda r: (1 if plane.x.lower_is_better else -1) * r["x"])
    ]  # fmt: skip
    return table(columns, body, caption=f"{y} against {x}")
