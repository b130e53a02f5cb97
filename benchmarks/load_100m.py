"""Load 100 million interactions with string ids from one Parquet file: seconds, peak memory, memory kept.

    python benchmarks/load_100m.py [--events 100_000_000] [--users 2_000_000] [--items 200_000]

The file is made once in `benchmarks/.cache`; the reading is measured in a fresh process (compiled kernels cached on disk
by a small load before it). Popularity of items and activity of people are Zipf; the rows come in the order of time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

CACHE = Path(__file__).parent / ".cache"
CHUNK = 1_000_000
START = 1_577_836_800_000_000  # 2020-01-01, microseconds
SPAN = 3 * 365 * 86_400_000_000

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
    "events": data.n_events, "users": data.n_users, "items": data.n_items, "seconds": round(seconds, 1),
    "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    "after_gib": round(psutil.Process().memory_info().rss / 2**30, 2), "fingerprint": data.fingerprint,
}))
"""


def zipf(size: int, exponent: float) -> np.ndarray:
    """Cumulative probabilities of ranks 1..size."""
    weights = 1 / np.arange(1, size + 1) ** exponent
    return np.cumsum(weights) / weights.sum()


def write(path: Path, events: int, users: int, items: int, seed: int = 0) -> None:
    """One Parquet file of `events` rows, a row group a million, zstd."""
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    people, goods = zipf(users, 0.6), zipf(items, 0.9)
    names_u = pl.Series("user_id", rng.permutation(users)).cast(pl.String).str.zfill(8)
    names_u = pl.select(pl.concat_str(pl.lit("user-"), names_u).alias("user_id")).to_series()
    names_i = pl.Series("item_id", rng.permutation(items)).cast(pl.String).str.zfill(7)
    names_i = pl.select(pl.concat_str(pl.lit("item-"), names_i).alias("item_id")).to_series()
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = None
    for first in range(0, events, CHUNK):
        n = min(CHUNK, events - first)
        step = SPAN / events
        times = START + ((first + np.sort(rng.random(n)) * n) * step).astype(np.int64)
        frame = pl.DataFrame([
            names_u.gather(np.searchsorted(people, rng.random(n)).astype(np.uint32)),
            names_i.gather(np.searchsorted(goods, rng.random(n)).astype(np.uint32)),
            pl.Series("timestamp", times).cast(pl.Datetime("us")),
        ])  # fmt: skip
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer:
        writer.close()


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
    path = CACHE / f"log_{options.events}_{options.users}_{options.items}.parquet"
    warm = CACHE / "log_warm.parquet"
    for target, size in ((path, (options.events, options.users, options.items)), (warm, (10_000, 500, 100))):
        if not target.exists():
            partial = target.with_suffix(".partial")
            write(partial, *size)
            partial.rename(target)
    for _ in range(options.repeat):
        print(json.dumps(measure(path, warm)))


if __name__ == "__main__":
    main()
