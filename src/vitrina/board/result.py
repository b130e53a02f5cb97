"""What a comparison found: small immutable tables that the terminal, the report and JSON all read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
from rich.console import RenderableType

from vitrina.base.errors import UnknownNameError
from vitrina.base.files import atomic_file, write_text
from vitrina.base.printing import as_text
from vitrina.base.showing import html_of
from vitrina.board.asked import Asked

if TYPE_CHECKING:
    from vitrina.data.inspect import Inspection
    from vitrina.data.split import Protocol, SplitSummary
    from vitrina.evaluate.quality import Quality
    from vitrina.metrics import MetricInfo

Status = Literal["ok", "failed", "out of memory"]
Chosen = Literal["named", "validation", "test"]
MEANING = 160  # letters of a model's call beside its name
TABLES = (
    "numbers",
    "comparisons",
    "against_winner",
    "slices",
    "pareto",
    "popularity",
    "coverage",
    "trials",
    "folds",
    "fits",
    "spreads",
    "groups",
    "leads",
    "earnings",
    "sources",
    "moves",
    "effects",
    "reasons",
)


@dataclass(frozen=True)
class Entry:
    """One model on the board, whatever became of it."""

    name: str
    config: Mapping[str, Any]  # plain values of the winner of its tuning
    status: Status = "ok"
    error: str = ""  # one sentence, when not ok
    baseline: bool = False  # added by Vitrina so that a strong baseline is always there
    fit_seconds: float = float("nan")
    answer_seconds: float = float("nan")
    peak_bytes: int = 0  # of the model's own process
    fallback_share: float = 0.0  # of places that popularity filled
    answered: float = float("nan")  # share of the queries whose list holds something
    people_answered: float = float("nan")  # share of the people who have such a list
    trials: int = 1  # configurations tried on validation; one that is fixed is not tuned
    tuning_seconds: float = 0.0  # of fitting and answering that the trials took
    fits: int = 1  # with seeds of their own; values are the means over them
    cached: bool = False
    notes: tuple[str, ...] = ()  # what the model says of itself: "20,000 most frequent of 41,000 items"
    marks: tuple[str, ...] = ()  # what must stand beside its numbers wherever they do: "sees the target's time"
    call: str = ""  # how the model is written: "TopPersonal(decay=Exponential(days=30.0))"

    @property
    def marked(self) -> str:
        """The name, with the marks of the row."""
        return f"{self.name} ({'; '.join(self.marks)})" if self.marks else self.name

    @property
    def effort(self) -> str:
        """What tuning it took: "fixed", or the trials and their seconds."""
        return "fixed" if self.trials <= 1 else f"{self.trials} trials, {self.tuning_seconds:,.0f} s"

    @property
    def meaning(self) -> str:
        """What a name stands for, where it doesn't say so itself; long calls are cut."""
        if self.call in ("", self.name, f"{self.name}()"):
            return ""
        return self.call if len(self.call) <= MEANING else f"{self.call[:MEANING].rstrip(' ,(')}…"


