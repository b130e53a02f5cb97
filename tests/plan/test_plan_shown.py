"""From the log to the list: what the plan knows of stock and money, and the lists that read it."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.versions import Versions
from vitrina.plan.stock.rules import Targets
from vitrina.plan.stock.shown import earned, expired


class Never:
    """A rule that orders nothing."""

    def targets(self, forecast, goods):
        rows = np.zeros((len(forecast), 1))
        return Targets(rows - 1, rows, rows[:, 0])


def some(seed: int, items: int = 12, ages: int = 5, paths: int = 7, days: int = 9):
    rng = np.random.default_rng(seed)
    stock = rng.integers(0, 5, (items, ages)) * (rng.random((items, ages)) < 0.7)
    goods = vt.plan.Goods(
        price=rng.uniform(2, 4, items), cost=rng.uniform(1, 2, items), shelf_life=rng.integers(ages, 14, items).astype(float), salvage=rng.uniform(0, 0.5, items),
        storage=0.01, deposit=0.2, stock=stock, ids=pl.Series([f"i{k}" for k in range(items)]),
    )  # fmt: skip
    demand = rng.poisson(rng.uniform(0, 2, (items, 1, 1)), (items, paths, days)).astype(np.float32)
    return goods, vt.plan.Forecast(demand, date(2027, 3, 1))


def test_what_expires_is_what_the_simulation_writes_off():
    for seed in range(5):
        goods, forecast = some(seed)
        told = expired(goods.stock, goods.shelf_life, forecast.samples.astype(float))
        longer = np.concatenate([forecast.samples, np.zeros_like(forecast.samples[:, :, :1])], axis=2)  # it writes off in the morning after
        played = vt.plan.simulate(vt.plan.Forecast(longer, forecast.start), goods, Never())
        assert np.allclose(told, played.units("written_off"))
        assert told.any()


def test_what_expires_is_that_of_a_day_by_day_walk():
    for seed in range(5):
        goods, forecast = some(seed)
        told = expired(goods.stock, goods.shelf_life, forecast.samples.astype(float))
        for item in range(len(goods)):
            for path in range(forecast.paths):
                shelf = [[int(goods.shelf_life[item]) - age, float(n)] for age, n in enumerate(goods.stock[item])][::-1]
                lost = 0.0
                for day in range(forecast.days + 1):
                    lost += sum(n for end, n in shelf if end <= day)
                    shelf = [[end, n] for end, n in shelf if end > day]
                    wanted = float(forecast.samples[item, path, day]) if day < forecast.days else 0.0
                    for batch in shelf:
                        taken = min(batch[1], wanted)
                        batch[1] -= taken
                        wanted -= taken
                assert told[item, path] == pytest.approx(lost)


def test_value_is_the_margin_and_what_one_more_sale_saves():
    goods, forecast = some(3)
    columns = vt.plan.item_columns(goods, forecast)
    more = forecast.samples.astype(float)
    lost = expired(goods.stock, goods.shelf_life, more)
    more[:, :, 0] += 1  # one more is wanted today
    saved = (lost - expired(goods.stock, goods.shelf_life, more)).mean(axis=1)
    expected = goods.price - goods.cost + saved * goods.cost * (1 - goods.salvage)
    assert np.allclose(columns["value"], expected)
    assert np.allclose(columns["expiring"], lost.mean(axis=1))
    assert columns["in_stock"].to_list() == (goods.stock.sum(axis=1) > 0).tolist()


def test_the_margin_of_a_simulation_is_money_per_unit():
    goods, forecast = some(4)
    played = vt.plan.simulate(forecast, goods, vt.plan.OrderUpTo(safety=1.0), leftover=1.0)
    margin = earned(played)
    sold = played.units("sold").sum(axis=1)
    assert np.allclose((margin * sold)[sold > 0], played.profit.sum(axis=1)[sold > 0])
    assert (margin[sold > 0] < goods.margin[sold > 0]).all()
    nothing = vt.plan.Forecast(np.zeros_like(forecast.samples), forecast.start)
    columns = vt.plan.item_columns(goods, nothing, vt.plan.simulate(nothing, goods, Never()))
    assert columns["margin"].null_count() == columns["value"].null_count() == len(goods)


def test_columns_join_the_table_of_items_and_its_past_knows_nothing_of_them():
    table = pl.DataFrame({"item_id": ["tea", "milk"], "title": ["Tea", "Milk"], "margin": [9.0, 9.0]})
    lines = pl.DataFrame({"user_id": [1, 1, 2], "item_id": ["tea", "milk", "salt"]})
    data = vt.read_interactions(lines, items=table)
    have = pl.DataFrame({"item_id": ["milk", "tea"], "margin": [1.0, None], "in_stock": [True, False]})
    made = vt.plan.onto_items(data, have)
    assert made.item_table is not None
    assert made.item_table.frame.select("title", "margin", "in_stock").rows() == [
        ("Tea", None, False),
        ("Milk", 1.0, True),
        (None, None, None),
    ]
    assert made.titles(np.array([0])) == ["Tea"]
    since = data.item_table.__class__(data.item_table.frame, data.item_table.kinds, "title", Versions(np.array([0, 0]), np.array([0, 10]), data.item_table.frame[[0, 0]]))  # fmt: skip
    past = vt.plan.onto_items(data.changed(item_table=since), have).item_table.at(5)
    assert past.frame["margin"].to_list() == [None] * 3
    assert past.frame["title"].to_list() == ["Tea", None, None]
    assert since.frame["margin"][0] == 9.0


def log() -> pl.DataFrame:
    """Four months of people who buy milk, bread and other things, of which some sell out."""
    rng = np.random.default_rng(2)
    rows = []
    for person in range(120):
        taste = rng.permutation(20)[:8]
        for _ in range(20):
            day = date(2026, 1, 5) + timedelta(days=int(rng.integers(0, 120)))
            rows += [(person, f"i{item}", day, int(rng.integers(1, 4))) for item in rng.choice(taste, 3, replace=False)]
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "value"], orient="row")


def test_from_the_log_to_a_list_that_sells_what_is_there():
    data = vt.read_interactions(log())
    demand = vt.plan.demand_of(data)
    forecast = vt.plan.SeasonalNaive().fit(demand).forecast(28, paths=50, seed=1)
    stock = np.zeros((20, 4))
    stock[:, 0] = 40
    stock[3], stock[7] = 0, 0  # sold out
    stock[5, 3] = 500  # far too many, and old
    rows = pl.DataFrame({"item": [f"i{k}" for k in range(20)], "price": 2.0 + np.arange(20) % 3, "cost": 1.0})
    named = vt.plan.Goods.of_table(rows, items=demand.items, shelf_life=6.0, storage=0.01, pack=6, lead=1)
    at = [int(str(item)[1:]) for item in demand.items.decode(demand.item)]
    goods = vt.plan.Goods(**{name: getattr(named, name)[demand.item] for name in ("price", "cost", "shelf_life", "storage", "pack", "lead")}, stock=stock[at], ids=demand.items.decode(demand.item))  # fmt: skip
    played = vt.plan.simulate(forecast, goods, vt.plan.OrderUpTo(service=0.9), seed=1)
    columns = vt.plan.item_columns(goods, forecast, played)
    assert columns.filter(pl.col("in_stock").not_())["item_id"].sort().to_list() == ["i3", "i7"]
    old = columns.filter(pl.col("item_id") == "i5").to_dicts()[0]
    assert old["expiring"] > 300
    assert old["value"] == pytest.approx(old["margin"] + 1.0)  # a unit that would be thrown away brings its cost back
    known = vt.plan.onto_items(data, columns)
    values = known.item_table.frame["value"].to_numpy()
    shop = vt.Reranked(
        model=vt.Popularity(),
        reranker=vt.ranking.SessionValue(value="value", chance=vt.ranking.PlattCurve(slope=0.0, intercept=-2.0), slots=5),
    )
    lists = shop.fit(known).recommend(known.queries(), k=5, eligible=vt.plan.in_stock(columns, known.items, vt.Eligibility(repeat=True)))
    gone = known.items.encode(["i3", "i7"])
    assert not np.isin(lists.items, gone).any()
    earned_ = values[lists.items]
    assert (np.diff(earned_, axis=1) <= 1e-6).all()  # with one chance for all, what is worth most comes first
    ruled = vt.Reranked(model=vt.Popularity(), reranker=vt.Rules(rules={"there": vt.rules.Only(where={"in_stock": True})}))
    by_rule = ruled.fit(known).recommend(known.queries(), k=18, eligible=vt.Eligibility(repeat=True))
    assert not np.isin(by_rule.items, gone).any()
    assert (by_rule.items >= 0).all()


def test_what_does_not_fit_is_refused():
    goods, forecast = some(0)
    with pytest.raises(ParameterError, match="in their order"):
        vt.plan.item_columns(goods, forecast.select([0, 1]))
    with pytest.raises(ParameterError, match="which items"):
        vt.plan.item_columns(vt.plan.Goods(price=2.0, cost=1.0), forecast.select([0]))
    with pytest.raises(ParameterError, match="'i1' more than once"):
        vt.plan.item_columns(goods.select([1, 1]), forecast.select([1, 1]))
    toy = vt.testing.toy()
    with pytest.raises(DataError, match="'item_id'"):
        vt.plan.onto_items(toy, pl.DataFrame({"sku": ["tea"]}))
    with pytest.raises(DataError, match="No item of the log is in stock"):
        vt.plan.in_stock(pl.DataFrame({"item_id": ["tea"], "in_stock": [False]}), toy.items)
