"""From sale lines to demand, beside a slow version that walks line by line over dictionaries."""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, MemoryBudgetError, ParameterError, UnknownNameError
from vitrina.plan.demand.demand import ABSENT, SEEN, SOLD_OUT

FIRST = datetime(2025, 3, 24)  # the week in which clocks go forward in London


def lines_of(seed: int, *, places: bool, returns: bool) -> pl.DataFrame:
    """Some lines with everything that goes wrong: midnights, gaps, days on which only returns come, prices that change, an item that begins late."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(60):
        day = int(rng.choice([0, 1, 2, 5, 6, 7, 8, 12]))
        hour = float(rng.choice([0, 23.75, 12.5, 23.999999, 0.25]))
        item = "late" if day > 6 and rng.random() < 0.4 else str(rng.choice(["tea", "jam", "salt"]))
        quantity = int(rng.choice([1, 2, 5, 0, -1, -7] if returns else [1, 2, 5, 0]))
        rows.append((item, FIRST + timedelta(days=day, hours=hour), quantity, float(rng.choice([1.5, 2.0])), str(rng.choice(["N", "S"]))))
    frame = pl.DataFrame(rows, schema=["sku", "at", "units", "each", "shop"], orient="row")
    return frame if places else frame.drop("shop")


def slow(lines: pl.DataFrame, returns: str, zone: str | None, stock: pl.DataFrame | None = None):
    """{(item, place): {day: (units, state, price)}}"""
    sums, back, money, every = defaultdict(float), defaultdict(float), defaultdict(float), set()
    for row in lines.iter_rows(named=True):
        at = row["at"] if zone is None else row["at"].replace(tzinfo=UTC).astimezone(zoneinfo.ZoneInfo(zone))
        key = (row["sku"], row.get("shop"), at.date())
        every.add(key[2])
        if row["units"] > 0:
            sums[key] += row["units"]
            money[key] += row["units"] * row["each"]
        else:
            back[key] -= row["units"]
    net = {key: max(0.0, units - back[key]) if returns == "net" else units for key, units in sums.items()}
    calendar = [min(every) + timedelta(days=k) for k in range((max(every) - min(every)).days + 1)]
    told = defaultdict(list)
    for row in [] if stock is None else stock.iter_rows(named=True):
        told[row["sku"], row.get("shop"), row["on"]].append(row["left"])
    result = {}
    for item, place in {key[:2] for key, units in net.items() if units > 0} | {key[:2] for key in told if key[0] != "never heard of"}:
        days, begun, empty = {}, any(k[:2] == (item, place) and k[2] < calendar[0] for k in told), False
        for at in sorted(k[2] for k in told if k[:2] == (item, place) and k[2] < calendar[0]):
            empty = told[item, place, at][-1] == 0
        for day in calendar:
            key = (item, place, day)
            units, rows = net.get(key, 0.0), told.get(key)
            begun = begun or units > 0 or rows is not None
            if rows is None and units > 0:
                empty = False
            out = min(rows) == 0 if rows is not None else empty
            empty = rows[-1] == 0 if rows is not None else empty
            state = ABSENT if not begun else SOLD_OUT if out else SEEN
            days[day] = (units if begun else 0.0, state, float(np.float32(money[key] / sums[key])) if sums.get(key) else None)
        result[item, place] = days
    return result


def flat(demand: vt.plan.Demand):
    """The same of a Demand."""
    result = {}
    for series in range(len(demand)):
        item = demand.items.decode([demand.item[series]])[0]
        place = None if demand.place is None or demand.places is None else demand.places.decode([demand.place[series]])[0]
        days = {}
        for column in range(demand.days):
            price = None if demand.price is None or np.isnan(demand.price[series, column]) else float(demand.price[series, column])
            days[demand.start + timedelta(days=column)] = (float(demand.units[series, column]), int(demand.state[series, column]), price)
        result[item, place] = days
    return result


@pytest.mark.parametrize("places", [False, True])
@pytest.mark.parametrize(("returns", "zone"), [("net", None), ("drop", "Europe/London"), ("net", "America/New_York"), ("error", None)])
def test_series_are_those_of_the_slow_version(places, returns, zone):
    for seed in range(6):
        lines = lines_of(seed, places=places, returns=returns != "error")
        made = vt.plan.read_demand(
            lines, item="sku", time="at", quantity="units", price="each", place="shop" if places else None, returns=returns, zone=zone
        )
        assert flat(made) == slow(lines, returns, zone)


@pytest.mark.parametrize("places", [False, True])
def test_what_the_stock_says_is_that_of_the_slow_version(places):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        lines = lines_of(seed, places=places, returns=False)
        rows = [
            (str(rng.choice(["tea", "jam", "never heard of"])), (FIRST + timedelta(days=int(rng.integers(-3, 13)))).date(), int(rng.choice([0, 0, 3])),
             str(rng.choice(["N", "S"])))
            for _ in range(20)
        ]  # fmt: skip
        stock = pl.DataFrame(rows, schema=["sku", "on", "left", "shop"], orient="row")
        stock = stock if places else stock.drop("shop")
        log = vt.plan.StockLog(stock, item="sku", date="on", stock="left", place="shop" if places else None)
        made = vt.plan.read_demand(
            lines, item="sku", time="at", quantity="units", price="each", place="shop" if places else None, stock=log
        )
        assert flat(made) == slow(lines, "error", None, stock)
        assert made.stocked
        assert any("does not know" in note for note in made.notes)


def data_of(lines: pl.DataFrame, **options) -> vt.Dataset:
    return vt.read_interactions(lines, user="shop", item="sku", time="at", value="units", **options)


def test_a_dataset_in_shards_gives_the_demand_of_its_lines():
    lines = lines_of(3, places=True, returns=True)
    for shards in (1, 2):
        data = data_of(lines).sharded(shards)
        by_shop = vt.plan.demand_of(data, place="user", returns="net")
        read = vt.plan.read_demand(lines, item="sku", time="at", quantity="units", place="shop", returns="net")
        assert flat(by_shop) == flat(read)
        assert flat(vt.plan.demand_of(data, returns="drop")) == flat(
            vt.plan.read_demand(lines, item="sku", time="at", quantity="units", returns="drop")
        )


def test_places_of_a_column_add_up_to_those_of_people():
    lines = lines_of(4, places=True, returns=False)
    towns = pl.DataFrame({"shop": ["N", "S"], "town": ["Ulm", "Ulm"]})
    data = data_of(lines, users=towns)
    whole, towns_ = vt.plan.demand_of(data), vt.plan.demand_of(data, place="town")
    assert towns_.places is not None
    assert towns_.places.ids.to_list() == ["Ulm"]
    assert np.array_equal(whole.units, towns_.units)
    with pytest.raises(UnknownNameError, match="town"):
        vt.plan.demand_of(data, place="twon")


def test_a_log_on_disk_is_read_by_its_shards(tmp_path):
    lines = lines_of(5, places=True, returns=True)
    data = vt.ingest(lines, tmp_path / "log", user="shop", item="sku", time="at", value="units")
    made = vt.plan.demand_of(data, place="user", returns="net")
    assert flat(made) == flat(vt.plan.read_demand(lines, item="sku", time="at", quantity="units", place="shop", returns="net"))


def test_a_price_list_holds_until_its_next_row():
    lines = pl.DataFrame({"item_id": ["a", "a", "b"], "timestamp": ["2025-03-01", "2025-03-06", "2025-03-02"], "quantity": [1, 1, 1]})
    prices = pl.DataFrame({"item_id": ["a", "a", "zzz"], "date": ["2025-02-01", "2025-03-04", "2025-03-01"], "price": [2.0, 3.0, 9.0]})
    made = vt.plan.read_demand(lines, prices=prices)
    assert made.price is not None
    assert made.price[0].tolist() == [2, 2, 2, 3, 3, 3]
    assert np.isnan(made.price[1]).all()
    assert any("1 series have no price" in note for note in made.notes)


def test_weeks_end_with_the_log_and_are_seen_where_all_their_days_are():
    days = [date(2025, 3, 1) + timedelta(days=k) for k in range(16)]
    lines = pl.DataFrame({"item_id": ["a"] * 16 + ["b"], "timestamp": [*days, days[5]], "quantity": [*range(1, 17), 4]})
    made = vt.plan.read_demand(lines, step=7)
    assert made.start == days[2]
    assert made.end == days[-1] + timedelta(days=1)
    assert made.units.tolist() == [[sum(range(3, 10)), sum(range(10, 17))], [4, 0]]
    assert made.state.tolist() == [[SEEN, SEEN], [SOLD_OUT, SEEN]]  # the first week of b began on its fourth day
    assert any("3 units" in note for note in made.notes)


def shop(weeks: int = 20, *, holiday: bool = True) -> pl.DataFrame:
    """15 items that sell daily but on Sundays and one Wednesday."""
    first = date(2025, 3, 3)
    days = [first + timedelta(days=k) for k in range(7 * weeks)]
    open_days = [day for day in days if day.weekday() != 6 and not (holiday and day == date(2025, 4, 16))]
    return pl.DataFrame([(f"i{k}", day, 1 + (k + day.day) % 3) for day in open_days for k in range(15)], schema=["item_id", "timestamp", "quantity"], orient="row")  # fmt: skip


def test_closed_weekdays_are_zeros_and_holidays_are_unknown():
    made = vt.plan.read_demand(shop())
    column = (date(2025, 4, 16) - made.start).days
    assert (made.state[:, column] == ABSENT).all()
    assert (np.delete(made.state, column, axis=1) == SEEN).all()
    assert vt.plan.closed_weekdays(made).tolist() == [[False] * 6 + [True]] * 15
    assert any("Sundays" in note for note in made.notes)
    assert any("2025-04-16" in note for note in made.notes)
    assert (vt.plan.read_demand(shop(), holidays="zero").state == SEEN).all()
    few = vt.plan.read_demand(shop().filter(pl.col("item_id") == "i1"))
    assert (few.state == SEEN).all()  # one item with a line per day: a day without one may be chance
    assert not vt.plan.closed_weekdays(few.select([0]).between(0, 60)).any()


def test_suspicious_runs_are_rare_where_nothing_was_sold_out():
    rng = np.random.default_rng(0)
    units = rng.poisson(rng.uniform(0.05, 2, (3000, 1)), (3000, 200)).astype(np.float32)
    demand = vt.plan.Demand(
        units, np.ones(units.shape, np.int8), np.arange(3000, dtype=np.int32), vt.Vocabulary.of(range(3000)), date(2025, 1, 1)
    )
    assert len(vt.plan.suspicious_runs(demand, chance=0.01)) <= 0.01 * 3000 + 3 * np.sqrt(30)
    units[:1000, 80:140] = 0
    found = vt.plan.suspicious_runs(demand)
    sold = units[:1000].mean(axis=1) > 0.3
    assert np.isin(np.flatnonzero(sold), found.series).all()
    censored = found.censored(demand)
    assert ((censored.state == SOLD_OUT) == found.mask).all()
    assert found.table["days"].sum() == found.mask.sum()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"units": [2, -1]}, "returns='net'"),
        ({"units": [2.0, float("nan")]}, "finite numbers"),
        ({"units": [2, None]}, "is empty"),
        ({"units": [0, 0]}, "no line"),
        ({"each": [1.0, -2.0]}, "prices from 0 up"),
        ({"day": [1, 2]}, "no moments"),
    ],
)
def test_bad_lines_are_refused_in_sentences(change, says):
    lines = pl.DataFrame({"sku": ["a", "b"], "day": ["2025-03-01", "2025-03-02"], "units": [1, 1], "each": [1.0, 2.0]} | change)
    with pytest.raises(DataError, match=says):
        vt.plan.read_demand(lines, item="sku", time="day", quantity="units", price="each")


def test_bad_rows_can_be_set_aside(tmp_path):
    lines = pl.DataFrame({"sku": ["a", "b"], "day": ["2025-03-01", "2025-03-02"], "units": [1, 1], "each": [1.0, -2.0]})
    made = vt.plan.read_demand(
        lines, item="sku", time="day", quantity="units", price="each", on_bad_row="quarantine", bad_rows_path=tmp_path / "bad.csv"
    )
    assert made.items.ids.to_list() == ["a"]
    assert "1 bad row set aside" in made.notes[0]


def test_logs_without_quantities_dates_or_one_kind_are_refused():
    toy = vt.testing.toy()
    with pytest.raises(DataError, match="dates"):
        vt.plan.demand_of(toy.changed(time_unit="step"))
    lines = lines_of(0, places=True, returns=False)
    with pytest.raises(DataError, match="value='quantity'"):
        vt.plan.demand_of(vt.read_interactions(lines.drop("units"), user="shop", item="sku", time="at"))
    mixed = data_of(lines.with_columns(kind=pl.Series(["view", "buy"] * 30)))
    with pytest.raises(DataError, match="several kinds"):
        vt.plan.demand_of(mixed)
    assert len(vt.plan.demand_of(vt.filters.kinds(mixed, ["buy"])))  # the remedy works


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"step": 2}, "'step'"),
        ({"min_sales": 0}, "'min_sales'"),
        ({"returns": "ignore"}, "'returns'"),
        ({"zone": "Atlantis"}, "'zone'"),
        ({"price": "each", "paid": "each"}, "given once"),
        ({"stock": vt.plan.StockLog(pl.DataFrame(), place="shop")}, "stock have places"),
    ],
)
def test_bad_options_are_refused(options, says):
    with pytest.raises(ParameterError, match=says):
        vt.plan.read_demand(lines_of(0, places=False, returns=False), item="sku", time="at", quantity="units", **options)


@pytest.mark.parametrize(
    ("left", "says"), [([3, -1], "units on hand from 0 up"), ([3, None], "is empty"), (["some", "none"], "holds text")]
)
def test_bad_stock_is_refused(left, says):
    stock = pl.DataFrame({"item_id": ["tea", "tea"], "date": ["2025-03-01", "2025-03-02"], "stock": left})
    with pytest.raises(DataError, match=says):
        vt.plan.read_demand(lines_of(0, places=False, returns=False), item="sku", time="at", quantity="units", stock=stock)


def test_too_many_series_are_refused_with_what_fits(monkeypatch):
    from types import SimpleNamespace

    from vitrina.plan.demand import series

    monkeypatch.setattr(series.psutil, "virtual_memory", lambda: SimpleNamespace(available=30_000))
    lines = shop()
    with pytest.raises(MemoryBudgetError, match="top=3") as error:
        vt.plan.read_demand(lines)
    assert len(vt.plan.read_demand(lines, top=3)) == 3
    assert "min_sales=" in str(error.value)
