"""DR with an interval by the bootstrap of a million rows, beside OBP; and the memory of ten million rows of five arms.

    python -m benchmarks.speed.policy_values [--rows 1_000_000] [--draws 10_000]

Five arms of equal chances, uniform rewards, float32 predictions that are given; two policies, one of them the baseline, each row a cluster of its own. Ours is `vt.policy.evaluate` with DR alone, checks left out (`force`): values, paired difference, intervals of
both. OBP (sb-obp 0.5.10) gives the interval of one policy; it draws so many times 1,000,000 rows, and its time is that of 20 draws, times the draws. Seconds are of the processor (one thread), so that the load of the machine has little part in them.
Memory is the most that a process of its own held, arrays of the log and of the predictions included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np
import polars as pl

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.peers import PEERS, peer_python
from benchmarks.kit.places import ROOT
from vitrina.policy import DR, IPS, SNIPS, DecisionLog
from vitrina.policy.units import Units

ARMS, OF_OBP, LARGE = 5, 20, 10_000_000


def a_log(rows: int) -> tuple[DecisionLog, np.ndarray, np.ndarray]:
    """A log, predictions, and the arms of a policy."""
    rng = np.random.default_rng(0)
    names = tuple("abcde")
    ids = pl.Series("unit", np.arange(rows))
    log = DecisionLog(
        Units(ids, pl.DataFrame(), names), rng.integers(0, ARMS, rows).astype(np.int32), {"reward": rng.random(rows)}, np.arange(rows, dtype=np.int32), ids,
        design=np.full(ARMS, 1 / ARMS),
    )  # fmt: skip
    return log, rng.random((rows, ARMS), dtype=np.float32), rng.integers(0, ARMS, rows)


def measured(rows: int, draws: int | None) -> None:
    """In a process of its own: seconds of the processor and of the clock, and GiB."""
    log, mu, arms = a_log(rows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    began, clock = time.process_time(), time.perf_counter()
    estimators = [DR()] if draws else [IPS(), SNIPS(), DR()]
    vt.policy.evaluate(log, {"a": vt.policy.Always("a"), "new": arms}, estimators=estimators, predictions=mu, bootstrap=draws, force=True)
    taken = time.process_time() - began, time.perf_counter() - clock
    print(
        json.dumps(
            {"cpu": taken[0], "wall": taken[1], "before": before, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}
        )
    )


def alone(*arguments: str) -> dict[str, float]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.speed.policy_values", "--alone", *arguments]
    return json.loads(
        subprocess.run(command, cwd=ROOT, check=True, env=environment, capture_output=True, text=True).stdout.splitlines()[-1]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--alone", type=int, nargs=2, help="rows and draws, in this process")
    options = parser.parse_args()
    if options.alone:
        return measured(options.alone[0], options.alone[1] or None)
    ours = alone(str(options.rows), str(options.draws))
    command = [peer_python("obp"), str(PEERS / "obp_runs.py"), "bootstrap", str(options.rows), str(OF_OBP)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    theirs = json.loads(done.stdout.splitlines()[-1])["cpu"] * options.draws / OF_OBP
    print(f"DR, {options.rows:,} rows, {options.draws:,} draws of the bootstrap, predictions given. {machine()}.\n")
    print("| | processor, s | clock, s | peak, GiB |\n|---|---|---|---|")
    print(f"| Vitrina: two policies and their difference | {ours['cpu']:.1f} | {ours['wall']:.1f} | {ours['peak']:.2f} |")
    print(f"| sb-obp 0.5.10: one policy | {theirs:.0f} | | |")
    print(f"| ratio | {theirs / ours['cpu']:.0f}x | | |")
    large = alone(str(LARGE), "0")
    print(
        f"\nIPS, SNIPS and DR of two policies on {LARGE:,} rows of {ARMS} arms, predictions given: {large['cpu']:.1f} s of the processor, {large['wall']:.1f} s of the clock, "
        f"peak {large['peak']:.2f} GiB, of which {large['before']:.2f} GiB to make the log and the predictions."
    )
    return None


if __name__ == "__main__":
    main()
