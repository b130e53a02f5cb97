"""How long the levels of 5,000 items take, how far they stay below a fine grid, and what the same search tells of packs, freshness, deliveries and deposits.

    python -m benchmarks.plan.optimise [--series 5000]

Poisson demand whose daily rates are lognormal (median 1, sigma 1.2), 40 paths of 120 days: 20 choose, 20 judge. Costs of 5 to 9 at a price of 10, packs of 1, 6 or 12, shelf lives of 5, 14 and 60 days or none, leads of 1, 2
or 7 days, a look each 1, 3 or 7 days, orders for nothing or for 3, storage .01 per unit and day, deposit 16%; lost sales. The gap is measured on 64 series, held against 1,500 levels, or 2,000 pairs of them with steps to their neighbours,
on the paths that chose. Seconds are by the clock and of the processor (all threads together), without the gap's; compiling, once per machine, isn't in them.

Conclusions: each setting has its best levels, held whatever comes of it; 200 paths, 100 choose and 100 judge; brackets are 95% intervals over paths, the differences on the same ones.
"""

from __future__ import annotations

import argparse
import time
from datetime import date

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.pages import RESULTS, keep
from vitrina.base.kernels import THREADS

START = date(2027, 1, 1)
PATHS, DAYS, CHECKED = 40, 120, 64
FAMILIES = (vt.plan.OrderUpTo, vt.plan.MinMaxStock, vt.plan.FixedQuantity)


def forecast_of(rates: list[float] | np.ndarray, paths: int, days: int) -> vt.plan.Forecast:
    random = np.random.default_rng(0)
    return vt.plan.Forecast(random.poisson(np.asarray(rates)[:, None, None], (len(rates), paths, days)).astype(np.float32), START)


def assortment(series: int) -> tuple[vt.plan.Forecast, vt.plan.Goods]:
    random = np.random.default_rng(1)
    goods = vt.plan.Goods(
        price=10, cost=random.uniform(5, 9, series), pack=random.choice([1, 6, 12], series), shelf_life=random.choice([5, 14, 60, np.inf], series), lead=random.choice([1, 2, 7], series),
        review=random.choice([1, 3, 7], series), order_cost=random.choice([0, 3], series), storage=0.01, deposit=0.16,
    )  # fmt: skip
    return forecast_of(np.exp(random.normal(0, 1.2, series)), PATHS, DAYS), goods


def speed(series: int) -> list[str]:
    rows = [
        f"| rule, {series:,} series x {PATHS} paths x {DAYS} days, {THREADS} threads | seconds | of the processor | candidates per series | below a fine grid, {CHECKED} series | profit on fresh paths | optimism |",
        "|---|---|---|---|---|---|---|",
    ]
    few, small = assortment(70)
    forecast, goods = assortment(series)
    for family in FAMILIES:
        vt.plan.optimise(few, small, family, checked=0)
        busy, began = time.process_time(), time.perf_counter()
        found = vt.plan.optimise(forecast, goods, family, checked=0)
        clock, processor = time.perf_counter() - began, time.process_time() - busy
        gap = vt.plan.optimise(forecast, goods, family, checked=CHECKED).gap
        total = found.simulated.total
        rows.append(
            f"| {family.__name__} | {clock:.1f} | {processor:.1f} | {found.tried / series:.0f} | {100 * gap.share:.3f}% (to {100 * gap.high:.3f}%) | "
            f"{float(total.mean):,.0f} ({float(total.low):,.0f} to {float(total.high):,.0f}) | {float(found.optimism.sum()) / float(total.mean):.2%} |"
        )
    return rows


def conclusions() -> list[str]:
    rows = ["| conclusion | goods | setting | profit per series | against the first |", "|---|---|---|---|---|"]
    goods = vt.plan.Goods(price=10, cost=6, shelf_life=14, storage=0.02, lead=2, review=3)
    thin = vt.plan.Goods(price=10, cost=7, pack=12, storage=0.02, lead=1, review=2)
    keeps = vt.plan.Goods(price=10, cost=6, storage=0.02)
    margin = vt.plan.Goods(price=100, cost=95, pack=6, lead=3, review=7)
    cases = [
        ("small packs are worth much", goods, 0.5, 90, {"pack": [20, 12, 6, 1]}),
        ("goods of 4 days or less lose", thin, 1.5, 90, {"shelf_life": [2, 4, 8, 16]}),
        ("rare deliveries with a long lead raise storage", keeps, 2.0, 120, {"review": [1, 7, 14], "lead": [1, 14]}),
        ("a small seller of low margin earns more on a deposit", margin, 0.02, 360, {"deposit": [0.0, 0.16, 0.18]}),
        ("a large one doesn't", margin, 3.0, 360, {"deposit": [0.0, 0.16, 0.18]}),
    ]
    for rate in (0.1, 0.3, 1.0, 3.0, 10.0):
        played = vt.plan.optimise(
            forecast_of([rate], 200, 90),
            vt.plan.Goods(price=10, cost=7, pack=12, shelf_life=14, storage=0.02, lead=2, review=3),
            none=False,
            checked=0,
        ).simulated
        total, ideal = played.total, float(played.ideal.mean())
        rows.append(
            f"| small volume doesn't pay | packs of 12, 14 days, margin 30% | {rate:g} per day | {between(total)}, {float(total.mean) / ideal:.0%} of the ideal margin | |"
        )
    for name, own, rate, days, values in cases:
        varied = vt.plan.vary(forecast_of([rate], 200, days), own, **values)
        for n, row in enumerate(varied.table.iter_rows(named=True)):
            setting = ", ".join(f"{key.replace('_', ' ')} {row[key]:g}" for key in values)
            more = (
                f", storage {row['storage_paid']:.1f}"
                if "lead" in values
                else f", the money in stock earns {row['earned_per_year']:.0%} per year"
                if "deposit" in values
                else ""
            )
            rows.append(
                f"| {name} | {rate:g} per day, margin {100 - 100 * own.cost[0] / own.price[0]:.0f}% | {setting} | {between(varied.found[n].simulated.total)}{more} | {between(varied.difference(n)) if n else ''} |"
            )
    return rows


def between(of: vt.plan.simulated.Estimate) -> str:
    return f"{float(of.mean):.1f} ({float(of.low):.1f} to {float(of.high):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=5000)
    series = parser.parse_args().series
    text = "\n".join(
        [
            "### The levels that earn most",
            "",
            machine(),
            "",
            *speed(series),
            "",
            *conclusions(),
            "",
            "Seeds: demand 0, goods 1, leads 0. " + " ".join(str(__doc__).split("\n\n")[2:]).replace("\n", " ").strip(),
        ]
    )
    keep(RESULTS, "plan.optimise", text)
    print(text)


if __name__ == "__main__":
    main()
