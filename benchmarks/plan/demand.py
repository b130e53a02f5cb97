"""Forecasters of demand on two shops, four origins of 28 days, beside the seasonal naive one: prints tables in Markdown.

    python -m benchmarks.plan.demand

Series: all that sold on 20 days or more before the first origin of validation (2011-04-30 on Online Retail, 2017-05-23 on Complete Journey), and in the quarter before it.
Forecasters were chosen on four origins of 28 days from there on; the last four are judged here, once.
"""

from __future__ import annotations

import argparse
import time
from datetime import date

import numpy as np

from benchmarks.kit.machine import commit, processor
from benchmarks.plan.new_items import complete_journey, online_retail
from vitrina.plan import Average, Counts, Croston, Demand, Recalibrated, SeasonalNaive, StatsForecast, evaluate_demand
from vitrina.plan.demand.demand import SEEN
from vitrina.vocabulary import Vocabulary

SOLD, QUARTER, SEED = 20, 91, 1
FORECASTERS = {
    "SeasonalNaive (8 weeks)": SeasonalNaive(), "last week": SeasonalNaive(weeks=1), "Croston": Croston(), "Counts": Counts(), "Average": Average(),
    "Recalibrated": Recalibrated(),
}  # fmt: skip


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print("Demand, 28 days ahead, four origins of 28 days, 200 paths\n")
    for shop, first in ((online_retail(), 515), (complete_journey(), 142)):
        sold = shop.demand.units[:, :first] > 0
        demand = shop.demand.select(np.flatnonzero((sold.sum(axis=1) >= SOLD) & sold[:, -QUARTER:].any(axis=1)))
        board = evaluate_demand(demand, FORECASTERS, seed=SEED)
        print(f"**{shop.name}**, {len(demand):,} series, origins {', '.join(map(str, board.origins))}\n")
        print(
            "| forecaster | WRMSSE | difference | WSPL | difference | of days | of totals | bias | seconds |\n|---|---|---|---|---|---|---|---|---|"
        )
        for row in board.table.iter_rows(named=True):
            verdict = [row[f"{metric} verdict"] or "the baseline" for metric in ("WRMSSE", "WSPL")]
            print(
                f"| {row['forecaster']} | {row['WRMSSE']:.4f} | {verdict[0]} | {row['WSPL']:.4f} | {verdict[1]} | {row['coverage']:.1%} | {row['coverage of totals']:.1%} | "
                f"{row['bias']:+.1%} | {row['seconds']:.1f} |"
            )
        print()
    print(speed())
    print(f"\n{processor()}, commit {commit()}, seed {SEED}. Verdicts are paired, over items, and corrected for the number of forecasters.")


def speed() -> str:
    """Fit and 200 paths of 28 days for 5,000 series of 700 days; statsforecast's AutoETS on 20 of them."""
    rng = np.random.default_rng(SEED)
    units = rng.poisson(rng.lognormal(0, 1, (5000, 1)), (5000, 700)).astype(np.float32)
    ids = Vocabulary.of([f"item {i}" for i in range(5000)])
    demand = Demand(units, np.full(units.shape, SEEN, np.int8), np.arange(5000, dtype=np.int32), ids, date(2027, 1, 4))
    took = {}
    for name, one, many in (("Counts", Counts(), 5000), ("AutoETS", StatsForecast(), 20)):
        part = demand.select(np.arange(many))
        one.fit(part.select([0])).forecast(28, paths=2)  # compiled before
        began = time.perf_counter()
        one.fit(part).forecast(28, paths=200)
        took[name] = time.perf_counter() - began
    return f"5,000 series x 700 days, fit and 200 paths x 28 days: Counts {took['Counts']:.1f} s; AutoETS of statsforecast on 20 of these series {took['AutoETS']:.1f} s."


if __name__ == "__main__":
    main()
