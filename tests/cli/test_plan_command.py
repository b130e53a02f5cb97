"""`vitrina plan`: from a log with a shop's own names to forecasts, orders, prices and goals; mistakes in the file are said with their line."""

import datetime as dt
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import vitrina as vt
from vitrina.cli.main import app
from vitrina.cli.plan_file import read_plan_file
from vitrina.cli.plan_sections import Settings
from vitrina.cli.sections import Section

ROOT = Path(__file__).parents[2]
DAYS = 112
RATES = {"tea": 6.0, "jam": 3.0, "salt": 0.4, "milk": 9.0}
GOODS = "sku,name,aisle,bought_for,case,days\ntea,Green tea,drinks,2.0,6,\njam,Berry jam,sweet,1.5,12,\nsalt,Salt,dry,9.9,12,5\nmilk,Milk,drinks,0.5,6,7\n"
FILE = """[sales]
path = "sales.csv"
item = "sku"
time = "sold_on"
quantity = "units"
price = "price"

[items]
path = "goods.csv"
title = "name"
category = "aisle"

[demand]
days = 14
origins = 2
paths = 60
forecaster = {type = "SeasonalNaive", weeks = 4}

[goods]
cost = "bought_for"
pack = "case"
shelf_life = "days"
lead = 1
review = 2
storage = 0.001
stock = 3

[stock]
days = 28
packs = [1, 6]

[price]
days = 14
draws = 10

[goals]
ambition = 0.6
bonus = {fixed = 10}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log whose prices differ by day, a table of goods, and the file of a plan."""
    folder, draw = tmp_path_factory.mktemp("shop"), np.random.default_rng(6)
    rows = []
    for sku, rate in RATES.items():
        for day in range(DAYS):
            price = float(draw.choice([3.0, 4.0, 5.0]))
            units = int(draw.poisson(rate * (price / 4) ** -2))
            if units:
                rows.append((sku, dt.date(2025, 1, 6) + dt.timedelta(days=day), units, price))
    pl.DataFrame(rows, schema=["sku", "sold_on", "units", "price"], orient="row").write_csv(folder / "sales.csv")
    (folder / "goods.csv").write_text(GOODS)
    (folder / "plan.toml").write_text(FILE)
    return folder


def typed(*words: object) -> Any:
    return CliRunner().invoke(app, ["plan", *map(str, words)])


def found(*words: object) -> Any:
    done = typed(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def demand_of(shop: Path) -> vt.plan.Demand:
    return vt.plan.read_demand(
        shop / "sales.csv", item="sku", time="sold_on", quantity="units", price="price", items=shop / "goods.csv", title="name"
    )


def test_every_key_is_documented_and_the_example_is_valid(shop: Path) -> None:
    page = (ROOT / "docs" / "plan-file.md").read_text()
    for name, field in Settings.model_fields.items():
        section = re.search(rf"^## \[{name}\]\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
        assert section, name
        kinds = [cls for cls in (field.annotation, *get_args(field.annotation)) if isinstance(cls, type) and issubclass(cls, Section)]
        assert [key for cls in kinds for key in cls.model_fields if f"| `{key}` |" not in section[1]] == []
    (shop / "example.toml").write_text(re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0])
    assert read_plan_file(shop / "example.toml").rule is vt.plan.OrderUpTo


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("quantity =", "quantty =", "line 5: There is no [sales] key 'quantty'. Did you mean 'quantity'"),
        ("[goals]", "[goal]", "line 36: There is no table 'goal'. Did you mean 'goals'"),
        ('"units"', '"pieces"', "sales.csv has no column 'pieces'"),
        ("SeasonalNaive", "SeasonNaive", "line 17: There is no forecaster 'SeasonNaive'. Did you mean"),
        ("ambition = 0.6", "ambition = 1.6", "line 37: goals.ambition must be"),
        ("sales.csv", "sale.csv", "line 2: there is no file sale.csv. Its folder has 'sales.csv'"),
        ("lead = 1", "led = 1", "There is no argument of Goods 'led'. Did you mean 'lead'"),
        ("lead = 1", "lead = -1", "The 'lead' of Goods must be"),
        ('pack = "case"', "pack = 0", "The 'pack' of Goods must be numbers above 0. Got 0"),
        ('path = "sales.csv"\n', "", "the key 'path' in [sales] is missing. A whole one: [sales] path"),
    ],
)
def test_a_mistake_in_the_file_is_said_with_its_line(shop: Path, old: str, new: str, said: str) -> None:
    assert old in FILE
    (shop / "broken.toml").write_text(FILE.replace(old, new, 1))
    done = typed("stock", shop / "broken.toml")
    assert done.exit_code == 2
    assert said in " ".join(done.output.split()), done.output


def test_a_file_is_written_from_the_names_of_columns(shop: Path) -> None:
    out = shop / "made.toml"
    done = typed("init", shop / "sales.csv", "--goods", shop / "goods.csv", "--item", "sku", "--time", "sold_on", "--out", out)
    assert done.exit_code == 0, done.output
    job = read_plan_file(out)
    assert (job.settings.sales.quantity, job.settings.sales.price) == ("units", "price")
    assert job.demand().units.tolist() == demand_of(shop).units.tolist()
    out.write_text("mine")
    assert "Overwrite it with --force" in typed("init", shop / "sales.csv", "--time", "sold_on", "--out", out).output
    assert "Name it: --time COLUMN" in typed("init", shop / "sales.csv", "--out", shop / "other.toml").output


