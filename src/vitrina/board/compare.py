"""Compare models on one split: each in its own process, judged on the same queries, with the baselines beside them."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psutil

import vitrina
from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.board import assemble
from vitrina.board.baselines import baselines as strong_baselines
from vitrina.board.baselines import choose_baseline
from vitrina.board.ground import prepare, work_folder
from vitrina.board.people import examples as example_people
from vitrina.board.result import Board, Entry
from vitrina.board.running import run_all
from vitrina.board.runs import Contender, Ground, Outcome
from vitrina.board.sample import MOST_OF_ONE, QUICK_QUERIES, QUICK_TRIALS, hurried, rows_of_people, take_queries
from vitrina.board.summary import find_losses, headline
from vitrina.board.tune import Search
from vitrina.data.dataset import Dataset
from vitrina.data.inspect import inspect
from vitrina.data.split import Split
from vitrina.evaluate.run import Evaluation, evaluate, item_vectors
from vitrina.evaluate.slices import slice_labels
from vitrina.jobs.specs import to_spec
from vitrina.metrics import DEFAULT_METRICS, MetricInfo, metric
from vitrina.metrics.info import require_per_query, require_vectors
from vitrina.metrics.names import metrics_of
from vitrina.models.content_vectors import likeness
from vitrina.protocols import Metric, TableMetric
from vitrina.types import Float32, Recommendations

TRIALS = 20  # of each search, unless said otherwise
MOST_TRIALS = 1000  # where only the seconds are limited


def compare(
    models: Sequence[Any] | Mapping[str, Any],
    split: Split,
    *,
    metrics: Sequence[str | Metric | TableMetric] | None = None,
    primary: str | Metric = "nDCG@10",
    k: int = 10,
    baselines: bool = True,
    baseline: str | None = None,
    trials: int | None = None,
    seconds: float | None = None,
    limit: float | None = None,
    workers: int = 1,
    cache: str | Path | None = None,
    seed: int = 0,
    draws: int = 1000,
    slices: Mapping[str, pl.Series] | Sequence[str] | None = None,
    vectors: Float32 | None = None,
    examples: int = 6,
    data: Dataset | None = None,
    title: str | None = None,
    quick: bool = False,
    progress: bool = True,
) -> Board:
    """Fit each model on the training part in a process of its own, answer the queries, judge, and say what that means.

    A model that raises, is killed for memory or takes longer than `limit` has a row that says so; the others stay. A search
    (`vt.tune`) tries configurations on `split.train.holdout()` under a budget that is the same for every search, and the winner is
    fitted again on the whole training part; the test part is answered once a model. Kernels are compiled on a tiny log before the
    clock starts. Peak memory is that of the model's process, with the interpreter (about 0.2 GB) and the pages of the log it read.

    Args:
        models: configs, searches and any object with `fit`, in a list or by the name they have on the board. A class of one's own
            must stand in a module or script file, and keep the arguments of its `__init__` as attributes.
        split: training part, queries and truth.
        metrics: names or metrics, your own too; None takes the usual ones.
        primary: the metric that ranks, tunes, and has Holm's correction: its name, or the metric.
        k: length of the lists; longer where a metric asks for it.
        baselines: put popularity, own favourites, co-occurrence and EASE on the board where they are not there already.
        baseline: the model that all are compared with; None takes the strongest of the baselines.
        trials: configurations that each search may try; None is 20, or as many as the seconds allow.
        seconds: of fitting and answering that each search may spend.
        limit: seconds for one fit with its answers.
        workers: processes at a time; with more than one they share the cores and their times are not those of a free machine.
        cache: folder where finished models and trials are kept; a comparison that was interrupted goes on from there.
        seed: of the searches, the bootstrap and the choice of examples.
        draws: of the bootstrap over users.
        slices: groups of queries to show besides the usual, by name, or names of the user table's columns to slice by.
        vectors: (items, dim) for the metrics of diversity; None takes what the item table says of the items, if it says something.
        examples: people to show.
        data: the whole log for the audit in the report; None takes the training part.
        title: of the board.
        quick: a first look: the questions of a sample of people, the same for all models, a few configurations of each search, and
            less time for EASE. Models are fitted on the whole training part, so values are about those of the whole comparison, with
            wider intervals.
        progress: show a bar with the time left on a terminal, else a line for each finished model (on stderr).

    Raises:
        ParameterError: two models have one name, or a model can't be built in another process; a metric of your own lacks something;
            vectors don't fit.
        DataError: a metric needs vectors of the items, and there are none.
        KeyboardInterrupt: Ctrl-C; the processes are ended first, and what is finished stays in the cache.

    >>> import vitrina as vt
    >>> split = vt.testing.toy().split(vt.split.LeaveOneOut(repeat=False))
    >>> board = vt.compare({"by events": vt.Popularity(by="events")}, split, baselines=False, metrics=["nDCG@2"], primary="nDCG@2", k=2)
    >>> board.entry("by events").status
    'ok'
    """
    started = time.time()
    if not isinstance(split, Split):
        raise ParameterError(f"Models are compared on a split: data.split(vt.split.GlobalTime(days=30)). Got {split!r}.")
    split.eligible.check_rows(len(split.queries))
    vectors = likeness(split.train) if vectors is None else item_vectors(vectors, split.train.n_items)
    chosen, ranking = _metrics(_usual(k, vectors) if metrics is None else metrics, primary)
    contenders = _contenders(models, split, baselines)
    tuned = any(isinstance(c.model, Search) for c in contenders)
    require_vectors(chosen, vectors)
    if tuned:
        _check_tuned_on(ranking)
    trials = trials if trials is not None else (TRIALS if seconds is None else MOST_TRIALS)
    _check(contenders, k=k, trials=trials, workers=workers, draws=draws, examples=examples, seed=seed)
    if baseline is not None and baseline not in (names := [c.name for c in contenders]):
        raise UnknownNameError.of("model on the board that could be the baseline", baseline, names)
    whole, labels = split, _labels(split, slices)
    if quick:
        trials, contenders = min(trials, QUICK_TRIALS), [replace(c, model=hurried(c.model)) for c in contenders]
        rows = rows_of_people(whole, QUICK_QUERIES, seed)
        split, labels = take_queries(whole, rows), {name: groups.gather(rows) for name, groups in labels.items()}
    deepest = max(k, *(m.k for m in chosen))
    with work_folder(None if cache is None else Path(cache)) as work:
        stamp, validation = prepare(split, work, tuned=tuned, quick=quick, seed=seed)
        ground = Ground(
            work, work if cache is None else Path(cache), stamp, validation, to_spec(ranking) if tuned else None, ranking.lower_is_better,
            deepest, trials, seconds, limit, seed, max((os.cpu_count() or 1) // workers, 1), split.queries.vocabulary,
        )  # fmt: skip
        outcomes = run_all(contenders, ground, workers, progress)
    draw: dict[str, Any] = {"draws": draws, "seed": seed}
    lists = {o.entry.name: o.lists for o in outcomes if o.lists is not None}
    settings = _settings(ground, k, workers, draws, tuned, started) | ({"quick": _first_look(whole, split, ground, tuned)} if quick else {})
    judged = _judge(lists, split, chosen, vectors, draw)
    tried = _trials(outcomes, ranking.name)
    look = inspect(split.train if data is None else data)
    about = {"title": title or f"Models for {split.train.name}", "primary": ranking.name, "inspection": look, "split": whole.summary}
    about["metrics"] = tuple(MetricInfo.of(m) for m in chosen)
    if not judged:
        return _empty_board(outcomes, about, settings, tried)
    values = {name: e[ranking.name] for name, e in judged.items()}
    base = choose_baseline(contenders, values, baseline, lower_is_better=ground.lower_is_better)
    return _board(outcomes, judged, lists, split, labels, base, examples, k, about | {"settings": settings, "trials": tried}, draw)


def _usual(k: int, vectors: Float32 | None) -> list[str]:
    """The usual metrics, and diversity where it can be told how alike two items are."""
    return [*DEFAULT_METRICS] if vectors is None else [*DEFAULT_METRICS, f"ILD@{k}"]


def _metrics(metrics: Sequence[Any], primary: str | Metric) -> tuple[list[Any], Metric]:
    """Metric objects, and the primary one, which is among them."""
    chosen = metrics_of(metrics)
    if not isinstance(primary, str):
        primary = require_per_query(metric(primary))
    name = primary if isinstance(primary, str) else primary.name
    known = next((m for m in chosen if m.name == name), None)
    if known is None:
        known = metric(primary)
        chosen = [known, *chosen]
    return chosen, require_per_query(known)


def _check_tuned_on(primary: Metric) -> None:
    """Everything that a trial in another process would trip over."""
    if "vectors" in primary.needs:
        raise ParameterError(f"A search can't be judged by {primary.name}, which needs vectors of the items. Take another primary metric.")
    to_spec(primary)


def _contenders(models: Sequence[Any] | Mapping[str, Any], split: Split, baselines: bool) -> list[Contender]:
    if hasattr(models, "fit") or isinstance(models, Search):
        raise ParameterError(f"Models are given in a list, or by name: [{models!r}]. Got one model.")
    for model in models.values() if isinstance(models, Mapping) else models:
        if isinstance(model, type):
            raise ParameterError(f"The model {model.__name__} is a class. Give an object: {model.__name__}().")
        if not isinstance(model, Search) and not hasattr(model, "fit"):
            raise ParameterError(f"A model must have a method fit(data). Got {model!r}.")
    named = dict(models) if isinstance(models, Mapping) else _named(models)
    tuned = any(isinstance(m, Search) for m in named.values())
    added = strong_baselines(split, named.values(), tuned=tuned) if baselines else []
    renamed = [Contender(f"{c.name}, baseline" if c.name in named else c.name, c.model, baseline=True) for c in added]
    return [Contender(name, model) for name, model in named.items()] + renamed


def _named(models: Sequence[Any]) -> dict[str, Any]:
    """The class name where only one model has it, the whole config otherwise."""
    classes = [(m.model if isinstance(m, Search) else type(m)).__name__ for m in models]
    counts = Counter(classes)
    names = [cls if counts[cls] == 1 else repr(m) for cls, m in zip(classes, models, strict=True)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ParameterError(f"The model {twice[0]} is there twice. Give each model once, or names in a mapping.")
    return dict(zip(names, models, strict=True))


def _check(contenders: Sequence[Contender], **numbers: int) -> None:
    """Everything that is wrong is told before the first process starts."""
    if not contenders:
        raise ParameterError("There is nothing to compare. Give at least one model, or baselines=True.")
    for name, value in numbers.items():
        least = 0 if name in ("seed", "examples") else 1
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ParameterError(f"The {name!r} of compare must be a whole number of at least {least}. Got {value!r}.")
    for contender in contenders:
        for model in contender.model.candidates(1) if isinstance(contender.model, Search) else [contender.model]:
            to_spec(model)


def _labels(split: Split, slices: Mapping[str, pl.Series] | Sequence[str] | None) -> dict[str, pl.Series]:
    """The usual slices with one's own; or, with names of columns, only these of the user table."""
    found = slice_labels(split)
    if not slices:
        return found
    if isinstance(slices, Mapping):
        return found | dict(slices)
    table = split.train.user_table
    known = [] if table is None else table.frame.columns
    for name in slices:
        if name not in known:
            raise UnknownNameError.of("column of the user table", name, known)
    return {name: s for name, s in found.items() if not name.startswith("user: ") or name.removeprefix("user: ") in slices}