@dataclass(frozen=True)
class Example:
    """One person: titles of the history, and each model's list with the hits marked.

    Of a search there is also the text that was typed. Of some models there is more: of those that were ranked again their list before that and the rank there of each place (None is further down
    than the list went); the reasons and the source of each place.
    """

    user: str
    history: tuple[str, ...]  # oldest first, the last dozen
    truth: tuple[str, ...]
    lists: Mapping[str, tuple[tuple[str, bool], ...]]  # model -> (title, is a hit), best first
    before: Mapping[str, tuple[tuple[str, bool], ...]] = field(default_factory=dict)
    ranks: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)  # from 1
    reasons: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)  # model -> names of reasons, a place each
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True)
class Board:
    """A finished comparison on one split, or on folds of it in time. Entries are in the order of the primary metric, models without lists last.

    Tables (Polars), `model` is Entry.name and `metric` a name like "nDCG@10":
        numbers: model, metric, value, low, high (null where a metric has no interval), people, hits, by_person: see evaluate.Evaluation
        comparisons: metric, baseline and the columns of evaluate.compare_paired
        slices: model, slice, group, order, metric, value, low, high, queries, people, hits
        pareto: model, x (the primary metric), y (beyond accuracy), on_front, x_metric, y_metric
        popularity: model (also "taken" for the truth), bucket, order, share: how popular the recommended items are
        coverage: model, rank, share: cumulative share of places by the most recommended items
        trials: model, fold, trial, config (JSON), metric, value (null for a failed one)
        per_query: model, query, user, one column per metric that has a value per query
        against_winner: like comparisons, of each model with the best one on the primary metric
        folds: model, fold (1 is the oldest), from, to (of the questions), queries, value of the primary metric: a row even of a single fold
        groups: model, slice, group, order, queries and the columns of evaluate.compare_paired: each model with the baseline in each group of
            queries, on the primary metric; intervals and verdicts hold for all groups of a model together
        leads: of evaluate.leads_within: the best model of each group against each other one; verdicts hold for all groups together
        earnings: like comparisons, of each model with the one that earns most, on metrics in the unit of the log's values
        fits: model, fit, value of the primary metric over all folds: of the models that were fitted with several seeds
        spreads: model, metric, fits, variance (of the means of these fits), of_people (the part of it that is the doubt of who was asked)
        sources: model, source, places, hits: shares of the places and of the hits by source, of the models that name sources
        moves: model, lists, changed, entered, moved: what a re-ranker did to the first k places. Shares: of the lists those that it changed,
            of the places those with an item from further down, and those with an item from another rank
        effects: model, metric, before, after, difference, low, high, verdict: each metric without and with the re-ranker, on the same queries
        reasons: model, reason, places, lists: shares of the places and lists for which a reason holds

    `tables` are what the models know about themselves, by model and name: of two stages what each source is worth, of features what they weigh.

    With several folds a value is the mean over the queries of all of them, and that of a metric of the whole table (Coverage) the mean
    over folds. What depends on one training part is of the latest fold and the first fit: split, inspection, popularity, coverage, sources, moves,
    reasons, tables, examples.
    """

    title: str
    primary: str  # the metric that decides
    baseline: str  # the model that all are compared with
    entries: tuple[Entry, ...]
    inspection: Inspection | None  # of the log; a board made by hand may come without
    split: SplitSummary | None
    metrics: tuple[MetricInfo, ...]  # what each metric says of itself: depth, direction, needs, definition
    numbers: pl.DataFrame
    comparisons: pl.DataFrame
    slices: pl.DataFrame
    pareto: pl.DataFrame
    popularity: pl.DataFrame
    coverage: pl.DataFrame
    trials: pl.DataFrame
    per_query: pl.DataFrame
    examples: tuple[Example, ...] = ()
    headline: tuple[str, ...] = ()  # three or four sentences
    settings: Mapping[str, Any] = field(default_factory=dict)  # seed, k, versions, machine, budget, fingerprints, command
    against_winner: pl.DataFrame = field(default_factory=pl.DataFrame)
    chosen: Chosen = "named"  # how the baseline was found: named before the run, by its value on validation, or on the test part
    folds: pl.DataFrame = field(default_factory=pl.DataFrame)
    fits: pl.DataFrame = field(default_factory=pl.DataFrame)
    spreads: pl.DataFrame = field(default_factory=pl.DataFrame)
    matters: float | None = None  # the smallest difference of the primary metric that matters
    asked: Asked | None = None
    protocol: Protocol | None = None  # how the numbers came about, of the latest fold
    groups: pl.DataFrame = field(default_factory=pl.DataFrame)
    leads: pl.DataFrame = field(default_factory=pl.DataFrame)
    earnings: pl.DataFrame = field(default_factory=pl.DataFrame)
    sources: pl.DataFrame = field(default_factory=pl.DataFrame)
    moves: pl.DataFrame = field(default_factory=pl.DataFrame)
    effects: pl.DataFrame = field(default_factory=pl.DataFrame)
    reasons: pl.DataFrame = field(default_factory=pl.DataFrame)
    tables: Mapping[str, Mapping[str, pl.DataFrame]] = field(default_factory=dict)

    def entry(self, name: str) -> Entry:
        """The entry of that name.

        Raises:
            UnknownNameError: no model has it.
        """
        entry = next((e for e in self.entries if e.name == name), None)
        if entry is None:
            raise UnknownNameError.of("model on the board", name, [e.name for e in self.entries])
        return entry

    def quality(self, *, tau: float = 0.8, share: float = 0.9, confidence: float = 0.9) -> Quality:
        """Whether this comparison can be believed: by which metric, over which folds and seeds, and with how many people.

        Nothing is fitted: what the board doesn't hold (seeds, folds, other rules, parts of the log) is said to be unknown, and
        `vitrina compare --quality` or `vitrina.board.examine.examine` finds it out.

        Args:
            tau: the order of models is right where Kendall's tau with the true one is this or more.
            share: of comparisons in which it has to be right, to be called stable.
            confidence: of the intervals.

        Raises:
            ParameterError: fewer than two models have answers.

        Cost: a second per metric.
        """
        from vitrina.board.quality import quality  # noqa: PLC0415  what gathers from a board needs what it is

        return quality(self, tau=tau, share=share, confidence=confidence)

    def _repr_html_(self) -> str:
        return html_of(self)

    def __rich__(self) -> RenderableType:
        from vitrina.board.show import PrintedBoard  # noqa: PLC0415  how it looks needs what it is

        return PrintedBoard(self)

    def __str__(self) -> str:
        return as_text(self)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the values of single queries, in plain values."""
        plain = {n: getattr(self, n) for n in ("title", "primary", "baseline", "chosen", "matters", "headline", "settings")}
        records: dict[str, Any] = {n: getattr(self, n).to_dicts() for n in TABLES}
        records["tables"] = {model: {n: table.to_dicts() for n, table in own.items()} for model, own in self.tables.items()}
        people = [asdict(e) for e in self.examples]
        plain["asked"] = self.asked and self.asked._asdict()
        plain["protocol"] = self.protocol and asdict(self.protocol) | {"line": self.protocol.line}
        data = {"inspection": self.inspection and self.inspection.to_dict(), "split": self.split and self.split.to_dict()}
        records["metrics"] = [m.to_dict() for m in self.metrics]
        return _plain(plain | {"entries": [asdict(e) for e in self.entries], "examples": people} | data | records)

    def save(self, folder: str | Path) -> Path:
        """Write report.html, board.json and per_query.parquet; each is whole or the old one stays. Returns the report's path.

        The values of single queries are float64, one row per model and query.
        """
        from vitrina.board.sections import render  # noqa: PLC0415  only who saves needs the report

        folder = Path(folder)
        report = folder / "report.html"
        with atomic_file(folder / "per_query.parquet") as path:
            self.per_query.write_parquet(path)
        write_text(folder / "board.json", json.dumps(self.to_dict(), ensure_ascii=False, indent=1, default=str))
        write_text(report, render(self))
        return report


def _plain(value: Any) -> Any:
    """JSON has no NaN: what is not a number becomes null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not (abs(value) < float("inf")) else value