def test_forecasts_are_those_of_the_library(shop: Path) -> None:
    said = found("demand", shop / "plan.toml", "--out", shop / "demand")
    table, demand = pl.read_parquet(said["table"]), demand_of(shop)
    ahead = vt.plan.SeasonalNaive(weeks=4).fit(demand).forecast(14, paths=60)
    assert table["mean"].to_list() == pytest.approx(ahead.mean().ravel().tolist())
    assert table["day"][0] == demand.end
    assert said["units"]["mean"] == pytest.approx(ahead.total().sum(axis=0).mean())
    board = vt.plan.evaluate_demand(
        demand, {"SeasonalNaive": vt.plan.SeasonalNaive(weeks=4)}, days=14, origins=2, paths=60, category="aisle"
    )
    shown = {(row["forecaster"], row["metric"]): row["value"] for row in said["numbers"]}
    assert shown["SeasonalNaive", "WRMSSE"] == pytest.approx(board["SeasonalNaive", "WRMSSE"])
    assert "Green tea" in Path(said["page"]).read_text()


def test_orders_are_those_of_the_best_levels_and_what_never_pays_is_told(shop: Path) -> None:
    said = found("stock", shop / "plan.toml", "--out", shop / "stock")
    table, orders = pl.read_csv(said["table"]), pl.read_csv(said["orders"])
    assert dict(zip(table["item"], table["held"], strict=True)) == {"tea": True, "jam": True, "salt": False, "milk": True}
    assert [row["item"] for row in said["losing"]] == ["Salt"]
    row = orders.row(by_predicate=pl.col("item") == "tea", named=True)
    assert row["order"] == 6 * np.ceil((row["order_up_to"] - 3) / 6)
    assert orders.row(by_predicate=pl.col("item") == "salt", named=True)["order"] == 0
    demand = demand_of(shop)
    goods = vt.plan.Goods.of_table(
        shop / "goods.csv", id="sku", items=demand.items, columns={"cost": "bought_for", "pack": "case", "shelf_life": "days"}, price=0.0, lead=1, review=2,
        storage=0.001, stock=3,
    ).select(demand.item)  # fmt: skip
    last = np.array([series[np.isfinite(series)][-1] for series in demand.price], np.float64)
    best = vt.plan.optimise(vt.plan.SeasonalNaive(weeks=4).fit(demand).forecast(28, paths=60), replace(goods, price=last))
    assert said["profit"]["mean"] == pytest.approx(best.profit.sum(axis=0).mean()), "on paths that chose nothing"
    items = pl.read_csv(said["items"])
    assert items.columns == ["sku", "in_stock", "margin", "expiring", "value"]
    assert items["in_stock"].all()
    (shop / "unknown.toml").write_text(FILE.replace("stock = 3\n", ""))
    assert found("stock", shop / "unknown.toml", "--out", shop / "unknown")["orders"] is None, "nobody knows what is on hand"
    again = typed("stock", shop / "plan.toml", "--out", shop / "stock")
    assert again.exit_code == 0, "its own tables are written over"


def test_prices_carry_the_warning_that_they_were_chosen(shop: Path) -> None:
    said = found("price", shop / "plan.toml", "--out", shop / "price")
    assert said["observed"]
    assert "chosen" in said["sentences"][0]
    elasticity = {row["item"]: row["elasticity"] for row in said["elasticities"]}
    assert elasticity["milk"] == pytest.approx(-2, abs=0.4)
    best = {row["item"]: row["price"] for row in said["prices"]}
    assert all(3 <= price <= 5 for price in best.values())


def test_goals_are_quantiles_and_the_bill_is_told(shop: Path) -> None:
    said = found("goals", shop / "plan.toml", "--out", shop / "goals")
    ahead = vt.plan.SeasonalNaive(weeks=4).fit(demand_of(shop)).forecast(14, paths=60)
    expected = np.quantile(ahead.total(), 0.6, axis=1, method="inverted_cdf")
    assert [row["goal"] for row in said["goals"]] == expected.tolist()
    assert said["goals"][0]["name"] in ("Green tea", "Berry jam", "Salt", "Milk")
    assert said["cost"][0] == pytest.approx(10 * sum(row["met"] for row in said["goals"]))
    assert said["judged"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('by = "place"', 'the sales have none. Name their column: [sales] place = "shop"'),
        ("budget = 5.0", "the ambition follows from it"),
    ],
)
def test_goals_that_cannot_be(shop: Path, change: str, said: str) -> None:
    (shop / "broken.toml").write_text(FILE.replace("[goals]", f"[goals]\n{change}"))
    done = typed("goals", shop / "broken.toml", "--out", shop / "goals-broken")
    assert done.exit_code == 2
    assert said in " ".join(done.output.split()), done.output


def test_what_is_not_ours_is_not_written_over(shop: Path) -> None:
    out = shop / "taken"
    out.mkdir()
    (out / "goals.csv").write_text("my,own\n1,2\n")
    assert "Overwrite it with --force" in typed("goals", shop / "plan.toml", "--out", out).output
