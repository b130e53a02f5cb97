"""How often the interval of people's labels and a judge's together holds the truth, and how wide it is beside that of the labels alone.

    python -m benchmarks.quality.judge_intervals [--worlds 10_000] [--rows FIRST LAST]

The generator. People's label is y, the judge's f. "numbers": y is normal(0, 1), f = 0.3 + 0.5 (y + noise) with the correlation that is said: the judge is off by 0.3 and reads the scale wrongly. "grades": a hidden normal
number z is cut at .3, .8 and 1.3 into 0 to 3 for people, and z + normal(0, .5) at -.3, .2 and .7 for the judge, who overrates. "grades in queries of 5" has a part of z, normal(0, .5), that the rows of a query share; whole queries are labelled.
"rare": 5% of y are 1, the others 0, and the judge is wrong in 15% of the rows, whatever they are. "gains by next_labels": the judge is off by normal(0, 1) + .3 in 15% of the rows, which it calls doubtful, and by normal(0, .1) in the others; 40 labels are drawn evenly, the others by doubt.
Labelled rows are drawn at random without replacement. The truth is that of the whole world, of which a seed draws all rows. A seed is (world, labels).
"""

from __future__ import annotations

import argparse

import numpy as np
import polars as pl
from scipy.stats import norm

from benchmarks.kit.machine import machine
from vitrina.judge import Corrected, corrected_mean, next_labels

FEWER = 2000  # worlds of what the promise is not about
CUTS, OVERRATED = (0.3, 0.8, 1.3), (-0.3, 0.2, 0.7)
SHARED = 0.5
KINDS = [
    ("numbers, correlation .9", 200, 20_000, True), ("grades", 200, 20_000, True), ("grades in queries of 5", 200, 20_000, True),
    ("numbers, correlation .9", 20, 5000, False), ("numbers, correlation .9", 50, 5000, False), ("numbers, correlation .5", 200, 5000, False), ("numbers, correlation 0", 200, 5000, False),
    ("grades", 20, 5000, False), ("grades", 30, 5000, False), ("grades", 50, 5000, False), ("grades", 100, 5000, False), ("grades in queries of 5", 100, 5000, False),
    ("rare", 50, 5000, False), ("rare", 100, 5000, False), ("rare", 200, 5000, False), ("rare", 500, 5000, False), ("gains by next_labels", 200, 5000, False),
]  # fmt: skip


def world(rng: np.random.Generator, kind: str, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """People's, the judge's, queries, and the truth."""
    query = np.arange(rows)
    if kind.startswith("numbers"):
        rho = float(kind.rpartition(" ")[2])
        y = rng.normal(size=rows)
        noise = rng.normal(size=rows)
        return y, 0.3 + 0.5 * (noise if rho == 0 else y + np.sqrt(1 / rho**2 - 1) * noise), query, 0.0
    if kind.startswith("grades"):
        query = query // 5 if "queries" in kind else query
        shared = SHARED * ("queries" in kind)
        z = rng.normal(size=rows) + shared * rng.normal(size=rows)[query]
        truth = float(sum(norm.sf(cut / np.sqrt(1 + shared**2)) for cut in CUTS))
        return np.digitize(z, CUTS).astype(float), np.digitize(z + 0.5 * rng.normal(size=rows), OVERRATED).astype(float), query, truth
    y = (rng.random(rows) < 0.05).astype(float)
    return y, np.where(rng.random(rows) < 0.15, 1 - y, y), query, 0.05


def doubted(rng: np.random.Generator, labels: int, rows: int, seed: int) -> tuple[Corrected, float]:
    """Labels of which most were drawn by doubt."""
    doubt = np.where(rng.random(rows) < 0.15, 1.0, 0.1)
    y = rng.normal(size=rows)
    judge = y + 0.3 * (doubt > 0.5) + doubt * rng.normal(size=rows)
    pilot = np.isin(np.arange(rows), rng.choice(rows, 40, replace=False))
    table = pl.DataFrame({"query": np.arange(rows), "judge": judge, "truth": y, "doubt": doubt, "pilot": pilot})
    drawn = next_labels(table.with_columns(people=pl.when("pilot").then("truth")), labels - 40, seed=seed).rows
    return corrected_mean(drawn.with_columns(people=pl.when(pl.col("chance").is_not_null()).then("truth"))), 0.0


def estimated(kind: str, labels: int, rows: int, seed: int) -> tuple[Corrected, float]:
    rng = np.random.default_rng([seed, labels])
    if kind == "gains by next_labels":
        return doubted(rng, labels, rows, seed)
    y, f, query, truth = world(rng, kind, rows)
    per_query = 5 if "queries" in kind else 1
    drawn = np.isin(query, rng.choice(rows // per_query, labels // per_query, replace=False))
    table = pl.DataFrame({"query": query, "judge": f, "people": pl.Series(np.where(drawn, y, np.nan)).fill_nan(None)})
    return corrected_mean(table), truth


def run(kind: str, labels: int, rows: int, worlds: int) -> str:
    """A row of the table."""
    held, alone, judge, width, alone_width = 0, 0, 0, 0.0, 0.0
    for seed in range(worlds):
        found, truth = estimated(kind, labels, rows, seed)
        held += found.estimate.low <= truth <= found.estimate.high
        alone += found.labels_alone.low <= truth <= found.labels_alone.high
        judge += found.judge_alone.low <= truth <= found.judge_alone.high
        width += found.estimate.high - found.estimate.low
        alone_width += found.labels_alone.high - found.labels_alone.low
    shares = " | ".join(f"{count / worlds:.1%}" for count in (held, alone, judge))
    doubt = 200 * np.sqrt(held / worlds * (1 - held / worlds) / worlds)
    return f"| {kind} | {labels} | {rows:,} | {worlds:,} | {shares} | ±{doubt:.1f} | {width / alone_width:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=10_000)
    parser.add_argument("--rows", type=int, nargs=2, default=[0, len(KINDS)], help="of the table only these, the last left out")
    options = parser.parse_args()
    print(
        "Protocol: the generator stands in benchmarks/quality/judge_intervals.py; 95% intervals, a seed per world. Shares of worlds whose interval holds the truth, two standard errors of the first in points.\n"
    )
    print(
        "| labels | of people | of the judge | worlds | together | people alone | judge alone | two errors | width of together over people alone |\n|---|---|---|---|---|---|---|---|---|"
    )
    for kind, labels, rows, main_ in KINDS[slice(*options.rows)]:
        print(run(kind, labels, rows, options.worlds if main_ else min(options.worlds, FEWER)), flush=True)
    print(f"\n{machine()}.")


if __name__ == "__main__":
    main()
