"""Compare models on one split, or on folds of it: each in its own process, judged on the same queries, with the baselines beside them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vitrina.base.errors import ParameterError
from vitrina.base.executor import Executor, InProcess, Processes
from vitrina.base.former import with_former
from vitrina.board.budget import Budget
from vitrina.board.contenders import Conditions, Contender, Outcome
from vitrina.board.finish import Comparison, board_of
from vitrina.board.folds import joined, name_of
from vitrina.board.judging import Judges, Questions, Slices
from vitrina.board.lineup import lineup
from vitrina.board.named import check_matters
from vitrina.board.result import Board
from vitrina.board.ruled import check_rules
from vitrina.board.running import cost, run_all
from vitrina.board.sample import QUICK_TRIALS, hurried, validation_part
from vitrina.data.dataset import Dataset
from vitrina.data.inspect import inspect
from vitrina.data.split import Split
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.jobs.folders import work_folder, write_folders
from vitrina.jobs.run import Workplace
from vitrina.protocols import Metric, TableMetric
from vitrina.rerank.rules.ruled import Rules
from vitrina.types import Float32


def compare(
    models: Sequence[Any] | Mapping[str, Any],
    split: Split | Sequence[Split],
    *,
    metrics: Sequence[str | Metric | TableMetric] | None = None,
    primary: str | Metric = "nDCG@10",
    k: int = 10,
    baselines: bool = True,
    baseline: str | None = None,
    matters: float | None = None,
    budget: Budget = Budget(),
    bootstrap: Bootstrap | None = None,
    cache: str | Path | None = None,
    seed: int = 0,
    slices: Slices = None,
    vectors: Float32 | None = None,
    examples: int = 6,
    data: Dataset | None = None,
    title: str | None = None,
    rules: Rules | None = None,
    quick: bool = False,
    progress: bool = True,
    executor: Executor | None = None,
    **former: Any,
) -> Board:
    """Fit each model on the training part in a process of its own, answer the queries, judge, and say what that means.

    A model that raises, is killed for memory or takes longer than the budget's limit has a row that says so; the others stay. A search
    (`vt.tune`) tries configurations on `split.train.holdout()` under a budget that is the same for every search, and the winner is
    fitted again on the whole training part. A split with a validation part of its own (`strict=True`) is tuned and stopped on that, and no
    model is fitted on it. The test part is answered once per model. Kernels are compiled on a tiny log before the
    clock starts. Peak memory is that of the model's process, with the interpreter (about 0.2 GB) and the pages of the log it read.

    Args:
        models: configs, searches and any object with `fit`, in a list or by the name they have on the board. A class of one's own
            must stand in a module or script file, and keep the arguments of its `__init__` as attributes.
        split: training part, queries and truth. Or folds, the oldest first, as `vt.split.rolling` makes them: each model is fitted and
            answers in each, a search is tuned in each, and one board says what all their questions together say.
        metrics: names or metrics, your own too; None takes the usual ones.
        primary: the metric that ranks, tunes, and that verdicts speak of: its name, or the metric.
        k: length of the lists; longer where a metric asks for it.
        baselines: put popularity, own favourites, co-occurrence and EASE on the board where they are not there already.
        baseline: the model that all are compared with; None takes the strongest of the baselines: by its value on validation where all of
            them have one, which they have where something is tuned; else on the test part, and all verdicts pay for that.
        matters: the smallest difference of the primary metric that matters: what is surely smaller is "about equal".
        budget: trials and seconds of each search, the limit of each fit, how often a model with a seed is fitted, and how many processes
            work at a time.
        bootstrap: draws of people, seed and confidence; None takes 4,000 draws by `seed`.
        cache: folder where finished models and trials are kept; a comparison that was interrupted goes on from there.
        seed: of the searches, the sample of a first look and the choice of examples.
        slices: groups of queries to show besides the usual, by name (with folds: of the queries of all, one after another), or names of
            the user table's columns to slice by.
        vectors: (items, dim) for the metrics of diversity; None takes what the item table says of the items, if it says something.
        examples: people to show.
        data: the whole log for the audit in the report; None takes the training part.
        title: of the board.
        rules: that the lists of all models keep, of the baselines too; each is tuned and judged under them, and the protocol line says so.
        quick: a first look: the questions of a sample of people, the same for all models, a few configurations of each search, and
            less time for EASE. Models are fitted on the whole training part, so values are about those of the whole comparison, with
            wider intervals.
        progress: show a bar with the time left on a terminal, else a line for each finished model (on stderr).
        executor: on whose workers the processes of the models run, as many at a time as it has: `vitrina.jobs.ray.Ray` on the nodes of a cluster, which
            must see `cache` at the same path. None: this machine, `budget.workers` at a time.
        former: `trials`, `seconds`, `limit`, `workers` and `draws` by themselves, for one more release.

    Raises:
        ParameterError: two models have one name, or a model can't be built in another process; a metric of your own lacks something;
            vectors don't fit; rules contradict each other or don't fit the log; folds are not of one log, or don't follow one another in time;
            the executor has another number of workers than the budget names, or has lost its cluster.
        DataError: a metric needs vectors of the items, and there are none.
        KeyboardInterrupt: Ctrl-C; the processes are ended first, and what is finished stays in the cache.

    >>> import vitrina as vt
    >>> split = vt.testing.toy().split(vt.split.LeaveOneOut(repeat=False))
    >>> board = vt.compare({"by events": vt.Popularity(by="events")}, split, baselines=False, metrics=["nDCG@2"], primary="nDCG@2", k=2)
    >>> board.entry("by events").status
    'ok'
    """
    started = time.time()
    _check_numbers(k=k, examples=examples, seed=seed)
    check_matters(matters)
    budget, bootstrap = _records(budget, bootstrap or Bootstrap(seed=seed), former)
    budget, executor = _spread(budget, executor)
    questions = Questions.of(split, slices, quick=quick, seed=seed)
    judges = Judges.of(metrics, primary, k, questions.whole, vectors)
    contenders = lineup(models, questions.whole, baselines=baselines, baseline=baseline)
    if any(c.tuned for c in contenders):
        judges.check_tuning()
    if quick:
        budget = budget.model_copy(update={"trials": min(budget.most_trials, QUICK_TRIALS)})
        contenders = [replace(c, model=hurried(c.model)) for c in contenders]
    check_rules(rules, [c.model for c in contenders], questions.whole.train)
    where = None if cache is None else Path(cache)
    conditions, outcomes = _run(contenders, questions, judges, budget, rules, where, seed, progress, executor)
    comparison = Comparison(questions, judges, conditions, outcomes, bootstrap, started, baseline, matters)
    train = questions.whole.train
    log = train if data is None else data
    about = {
        "title": title or f"Models for {train.name}",
        "inspection": inspect(log) if log.n_events else None,
    }  # judged queries need no log
    return board_of(comparison, about, examples)


def _records(budget: Budget, bootstrap: Bootstrap, former: Mapping[str, Any]) -> tuple[Budget, Bootstrap]:
    """Both, with what was given by the former names of their fields."""
    of_bootstrap = {name: value for name, value in former.items() if name == "draws"}
    of_budget = {name: value for name, value in former.items() if name != "draws"}
    return with_former(budget, Budget, of_budget, "compare", "budget", stacklevel=4), with_former(
        bootstrap, Bootstrap, of_bootstrap, "compare", "bootstrap", stacklevel=4
    )


def _spread(budget: Budget, executor: Executor | None) -> tuple[Budget, Executor]:
    """The budget with the executor's workers, and who starts the processes: this one, unless the executor is another machine's."""
    if executor is None:
        return budget, InProcess()
    if budget.workers not in (1, executor.workers):
        raise ParameterError(
            f"The executor has {executor.workers} workers, and the budget {budget.workers}. Leave the 'workers' out of the budget.",
            parameter="executor", value=executor,
        )  # fmt: skip
    return budget.model_copy(update={"workers": executor.workers}), InProcess() if isinstance(executor, Processes) else executor


def _check_numbers(**numbers: int) -> None:
    for name, value in numbers.items():
        least = 1 if name == "k" else 0
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ParameterError(
                f"The {name!r} of compare must be a whole number of at least {least}. Got {value!r}.", parameter=name, value=value
            )


def _run(
    contenders: Sequence[Contender], questions: Questions, judges: Judges, budget: Budget, rules: Rules | None, cache: Path | None, seed: int,
    progress: bool, executor: Executor,
) -> tuple[Conditions, list[Outcome]]:  # fmt: skip
    """Let everybody fit and answer under the same conditions, in one fold after another. Who failed in one takes no part in the next.

    Returns:
        The conditions of the latest fold, and what became of each contender over all folds.
    """
    folds = questions.folds
    if progress and (len(folds) > 1 or budget.fits > 1):
        sys.stderr.write(f"{cost(contenders, budget, len(folds))}\n")
    threads = max((os.cpu_count() or 1) // budget.workers, 1) if isinstance(executor, InProcess) else 1
    conditions: list[Conditions] = []
    done: dict[str, list[Outcome]] = {c.name: [] for c in contenders}
    for fold in folds:
        with work_folder(cache) as work:
            validation = validation_part(fold, quick=questions.quick, seed=seed) if any(c.tuned for c in contenders) else None
            stamps = write_folders(fold, validation, work)
            place = Workplace(work, cache or work, *stamps, fold.queries.vocabulary, judges.depth, threads, budget.limit, executor)
            conditions.append(Conditions(place, budget, judges.primary, seed, rules))
            left = [c for c in contenders if all(o.entry.status == "ok" for o in done[c.name])]
            left = left if len(conditions) == 1 else [replace(c, candidate=False) for c in left]  # later validation is an earlier test
            for outcome in run_all(left, conditions[-1], fold=name_of(fold, folds), progress=progress):
                done[outcome.entry.name].append(outcome)
    return conditions[-1], [joined(outcomes, folds) for outcomes in done.values()]
