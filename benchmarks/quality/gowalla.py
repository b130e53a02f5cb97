"""Recall@20 and nDCG@20 on Gowalla with the split of LightGCN: EASE and co-occurrence, tuned on a part of train only.

    python -m benchmarks.quality.gowalla [--items 12000]

Protocol of [He et al. 2020](https://arxiv.org/abs/2002.02126): every person of the test part is asked once, items of the training part
are left out, all others are ranked. A random tenth of each person's training items is held out for validation; EASE (with a dropout it is EDLAE) is tuned there on
the `--items` most frequent items, and fitted once on all. The test part is looked at once for each model.
Published ([BARS](https://openbenchmark.github.io/BARS)): EASE .1765 / .1467, item co-occurrence .1570.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.places import data_folder
from benchmarks.kit.runs import card
from vitrina.evaluate.run import evaluate

METRICS = ("Recall@20", "nDCG@20")
K = 20


def gowalla() -> vt.split.Split:
    log = pl.read_parquet(data_folder() / "gowalla" / "interactions.parquet")
    data = vt.read_interactions(log, kind="split", name="gowalla")
    return vt.split.given(data, "test", repeat=False, holdout=vt.split.RandomShare(share=0.1))


def judged(model: Any, split: vt.split.Split, *, intervals: bool = False) -> dict[str, Any]:
    begin = time.perf_counter()
    fitted = model.fit(split.train)
    between = time.perf_counter()
    lists = fitted.recommend(split.queries, K, eligible=split.eligible)
    seconds = between - begin, time.perf_counter() - between
    numbers = evaluate(lists, split, METRICS, intervals=intervals).numbers
    found = {row["metric"]: row for row in numbers.to_dicts()}
    print(
        f"    {model!r}: " + ", ".join(f"{m} {found[m]['value']:.4f}" for m in METRICS) + f" ({seconds[0]:.1f} + {seconds[1]:.1f} s)",
        flush=True,
    )
    return found | {"seconds": seconds}


def cooccurrences() -> list[vt.Cooccurrence]:
    w = vt.weighting
    weightings = [
        *(w.Cosine(shrinkage=s) for s in (0, 20, 50)),
        *(w.Jaccard(shrinkage=s) for s in (0, 100)),
        *(w.TfIdf(shrinkage=s) for s in (0, 300, 1000, 3000)),
        *(w.BM25(b=b) for b in (0.25, 0.5, 0.75)),
        *(w.ConditionalProbability(alpha=a) for a in (0.3, 0.5)),
    ]
    return [vt.Cooccurrence(weighting=weighting, neighbours=400) for weighting in weightings]


def around(best: vt.Cooccurrence) -> list[vt.Cooccurrence]:
    """The best weighting with other shrinkages, where it has one, and more neighbours."""
    shrinkage = getattr(best.weighting, "shrinkage", None)
    weightings = [best.weighting]
    if shrinkage:
        weightings = [type(best.weighting)(**dict(best.weighting) | {"shrinkage": shrinkage * f}) for f in (0.5, 0.7, 1, 1.4)]
    return [vt.Cooccurrence(weighting=weighting, neighbours=n) for weighting in weightings for n in (400, 1500, 5000)]


def tuned(models: list[Any], validation: vt.split.Split) -> Any:
    """The model with the best nDCG on validation."""
    return max(models, key=lambda model: judged(model, validation)["nDCG@20"]["value"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=12_000, help="most frequent items on which EASE is tuned")
    items = parser.parse_args().items
    limits, split = machine(), gowalla()
    validation = split.train.holdout()
    print("Validation:", flush=True)
    first = tuned(cooccurrences(), validation)
    cooccurrence = tuned(around(first), validation)
    grid = [vt.EASE(l2=l2, dropout=p, max_items=items) for p in (0, 0.3, 0.5) for l2 in (50, 100, 200)]
    best = tuned(grid, validation)
    ease = vt.EASE(l2=best.l2, dropout=best.dropout, max_items=split.train.n_items)
    print("Test:", flush=True)
    rows = [(model, judged(model, split, intervals=True)) for model in (cooccurrence, ease)]
    print(f"\n{limits}.\n\n{card(split, metric='nDCG@20')}\n")
    print("| model | Recall@20 | nDCG@20 | fit + recommend, s | validation |\n|---|---|---|---|---|")
    for model, found in rows:
        cells = (f"{found[m]['value']:.4f} [{found[m]['low']:.4f}, {found[m]['high']:.4f}]" for m in METRICS)
        tried = (
            f"best of {len(cooccurrences()) + len(around(first))}" if model is cooccurrence else f"best of {len(grid)}, on {items:,} items"
        )
        print(f"| `{model!r}` | {' | '.join(cells)} | {found['seconds'][0]:.1f} + {found['seconds'][1]:.1f} | {tried} |")


if __name__ == "__main__":
    main()
