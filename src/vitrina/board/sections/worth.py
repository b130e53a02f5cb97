"""Accuracy beside money: whether the best order is the one that earns most."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vitrina.board.sections.view import View, gloss, has, rows, sign_of_minus
from vitrina.board.verdict import disagreement, standing
from vitrina.report.charts import Point, scatter
from vitrina.report.html import Column, Html, el, figure, join, section, table
from vitrina.report.words import fixed

if TYPE_CHECKING:
    from vitrina.metrics import MetricInfo


def worth(view: View) -> Html | None:
    """None where no metric of the board is in money."""
    if not has(view.board.earnings, "model", "metric", "baseline"):
        return None
    found = [view.info(name) for name in view.board.earnings["metric"].unique(maintain_order=True)]
    return section("worth", "What it earns", join(_of_metric(view, metric) for metric in found))


def _of_metric(view: View, metric: MetricInfo) -> Html:
    compared = {r["model"]: r for r in rows(view.board.earnings, metric=metric.name)}
    best = next(iter(compared.values()))["baseline"]
    said = disagreement(view.board.primary, view.leader or best, view.board.earnings.filter(metric=metric.name)) or _agree(
        view, metric, best, compared
    )
    x, y = view.primary.name, metric.name
    models = [m for m in view.models if view.numbers.of(m, y).value is not None and view.numbers.of(m, x).value is not None]
    drawn = scatter(
        [_point(view, m, x, y, m in (best, view.leader)) for m in models],
        across=x,
        up=y,
        limit=None,
        description=_described(view, models, x, y),
    )
    columns = [Column("Model", number=False), Column(x), Column(y, hint=gloss(metric)), Column(f"Against {best}", number=False)]
    body = [
        [view.model_cell(m), view.numbers.shown(m, x), view.numbers.shown(m, y), _verdict(compared.get(m))]
        for m in sorted(models, key=lambda m: -(view.numbers.of(m, y).value or 0.0))
    ]
    data = table(columns, body, caption=f"{y} beside {x}")
    plot = figure(
        f"worth-{y.lower().replace('@', '-')}",
        _title(view, best, y),
        drawn,
        data,
        note=f"{y} against {x}, each with its interval. {y}: {gloss(metric)}",
    )
    return join((el("p", sign_of_minus(said), class_="finding"), plot))


def _agree(view: View, metric: MetricInfo, best: str, compared: dict[str, dict[str, Any]]) -> str:
    """There is nothing that speaks for another model in money."""
    leader = view.leader
    if leader is None or leader == best:
        return f"{best} has the best order and earns most: {_shown(view, best, metric.name)} per question."
    row = compared[leader]
    return f"{best} earns most by what was measured, and {leader} can’t be told from it: {row['verdict']}."


def _shown(view: View, model: str, metric: str) -> str:
    return fixed(view.numbers.of(model, metric).value, view.numbers.places.get(metric, 3))


def _verdict(row: dict[str, Any] | None) -> Html:
    if row is None:
        return el("span", "earns most", class_="unsure")
    return el("span", sign_of_minus(row["verdict"]), class_=standing(row["verdict"]))


def _title(view: View, best: str, metric: str) -> str:
    return (
        f"{best} is ahead in both {view.primary.name} and {metric}"
        if best == view.leader
        else f"{view.leader} is ahead in {view.primary.name}, {best} in {metric}"
    )


def _described(view: View, models: list[str], x: str, y: str) -> str:
    return f"{y} against {x}: " + "; ".join(f"{m} {x} {view.numbers.shown(m, x)}, {y} {view.numbers.shown(m, y)}" for m in models) + "."


def _point(view: View, model: str, x: str, y: str, first: bool) -> Point:
    detail = f"{model}: {x} {view.numbers.shown(model, x)}, {y} {view.numbers.shown(model, y)}."
    up = view.numbers.of(model, y)
    return Point(replace(view.dot(model, x), detail=detail), up.value or 0.0, up.low, up.high, first)
