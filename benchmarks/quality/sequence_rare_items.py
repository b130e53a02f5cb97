"""Rare items: ids, content alone, ids and content, on Amazon Beauty; all targets, and those with fewer than 5 training interactions.

    python -m benchmarks.quality.sequence_rare_items [--seeds 0] [--epochs N] [--resume]

Leave-one-out, full ranking, items of the history left out. Content is the titles and attributes of the items. Finished runs are kept (see
`kit/runs.py`). Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.runs import Run, capped, card, leave_one_out, measured, when_and_where

METRICS = ("nDCG@10", "Recall@10")
RARE = 5  # training interactions


def models(seed: int) -> dict[str, Any]:
    s = vt.sequence
    return {
        "`eSASRec()`, ids": vt.eSASRec(seed=seed),
        "`embed=ContentProjection()`, content alone": vt.eSASRec(embed=s.ContentProjection(), seed=seed),
        "`embed=SumOf(parts=(Ids(), ContentProjection()))`": vt.eSASRec(embed=s.SumOf(parts=(vt.eSASRec().embed, s.ContentProjection())), seed=seed),
    }  # fmt: skip


def baselines() -> dict[str, Any]:
    return {"`ContentSimilarity()`": vt.ContentSimilarity(), "`Cooccurrence()`": vt.Cooccurrence()}


def groups(split: vt.split.Split) -> dict[str, pl.Series]:
    """Which queries ask for a rare item, null for the others. Leave-one-out asks one item per person."""
    events = pl.Series(split.train.catalogue.events[split.truth.values])
    groups = {"all": events >= 0, f"fewer than {RARE}": events < RARE, "never in training": events == 0}
    return {name: pl.select(pl.when(inside).then(pl.lit(name))).to_series() for name, inside in groups.items()}


def table(split: vt.split.Split, runs: dict[str, Run]) -> Iterator[str]:
    labels = groups(split)
    heads = [f"{metric}, {name} ({label.count():,})" for name, label in labels.items() for metric in METRICS]
    yield f"| model | {' | '.join(heads)} | fit, s | best epoch |\n|{'---|' * (len(heads) + 3)}"
    for name, run in runs.items():
        rows = {(row["group"], row["metric"]): row for row in vt.evaluate.by_slice(run.per_query, labels, METRICS).iter_rows(named=True)}
        cells = [_cell(rows[group, metric], metric) for group in labels for metric in METRICS]
        yield f"| {name} | {' | '.join(cells)} | {run.fit:.0f} | {f'{run.best_epoch} of {run.epochs}' if run.epochs else ''} |"


def _cell(row: dict[str, Any], metric: str) -> str:
    return f"{row['value']:.4f}" + (f" ({row['low']:.4f} to {row['high']:.4f})" if metric == METRICS[0] else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, help="at most so many, for a quick try")
    parser.add_argument("--resume", action="store_true", help="take finished runs of older code too")
    options = parser.parse_args()
    limits, split = machine(), leave_one_out("amazon-beauty", described=True)
    chosen = baselines()
    for seed in options.seeds:
        told = f", seed {seed}" if len(options.seeds) > 1 else ""
        chosen |= {name + told: capped(model, options.epochs) for name, model in models(seed).items()}
    runs = {}
    for name, model in chosen.items():
        runs[name] = run = measured(model, split, METRICS, resume=options.resume)
        print(f"{name}: nDCG@10 {run['nDCG@10']:.4f}, {run.fit:.0f} s", file=sys.stderr, flush=True)
    print(f"{card(split)}\n")
    print("\n".join(table(split, runs)))
    capping = f" At most {options.epochs} epochs." if options.epochs else ""
    print(
        f"\nAmazon Beauty, leave-one-out; targets by their interactions in training (how many were asked). 95% intervals over people.{capping} "
        f"{limits}. Runs: {when_and_where(runs.values())}."
    )


if __name__ == "__main__":
    main()
