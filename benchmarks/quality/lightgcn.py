"""LightGCN on MovieLens-100K with three losses, beside GF-CF, EASE and co-occurrence; what folding in costs people who are known.

    python -m benchmarks.quality.lightgcn [--epochs 60] [--seeds 3] [--trials 4]

Everybody's events are cut at one moment of time, the last tenth of events is asked person by person, items of the history are left out. Every model is tuned with the same number of trials on a part of
training that is cut off in the same way, and looks at the test part once per seed; numbers of LightGCN are means over the seeds. What is kept in the cache is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import CACHE
from benchmarks.kit.runs import card, changed
from benchmarks.quality.boards import ml_100k
from vitrina.base.config import fingerprint
from vitrina.evaluate.run import evaluate
from vitrina.retrieve.top_k import top_k_dense

METRICS = ("nDCG@10", "Recall@10")
STORE = CACHE / "lightgcn.json"


def candidates(epochs: int) -> dict[str, list[Any]]:
    """Models by name, each with as many configurations as the others."""
    g = vt.graph
    rates = (0.02, 0.005, 0.01, 0.002)
    return {
        "EASE": [vt.EASE(l2=l2) for l2 in (100, 300, 1000, 3000)],
        "co-occurrence": [vt.Cooccurrence(weighting=vt.weighting.Cosine(shrinkage=s), neighbours=n) for s in (0, 20) for n in (50, 200)],
        "GF-CF": [vt.GFCF(dim=d, alpha=a, sharpening=0) for d in (64, 256) for a in (0.1, 0.3)],
        "GF-CF sharpened": [vt.GFCF(dim=d, alpha=0.2, sharpening=s) for d in (64, 256) for s in (1, 2)],
        "LightGCN of one layer": [vt.LightGCN(layers=1, epochs=epochs, batch=8192, learning_rate=r) for r in rates],
        "LightGCN": [vt.LightGCN(epochs=epochs, batch=8192, learning_rate=r) for r in rates],
        "SimGCL": [vt.LightGCN(loss=g.SimGCL(weight=w), epochs=epochs, batch=8192, learning_rate=r) for w in (0.05, 0.2) for r in rates[:2]],
        "relabelled, left out": [vt.LightGCN(loss=g.Relabelled(quantile=q), epochs=epochs, batch=8192, learning_rate=r) for q in (0.8, 0.95) for r in rates[:2]],
        "relabelled, positive": [
            vt.LightGCN(loss=g.Relabelled(quantile=q, become="positive"), epochs=epochs, batch=8192, learning_rate=r) for q in (0.9, 0.98) for r in rates[:2]
        ],
    }  # fmt: skip


def chosen(data: vt.Dataset, epochs: int, trials: int) -> dict[str, Any]:
    """The best configuration of each model by nDCG@10 of a part of training."""
    validation, best = data.holdout(), {}
    for name, models in candidates(epochs).items():
        values = [kept(model, validation, "validation")["nDCG@10"][0] for model in models[:trials]]
        best[name] = models[int(np.argmax(values))]
        print(f"    {name}: {best[name]!r}, {max(values):.4f}", file=sys.stderr, flush=True)
    return best


def kept(model: Any, split: vt.split.Split, part: str, *, intervals: bool = False) -> dict[str, Any]:
    """The numbers of a model on a part, and the seconds of its fit; from the cache where they are there."""
    store = json.loads(STORE.read_text()) if STORE.exists() else {}
    key = f"{part} {fingerprint(model)}"
    if key not in store:
        begin = time.perf_counter()
        fitted = model.fit(split.train)
        seconds = time.perf_counter() - begin
        numbers = evaluate(fitted.recommend(split.queries, 10, eligible=split.eligible), split, METRICS, intervals=intervals).numbers
        found = {row["metric"]: (row["value"], row.get("low"), row.get("high")) for row in numbers.to_dicts()}
        STORE.parent.mkdir(parents=True, exist_ok=True)
        store[key] = found | {"seconds": seconds}
        STORE.write_text(json.dumps(store))
    return store[key]


def lines(best: dict[str, Any], split: vt.split.Split, seeds: int) -> list[str]:
    """A row per model: means over the seeds where a seed matters, and how far they spread; the interval of the first otherwise."""
    out = []
    for name, model in best.items():
        runs = [changed(model, seed=seed) for seed in range(seeds)] if isinstance(model, vt.LightGCN) else [model]
        found = [kept(run, split, "test", intervals=True) for run in runs]
        values = [np.mean([numbers[metric][0] for numbers in found]) for metric in METRICS]
        spread = f"{min(n['nDCG@10'][0] for n in found):.4f} to {max(n['nDCG@10'][0] for n in found):.4f}" if len(runs) > 1 else "one fit"
        low, high = found[0]["nDCG@10"][1:]
        seconds = np.mean([numbers["seconds"] for numbers in found])
        out.append(f"| {name} | {values[0]:.4f} ({low:.4f} to {high:.4f}) | {spread} | {values[1]:.4f} | {seconds:.1f} | `{model!r}` |")
    return out


def folding(model: vt.LightGCN, data: vt.Dataset) -> str:
    """nDCG@10 of people who are known, folded in as they ask, and with their own trained vectors."""
    split = data.split(vt.split.RandomShare(share=0.1, repeat=False))
    layers, _ = model.spread(split.train)
    people, fitted = np.mean([p for p, _ in layers], axis=0), model.fit(split.train)
    asked = np.flatnonzero(np.diff(split.train.indptr))  # rows of those who have something
    row_of = np.full(len(split.train.users), -1)
    row_of[asked] = np.arange(len(asked))
    scores = people[row_of[split.queries.users]] @ fitted.item_vectors.T
    scores[:, ~fitted.described] = -np.inf
    lists = top_k_dense(np.ascontiguousarray(scores, np.float32), split.queries, 10, split.eligible, fitted.catalogue, fitted.vocabulary)
    trained, folded = (
        evaluate(answer, split, ["nDCG@10"], intervals=False).numbers["value"][0]
        for answer in (lists, fitted.recommend(split.queries, 10, eligible=split.eligible))
    )
    return f"What folding in costs people who are known (`{model!r}`, {split.protocol.line}): nDCG@10 {folded:.4f} folded in, {trained:.4f} with their trained vectors."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=4, help="configurations of each model")
    asked = parser.parse_args()
    limits, data = machine(), ml_100k()
    split = data.split(vt.split.GlobalTime(quantile=0.9))
    best = chosen(split.train, asked.epochs, asked.trials)
    table = "\n".join(lines(best, split, asked.seeds))
    text = (
        f"{limits}.\n\n{card(split, 'MovieLens-100K')} {asked.trials} configurations per model by nDCG@10 of a part of training, {asked.epochs} epochs, "
        f"{asked.seeds} seeds; the interval is that of the first.\n\n"
        f"| model | nDCG@10 | seeds | Recall@10 | fit, s | chosen |\n|---|---|---|---|---|---|\n{table}\n\n{folding(best['LightGCN'], data)}"
    )
    keep(RESULTS, "quality.lightgcn", text)
    print(text)


if __name__ == "__main__":
    main()
