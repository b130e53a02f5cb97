"""Memory and time of co-occurrence lists for a million people and 100,000 items (synthetic, Zipf): the bound of `recommend`, shown.

    python -m benchmarks.speed.lists_in_memory [--users 1_000_000] [--items 100_000]

What grows with the people is the answer alone: 9 bytes per place (item, score, source), twice while the blocks are joined.
"""

from __future__ import annotations

import argparse
import threading
import time

import numpy as np
import psutil

import vitrina as vt
from benchmarks.kit.machine import machine
from vitrina.data.dataset import Dataset
from vitrina.types import Events

K, EVENTS = 10, 10


def draw(users: int, items: int) -> Dataset:
    rng = np.random.default_rng(0)
    edges = np.cumsum(1 / np.arange(1, items + 1) ** 0.8)
    codes = np.searchsorted(edges, rng.random(users * EVENTS) * edges[-1]).astype(np.int32)
    people = np.repeat(np.arange(users, dtype=np.int32), EVENTS)
    names = (vt.Vocabulary.of(np.arange(n).tolist()) for n in (users, items))
    return Dataset.of_codes(people, Events(np.minimum(codes, items - 1)), *names)


class Peak(threading.Thread):
    """Watches the resident memory of this process until `stop`; `mib` is the most above the start."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._process, self._done = psutil.Process(), threading.Event()
        self._before, self.mib = self._process.memory_info().rss, 0.0

    def run(self) -> None:
        while not self._done.wait(0.01):
            self.mib = max(self.mib, (self._process.memory_info().rss - self._before) / 2**20)

    def stop(self) -> float:
        self._done.set()
        self.join()
        return self.mib


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    options = parser.parse_args()
    data = draw(options.users, options.items)
    model = vt.Cooccurrence(neighbours=50)
    begin = time.perf_counter()
    fitted = model.fit(data)
    fit = time.perf_counter() - begin
    queries = data.queries()
    fitted.recommend(queries[slice(0, 10_000)], K)
    print(f"{options.users:,} people, {options.items:,} items, {EVENTS} events each. {machine()}.\n")
    print("| people | fit, s | recommend, s | memory above the start, MiB | of which the answer, MiB |\n|---|---|---|---|---|")
    for share in (0.1, 0.5, 1.0):
        asked = queries[slice(0, int(share * len(queries)))]
        peak = Peak()
        peak.start()
        begin = time.perf_counter()
        lists = fitted.recommend(asked, K)
        seconds, most = time.perf_counter() - begin, peak.stop()
        print(f"| {len(asked):,} | {fit:.1f} | {seconds:.1f} | {most:.0f} | {lists.items.size * 9 / 2**20:.0f} |", flush=True)


if __name__ == "__main__":
    main()
