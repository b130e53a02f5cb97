"""`eSASRec()` as it comes on three public logs, beside published numbers of the same protocol: prints tables in Markdown.

    python -m benchmarks.quality.sequence_published [amazon-beauty] [amazon-sports] [ml-1m] [--seeds 0 1 2] [--epochs N] [--resume]

Leave-one-out, full ranking, in two tables. *Strict*: trained without everybody's last two items, stopped by the last but one, asked for the last; once
with the items of the history left out and once with nothing left out, in columns of their own. Published rows that were made so stand there, in the
columns that are theirs. *Retrained*: the last but one of all but 5,000 people is learned too; no published row is known to be made so. Finished runs are kept in
`benchmarks/.cache/sequence`, so an interrupted script goes on; `--resume` takes those of older code too. Hours for all on two cores: the seconds of each
fit are in the table. What tuning for a log would bring is in `sequence_tuned.py`.

Published, strict by their code: SASRec with the full cross-entropy, chosen of 108 settings in validation, in the result files of
[Time-to-Split](https://github.com/monkey0head/time-to-split); [BSARec](https://github.com/yehjin-shin/BSARec), the log of its best run;
[eSASRec](https://arxiv.org/abs/2508.06450) and SASRec with sampled softmax; [ActionPiece](https://arxiv.org/abs/2502.13581), which leaves nothing out;
[SASRec with the full softmax or 3,000 negatives, BERT4Rec, SASRec](https://arxiv.org/abs/2309.07602) and [gSASRec](https://arxiv.org/abs/2308.07192) on ml-1m.
Amazon's times are days: files with the same people and items agree on the last item of 71% of the people only, so differences of 2 or 3% may be that alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.options import log_options
from benchmarks.kit.runs import UNFILTERED, Run, capped, card, leave_one_out, measured, spread, when_and_where

METRICS = ("Recall@10", "nDCG@10")
SEEDS = (0, 1, 2)
Published = Mapping[str, tuple[float, float]]  # Recall@10, nDCG@10


@dataclass(frozen=True)
class Log:
    """What was published for a log under the strict protocol, with the items of the history left out and with nothing left out."""

    filtered: Published
    unfiltered: Published = field(default_factory=dict)


LOGS = {
    "amazon-beauty": Log(
        {
            "BSARec": (0.1008, 0.0611),
            "SASRec, full cross-entropy (Time-to-Split)": (0.0974, 0.0588),
            "SASRec, sampled softmax": (0.0921, 0.0531),
            "eSASRec": (0.0928, 0.0523),
        },
        {"ActionPiece": (0.0775, 0.0424)},
    ),
    "amazon-sports": Log(
        {
            "SASRec, full cross-entropy (Time-to-Split)": (0.0562, 0.0329),
            "eSASRec": (0.0560, 0.0323),
            "SASRec, sampled softmax": (0.0569, 0.0314),
        },
        {"ActionPiece": (0.0500, 0.0264)},
    ),
    "ml-1m": Log(
        {
            "SASRec, 3,000 negatives": (0.3159, 0.1857),
            "SASRec, full cross-entropy (Time-to-Split)": (0.3206, 0.1857),
            "SASRec, full softmax": (0.3152, 0.1821),
            "gSASRec": (0.3003, 0.1726),
            "BERT4Rec": (0.2843, 0.1537),
            "SASRec": (0.2500, 0.1341),
        },
    ),
}


def runs_of(name: str, options: argparse.Namespace, *, strict: bool) -> list[Run]:
    """One run per seed."""
    split = leave_one_out(name, strict=strict)
    found = []
    for seed in options.seeds:
        model = capped(vt.eSASRec(seed=seed), options.epochs)
        run = measured(model, split, METRICS, resume=options.resume, unfiltered=strict)
        numbers = ", ".join(f"{metric} {run[metric]:.4f}" for metric in METRICS)
        print(f"{split!r}, {model!r}: {numbers}, {run.fit:.0f} s, epoch {run.best_epoch} of {run.epochs}", file=sys.stderr, flush=True)
        found.append(run)
    return found


def strict_table(found: Mapping[str, Sequence[Run]]) -> Iterator[str]:
    """The default and the published numbers, in the columns that are theirs."""
    heads = [f"{metric}, {how}" for how in ("seen left out", UNFILTERED) for metric in METRICS]
    yield f"| log | model | seeds | {' | '.join(heads)} | fit, s | best epoch |\n|{'---|' * (len(heads) + 5)}"
    for name, runs in found.items():
        cells = [spread([run[metric] for run in runs]) for metric in (*METRICS, *(f"{metric}, {UNFILTERED}" for metric in METRICS))]
        yield f"| {name} | `eSASRec()` | {len(runs)} | {' | '.join(cells)} | {_fit(runs)} |"
        for paper, numbers in LOGS[name].filtered.items():
            yield f"| {name} | {paper}, published | | {_published(numbers)} | | | | |"
        for paper, numbers in LOGS[name].unfiltered.items():
            yield f"| {name} | {paper}, published | | | | {_published(numbers)} | | |"


def retrained_table(found: Mapping[str, Sequence[Run]]) -> Iterator[str]:
    """The default alone: nothing that is published is known to be made so."""
    yield f"| log | model | seeds | {' | '.join(METRICS)} | fit, s | best epoch |\n|{'---|' * 7}"
    for name, runs in found.items():
        cells = [spread([run[metric] for run in runs]) for metric in METRICS]
        yield f"| {name} | `eSASRec()` | {len(runs)} | {' | '.join(cells)} | {_fit(runs)} |"


def _fit(runs: Sequence[Run]) -> str:
    return f"{np.mean([run.fit for run in runs]):.0f} | {', '.join(f'{run.best_epoch} of {run.epochs}' for run in runs)}"


def _published(numbers: tuple[float, float]) -> str:
    return " | ".join(f"{number:.4f}" for number in numbers)


def section(options: argparse.Namespace, *, strict: bool) -> Iterator[str]:
    """Title, a protocol per log, table, how it was made."""
    found = {name: runs_of(name, options, strict=strict) for name in options.logs}
    yield f"**{'Strict' if strict else 'Retrained'}**\n"
    yield from (f"- {card(leave_one_out(name, strict=strict), name)}" for name in found)
    yield ""
    yield from strict_table(found) if strict else retrained_table(found)
    every = [run for runs in found.values() for run in runs]
    errors = ", ".join(f"{runs[0].error('nDCG@10'):.4f} on {name}" for name, runs in found.items())
    yield f"\nSeeds: mean (least to most). One sampling error of nDCG@10: {errors}. Runs: {when_and_where(every)}.\n"


def main() -> None:
    options = log_options(__doc__, LOGS, SEEDS)
    capping = f" At most {options.epochs} epochs." if options.epochs else ""
    limits = machine()
    for strict in (True, False):
        print("\n".join(section(options, strict=strict)))
    print(f"{limits}.{capping}")


if __name__ == "__main__":
    main()
