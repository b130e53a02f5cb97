"""Seconds per epoch of one network by one process and by two, one thread each, in turn; and how much of a step is exchange.

    python -m benchmarks.speed.sequence_parallel [--rounds 3] [--epochs 3]

Amazon Beauty (all but the last item of each person), full softmax, 64 dimensions; with the default batch of 2,048 tokens and with eight times as many. Both are trained by spawned
processes, so that starting them counts for neither; the first epoch of each round warms up and isn't counted.
"""

from __future__ import annotations

import argparse
import os
import sys
from itertools import pairwise
from statistics import median

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.runs import leave_one_out
from vitrina.base.executor import Processes

TOKENS = 2048, 16_384


def epochs(data: vt.Dataset, tokens: int, workers: int, count: int) -> list[float]:
    """Seconds of each epoch but the first."""
    ends: list[float] = []
    training = vt.sequence.Training(epochs=count + 1, patience=None, tokens=tokens)
    vt.eSASRec(training=training).fit(data.on(Processes(workers)), report=lambda progress: ends.append(progress.seconds))
    return [after - before for before, after in pairwise(ends)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3, help="that are counted, in each round")
    options = parser.parse_args()
    named, data = machine(), leave_one_out("amazon-beauty").train
    found: dict[tuple[int, int], list[float]] = {}
    for _ in range(options.rounds):
        for tokens in TOKENS:
            for workers in (1, 2):
                found.setdefault((tokens, workers), []).extend(epochs(data, tokens, workers, options.epochs))
                print(f"{tokens:,} tokens, {workers} processes: {found[tokens, workers][-1]:.1f} s", file=sys.stderr)
    print(f"Amazon Beauty, {data.n_events:,} events, {data.n_items:,} items, eSASRec, one thread per process. {named}.\n")
    print("| tokens per batch | processes | seconds per epoch | epochs | against one process |\n|---|---|---|---|---|")
    for (tokens, workers), seconds in found.items():
        ratio = median(found[tokens, 1]) / median(seconds)
        print(
            f"| {tokens:,} | {workers} | {median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) | {len(seconds)} | {ratio:.2f}x |"
        )
    weights = 4 * data.n_items * 64 / 2**20
    print(
        f"\nA step adds up {weights:.1f} MiB of gradients of the item table over gloo, whatever the batch; its products fall with the positions of each process."
    )


if __name__ == "__main__":
    main()
