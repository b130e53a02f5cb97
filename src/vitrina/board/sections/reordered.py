"""Before and after: what a re-ranker or the rules cost and brought, and a few people's lists on both sides of it, with the reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from vitrina.board.sections.people import past, short_title
from vitrina.board.sections.view import View, has, known, rows
from vitrina.board.verdict import standing
from vitrina.report.html import Column, Html, el, name, scrolling, section, table
from vitrina.report.words import between, fixed, listed, percent, plural, signed

if TYPE_CHECKING:
    from vitrina.board.result import Example

MODELS, PEOPLE = 3, 3  # shown with lists
BEYOND = 2  # metrics beside the primary one
REASONS = 8
Row = dict[str, Any]  # of Board.effects


def reordered(view: View) -> Html | None:
    """None where nothing on the board was ranked again."""
    if not has(view.board.moves, "model", "changed", "entered", "moved"):
        return None
    moves = {r["model"]: r for r in rows(view.board.moves)}
    models = [m for m in view.models if m in moves]
    if not models:
        return None
    effects = {(r["model"], r["metric"]): r for r in rows(view.board.effects)} if has(view.board.effects, "model", "metric") else {}
    return section(
        "reordered", "Before and after", el("p", _said(view, models[0], moves[models[0]], effects), class_="finding"), view.of_latest,
        _effects(view, models, moves, effects), _reasons(view, models), *_people(view, models),
    )  # fmt: skip


def _said(view: View, model: str, row: Row, effects: dict[tuple[str, str], Row]) -> str:
    """What the re-ranker of the best such row did, in a sentence or two."""
    moved = f"The re-ranker of {model} changed {percent(row['changed'])} of the lists: {percent(row['entered'])} of the places hold an item from further down, {percent(row['moved'])} one from another rank."
    metrics = [(m, effects[model, m.name]) for m in (view.primary, *view.metrics.beyond[:1]) if (model, m.name) in effects]
    cost = [f"{m.name} went from {_value(view, m.name, e['before'])} to {_value(view, m.name, e['after'])}" for m, e in metrics]
    return f"{moved} {listed(cost)}." if cost else moved


def _value(view: View, metric: str, value: float | None) -> str:
    return fixed(known(value), view.numbers.places.get(metric, 3))


def _effects(view: View, models: Sequence[str], moves: dict[str, Row], effects: dict[tuple[str, str], Row]) -> Html:
    shown = [m for m in (view.primary, *view.metrics.beyond[:BEYOND]) if any((model, m.name) in effects for model in models)]
    columns = [
        Column("Model", number=False, class_="first"), Column("Lists changed"), Column("Places from further down"), Column("Places at another rank"),
        *(Column(f"{m.name}, before and after") for m in shown),
    ]  # fmt: skip
    body = [
        [
            view.model_cell(model), *(percent(moves[model][n], 1) for n in ("changed", "entered", "moved")),
            *(_effect(view, m.name, effects.get((model, m.name))) for m in shown),
        ]
        for model in models
    ]  # fmt: skip
    asked = max(moves[model]["lists"] for model in models)
    note = (
        f"Of {plural(asked, 'list')} of each model, with the re-ranker and as the model gives them without it; a difference is paired by person, "
        f"with its {view.confidence} interval."
    )
    caption = "What the re-rankers and rules changed in the lists"
    return el("div", table(columns, body, caption=caption, class_="metrics"), el("p", note, class_="sub"))


def _effect(view: View, metric: str, row: Row | None) -> object:
    if row is None:
        return "–"
    pair = f"{_value(view, metric, row['before'])} → {_value(view, metric, row['after'])}"
    if known(row["difference"]) is None:
        return pair
    places = view.numbers.places.get(metric, 3)
    said = " ".join(filter(None, (signed(row["difference"], places), between(known(row["low"]), known(row["high"]), places))))
    return el("div", pair, el("span", el("span", said, class_=standing(row["verdict"])), class_="remark"))


def _reasons(view: View, models: Sequence[str]) -> Html | None:
    """How often each reason holds; the most frequent of each model."""
    found = rows(view.board.reasons) if has(view.board.reasons, "model", "reason", "places", "lists") else []
    body = []
    for model in models:
        own = sorted((r for r in found if r["model"] == model and r["places"]), key=lambda r: -r["places"])[:REASONS]
        body += [[view.model_cell(model), r["reason"], percent(r["places"], 1), percent(r["lists"], 1)] for r in own]
    columns = [Column("Model", number=False, class_="first"), Column("Reason", number=False), Column("Places"), Column("Lists with one")]
    return table(columns, body, caption="Why places are as they are: how often each reason holds") if body else None


# Lists beside each other


def _people(view: View, models: Sequence[str]) -> Iterator[Html]:
    """The people whose lists changed most, each with the lists before and after."""
    shown = models[:MODELS]
    examples = [e for e in view.board.examples if any(m in e.before for m in shown)]
    examples.sort(key=lambda e: -_moved(e, shown))
    rest = len(models) - len(shown)
    if examples:
        more = f" Those of {plural(rest, 'other model')} are in board.json." if rest else ""
        yield el(
            "p",
            "Each list before, as the model gives it, and after. Struck out is what is in none of them after it; ● marks what the person then took.",
            more,
            class_="sub",
        )
    for example in examples[:PEOPLE]:
        columns = [past(example), *_columns(view, example, shown)]
        head = el("h3", "Person ", name(example.user))
        yield el(
            "article", head, scrolling(el("div", *columns, class_="lists", style=f"--across: {len(columns)}"), f"Lists before and after for person {example.user}"),
            class_="person",
        )  # fmt: skip


def _moved(example: Example, models: Sequence[str]) -> int:
    """How many places of these lists hold another item than before."""
    return sum(rank != at for m in models for at, rank in enumerate(example.ranks.get(m, ()), 1))


def _columns(view: View, example: Example, models: Sequence[str]) -> Iterator[Html]:
    """A list before, once where models share it, and those after."""
    former = None
    for model in (m for m in models if m in example.before):
        if example.before[model] != former:
            former = example.before[model]
            stay = {rank for m in models if example.before.get(m) == former for rank in example.ranks[m]}
            yield el("div", el("h4", "Before"), el("ol", *(_was(place, at in stay) for at, place in enumerate(former, 1))))
        yield el(
            "div", el("h4", view.model_cell(model)), el("ol", *_now(example, model)), data_model=view.place.get(model)
        )  # fmt: skip


def _was(place: tuple[str, bool], stays: bool) -> Html:
    title, hit = place
    said = el("strong", short_title(title)) if hit else short_title(title)
    return el("li", said if stays else el("s", said), el("span", " hit", class_="hidden") if hit else None, class_="hit" if hit else None)


def _now(example: Example, model: str) -> Iterator[Html]:
    reasons = example.reasons.get(model, ())
    depth = len(example.before[model])
    for at, ((title, hit), rank) in enumerate(zip(example.lists[model], example.ranks[model], strict=True), 1):
        came = f"from below {depth}" if rank is None else f"from {rank}" if rank != at else ""
        why = ", ".join(reasons[at - 1]) if at <= len(reasons) else ""
        said = "; ".join(filter(None, (came, why)))
        yield el(
            "li", el("strong", short_title(title)) if hit else short_title(title), el("span", " hit", class_="hidden") if hit else None,
            el("span", said, class_="remark") if said else None, class_="hit" if hit else None,
        )  # fmt: skip
