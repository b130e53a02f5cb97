"""What the sections of the report share: the models in their order, their colours, their numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

import vitrina
from vitrina.base.printing import first_paragraph
from vitrina.board.spread import spans
from vitrina.evaluate.interval import TRUSTED
from vitrina.report.charts import Dot
from vitrina.report.html import Html, el, name
from vitrina.report.words import between, decimals, finite, fixed, half_width

if TYPE_CHECKING:
    from vitrina.board.result import Board, Entry
    from vitrina.metrics import MetricInfo

BEYOND_FIRST = ("Coverage", "ILD", "MIUF", "Gini", "Serendipity", "MeanPopularity", "RepeatShare")
NOTHING = (None, None, None)
LESS = ("quick", "drawn")  # settings that say what a board left out
DOUBT = "\u2009?"  # behind an interval that can't be trusted


class Estimate(NamedTuple):
    """A number, the ends of its interval, people with a hit, mean over people, queries with a value; None where there is none."""

    value: float | None
    low: float | None
    high: float | None
    hits: float | None = None
    by_person: float | None = None
    queries: float | None = None

    @property
    def doubtful(self) -> bool:
        """Whether so few people have a hit that the interval can't be trusted."""
        return self.low is not None and self.hits is not None and self.hits < TRUSTED


@dataclass(frozen=True)
class Numbers:
    """The numbers of a board, by model and metric, each metric with its own decimals."""

    table: pl.DataFrame

    @cached_property
    def estimates(self) -> Mapping[tuple[str, str], Estimate]:
        rows = self.table.iter_rows(named=True)
        return {(r["model"], r["metric"]): Estimate(*(known(r.get(c)) for c in Estimate._fields)) for r in rows}

    def of(self, model: str, metric: str) -> Estimate:
        return self.estimates.get((model, metric), Estimate(*NOTHING))

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Decimals of each metric, the same everywhere on the page."""
        by_metric: dict[str, list[Estimate]] = {}
        for (_, metric), estimate in self.estimates.items():
            by_metric.setdefault(metric, []).append(estimate)
        return {m: decimals([e.value for e in es], [half_width(e.low, e.high) for e in es]) for m, es in by_metric.items()}

    def shown(self, model: str, metric: str) -> str:
        estimate, places = self.of(model, metric), self.places.get(metric, 3)
        return " ".join(filter(None, (fixed(estimate.value, places), self.ends(model, metric))))

    def ends(self, model: str, metric: str) -> str:
        """The interval, marked where it can't be trusted."""
        estimate = self.of(model, metric)
        return between(estimate.low, estimate.high, self.places.get(metric, 3)) + (DOUBT if estimate.doubtful else "")

    @cached_property
    def most_queries(self) -> Mapping[str, float]:
        """By metric the most queries that a model has a value for."""
        counts: dict[str, float] = {}
        for (_, metric), estimate in self.estimates.items():
            counts[metric] = max(counts.get(metric, 0.0), estimate.queries or 0.0)
        return counts

    def share(self, model: str, metric: str) -> float:
        """Of the queries that some model has a value for, the share that this one has a value for."""
        queries, most = self.of(model, metric).queries, self.most_queries.get(metric, 0.0)
        return queries / most if queries is not None and most else 1.0


class MetricGroups(NamedTuple):
    """The metrics that a board has numbers of: the primary one, then accuracy, then the rest, each in the board's order."""

    all: tuple[MetricInfo, ...]
    accuracy: tuple[MetricInfo, ...]
    beyond: tuple[MetricInfo, ...]  # not about hits; those that most people ask for first


