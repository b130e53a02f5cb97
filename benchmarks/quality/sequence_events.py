"""What the values of events are worth as inputs of a sequence model: ratings, quantities and prices, beside the same model that reads items alone.

    python -m benchmarks.quality.sequence_events [ml-100k] [online-retail] [--seeds 0 1 2] [--epochs N] [--resume]

Everything but `events` is `eSASRec()`. The first seed of the model that reads items alone chooses the number of epochs in validation, and all
take as many; no other parameter was tuned, and the test part is asked once per seed. Finished runs are kept (see `kit/runs.py`), so that an interrupted call goes on. Prints a table in Markdown for each log, and writes it into
its block of `RESULTS.md`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.options import log_options
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import data_folder
from benchmarks.kit.runs import Run, brief, capped, card, measured, spread, when_and_where
from benchmarks.quality.boards import JOBS

METRIC = "nDCG@10"
METRICS = (METRIC, "Recall@10", "HitRate@10")
BASELINE = "items alone"
PATIENCE = 3
PART = 8  # one customer of so many of Online Retail
s = vt.sequence


@dataclass(frozen=True)
class Log:
    """What is read, with which column as the value of an event; how it is cut; and how many epochs a loaded machine had time for, at most."""

    name: str
    read: Callable[[str], vt.Dataset]
    values: tuple[str, ...]
    rule: Any
    epochs: int

    def split(self, value: str) -> vt.split.Split:
        """The same events, questions and people, whatever the value."""
        return self.read(value).split(self.rule)


def online_retail(value: str) -> vt.Dataset:
    """Invoice lines of an eighth of the customers, without returns."""
    lines = pl.read_parquet(data_folder() / "online-retail" / "lines.parquet").filter(
        pl.col("quantity") > 0, pl.col("customer_id") > 0, pl.col("customer_id") % PART == 0, pl.col("stock_code").str.contains(r"^\d{5}")
    )
    return vt.read_interactions(
        lines.select("customer_id", "stock_code", "timestamp", value, "invoice"), user="customer_id", item="stock_code", time="timestamp",
        value=value, basket="invoice", name=f"an eighth of Online Retail, {value}",
    )  # fmt: skip


LOGS = {
    "ml-100k": Log("MovieLens-100K", lambda _: JOBS["ml-100k"].load(), ("rating",), vt.split.GlobalTime(quantile=0.8, repeat=False), 12),
    "online-retail": Log(
        "an eighth of Online Retail", online_retail, ("quantity", "price"), vt.split.GlobalTime(days=60, target="basket", repeat=True), 6
    ),
}


def seeds_of(log: str, value: str | None, options: argparse.Namespace, epochs: int = 0) -> list[Run]:
    """A run of each seed of a model; without `epochs` the first one stops by the holdout, and the others take as many as were best."""
    split, runs = LOGS[log].split(value or LOGS[log].values[0]), list[Run]()
    print(split, file=sys.stderr, flush=True)
    for seed in options.seeds:
        training = s.Training(patience=None, epochs=epochs) if epochs else s.Training(patience=PATIENCE)
        events = s.EventInputs(kinds=False) if value else None
        model = capped(vt.eSASRec(events=events, training=training, seed=seed), options.epochs or LOGS[log].epochs)
        runs.append(measured(model, split, METRICS, resume=options.resume))
        epochs = epochs or max(runs[0].best_epoch, 1)
        print(f"{log}, {value or BASELINE}, seed {seed}: {METRIC} {runs[-1][METRIC]:.4f}", file=sys.stderr, flush=True)
    return runs


def runs_of(log: str, options: argparse.Namespace) -> dict[str, list[Run]]:
    """For each model a run of each seed."""
    values = LOGS[log].values
    rows = {"co-occurrence": [measured(vt.Cooccurrence(), LOGS[log].split(values[0]), METRICS, resume=options.resume)]}
    rows[BASELINE] = seeds_of(log, None, options)
    epochs = max(rows[BASELINE][0].best_epoch, 1)
    return rows | {f"with the {value} of each event": seeds_of(log, value, options, epochs) for value in values}


def paired(rows: Mapping[str, Sequence[Run]]) -> dict[str, str]:
    """Each model against the baseline, by the mean of its seeds per query; the interval has people and seeds in it."""
    columns = {name: np.mean([_column(run) for run in runs], axis=0) for name, runs in rows.items()}
    seeds = {name: float(np.var([run[METRIC] for run in runs], ddof=1)) / len(runs) for name, runs in rows.items() if len(runs) > 1}
    users = rows[BASELINE][0].per_query["user"].to_numpy()
    found = vt.evaluate.compare_paired(columns, BASELINE, users, more=seeds)
    said = {
        row["model"]: f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f}), {brief(row['verdict'])}"
        for row in found.iter_rows(named=True)
    }
    return said | {BASELINE: "the baseline"}


def _column(run: Run) -> Any:
    return run.per_query[METRIC].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def table(log: str, rows: Mapping[str, Sequence[Run]]) -> Iterator[str]:
    verdicts = paired(rows)
    yield f"**{LOGS[log].name}**\n\n{card(LOGS[log].split(LOGS[log].values[0]))}\n"
    yield f"| model | {METRIC} of the seeds | against items alone | {' | '.join(METRICS[1:])} | epochs |"
    yield f"|{'---|' * (3 + len(METRICS))}"
    for name, runs in rows.items():
        others = " | ".join(f"{np.mean([run[metric] for run in runs]):.4f}" for metric in METRICS[1:])
        epochs = runs[-1].epochs or ""
        yield f"| {name} | {spread([run[METRIC] for run in runs])} | {verdicts[name]} | {others} | {epochs} |"


def main() -> None:
    options = log_options(__doc__, LOGS, [0, 1, 2])
    found = {log: runs_of(log, options) for log in options.logs}
    most = {name: options.epochs or LOGS[name].epochs for name in found}
    capping = f" At most {', '.join(f'{epochs} epochs on {name}' for name, epochs in most.items())}; where a table has as many, more may be better."
    every = [run for rows in found.values() for runs in rows.values() for run in runs]
    text = "\n\n".join("\n".join(table(log, rows)) for log, rows in found.items()) + (
        f"\n\nThe last part of the time is asked once; the first seed of the model that reads items alone chooses the epochs by the holdout of the training part (patience {PATIENCE}). Seeds "
        f"{', '.join(map(str, options.seeds))}; 95% intervals over people and seeds.{capping} {machine()}. Runs: {when_and_where(every)}."
    )
    print(text)
    keep(RESULTS, "quality.sequence_events", text)


if __name__ == "__main__":
    main()
