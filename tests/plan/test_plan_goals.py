"""Goals beside numeric integration of lognormal and normal totals, their intervals in many worlds, and what is refused."""

from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from scipy import integrate, stats

from vitrina.base.errors import ParameterError
from vitrina.plan import Bonus, Forecast, goals

LAWS = {"lognormal": stats.lognorm(s=0.4, scale=1000), "normal": stats.norm(1000, 150)}
RULES = {
    "fixed": Bonus(fixed=100),
    "linear": Bonus(fixed=20, linear=500),
    "capped": Bonus(fixed=20, linear=500, cap=90),
    "steps": Bonus(steps=((0.9, 30), (1.0, 80), (1.2, 150))),
}


def forecast_of(totals, seed=0):
    """One day that is the whole period: (series, paths) totals."""
    return Forecast(np.asarray(totals, np.float32)[:, :, None], date(2027, 1, 1), seed=seed)


def slow_paid(rule, share):
    """By the words of the docstring, one outcome at a time."""
    steps = [amount for at, amount in rule.steps if share >= at]
    paid = (rule.fixed if share >= 1 else 0) + rule.linear * max(share - 1, 0) + (steps[-1] if steps else 0)
    return paid if rule.cap is None else min(paid, rule.cap)


def integrated(law, rule, goal):
    """E paid(total / goal) by quadrature between the points where the rule jumps or bends."""
    ends = sorted({1e-9, 1.0, *(at for at, _ in rule.steps), 1 + (rule.cap or 1e9) / max(rule.linear, 1), 30.0})
    pieces = [(low + 1e-12, min(high, 30.0)) for low, high in pairwise(ends) if low < 30]
    return sum(
        integrate.quad(
            lambda r: slow_paid(rule, r) * law.pdf(r * goal) * goal, low, high, limit=200, points=np.linspace(low, min(high, 3), 9)[1:-1]
        )[0]
        for low, high in pieces
    )


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_rule_pays_what_its_words_say(rule):
    shares = np.array([0.0, 0.89, 0.9, 0.999, 1.0, 1.07, 1.2, 2.0])
    assert rule.paid(shares * 50, 50) == pytest.approx([slow_paid(rule, share) for share in shares])


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("rule", RULES)
def test_expected_bonus_is_the_integral(name, rule):
    law, rule = LAWS[name], RULES[rule]
    found = goals(forecast_of(law.rvs((1, 100_000), random_state=1)), goal=1080.0, bonus=rule, confidence=0.999).table.row(0, named=True)
    assert found["met_low"] <= law.sf(1080) <= found["met_high"]
    assert found["met_high"] - found["met_low"] < 0.02
    assert found["bonus_low"] <= integrated(law, rule, 1080.0) <= found["bonus_high"]


def test_ambition_is_the_chance_not_to_meet_the_goal():
    law = LAWS["lognormal"]
    found = goals(forecast_of(law.rvs((3, 50_000), random_state=2)), [0.2, 0.5, 0.8], by=["a", "b", "c"]).table
    assert found["goal"].to_numpy() == pytest.approx(law.ppf([0.2, 0.5, 0.8]), rel=0.01)
    assert found["met"].to_numpy() == pytest.approx([0.8, 0.5, 0.2], abs=1e-4)
    whole = goals(forecast_of(np.random.default_rng(0).poisson(3.0, (1, 5000))), 0.5).table.row(0, named=True)
    assert whole["goal"] == 3
    assert 1 - whole["met"] <= 0.5  # with whole numbers it may be met more often, never less


@pytest.mark.parametrize("paths", [200, 1000])
def test_intervals_hold_the_truth_in_so_many_worlds(paths):
    """Of the chance and the bonus of each goal as it was set, and of the bill of goals that share their luck."""
    rng, held, rule = np.random.default_rng(3), [], Bonus(fixed=100, linear=500, cap=200)
    for _ in range(300):
        shared = rng.standard_normal((1, paths))
        found = goals(forecast_of(1000 * np.exp(0.3 * (0.6 * shared + 0.8 * rng.standard_normal((8, paths))))), 0.7, bonus=rule)
        goal = found.table["goal"].to_numpy()
        z = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)[:, None]
        truth = np.stack([stats.norm.sf(np.log(goal / 1000) / 0.3), rule.paid(1000 * np.exp(0.3 * z), goal).mean(axis=0)])
        low, high = (found.table.select(f"met_{end}", f"bonus_{end}").to_numpy().T for end in ("low", "high"))
        held.append([*((low <= truth) & (truth <= high)).mean(axis=1), found.cost[1] <= truth[1].sum() <= found.cost[2]])
    assert np.abs(np.mean(held, axis=0) - 0.95).max() < 0.03


