"""The pages on demand, stock, price and goals: true to their records, whole, escaped, readable without seeing, and small for thousands of items."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from vitrina import Vocabulary
from vitrina.pages.plan import DemandStudy, GoalsStudy, PriceStudy, StockStudy, demand_page, goals_page, price_page, profits_of, stock_page
from vitrina.pages.plan.fans import Bands, picked
from vitrina.pages.plan.forecasters import _by_volume
from vitrina.pages.plan.money import _parts
from vitrina.plan import (
    Bonus,
    Demand,
    Forecast,
    Goods,
    OrderUpTo,
    PriceResponse,
    SeasonalNaive,
    best_price,
    cost_by_ambition,
    diagnose_goods,
    evaluate_demand,
    goals,
    judge_goals,
    order_now,
    simulate,
    vary,
)  # fmt: skip
from vitrina.report.html import VOID

EVIL = "<script>alert('tea & milk')</script> " + "long " * 30
DAYS, AHEAD = 98, 14
RATES = np.array([40.0, 9.0, 5.0, 3.0, 2.0, 1.0, 0.5, 0.04])


def world(series=len(RATES), days=DAYS, seed=0):
    """Items of all volumes with hostile titles; the second was sold out for a while."""
    rng = np.random.default_rng(seed)
    rates = np.resize(RATES, series)
    units = rng.poisson(rates[:, None], (series, days)).astype(np.float32)
    units[:, 0] = np.maximum(units[:, 0], 1)
    state = np.ones(units.shape, np.int8)
    state[1, days - 20 : days - 9] = 2
    table = pl.DataFrame({"id": np.arange(series), "title": [f"{EVIL}{at}" for at in range(series)]})
    codes = np.arange(series, dtype=np.int32)
    return Demand(units, state, codes, Vocabulary.of(codes), date(2027, 1, 1), stocked=True, table=table, title="title", notes=(EVIL,))


def ahead_of(demand, days=AHEAD, paths=40, seed=0):
    rates = demand.units.mean(axis=1)
    samples = np.random.default_rng(seed).poisson(rates[:, None, None], (len(demand), paths, days))
    return Forecast(samples.astype(np.float32), demand.end, demand.step, seed)


@pytest.fixture(scope="module")
def demand():
    return world()


@pytest.fixture(scope="module")
def studied(demand):
    board = evaluate_demand(demand, {EVIL: SeasonalNaive(weeks=8)}, days=AHEAD, origins=2, paths=40)
    judged = ahead_of(demand.between(0, DAYS - AHEAD))
    return DemandStudy(demand, board, judged, ahead_of(demand), date="27 November 2026", settings={"log": EVIL})


GOODS = Goods(
    price=10,
    cost=[6.0] * 6 + [6.0, 9.5],
    storage=0.05,
    deposit=0.16,
    shelf_life=9,
    pack=[1, 6, 6, 12, 12, 12, 24, 24],
    lead=2,
    review=3,
    order_cost=0.2,
)


@pytest.fixture(scope="module")
def stocked(demand):
    forecast = ahead_of(demand, 24, paths=20)
    found = simulate(forecast, GOODS, OrderUpTo(service=0.9), trace=True)
    return StockStudy(
        found, demand.names(), demand.end, simulate(forecast, GOODS, OrderUpTo(service=0.999)), diagnose_goods(forecast, GOODS, names=demand.names()),
        (vary(forecast, GOODS, pack=[12, 1, 24]), vary(forecast, GOODS, review=[3, 1], lead=[2, 5])), order_now(forecast, replace(GOODS, stock=3.0), OrderUpTo(service=0.9), names=demand.names()),
    )  # fmt: skip


class Nesting(HTMLParser):
    """Elements that were opened and not closed, and all ids."""

    def __init__(self):
        super().__init__()
        self.open, self.ids = [], []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def sound(page):
    """What holds of every page."""
    assert page.startswith("<!doctype html>")
    body = page.partition("<body")[2].partition("<script>")[0]
    assert "<script" not in body
    assert re.findall(r"""(?:src|href)=["'](?!#)""", page) == []
    assert not re.search(r"\b(?:nan|NaN|inf|None)\b", re.sub(r"<[^>]+>", " ", body))
    nested = Nesting()
    nested.feed(page)
    assert nested.open == []
    assert len(nested.ids) == len(set(nested.ids))
    assert set(re.findall(r'href="#([\w-]+)"', page)) <= set(nested.ids)
    for tag in re.findall(r"<svg[^>]*>", page):
        assert "aria-labelledby" in tag or 'aria-hidden="true"' in tag
    assert page.count('role="img"') == body.count("<desc")
    assert all(text.strip() for text in re.findall(r"<desc[^>]*>(.*?)</desc>", body))
    assert body.count("<figure") == body.count("The numbers of this plot")


