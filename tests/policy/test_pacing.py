"""Requests that are decided one by one, beside the best that could have been done with all of them known."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.policy import BudgetPacer, Outcome, Priced, Ridge, Units, assign_with_budget


def day(seed: int, n: int = 4000, dear: float = 1.0):
    rng = np.random.default_rng(seed)
    x = rng.gamma(2, 1, n)
    value = np.column_stack([np.zeros(n), x / 2 + rng.normal(0, 0.3, n), x + rng.normal(0, 0.5, n)])
    return value, dear * np.column_stack([np.zeros(n), 0.5 + 0.2 * rng.random(n), 1 + rng.random(n)])


@pytest.mark.parametrize(("dear", "least"), [(1.0, 0.985), (1.3, 0.98), (0.7, 0.985)])
def test_nearly_as_good_as_with_all_requests_known_and_never_over_the_budget(dear, least):
    """A day like the sample, one on which everything is dearer by 30%, and one cheaper by 30%."""
    for seed in range(5):
        value, cost = day(seed, dear=dear)
        arms, after = BudgetPacer.of(*day(100 + seed), budget=1600, requests=4000).assign(value, cost)
        rows = np.arange(4000)
        assert after.spent == pytest.approx(cost[rows, arms].sum())
        assert 0.985 * 1600 <= after.spent <= 1600
        assert value[rows, arms].sum() >= least * assign_with_budget(value, cost, 1600).bound


def test_one_by_one_is_the_same_as_all_at_once():
    value, cost = day(1, 300)
    pacer = BudgetPacer.of(*day(2, 300), budget=100, requests=300)
    together, after = pacer.assign(value, cost)
    alone = []
    for i in range(300):
        arm, pacer = pacer.assign(value[i : i + 1], cost[i : i + 1])
        alone += arm.tolist()
    assert alone == together.tolist()
    assert pacer.spent == pytest.approx(after.spent)
    assert pacer.seen == after.seen == 300


def test_who_is_told_that_fewer_are_to_come_spends_more():
    value, cost = day(3)
    pacer = BudgetPacer.of(*day(4), budget=1600, requests=8000)
    first, rest = slice(0, 2000), slice(2000, 4000)
    _, half = pacer.assign(value[first], cost[first])
    _, unaware = half.assign(value[rest], cost[rest])
    _, told = half.assign(value[rest], cost[rest], to_come=2000)
    assert unaware.spent < 900
    assert 1500 < told.spent <= 1600
    assert half.price(to_come=2000) < half.price()


def test_more_requests_than_were_expected_overrun_nothing():
    value, cost = day(5)
    _, after = BudgetPacer.of(*day(6), budget=400, requests=1000).assign(value, cost)
    assert after.spent <= 400
    assert after.seen == 4000


def test_a_budget_for_everybody_has_no_price():
    value, cost = day(7, 200)
    arms, after = BudgetPacer.of(value, cost, budget=1000, requests=200).assign(value, cost)
    np.testing.assert_array_equal(arms, value.argmax(axis=1))
    assert after.price() == 0


def test_arms_that_save_money_pay_for_others():
    rng = np.random.default_rng(8)
    value, cost = np.column_stack([np.zeros(1000), rng.random((1000, 2))]), np.column_stack([np.zeros(1000), rng.uniform(-1, 1, (1000, 2))])
    arms, after = BudgetPacer.of(value, cost, budget=0, requests=1000).assign(value, cost)
    assert after.spent <= 0
    assert value[np.arange(1000), arms].sum() > 0.9 * assign_with_budget(value, cost, 0).value


def test_a_pacer_goes_on_from_its_numbers():
    _, pacer = BudgetPacer.of(*day(9, 500), budget=200, requests=500).assign(*day(10, 100))
    back = BudgetPacer(**dataclasses.asdict(pacer))
    assert repr(back) == repr(pacer)
    np.testing.assert_array_equal(back.assign(*day(11, 100))[0], pacer.assign(*day(11, 100))[0])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"requests": 0}, "1 expected request at least"),
        ({"budget": np.inf}, "a finite budget"),
        ({"cost": [1.0, 2.0]}, "can't last for 100 requests: their cheapest arms cost 100"),
        ({"value": np.empty((0, 2))}, "needs a sample of requests"),
    ],
)
def test_refusals(wrong, sentence):
    with pytest.raises(ParameterError, match=sentence):
        BudgetPacer.of(**({"value": np.ones((10, 2)), "cost": [0.0, 1.0], "budget": 50.0, "requests": 100} | wrong))


def test_a_request_that_can_not_be_paid_is_named():
    pacer = BudgetPacer.of(np.ones((10, 2)), [0.0, 1.0], budget=2, requests=10)
    with pytest.raises(ParameterError, match="Request 2 of BudgetPacer has no arm that what is left by then can pay"):
        pacer.assign(np.ones((3, 1)), [1.0])
    with pytest.raises(ParameterError, match="'to_come' of BudgetPacer"):
        pacer.assign(np.ones((3, 1)), [0.0], to_come=-1)


def units(n: int, allowed=None) -> Units:
    x = np.random.default_rng(0).random(n)
    return Units.of_frame(
        pl.DataFrame({"x": x} | (allowed or {})), arms=["none", "mail"], features=["x"], allowed={"mail": "may"} if allowed else None
    )


def fitted(slope: float = 1.0):
    seen = units(400)
    actions = np.arange(400) % 2
    return Outcome(model=Ridge(), together=False).fit(seen, actions, actions * slope * seen.features["x"].to_numpy())


def test_a_price_is_a_policy():
    priced, asked = Priced(fitted(), (0.0, 1.0), 0.6), units(400)
    x = asked.features["x"].to_numpy()
    mailed = priced.probabilities(asked)[:, 1] == 1
    assert (mailed == (x > 0.6)).mean() > 0.98
    assert Priced(fitted(), fitted(2.0), 0.4).probabilities(asked)[:, 1].mean() == pytest.approx((x > 0).mean(), abs=0.05)
    banned = units(400, {"may": x < 0.8})
    assert not priced.probabilities(banned)[x >= 0.8, 1].any()


def test_a_price_is_saved_and_judged(tmp_path):
    priced, asked = Priced(fitted(), (0.0, 1.0), 0.6), units(400)
    for rule in (priced, Priced(fitted(), fitted(2.0), 0.4)):
        back = vt.load(vt.save(rule, tmp_path / "priced")).policy
        np.testing.assert_array_equal(back.probabilities(asked), rule.probabilities(asked))
    table = asked.features.with_columns(arm=pl.Series(np.where(np.arange(400) % 2, "mail", "none")), reward=pl.col("x"))
    log = vt.policy.DecisionLog.of_frame(
        table, action="arm", reward="reward", propensity={"none": 0.5, "mail": 0.5}, features=["x"], arms=["none", "mail"]
    )
    values = vt.policy.evaluate(log, {"priced": priced}, estimators=[vt.policy.IPS()])
    given = priced.probabilities(log.units).argmax(axis=1)
    assert values.table["value"][0] == pytest.approx(np.mean(2 * (given == log.actions) * log.reward()))


@pytest.mark.parametrize(
    ("wrong", "sentence"), [({"cost": (0.0,)}, "one number per arm \\(none, mail\\)"), ({"multiplier": -1.0}, "'multiplier' of Priced")]
)
def test_a_price_is_refused_where_it_does_not_fit(wrong, sentence):
    with pytest.raises(ParameterError, match=sentence):
        Priced(**({"values": fitted(), "cost": (0.0, 1.0), "multiplier": 1.0} | wrong))
