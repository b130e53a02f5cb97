"""One contender, from its config to its lists: tuned where it is a search, then fitted and asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from threading import Event
from typing import Any

import polars as pl

from vitrina.base.config import fingerprint, to_plain
from vitrina.board.budget import Budget
from vitrina.board.edges import edge_notes
from vitrina.board.result import Entry
from vitrina.board.ruled import under
from vitrina.board.seeds import with_seeds
from vitrina.board.tune import Search
from vitrina.jobs.answers import Before
from vitrina.jobs.run import FitResult, Workplace, fit_and_answer, run_trials
from vitrina.jobs.specs import to_spec, written
from vitrina.protocols import Metric
from vitrina.rerank.rules.ruled import Rules
from vitrina.types import Recommendations

Answers = Sequence[Sequence[Recommendations]]  # [fold][fit]
MEASURED = ("fit_seconds", "answer_seconds", "peak_bytes", "fallback_share", "answered", "people_answered")


@dataclass(frozen=True)
class Contender:
    """A model that takes part: a config, or a search over configs.

    Args:
        name: on the board.
        model: the config or the search.
        baseline: Vitrina put it there.
        candidate: it may be chosen as what all are compared with, so that a fixed config gets a value on validation too.
    """

    name: str
    model: Any
    baseline: bool = False
    candidate: bool = False

    @property
    def tuned(self) -> bool:
        return isinstance(self.model, Search)


@dataclass(frozen=True)
class Conditions:
    """What all contenders share.

    Args:
        place: where their jobs run, on what, and how many items each list has.
        budget: what each may spend.
        primary: the metric that trials are judged by.
        seed: of the searches.
        rules: that all lists keep.
    """

    place: Workplace
    budget: Budget
    primary: Metric
    seed: int
    rules: Rules | None = None


@dataclass(frozen=True)
class Outcome:
    """A row for the board, and the lists of each fit in each fold, the oldest first, if there are any.

    What the model knows about itself, and its lists before they were ranked again, are of the latest fold and of the first fit.
    """

    entry: Entry
    answers: Answers = ()
    trials: tuple[Mapping[str, Any], ...] = ()  # config, value on validation, seconds, error
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    before: Before | None = None


@dataclass(frozen=True)
class Tuned:
    """What a search came to: the best configuration, all that were tried, and what is to be said of where the best one lies."""

    best: Any
    trials: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()


class TuningError(Exception):
    """Every configuration that was tried failed; the message is the first one's."""

    def __init__(self, tried: Sequence[Mapping[str, Any]]) -> None:
        first = next((t["error"] for t in tried), "no trial came to an end")
        super().__init__(f"None of its {len(tried)} trials gave a value. The first: {first}")
        self.tried = len(tried)


def run_contender(contender: Contender, conditions: Conditions, stop: Event, step: Callable[[], None]) -> Outcome:
    """Tune, fit, answer, in one fold. `step` is called after each trial and after each fit.

    Raises:
        StoppedError: `stop` was set.
    """
    model = contender.model
    try:
        tuned = _tune(model, conditions, stop, step, own=not contender.baseline) if contender.tuned else _fixed(contender, conditions, stop)
        return _fit(contender, tuned, conditions, stop, step)
    except TuningError as error:
        config = {"name": model.model.__name__, "search": repr(model)}
        return Outcome(Entry(contender.name, config, "failed", str(error), contender.baseline, trials=error.tried))


def _tune(search: Search, conditions: Conditions, stop: Event, step: Callable[[], None], *, own: bool) -> Tuned:
    """The configuration with the best value on validation; the first of equals."""
    tried = _try(search.candidates(conditions.budget.most_trials, conditions.seed), conditions, stop, step)
    trials = tuple(trial for _, trial in tried)
    valued = [(m, t["value"]) for m, t in tried if t["value"] is not None]
    if not valued:
        raise TuningError(trials)
    sign = -1 if conditions.primary.lower_is_better else 1
    best = max(valued, key=lambda pair: sign * pair[1])[0]
    return Tuned(best, trials, edge_notes(search, [m for m, _ in valued], best, own=own))


def _fixed(contender: Contender, conditions: Conditions, stop: Event) -> Tuned:
    """A config as it is, with its value on validation where the strongest is chosen by that."""
    if not (contender.candidate and conditions.place.validation):
        return Tuned(contender.model)
    return Tuned(contender.model, tuple(trial for _, trial in _try([contender.model], conditions, stop, lambda: None)))


def _try(models: Sequence[Any], conditions: Conditions, stop: Event, step: Callable[[], None]) -> list[tuple[Any, Mapping[str, Any]]]:
    """The models that were tried on validation, in their order, with what became of each."""
    specs = [to_spec(under(conditions.rules, model)) for model in models]
    done = run_trials(specs, to_spec(conditions.primary), conditions.budget.seconds, conditions.place, stop, step)
    tried = [(model, done[fingerprint(spec)]) for model, spec in zip(models, specs, strict=True) if fingerprint(spec) in done]
    return [(m, {"config": json.dumps(to_plain(m))} | {n: t[n] for n in ("value", "seconds", "error")}) for m, t in tried]


def _fit(contender: Contender, tuned: Tuned, conditions: Conditions, stop: Event, step: Callable[[], None]) -> Outcome:
    """Fit the configuration on the whole training part and answer the queries: once, or with several seeds until one fails."""
    model = tuned.best
    specs = with_seeds(to_spec(under(conditions.rules, model)), conditions.budget.fits)
    fits: list[FitResult] = []
    for number, spec in enumerate(specs, 1):
        fits.append(fit_and_answer(spec, f"{contender.name} {number}", conditions.place, stop))
        step()
        if fits[-1].lists is None:
            break
    record = fits[-1].record
    error = record["error"] if len(specs) == 1 or not record["error"] else f"Fit {len(fits)} of {len(specs)}: {record['error']}"
    entry = Entry(
        contender.name, to_plain(model), record["status"], error, contender.baseline,
        trials=max(len(tuned.trials), 1), tuning_seconds=sum(t["seconds"] for t in tuned.trials) if contender.tuned else 0.0,
        fits=len(specs), cached=all(fit.cached for fit in fits), call=written(model),
        notes=(*fits[0].record.get("notes", ()), *tuned.notes), marks=tuple(fits[0].record.get("marks", ())), **_measured([fit.record for fit in fits]),
    )  # fmt: skip
    lists = [fit.lists for fit in fits if fit.lists is not None]
    return Outcome(entry, (lists,) if len(lists) == len(specs) else (), tuned.trials, fits[0].tables, fits[0].before)


def _measured(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What one fit costs and leaves to popularity: means over the fits, and the most memory."""
    names = [name for name in MEASURED if all(name in record for record in records)]
    means = {name: fmean(record[name] for record in records) for name in names if name != "peak_bytes"}
    return means | ({"peak_bytes": max(record["peak_bytes"] for record in records)} if "peak_bytes" in names else {})
