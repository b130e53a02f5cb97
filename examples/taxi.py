"""A made-up taxi company to try decisions on: writes offers.csv (who was offered which discount) and rides.csv (what they did then);
decisions.csv, the offers by lot with what came of them in four weeks; and taxi.toml, the job for `vitrina policy`.

    python examples/taxi.py [FOLDER]

60,000 clients. Most got the discount that marketing chose: the less somebody rides, the larger. For every second one it was drawn by lot, and the chance was written down. Who asked for no
advertising never got a discount. The truth behind it is `vitrina.policy.OfferWorld`, so that every answer can be held against it.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from vitrina.policy import OfferWorld

WORLD = OfferWorld(effects=(0.0, 0.5, 1.0), slopes=(0.0, 1.0, 2.0), margin=0.6)
CLIENTS, BY_LOT, NO_ADVERTS = 60_000, 0.5, 0.05  # clients, share decided by lot, share that wants no advertising
FIRST, DAYS, EXPORTED = date(2026, 3, 2), 56, date(2026, 5, 17)  # offers on 56 days; the file of rides ends 20 days after the last
WINDOW = 28  # days in which a ride counts for an offer
JOB = """# vitrina policy check|evaluate|learn|assign taxi.toml

[log]
path = "decisions.csv"
unit = "client"
action = "discount"
reward = ["profit", "orders"]
propensity = {"0%" = "chance_0", "5%" = "chance_5", "10%" = "chance_10"}
time = "offered_at"
features = ["rides", "promo_share", "city", "age"]
arms = ["0%", "5%", "10%"]
allowed = {"5%" = "adverts", "10%" = "adverts"}
cost = "paid"
winsorise = 0.99

[outcome]
model = "Ridge"

[learn]
learner = {type = "PolicyTree", depth = 2}
explore = 0.05

[report]
title = "Discounts in a taxi"
"""


def write_taxi(folder: Path, clients: int = CLIENTS, seed: int = 0) -> None:
    """Write the four files."""
    rng = np.random.default_rng([seed, 2026])
    table = WORLD.table(clients, seed, random=BY_LOT).with_columns(
        no_adverts=pl.Series(rng.random(clients) < NO_ADVERTS), day=pl.Series(rng.integers(0, DAYS, clients))
    )
    silent = table["no_adverts"].to_numpy()
    table = _without_offer(table, silent, seed)
    offers = table.with_columns(offered_at=_date(pl.col("day")))
    chances = {"chance_0": "0%", "chance_5": "5%", "chance_10": "10%"}
    by_arm = [_chance(arm).alias(name) for name, arm in chances.items()]
    columns = ["client", "offered_at", "discount", *chances, "adverts", "rides", "promo_share", "city", "age"]
    offers = offers.rename({"arm": "discount"}).with_columns(*by_arm, adverts=~pl.col("no_adverts"))
    offers.select(columns).write_csv(folder / "offers.csv")
    rides(table, rng).filter(pl.col("ordered_at") < EXPORTED).write_csv(folder / "rides.csv")
    decisions(offers).select([*columns, "orders", "paid", "profit"]).write_csv(folder / "decisions.csv")
    (folder / "taxi.toml").write_text(JOB)


def decisions(offers: pl.DataFrame) -> pl.DataFrame:
    """The offers by lot whose four weeks are over, with the orders of these weeks, what the discount took, and what is left of the fares."""
    rate = pl.col("discount").str.strip_suffix("%").cast(pl.Float64) / 100
    over = pl.col("offered_at") + pl.duration(days=WINDOW) <= EXPORTED
    counted = offers.filter(over, pl.col("chance_0").is_not_null())
    return counted.with_columns(paid=(pl.col("fares") * rate).round(2), profit=(pl.col("fares") * (WORLD.margin - rate)).round(2))


def rides(table: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Each ride by itself: on a day of the window after the offer, with a part of the fares of its client."""
    row = np.repeat(np.arange(len(table)), table["orders"].to_numpy())
    part = rng.lognormal(0, 0.5, len(row))
    part /= np.bincount(row, part, len(table))[row]
    day = table["day"].to_numpy()[row] + rng.integers(0, WINDOW, len(row))
    made = table.select("client", "fares")[row].with_columns(day=pl.Series(day), fare=(pl.col("fares") * pl.Series(part)).round(2))
    return made.with_columns(ordered_at=_date(pl.col("day"))).select("client", "ordered_at", "fare").sort("ordered_at", "client")


def _without_offer(table: pl.DataFrame, silent: np.ndarray, seed: int) -> pl.DataFrame:
    """Who wants no advertising got nothing, and rode as one who gets nothing rides."""
    nothing = OfferWorld(effects=(0.0,) * 3, slopes=(0.0,) * 3, margin=WORLD.margin).table(len(table), seed, random=BY_LOT)
    same = {name: pl.when(pl.Series(silent)).then(nothing[name]).otherwise(pl.col(name)) for name in ("orders", "fares")}
    return table.with_columns(**same, arm=pl.when(pl.Series(silent)).then(pl.lit("0%")).otherwise(pl.col("arm")))


def _chance(arm: str) -> pl.Expr:
    """The chance of an arm: a third by lot, only 0% for who wants no advertising, unknown where marketing chose."""
    lot = pl.when(pl.col("randomised")).then(1 / len(WORLD.arms))
    return pl.when(pl.col("randomised") & pl.col("no_adverts")).then(float(arm == "0%")).otherwise(lot)


def _date(day: pl.Expr) -> pl.Expr:
    return pl.lit(FIRST) + pl.duration(days=day)


if __name__ == "__main__":
    write_taxi(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