def test_a_common_correlation_changes_the_bill_and_nothing_else():
    totals = np.random.default_rng(4).lognormal(5, 0.3, (40, 4000))
    plain, shared = (goals(forecast_of(totals), 0.5, bonus=Bonus(fixed=10), common=common) for common in (0.0, 0.5))
    assert plain.table.equals(shared.table)
    assert plain.cost == shared.cost
    assert plain.bills.mean() == pytest.approx(shared.bills.mean()) == plain.cost[0]
    # fixed bonuses at the median of normal scores with correlation rho: each pair is met together with 1/4 + asin(rho) / (2 pi)
    pair = 100 * np.arcsin(0.5) / (2 * np.pi)
    assert shared.bills.var() == pytest.approx(40 * 25 + 40 * 39 * pair, rel=0.08)
    assert plain.bills.var() == pytest.approx(40 * 25, rel=0.08)


def test_series_of_a_place_are_summed_path_by_path():
    samples = np.random.default_rng(5).poisson(4.0, (4, 500, 7)).astype(np.float32)
    found = goals(Forecast(samples, date(2027, 1, 1)), 0.6, by=["x", "y", "x", "y"], price=[1, 2, 3, 4], first=1, last=5).table
    by_hand = samples[0, :, 1:5].sum(axis=1) + 3 * samples[2, :, 1:5].sum(axis=1)
    assert found["name"].to_list() == ["x", "y"]
    assert found["goal"][0] == np.sort(by_hand)[299]
    assert found["expected"][0] == pytest.approx(by_hand.mean())


def test_what_is_said():
    found = goals(forecast_of(np.random.default_rng(6).lognormal(3, 0.3, (2, 400))), 0.99, bonus=Bonus(fixed=10))
    assert found.halving == 1600
    assert "1,600 paths would halve" in found.sentences[1]
    assert "fewer than 5 of 400 paths" in str(found)
    assert "pilot" in found.sentences[2]
    assert isinstance(found.table, pl.DataFrame)


FINE = forecast_of(np.arange(100.0)[None] + 1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ambition": 1.0}, "between 0 and 1: 0.5 is even"),
        ({"ambition": [0.5, 0.5]}, "one number, or one per goal"),
        ({}, "Give one of the two"),
        ({"goal": -1}, "number of 0 or more. Got -1"),
        ({"ambition": 0.5, "bonus": Bonus(fixed=1), "base": -2.0}, "money of 0 or more. Got -2"),
        ({"ambition": 0.5, "by": ["a", "b"]}, "a label per series"),
        ({"ambition": 0.5, "common": 1.5}, "correlation from 0 to 1"),
        ({"ambition": 0.5, "last": 9}, "within the 1 days"),
        ({"goal": 0.0, "bonus": Bonus(linear=10)}, "Add items up per place"),
    ],
)
def test_bad_input_is_refused(given, said):
    with pytest.raises(ParameterError, match=said):
        goals(FINE, **given)


def test_a_forecast_of_one_path_has_no_quantile():
    with pytest.raises(ParameterError, match=r"Got a forecast with 1\. Forecast with paths=200"):
        goals(forecast_of([[5.0]]), 0.5)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"fixed": -1}, "greater than or equal to 0. Got -1"), ({}, "pays something"), ({"steps": ((1.0, 5.0), (0.9, 6.0))}, "must rise")],
)
def test_a_bonus_below_nothing_is_refused(given, said):
    with pytest.raises(ParameterError, match=said):
        Bonus(**given)


def test_an_outcome_that_is_missing_is_refused():
    with pytest.raises(ParameterError, match="one is missing or infinite"):
        Bonus(fixed=1).paid([1.0, np.nan], 1.0)
