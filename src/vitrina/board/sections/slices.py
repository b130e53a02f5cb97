"""Section 5: where each model is good, group by group, on one scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from vitrina.board.sections.view import DOUBT, Estimate, View, distinct, has, known, rows
from vitrina.evaluate.leads import FEWEST
from vitrina.report.charts import Dot, Group, trellis
from vitrina.report.html import Column, Html, el, figure, section, sentence, table
from vitrina.report.words import between, fixed, listed, plural


class Best(NamedTuple):
    """Who is ahead in a group, and whether the differences say so."""

    model: str
    clear: bool


def slices(view: View) -> Html:
    """One trellis of plots for each way to divide the queries."""
    title, points = "Where each model is good", [r for r in _rows(view) if r["model"] in view.models]
    names = distinct(r["slice"] for r in points)
    if not names:
        return section("slices", title, sentence("There are no slices on this board: there was nothing to divide the queries by."))
    ends = [known(r.get(c)) for r in points for c in ("value", "low", "high") if not _few(r)]
    scale = (min([0.0, *(v for v in ends if v is not None)]), 1.03 * max([0.0, *(v for v in ends if v is not None)]) or 1.0)
    small = (
        f"{view.board.primary} with {view.confidence} intervals; one scale for all the plots of this section. Who leads is told by paired differences, "
        "which are surer than the intervals look, corrected for all models and groups."
    )
    parts = [_slice(view, at, name, [r for r in points if r["slice"] == name], scale) for at, name in enumerate(names)]
    return section("slices", title, el("p", small, class_="sub"), *parts)


def _rows(view: View) -> list[dict[str, Any]]:
    if not has(view.board.slices, "model", "slice", "group", "order", "metric", "value"):
        return []
    return [r for r in rows(view.board.slices, metric=view.board.primary) if known(r["value"]) is not None]


def _few(row: dict[str, Any]) -> bool:
    """Whether the group has too few queries for a plot: intervals that wide hide the others."""
    queries = known(row.get("queries"))
    return queries is not None and queries < FEWEST


def _slice(view: View, at: int, name: str, points: list[dict[str, Any]], scale: tuple[float, float]) -> Html:
    groups = distinct(r["group"] for r in sorted(points, key=lambda r: (r["order"], r["group"])))
    by_group = {g: {r["model"]: r for r in points if r["group"] == g} for g in groups}
    drawn = {g: rows for g, rows in by_group.items() if not all(map(_few, rows.values()))}
    data = _table(view, name, by_group)
    if not drawn:
        return el("div", sentence(f"Every group of {_lower(name)} has fewer than {FEWEST} queries: too few for a plot."), data)
    parts = [_group(view, g, rows) for g, rows in drawn.items()]
    described = f"{view.board.primary} by {_lower(name)}. " + " ".join(f"{p.title}: {'; '.join(d.detail for d in p.rows)}." for p in parts)
    left = [f"“{g}”" for g in by_group if g not in drawn]
    note = f"By {_lower(name)}" + (f". Too few queries for a plot (under {FEWEST}): {listed(left)}" if left else "")
    title = _title(view, name, drawn)
    return figure(f"slice-{at}", title, trellis(parts, scale=scale, description=described), data, note=note)


def _group(view: View, group: str, by_model: Mapping[str, dict[str, Any]]) -> Group:
    queries = next((int(r["queries"]) for r in by_model.values() if known(r.get("queries")) is not None), None)
    small = plural(queries, "query", "queries") if queries is not None else ""
    return Group(str(group), small, [_dot(view, m, by_model.get(m)) for m in view.models])


def _dot(view: View, model: str, row: dict[str, Any] | None) -> Dot:
    if row is None:
        return Dot(model, None, None, None, view.colour(model), f"{model}: no value", view.place[model])
    value, low, high = (known(row.get(c)) for c in ("value", "low", "high"))
    places = view.numbers.places.get(view.board.primary, 3)
    return Dot(
        model,
        value,
        low,
        high,
        view.colour(model),
        f"{model}: {fixed(value, places)} {_ends(row, places)}".rstrip(),
        view.place[model],
    )


def _best(view: View, slice_name: str, group: str, rows: Mapping[str, dict[str, Any]]) -> Best:
    """The model with the best value, clearly so when every other one is measurably behind it, by paired differences."""
    sign = 1 if view.primary.lower_is_better else -1
    first = min(rows.values(), key=lambda r: sign * r["value"])["model"]
    found = [r for r in view.leads if r["slice"] == slice_name and r["group"] == group and r["leader"] == first]
    behind = {r["model"] for r in found if (p := known(r["p_adjusted"])) is not None and p <= view.alpha}
    return Best(first, behind >= set(rows) - {first})


def _title(view: View, name: str, by_group: Mapping[str, Mapping[str, dict[str, Any]]]) -> str:
    best = {g: _best(view, name, g, rows) for g, rows in by_group.items()}
    clear = {g: b.model for g, b in best.items() if b.clear}
    models, what = distinct(clear.values()), _lower(name)
    if not clear:
        first = distinct(b.model for b in best.values())
        said = f"{first[0]} is first in every group" if len(first) == 1 else f"The order changes with {_lower(name)}"
        return f"{said}, but no lead is larger than its doubt"
    if len(models) == 1 and len(clear) == len(best) > 1:
        return f"{models[0]} leads whatever the {_lower(name)}"
    said = [f"{m} leads where {what} is {' or '.join(f'“{g}”' for g in clear if clear[g] == m)}" for m in models]
    return "; ".join([*said, *(["elsewhere it is too close to tell"] if len(clear) < len(best) else [])])


def _lower(name: str) -> str:
    text = str(name).replace("_", " ")
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _table(view: View, name: str, by_group: Mapping[str, Mapping[str, dict[str, Any]]]) -> Html:
    places = view.numbers.places.get(view.board.primary, 3)
    columns = [Column("Model", number=False, class_="first"), *(Column(str(g)) for g in by_group)]
    body = [[view.model_cell(m), *(_cell(by_model.get(m), places) for by_model in by_group.values())] for m in view.models]
    return table(columns, body, caption=f"{view.board.primary} by {_lower(name)}")


def _cell(row: dict[str, Any] | None, places: int) -> object:
    if row is None:
        return "–"
    return el("div", fixed(row["value"], places), el("span", _ends(row, places), class_="remark"))


def _ends(row: dict[str, Any], places: int) -> str:
    """The interval, marked where it can't be trusted."""
    estimate = Estimate(*(known(row.get(c)) for c in ("value", "low", "high", "hits")))
    return between(estimate.low, estimate.high, places) + (DOUBT if estimate.doubtful else "")
