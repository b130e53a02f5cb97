"""From what the contenders answered to the board: judged, compared, put in order and in words."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil

import vitrina
from vitrina.base.executor import InProcess
from vitrina.board import assemble, placed, sample
from vitrina.board.asked import Asked
from vitrina.board.choice import choose_baseline
from vitrina.board.contenders import Conditions, Outcome
from vitrina.board.earnings import earnings
from vitrina.board.groups import groups
from vitrina.board.judging import Judges, Questions
from vitrina.board.leads import losses
from vitrina.board.named import BEFORE, settle
from vitrina.board.order import against_order
from vitrina.board.people import examples
from vitrina.board.result import Board, Entry
from vitrina.board.ruled import in_words
from vitrina.board.summary import Findings, headline
from vitrina.data.split import Protocol
from vitrina.data.split.asked import AskedSplit
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.leads import leads_within
from vitrina.evaluate.run import Evaluation
from vitrina.metrics import MetricInfo

TRIALS = {"model": pl.String, "fold": pl.Int64, "trial": pl.Int64, "config": pl.String, "metric": pl.String, "value": pl.Float64}


@dataclass(frozen=True)
class Comparison:
    """A comparison that has run.

    Args:
        questions: what was asked.
        judges: how answers are judged.
        conditions: that were the same for all.
        outcomes: what became of each contender.
        bootstrap: how sure the numbers are.
        started: when, in seconds since 1970.
        baseline: the model that all are to be compared with, where it was named.
        matters: the smallest difference that matters, where it was named.
    """

    questions: Questions
    judges: Judges
    conditions: Conditions
    outcomes: Sequence[Outcome]
    bootstrap: Bootstrap
    started: float
    baseline: str | None = None
    matters: float | None = None

    @property
    def entries(self) -> list[Entry]:
        return [o.entry for o in self.outcomes]

    @property
    def tuned(self) -> bool:
        return bool(self.conditions.place.validation)


def board_of(comparison: Comparison, about: Mapping[str, Any], people: int) -> Board:
    """The board.

    Args:
        comparison: that has run.
        about: title and inspection.
        people: how many to show.
    """
    judges, questions, bootstrap = comparison.judges, comparison.questions, comparison.bootstrap
    answers = {o.entry.name: o.answers for o in comparison.outcomes if o.answers}
    judgements = judges.judge(answers, questions.folds, bootstrap)
    judged = {name: judgement.whole for name, judgement in judgements.items()}
    about = {
        **about, "primary": judges.primary.name, "metrics": judges.infos, "split": questions.whole.summary, "trials": _trials(comparison),
        "settings": _settings(comparison), "matters": comparison.matters, "asked": Asked.of(questions.users),
        "protocol": _protocol(comparison),
    }  # fmt: skip
    if not judged:
        return _empty_board(comparison.entries, about)
    lists = {name: answers[name][-1][0] for name in judged}  # of the latest fold, and of the first fit
    before = {o.entry.name: o.before for o in comparison.outcomes if o.before is not None and o.entry.name in judged}
    metrics, numbers = assemble.query_metrics(judged), assemble.numbers(judged)
    folds = assemble.folds(judgements, questions.folds, judges.primary.name)
    return Board(
        **about, **_compared(comparison, judged, numbers, folds), numbers=numbers, folds=folds,
        slices=assemble.slices(judged, questions.labels, [m.name for m in metrics], bootstrap),
        pareto=assemble.pareto(numbers, MetricInfo.of(judges.primary), judges.infos),
        popularity=assemble.popularity(lists, questions.split), coverage=assemble.coverage(lists),
        per_query=assemble.per_query(judged), examples=examples(lists, questions.split, people, judges.k, comparison.conditions.seed, before),
        fits=assemble.fits(judgements, judges.primary.name), spreads=assemble.spreads(judgements), sources=placed.sources(lists, questions.split, judges.k),
        moves=placed.moves(lists, before, judges.k),
        effects=placed.effects(lists, before, questions.split, judges, bootstrap), reasons=placed.reasons(lists, judges.k),
        tables={o.entry.name: o.tables for o in comparison.outcomes if o.tables},
    )  # fmt: skip


def _compared(comparison: Comparison, judged: Mapping[str, Evaluation], numbers: pl.DataFrame, folds: pl.DataFrame) -> dict[str, Any]:
    """The rows in their order, each model against the baseline and against the best, also group by group, and the sentences about that."""
    primary, bootstrap, matters, lower = (
        comparison.judges.primary, comparison.bootstrap, comparison.matters, comparison.judges.primary.lower_is_better
    )  # fmt: skip
    columns, users, labels = assemble.columns(judged, primary.name), assemble.users_of(judged), comparison.questions.labels
    of_seeds = assemble.of_seeds(judged, primary.name)
    of_primary = {r["model"]: r for r in numbers.filter(pl.col("metric") == primary.name).iter_rows(named=True)}
    values = {name: row["value"] for name, row in of_primary.items()}
    choice = choose_baseline(comparison.outcomes, values, comparison.baseline, lower_is_better=lower)
    against_base = assemble.comparisons(judged, choice, assemble.query_metrics(judged), primary.name, bootstrap, matters)
    against_winner = assemble.against_winner(judged, primary, bootstrap, matters)
    earned = earnings(judged, bootstrap)
    within = leads_within(columns, labels, users, bootstrap=bootstrap, lower_is_better=lower, more=of_seeds)
    entries = _ordered(comparison.entries, list(judged))
    said = headline(
        Findings(
            primary.name, choice.baseline, entries, of_primary, against_base.filter(pl.col("metric") == primary.name), against_winner, losses(within, next(iter(judged)), 1 - bootstrap.confidence),
            Asked.of(users), matters, lower, folds, *against_order(entries, columns, users, bootstrap=bootstrap, lower_is_better=lower, matters=matters, more=of_seeds),
            earnings=earned,
        )
    )  # fmt: skip
    by_group = groups(columns, choice.baseline, labels, users, bootstrap=bootstrap, lower_is_better=lower, matters=matters, more=of_seeds)
    return {
        "baseline": choice.baseline, "chosen": choice.chosen, "entries": entries, "comparisons": against_base, "against_winner": against_winner,
        "groups": by_group, "leads": within, "earnings": earned, "headline": said,
    }  # fmt: skip


def _ordered(entries: Sequence[Entry], order: Sequence[str]) -> tuple[Entry, ...]:
    by_name = {e.name: e for e in entries}
    return (*(by_name[name] for name in order), *(e for e in entries if e.name not in order))


def _trials(comparison: Comparison) -> pl.DataFrame:
    rows = [
        {
            "model": o.entry.name,
            "fold": t["fold"],
            "trial": number,
            "config": t["config"],
            "metric": comparison.judges.primary.name,
            "value": t["value"],
        }
        for o in comparison.outcomes
        for _, of_fold in groupby(o.trials, key=itemgetter("fold"))
        for number, t in enumerate(of_fold, 1)
    ]
    return pl.DataFrame(rows, schema=TRIALS)


def _empty_board(entries: Sequence[Entry], about: Mapping[str, Any]) -> Board:
    """No model came to an end: the rows say why."""
    nothing = pl.DataFrame(schema={"model": pl.String, "metric": pl.String, "value": pl.Float64})
    said = headline(Findings(about["primary"], "", entries, {}, pl.DataFrame(), pl.DataFrame()))
    return Board(
        **about, baseline="", entries=tuple(entries), numbers=nothing, comparisons=pl.DataFrame(schema=assemble.COMPARISON),
        slices=pl.DataFrame(), pareto=pl.DataFrame(), popularity=pl.DataFrame(), coverage=pl.DataFrame(), per_query=pl.DataFrame(), headline=said,
    )  # fmt: skip


def _protocol(comparison: Comparison) -> Protocol:
    """How the numbers came about: that of the latest fold, with the queries of all."""
    folds, metric = comparison.questions.folds, MetricInfo.of(comparison.judges.primary)
    protocol = folds[-1].protocol.judged_by(metric.name, metric.definition)
    rule = protocol.rule if len(folds) == 1 else f"{protocol.rule}, {len(folds)} folds"
    named = tuple(in_words(comparison.conditions.rules))
    of = sum(len(fold.queries) if fold.protocol.out_of is None else fold.protocol.out_of for fold in folds)
    queries = sum(len(fold.queries) for fold in folds)
    return replace(protocol, rule=rule, queries=queries, out_of=of if any(fold.protocol.out_of for fold in folds) else None, rules=named)


def _settings(comparison: Comparison) -> dict[str, Any]:
    """Everything that is needed to repeat it."""
    conditions, bootstrap, started = comparison.conditions, comparison.bootstrap, comparison.started
    tuning = f"{conditions.budget.in_words} for each search, on validation; a fixed config is not tuned"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB of memory"
    settings = {
        "date": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 1),
        BEFORE: settle(comparison.judges.primary.name, comparison.baseline, comparison.matters, comparison.questions.labels),
        "k": comparison.judges.k,
        "seed": conditions.seed,
        "confidence": bootstrap.confidence,
        "bootstrap_draws": bootstrap.draws,
        "tuning_budget": tuning if comparison.tuned else "nothing was tuned",
        "processes_at_a_time": conditions.budget.workers,
        "threads_per_process": conditions.place.threads,
        "engine": "this machine" if isinstance(conditions.place.executor, InProcess) else repr(conditions.place.executor),
        "times": "without compiling; peak memory is of the model's own process",
        "folds": len(comparison.questions.folds),
        "fits_of_a_model_with_a_seed": conditions.budget.fits,
        "split_fingerprint": conditions.place.stamp,
        "versions": {
            "vitrina": vitrina.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "polars": pl.__version__,
        },
        "machine": machine,
        "command": " ".join([_program(), shlex.join(sys.argv[1:])]),
    }
    rules = in_words(conditions.rules)
    said = {"rules": rules, "quick": _first_look(comparison) if comparison.questions.quick else "", "drawn": _drawn(comparison)}
    return settings | {key: value for key, value in said.items() if value}


def _program() -> str:
    """What was typed first: a package that runs as `python -m` has the path of its `__main__.py` there."""
    path = Path(sys.argv[0])
    return f"python -m {path.parent.name}" if path.name == "__main__.py" else path.name or "python"


def _drawn(comparison: Comparison) -> str:
    """Whose questions a board of a log larger than memory asks, in one sentence; empty where all are asked."""
    folds = [fold for fold in comparison.questions.wholes if isinstance(fold, AskedSplit)]
    if not any(fold.drawn for fold in folds):
        return ""
    queries, all_queries = sum(len(fold.queries) for fold in folds), sum(fold.whole.n_queries for fold in folds)
    people = len(np.unique(np.concatenate([fold.queries.users for fold in folds])))
    return (
        f"Judged on {queries:,} of {all_queries:,} queries: all those of {people:,} people drawn by a hash of their ids, the same for every model, as the lists of "
        "everybody don't fit memory. Models are fitted on the whole training part."
    )


def _first_look(comparison: Comparison) -> str:
    """What a quick comparison left out, in one sentence."""
    questions, conditions = comparison.questions, comparison.conditions
    asked, whole = (np.concatenate([fold.queries.users for fold in folds]) for folds in (questions.folds, questions.wholes))
    of_one = max(sample.QUICK_QUERIES // sample.MOST_OF_ONE, 1)
    each = " in each fold" if len(questions.folds) > 1 else ""
    who = (
        f"{len(asked):,} of {len(whole):,} queries, of {len(np.unique(asked)):,} of {len(np.unique(whole)):,} people (drawn with seed "
        f"{conditions.seed}; at most {of_one} of one person{each})"
        if len(asked) < len(whole)
        else f"all {len(whole):,} queries"
    )
    tried = f", and at most {conditions.budget.most_trials} configurations of each search" if comparison.tuned else ""
    return f"A first look (quick): {who}{tried}. Compare without quick before you decide."
