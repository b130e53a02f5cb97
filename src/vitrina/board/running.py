"""All contenders of one fold, one after another or a few at a time: a bar on a terminal, a line for each finished model where there is none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vitrina.board.budget import Budget
from vitrina.board.contenders import Conditions, Contender, Outcome, run_contender
from vitrina.board.result import Entry
from vitrina.board.seeds import with_seeds
from vitrina.jobs.specs import to_spec


def run_all(contenders: Sequence[Contender], conditions: Conditions, *, fold: str = "", progress: bool) -> list[Outcome]:
    """All outcomes of one fold, in the order of the contenders. On Ctrl-C the processes are ended before it is raised again.

    Args:
        contenders: who takes part.
        conditions: of this fold.
        fold: what it is called where there are several: "fold 1 of 3".
        progress: show how far it is.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    steps = sum(_steps(c, conditions) for c in contenders)
    stop = Event()
    with Progress(*columns, console=console, transient=True, disable=not (progress and console.is_terminal)) as bar:
        task = bar.add_task(fold or "comparing", total=steps)

        def one(contender: Contender) -> Outcome:
            bar.update(task, description=f"{contender.name}, {fold}" if fold else contender.name)
            return run_contender(contender, conditions, stop, lambda: bar.advance(task))

        with ThreadPoolExecutor(conditions.budget.workers) as pool:
            futures = [pool.submit(one, c) for c in contenders]
            try:
                _wait(futures, fold, lines=progress and not console.is_terminal)
            except BaseException:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    return [future.result() for future in futures]


def _wait(futures: Sequence[Future[Outcome]], fold: str, *, lines: bool) -> None:
    """Short waits, so that Ctrl-C is heard; with lines, one for each that is finished."""
    pending, number = set(futures), 0
    while pending:
        done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
        for future in done:
            entry, number = future.result().entry, number + 1
            if lines:
                sys.stderr.write(f"{number} of {len(futures)}{', ' * bool(fold)}{fold}: {entry.name}: {_how(entry)}\n")
                sys.stderr.flush()


def _how(entry: Entry) -> str:
    """What became of a model, in a few words."""
    if entry.status != "ok":
        return f"{entry.status}: {entry.error}"
    tried = f"the best of {entry.trials} configurations, " if entry.trials > 1 else ""
    kept = ", kept from an earlier run" if entry.cached else ""
    times = f" {entry.fits} times, each" if entry.fits > 1 else ""
    return f"{tried}fitted{times} in {entry.fit_seconds:.1f} s, answered in {entry.answer_seconds:.1f} s{kept}"


def _steps(contender: Contender, conditions: Conditions) -> int:
    """One for each fit, and one for each trial of a search."""
    fits = fits_of(contender, conditions.budget)
    if not contender.tuned:
        return fits
    most, size = conditions.budget.most_trials, contender.model.size
    return fits + (most if size is None else min(most, size))


def fits_of(contender: Contender, budget: Budget) -> int:
    """How often it is fitted after its tuning; of a search over models with and without a seed as the first candidate says."""
    model = contender.model.candidates(1)[0] if contender.tuned else contender.model
    return len(with_seeds(to_spec(model), budget.fits))


def cost(contenders: Sequence[Contender], budget: Budget, folds: int) -> str:
    """What a comparison with folds or several fits is going to do, in one sentence; nothing is said of what the cache has."""
    fits = [fits_of(c, budget) for c in contenders]
    seeded, searches = sum(n > 1 for n in fits), sum(c.tuned for c in contenders)
    said = f"{folds * sum(fits)} fits: {len(fits)} model{'s' * (len(fits) > 1)}"
    said += f", {seeded} of them with {budget.fits} seeds" if seeded else ""
    said += f", in each of {folds} folds" if folds > 1 else ""
    tuning = f" Before them, {budget.in_words} for each of {searches} search{'es' * (searches > 1)}" + " in each fold" * (folds > 1) + "."
    return said + "." + tuning * bool(searches)
