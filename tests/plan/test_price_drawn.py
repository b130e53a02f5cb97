"""Prices that were drawn against prices that were chosen, in worlds where the truth is known."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.plan import Demand, arm_response, price_response
from vitrina.plan.price.monotone import falling
from vitrina.policy import DecisionLog
from vitrina.vocabulary import Vocabulary

START = date(2026, 1, 5)


def weeks_of(seed, items=60, weeks=104):
    """Items whose prices are cut by 20% with a chance that grows with what their week would bring anyway. Returns the demand, the table of drawn prices, the truth."""
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
    names, price = [f"item {i}" for i in range(items)], usual[:, None] * np.exp(change)
    demand = Demand(
        units.astype(np.float32), np.ones(units.shape, np.int8), np.arange(items, dtype=np.int32), Vocabulary.of(names), START, step=7,
        price=price.astype(np.float32),
    )  # fmt: skip
    days = [START + timedelta(7 * week) for week in range(weeks)]
    drawn = pl.DataFrame(
        {
            "item": np.repeat(names, weeks),
            "day": days * items,
            "price": price.ravel(),
            "propensity": np.where(cut, chance, 1 - chance).ravel(),
        }
    )
    return demand, drawn, true


def test_chosen_prices_are_biased_and_drawn_ones_are_not():
    chosen, drawn, covered = [], [], []
    for seed in range(10):
        demand, table, true = weeks_of(seed)
        seen, randomised = price_response(demand), price_response(demand, randomised=table)
        chosen.append((seen.elasticity - true).mean())
        drawn.append((randomised.elasticity - true).mean())
        covered += list((randomised.low <= true) & (true <= randomised.high))
    assert np.mean(chosen) < -0.4  # cuts fall together with strong weeks, and are credited with them
    assert abs(np.mean(drawn)) < 0.1
    assert 0.84 < np.mean(covered) < 0.95
    assert seen.observed
    assert not randomised.observed
    assert not any("chosen" in said for said in randomised.sentences)


def test_prices_that_follow_demand_are_noticed():
    rng = np.random.default_rng(0)
    items, weeks = 40, 60
    own = np.zeros((items, weeks))
    for week in range(1, weeks):
        own[:, week] = 0.8 * own[:, week - 1] + rng.normal(0, 0.3, items)
    units = rng.poisson(20 * np.exp(own))
    weak = np.concatenate([np.zeros((items, 1), bool), units[:, :-1] < 15], axis=1)
    for price, verdict in ((np.where(weak, 8.0, 10.0), "warn"), (np.where(rng.random(weak.shape) < 0.3, 8.0, 10.0), "pass")):
        demand = Demand(
            units.astype(np.float32), np.ones(units.shape, np.int8), np.arange(items, dtype=np.int32), Vocabulary.of(range(items)), START, step=7,
            price=price.astype(np.float32),
        )  # fmt: skip
        checks = price_response(demand).checks
        assert {check.name: check.verdict for check in checks.rows}["timing"] == verdict
    everywhere = np.broadcast_to(np.where(np.arange(weeks) % 7 == 0, 8.0, 10.0), units.shape).astype(np.float32)
    checks = price_response(
        Demand(units.astype(np.float32), np.ones(units.shape, np.int8), np.arange(items, dtype=np.int32), Vocabulary.of(range(items)), START, step=7, price=everywhere)
    ).checks  # fmt: skip
    assert {check.name: check.verdict for check in checks.rows}["together"] == "warn"


def log_of(seed, people=20_000):
    """Visitors of two kinds, of which the eager ones got discounts more often; arms are shares of the price."""
    rng = np.random.default_rng(seed)
    eager = rng.random(people) < 0.4
    chances = np.where(eager[:, None], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5])
    arm = (rng.random(people)[:, None] > chances.cumsum(axis=1)).sum(axis=1)
    price = np.array([0.8, 0.9, 1.0])
    item = rng.integers(0, 2, people)
    bought = rng.random(people) < np.where(eager, 0.3, 0.05) * price[arm] ** np.where(item == 0, -1.5, -3.0) / 2
    table = pl.DataFrame(
        {"arm": price[arm], "bought": bought, "item": np.where(item == 0, "tea", "jam"), **{f"p{a}": chances[:, a] for a in range(3)}}
    )
    return DecisionLog.of_frame(
        table, action="arm", reward="bought", propensity={0.8: "p0", 0.9: "p1", 1.0: "p2"}, features=["item"], control=1.0
    )


PRICES = {0.8: 0.8, 0.9: 0.9, 1.0: 1.0}


def test_arms_of_a_log_give_the_truth_in_spite_of_who_got_them():
    covered, naive = [], []
    for seed in range(25):
        log = log_of(seed)
        response = arm_response(log, PRICES, by="item", draws=400)
        true = np.where(response.table["item"].to_numpy() == "tea", -1.5, -3.0)
        covered.append((response.low <= true) & (true <= response.high))
        at = response.at(0.8, draws=400)
        covered.append((at.low <= 0.8**true) & (0.8**true <= at.high))
        shares = [log.reward()[log.actions == a].mean() for a in range(3)]
        naive.append(np.polyfit(np.log([0.8, 0.9, 1.0]), np.log(shares), 1)[0])
    assert 0.82 < np.mean(covered) < 0.96  # 100 intervals of 90%
    assert np.mean(naive) < -4.5  # what one would read off the raw shares of arms; the truth is between -1.5 and -3


def test_a_curve_never_rises_and_says_where_it_ends():
    response = arm_response(log_of(1, 3000), PRICES, by="item", draws=100)
    prices = np.broadcast_to(np.linspace(0.7, 1.1, 40), (2, 40))
    for curve in (response.factor(prices)[None], response.factors(prices, draws=30)):
        assert (np.diff(curve, axis=-1) <= 1e-12).all()
    assert response.factor(1.0).tolist() == [1.0, 1.0]
    assert response.at(0.7).beyond.all()
    assert response.curve.table(response.items.ids, 0.9).shape == (6, 7)


def test_pooled_neighbours_are_those_of_another_implementation():
    from scipy.optimize import isotonic_regression

    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(200, 7)), rng.random((200, 7)) + 0.1
    other = [isotonic_regression(v, weights=w, increasing=False).x for v, w in zip(values, weights, strict=True)]
    assert np.allclose(falling(values, weights), other)


def test_logs_that_cannot_be_used():
    log = log_of(2, 600)
    with pytest.raises(ParameterError, match="Every arm has a price"):
        arm_response(log, {0.8: 1.0})
    with pytest.raises(ParameterError, match="above 0"):
        arm_response(log, {0.8: 0.0, 0.9: 1.0, 1.0: 2.0})
    with pytest.raises(UnknownNameError, match="itme"):
        arm_response(log, PRICES, by="itme")
    with pytest.raises(DataError, match="Nothing was demanded"):
        arm_response(log.with_reward("bought", np.zeros(600)), PRICES)
    demand, table, _ = weeks_of(0, 3, 20)
    with pytest.raises(DataError, match="propensity"):
        price_response(demand, randomised=table.with_columns(propensity=0.0))
    with pytest.raises(DataError, match="one row per item and day"):
        price_response(demand, randomised=pl.concat([table, table]))
