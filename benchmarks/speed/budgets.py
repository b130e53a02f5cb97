"""Who gets what for a million units: the Qini path of five arms and a control, and an assignment of six arms within a budget, beside the same work in NumPy.

    python -m benchmarks.speed.budgets [--units 1_000_000] [--repeat 5]

Inputs are drawn as the package maq draws them for its own timing (uniform rewards and costs, seeded), float64. NumPy climbs all hulls at once, an arm per pass, sorts the steps and adds them up; its budget is 40
bisections of the price. Both must agree: the path's end, and the value of the assignment to a relative 1e-4. `memory` is the most that a process of its own held for 10 million units with five arms in float32,
the interpreter and the inputs included; its peer isn't run. Compiling, once per machine, is not in the times and is said below.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.places import ROOT

BISECTIONS = 40
LARGE = 10_000_000


def drawn(units: int, arms: int, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, predictions and costs of a control and `arms` more."""
    rng = np.random.default_rng(0)
    arrays = [np.zeros((units, arms + 1), dtype) for _ in range(3)]
    for array in arrays:
        array[:, 1:] = rng.random((units, arms), dtype=np.float32)
    arrays[2][:, 1:] += 0.05
    return arrays[0], arrays[1], arrays[2]


def path_in_numpy(scores: np.ndarray, predictions: np.ndarray, cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spend and gain along the path: from each unit's arm to that of the largest slope, until none has one above 0."""
    n = len(scores)
    units, now, steps = np.arange(n), np.zeros(n, np.int64), []
    while len(units):
        rows = np.arange(len(units))
        more = cost[units] - cost[units, now][:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = np.where(more > 0, (predictions[units] - predictions[units, now][:, None]) / more, -np.inf)
        best = slopes.argmax(axis=1)
        slope = slopes[rows, best]
        on = slope > 0
        units, before, now = units[on], now[on], best[on]
        steps.append((slope[on], cost[units, now] - cost[units, before], scores[units, now] - scores[units, before]))
    slope, spend, gain = (np.concatenate(parts) for parts in zip(*steps, strict=True))
    order = np.argsort(-slope, kind="stable")
    return np.cumsum(spend[order]) / n, np.cumsum(gain[order]) / n


def budget_in_numpy(value: np.ndarray, cost: np.ndarray, budget: float) -> float:
    """The value at the lowest price of 40 bisections that keeps the budget."""
    low, high, rows = 0.0, float((value / np.maximum(cost, 1e-9)).max()), np.arange(len(value))
    best = 0.0
    for _ in range(BISECTIONS):
        price = (low + high) / 2
        arms = (value - price * cost).argmax(axis=1)
        if cost[rows, arms].sum() <= budget:
            high, best = price, float(value[rows, arms].sum())
        else:
            low = price
    return best


def least(work, repeat: int) -> float:
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def both(ours, theirs, repeat: int) -> str:
    """The cells of least seconds, taken in turns, and of the processor: all cores together, which other work disturbs less."""
    clock, processor = [], []
    for _ in range(repeat):
        busy = time.process_time()
        first = least(ours, 1)
        middle = time.process_time()
        clock.append((first, least(theirs, 1)))
        processor.append((middle - busy, time.process_time() - middle))
    (mine, other), (own, peer) = ([min(column) for column in zip(*pairs, strict=True)] for pairs in (clock, processor))
    return f"{mine:.2f} | {other:.2f} | {other / mine:.1f}x | {own:.2f} | {peer:.2f}"


def measure(units: int, repeat: int) -> None:
    threads, arrays = os.environ["NUMBA_NUM_THREADS"], drawn(units, 5)
    few = [a[:1000] for a in arrays]
    vt.policy.qini(*few), vt.policy.assign_with_budget(few[1], few[2], 100.0)
    curve, (spend, _) = vt.policy.qini(*arrays), path_in_numpy(*arrays)
    assert abs(curve.path.spend[-1] - spend[-1]) < 1e-9 * spend[-1]
    assert len(spend) == len(curve.path.spend)
    cells = both(lambda: vt.policy.qini(*arrays), lambda: path_in_numpy(*arrays), repeat)
    print(f"| Qini path, {units:,} x 5 and a control | {threads} | {cells} | |", flush=True)
    _, value, cost = arrays
    budget = 0.25 * units
    found = vt.policy.assign_with_budget(value, cost, budget)
    assert abs(budget_in_numpy(value, cost, budget) - found.value) < 1e-4 * found.value
    cells = both(lambda: vt.policy.assign_with_budget(value, cost, budget), lambda: budget_in_numpy(value, cost, budget), repeat)
    print(f"| budget, {units:,} x 6 | {threads} | {cells} | {found.gap:.1e} |", flush=True)


def memory(kind: str) -> None:
    scores, predictions, cost = drawn(LARGE, 4, np.float32)  # five arms, the control among them
    inputs = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    if kind == "qini":
        curve = vt.policy.qini(scores, predictions, cost)
        curve.at([0.1, 0.2])
        curve.area(over=curve.random)
    else:
        vt.policy.assign_with_budget(predictions, cost, 0.2 * LARGE)
    seconds, most = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    what = "Qini path, two spends and the area" if kind == "qini" else "budget"
    print(f"| {what}, {LARGE:,} x 5, float32 | {most / 2**20:.2f} | {inputs / 2**20:.2f} | {seconds:.1f} |", flush=True)


def compiling() -> None:
    """Seconds of a first call in an empty folder of kernels."""
    arrays = drawn(1000, 5)
    seconds = [least(lambda: vt.policy.qini(*arrays), 1), least(lambda: vt.policy.assign_with_budget(*arrays[1:], 100.0), 1)]
    print(f"Compiling: {seconds[0]:.0f} s for a path, {seconds[1]:.0f} s more for a budget, once per machine and kind of numbers.")


def process(*arguments: str, threads: int = os.cpu_count() or 1, **environment: str) -> None:
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.speed.budgets", *arguments], cwd=ROOT, check=True,
        env=os.environ | {"NUMBA_NUM_THREADS": str(threads), "OMP_NUM_THREADS": "1"} | environment,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--part", choices=["speed", "qini", "budget", "compile"], help="measure in this process")
    options = parser.parse_args()
    if options.part == "speed":
        return measure(options.units, options.repeat)
    if options.part in ("qini", "budget"):
        return memory(options.part)
    if options.part == "compile":
        return compiling()
    print(f"Least of {options.repeat}, in turns with the peer. {machine()}.\n")
    print(
        "| what | threads | Vitrina, s | NumPy, s | Vitrina is faster by | of the processor, s | NumPy, of the processor, s | relative gap to the bound |\n"
        f"|{'---|' * 8}",
        flush=True,
    )
    for threads in dict.fromkeys((1, os.cpu_count() or 1)):
        process("--part", "speed", "--units", str(options.units), "--repeat", str(options.repeat), threads=threads)
    print("\n| what | most memory, GiB | of it interpreter and inputs, GiB | s |\n|---|---|---|---|", flush=True)
    process("--part", "qini")
    process("--part", "budget")
    with tempfile.TemporaryDirectory() as folder:
        print(flush=True)
        process("--part", "compile", NUMBA_CACHE_DIR=folder)


if __name__ == "__main__":
    main()