def test_the_page_on_demand(studied):
    page = demand_page(studied)
    sound(page)
    assert page == demand_page(studied)
    assert "&lt;script&gt;alert(&#39;tea &amp; milk&#39;)" in page
    assert all(f'id="{key}"' in page for key in ("forecasters", "ahead", "fans", "coverage", "where", "log", "making"))
    assert page.count("sold out, 11 in a row") >= 1
    first = re.search(r'class="lede">(.*?)</p>', page)[1]
    assert f"{100 * studied.board[studied.board.best, 'coverage']:.1f}% of days" in first


def test_bands_and_what_came_true_are_those_of_a_loop(studied):
    bands = Bands(studied.demand, studied.judged)
    for series in range(len(studied.demand)):
        inside = []
        for at in range(AHEAD):
            column = DAYS - AHEAD + at
            paths = np.sort(studied.judged.samples[series, :, at])
            if studied.demand.state[series, column] == 1:
                inside.append(
                    paths[int(np.ceil(0.05 * 40)) - 1] <= studied.demand.units[series, column] <= paths[int(np.ceil(0.95 * 40)) - 1]
                )
        assert bands.inside[series] == pytest.approx(np.mean(inside))
    chosen = dict(picked(bands, costly=[3, 2]))
    assert chosen[0] == "among the biggest"
    assert chosen[3] == chosen[2] == "among those that make most of the error"
    assert chosen[7] == "rarely sold"
    assert chosen[1] in ("sold out most", "among the biggest")
    assert len(chosen) <= 6


def test_classes_of_volume_are_of_the_days_before(studied):
    rows = _by_volume(studied, studied.board)
    before = studied.demand.units[:, : DAYS - 2 * AHEAD].mean(axis=1)
    assert [row["series"] for row in rows] == [
        int(((before >= low) & (before < high)).sum()) for low, high in ((0, 0.1), (0.1, 1), (1, 10), (10, 1e9))
    ]


def test_items_that_are_asked_for_are_drawn(studied):
    page = demand_page(replace(studied, show=(6, 5)))
    sound(page)
    assert re.findall(r'class="panel"><h4><bdi>[^<]*long (\d)</bdi>', page) == ["6", "5"] * 2


@pytest.mark.parametrize("left", ["board", "judged", "ahead", "all"])
def test_demand_with_less_to_show(studied, left):
    gone = {"board": None, "judged": None, "ahead": None} if left == "all" else {left: None}
    sound(demand_page(replace(studied, **gone)))


def test_one_item_in_weeks(demand):
    one = replace(demand.select([0]), step=7)
    page = demand_page(DemandStudy(one, None, ahead_of(one.between(0, DAYS - 4), 4), ahead_of(one, 4)))
    sound(page)
    assert "4 weeks from" in page


def test_parts_of_money_add_up(stocked):
    found = stocked.simulated
    rows = _parts(found)
    assert sum(value for _, value, _, _ in rows[:-1]) == pytest.approx(rows[-1][1])
    assert rows[-1][1] == pytest.approx(float(found.total.mean))
    assert {label for label, *_ in rows} >= {"Lost sales", "Storage", "Deposit on the stock", "Write-offs", "Orders"}


def test_the_page_on_stock(stocked):
    page = stock_page(stocked)
    sound(page)
    assert page == stock_page(stocked)
    assert all(f'id="{key}"' in page for key in ("money", "losing", "packs", "orders", "shelves", "making"))
    assert "the rule of today earns on the same paths" in page
    never = stocked.diagnosis.losing
    assert never.height
    assert never["why"][0] in page
    assert stocked.orders.orders["why"][0].replace("'", "&#39;") in page
    gain = stocked.simulated.profit.sum(axis=0).mean() - stocked.today.profit.sum(axis=0).mean()
    assert f"{gain:,.1f}" in page or f"{gain:,.0f}" in page


def test_stock_of_which_nothing_else_is_known(stocked):
    found = replace(stocked.simulated, traced=np.empty(0, np.int64), evenings=stocked.simulated.evenings[:0])
    page = stock_page(StockStudy(found, stocked.names, stocked.start))
    sound(page)
    assert 'id="shelves"' not in page
    nothing = simulate(Forecast(np.zeros((1, 2, 5), np.float32), date(2027, 1, 1)), Goods(price=3, cost=2), OrderUpTo(), trace=True)
    page = stock_page(StockStudy(nothing, [EVIL], date(2027, 1, 1)))
    sound(page)
    assert "Nothing is wanted in these 5 days" in page


