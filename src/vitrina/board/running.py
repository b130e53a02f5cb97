"""All contenders, one after another or a few at a time: a bar on a terminal, a line for each finished model where there is none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from threading import Event

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vitrina.board.contenders import Conditions, Contender, Outcome, run_contender
from vitrina.board.result import Entry


def run_all(contenders: Sequence[Contender], conditions: Conditions, *, progress: bool) -> list[Outcome]:
    """All outcomes, in the order of the contenders. On Ctrl-C the processes are ended before it is raised again."""
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
        task = bar.add_task("comparing", total=steps)

        def one(contender: Contender) -> Outcome:
            bar.update(task, description=contender.name)
            return run_contender(contender, conditions, stop, lambda: bar.advance(task))

        with ThreadPoolExecutor(conditions.budget.workers) as pool:
            futures = [pool.submit(one, c) for c in contenders]
            try:
                _wait(futures, lines=progress and not console.is_terminal)
            except BaseException:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
    return [future.result() for future in futures]


def _wait(futures: Sequence[Future[Outcome]], *, lines: bool) -> None:
    """Short waits, so that Ctrl-C is heard; with lines, one for each that is finished."""
    pending, number = set(futures), 0
    while pending:
        done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
        for future in done:
            entry, number = future.result().entry, number + 1
            if lines:
                sys.stderr.write(f"{number} of {len(futures)}: {entry.name}: {_how(entry)}\n")
                sys.stderr.flush()


def _how(entry: Entry) -> str:
    """What became of a model, in a few words."""
    if entry.status != "ok":
        return f"{entry.status}: {entry.error}"
    tried = f"the best of {entry.trials} configurations, " if entry.trials > 1 else ""
    kept = ", kept from an earlier run" if entry.cached else ""
    return f"{tried}fitted in {entry.fit_seconds:.1f} s, answered in {entry.answer_seconds:.1f} s{kept}"


def _steps(contender: Contender, conditions: Conditions) -> int:
    """One for the fit, and one for each trial of a search."""
    if not contender.tuned:
        return 1
    most, size = conditions.budget.most_trials, contender.model.size
    return 1 + (most if size is None else min(most, size))
