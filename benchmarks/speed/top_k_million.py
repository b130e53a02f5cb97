"""The best 100 of a million items for 10,000 histories, by vectors of 128 dimensions, beside the matrix product alone.

    python -m benchmarks.speed.top_k_million [--items 1000000] [--queries 10000]

Both go through the same blocks of histories and chunks of items on one thread, in turn for every 1,024 histories, so that a busy machine slows both alike. Processor
time counts. The lists leave out 30 seen items of each history; memory is what the answer adds to vectors and states.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")  # before NumPy and numba are loaded

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from vitrina.catalogue import Catalogue
from vitrina.retrieve.products import COLUMNS, ROWS, ItemVectors, Products, top_k_product
from vitrina.types import Eligibility, Events, Queries

DIM, K, SEEN, BLOCK = 128, 100, 30, 1024


def asked(items: int, queries: int) -> Queries:
    """Histories of items at random."""
    seen = np.random.default_rng(1).integers(0, items, queries * SEEN).astype(np.int32)
    start = np.arange(queries, dtype=np.int64) * SEEN
    return Queries(Events(seen), start, start + SEEN, vt.Vocabulary.of(np.arange(items)), np.full(queries, -1, np.int32))


def product_alone(states: np.ndarray, vectors: np.ndarray, room: np.ndarray) -> None:
    for first in range(0, len(states), ROWS):
        some = states[first : first + ROWS]
        for low in range(0, len(vectors), COLUMNS):
            own = vectors[low : low + COLUMNS]
            np.matmul(some, own.T, out=room[: len(some) * len(own)].reshape(len(some), -1))


def seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def peak() -> int:
    """kB that the process has had at its most since the peak was set back."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=10_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    table = ItemVectors.of(rng.standard_normal((options.items, DIM), dtype=np.float32))
    states, queries = rng.standard_normal((options.queries, DIM), dtype=np.float32), asked(options.items, options.queries)
    ones = np.ones(options.items, np.int64)
    catalogue = Catalogue(ones, ones, 1)

    def answer(part: slice) -> object:
        return top_k_product(Products.of(states[part], table), queries[part], K, Eligibility(), catalogue, queries.vocabulary)

    answer(slice(0, 2))  # compiles, and measures the vectors
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory counts from here
    before = peak()
    parts = [slice(first, min(first + BLOCK, options.queries)) for first in range(0, options.queries, BLOCK)]
    answer(parts[0])
    added = (peak() - before) / 1024
    room = np.empty(ROWS * COLUMNS, np.float32)
    whole, alone = zip(
        *[(seconds(lambda p=p: answer(p)), seconds(lambda p=p: product_alone(states[p], table.vectors, room))) for p in parts], strict=True
    )
    ratios = np.array(whole) / np.array(alone)
    print(f"{options.items:,} items, {options.queries:,} histories, {DIM} dimensions, the best {K}, one thread. {machine()}.\n")
    print("| what | processor, s | beside the product | memory beside vectors and states |\n|---|---|---|---|")
    print(f"| matrix product alone | {sum(alone):.1f} | 1 | {room.nbytes / 2**20:.0f} MB |")
    print(
        f"| lists of {K} | {sum(whole):.1f} | {sum(whole) / sum(alone):.2f} ({ratios.min():.2f} to {ratios.max():.2f}) | {added:.0f} MB |"
    )


if __name__ == "__main__":
    main()
