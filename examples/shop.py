"""A made-up grocer to try things on: writes purchases.csv (customer, sku, bought_at, amount) and goods.csv (sku, title, aisle).

    python examples/shop.py [FOLDER]

200 people, 24 goods, 90 days. People have a favourite aisle, buy again what they had, and don't all buy alike.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from vitrina.testing import synthetic

AISLES = {
    "drinks": ("tea", "coffee", "juice", "cocoa", "cider", "water"),
    "dairy": ("milk", "butter", "yogurt", "cream", "cheddar", "eggs"),
    "bakery": ("bread", "rolls", "bagels", "crumpets", "muffins", "oatcakes"),
    "pantry": ("jam", "rice", "honey", "lentils", "salt", "figs"),
}


def write_shop(folder: Path) -> None:
    """Write the two files."""
    goods = [sku for shelf in zip(*AISLES.values(), strict=True) for sku in shelf]  # good c is of aisle c mod 4
    log = synthetic(users=200, items=len(goods), mean_length=12, groups=len(AISLES), seed=7).frame()
    log = log.with_columns(pl.col("item_id").str.strip_prefix("i").cast(pl.UInt32).replace_strict(dict(enumerate(goods))))
    names = {"user_id": "customer", "item_id": "sku", "timestamp": "bought_at", "value": "amount"}
    log.rename(names).write_csv(folder / "purchases.csv")
    aisle_of = {sku: aisle for aisle, shelf in AISLES.items() for sku in shelf}
    rows = [(sku, sku.capitalize(), aisle_of[sku]) for sku in goods]
    pl.DataFrame(rows, schema=["sku", "title", "aisle"], orient="row").write_csv(folder / "goods.csv")


if __name__ == "__main__":
    write_shop(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
