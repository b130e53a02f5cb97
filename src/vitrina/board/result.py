"""What a comparison found: small immutable tables that the terminal, the report and JSON all read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl


@dataclass(frozen=True)
class Entry:
    """One model on the board, whatever became of it."""

    name: str
    config: Mapping[str, Any]  # to_plain(model) of the winner of its tuning
    status: Literal["ok", "failed", "out of memory"] = "ok"
    error: str = ""  # one sentence, when not ok
    baseline: bool = False  # added by Vitrina so that a strong baseline is always there
    fit_seconds: float = float("nan")
    answer_seconds: float = float("nan")
    peak_bytes: int = 0  # of the model's own process
    fallback_share: float = 0.0  # of places that popularity filled
    trials: int = 1  # configurations tried on validation
    cached: bool = False
    notes: tuple[str, ...] = ()  # what the model says of itself: "20,000 most frequent of 41,000 items"


@dataclass(frozen=True)
class Example:
    """One person: titles of the history, and each model's list with the hits marked."""

    user: str
    history: tuple[str, ...]  # oldest first, the last dozen
    truth: tuple[str, ...]
    lists: Mapping[str, tuple[tuple[str, bool], ...]]  # model -> (title, is a hit), best first


@dataclass(frozen=True)
class Board:
    """A finished comparison on one split.

    Tables (Polars), `model` is Entry.name and `metric` a name like "nDCG@10":
        numbers: model, metric, value, low, high (null where a metric has no interval)
        comparisons: model, metric, baseline, difference, low, high, p, p_holm, detectable, verdict
        slices: model, slice, group, order, metric, value, low, high, queries
        pareto: model, x (accuracy), y (beyond), on_front
        popularity: model (also "taken" for the truth), bucket, order, share: how popular the recommended items are
        coverage: model, rank, share: cumulative share of places by the most recommended items
        trials: model, trial, config (JSON), metric, value
        per_query: model, query, user, one column a per-query metric
    """

    title: str
    primary: str  # the metric that verdicts and Holm's correction speak of
    baseline: str  # the model that all are compared with
    entries: tuple[Entry, ...]
    inspection: Any  # data.inspect.Inspection
    split: Any  # data.split.SplitSummary
    numbers: pl.DataFrame
    comparisons: pl.DataFrame
    slices: pl.DataFrame
    pareto: pl.DataFrame
    popularity: pl.DataFrame
    coverage: pl.DataFrame
    trials: pl.DataFrame
    per_query: pl.DataFrame
    examples: tuple[Example, ...] = ()
    headline: tuple[str, ...] = ()  # the three sentences
    settings: Mapping[str, Any] = field(default_factory=dict)  # seed, k, versions, machine, budget, fingerprints, command

    def entry(self, name: str) -> Entry:
        return next(e for e in self.entries if e.name == name)
