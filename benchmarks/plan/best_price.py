"""Elasticities of 5,000 items over half a year, and the best price of each with the stock that is best at it.

    python -m benchmarks.plan.best_price [--items 5000]

Worlds as in `benchmarks.plan.price_response` with 100 categories; forecasts are Poisson with gamma rates of mean 3 a day, 40 paths of 28 days; packs of 6, a life of 14 days, a lead of 2, a look each 3 days, storage .01 a unit
and day, cost 60% of today's price, prices up to 1.5 times and down to .7 times today's.
"""

from __future__ import annotations

import argparse
import time
from datetime import date

import numpy as np

from benchmarks.kit.machine import machine
from benchmarks.plan.price_response import world
from vitrina.plan import Forecast, Goods, best_price, price_response


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.plan.best_price", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=5000)
    items = parser.parse_args().items
    demand, _ = world(0, items=items, categories=max(items // 50, 1))
    rng = np.random.default_rng(0)
    forecast = Forecast(rng.poisson(rng.gamma(1, 3, (items, 1, 1)), (items, 40, 28)).astype(np.float32), date(2027, 1, 1))
    few = demand.select(np.arange(20))
    small = price_response(few, by="category")
    best_price(forecast.select(np.arange(20)), Goods(price=small.base, cost=0.6 * small.base), small, draws=2)  # compiles
    started = time.perf_counter()
    response = price_response(demand, by="category")
    fitted = time.perf_counter() - started
    goods = Goods(price=response.base, cost=0.6 * response.base, storage=0.01, shelf_life=14, pack=6, lead=2, review=3)
    started = time.perf_counter()
    best = best_price(forecast, goods, response, beyond=True, lowest=0.7 * response.base, highest=1.5 * response.base)
    searched = time.perf_counter() - started
    started = time.perf_counter()
    sample = best_price(forecast.select(np.arange(64)), goods.select(np.arange(64)), response.select(np.arange(64)), beyond=True, lowest=0.7 * response.base[:64],
                        highest=1.5 * response.base[:64], checked=64, draws=2)  # fmt: skip
    low, high = best.interval
    gap = sample.gap
    print("| what | result |\n|---|---|")
    print(f"| `price_response`, {items:,} items x {demand.days} days, {max(items // 50, 1)} categories | {fitted:.1f} s |")
    print(f"| `best_price`, {items:,} items x 40 paths x 28 days, 50 draws of the response | {searched:.0f} s |")
    print(
        f"| fine grid of 61 prices above the search, 64 items, same paths | {100 * gap.share:.3f}% ({100 * gap.high:.3f}% at most, 95%) |"
        if gap
        else ""
    )
    print(
        f"| more than today's prices earn, judging paths (90%, were all items wrong to one side) | {best.difference.sum():,.0f} ({low.sum():,.0f} to {high.sum():,.0f}) of {best.now.profit.mean(axis=1).sum():,.0f} |"
    )
    print(f"| items whose gain is told apart from 0 | {(low > 0).sum():,} |")
    print(f"\n{machine()}.")


if __name__ == "__main__":
    main()
