"""Logs of any size: popularity of items and activity of people are Zipf, the rows come in the order of time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.kit.places import CACHE

CHUNK = 1_000_000
START = 1_577_836_800_000_000  # 2020-01-01, microseconds
SPAN = 3 * 365 * 86_400_000_000


def log_file(events: int, users: int, items: int) -> Path:
    """A log in the cache, drawn where it isn't there yet."""
    path = CACHE / f"log_{events}_{users}_{items}.parquet"
    if not path.exists():
        partial = path.with_suffix(".partial")
        write(partial, events, users, items)
        partial.rename(path)
    return path


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
