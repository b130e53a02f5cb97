"""What is a sum over shards, on a log that is larger than memory: popularity, co-occurrence, a split with the metrics of two models.

    python -m benchmarks.speed.shards_statistics [--events 3_000_000]

The log of `benchmarks.scale.generate` is ingested once into `benchmarks/.cache`; each step runs in a process of its own, which says its seconds and its peak
of memory. A step that this commit has measured is not measured again, so a script that was stopped goes on. All sizes that were measured stand in one block
of `benchmarks/RESULTS.md`, which the script writes.

Peers: Polars' streaming engine counts the people of each item of the same Parquet files; SciPy multiplies X'X and takes the best 100 of each row, at the
sizes that fit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import commit, machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import CACHE
from benchmarks.scale.generate import generate

NAME = "speed.shards_statistics"
MEASURED = CACHE / "shards_statistics.json"
METRICS = ["nDCG@10", "HitRate@10", "MIUF@10", "Coverage@10"]
FITS = {"co-occurrence, SciPy": 3_000_000, "popularity, Polars streaming": 30_000_000}  # events up to which a peer has the memory
Steps = dict[str, float]


def ingested(events: int) -> Path:
    """The folder of the log, made where it isn't there yet."""
    folder = CACHE / f"shards_{events}"
    if not (folder / "manifest.json").exists():
        files = sorted(generate(events).glob("*.parquet"))
        bad = folder.with_suffix(".bad_rows.csv")
        vt.ingest(files, folder, user="user", item="item", time="time", event_id="event", on_bad_row="quarantine", bad_rows_path=bad)
    return folder


class Clock:
    """Seconds of the parts of a step."""

    def __init__(self) -> None:
        self.parts: Steps = {}

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        begin = time.perf_counter()
        made = work()
        self.parts[name] = time.perf_counter() - begin
        return made


def popularity(folder: Path, clock: Clock) -> str:
    data = vt.Dataset.open(folder)
    fitted = clock("popularity", lambda: vt.Popularity().fit(data))
    clock("popularity, half-life of 30 days, catalogue known", lambda: vt.Popularity(half_life=30).fit(data))
    return f"{int(fitted.catalogue.users.sum()):,} pairs of person and item"


def polars_popularity(folder: Path, clock: Clock) -> str:
    def count() -> pl.DataFrame:
        people = pl.struct(pl.col("path"), pl.col("user")).n_unique()  # codes of people are those of their shard
        files = pl.scan_parquet(folder / "shards" / "*" / "events-*.parquet", include_file_paths="path")
        return files.group_by("item").agg(people).collect(engine="streaming")

    found = clock("popularity", count)
    return f"{int(found.to_series(1).sum()):,} pairs of person and item"


def cooccurrence(folder: Path, clock: Clock) -> str:
    data = vt.Dataset.open(folder)
    fitted = clock("co-occurrence, top 100", lambda: vt.Cooccurrence(neighbours=100).fit(data))
    return f"{fitted.weight_from_to.nnz:,} weights, {float(fitted.weight_from_to.data.sum(dtype=np.float64)):.6g} in all"


def scipy_cooccurrence(folder: Path, clock: Clock) -> str:
    data = vt.Dataset.open(folder).to_memory()

    def best() -> float:
        users_items = data.csr().astype(np.float32)
        pairs = (users_items.T @ users_items).tocsr()
        norms, total = np.sqrt(pairs.diagonal()), 0.0
        for item in range(data.n_items):
            row = slice(pairs.indptr[item], pairs.indptr[item + 1])
            to = pairs.indices[row]
            weights = pairs.data[row] / (norms[item] * norms[to])
            weights = weights[to != item]
            total += np.partition(weights, -100)[-100:].sum(dtype=np.float64) if len(weights) > 100 else weights.sum(dtype=np.float64)
        return total

    return f"{clock('co-occurrence, top 100', best):.6g} in all"