def _judge(lists: Mapping[str, Recommendations], split: Split, metrics: Sequence[Any], vectors: Float32 | None, draw: Mapping[str, Any]) -> dict[str, Evaluation]:  # fmt: skip
    """Every model's lists with the same draws of people."""
    return {name: evaluate(found, split, metrics, vectors=vectors, **draw) for name, found in lists.items()}


def _trials(outcomes: Sequence[Outcome], primary: str) -> pl.DataFrame:
    rows = [
        {"model": o.entry.name, "trial": number, "config": t["config"], "metric": primary, "value": t["value"]}
        for o in outcomes
        for number, t in enumerate(o.trials, 1)
    ]
    schema = {"model": pl.String, "trial": pl.Int64, "config": pl.String, "metric": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema)


def _board(
    outcomes: Sequence[Outcome], judged: dict[str, Evaluation], lists: dict[str, Recommendations], split: Split,
    labels: dict[str, pl.Series], base: str, examples: int, k: int, about: Mapping[str, Any], draw: dict[str, Any],
) -> Board:  # fmt: skip
    primary, seed = about["primary"], draw["seed"]
    ranking = next(m for m in about["metrics"] if m.name == primary)
    sign = 1 if ranking.lower_is_better else -1
    order = sorted(judged, key=lambda name: sign * judged[name][primary])
    judged, lists = {n: judged[n] for n in order}, {n: lists[n] for n in order}
    entries = _ordered([o.entry for o in outcomes], order)
    metrics = assemble.query_metrics(judged)
    values = assemble.numbers(judged)
    against_base = assemble.comparisons(judged, base, metrics, primary, **draw)
    against_winner = assemble.comparisons(judged, order[0], [ranking], primary, **draw)
    users = split.queries.users
    columns = {n: assemble.column(e, primary) for n, e in judged.items()}
    losses = find_losses(columns, order[0], labels, users, lower_is_better=ranking.lower_is_better, seed=seed)
    shown = {r["model"]: (r["value"], r["low"], r["high"]) for r in values.filter(pl.col("metric") == primary).iter_rows(named=True)}
    first = against_base.filter(pl.col("metric") == primary)
    return Board(
        **about, baseline=base, entries=entries, numbers=values, comparisons=against_base, against_winner=against_winner,
        slices=assemble.slices(judged, labels, [m.name for m in metrics], draws=min(draw["draws"], assemble.SLICE_DRAWS), seed=seed),
        pareto=assemble.pareto(values, ranking, about["metrics"]), popularity=assemble.popularity(lists, split), coverage=assemble.coverage(lists),
        per_query=assemble.per_query(judged), examples=example_people(lists, split, examples, k, seed),
        headline=headline(primary, base, entries, shown, first, against_winner, losses),
    )  # fmt: skip


