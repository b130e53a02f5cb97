"""Stock played day by day: how long it takes and how that grows, beside stockpyl on one item, and what packs do to slow goods that spoil.

    python -m benchmarks.plan.stock [--repeat 7]

The large job: Poisson demand whose rates are drawn from an exponential law of mean 3 a day, lost sales, first-in-first-out ages, packs of 12, 14 days of life, lead 2, a look each 3 days, ordering
up to the forecast and a safety stock; forecast given. Seconds are the least of the repeats, by the clock and of the processor (all threads together); compiling, once per machine, is not in them.

The peer plays one item of 120 periods, back-orders, ordering up to a level; both get the same demand and must give the same stock every evening and the same cost. stockpyl orders when the demand of the
period is known, so its lead of 2 is ours of 1.

Packs: margin 40% of the price and nothing but write-offs costs. The figures to be met come from a simulation of which neither the safety stock, the stock at the start, the worth of what is left nor the count of the
days of life is told. Two readings are shown: "plain" sells on 14 days, starts empty and takes what is left at its cost; "strict" sells on 13 days (the 14th begins with the write-off), starts at the level
to order up to, has paid for that, and what is left is worth nothing. Both order up to the 84% quantile of the demand of lead and review days (a standard deviation of safety), 120 days.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.peers import PEERS, peer_python
from vitrina.base.kernels import THREADS

SIZES = [(5000, 20, 120), (10000, 20, 120), (5000, 40, 120), (5000, 20, 240), (2500, 20, 120)]
START = date(2027, 1, 1)
DAYS, PATHS = 120, 20_000
PUBLISHED = {(0.5, 1): "+80%", (0.5, 12): "−30%", (0.5, 20): "−192%"}


def forecast_of(samples: np.ndarray) -> vt.plan.Forecast:
    return vt.plan.Forecast(samples.astype(np.float32), START)


def large(series: int, paths: int, days: int) -> vt.plan.Forecast:
    random = np.random.default_rng(0)
    rates = random.exponential(3.0, series).astype(np.float32)
    return forecast_of(random.poisson(rates[:, None, None], (series, paths, days)))


def least(work: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Seconds by the clock and of the processor, the least of each."""
    both = []
    for _ in range(repeat):
        busy, began = time.process_time(), time.perf_counter()
        work()
        both.append((time.perf_counter() - began, time.process_time() - busy))
    clock, processor = zip(*both, strict=True)
    return min(clock), min(processor)


def sizes(repeat: int) -> tuple[float, float]:
    """Prints the rows; the seconds per series, path and day of the first size."""
    goods = vt.plan.Goods(price=10, cost=6, pack=12, shelf_life=14, lead=2, review=3, storage=0.01, deposit=0.16)
    rule, first = vt.plan.OrderUpTo(safety=1), (0.0, 0.0)
    vt.plan.simulate(large(70, 2, 10), goods, rule)
    print(
        f"| series x paths x days, {THREADS} threads | seconds | of the processor | nanoseconds of the processor per day played | beside the first |\n|---|---|---|---|---|"
    )
    for size in SIZES:
        forecast = large(*size)
        clock, processor = least(lambda f=forecast: vt.plan.simulate(f, goods, rule), repeat)
        first = first if first[0] else (clock, processor)
        played = np.prod(size)
        ratio = f"{processor / first[1]:.2f}x the time for {played / np.prod(SIZES[0]):g}x the days"
        print(
            f"| {size[0]:,} x {size[1]} x {size[2]} | {clock:.3f} | {processor:.3f} | {1e9 * processor / played:.1f} | {ratio} |",
            flush=True,
        )
    forecast = large(*SIZES[0])
    more = {
        "quantiles of the forecast in place of means": (goods, vt.plan.OrderUpTo(service=0.9)),
        "leads of 0 to 3 days, back-orders, a look each day": (vt.plan.Goods(price=10, cost=6, lead=[[0.1, 0.3, 0.4, 0.2]]), rule),
        "a tenth is returned": (vt.plan.Goods(price=10, cost=6, pack=12, shelf_life=14, lead=2, review=3, returns=0.1), rule),
    }
    for name, (other, how) in more.items():
        clock, processor = least(lambda g=other, r=how, n=name: vt.plan.simulate(forecast, g, r, lost="back" not in n), repeat)
        print(f"| the first, {name} | {clock:.3f} | {processor:.3f} | {1e9 * processor / np.prod(SIZES[0]):.1f} | |", flush=True)
    return first