@dataclass(frozen=True)
class View:
    """A board as the report reads it."""

    board: Board

    @cached_property
    def numbers(self) -> Numbers:
        return Numbers(self.board.numbers)

    def info(self, metric: str) -> MetricInfo:
        """What a metric of the board says of itself."""
        return {m.name: m for m in self.board.metrics}[metric]

    @cached_property
    def primary(self) -> MetricInfo:
        return self.info(self.board.primary)

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Models that have an answer, best first by the primary metric."""
        fine = [e.name for e in self.board.entries if e.status == "ok"]
        sign = 1 if self.primary.lower_is_better else -1
        return tuple(sorted(fine, key=lambda m: _sortable(self.numbers.of(m, self.board.primary).value, sign)))

    @cached_property
    def failed(self) -> tuple[Entry, ...]:
        return tuple(e for e in self.board.entries if e.status != "ok")

    @cached_property
    def leader(self) -> str | None:
        first = self.models[0] if self.models else None
        return first if first and self.numbers.of(first, self.board.primary).value is not None else None

    @cached_property
    def place(self) -> Mapping[str, int]:
        """One number per model, by which the page marks everything that belongs to it."""
        return {e.name: at for at, e in enumerate(self.board.entries)}

    @property
    def of_latest(self) -> Html | None:
        """What stands above what depends on one training part; None for a single split with single fits."""
        folds, fits = len(spans(self.board.folds)), max((e.fits for e in self.board.entries), default=1)
        of = [f"of the latest of {folds} folds"] if folds else []
        of += ["of the first fit of each model"] if fits > 1 else []
        return el("p", "This part is ", " and ".join(of), ".", class_="sub") if of else None

    def colour(self, model: str) -> str:
        """The accent for the leader, ink for the baseline and for what people took, grey for the rest."""
        if model == self.leader:
            return "lead"
        return "base" if model in (self.board.baseline, "taken") else "other"

    @cached_property
    def metrics(self) -> MetricGroups:
        infos = [self.info(m) for m in self.board.numbers["metric"].unique(maintain_order=True)]
        infos.sort(key=lambda m: (m != self.primary, not m.about_hits))
        rest = [m for m in infos if m != self.primary and not m.about_hits]
        rest.sort(key=lambda m: next((at for at, label in enumerate(BEYOND_FIRST) if m.name.startswith(label)), len(BEYOND_FIRST)))
        return MetricGroups(tuple(infos), tuple(m for m in infos if m not in rest), tuple(rest))

    @cached_property
    def verdicts(self) -> Mapping[str, dict[str, Any]]:
        """The comparison with the baseline on the primary metric, by model."""
        if not has(self.board.comparisons, "model", "metric", "difference", "verdict"):
            return {}
        return {r["model"]: r for r in rows(self.board.comparisons, metric=self.board.primary)}

    @cached_property
    def leads(self) -> list[dict[str, Any]]:
        """Each model against the best one of a group."""
        return rows(self.board.leads) if has(self.board.leads, "slice", "group", "leader", "model", "p_adjusted") else []

    @property
    def by_person(self) -> bool:
        """Whether the mean over people is another number than the mean over queries."""
        asked = self.board.asked
        return asked is not None and asked.people < asked.queries

    @cached_property
    def doubtful(self) -> bool:
        """Whether some interval can't be trusted."""
        return any(estimate.doubtful for estimate in self.numbers.estimates.values())

    @cached_property
    def partly(self) -> bool:
        """Whether some value is a mean over fewer queries than another model's."""
        return any(self.numbers.share(m, metric.name) < 1 for m in self.models for metric in self.metrics.all)

    def dot(self, model: str, metric: str) -> Dot:
        detail = f"{model}: {metric} {self.numbers.shown(model, metric)}"
        value, low, high, *_ = self.numbers.of(model, metric)
        return Dot(model, value, low, high, self.colour(model), detail, self.place.get(model))

    def model_cell(self, model: str) -> Html:
        """A model's name in its colour, for the first column of a table."""
        return el("span", name(model), class_=f"model {self.colour(model)}", data_model=self.place.get(model))

    @cached_property
    def confidence(self) -> str:
        return f"{100 * self.board.settings.get('confidence', 0.95):g}%"

    @property
    def alpha(self) -> float:
        """At which a p that is corrected makes a verdict."""
        return 1 - self.board.settings.get("confidence", 0.95)


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


# Words


def gloss(metric: MetricInfo) -> str:
    """A metric in a few plain words, without a full stop."""
    return metric.in_words or (metric.definition[:1].lower() + metric.definition[1:]).rstrip(".")


def model_gloss(cls: str) -> str:
    """What a model of Vitrina's does, by the name of its class; nothing for one of the comparison's author."""
    model = getattr(vitrina, cls, None)
    text = first_paragraph(model).partition(". ")[0].rstrip(".") if isinstance(model, type) else ""
    return text[:1].lower() + text[1:]


def sign_of_minus(text: str) -> str:
    """Hyphens before numbers become minus signs."""
    return re.sub(r"(?<![\w.])-(?=\d)", "−", text)
