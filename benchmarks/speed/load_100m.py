"""Load 100 million interactions with string ids from one Parquet file: seconds, peak memory, memory kept.

    python -m benchmarks.speed.load_100m [--events 100_000_000] [--users 2_000_000] [--items 200_000]

The file is made once in `benchmarks/.cache`; the reading is measured in a fresh process (compiled kernels cached on disk
by a small load before it). Popularity of items and activity of people are Zipf; the rows come in the order of time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.kit.machine import machine
from benchmarks.kit.zipf import log_file

MEASURE = """
import gc, json, resource, sys, time
import psutil
from vitrina.data.read.io import read_interactions
read_interactions(sys.argv[2])
start = time.perf_counter()
data = read_interactions(sys.argv[1])
seconds = time.perf_counter() - start
gc.collect()
print(json.dumps({
    "seconds": round(seconds, 1),
    "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    "after_gib": round(psutil.Process().memory_info().rss / 2**30, 2),
}))
"""


def measure(path: Path, warm: Path) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path), str(warm)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000_000)
    parser.add_argument("--users", type=int, default=2_000_000)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    path, warm = log_file(options.events, options.users, options.items), log_file(10_000, 500, 100)
    print(f"{options.events:,} events of {options.users:,} people and {options.items:,} items. {machine()}.\n")
    print("| run | seconds | peak RSS, GiB | RSS afterwards, GiB |\n|---|---|---|---|")
    for run in range(1, options.repeat + 1):
        numbers = measure(path, warm)
        print(f"| {run} | {numbers['seconds']} | {numbers['peak_gib']} | {numbers['after_gib']} |", flush=True)


if __name__ == "__main__":
    main()
