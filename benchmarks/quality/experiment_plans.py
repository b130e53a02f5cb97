"""Whether plans keep what they promise: how often simulated experiments of the planned size see the difference that was planned to be seen.

    python -m benchmarks.quality.experiment_plans [--runs 10000]

A plan is made on 4,000 units: spending before is gamma (shape .5, mean 10), spending is .6 of it and a gamma of shape .5 and mean 6, orders are 1 + Poisson(3), shops are drawn among 500. Experiments are drawn from the same units with
replacement, with arms of .6, .3 and .1; the smallest is judged. The difference that can be seen in four runs of five is added to what a unit of that arm spends, and Welch's statistic is held against
the normal bound of the plan (5% among two comparisons). `covariate`: what is left of the spending after its covariate. `ratio`: spending per order by the delta method. `whole shops`: shops
are drawn. `looked at daily`: 200 units a day in two arms of .5, planned for 15% of the mean, the always-valid interval from its burn-in on; a fifth as many runs. Seeds are fixed. Prints Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
import polars as pl
from scipy.stats import norm

from benchmarks.kit.machine import machine
from vitrina.experiments import Experiment, Mean, Past, Ratio, half_width, plan
from vitrina.experiments.sequential import BURN_IN

UNITS, DAYS, PER_DAY = 4_000, 42, 100
THREE = Experiment(name="offer", arms={"none": 0.6, "five": 0.3, "ten": 0.1})
TWO = Experiment(name="offer", arms={"none": 0.5, "ten": 0.5})
Pair = tuple[np.ndarray, np.ndarray]  # numerator and denominator of what was drawn


def population() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    before = rng.gamma(0.5, 20, UNITS)
    spent = 0.6 * before + rng.gamma(0.5, 12, UNITS)
    return pl.DataFrame({"spent": spent, "before": before, "orders": rng.poisson(3, UNITS) + 1.0, "shop": rng.integers(0, 500, UNITS)})


def statistics(numerator: np.ndarray, denominator: np.ndarray, sizes: tuple[int, int], effect: float, runs: int) -> Iterator[float]:
    """Of experiments drawn from these units; the effect is per unit of the denominator."""
    rng = np.random.default_rng(1)
    for _ in range(runs):
        ratios, variances = [], []
        for size, lift in zip(sizes, (0.0, effect), strict=True):
            at = rng.integers(0, len(numerator), size)
            y, n = numerator[at] + lift * denominator[at], denominator[at]
            ratios.append(y.mean() / n.mean())
            variances.append(((y - ratios[-1] * n) / n.mean()).var(ddof=1) / size)
        yield (ratios[1] - ratios[0]) / np.sqrt(sum(variances))


def fixed(runs: int) -> Iterator[tuple[str, float]]:
    users = population()
    spent, before, ones = users["spent"].to_numpy(), users["before"].to_numpy(), np.ones(UNITS)
    left = spent - np.cov(spent, before)[0, 1] / before.var(ddof=1) * before
    shops = users.group_by("shop", maintain_order=True).agg(pl.col("spent").sum(), n=pl.len().cast(pl.Float64))
    worlds: dict[str, tuple[dict, dict, Pair]] = {
        "mean": ({"m": Mean(column="spent")}, {}, (spent, ones)),
        "mean, covariate": ({"m": Mean(column="spent", covariate="before")}, {}, (left, ones)),
        "ratio": ({"m": Ratio(numerator="spent", denominator="orders")}, {}, (spent, users["orders"].to_numpy())),
        "mean, whole shops": ({"m": Mean(column="spent")}, {"cluster": "shop"}, (shops["spent"].to_numpy(), shops["n"].to_numpy())),
    }
    bound = norm.isf(0.05 / 4)
    for name, (metrics, more, pair) in worlds.items():
        found = plan(THREE, Past.of_units(users, metrics, per_day=PER_DAY, **more), days=DAYS)
        sizes = round(0.6 * PER_DAY * DAYS), round(0.1 * PER_DAY * DAYS)
        seen = np.fromiter(statistics(*pair, sizes, found.row["detectable"], runs), float)
        yield name, float((np.abs(seen) > bound).mean())


def daily(runs: int) -> Iterator[tuple[str, str, str]]:
    users = population()
    found = plan(TWO, Past.of_units(users, {"m": Mean(column="spent")}, per_day=200), relative=0.15)
    assert found.peeking is not None
    assert found.peeking.days is not None
    days, planned, spent, rng = found.peeking.days, found.days, users["spent"].to_numpy(), np.random.default_rng(2)
    off = np.abs(spent - spent.mean())
    burnt_in = 100 * np.arange(1, days + 1) * off.mean() ** 2 / np.square(off).mean() >= BURN_IN
    n, ends, alarms, falsely = 100 * np.arange(1, days + 1), [], 0, 0
    for effect in (found.effect, 0.0):
        for _ in range(runs):
            values = spent[rng.integers(0, UNITS, (2, days, 100))]
            values[1] += effect
            means = values.sum(axis=2).cumsum(axis=1) / n
            error = np.sqrt((((values**2).sum(axis=2).cumsum(axis=1) / n - means**2) / n).sum(axis=0))
            apart = np.abs(means[1] - means[0])
            out = (apart > half_width(2 * n, error, 200 * planned)) & burnt_in
            if effect:
                ends.append(np.flatnonzero(out)[0] + 1 if out.any() else np.inf)
            else:
                falsely += out.any()
                alarms += ((apart > norm.isf(0.025) * error) & burnt_in)[:planned].any()
    power = found.table.filter(pl.col("days") == days)["always_valid_power"][0]
    yield f"sees it within {days} days", f"{power:.1%}", f"{np.mean(np.array(ends) <= days):.1%}"
    yield "days until then, on average", f"{found.peeking.mean:.1f}", f"{np.minimum(ends, days).mean():.1f}"
    yield (
        f"an ordinary interval, looked at every day for {planned}, without a difference",
        f"{found.peeking.ordinary:.1%}",
        f"{alarms / runs:.1%}",
    )
    yield f"the always-valid one, every day for {days}, without a difference", "at most 5%", f"{falsely / runs:.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    limits = machine()
    print(f"{runs:,} experiments a row; 80% is off by {200 * (0.16 / runs) ** 0.5:.1f} points at two errors.\n")
    print("| fixed length, the smallest of three arms | planned | reached |\n|---|---|---|")
    for name, power in fixed(runs):
        print(f"| {name} | 80% | {power:.1%} |", flush=True)
    print(f"\n{runs // 5:,} experiments with the difference and as many without.\n\n| looked at daily | planned | reached |\n|---|---|---|")
    for row in daily(runs // 5):
        print(f"| {' | '.join(row)} |", flush=True)
    print(f"\n{limits}.")


if __name__ == "__main__":
    main()
