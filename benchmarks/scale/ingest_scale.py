"""What `vitrina ingest` takes as the log grows: seconds, memory of all its processes, disk, and whether the log holds what it should.

    python -m benchmarks.scale.ingest_scale [EVENTS ...] [--workers N] [--keep]

Each size runs in fresh processes on a log that `generate` draws, is checked against what is known of that log, and leaves a record in the cache; a size that
has one is not run again, so an interrupted script goes on. Files are removed after each size. The block of RESULTS.md is written anew from all records. The
peak is the largest sum, over the processes of the command, of resident memory, looked at five times a second: pages that processes share count in each.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import psutil

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from benchmarks.kit.places import CACHE, ROOT
from benchmarks.scale.generate import Known, generate, known

PLACE = CACHE / "ingest_scale"
SIZES = (3_000_000, 30_000_000, 100_000_000, 300_000_000)
COLUMNS = ["--user", "user", "--item", "item", "--time", "time", "--time-unit", "s", "--event-id", "event"]
LOOK = 0.2  # seconds


@dataclass(frozen=True)
class Record:
    """One run."""

    events: int  # rows of the source
    workers: int
    seconds: float
    processor: float  # seconds, of all its processes
    peak: int  # bytes
    source: int  # bytes
    work: int  # bytes on the disk at most, with the log
    log: int  # bytes
    differs: tuple[str, ...]  # from what is known of the source; empty where nothing does
    machine: str


@dataclass
class Watch:
    """Looks at a process and its children until it ends."""

    process: psutil.Process
    folder: Path
    memory: int = 0
    disk: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        looked = 0
        while not self.done.wait(LOOK):
            self.memory = max(self.memory, resident(self.process))
            looked += 1
            if looked % 10 == 0:
                self.disk = max(self.disk, size(self.folder))


def resident(process: psutil.Process) -> int:
    """Of a process and all below it."""
    total = 0
    try:
        for one in [process, *process.children(recursive=True)]:
            try:
                total += one.memory_info().rss
            except psutil.Error:
                continue
    except psutil.Error:
        pass
    return total


def size(folder: Path) -> int:
    """Bytes of the files below a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(place, name)).st_size
    return total


def ingested(source: Path, out: Path, workers: int) -> tuple[float, float, Watch]:
    """Run the command; its seconds, those of the processor, and what was seen meanwhile."""
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "vitrina", "ingest", f"{source}/*.parquet", "--out", str(out), *COLUMNS, "--on-bad-row", "quarantine"]
    started, before = time.perf_counter(), used()
    process = subprocess.Popen(
        [*command, "--workers", str(workers)],
        stdout=sys.stderr,
        cwd=out.parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path or str(ROOT) for path in sys.path)},
    )  # bad rows lie where it runs
    watch = Watch(psutil.Process(process.pid), out.parent)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        code = process.wait()
    finally:
        watch.done.set()
        thread.join()
        if process.poll() is None:
            process.terminate()
            process.wait()
    if code:
        sys.exit(f"vitrina ingest ended with the exit code {code}.")
    return time.perf_counter() - started, used() - before, watch


def used() -> float:
    """Seconds of the processor that ended children took, with those that they waited for."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def most_of_one(shard: vt.Dataset) -> int:
    """Events of the person who has most of them."""
    return int(np.diff(shard.indptr).max(initial=0))


def differences(out: Path, wanted: Known) -> tuple[str, ...]:
    """In what the log isn't what its source was made to be."""
    log = vt.Dataset.open(out)
    quarantined = next((path for path in sorted(out.parent.rglob("*bad_rows*.csv"))), None)
    bad = 0 if quarantined is None else pl.scan_csv(quarantined).select(pl.len()).collect().item()
    found = {
        "events": (log.n_events, wanted.events),
        "people": (log.n_users, wanted.users),
        "items": (log.n_items, wanted.items),
        "events of the giant": (max(log.map_shards(most_of_one)), wanted.giant),
        "bad rows": (bad, wanted.bad),
    }
    return tuple(f"{name}: {here:,} and not {there:,}" for name, (here, there) in found.items() if here != there)


def measured(events: int, workers: int, *, leave: bool) -> Record:
    """Draw, ingest, check, clean up."""
    source = generate(events)
    out = PLACE / f"run_{events}" / "log"
    seconds, processor, watch = ingested(source, out, workers)
    record = Record(
        events, workers, seconds, processor, watch.memory, size(source), max(watch.disk, size(out.parent)), size(out), differences(out, known(source)), machine()
    )  # fmt: skip
    shutil.rmtree(out.parent)
    if not leave:
        shutil.rmtree(source)
    return record


def exponent(records: Sequence[Record], name: str) -> float:
    """b of n^b, by least squares of logarithms."""
    return float(np.polyfit(np.log([r.events for r in records]), np.log([getattr(r, name) for r in records]), 1)[0])


def table(records: Sequence[Record]) -> str:
    """The block of the page."""
    rows = [
        f"| {r.events / 1e6:,.0f} million | {r.workers} | {r.seconds:,.1f} | {r.processor:,.1f} | {r.events / r.seconds / 1e6:.2f} | {r.peak / 2**30:.2f} | {r.source / 1e9:.2f} | "
        f"{r.work / 1e9:.2f} | {r.log / 1e9:.2f} | {r.log / r.events:.1f} | {'; '.join(r.differs) or 'as it should be'} |"
        for r in records
    ]
    fits = ""
    if len(records) > 1:
        fits = f"\n\nFitted over these sizes: seconds grow as n^{exponent(records, 'seconds'):.2f}, those of the processor as n^{exponent(records, 'processor'):.2f}, peak memory as n^{exponent(records, 'peak'):.2f}."
    head = "| events | workers | seconds | of the processor | million rows/s | peak, GiB | source, GB | disk at most, GB | log, GB | bytes per event | events, people, items, giant, bad rows |\n"
    return (
        "Zipf people and items, a giant, baskets at one moment, 1% of rows sent twice (`--event-id`), 0.1% bad rows (quarantined). "
        f"{records[-1].machine}.\n\n{head}|{'---|' * 11}\n" + "\n".join(rows) + fits
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the drawn log in the cache")
    parser.add_argument("--again", action="store_true", help="forget the records of these sizes")
    given = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    warm = generate(3_000)  # compiled kernels are on the disk before the clock runs
    ingested(warm, PLACE / "run_warm" / "log", 1)
    shutil.rmtree(PLACE / "run_warm")
    for events in given.events:
        file = PLACE / f"{events}_{given.workers}.json"
        if given.again or not file.exists():
            file.write_text(json.dumps(asdict(measured(events, given.workers, leave=given.keep))), encoding="utf-8")
        records = [Record(**json.loads(path.read_text(encoding="utf-8"))) for path in PLACE.glob(f"*_{given.workers}.json")]
        block = table(sorted(records, key=lambda record: record.events))
        keep(RESULTS, "scale.ingest_scale", block)
        print(block, flush=True)


if __name__ == "__main__":
    main()