def judged(model: vt.Popularity | vt.Cooccurrence, folder: Path, clock: Clock) -> str:
    data = vt.Dataset.open(folder)
    split = clock("split by time", lambda: data.split(vt.split.GlobalTime(quantile=0.9, target="random")))
    fitted = clock("fit", lambda: model.fit(split.train))
    found = clock("lists and metrics", lambda: vt.evaluate.evaluate(fitted, split, METRICS))
    return f"{split.n_queries:,} queries, one per person, nDCG@10 {found['nDCG@10']:.4f}"


STEPS: Mapping[str, Callable[[Path, Clock], str]] = {
    "popularity": popularity, "popularity, Polars streaming": polars_popularity, "co-occurrence": cooccurrence,
    "co-occurrence, SciPy": scipy_cooccurrence, "split and metrics of popularity": partial(judged, vt.Popularity()),
    "split and metrics of co-occurrence": partial(judged, vt.Cooccurrence()),
}  # fmt: skip


def step(name: str, events: int) -> None:
    """One step in this process, which says what it took."""
    warm = vt.testing.synthetic()
    for model in (vt.Popularity(half_life=1), vt.Cooccurrence()):  # compiled kernels come from the disk
        vt.evaluate.evaluate(model.fit(warm), warm.split(vt.split.GlobalTime(quantile=0.9)), METRICS)
    clock, folder = Clock(), ingested(events)
    said = STEPS[name](folder, clock)
    print(json.dumps({"parts": clock.parts, "peak": peak_of_this() / 2**20, "said": said}))


def peak_of_this() -> int:
    """kB of resident memory at most since this program began; what `getrusage` says holds the peak of who started it."""
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))


def measured(name: str, events: int) -> dict[str, Any] | None:
    """What a process of its own says; None where it failed."""
    command = [sys.executable, "-m", f"benchmarks.{NAME}", "--step", name, "--events", str(events)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name} failed: {done.stderr[-1500:]}", file=sys.stderr, flush=True)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def read() -> dict[str, Any]:
    return json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}


def table(known: Mapping[str, Any]) -> str:
    """All sizes, the smallest first."""
    lines = [
        "Sums over the shards of an ingested log (Zipf people and items, one person with a two-hundredth of all events), each step in a process of its own; peak is "
        "the resident memory of that process, some 0.3 GiB of which are libraries.",
        "",
        "| events | step | part | seconds | peak, GiB | what came | measured |",
        "|---|---|---|---|---|---|---|",
    ]
    for key in sorted(known, key=lambda key: (int(key.split("|")[0]), list(STEPS).index(key.split("|")[1]))):
        one, (events, name) = known[key], key.split("|")
        for number, (part, seconds) in enumerate(one["parts"].items()):
            rest = f"{one['peak']:.2f} | {one['said']} | {one['machine']}" if number == 0 else "| |"
            lines.append(f"| {int(events):,} | {name} | {part} | {seconds:.1f} | {rest} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--step", choices=STEPS, help="one step in this process, as the script itself starts it")
    given = parser.parse_args()
    if given.step:
        return step(given.step, given.events)
    ingested(given.events)
    limits, known, failed = machine(), read(), []
    for name in STEPS:
        key = f"{given.events}|{name}"
        if given.events > FITS.get(name, given.events) or known.get(key, {}).get("commit") == commit():
            continue
        found = measured(name, given.events)
        if found is None:
            failed.append(name)
            continue
        known = read() | {key: found | {"commit": commit(), "machine": limits}}
        MEASURED.parent.mkdir(parents=True, exist_ok=True)
        MEASURED.write_text(json.dumps(known, indent=1), encoding="utf-8")
        print(f"{name}: {found}", file=sys.stderr, flush=True)
        keep(RESULTS, NAME, table(known))
    print(table(known))
    if failed:
        sys.exit(f"These failed: {', '.join(failed)}. Everything else is written.")


if __name__ == "__main__":
    main()