@pytest.mark.parametrize("observed", [True, False])
def test_the_page_on_prices(demand, observed):
    one = np.ones(len(demand))
    table = pl.DataFrame({
        "item": [str(at) for at in range(len(demand))], "title": demand.names(), "category": ["<i>all</i>"] * len(demand), "own": -2.0 * one, "own_error": one, "elasticity": -2.0 * one,
        "low": -2.6 * one, "high": -1.4 * one, "base": 10 * one, "least": 7 * one, "most": 14 * one, "prices": 5 * one, "days": 90 * one, "units": RATES,
    })  # fmt: skip
    response = PriceResponse(demand.items, demand.item, -3 * one, 0.3 * one, 10 * one, 7 * one, 14 * one, observed, table, notes=(EVIL,))
    forecast = ahead_of(demand)
    best = best_price(forecast, Goods(price=10, cost=6, storage=0.01), response, draws=10)
    study = PriceStudy(
        response,
        demand.names(),
        best.today,
        demand.end,
        AHEAD,
        best,
        profits_of(forecast, Goods(price=10, cost=6, storage=0.01), response, best),
    )
    page = price_page(study)
    sound(page)
    assert page == price_page(study)
    assert ("These prices were chosen by somebody" in page) == observed
    assert ("These prices were drawn by lot" in page) != observed
    assert ("As far as chosen prices tell" in page) == observed
    assert "<i>all" not in page
    assert page.count("today</text>") >= 1
    sound(price_page(replace(study, best=None, profits=pl.DataFrame())))


def test_the_page_on_goals(demand):
    forecast, bonus, by = ahead_of(demand, paths=200), Bonus(fixed=100), demand.names()
    found = goals(forecast, 0.7, bonus=bonus, by=by)
    judged = judge_goals(demand, [ahead_of(demand.between(0, DAYS - AHEAD), paths=200)], by=by)
    study = GoalsStudy(found, demand.end, AHEAD, cost_by_ambition(forecast, bonus, by=by), judged)
    page = goals_page(study)
    sound(page)
    assert page == goals_page(study)
    assert "Whether another ambition makes them sell more or less" in page
    assert judged.sentences[0] in page
    assert "&lt;script&gt;" in page
    sound(goals_page(GoalsStudy(goals(forecast, 0.7, by=by), demand.end, AHEAD)))


def test_what_pilots_say_is_on_the_page(demand):
    pytest.importorskip("tea_tasting")
    from vitrina.plan import GoalWorld, explain_bonuses, response_to_goals

    pilot = GoalWorld().levels(2000, (0.35, 0.5, 0.65), seed=1)
    response = response_to_goals(
        pilot, arm="ambition", outcome="outcome", forecast="forecast", goal="goal", bonus=Bonus(fixed=100), margin=0.3
    )
    change = explain_bonuses(
        GoalWorld().pilot(1000, seed=1),
        arm="arm",
        outcome="outcome",
        old="goal_old",
        new="goal_new",
        control="old",
        bonus=Bonus(fixed=200),
        margin=0.3,
        draws=100,
    )
    forecast = ahead_of(demand, paths=200)
    page = goals_page(GoalsStudy(goals(forecast, 0.7, bonus=Bonus(fixed=100)), demand.end, AHEAD, response=response, change=change))
    sound(page)
    assert response.sentences[0] in page
    assert change.sentences[2] in page
    assert "Nearer to what comes" in page


def test_thousands_of_items_make_a_page_of_some_hundred_kilobytes():
    many = world(5000, 60)
    forecast = ahead_of(many, paths=4)
    pages = [demand_page(DemandStudy(many, None, ahead_of(many.between(0, 60 - AHEAD), paths=4), forecast))]
    found = simulate(forecast, Goods(price=10, cost=6, storage=0.1), OrderUpTo(), trace=range(8))
    pages.append(stock_page(StockStudy(found, many.names(), many.end)))
    pages.append(
        goals_page(
            GoalsStudy(goals(replace(forecast, samples=np.repeat(forecast.samples, 6, axis=1)), 0.6, by=many.names()), many.end, AHEAD)
        )
    )
    assert all(len(page) < 600_000 for page in pages)
