"""A part of section 3: the primary metric fold by fold and fit by fit, with its spread."""

from __future__ import annotations

from collections.abc import Sequence

from vitrina.board.sections.view import View
from vitrina.board.spread import Spread, spans, spreads
from vitrina.report.html import Column, Html, el, join, table
from vitrina.report.words import fixed


def over_time(view: View) -> Html | None:
    """The value of each model in each fold; None for a single split."""
    asked, found = spans(view.board.folds), spreads(view.board.folds)
    if not asked or not found:
        return None
    title = f"{view.board.primary} in each of {len(asked)} folds"
    note = (
        "Every model was fitted in each; verdicts speak of the questions of all. Spread over folds is change over time and chance together."
    )
    return _shown(view, title, [Column(f"Fold {n}", hint=span) for n, span in enumerate(asked, 1)], found, _dates(asked), note)


def over_seeds(view: View) -> Html | None:
    """The value of each fit of the models that have a seed; None where each was fitted once."""
    found = spreads(view.board.fits)
    if not found:
        return None
    note = (
        "Fits of a model differ by their seed alone; its value is their mean, and what the seed changes is in its intervals and verdicts."
    )
    most = max(len(s.values) for s in found)
    return _shown(view, f"{view.board.primary} of each fit", [Column(f"Fit {n}") for n in range(1, most + 1)], found, None, note)


def _dates(asked: Sequence[str]) -> Html:
    return el("p", "The questions of ", "; ".join(f"fold {n}: {span}" for n, span in enumerate(asked, 1)), ".", class_="sub")


def _shown(view: View, title: str, columns: Sequence[Column], found: Sequence[Spread], dates: Html | None, note: str) -> Html:
    places = view.numbers.places.get(view.board.primary, 3) + 1
    head = [Column("Model", number=False, class_="first"), *columns, Column("Least to most", number=False), Column("Standard deviation")]
    body = [
        [
            view.model_cell(s.model), *(fixed(v, places) for v in s.values), *("" for _ in range(len(columns) - len(s.values))),
            f"{fixed(min(s.known), places)} to {fixed(max(s.known), places)}" if s.known else "", fixed(s.deviation, places),
        ]
        for s in found
    ]  # fmt: skip
    return join((el("h3", title), table(head, body, caption=title), dates, el("p", note, class_="sub")))