def peer(repeat: int, first: tuple[float, float]) -> None:
    demand, level = np.random.default_rng(0).poisson(6.0, DAYS), 20
    job = {"demand": demand.tolist(), "level": level, "lead": 2, "holding": 1.0, "shortage": 4.0}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.json"
        path.write_text(json.dumps(job))
        done = subprocess.run(
            [peer_python("stockpyl"), str(PEERS / "stock_runs.py"), str(path)], capture_output=True, text=True, check=True
        )
    theirs = json.loads(done.stdout.splitlines()[-1])
    goods = vt.plan.Goods(price=0, cost=0, storage=1, penalty=4, lead=1, stock=level)
    forecast, rule = forecast_of(demand[None, None]), vt.plan.MinMaxStock(low=level, high=level)

    def ours() -> vt.plan.Simulated:
        return vt.plan.simulate(forecast, goods, rule, lost=False, trace=True)

    mine = ours()
    assert mine.costs.item() == theirs["cost"], (mine.costs, theirs["cost"])
    assert np.maximum(theirs["levels"], 0).tolist() == mine.evenings[0, 0].tolist()
    clock, _ = least(ours, 5 * repeat)
    days = np.prod(SIZES[0])
    print("\n| one item, 120 periods, back-orders | seconds | cost | the large job at this pace, s |\n|---|---|---|---|")
    print(f"| stockpyl 1.0.2 | {theirs['seconds']:.4f} | {theirs['cost']:.0f} | {theirs['seconds'] * days / DAYS:,.0f} |")
    print(
        f"| `vt.plan.simulate`, called for one item | {clock:.6f} | {mine.costs.item():.0f} | {clock * days / DAYS:,.0f}; called once for all it takes {first[0]:.3f} |"
    )


def share(rate: float, pack: int, *, strict: bool, paths: int) -> tuple[float, float]:
    """Profit as a share of the ideal margin, and half of its 95% interval."""
    random = np.random.default_rng(1)
    forecast = forecast_of(random.poisson(rate, (1, paths, DAYS)))
    level = float(np.quantile(random.poisson(5 * rate, 1_000_000), 0.8413, method="inverted_cdf"))
    goods = vt.plan.Goods(price=1, cost=0.6, pack=pack, shelf_life=13 if strict else 14, lead=2, review=3, stock=level if strict else 0.0)
    done = vt.plan.simulate(forecast, goods, vt.plan.MinMaxStock(low=level, high=level), leftover=0.0 if strict else 1.0)
    profit, ideal = done.profit[0], done.ideal[0]
    ratio = profit.mean() / ideal.mean()
    return ratio, 1.96 * float((profit - ratio * ideal).std(ddof=1)) / np.sqrt(paths) / ideal.mean()


def packs() -> None:
    print(
        f"\n| demand a day | pack | figure to meet | strict, {PATHS:,} paths | strict, 20 paths | plain, {PATHS:,} paths |\n|---|---|---|---|---|---|"
    )
    for rate in (0.5, 5, 10, 20):
        for pack in (1, 12, 20):
            cells = [share(rate, pack, strict=strict, paths=paths) for strict, paths in ((True, PATHS), (True, 20), (False, PATHS))]
            shown = " | ".join(f"{100 * value:+.1f}% ± {100 * half:.1f}".replace("-", "−") for value, half in cells)
            published = PUBLISHED.get((rate, pack), "+93.8% to +95.4%")
            print(f"| {rate:g} | {pack} | {published} | {shown} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.plan.stock", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=7)
    repeat = parser.parse_args().repeat
    print("Protocol: drawn demand, seeds 0 (large job, peer) and 1 (packs); seconds are the least of "
          f"{repeat} runs; intervals are 95%, over paths, of a ratio of means.\n")  # fmt: skip
    first = sizes(repeat)
    peer(repeat, first)
    packs()
    print(f"\n{machine()}.")


if __name__ == "__main__":
    main()
