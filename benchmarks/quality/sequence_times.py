"""What the times of events are worth: HSTU and the three FuXi blocks without times, with those of the history and with that of the target, beside LiGR and counts.

    python -m benchmarks.quality.sequence_times [ml-100k] [amazon-grocery] [--seeds 0 1 2] [--epochs N] [--resume] [--finished]

Everything but the block is `eSASRec()`, but for the rate (`RATES`). Both logs are cut at one moment, and everybody who comes after it is asked at each moment they come: the moment
of asking is then that of the target, so that rows of models that read it are marked. Counts of order and content are those that a comparison puts on
its board by itself. Finished runs are kept (see `kit/runs.py`), all models of a seed before the next seed; `--finished` prints what there is without
fitting anything. Prints a table in Markdown for each log.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.options import log_options
from benchmarks.kit.places import data_folder
from benchmarks.kit.runs import Run, brief, capped, card, compared, finished, measured, spread, when_and_where
from benchmarks.quality.boards import JOBS
from vitrina.board.order import BOTH, COUNTS, transitions, with_content

METRICS = ("nDCG@10", "Recall@10", "HitRate@10", "Coverage@10")
LIGR = "LiGR, `eSASRec()`"
PATIENCE = 5
RULE = vt.split.GlobalTime(quantile=0.8, repeat=False)
BLOCKS = {
    "HSTU": vt.sequence.HSTU,
    "FuXi-alpha": vt.sequence.FuXiAlpha,
    "FuXi-beta": vt.sequence.FuXiBeta,
    "FuXi-Linear": vt.sequence.FuXiLinear,
}
# the best of 5e-3 (the default), 3e-3 and 1.5e-3 in validation of ml-100k, first seed
RATES = {"HSTU": 5e-3, "FuXi-alpha": 1.5e-3, "FuXi-beta": 3e-3, "FuXi-Linear": 3e-3}
WITHOUT, WITH, TOLD = "no times", "times of the history", "time of the target"


def grocery() -> vt.Dataset:
    """A third of the people of Amazon Grocery, in steps of a day; the last two events of each person are not in the file."""
    folder = data_folder() / "amazon-grocery"
    log = pl.read_parquet(folder / "interactions.parquet").filter(pl.col("user_id") % 3 == 0)
    items = pl.read_parquet(folder / "items.parquet").select("item_id", pl.col("category").cast(pl.String))
    return vt.read_interactions(
        log, time="timestamp", time_unit="s", items=items, item_kinds={"category": "category"}, name="a third of Amazon Grocery"
    )


LOGS = {"ml-100k": JOBS["ml-100k"].load, "amazon-grocery": grocery}
COUNTING = {COUNTS: transitions(), BOTH: with_content(), "popularity": vt.Popularity()}


def networks(seed: int) -> dict[str, Any]:
    models = {LIGR: vt.eSASRec(training=vt.sequence.Training(patience=PATIENCE), seed=seed)}
    for name, block in BLOCKS.items():
        training = vt.sequence.Training(patience=PATIENCE, learning_rate=RATES[name])
        models[f"{name}, {WITHOUT}"] = vt.eSASRec(block=block(times=False), training=training, seed=seed)
        models[f"{name}, {WITH}"] = vt.eSASRec(block=block(), training=training, seed=seed)
        models[f"{name}, {TOLD}"] = vt.eSASRec(block=block(), reads_now=True, training=training, seed=seed)
    return models


@dataclass
class Log:
    """A log, its split, and the runs of each model that are finished."""

    name: str
    split: vt.split.Split
    rows: dict[str, list[Run]] = field(default_factory=dict)

    def run(self, name: str, model: Any, options: argparse.Namespace) -> None:
        one = finished if options.finished else measured
        run = one(capped(model, options.epochs), self.split, METRICS, resume=options.resume)
        if run is not None:
            self.rows.setdefault(name, []).append(run)
            print(f"{self.name}, {name}: nDCG@10 {run['nDCG@10']:.4f}, {run.fit:.0f} s", file=sys.stderr, flush=True)

    def verdicts(self, baseline: str) -> dict[str, str]:
        return {} if baseline not in self.rows else compared(self.rows, baseline)


def table(log: Log) -> Iterator[str]:
    against = {"LiGR": log.verdicts(LIGR), f"{BOTH}": log.verdicts(BOTH)}
    itself = own(log)
    yield f"**{log.name}**\n\n{card(log.split)}\n"
    heads = [
        "model",
        "nDCG@10, first seed",
        *(f"against {name}" for name in against),
        "against itself without times",
        "nDCG@10 of the seeds",
    ]
    heads += ["seeds", *METRICS[1:], "fit, s", "answer, s", "best epoch"]
    yield f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}"
    for name, runs in log.rows.items():
        value, low, high = runs[0].numbers["nDCG@10"]
        marks = f" (**{'; '.join(runs[0].marks)}**)" if runs[0].marks else ""
        cells = [f"{name}{marks}", f"{value:.4f} ({low:.4f} to {high:.4f})", *(brief(found.get(name, "")) for found in against.values())]
        cells += [brief(itself.get(name, "")), spread([run["nDCG@10"] for run in runs]), str(len(runs))]
        cells += [f"{np.mean([run[metric] for run in runs]):.4f}" for metric in METRICS[1:]]
        cells += [f"{np.mean([getattr(run, part) for run in runs]):.1f}" for part in ("fit", "answer")]
        yield f"| {' | '.join([*cells, ', '.join(f'{run.best_epoch} of {run.epochs}' for run in runs if run.epochs)])} |"


def own(log: Log) -> dict[str, str]:
    """Each block with times against the same without."""
    found: dict[str, str] = {}
    for name in BLOCKS:
        kinds = {kind: log.rows[f"{name}, {kind}"] for kind in (WITHOUT, WITH, TOLD) if f"{name}, {kind}" in log.rows}
        if WITHOUT in kinds and len(kinds) > 1:
            found |= {f"{name}, {kind}": verdict for kind, verdict in compared(kinds, WITHOUT).items() if kind != WITHOUT}
    return found


def printed(logs: Sequence[Log], options: argparse.Namespace, limits: str) -> str:
    runs = [run for log in logs for own_runs in log.rows.values() for run in own_runs]
    capping = f" At most {options.epochs} epochs." if options.epochs else ""
    below = (
        f"Fitted on the first four fifths of time, stopped by the end of them (patience {PATIENCE}) and trained again on all of them; the last fifth is asked, seen "
        f"items left out, all others ranked. Nothing was chosen on it. Means over the seeds that are finished (of {', '.join(map(str, options.seeds))}) but for the first "
        f"column; 95% intervals over people; verdicts over people and seeds, corrected for the number of models.{capping} {limits}. Runs: {when_and_where(runs)}."
    )
    return "\n\n".join(["\n".join(table(log)) for log in logs] + [below])


def main() -> None:
    options = log_options(__doc__, LOGS, [0, 1, 2], finished=True)
    limits = machine()
    logs = [Log(name, LOGS[name]().split(RULE)) for name in options.logs]
    every: Mapping[str, Any] = COUNTING
    for log in logs:
        for name, model in every.items():
            log.run(name, model, options)
    for seed in options.seeds:
        for log in logs:
            for name, model in networks(seed).items():
                log.run(name, model, options)
    if not any(log.rows for log in logs):
        sys.exit("No run of these is kept yet.")
    print(printed(logs, options, limits))


if __name__ == "__main__":
    main()
