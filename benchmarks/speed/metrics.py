"""Ten metrics at 10 for 300,000 people, beside RecTools on those it has: one command, one row of Markdown.

    python -m benchmarks.speed.metrics [--users 300_000] [--repeat 5]

Lists, truth and training counts are drawn once (Zipf, seeded) and saved; both libraries read the same arrays. What is timed is
from arrays (RecTools: data frames) in memory to the ten numbers, the best of `--repeat` runs after one that warms caches up.
RecTools counts the training events anew in each call; Vitrina has its counts from fitting, and the row says what they cost.
The numbers must agree where the definitions do, or the benchmark stops. RecTools runs in its own environment (see peers/setup.sh).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.kit.machine import bandwidth, commit, processor
from benchmarks.kit.peers import peer_python

K, ITEMS = 10, 20_000
SHARED = ("Precision@10", "Recall@10", "HitRate@10", "MRR@10", "nDCG@10", "Coverage@10", "MeanPopularity@10", "MIUF@10")
NAMES = (*SHARED, "MAP@10", "Gini@10")

PEER = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np, pandas as pd
from rectools import metrics as m
folder, repeat = sys.argv[1], int(sys.argv[2])
lists, lengths, truth, users, items = (np.load(f"{folder}/{n}.npy") for n in ("lists", "lengths", "truth", "train_users", "train_items"))
n, k = lists.shape
reco = pd.DataFrame({"user_id": np.repeat(np.arange(n), k), "item_id": lists.reshape(-1), "rank": np.tile(np.arange(1, k + 1), n)})
test = pd.DataFrame({"user_id": np.repeat(np.arange(n), lengths), "item_id": truth})
train = pd.DataFrame({"user_id": users, "item_id": items})
catalog = np.unique(items)
chosen = {
    "Precision@10": m.Precision(k=k), "Recall@10": m.Recall(k=k), "HitRate@10": m.HitRate(k=k), "MRR@10": m.MRR(k=k),
    "nDCG@10": m.NDCG(k=k, divide_by_achievable=True), "MAP@10": m.MAP(k=k), "Coverage@10": m.CatalogCoverage(k=k, normalize=True),
    "MeanPopularity@10": m.AvgRecPopularity(k=k), "MIUF@10": m.MeanInvUserFreq(k=k),
}
seconds = []
for _ in range(repeat + 1):
    start = time.perf_counter()
    values = m.calc_metrics(chosen, reco, test, train, catalog)
    seconds.append(time.perf_counter() - start)
print(json.dumps({"seconds": min(seconds[1:]), "values": values}))
"""


def draw(users: int, folder: Path, seed: int = 0) -> dict[str, np.ndarray]:
    """Lists of 10 different items, 1 to 9 items taken, ten training events per person; a hit is likelier than by chance."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, ITEMS + 1) ** 0.8
    edges = np.cumsum(share) / share.sum()

    def items(size):
        return np.minimum(np.searchsorted(edges, rng.random(size)), ITEMS - 1)

    lists = items((users, K))
    while (clash := np.diff(np.sort(lists, axis=1), axis=1) == 0).any():
        rows = np.flatnonzero(clash.any(axis=1))
        lists[rows] = items((len(rows), K))
    lengths = rng.integers(1, 10, users)
    rows = np.repeat(np.arange(users), lengths)
    copied = rng.random(len(rows)) < 0.2
    truth = np.where(copied, lists[rows, rng.integers(0, K, len(rows))], items(len(rows)))
    pairs = np.unique(rows * ITEMS + truth)
    arrays = {
        "lists": lists.astype(np.int32), "lengths": np.bincount(pairs // ITEMS, minlength=users), "truth": (pairs % ITEMS).astype(np.int32),
    }  # fmt: skip
    trained = np.unique(np.repeat(np.arange(users), 10) * ITEMS + items(10 * users))
    every = np.unique(np.concatenate([trained, rng.integers(0, users, ITEMS) * ITEMS + np.arange(ITEMS)]))  # each item at least once
    arrays |= {"train_users": (every // ITEMS).astype(np.int32), "train_items": (every % ITEMS).astype(np.int32)}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return arrays


def best(run: Callable[[], object], repeat: int) -> tuple[float, object]:
    seconds, out = [], run()
    for _ in range(repeat):
        start = time.perf_counter()
        out = run()
        seconds.append(time.perf_counter() - start)
    return min(seconds), out


def ours(arrays: dict[str, np.ndarray], repeat: int) -> dict[str, object]:
    from vitrina.catalogue import Catalogue
    from vitrina.evaluate.run import summarise
    from vitrina.metrics import Judged, metric
    from vitrina.protocols import Metric, TableMetric
    from vitrina.types import Ragged, Recommendations
    from vitrina.vocabulary import Vocabulary

    lists, truth = arrays["lists"], Ragged.of_lengths(arrays["lengths"], arrays["truth"])
    found = Recommendations(lists, np.zeros(lists.shape, np.float32), Vocabulary.of(range(ITEMS)))
    chosen = [metric(name) for name in NAMES]

    def count():
        events = np.bincount(arrays["train_items"], minlength=ITEMS)
        return Catalogue(events, events, int(np.count_nonzero(np.bincount(arrays["train_users"]))))

    counting, catalogue = best(count, repeat)

    def columns():
        judged = Judged(found, truth, catalogue)
        table = {m.name: m.value(m.state(judged)) for m in chosen if isinstance(m, TableMetric)}
        return {m.name: m.per_query(judged) for m in chosen if isinstance(m, Metric)}, table

    def plain():
        per_query, table = columns()
        return {name: numbers[0] for name, numbers in summarise(per_query, users, None).items()} | table

    users = np.arange(len(lists))
    seconds, values = best(plain, repeat)
    per_query, _ = columns()
    interval_seconds, _ = best(lambda: summarise(per_query, users), repeat)
    return {"seconds": seconds, "values": values, "counting": counting, "intervals": interval_seconds}


def theirs(folder: Path, repeat: int) -> dict[str, object]:
    done = subprocess.run([peer_python("rectools"), "-c", PEER, folder, str(repeat)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def check(mine: dict[str, float], peer: dict[str, float], trained: int) -> None:
    """RecTools counts popularity in events, Vitrina as a share of people; here each pair is one event."""
    for name in SHARED:
        scale = trained if name.startswith("MeanPopularity") else 1
        if abs(mine[name] - peer[name] / scale) > 1e-9:
            sys.exit(f"{name} differs: {mine[name]} here, {peer[name] / scale} in RecTools.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=300_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        arrays = draw(options.users, Path(name))
        here = ours(arrays, options.repeat)
        peer = theirs(Path(name), options.repeat)
    check(here["values"], peer["values"], len(np.unique(arrays["train_users"])))
    print(
        "| work | Vitrina, s | RecTools 0.19, s | ratio | counting the training events, s | intervals (1000 draws), s | copy, GB/s | machine | commit |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    print(
        f"| 10 metrics at 10, {options.users:,} people (RecTools: 9, no Gini) | {here['seconds']:.3f} | {peer['seconds']:.2f} "
        f"| {peer['seconds'] / here['seconds']:.0f}x | {here['counting']:.3f} | {here['intervals']:.2f} | {bandwidth():.1f} "
        f"| {processor()} | {commit()} |"
    )


if __name__ == "__main__":
    main()
