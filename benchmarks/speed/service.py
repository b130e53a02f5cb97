"""How many requests per second the service holds, with 100,000 items, 10 rows an answer and the logging of what was shown.

    python -m benchmarks.speed.service [esasrec] [itemmap] [twostage] [--seconds 8] [--confirm 30]

Each artifact (kit/served.py) is served by `vitrina serve` as a user would, with its log for histories; the generator (kit/load.py), in a process of its own on the same machine, asks for lists of random people of the log at a fixed rate
that doesn't wait for answers. The rate rises by a quarter while everything is answered within the bound at the 99th percentile and no source is skipped, and the highest is confirmed by a longer run.
Beside it the machine's limits: the same rate at a route that does nothing (`GET /v1/health/live`), and what the model alone answers in batches of 32 on one thread.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.kit.load import Loaded, Request, hammer
from benchmarks.kit.machine import machine
from benchmarks.kit.places import ROOT
from benchmarks.kit.served import MODELS, artifact, log
from benchmarks.kit.serving import Served, serving

TARGETS = {"esasrec": (1000, 25), "itemmap": (1000, 25), "twostage": (200, 50)}  # requests per second, milliseconds at the 99th percentile
TITLES = {"esasrec": "eSASRec, dim 64", "itemmap": "item map, 50 neighbours", "twostage": "TwoStage, 200 candidates"}
STEP = 1.25
PEOPLE = 20_000  # who ask, in turn
ALONE = """
import json, sys, time
import numpy as np
import vitrina as vt
from benchmarks.kit.served import artifact, log
name = sys.argv[1]
model, data = vt.load(artifact(name), onnx=name == "esasrec").recommender, log()
queries = data.queries()[np.random.default_rng(1).integers(0, data.n_users, 32 * 60)]
spent = []
for first in range(0, len(queries), 32):
    started = time.perf_counter()
    model.recommend(queries[first : first + 32], 10)
    spent.append(time.perf_counter() - started)
print(json.dumps(32 / float(np.median(spent[5:]))))
"""
ONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def alone(name: str) -> float:
    """Lists per second of the model by itself, on one thread."""
    command = [sys.executable, "-W", "ignore", "-c", ALONE, name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | ONE, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    return float(done.stdout)


def asking(people: Sequence[str]) -> list[Request]:
    """Requests of 10 rows for random people."""
    rng = np.random.default_rng(0)
    return [Request("/v1/recommend", {"user": people[at], "k": 10}) for at in rng.integers(0, len(people), PEOPLE)]


@dataclass(frozen=True)
class Tried:
    """A run at a rate.

    Args:
        done: what the generator saw.
        skipped: sources that were left out as too slow: such answers are no answers of the model.
        cores: that the service took.
        batch: requests that were answered together.
        busy: the share of the time that the thread of the model had one.
    """

    done: Loaded
    skipped: float
    cores: float
    batch: float
    busy: float

    def holds(self, rate: float, p99: float) -> bool:
        return not self.skipped and self.done.holds(rate, p99)


def tried(served: Served, requests: Sequence[Request], rate: float, seconds: float) -> Tried:
    before, used, started = served.numbers(), served.processor(), time.perf_counter()
    done = hammer(served.port, requests, rate=rate, seconds=seconds)
    after = served.numbers()
    spent, used = time.perf_counter() - started, served.processor() - used

    def change(name: str) -> list[float]:
        return [value - before.get(key, 0) for key, value in after.items() if key.startswith(name)]

    batches = max(change("vitrina_stage_seconds_count"), default=0)
    answers, skipped = sum(change("vitrina_answers_total")), sum(change("vitrina_skipped_sources_total"))
    return Tried(done, skipped, used / spent, answers / max(batches, 1), sum(change("vitrina_stage_seconds_sum")) / spent)


def highest(served: Served, requests: Sequence[Request], target: float, p99: float, seconds: float) -> float:
    """The highest rate of a ladder around the target that holds; 0 where not even its foot does."""

    def holds(rate: float) -> bool:
        found = tried(served, requests, rate, seconds)
        said = f"  {rate:,.0f}/s: {found.done.rate:,.0f}/s, p99 {found.done.p99:.1f} ms, errors {dict(found.done.errors)}, skipped {found.skipped:.0f}"
        print(said, file=sys.stderr, flush=True)
        return found.holds(rate, p99)

    hammer(served.port, requests, rate=target / 4, seconds=2)
    rate = target
    while rate > target / 10 and not holds(rate):
        rate /= STEP
    if rate <= target / 10:
        return 0
    while rate >= target and holds(rate * STEP):
        rate *= STEP
    return rate


def measured(name: str, seconds: float, confirm: float, people: Sequence[str]) -> list[str]:
    """Two rows: at the target, and at the highest rate."""
    target, p99 = TARGETS[name]
    state = Path(tempfile.mkdtemp(prefix="vitrina-")) / "state"
    try:
        with serving(artifact(name), state) as served:
            requests = asking(people)
            rate = highest(served, requests, target, p99, seconds)
            empty = [Request("/v1/health/live", method="GET")]
            rows = []
            for asked in dict.fromkeys((target, rate)):
                if asked:
                    idle = hammer(served.port, empty, rate=asked, seconds=seconds)
                    rows.append(row(name, asked, tried(served, requests, asked, confirm), idle, p99))
            return rows
    finally:
        shutil.rmtree(state.parent)


def row(name: str, rate: float, found: Tried, idle: Loaded, p99: float) -> str:
    done, held = found.done, "yes" if found.holds(rate, p99) else "no"
    return (
        f"| {TITLES[name]} | {rate:,.0f} | {held} | {done.rate:,.0f} | {done.p50:.1f} | {done.p95:.1f} | {done.p99:.1f} of {p99} | {done.most:.0f} | {sum(done.errors.values())} | {found.skipped:.0f} | "
        f"{found.batch:.1f} | {found.busy:.0%} | {found.cores:.2f} | {done.processor:.2f} | {idle.p99:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.service", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(MODELS)}; all where none is named")
    parser.add_argument("--seconds", type=float, default=8, help="of each try")
    parser.add_argument("--confirm", type=float, default=30, help="seconds of the runs that are told")
    options = parser.parse_args()
    names = options.names or list(TARGETS)
    people, limits = log().users.ids.to_list(), machine()
    print(f"Two cores shared with the generator, {options.confirm:g} s each. {limits}.\n")
    print(
        "| model | requests/s | held | answered/s | p50, ms | p95, ms | p99, ms, of at most | most, ms | errors | sources skipped | requests per batch | model's thread busy "
        f"| cores, service | cores, generator | p99 of an empty route, ms |\n|{'---|' * 15}",
        flush=True,
    )
    for name in names:
        print("\n".join(measured(name, options.seconds, options.confirm, people)), flush=True)
    told = ", ".join(f"{TITLES[name]} {alone(name):,.0f}" for name in names)
    print(f"\nThe models alone, batches of 32 on one thread, lists per second: {told}.")


if __name__ == "__main__":
    main()
