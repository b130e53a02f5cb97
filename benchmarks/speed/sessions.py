"""A million sessions of 50 items for 10 slots: the best choice and order of each, beside the same dynamic programme in NumPy.

    python -m benchmarks.speed.sessions [--sessions 1_000_000] [--repeat 3]

Chances are drawn (seeded, float32), values differ by item. NumPy does 100,000 sessions, in blocks of 10,000 that stay in the cache, and its time is multiplied by
ten; both must expect the same of each. The compiled kernel runs on one thread (NUMBA_NUM_THREADS=1), as NumPy does, and then on all cores. `memory` is the most that NumPy
held for a call beside inputs and answer.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import tracemalloc

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.places import ROOT

ITEMS, SLOTS, BLOCK, SHARE = 50, 10, 10_000, 10


def drawn(sessions: int) -> dict[str, np.ndarray | np.float32]:
    rng = np.random.default_rng(0)
    return {
        "p": rng.random((sessions, ITEMS), dtype=np.float32), "value": rng.lognormal(0, 1, ITEMS),
        "continue_after_success": 0.3 + 0.6 * rng.random((sessions, ITEMS), dtype=np.float32), "continue_after_failure": np.float32(0.9),
    }  # fmt: skip


def in_numpy(p, value, continue_after_success, continue_after_failure):
    """(sessions,) what the best choice is worth: sorted by r / (1 - q), then W[c] = max(W[c], r + q W[c - 1]) from the last to the first."""
    p = p.astype(np.float64)
    q = p * continue_after_success + (1 - p) * continue_after_failure
    r = p * value
    order = np.argsort(-r / (1 - q), axis=1)
    r, q = (np.take_along_axis(column, order, axis=1).T.copy() for column in (r, q))
    worth = np.zeros((SLOTS + 1, len(p)))
    for item in range(ITEMS - 1, -1, -1):
        worth[1:] = np.maximum(worth[1:], r[item] + q[item] * worth[:-1])
    return worth[SLOTS]


def least(work, repeat: int) -> float:
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def measure(sessions: int, repeat: int) -> None:
    arrays = drawn(sessions)
    small = {name: a[:10] if np.ndim(a) == 2 else a for name, a in arrays.items()}
    vt.ranking.rank_session(k=SLOTS, **small)
    tracemalloc.start()
    order = vt.ranking.rank_session(k=SLOTS, **arrays)
    answer = sum(a.nbytes for a in (order.items, order.expected, order.going_on, order.reached))
    memory = tracemalloc.get_traced_memory()[1] - answer
    tracemalloc.stop()
    seconds = least(lambda: vt.ranking.rank_session(k=SLOTS, **arrays), repeat)
    threads = int(os.environ["NUMBA_NUM_THREADS"])
    peer = ""
    if threads == 1:
        some = {name: a[: sessions // SHARE] if np.ndim(a) == 2 else a for name, a in arrays.items()}

        def blocks():
            return np.concatenate(
                [
                    in_numpy(**{name: a[at : at + BLOCK] if np.ndim(a) == 2 else a for name, a in some.items()})
                    for at in range(0, sessions // SHARE, BLOCK)
                ]
            )

        np.testing.assert_allclose(blocks(), order.expected[: sessions // SHARE], rtol=1e-6)
        theirs = SHARE * least(blocks, repeat)
        peer = f"{theirs:.1f} | {theirs / seconds:.1f}x"
    print(f"| {threads} | {sessions:,} | {seconds:.2f} | {peer or '|'} | {memory / 2**20:.0f} | {answer / 2**20:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, help="measure in this process")
    options = parser.parse_args()
    if options.threads:
        return measure(options.sessions, options.repeat)
    print(f"{ITEMS} items, {SLOTS} slots, least of {options.repeat}. {machine()}.\n")
    print(
        "| threads | sessions | Vitrina, s | NumPy, s | Vitrina is faster by | memory, MiB | answer, MiB |\n|---|---|---|---|---|---|---|",
        flush=True,
    )
    for threads in dict.fromkeys((1, os.cpu_count() or 1)):
        environment = os.environ | {"NUMBA_NUM_THREADS": str(threads), "OMP_NUM_THREADS": "1"}
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "benchmarks.speed.sessions",
            "--threads",
            str(threads),
            "--sessions",
            str(options.sessions),
        ]
        subprocess.run([*command, "--repeat", str(options.repeat)], cwd=ROOT, check=True, env=environment)


if __name__ == "__main__":
    main()
