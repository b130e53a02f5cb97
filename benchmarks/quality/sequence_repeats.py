"""Where people take the same again: eSASRec with and without personalised popularity, beside own counts and TIFU-KNN.

    python -m benchmarks.quality.sequence_repeats [online-retail] [complete-journey] [--epochs N] [--resume]

The logs, cuts and questions of `boards.py`: one moment divides the log, every basket after it is a question, repeats are allowed. Finished runs
are kept (see `kit/runs.py`). Prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.options import log_options
from benchmarks.kit.runs import Run, brief, capped, card, compared, measured, when_and_where
from benchmarks.quality.boards import JOBS

LOGS = ("online-retail", "complete-journey")
BASELINE = "`TopPersonal()`"
SHOWN = {
    "Recall@10": "Recall@10",
    "repeat nDCG@10": "nDCG of repeats",
    "explore nDCG@10": "nDCG of new",
    "repeat Recall@10": "Recall of repeats",
    "explore Recall@10": "Recall of new",
    "RepeatShare@10": "repeats in lists",
}
METRICS = ("nDCG@10", *SHOWN)


def models(log: str) -> dict[str, Any]:
    """As they come, and TIFU-KNN as the search of the board chose it in validation."""
    chosen = {
        "online-retail": vt.TifuKNN(neighbours=900, within=1.0, between=0.5, alpha=0.4931),
        "complete-journey": vt.TifuKNN(neighbours=50, groups=3, within=1.0, alpha=0.7738),
    }
    return {
        "`eSASRec()`": vt.eSASRec(),
        "`eSASRec(personal=PersonalPopularity())`": vt.eSASRec(personal=vt.sequence.PersonalPopularity()),
        BASELINE: vt.TopPersonal(),
        "`TifuKNN()`": vt.TifuKNN(),
        "TIFU-KNN, chosen on the board": chosen[log],
        "`Popularity(days=30)`": vt.Popularity(days=30),
    }


def runs_of(log: str, options: argparse.Namespace) -> dict[str, Run]:
    split = JOBS[log].load().split(JOBS[log].rule)
    found = {}
    for name, model in models(log).items():
        found[name] = run = measured(capped(model, options.epochs), split, METRICS, resume=options.resume)
        print(f"{log}, {name}: nDCG@10 {run['nDCG@10']:.4f}, {run.fit:.0f} s", file=sys.stderr, flush=True)
    return found


def table(log: str, runs: Mapping[str, Run]) -> Iterator[str]:
    verdicts = compared({name: [run] for name, run in runs.items()}, BASELINE)
    yield f"**{JOBS[log].title}**\n\n{card(JOBS[log].load().split(JOBS[log].rule))}\n"
    yield f"| model | nDCG@10 | against own counts | {' | '.join(SHOWN.values())} | fit, s | answer, s | best epoch |"
    yield f"|{'---|' * (len(SHOWN) + 6)}"
    for name, run in runs.items():
        value, low, high = run.numbers["nDCG@10"]
        others = " | ".join(f"{run[metric]:.4f}" for metric in SHOWN)
        epochs = f"{run.best_epoch} of {run.epochs}" if run.epochs else ""
        yield (
            f"| {name} | {value:.4f} ({low:.4f} to {high:.4f}) | {brief(verdicts[name])} | {others} | {run.fit:.1f} | {run.answer:.1f} | {epochs} |"
        )


def main() -> None:
    options = log_options(__doc__, LOGS)
    limits = machine()
    found = {log: runs_of(log, options) for log in options.logs}
    for log, runs in found.items():
        print("\n".join(table(log, runs)), end="\n\n")
    capping = f" At most {options.epochs} epochs." if options.epochs else ""
    every = [run for runs in found.values() for run in runs.values()]
    print(f"One seed, 95% intervals and verdicts over people.{capping} {limits}. Runs: {when_and_where(every)}.")


if __name__ == "__main__":
    main()
