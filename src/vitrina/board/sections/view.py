"""What the sections of the report share: the models in their order, their colours, their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

import vitrina
from vitrina.base.errors import UnknownNameError
from vitrina.metrics import names as metric_names
from vitrina.report.charts import Dot
from vitrina.report.html import Html, el, name
from vitrina.report.words import between, decimals, finite, fixed, half_width

if TYPE_CHECKING:
    from vitrina.board.result import Board, Entry

BEYOND_FIRST = ("Coverage", "ILD", "MIUF", "Gini", "Serendipity", "MeanPopularity", "RepeatShare")
NOTHING = (None, None, None)


class Estimate(NamedTuple):
    """A number and the ends of its interval; None where there is none."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class View:
    """A board as the report reads it."""

    board: Board

    @cached_property
    def estimates(self) -> Mapping[tuple[str, str], Estimate]:
        rows = self.board.numbers.iter_rows(named=True)
        return {(r["model"], r["metric"]): Estimate(*(known(r[c]) for c in ("value", "low", "high"))) for r in rows}

    def number(self, model: str, metric: str) -> Estimate:
        return self.estimates.get((model, metric), Estimate(*NOTHING))

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Models that have an answer, best first by the primary metric."""
        fine = [e.name for e in self.board.entries if e.status == "ok"]
        sign = 1 if lower_is_better(self.board.primary) else -1
        return tuple(sorted(fine, key=lambda m: _sortable(self.number(m, self.board.primary).value, sign)))

    @cached_property
    def failed(self) -> tuple[Entry, ...]:
        return tuple(e for e in self.board.entries if e.status != "ok")

    @cached_property
    def leader(self) -> str | None:
        first = self.models[0] if self.models else None
        return first if first and self.number(first, self.board.primary).value is not None else None

    @cached_property
    def place(self) -> Mapping[str, int]:
        """One number a model, by which the page marks everything that belongs to it."""
        return {e.name: at for at, e in enumerate(self.board.entries)}

    def colour(self, model: str) -> str:
        """The accent for the leader, ink for the baseline and for what people took, grey for the rest."""
        if model == self.leader:
            return "lead"
        return "base" if model in (self.board.baseline, "taken") else "other"

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The primary metric, then accuracy, then the rest, each in the board's order."""
        found = list(dict.fromkeys(self.board.numbers["metric"].to_list()))
        return tuple(sorted(found, key=lambda m: (m != self.board.primary, not is_accuracy(m))))

    @cached_property
    def accuracy(self) -> tuple[str, ...]:
        return tuple(m for m in self.metrics if m == self.board.primary or is_accuracy(m))

    @cached_property
    def beyond(self) -> tuple[str, ...]:
        """Metrics that are not about hits; those that most people ask for first."""
        rest = [m for m in self.metrics if m not in self.accuracy]
        return tuple(sorted(rest, key=lambda m: next((i for i, b in enumerate(BEYOND_FIRST) if m.startswith(b)), len(BEYOND_FIRST))))

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Decimals of each metric, the same everywhere on the page."""
        return {m: self._decimals(m) for m in self.metrics}

    def _decimals(self, metric: str) -> int:
        found = [e for (_, named), e in self.estimates.items() if named == metric]
        return decimals([e.value for e in found], [half_width(e.low, e.high) for e in found])

    def shown(self, model: str, metric: str) -> str:
        found, places = self.number(model, metric), self.places.get(metric, 3)
        return " ".join(filter(None, (fixed(found.value, places), between(found.low, found.high, places))))

    def dot(self, model: str, metric: str) -> Dot:
        found = self.number(model, metric)
        detail = f"{model}: {metric} {self.shown(model, metric)}"
        return Dot(model, *found, self.colour(model), detail, self.place.get(model))

    def model_cell(self, model: str) -> Html:
        """A model's name in its colour, for the first column of a table."""
        return el("span", name(model), class_=f"model {self.colour(model)}", data_model=self.place.get(model))

    @cached_property
    def confidence(self) -> str:
        share = self.board.settings.get("confidence", 0.95)
        return f"{100 * share:g}%"


