"""Section 6: whom a model helps and whom it harms against the baseline: people, the tenth who lose most, and groups."""

from __future__ import annotations

from typing import Any

from vitrina.board.sections.view import View, has, known, rows, sign_of_minus
from vitrina.board.verdict import standing
from vitrina.report.charts import Dot, dots
from vitrina.report.html import Column, Html, el, figure, section, sentence, table
from vitrina.report.words import between, count, decimals, half_width, listed, percent, plural, signed

TITLE = "Who is helped and who is harmed"
Row = dict[str, Any]


def helped(view: View) -> Html:
    """Shares of people per model, and the groups of the best one."""
    compared = {m: view.verdicts[m] for m in view.models if known(view.verdicts.get(m, {}).get("helped")) is not None}
    if not compared:
        return section("helped", TITLE, sentence("No model was compared with a baseline person by person."))
    first = next(iter(compared))
    return section(
        "helped", TITLE, el("p", _said(view, first, compared[first]), class_="finding"), _people(view, compared), _groups(view, first)
    )


def _said(view: View, model: str, row: Row) -> str:
    same = 1 - row["helped"] - row["harmed"]
    return (
        f"{model} is better than {view.board.baseline} for {percent(row['helped'])} of {plural(row['people'], 'person', 'people')}, worse for "
        f"{percent(row['harmed'])} and the same for {percent(max(same, 0.0))}."
    )


def _people(view: View, compared: dict[str, Row]) -> Html:
    places = decimals([known(r["worst"]) for r in compared.values()])
    columns = [
        Column("Model", number=False, class_="first"), Column("Better for"), Column("Worse for"), Column("The same for"),
        Column("The tenth who lose most", hint="mean difference of these people"), Column("People", hint="with a value for both models"),
    ]  # fmt: skip
    body = [
        [
            view.model_cell(m), percent(r["helped"], 1), percent(r["harmed"], 1), percent(max(1 - r["helped"] - r["harmed"], 0.0), 1),
            signed(known(r["worst"]), places), count(r["people"]),
        ]
        for m, r in compared.items()
    ]  # fmt: skip
    note = (
        f"Shares of people whose own mean of {view.board.primary} rises, falls or stays against {view.board.baseline}. What a person takes next is partly chance, "
        "so some fall under any change: groups with intervals are below."
    )
    return el("div", table(columns, body, caption=f"People against {view.board.baseline}"), el("p", note, class_="sub"))


def _groups(view: View, model: str) -> Html | None:
    """The groups of one model with intervals that hold for all of them together."""
    if not has(view.board.groups, "model", "slice", "group", "difference", "low", "high", "verdict"):
        return None
    found = [r for r in rows(view.board.groups, model=model) if known(r["difference"]) is not None]
    if not found:
        return None
    places = decimals([known(r["difference"]) for r in found], [half_width(known(r["low"]), known(r["high"])) for r in found])
    drawn = [_dot(r, places) for r in found]
    described = f"{view.board.primary} of {model} minus that of {view.board.baseline} by group. " + "; ".join(d.detail for d in drawn) + "."
    columns = [Column("Group", number=False), *map(Column, ("Difference", "Interval", "People", "Better for", "Worse for"))]
    body = [
        [_label(r), signed(known(r["difference"]), places), between(known(r["low"]), known(r["high"]), places) or "–", count(r["people"]),
         percent(r["helped"], 1), percent(r["harmed"], 1)]
        for r in found
    ]  # fmt: skip
    note = f"{view.board.primary} of {model} minus that of {view.board.baseline}; {view.confidence} intervals that hold for all groups together"
    data = table(columns, body, caption=f"{model} against {view.board.baseline} by group")
    return figure("groups", _title(view, model, found), dots(drawn, description=described, marker=0.0), data, note=note)


def _label(row: Row) -> str:
    return f"{row['slice']}: {row['group']}"


def _dot(row: Row, places: int) -> Dot:
    low, high = known(row["low"]), known(row["high"])
    detail = f"{_label(row)}: {signed(known(row['difference']), places)} {between(low, high, places)}, {sign_of_minus(row['verdict'])}"
    return Dot(_label(row), known(row["difference"]), low, high, standing(row["verdict"]), detail)


def _title(view: View, model: str, found: list[Row]) -> str:
    kinds = [standing(r["verdict"]) for r in found]
    better, worse = kinds.count("better"), [r for r, kind in zip(found, kinds, strict=True) if kind == "worse"]
    said = f"{model} is measurably better than {view.board.baseline} in {better or 'none'} of {plural(len(found), 'group')}"
    return f"{said}, worse in {listed([f'“{_label(r)}”' for r in worse])}" if worse else f"{said}, worse in none"
