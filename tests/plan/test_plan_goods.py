"""Goods out of numbers and tables, and what is said where they can't be so."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.plan import Forecast, Goods, MinMaxStock, OrderUpTo, Simulated, simulate

TABLE = pl.DataFrame({"sku": ["tea", "milk", "salt"], "retail": [4.0, 1.5, 1.0], "cost": [2.0, 1.0, 0.2], "shelf_life": [None, 9, None]})


def read(frame: object = TABLE, **more: object) -> Goods:
    return Goods.of_table(frame, id="sku", columns={"price": "retail"}, **more)


@pytest.mark.parametrize("frame", [TABLE, TABLE.to_pandas()], ids=["polars", "pandas"])
def test_a_row_per_wanted_item_in_its_order(frame: object) -> None:
    goods = read(frame, items=vt.Vocabulary.of(["milk", "tea"]), pack=6, stock=[3, 4])
    assert goods.price.tolist() == [1.5, 4.0]
    assert goods.shelf_life.tolist() == [9, np.inf]
    assert (goods.pack.tolist(), goods.stock.tolist(), goods.ids.to_list()) == ([6, 6], [3, 4], ["milk", "tea"])
    assert goods.notes == ("1 rows of the table of goods are of no item that was asked for, and are left out.",)
    assert goods.select([1, 1, 0]).price.tolist() == [4.0, 4.0, 1.5]


def test_items_without_a_row_are_refused_or_kept_as_unknown() -> None:
    items = vt.Vocabulary.of(["tea", "rice", "milk"])
    with pytest.raises(DataError, match=r"has no row for 1 of 3 items \(first: 'rice'\). Add them, or keep them .*missing='keep'"):
        read(items=items)
    goods = read(TABLE.with_columns(retail=pl.Series([4.0, None, 1.0])), items=items, missing="keep")
    assert goods.known.tolist() == [True, False, False]
    forecast = Forecast(np.ones((3, 2, 4), np.float32), date(2027, 1, 1))
    with pytest.raises(ParameterError, match=r"Nothing can be simulated of 2 of 3 items, whose price or cost isn't known .first: 'rice'."):
        simulate(forecast, goods, OrderUpTo())
    where = np.flatnonzero(goods.known)
    assert len(simulate(forecast.select(where), goods.select(where), OrderUpTo())) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stock": [3, -5, -1]}, "column 'stock' must hold numbers from 0 up.*.-5. in rows 2 and 3. Stock below 0 is mostly a sale that was booked before its delivery"),
        ({"shelf_life": [3, 0, None]}, "column 'shelf_life' must hold whole days from 1 up.*Leave it empty"),
        ({"pack": [0, 6, 6]}, "column 'pack' must hold numbers above 0.*Write 1 where single units can be ordered"),
        ({"retail": [4.0, None, 1.0]}, "column 'retail' must hold a number in each row.*Write the price of one unit"),
        ({"retail": [4.0, float("nan"), 1.0]}, "column 'retail' must hold finite numbers.*Write the price of one unit"),
        ({"retail": [4.0, -1.0, 1.0]}, "column 'retail' must hold numbers from 0 up"),
        ({"returns": [0.1, 7, 0]}, "column 'returns' must hold shares from 0 to 1.*quantities that came back have to be divided by what was sold"),
        ({"sku": ["tea", "tea", "salt"]}, "more than one row for an item: 'tea'.*rows 1 and 2. Leave one row per item"),
    ],
)  # fmt: skip
def test_bad_values_are_named_with_their_rows(change: dict[str, list[object]], said: str) -> None:
    frame = TABLE.with_columns(**{name: pl.Series(values, strict=False) for name, values in change.items()})
    with pytest.raises(DataError, match=said):
        read(frame)


def test_columns_that_are_not_there() -> None:
    with pytest.raises(DataError, match=r"has no column 'price'. Name yours: columns={'price': '...'}. Its columns: sku, retail"):
        Goods.of_table(TABLE, id="sku")
    with pytest.raises(UnknownNameError, match=r"no argument of Goods 'prise'. Did you mean 'price'"):
        Goods.of_table(TABLE, id="sku", columns={"prise": "retail"})
    with pytest.raises(ParameterError, match="The 'price' of Goods comes from a column or is given for all, not both"):
        read(price=3.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"price": [4.0, -3.0]}, "The 'price' of Goods must be numbers from 0 up. Got -3 in row 1 .1 of 2 items are so"),
        ({"stock": -2}, "The 'stock' of Goods must be numbers from 0 up. Got -2. Stock below 0"),
        ({"stock": [[0, 2, -1.5]]}, "The 'stock' of Goods must be numbers from 0 up. Got -1.5"),
        ({"pack": 0}, "The 'pack' of Goods must be numbers above 0. Got 0. Write 1"),
        ({"shelf_life": 0}, "The 'shelf_life' of Goods must be whole days from 1 up. Got 0"),
        ({"shelf_life": 2.5}, "whole days from 1 up. Got 2.5"),
        ({"lead": 1.5}, "The 'lead' of Goods must be whole days from 0 to 3650. Got 1.5"),
        ({"lead": [[0.5, 0.4]]}, "The 'lead' of Goods must be chances of each lead that sum to 1. Got 0.5"),
        ({"pack": [1, 2, 3]}, "arguments of Goods must be one number each, or one per item .3.. Got 2 of 'price', 3 of 'pack'"),
        ({"cost": "two"}, "The 'cost' of Goods must be a number, or one per item. Got 'two'"),
        ({"coming": 5}, "The 'coming' of Goods must have 2 axes. Got the shape"),
        ({"salvage": 1.2}, "The 'salvage' of Goods must be shares of the cost, 1 at most"),
    ],
)  # fmt: skip
def test_bad_numbers_are_named(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        Goods(**{"price": [4.0, 3.0], "cost": 2.0, **arguments})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"goods": Goods(price=[1, 2, 3], cost=1)}, "needs goods for each series .2., or one row for all. Got 3: goods.select"),
        ({"rule": MinMaxStock(low=5, high=[9, 3])}, "The 'high' of MinMaxStock must be at least its 'low'. Got 3 below 5 for series 1"),
        ({"rule": OrderUpTo(safety=[1, 2, 3])}, "The 'safety' of a rule must be one number, or one per series .2.. Got 3"),
        ({"trace": [2]}, "The 'trace' must be True, False, or series from 0 to 1"),
        ({"leftover": 1.5}, "The 'leftover' of a simulation must be a share of the cost, 1 at most. Got 1.5"),
        ({"forecast": Forecast(np.ones((2, 1, 3), np.float32), date(2027, 1, 1), step=7)}, "simulated day by day. Got a forecast in steps of several days"),
        ({"actual": Forecast(np.ones((2, 1, 4), np.float32), date(2027, 1, 1))}, "same series and days as the forecast .2, 3.. Got 2, 4"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(arguments: dict[str, object], said: str) -> None:
    given = {"forecast": Forecast(np.ones((2, 2, 3), np.float32), date(2027, 1, 1)), "goods": Goods(price=2, cost=1), "rule": OrderUpTo()}
    with pytest.raises(ParameterError, match=said):
        simulate(**{**given, **arguments})


def test_what_is_shown() -> None:
    forecast = Forecast(np.random.default_rng(0).poisson(2.0, (2, 50, 30)).astype(np.float32), date(2027, 1, 1))
    goods = Goods(price=[10, 4], cost=[6, 3.9], pack=12, shelf_life=5, ids=pl.Series(["tea", "milk"]))
    simulated = simulate(forecast, goods, OrderUpTo(safety=1), trace=[1])
    assert isinstance(simulated, Simulated)
    row = simulated.table.row(0, named=True)
    assert row["item"] == "tea"
    parts = [row[name] for name in ("storage", "deposit", "write_offs", "spoilt", "orders", "penalty", "leftover")]
    assert row["profit"] == pytest.approx(row["margin"] - sum(parts))
    assert row["low"] < row["profit"] < row["high"]
    assert simulated.bands([0.1, 0.9]).shape == (2, 1, 30)
    text = repr(simulated)
    for told in ("1 series lose money", "200 paths would halve it", "seed 0"):
        assert told in text
    assert isinstance(simulated.to_pandas(), pd.DataFrame)
    assert "<table" in simulated._repr_html_()
    assert simulated.total.mean == pytest.approx(simulated.profit.sum() / 50)
