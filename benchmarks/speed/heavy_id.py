"""Peak memory and time of answers where one id has half of the log, each model in a process of its own, as rows of Markdown.

    python -m benchmarks.speed.heavy_id

50,000 events of 5,000 people and 50,000 of one id, 2,500 items; every moment of the last tenth is a question, half of them of that id.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.places import ROOT
from vitrina.data.dataset import Dataset
from vitrina.jobs.worker import peak_bytes
from vitrina.types import Events

PEOPLE, ITEMS, LIGHT, HEAVY = 5_000, 2_500, 50_000, 50_000
MINUTE, BASE = 60_000_000, 1_600_000_000_000_000  # microseconds
MODELS = {
    "Popularity": vt.Popularity,
    "RandomItems": vt.RandomItems,
    "TopPersonal, fading": lambda: vt.TopPersonal(decay=vt.decay.Exponential(days=10)),
    "Cooccurrence, BM25": lambda: vt.Cooccurrence(weighting=vt.weighting.BM25()),
    "EASE": vt.EASE,
    "TifuKNN": lambda: vt.TifuKNN(neighbours=100),
    "eSASRec, dim 16, one epoch": lambda: vt.eSASRec(dim=16, length=50, training=vt.sequence.Training(epochs=1)),
}


def log() -> Dataset:
    rng = np.random.default_rng(0)
    events = LIGHT + HEAVY
    popularity = 1 / np.arange(1, ITEMS + 1) ** 0.9
    items = rng.choice(ITEMS, events, p=popularity / popularity.sum()).astype(np.int32)
    users = np.concatenate([rng.integers(1, PEOPLE + 1, LIGHT), np.zeros(HEAVY, int)])
    times = rng.permutation(events).astype(np.int64) * MINUTE + BASE
    people, catalogue = vt.Vocabulary.of(range(PEOPLE + 1)), vt.Vocabulary.of([f"i{i}" for i in range(ITEMS)])
    return Dataset.of_codes(users, Events(items, times), people, catalogue, time_unit="us")


def measure(name: str) -> None:
    split = log().split(vt.split.GlobalTime(quantile=0.9))
    fitted = MODELS[name]().fit(split.train)
    before, started = peak_bytes(), time.perf_counter()
    fitted.recommend(split.queries, 10, eligible=split.eligible)
    seconds = time.perf_counter() - started
    print(f"| {name} | {len(split.queries):,} | {split.queries.lengths.sum():,} | {before >> 20} | {peak_bytes() >> 20} | {seconds:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", choices=list(MODELS), help="one, measured in this process; all where none is named")
    model = parser.parse_args().model
    if model:
        return measure(model)
    print(
        f"{machine()}.\n\n| model | queries | events of their histories | peak after the fit, MiB | peak in all, MiB | answers, s |\n|---|---|---|---|---|---|"
    )
    for name in MODELS:
        subprocess.run([sys.executable, "-W", "ignore", "-m", "benchmarks.speed.heavy_id", name], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