def known(value: Any) -> float | None:
    """A finite number, or None."""
    return float(value) if value is not None and finite(value) else None


def _sortable(value: float | None, sign: int) -> tuple[bool, float]:
    return (True, 0.0) if value is None else (False, sign * value)


def has(frame: pl.DataFrame, *columns: str) -> bool:
    """Whether a table has these columns and at least one row."""
    return frame.height > 0 and set(columns) <= set(frame.columns)


def rows(frame: pl.DataFrame, **equal: Any) -> list[dict[str, Any]]:
    """The rows of a table where the named columns have these values."""
    for column, value in equal.items():
        frame = frame.filter(pl.col(column) == value)
    return frame.to_dicts()


def distinct(values: Iterable[Any]) -> list[Any]:
    """Values in order of first appearance."""
    return list(dict.fromkeys(values))


# Metrics by name


def _metric(metric: str) -> Any:
    try:
        return metric_names.metric(metric)
    except UnknownNameError:
        return None


def is_accuracy(metric: str) -> bool:
    """Whether a metric is about hits; one that Vitrina doesn't know is not."""
    found = _metric(metric)
    return found is not None and getattr(type(found), "label", "") not in metric_names.BEYOND


def lower_is_better(metric: str) -> bool:
    """Whether less of it is better."""
    return bool(getattr(_metric(metric), "lower_is_better", False))


GLOSS = {  # a metric in a few plain words; `definition` is exact
    "nDCG": "how high in the list stands what the person then took, from 0 (nowhere) to 1 (all of it on top)",
    "Recall": "share of what the person then took that the list holds",
    "Precision": "share of the list that the person then took",
    "HitRate": "share of the lists with at least one thing that the person then took",
    "MAP": "mean precision at the places of the hits",
    "MRR": "one over the place of the first hit",
    "Coverage": "share of all items that anybody was shown",
    "ILD": "intra-list diversity, how unlike each other the items of a list are, from 0 (all alike)",
    "MIUF": "mean inverse user frequency, how rare the shown items are, in bits: 0 for what everybody has, and one more for each halving of the people who have it",
    "Gini": "how unevenly the places are shared among the items, from 0 (all are shown alike) to 1 (a few take all)",
    "Serendipity": "hits that the order of popularity alone would have placed lower",
    "MeanPopularity": "how many of the people had taken the shown items, as a mean share",
    "RepeatShare": "share of the places that hold what the person had before",
}


def gloss(metric: str) -> str | None:
    """A metric in a few plain words, without a full stop; None for a metric of the comparison's author."""
    part, _, named = metric.rpartition(" ")
    known = GLOSS.get(named.partition("@")[0])
    if known is None:
        return None
    asked = {"repeat": ", asked of what the person had taken before", "explore": ", asked of what was new to the person"}
    return known + asked.get(part, f" ({part})" if part else "")


def model_gloss(cls: str) -> str:
    """What a model of Vitrina's does, by the name of its class; nothing for one of the comparison's author."""
    found = getattr(vitrina, cls, None)
    text = _first_paragraph_of(found).partition(". ")[0].rstrip(".") if isinstance(found, type) else ""
    return text[:1].lower() + text[1:]


def definition(metric: str) -> str | None:
    """The first paragraph of the metric's own documentation, without links."""
    found = _metric(metric)
    if found is None:
        return None
    part = getattr(found, "part", None)
    own = _first_paragraph(getattr(found, "metric", found))
    return own if part is None else f"{own} Asked of one part only: {_first_paragraph(part)}"


def _first_paragraph(thing: object) -> str:
    return _first_paragraph_of(type(thing))


def _first_paragraph_of(cls: type) -> str:
    text = (cls.__doc__ or "").strip().split("\n\n")[0]
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(text.split()))


# Verdicts


def standing(verdict: str | None) -> str:
    """The colour of a verdict: better, worse, or unsure (grey)."""
    word = (verdict or "").split(" ", 1)[0]
    return word if word in ("better", "worse") else "unsure"


def sign_of_minus(text: str) -> str:
    """Hyphens before numbers become minus signs."""
    return re.sub(r"(?<![\w.])-(?=\d)", "−", text)
