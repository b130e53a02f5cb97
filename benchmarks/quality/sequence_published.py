"""`eSASRec()` as it comes on three public logs, beside published numbers: prints tables in Markdown.

    python -m benchmarks.quality.sequence_published [amazon-beauty] [amazon-sports] [ml-1m] [--seeds 0 1 2] [--epochs N] [--resume]

Leave-one-out, full ranking, items of the history left out. One recipe, that of the default, fits all: early stopping on the holdout of the
training part, the test part looked at once per seed. Finished runs are kept in `benchmarks/.cache/sequence`, so an interrupted script goes on;
`--resume` takes those of older code too. Hours for all three on two cores: the seconds of each fit are in the table.

What tuning for a log would bring is in `sequence_tuned.py`.
Published: [eSASRec](https://arxiv.org/abs/2508.06450) and SASRec with sampled softmax on all three;
[ActionPiece](https://arxiv.org/abs/2502.13581) and [TIGER](https://arxiv.org/abs/2305.05065) on the Amazon data;
[SASRec with the full softmax or 3,000 negatives, BERT4Rec, SASRec](https://arxiv.org/abs/2309.07602) and
[gSASRec](https://arxiv.org/abs/2308.07192) on ml-1m.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.options import log_options
from benchmarks.kit.runs import Run, capped, leave_one_out, measured, spread, when_and_where

METRICS = ("Recall@10", "nDCG@10")
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Log:
    """One log: what to reach, and what was published."""

    target: tuple[float, float]  # Recall@10, nDCG@10
    published: Mapping[str, tuple[float, float]]


LOGS = {
    "amazon-beauty": Log(
        (0.0928, 0.0531),
        {
            "eSASRec": (0.0928, 0.0523),
            "SASRec, sampled softmax": (0.0921, 0.0531),
            "ActionPiece": (0.0775, 0.0424),
            "TIGER": (0.0648, 0.0384),
        },
    ),
    "amazon-sports": Log(
        (0.0569, 0.0323),
        {
            "eSASRec": (0.0560, 0.0323),
            "SASRec, sampled softmax": (0.0569, 0.0314),
            "ActionPiece": (0.0500, 0.0264),
            "TIGER": (0.0400, 0.0225),
        },
    ),
    "ml-1m": Log(
        (0.3159, 0.1857),
        {
            "SASRec, 3,000 negatives": (0.3159, 0.1857),
            "SASRec, full softmax": (0.3152, 0.1821),
            "eSASRec, all 3,706 items": (0.3133, 0.1772),
            "gSASRec": (0.3003, 0.1726),
            "BERT4Rec": (0.2843, 0.1537),
            "SASRec": (0.2500, 0.1341),
        },
    ),
}


def runs_of(name: str, options: argparse.Namespace) -> list[Run]:
    """One run per seed."""
    split = leave_one_out(name)
    found = []
    for seed in options.seeds:
        model = capped(vt.eSASRec(seed=seed), options.epochs)
        run = measured(model, split, METRICS, resume=options.resume)
        numbers = ", ".join(f"{metric} {run[metric]:.4f}" for metric in METRICS)
        print(f"{name}, {model!r}: {numbers}, {run.fit:.0f} s, epoch {run.best_epoch} of {run.epochs}", file=sys.stderr, flush=True)
        found.append(run)
    return found


def rows(name: str, log: Log, runs: Sequence[Run]) -> Iterator[str]:
    """The default and the published numbers."""
    cells = [spread([run[metric] for run in runs]) for metric in METRICS]
    epochs = ", ".join(f"{run.best_epoch} of {run.epochs}" for run in runs)
    yield f"| {name} | `eSASRec()` | {' | '.join(cells)} | {np.mean([run.fit for run in runs]):.0f} | {epochs} |"
    for paper, numbers in log.published.items():
        yield f"| {name} | {paper}, published | {' | '.join(f'{number:.4f}' for number in numbers)} | | |"


def verdict(name: str, log: Log, runs: Sequence[Run]) -> str:
    """Whether the target is reached, counting a mean within one sampling error below it."""
    parts = []
    for metric, wanted in zip(METRICS, log.target, strict=True):
        mean, error = float(np.mean([run[metric] for run in runs])), runs[0].error(metric)
        short = wanted - mean
        how = "reached" if short <= 0 else "reached within one sampling error" if short <= error else f"short by {short:.4f}"
        parts.append(f"{metric} {mean:.4f} of {wanted:.4f}, {how} (one sampling error is {error:.4f})")
    return f"- {name}: {'; '.join(parts)}."


def main() -> None:
    options = log_options(__doc__, LOGS, SEEDS)
    chosen = {name: LOGS[name] for name in options.logs}
    limits = machine()
    found = {name: runs_of(name, options) for name in chosen}
    every = [run for runs in found.values() for run in runs]
    capping = f", at most {options.epochs} epochs" if options.epochs else ""
    print(
        f"Leave-one-out, full ranking, seen items left out{capping}; seeds {', '.join(map(str, options.seeds))}: mean (least to most). "
        f"{limits}. Runs: {when_and_where(every)}.\n"
    )
    print("| log | model | Recall@10 | nDCG@10 | fit, s | best epoch |\n|---|---|---|---|---|---|")
    for name, log in chosen.items():
        print("\n".join(rows(name, log, found[name])))
    print()
    print("\n".join(verdict(name, log, found[name]) for name, log in chosen.items()))


if __name__ == "__main__":
    main()
