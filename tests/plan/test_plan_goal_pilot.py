"""Pilots of goals in a world whose truth is known: why bonuses changed, and how effort answers to ambition."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy import optimize, stats

from vitrina import Vocabulary
from vitrina.base.errors import DataError, ParameterError
from vitrina.plan import (
    Bonus,
    Demand,
    Forecast,
    GoalWorld,
    ambition_for,
    cost_by_ambition,
    explain_bonuses,
    goals,
    mape_figures,
    plan_pilot,
    response_to_goals,
)
from vitrina.plan.goals.concave import concave_fit

WORLD, FIXED = GoalWorld(), Bonus(fixed=200)
COLUMNS = {"arm": "arm", "outcome": "outcome", "old": "goal_old", "new": "goal_new", "control": "old"}


def explained(table, bonus=FIXED, **more):
    return explain_bonuses(table, **(COLUMNS | {"margin": 0.3, "bonus": bonus} | more))


def test_the_world_has_the_closed_figures():
    still = GoalWorld(effort=0)
    old, new = mape_figures(0.313), mape_figures(0.2256)
    for kind, chance in (
        (("old", "median"), old.met_median),
        (("old", "mape"), old.met_best),
        (("new", "median"), new.met_median),
        (("new", "mape"), new.met_best),
    ):
        assert still.expected(*kind).met == pytest.approx(chance, abs=5e-4)
    assert [still.expected("new", tuned).met for tuned in ("median", "mape")] == pytest.approx([0.3665, 0.4540], abs=5e-4)
    assert WORLD.expected("old", "median").met == pytest.approx(
        old.met_median, abs=5e-4
    )  # the forecasts learned from sales under the old goals


@pytest.mark.parametrize("tuned", ["median", "mape"])
def test_expectations_of_the_world_are_its_means(tuned):
    pilot = WORLD.pilot(400_000, seed=4, tuned=tuned).with_columns(goal=pl.when(arm="old").then("goal_old").otherwise("goal_new"))
    for arm, kind in (("old", ("old", "median")), ("new", ("new", tuned))):
        rows, bonus = pilot.filter(arm=arm), Bonus(fixed=50, linear=400, cap=150)
        truth = WORLD.expected(*kind, bonus=bonus)
        found = (
            (rows["outcome"] >= rows["goal"]),
            rows["outcome"],
            pl.Series(bonus.paid(rows["outcome"].to_numpy(), rows["goal"].to_numpy())),
        )
        for one, wanted in zip(found, truth, strict=True):
            assert abs(one.mean() - wanted) < 4.5 * one.cast(pl.Float64).std() / rows.height**0.5


@pytest.mark.parametrize(
    "bonus",
    [FIXED, Bonus(fixed=30, linear=700, cap=120), Bonus(steps=((0.9, 20), (1.0, 60), (1.15, 140)))],
    ids=["fixed", "linear", "steps"],
)
def test_the_parts_add_up_and_are_what_the_words_say(bonus):
    pilot = WORLD.pilot(600, seed=5)
    found = explained(pilot, bonus, draws=100)
    part = {row["part"]: row for row in found.table.to_dicts()}
    for name in ("bonus", "met"):
        assert abs(part["accuracy"][name] + part["bias"][name] + part["effort"][name] - part["total"][name]) < 1e-9
    control, treated = (pilot.filter(arm=arm) for arm in ("old", "new"))
    ratio = np.exp(
        np.median(np.log(control["outcome"] / control["goal_new"])) - np.median(np.log(control["outcome"] / control["goal_old"]))
    )
    mean = {
        "old": bonus.paid(control["outcome"], control["goal_old"]).mean(), "fair": bonus.paid(control["outcome"], ratio * control["goal_new"]).mean(),
        "new": bonus.paid(control["outcome"], control["goal_new"]).mean(), "worked": bonus.paid(treated["outcome"], treated["goal_new"]).mean(),
    }  # fmt: skip
    wanted = [mean["fair"] - mean["old"], mean["new"] - mean["fair"], mean["worked"] - mean["new"], mean["worked"] - mean["old"]]
    assert found.table["bonus"].to_numpy() == pytest.approx(wanted, abs=1e-9)
    piloted, fair = (found.value(name)["value"] for name in ("as piloted", "at equal ambition"))
    assert fair - piloted == pytest.approx(part["bias"]["bonus"], abs=1e-9)
    met = (control["outcome"] >= control["goal_old"]).sum()
    assert (control["outcome"] >= found.equal * control["goal_new"]).sum() == met


def test_intervals_of_the_parts_hold_the_truth():
    new, old = WORLD.expected("new", "mape", bonus=FIXED), WORLD.expected("old", bonus=FIXED)
    beside = [WORLD.expected("old", bonus=FIXED, goal=("new", tuned)).bonus for tuned in ("median", "mape")]
    truth = [beside[0] - old.bonus, beside[1] - beside[0], new.bonus - beside[1], new.bonus - old.bonus]
    uplift = new.outcome - old.outcome
    worth = [uplift, 0.3 * uplift - truth[3], 0.3 * uplift - truth[3] + truth[1]]
    assert worth[1] < 0 < worth[2]  # the pilot is a loss, and the better forecast is not
    held = []
    for seed in range(60):
        found = explained(WORLD.pilot(1000, seed=seed), draws=200, seed=seed)
        ends = found.table.select("low", "high").rows() + found.worth.select("low", "high").rows()
        held.append([low <= value <= high for (low, high), value in zip(ends, [*truth, *worth], strict=True)])
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)
    assert np.mean(held, axis=0).min() > 0.85  # 150 worlds of 2,000: 92.7% to 96.0%


def test_the_pilot_is_judged_a_loss_and_then_right():
    found = explained(WORLD.pilot(8000, seed=1), draws=300)
    assert found.sentences[1].endswith("a loss.")
    assert "a gain. What people do under goals that much higher" in found.sentences[2]
    assert found.ratio == pytest.approx(np.exp(WORLD.sd_new**2), abs=0.02)


RESPONSE = {"arm": "ambition", "outcome": "outcome", "forecast": "forecast", "goal": "goal", "bonus": Bonus(fixed=30), "margin": 0.3}


def test_the_response_is_recovered_within_its_interval():
    levels = (0.35, 0.5, 0.65)
    truth = [WORLD.expected("new", ambition=level, bonus=RESPONSE["bonus"]) for level in levels]
    net, held = [0.3 * one.outcome - one.bonus for one in truth], []
    for seed in range(25):
        rows = response_to_goals(WORLD.levels(900, levels, seed=seed), **RESPONSE).table.rows(named=True)
        inside = [row["net_low"] <= value <= row["net_high"] for row, value in zip(rows, net, strict=True)]
        for row, one, value in zip(rows[1:], truth[1:], net[1:], strict=True):
            pairs = {"uplift": one.outcome - truth[0].outcome, "more_bonus": one.bonus - truth[0].bonus, "gain": value - net[0]}
            inside += [row[f"{name}_low"] <= wanted <= row[f"{name}_high"] for name, wanted in pairs.items()]
        held.append(inside)
    assert np.mean(held) == pytest.approx(0.95, abs=0.045)  # 150 worlds of 1,500: 92.7% to 96.7%


def test_levels_by_segment_and_within_a_budget():
    world = GoalWorld(peaks=(0.65, 0.35), effort=0.3)
    pilot = world.levels(6000, (0.35, 0.5, 0.65, 0.8), seed=3)
    found = response_to_goals(pilot, segment="kind", **(RESPONSE | {"bonus": Bonus(fixed=20)}))
    assert found.analysis.checks.verdict == "pass"
    best = dict(found.best_by_segment().select("segment", "arm").rows())
    assert best == {"peak 0.65": "0.35", "peak 0.35": "0.65"}
    assert found.contradicted > 0.2  # effort is concave in this world
    free, short = found.assign(float("inf")), found.assign(45_000)
    assert short.spent <= 45_000 < free.spent
    assert found.assign(10_000, pilot.head(1000)).arms.shape == (1000,)
    assert found.log.reward("net") == pytest.approx(0.3 * found.log.reward("outcome") - found.log.reward("bonus"))
    with pytest.raises(ParameterError, match="No assignment costs 10 or less"):
        found.assign(10)


def test_a_pilot_with_other_shares_than_drawn_is_refused():
    pilot = WORLD.levels(3000, (0.4, 0.6), seed=1)
    lost = pilot.filter((pl.col("ambition") < 0.5) | (pl.col("outcome") > 700))
    assert response_to_goals(lost, **RESPONSE).analysis.refused


def slow_concave(x, y, sd):
    second = [optimize.LinearConstraint(np.eye(len(x))[at - 1] * (x[at + 1] - x[at]) - np.eye(len(x))[at] * (x[at + 1] - x[at - 1]) + np.eye(len(x))[at + 1] * (x[at] - x[at - 1]), -np.inf, 0) for at in range(1, len(x) - 1)]  # fmt: skip
    return optimize.minimize(
        lambda f: (((f - y) / sd) ** 2).sum(), y, constraints=second, method="SLSQP", options={"ftol": 1e-14, "maxiter": 500}
    ).x


def test_the_concave_fit_is_that_of_a_general_solver():
    rng = np.random.default_rng(0)
    for _ in range(10):
        x, y, sd = np.sort(rng.random(5)), rng.normal(size=5), rng.uniform(0.5, 2, 5)
        assert concave_fit(x, y, sd).values == pytest.approx(slow_concave(x, y, sd), abs=1e-4)
    line = np.mean([concave_fit([1, 2, 3, 4], 2.0 + rng.normal(size=4), np.ones(4), seed=seed).p < 0.1 for seed in range(80)])
    assert line == pytest.approx(0.1, abs=0.09)  # the worst of concave truths
    assert concave_fit([1, 2, 3], [2.0, 0.0, 2.0], [0.3, 0.3, 0.3]).p < 0.01


def test_a_budget_is_an_ambition():
    forecast = Forecast(np.random.default_rng(1).lognormal(4, 0.3, (15, 400, 1)).astype(np.float32), date(2027, 1, 1))
    bonus = Bonus(fixed=40, linear=300, cap=100)
    curve = cost_by_ambition(forecast, bonus, levels=[0.8, 0.2, 0.5], common=0.4)
    assert curve.table["ambition"].to_list() == [0.2, 0.5, 0.8]
    assert (np.diff(curve.table["cost"]) < 0).all()
    found = ambition_for(forecast, bonus, budget=300, common=0.4)
    level = found.table["ambition"][0]
    assert found.cost[0] <= 300 < goals(forecast, level - 1 / 400, bonus=bonus).cost[0]
    sure = ambition_for(forecast, bonus, budget=300, chance=0.9, common=0.4)
    assert sure.bill(0.9) <= 300
    assert sure.table["ambition"][0] > level
    with pytest.raises(ParameterError, match="No ambition costs 1 or less on average"):
        ambition_for(forecast, bonus, budget=1)


def demand_of(units):
    return Demand(
        units, np.ones(units.shape, np.int8), np.arange(len(units), dtype=np.int32), Vocabulary.of(np.arange(len(units))), date(2026, 10, 4)
    )


def test_a_pilot_is_planned_on_what_places_sold():
    rng = np.random.default_rng(2)
    demand = demand_of(rng.poisson(rng.gamma(4, 8, (400, 1)) * rng.lognormal(0, 0.3, (400, 120))).astype(np.float32))
    planned = plan_pilot(demand, [0.5, 0.65, 0.8], relative=0.05)
    assert planned.reached
    assert planned.row["units"] == 400
    assert plan_pilot(demand, [0.5, 0.8], by=np.arange(400) // 2, days=28).row["units"] == 200
    # CUPED on the 28 days before takes away what shops differ by: the rest is that of days
    whole = demand.units[:, -28:].sum(axis=1) / demand.units[:, -28:].sum(axis=1).mean()
    assert planned.past.spread("sold", 27).explained > 0.9
    assert planned.past.spread("sold", 27).variance < 0.1 * whole.var() * planned.past.spread("sold", 27).value ** 2


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"margin": 0}, ParameterError, "above 0. Got 0"),
        ({"goal": None}, ParameterError, "what was paid"),
        ({"control": "0.9"}, ParameterError, "one of the levels"),
        ({"ambitions": {"0.4": 0.4}}, ParameterError, "The arm '0.6' has no ambition"),
        ({"ambitions": {"0.4": 0.4, "0.6": 6.0}}, ParameterError, "between 0 and 1: 0.5 is even"),
    ],
)
def test_a_pilot_that_says_too_little_is_refused(given, error, said):
    with pytest.raises(error, match=said):
        response_to_goals(WORLD.levels(200, (0.4, 0.6)), **(RESPONSE | given))


def test_without_a_pilot_effort_is_not_known():
    with pytest.raises(DataError, match="Draw levels at random"):
        response_to_goals(None, **RESPONSE)
    missing = WORLD.levels(200, (0.4, 0.6)).with_columns(outcome=pl.when(pl.col("shop") != 7).then("outcome"))
    with pytest.raises(DataError, match="outcome"):
        response_to_goals(missing, **RESPONSE)
    with pytest.raises(ParameterError, match="two different ambitions"):
        plan_pilot(demand_of(np.ones((40, 60), np.float32)), [0.5, 0.5])


def test_a_pilot_of_goals_that_cannot_be_taken_apart_is_refused():
    pilot = WORLD.pilot(200)
    for table, said in (
        (pilot.with_columns(goal_old=0.0), "'goal_old' of row 0 is 0"),
        (pilot.with_columns(arm=pl.lit("old")), "between two arms"),
        (pilot.head(30), "20 units at least"),
    ):
        with pytest.raises((ParameterError, DataError), match=said):
            explained(table, draws=100)
    with pytest.raises(DataError, match="outcome"):
        explained(pilot.with_columns(outcome=pl.when(pl.col("shop") != 3).then("outcome")), draws=100)


def test_the_old_sd_is_the_larger():
    with pytest.raises(ParameterError, match="must be below 'sd_old'"):
        GoalWorld(sd_old=0.2, sd_new=0.3)
    assert stats.norm.sf(np.log(1.08) / 0.2256) == pytest.approx(0.3665, abs=1e-4)
