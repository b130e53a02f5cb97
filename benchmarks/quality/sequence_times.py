"""What the times of events are worth: HSTU with and without its bias for times, beside LiGR, on logs with real time.

    python -m benchmarks.quality.sequence_times [ml-100k] [amazon-grocery] [--seeds 0 1] [--epochs N] [--resume]

Everything but the block is `eSASRec()`. Both logs are cut at one moment, and everybody who comes after it is asked at each moment they come, so that the
moment of asking is known to all; models without times don't look at it. Finished runs are kept (see `kit/runs.py`). Prints a table in Markdown for
each log.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.options import log_options
from benchmarks.kit.places import data_folder
from benchmarks.kit.runs import Run, brief, capped, card, compared, measured, spread, when_and_where
from benchmarks.quality.boards import JOBS

METRICS = ("nDCG@10", "Recall@10", "HitRate@10", "Coverage@10")
BASELINE = "LiGR, `eSASRec()`"
PATIENCE = 5
RULE = vt.split.GlobalTime(quantile=0.8, repeat=False)
s = vt.sequence


def grocery() -> vt.Dataset:
    """A third of the people of Amazon Grocery, in steps of a day; the last two events of each person are not in the file."""
    folder = data_folder() / "amazon-grocery"
    log = pl.read_parquet(folder / "interactions.parquet").filter(pl.col("user_id") % 3 == 0)
    return vt.read_interactions(log, time="timestamp", time_unit="s", name="a third of Amazon Grocery")


LOGS = {"ml-100k": JOBS["ml-100k"].load, "amazon-grocery": grocery}


def networks(seed: int) -> dict[str, Any]:
    training = s.Training(patience=PATIENCE)
    blocks = {BASELINE: s.LiGR(), "HSTU": s.HSTU(), "HSTU, places only": s.HSTU(times=False)}
    return {name: vt.eSASRec(block=block, training=training, seed=seed) for name, block in blocks.items()}


COUNTS = {"co-occurrence": vt.Cooccurrence(), "popularity": vt.Popularity()}


def runs_of(log: str, options: argparse.Namespace) -> dict[str, list[Run]]:
    """For each model a run of each seed; models that count have none."""
    split = LOGS[log]().split(RULE)
    print(split, file=sys.stderr, flush=True)
    rows: dict[str, list[Run]] = {name: [measured(model, split, METRICS, resume=options.resume)] for name, model in COUNTS.items()}
    for seed in options.seeds:
        for name, model in networks(seed).items():
            run = measured(capped(model, options.epochs), split, METRICS, resume=options.resume)
            rows.setdefault(name, []).append(run)
            print(f"{log}, {name}, seed {seed}: nDCG@10 {run['nDCG@10']:.4f}, {run.fit:.0f} s", file=sys.stderr, flush=True)
    return rows


def table(log: str, rows: Mapping[str, Sequence[Run]]) -> Iterator[str]:
    verdicts = compared({name: runs[0] for name, runs in rows.items()}, BASELINE)
    yield f"**{log}**\n\n{card(LOGS[log]().split(RULE))}\n"
    yield "| model | nDCG@10, first seed | against LiGR | nDCG@10 of the seeds | Recall@10 | HR@10 | Coverage@10 | fit, s | answer, s | best epoch |"
    yield f"|{'---|' * 10}"
    for name, runs in rows.items():
        value, low, high = runs[0].numbers["nDCG@10"]
        others = " | ".join(f"{np.mean([run[metric] for run in runs]):.4f}" for metric in METRICS[1:])
        epochs = ", ".join(f"{run.best_epoch} of {run.epochs}" for run in runs if run.epochs)
        seconds = " | ".join(f"{np.mean([getattr(run, part) for run in runs]):.1f}" for part in ("fit", "answer"))
        yield (
            f"| {name} | {value:.4f} ({low:.4f} to {high:.4f}) | {brief(verdicts[name])} | {spread([run['nDCG@10'] for run in runs])} | {others} | "
            f"{seconds} | {epochs} |"
        )


def main() -> None:
    options = log_options(__doc__, LOGS, [0, 1])
    limits = machine()
    found = {log: runs_of(log, options) for log in options.logs}
    for log, rows in found.items():
        print("\n".join(table(log, rows)), end="\n\n")
    capping = f" At most {options.epochs} epochs." if options.epochs else ""
    every = [run for rows in found.values() for runs in rows.values() for run in runs]
    print(
        f"Fitted on the first four fifths of time, stopped by the end of them (patience {PATIENCE}) and trained again on all of them; the last fifth is asked, seen items "
        f"left out, all others ranked. Seeds {', '.join(map(str, options.seeds))}, means over them but for the first column; 95% intervals and verdicts over people.{capping} {limits}. Runs: "
        f"{when_and_where(every)}."
    )


if __name__ == "__main__":
    main()
