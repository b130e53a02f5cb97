"""Goals at levels of ambition held against what was sold, and how often intervals of bonuses, of their changes and of effort hold the truth.

    python -m benchmarks.quality.plan_goals [--worlds 200] [--only real]

Real: shops of Complete Journey and countries of Online Retail with enough days of a sale, in money per day. From each of the last origins, 28 days apart, a forecaster is fitted on all days before, and goals are set for the next 28 days.
Nothing was tuned on them. Worlds: `vt.plan.GoalWorld` and lognormal totals, whose truth is an integral.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import norm

from benchmarks.kit.machine import machine
from benchmarks.kit.places import data_folder
from vitrina import plan
from vitrina.data.demo import _folder

DAYS, PATHS, LEVELS = 28, 1000, (0.1, 0.25, 0.5, 0.75, 0.9)
FORECASTERS = {
    "SeasonalNaive": plan.SeasonalNaive(), "SeasonalNaive, its totals calibrated": plan.CalibratedTotals(days=DAYS),
    "Recalibrated": plan.Recalibrated(forecaster=plan.SeasonalNaive(), days=DAYS), "Counts": plan.Counts(),
    "Counts, its totals calibrated": plan.CalibratedTotals(forecaster=plan.Counts(), days=DAYS),
}  # fmt: skip


def shops() -> plan.Demand:
    """Money per day of each shop of Complete Journey that sold on 200 days; the first and the last day, which are cut off, left out."""
    lines = pl.read_parquet(_folder() / "transactions.parquet", columns=["store_id", "transaction_timestamp", "sales_value"])
    demand = plan.read_demand(lines, item="store_id", time="transaction_timestamp", quantity="sales_value", min_sales=200)
    return demand.between(1, demand.days - 1)


def countries() -> plan.Demand:
    """Money per day of each country of Online Retail that bought on 60 days; gross of what came back."""
    lines = pl.read_parquet(data_folder() / "online-retail" / "lines.parquet").with_columns(money=pl.col("quantity") * pl.col("price"))
    demand = plan.read_demand(
        lines.filter(pl.col("money") > 0).select("country", "timestamp", "money"),
        item="country",
        time="timestamp",
        quantity="money",
        min_sales=60,
    )
    return demand.between(0, demand.days - 1)


DATA = {"shops of Complete Journey": (shops, 4), "countries of Online Retail": (countries, 12)}


def real() -> Iterator[str]:
    """The table of goals that were met."""
    yield "| data | goals by | goals | " + " | ".join(f"ambition {level:g}, promised {1 - level:.0%}" for level in LEVELS) + " |"
    yield "|---" * (3 + len(LEVELS)) + "|"
    for name, (make, origins) in DATA.items():
        demand = make()
        cuts = [demand.days - DAYS * at for at in range(origins, 0, -1)]
        on_sale = demand.state != 0
        whole = np.all([on_sale[:, cut : cut + DAYS].mean(axis=1) > 0.7 for cut in cuts], axis=0) & on_sale[:, : cuts[0]].any(axis=1)
        demand = demand.select(np.flatnonzero(whole))
        for title, forecaster in FORECASTERS.items():
            ahead = [forecaster.fit(demand.between(0, cut)).forecast(DAYS, paths=PATHS, seed=cut) for cut in cuts]
            judged = plan.judge_goals(demand, ahead, levels=LEVELS).table
            cells = [f"{row['met']:.1%} ({row['low']:.1%} to {row['high']:.1%})" for row in judged.iter_rows(named=True)]
            yield f"| {len(demand)} {name}, {origins} periods | {title} | {judged['goals'][0]:,} | {' | '.join(cells)} |"


def inside(rows: Mapping[str, tuple[float, float]], truth: Mapping[str, float]) -> dict[str, bool]:
    return {name: rows[name][0] <= truth[name] <= rows[name][1] for name in truth}


def of_goals(seed: int, paths: int) -> dict[str, bool]:
    """Eight lognormal totals that share a third of their variance, goals at an ambition of 0.7."""
    rng, bonus = np.random.default_rng([seed, paths]), plan.Bonus(fixed=100, linear=500, cap=200)
    shared = rng.standard_normal((1, paths))
    totals = 1000 * np.exp(0.3 * (np.sqrt(1 / 3) * shared + np.sqrt(2 / 3) * rng.standard_normal((8, paths))))
    found = plan.goals(plan.Forecast(totals.astype(np.float32)[:, :, None], date(2027, 1, 1)), 0.7, bonus=bonus)
    goal = found.table["goal"].to_numpy()
    z = norm.ppf((np.arange(4000) + 0.5) / 4000)[:, None]
    paid = bonus.paid(1000 * np.exp(0.3 * z), goal).mean(axis=0)
    row = found.table.row(0, named=True)
    ends = {"chance": (row["met_low"], row["met_high"]), "bonus": (row["bonus_low"], row["bonus_high"]), "bill": found.cost[1:]}
    return inside(ends, {"chance": float(norm.sf(np.log(goal[0] / 1000) / 0.3)), "bonus": float(paid[0]), "bill": float(paid.sum())})


def of_change(seed: int, units: int, truth: Mapping[str, float]) -> dict[str, bool]:
    """A pilot of the forecast that was tuned on MAPE."""
    pilot = plan.GoalWorld().pilot(units, seed=seed)
    found = plan.explain_bonuses(
        pilot,
        arm="arm",
        outcome="outcome",
        old="goal_old",
        new="goal_new",
        control="old",
        bonus=plan.Bonus(fixed=200),
        margin=0.3,
        draws=400,
        seed=seed,
    )
    rows = {row["part"]: (row["low"], row["high"]) for row in found.table.iter_rows(named=True)}
    return inside(rows | {row["what"]: (row["low"], row["high"]) for row in found.worth.iter_rows(named=True)}, truth)


def true_change() -> dict[str, float]:
    world, bonus = plan.GoalWorld(), plan.Bonus(fixed=200)
    old, new = world.expected("old", bonus=bonus), world.expected("new", "mape", bonus=bonus)
    median, mape = (world.expected("old", bonus=bonus, goal=("new", tuned)).bonus for tuned in ("median", "mape"))
    total, uplift = new.bonus - old.bonus, new.outcome - old.outcome
    parts = {"accuracy": median - old.bonus, "bias": mape - median, "effort": new.bonus - mape, "total": total}
    return parts | {"sales": uplift, "as piloted": 0.3 * uplift - total, "at equal ambition": 0.3 * uplift - total + parts["bias"]}


def of_effort(seed: int, units: int) -> dict[str, bool]:
    """A pilot of three levels; the last against the first."""
    levels, bonus, world = (0.35, 0.5, 0.65), plan.Bonus(fixed=30), plan.GoalWorld()
    first, *_, last = (world.expected("new", ambition=level, bonus=bonus) for level in levels)
    found = plan.response_to_goals(
        world.levels(units, levels, seed=seed), arm="ambition", outcome="outcome", forecast="forecast", goal="goal", bonus=bonus, margin=0.3
    )
    row = found.table.row(-1, named=True)
    net = [0.3 * one.outcome - one.bonus for one in (first, last)]
    truth = {"uplift": last.outcome - first.outcome, "more_bonus": last.bonus - first.bonus, "gain": net[1] - net[0], "net": net[1]}
    return inside({name: (row[f"{name}_low"], row[f"{name}_high"]) for name in truth}, truth)


def worlds(count: int) -> Iterator[str]:
    """The table of coverage."""
    yield "| what | worlds | two errors | share of 95% intervals that hold the truth |"
    yield "|---|---|---|---|"
    truth = true_change()
    kinds: dict[str, tuple[int, Any]] = {
        "goals by 200 paths": (5 * count, lambda seed: of_goals(seed, 200)), "goals by 1,000 paths": (5 * count, lambda seed: of_goals(seed, 1000)),
        "change of bonuses, 500 shops": (count, lambda seed: of_change(seed, 500, truth)), "change of bonuses, 2,000 shops": (count, lambda seed: of_change(seed, 2000, truth)),
        "effort, 1,500 shops at 3 levels": (count, lambda seed: of_effort(seed, 1500)),
    }  # fmt: skip
    for name, (number, world) in kinds.items():
        held = [world(seed) for seed in range(number)]
        shares = ", ".join(f"{part} {np.mean([one[part] for one in held]):.1%}" for part in held[0])
        yield f"| {name} | {number:,} | ±{200 * np.sqrt(0.95 * 0.05 / number):.1f} | {shares} |"


def speed() -> str:
    samples = np.random.default_rng(0).lognormal(3, 0.4, (5000, 400, 7)).astype(np.float32)
    forecast, bonus = plan.Forecast(samples, date(2027, 1, 1)), plan.Bonus(fixed=100, linear=500, cap=200)
    plan.goals(forecast, 0.7, bonus=bonus)
    begin = time.perf_counter()
    plan.goals(forecast, 0.7, bonus=bonus)
    one = time.perf_counter() - begin
    plan.ambition_for(forecast, bonus, budget=200_000)
    return f"5,000 goals with bonuses by 400 paths take {one:.2f} s, the ambition of a budget {time.perf_counter() - begin - one:.1f} s, on one core."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--only", choices=["real"])
    options = parser.parse_args()
    print(
        f"Goals for {DAYS} days by {PATHS:,} paths, held against what was sold: the share that would have been met, with 95% intervals over shops or countries, each with all its periods.\n"
    )
    print("\n".join(real()), flush=True)
    if options.only is None:
        print("\nWorlds whose truth is known, a seed each:\n")
        print("\n".join(worlds(options.worlds)))
        print(f"\n{speed()}")
    print(f"\n{machine()}.")


if __name__ == "__main__":
    main()
