"""In section 3: each model's difference from the baseline, how sure it is, and how many people would say more."""

from __future__ import annotations

from typing import Any

from vitrina.board.sections.view import View, known, sign_of_minus
from vitrina.board.verdict import more_people, standing, wished
from vitrina.report.charts import Dot, dots
from vitrina.report.html import Column, Html, el, figure, join, table
from vitrina.report.words import about, between, count, decimals, fixed, half_width, plural, signed

Row = dict[str, Any]  # of Board.comparisons


def differences(view: View) -> Html | None:
    """The plot with its numbers; nothing where no difference is known."""
    compared = {m: r for m, r in view.verdicts.items() if known(r["difference"]) is not None}
    order = [m for m in view.models if m in compared]
    if not order:
        return None
    places = decimals([known(compared[m]["difference"]) for m in order], [half_width(*_ends(compared[m])) for m in order])
    drawn = [_dot(view, m, compared[m], places) for m in order]
    metric, baseline = view.board.primary, view.board.baseline
    described = f"{metric} of each model minus that of {baseline}, with intervals. " + "; ".join(d.detail for d in drawn) + "."
    plot = figure(
        "differences", _title(view, compared, order), dots(drawn, description=described, marker=0.0), _table(view, compared, order, places),
        note=f"{metric} minus that of {baseline}, with {view.confidence} intervals that hold together",
    )  # fmt: skip
    return join((plot, _power(view, compared, order)))


def _ends(row: Row) -> tuple[float | None, float | None]:
    return known(row.get("low")), known(row.get("high"))


def _dot(view: View, model: str, row: Row, places: int) -> Dot:
    low, high = _ends(row)
    detail = f"{model}: {signed(known(row['difference']), places)} {between(low, high, places)}, {sign_of_minus(row['verdict'] or '')}"
    return Dot(model, known(row["difference"]), low, high, standing(row["verdict"]), detail.rstrip(", "), view.place.get(model))


def _table(view: View, compared: dict[str, Row], order: list[str], places: int) -> Html:
    columns = [
        Column("Model", number=False),
        *map(Column, ("Difference", "Interval", "p", "p, corrected", "Would be seen", "People", "Differ")),
    ]
    body = [[view.model_cell(m), *_cells(compared[m], places)] for m in order]
    return table(columns, body, caption=f"Difference in {view.board.primary} from {view.board.baseline}")


def _cells(row: Row, places: int) -> list[object]:
    counts = [count(known(row.get(name))) for name in ("people", "differ")]
    shares = [_p(known(row.get("p"))), _p(known(row.get("p_adjusted", row.get("p_holm")))), fixed(known(row.get("detectable")), places)]
    return [signed(known(row["difference"]), places), between(*_ends(row), places) or "–", *shares, *counts]


def _p(value: float | None) -> str:
    return "<0.0001" if value is not None and value < 0.0001 else fixed(value, 4)


def _power(view: View, compared: dict[str, Row], order: list[str]) -> Html | None:
    """How many people it takes to see what one would want to see, for the models that couldn't be told from the baseline."""
    wish = wished(view.board.matters, view.numbers.of(view.board.baseline, view.board.primary).value)
    needed = {m: n for m in order if (n := more_people(compared[m], wish)) is not None}
    if not needed or wish is None:
        return None
    what = "the smallest difference that matters" if view.board.matters else f"a twentieth of {view.board.baseline}"
    each = "; ".join(f"{m} {about(n)}" for m, n in needed.items())
    asked = plural(max(compared[m]["people"] for m in needed), "person", "people")
    return el(
        "p", f"To see {about(wish)} ({what}) in four runs of five it takes about so many people: {each}. Asked were {asked}.", class_="sub"
    )


def _title(view: View, compared: dict[str, Row], order: list[str]) -> str:
    baseline, better = view.board.baseline, [m for m in order if standing(compared[m]["verdict"]) == "better"]
    if better:
        by = sign_of_minus(compared[better[0]]["verdict"]).removeprefix("better ")
        return f"{better[0]} is better than {baseline} {by}"
    if all(standing(compared[m]["verdict"]) == "worse" for m in order):
        return f"Every model is worse than {baseline}"
    if all(standing(compared[m]["verdict"]) in ("worse", "equal") for m in order):
        return f"Every model is worse than {baseline} or about equal to it"
    return f"No model can be shown to be better than {baseline}"