def _ordered(entries: Sequence[Entry], order: Sequence[str]) -> tuple[Entry, ...]:
    by_name = {e.name: e for e in entries}
    return (*(by_name[name] for name in order), *(e for e in entries if e.name not in order))


def _empty_board(outcomes: Sequence[Outcome], about: Mapping[str, Any], settings: Mapping[str, Any], tried: pl.DataFrame) -> Board:
    """No model came to an end: the rows say why."""
    entries = tuple(o.entry for o in outcomes)
    nothing = pl.DataFrame({"model": [], "metric": [], "value": []}, schema={"model": pl.String, "metric": pl.String, "value": pl.Float64})
    said = headline(about["primary"], "", entries, {}, pl.DataFrame(), pl.DataFrame())
    return Board(
        **about, baseline="", entries=entries, numbers=nothing, comparisons=pl.DataFrame(schema=assemble.COMPARISON), slices=pl.DataFrame(),
        pareto=pl.DataFrame(), popularity=pl.DataFrame(), coverage=pl.DataFrame(), trials=tried, per_query=pl.DataFrame(),
        headline=said, settings=settings,
    )  # fmt: skip


def _first_look(whole: Split, asked: Split, ground: Ground, tuned: bool) -> str:
    """What a quick comparison left out, in one sentence."""
    people, all_people = (len(np.unique(s.queries.users)) for s in (asked, whole))
    of_one = max(QUICK_QUERIES // MOST_OF_ONE, 1)
    who = (
        f"{len(asked.queries):,} of {len(whole.queries):,} queries, of {people:,} of {all_people:,} people (drawn with seed {ground.seed}; at most {of_one} of one person)"
        if len(asked.queries) < len(whole.queries)
        else f"all {len(whole.queries):,} queries"
    )
    tried = f", and at most {ground.trials} configurations of each search" if tuned else ""
    return f"A first look (quick): {who}{tried}. Compare without quick before you decide."


def _settings(ground: Ground, k: int, workers: int, draws: int, tuned: bool, started: float) -> dict[str, Any]:
    budget = f"{ground.trials} trials" if ground.seconds is None else f"{ground.trials} trials or {ground.seconds:g} seconds"
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB of memory"
    return {
        "date": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - started, 1),
        "k": k,
        "seed": ground.seed,
        "confidence": 0.95,
        "bootstrap_draws": draws,
        "tuning_budget": f"{budget} for each search, on validation; a fixed config is not tuned" if tuned else "nothing was tuned",
        "processes_at_a_time": workers,
        "threads_per_process": ground.threads,
        "times": "without compiling; peak memory is of the model's own process",
        "split_fingerprint": ground.stamp,
        "versions": {
            "vitrina": vitrina.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "polars": pl.__version__,
        },
        "machine": machine,
        "command": shlex.join([Path(sys.argv[0]).name or "python", *sys.argv[1:]]),
    }
