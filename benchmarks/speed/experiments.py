"""A million users, five metrics, one treatment: the whole analysis beside tea-tasting's own on the same table.

    python -m benchmarks.speed.experiments [--users 1_000_000] [--repeat 5]

A mean with a covariate, a mean, a share, a ratio and a ratio with covariates, on a Polars table with one row per user. The two take turns on one thread (POLARS_MAX_THREADS=1); the least of each
counts. tea-tasting gives the same intervals to nine digits and no check; ours checks the assignment, missing numbers, covariates and tails, and makes sentences. `by session`: the
same users with three rows each, which are added up first; tea-tasting is given the table that Polars added up, whose time is its own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import numpy as np
import polars as pl

from benchmarks.kit.machine import machine
from benchmarks.kit.places import ROOT


def made(users: int) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    before = rng.exponential(10, users)
    return pl.DataFrame(
        {
            "user": rng.permutation(users), "arm": rng.integers(0, 2, users), "before": before, "revenue": before * rng.gamma(4, 0.25, users),
            "orders": rng.poisson(2, users), "orders_before": rng.poisson(2, users), "bought": (rng.random(users) < 0.1).astype(np.int8),
            "sessions": 1 + rng.poisson(3, users),
        }
    )  # fmt: skip


def measure(users: int, repeat: int) -> None:
    import tea_tasting as tt

    import vitrina.experiments as ex

    table = made(users)
    rows = pl.concat([table.with_columns(pl.col("revenue") * share) for share in (0.2, 0.3, 0.5)]).sample(fraction=1, shuffle=True, seed=1)
    ours = {
        "cuped": ex.Mean(column="revenue", covariate="before"), "orders": ex.Mean(column="orders"), "bought": ex.Share(column="bought"),
        "per_session": ex.Ratio(numerator="revenue", denominator="sessions"),
        "per_order": ex.Ratio(numerator="revenue", denominator="orders", covariate_numerator="before", covariate_denominator="orders_before"),
    }  # fmt: skip
    theirs = tt.Experiment(
        {
            "cuped": tt.Mean("revenue", "before"), "orders": tt.Mean("orders"), "bought": tt.Mean("bought"),
            "per_session": tt.RatioOfMeans("revenue", "sessions"), "per_order": tt.RatioOfMeans("revenue", "orders", "before", "orders_before"),
        },
        variant="arm",
    )  # fmt: skip
    work = {
        "ours": lambda: ex.analyse(table, ours, arm="arm", unit="user", control=0, shares={0: 1, 1: 1}),
        "tea-tasting": lambda: theirs.analyze(table),
        "ours by session": lambda: ex.analyse(rows, ours, arm="arm", unit="user", control=0, shares={0: 1, 1: 1}),
        "Polars by session": lambda: rows.group_by("user").agg(
            pl.col("arm", "before", "orders_before").first(), pl.col("revenue", "orders", "sessions").sum(), pl.col("bought").max()
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in work}
    found = {}
    for _ in range(repeat):
        for name, do in work.items():
            began = time.perf_counter()
            found[name] = do()
            seconds[name].append(time.perf_counter() - began)
    mine = {row["metric"]: row for row in found["ours"].table.iter_rows(named=True)}
    apart = max(abs(mine[m]["low"] / r.effect_size_ci_lower - 1) for m, r in found["tea-tasting"].items())
    least = {name: min(spent) for name, spent in seconds.items()}
    print(
        f"| {users:,} users, five metrics | {least['ours']:.2f} s | {least['tea-tasting']:.2f} s | {least['ours'] / least['tea-tasting']:.2f} | {apart:.0e} |"
    )
    both = least["Polars by session"] + least["tea-tasting"]
    print(f"| three rows per user | {least['ours by session']:.2f} s | {both:.2f} s | {least['ours by session'] / both:.2f} | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        return measure(options.users, options.repeat)
    command = [
        sys.executable,
        "-m",
        "benchmarks.speed.experiments",
        "--here",
        "--users",
        str(options.users),
        "--repeat",
        str(options.repeat),
    ]
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    limits = machine()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | one, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    print(
        f"One thread, the least of {options.repeat} runs in turn.\n\n| work | analysis with checks | tea-tasting | ratio | ends of intervals apart, relative, at most |\n|---|---|---|---|---|"
    )
    print(f"{done.stdout.strip()}\n\n{limits}.")
    return None


if __name__ == "__main__":
    main()
