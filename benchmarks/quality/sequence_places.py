"""Blocks that know places and no times, beside LiGR, on MovieLens-1M, whose only time is an order: each person's last item is asked.

    python -m benchmarks.quality.sequence_places [ml-1m] [--seeds 0 1 2] [--epochs N] [--resume] [--finished]

Everything but the block is `eSASRec()`, at a rate of 3e-3 for other blocks than LiGR, as `SASRec()` and `BERT4Rec()` have; nothing was searched. Finished runs are kept (see
`kit/runs.py`), all models of a seed before the next seed; a fit takes a quarter of an hour or more. `--finished` prints what there is without fitting anything. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.options import log_options
from benchmarks.kit.runs import Run, brief, capped, card, compared, finished, leave_one_out, measured, spread, when_and_where
from vitrina.board.order import transitions

METRICS = ("nDCG@10", "Recall@10", "Coverage@10")
LIGR = "LiGR, `eSASRec()`"
RATE = 3e-3
s = vt.sequence
OTHERS = {
    "HSTU": s.HSTU(times=False),
    "FuXi-alpha": s.FuXiAlpha(times=False),
    "FuXi-beta": s.FuXiBeta(times=False),
    "FuXi-Linear": s.FuXiLinear(times=False),
    "LiGR, relative positions": s.LiGR(positions=s.RelativePositions()),
    "LiGR, rotary positions": s.LiGR(positions=s.Rotary()),
}


def models(seed: int) -> dict[str, Any]:
    slower = s.Training(learning_rate=RATE)
    others = {
        name: vt.eSASRec(block=block, seed=seed) if isinstance(block, s.LiGR) else vt.eSASRec(block=block, training=slower, seed=seed)
        for name, block in OTHERS.items()
    }
    return {LIGR: vt.eSASRec(seed=seed)} | others


def table(name: str, split: vt.split.Split, rows: dict[str, list[Run]]) -> Iterator[str]:
    verdicts = compared(rows, LIGR) if LIGR in rows else {}
    yield f"**{name}**\n\n{card(split)}\n"
    yield f"| model | nDCG@10, first seed | against LiGR | nDCG@10 of the seeds | seeds | Recall@10 | Coverage@10 | fit, s | best epoch |\n|{'---|' * 9}"
    for model, runs in rows.items():
        value, low, high = runs[0].numbers["nDCG@10"]
        means = [f"{np.mean([run[metric] for run in runs]):.4f}" for metric in METRICS[1:]]
        cells = [
            model, f"{value:.4f} ({low:.4f} to {high:.4f})", brief(verdicts.get(model, "")), spread([run["nDCG@10"] for run in runs]), str(len(runs)), *means,
            f"{np.mean([run.fit for run in runs]):.0f}", ", ".join(f"{run.best_epoch} of {run.epochs}" for run in runs if run.epochs),
        ]  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def runs_of(name: str, split: vt.split.Split, options: argparse.Namespace) -> dict[str, list[Run]]:
    rows: dict[str, list[Run]] = {}
    every = [("Transitions", transitions()), *(pair for seed in options.seeds for pair in models(seed).items())]
    for model, config in every:
        run = (finished if options.finished else measured)(capped(config, options.epochs), split, METRICS, resume=options.resume)
        if run is not None:
            rows.setdefault(model, []).append(run)
            print(
                f"{name}, {model}: nDCG@10 {run['nDCG@10']:.4f}, Recall@10 {run['Recall@10']:.4f}, {run.fit:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    return rows


def main() -> None:
    options = log_options(__doc__, ["ml-1m"], [0, 1, 2], finished=True)
    limits = machine()
    found = {name: (split := leave_one_out(name), runs_of(name, split, options)) for name in options.logs}
    runs = [run for _, rows in found.values() for own in rows.values() for run in own]
    if not runs:
        sys.exit("No run of these is kept yet.")
    for name, (split, rows) in found.items():
        print("\n".join(table(name, split, rows)), end="\n\n")
    capping = f" At most {options.epochs} epochs." if options.epochs else ""
    print(
        f"Fitted on all but the last item of each person, stopped by the last but one of some; nothing was chosen on the last. HSTU with places alone has Recall@10 .3023 in "
        f"RecTools' tutorial (100 epochs, 128 negatives). Means over the seeds that are finished (of {', '.join(map(str, options.seeds))}) but for the first column; 95% intervals "
        f"over people, verdicts over people and seeds.{capping} {limits}. Runs: {when_and_where(runs)}."
    )


if __name__ == "__main__":
    main()
