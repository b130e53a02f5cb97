"""A plan against tea-tasting on the same table, closed forms, and simulated experiments: what was promised is reached."""

import math
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest

from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.experiments import Experiment, Mean, Money, Past, Ratio, Share, half_width, plan
from vitrina.experiments.sequential import BURN_IN

tea_tasting = pytest.importorskip("tea_tasting")
RNG = np.random.default_rng(0)
UNITS = 4000
BEFORE = RNG.gamma(0.5, 20, UNITS)
USERS = pl.DataFrame(
    {
        "spent": 0.6 * BEFORE + RNG.gamma(0.5, 12, UNITS), "before": BEFORE, "orders": RNG.poisson(3, UNITS) + 1.0, "bought": RNG.random(UNITS) < 0.3,
        "shop": RNG.integers(0, 500, UNITS),
    }
)  # fmt: skip
SPENT = {"spent": Mean(column="spent")}
HALVES = Experiment(name="offer", arms={"none": 0.5, "ten": 0.5})
UNEVEN = Experiment(name="offer", arms={"none": 0.6, "five": 0.3, "ten": 0.1})
Z = NormalDist().inv_cdf


def past_of(metrics=SPENT, per_day=100, **more):
    return Past.of_units(USERS, metrics, per_day=per_day, **more)


def test_one_look_is_tea_tasting_on_the_same_table():
    found = plan(HALVES, past_of(), relative=0.1)
    asked = tea_tasting.Mean("spent", rel_effect_size=0.1, n_obs=int(found.row["units"]), use_t=False).solve_power(
        USERS.to_pandas(), "power"
    )[0]
    assert found.row["power"] == pytest.approx(asked.power, rel=1e-6)
    seen = tea_tasting.Mean("spent", n_obs=int(found.row["units"])).solve_power(USERS.to_pandas(), "effect_size")[0]
    assert found.row["detectable"] == pytest.approx(seen.effect_size, rel=3e-3)  # by Student's t
    with_ratio = plan(UNEVEN, past_of({"per order": Ratio(numerator="spent", denominator="orders", covariate_numerator="before")}), days=50)
    metric = tea_tasting.RatioOfMeans("spent", "orders", "before", None, n_obs=int(5000 * 0.7), ratio=1 / 6, alpha=0.025, use_t=False)
    assert with_ratio.row["detectable"] == pytest.approx(metric.solve_power(USERS.to_pandas(), "effect_size")[0].effect_size, rel=1e-4)


def test_it_is_the_closed_form():
    found = plan(UNEVEN, past_of(), days=40, power=0.9, confidence=0.99)
    for arm, share in (("five", 0.3), ("ten", 0.1)):
        error = math.sqrt(USERS["spent"].var() / 4000 * (1 / share + 1 / 0.6))
        expected = (Z(1 - 0.01 / 4) + Z(0.9)) * error
        assert found.arms.row(by_predicate=pl.col("arm") == arm, named=True)["detectable"] == pytest.approx(expected, rel=1e-6)
    assert found.arms["units"].to_list() == pytest.approx([2400, 1200, 400])
    assert found.comparisons == 2


def test_the_fewest_whole_weeks_are_found():
    found = plan(HALVES, past_of(), relative=0.15)
    powers = dict(found.table.select("days", "power").iter_rows())
    assert found.days % 7 == 0
    assert found.reached
    assert powers[found.days] >= 0.8 > powers.get(found.days - 7, 0)
    assert "are enough" in found.sentences[0]
    assert found.effect == pytest.approx(0.15 * USERS["spent"].mean())
    assert plan(HALVES, past_of(), effect=found.effect).days == found.days
    assert plan(HALVES, past_of(), effect=-found.effect).days == found.days


def experiments(shares, units, effect, runs, seed=1):
    """(runs) tests of two arms drawn from the table: Welch's statistic of spent, plain and by what is left after its covariate."""
    rng = np.random.default_rng(seed)
    spent, before = USERS["spent"].to_numpy(), USERS["before"].to_numpy()
    theta = np.cov(spent, before)[0, 1] / before.var(ddof=1)
    for _ in range(runs):
        arms = [rng.integers(0, UNITS, round(units * share)) for share in shares]
        for values in (spent, spent - theta * before):
            control, treatment = values[arms[0]], values[arms[1]] + effect
            yield (treatment.mean() - control.mean()) / math.sqrt(
                treatment.var(ddof=1) / len(treatment) + control.var(ddof=1) / len(control)
            )


@pytest.mark.parametrize(("covariate", "at"), [(None, 0), ("before", 1)])
def test_the_planned_power_is_reached(covariate, at):
    """Of 1,000 simulated experiments of the smallest treatment as many see the effect as was promised."""
    found = plan(UNEVEN, past_of({"spent": Mean(column="spent", covariate=covariate)}), days=42)
    shares = (0.6, 0.1)
    statistics = list(experiments(shares, found.row["units"], found.row["detectable"], 1000))[at::2]
    seen = np.mean(np.abs(statistics) > Z(1 - 0.05 / 4))
    assert seen == pytest.approx(0.8, abs=2.5 * math.sqrt(0.16 / 1000) + 0.01)


def test_whole_clusters_take_more_units():
    clustered = past_of({"spent": Mean(column="spent")}, cluster="shop", per_day=20)
    found = plan(HALVES, clustered, days=70)
    rng, shops = np.random.default_rng(2), USERS.group_by("shop").agg(pl.col("spent").sum(), n=pl.len().cast(pl.Float64))
    total, n = shops["spent"].to_numpy(), shops["n"].to_numpy()
    seen = 0
    for _ in range(1000):
        ratios, variances = [], []
        for effect in (0.0, found.row["detectable"]):
            drawn = rng.integers(0, len(n), 700)
            y, x = total[drawn] + effect * n[drawn], n[drawn]
            ratios.append(y.sum() / x.sum())
            variances.append(np.var((y - ratios[-1] * x) / x.mean(), ddof=1) / 700)
        seen += abs(ratios[1] - ratios[0]) > Z(0.975) * math.sqrt(sum(variances))
    assert seen / 1000 == pytest.approx(0.8, abs=0.045)


def test_looking_every_day_has_the_power_and_the_days_that_were_said():
    found = plan(HALVES, past_of(per_day=200), relative=0.15)
    days, each = found.peeking.days, 100
    spent, rng = USERS["spent"].to_numpy(), np.random.default_rng(3)
    stopped, ordinary, off = [], 0, np.abs(spent - spent.mean())
    effective = off.mean() ** 2 / np.square(off).mean()
    for run in range(600):
        effect = found.effect if run < 400 else 0.0
        values = spent[rng.integers(0, UNITS, (2, days, each))]
        values[1] += effect
        n = each * np.arange(1, days + 1)
        means = values.sum(axis=2).cumsum(axis=1) / n
        squares = (values**2).sum(axis=2).cumsum(axis=1) / n
        error = np.sqrt(((squares - means**2) / n).sum(axis=0))
        looked = effective * n >= BURN_IN
        out = (np.abs(means[1] - means[0]) > half_width(2 * n, error, 2 * each * found.days)) & looked
        if effect:
            stopped.append(np.flatnonzero(out)[0] + 1 if out.any() else np.inf)
        else:
            ordinary += (np.abs(means[1] - means[0]) > Z(0.975) * error)[looked & (n <= each * found.days)].any()
    stopped = np.array(stopped)
    assert np.mean(stopped <= days) == pytest.approx(found.table.filter(pl.col("days") == days)["always_valid_power"][0], abs=0.05)
    assert np.minimum(stopped, days).mean() == pytest.approx(found.peeking.mean, rel=0.06)
    assert ordinary / 200 == pytest.approx(found.peeking.ordinary, abs=0.08)
    assert found.peeking.once == pytest.approx(0.05)
    assert days > found.days


def test_a_past_that_is_too_short_says_so():
    found = plan(HALVES, past_of(days=28), relative=0.01)
    assert not found.reached
    assert found.days == 28
    needed = found.row["units"] * (found.row["detectable"] / found.effect) ** 2
    assert f"{needed:,.0f} units that it takes" in found.sentences[1]
    assert "more than a year" in found.sentences[1]
    falling = plan(HALVES, past_of(per_day=1000 * 0.7 ** np.arange(40)), relative=0.01)
    assert any("New units become fewer: 1,000 on the first day" in s for s in falling.sentences)


def test_money_is_what_one_counts_by_hand():
    money = Money(value=0.5, costs={"ten": 2.0, "five": 1.0}, worst=-3.0, horizon=80)
    found = plan(UNEVEN, past_of(per_day=500), days=40, effect=4.0, money=money)
    purse = found.purse
    assert purse.expected == pytest.approx(2000 * 2 + 6000 * 1)
    assert purse.worst == pytest.approx(purse.expected + 8000 * 3 * 0.5)
    assert purse.worth == pytest.approx({"five": 40_000 * (4 * 0.5 - 1), "ten": 40_000 * (4 * 0.5 - 2)})
    assert purse.pays_from == {"five": 2.0, "ten": 4.0}
    assert purse.stopped <= purse.worst
    assert found.row["cost"] == purse.expected
    assert found.row["worst"] == purse.worst
    by_default = plan(UNEVEN, past_of(), days=40, money=Money()).purse
    assert by_default.harm == by_default.effect == pytest.approx(plan(UNEVEN, past_of(), days=40).row["detectable"])
    per_order = {"per order": Ratio(numerator="spent", denominator="orders")}
    ratio = plan(HALVES, past_of(per_order), days=40, money=Money(worst=1.0)).purse
    assert ratio.worst == pytest.approx(2000 * USERS["orders"].mean())


def test_a_great_harm_is_stopped_early():
    cheap = plan(HALVES, past_of(per_day=500), days=56, money=Money(worst=5.0)).purse
    assert cheap.stopped < 0.4 * cheap.worst


def test_guards_and_other_goals_are_said():
    metrics = SPENT | {
        "orders": Mean(column="orders", margin=0.05),
        "bought": Share(column="bought"),
        "hard": Mean(column="before", margin=0.001),
    }
    found = plan(HALVES, past_of(metrics), days=50)
    assert found.others["role"].to_list() == ["guard", "goal", "guard"]
    assert found.comparisons == 2
    assert any(s.startswith("orders (guard): the length is enough to show that it loses less than 5.0%") for s in found.sentences)
    assert any(s.startswith("hard (guard): the length is not enough") for s in found.sentences)
    assert any(s.startswith("bought: a difference of") for s in found.sentences)


def test_scale_of_the_metric_and_order_of_units_change_nothing():
    one = plan(UNEVEN, past_of(per_day=1000), relative=0.05)
    table = USERS.with_columns(spent=1000 * pl.col("spent")).sample(fraction=1, shuffle=True, seed=0)
    other = plan(UNEVEN, Past.of_units(table, SPENT, per_day=1000), relative=0.05)
    assert other.days == one.days
    assert other.row["power"] == pytest.approx(one.row["power"], rel=1e-6)
    assert other.row["always_valid_relative"] == pytest.approx(one.row["always_valid_relative"], rel=1e-6)


def test_a_part_of_the_people_takes_longer():
    whole, part = (plan(HALVES.model_copy(update={"ramp": ramp}), past_of(), relative=0.12) for ramp in (1.0, 0.25))
    assert part.days >= 3 * whole.days
    assert part.row["units"] == pytest.approx(part.days * 25)


def test_one_heavy_unit_is_said():
    heavy = pl.DataFrame({"spent": [1e6, *np.ones(2000)]})
    found = plan(HALVES, Past.of_units(heavy, SPENT, per_day=100), days=28)
    assert any("A few units make most of the spread of spent" in s for s in found.sentences)
    assert found.peeking is None
    assert not any("A few units" in s for s in plan(HALVES, past_of(), days=28).sentences)


def test_it_prints_and_is_plain():
    found = plan(UNEVEN, past_of(), relative=0.3, money=Money(costs={"ten": 1.0}))
    text = str(found)
    assert text.startswith(found.sentences[0][:40])
    assert "at worst" in text
    assert found.to_dict()["money"]["expected"] == found.purse.expected
    assert found.to_dict()["table"][0]["days"] == 7
    assert "<pre" in found._repr_html_()
    assert any("same units would see differences" in s for s in found.sentences)
    session = plan(HALVES.model_copy(update={"unit": "session"}), past_of(), days=20)
    assert "may see both arms" in session.sentences[-1]
    assert any("20 days are no whole weeks" in s for s in session.sentences)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "Got none"),
        ({"effect": 1.0, "relative": 0.1}, "not both"),
        ({"relative": 0.0}, "'relative'"),
        ({"effect": float("nan")}, "'effect'"),
        ({"days": 100}, "1 to 91 days"),
        ({"days": 7, "power": 0.3}, "'power'"),
        ({"days": 7, "confidence": 95}, "'confidence'"),
    ],
)
def test_what_can_not_be_planned_is_refused(asked, said):
    with pytest.raises(ParameterError, match=said):
        plan(HALVES, past_of(), **asked)


def test_costs_of_unknown_arms_and_too_few_units_are_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'ten'"):
        plan(HALVES, past_of(), days=20, money=Money(costs={"tem": 1.0}))
    with pytest.raises(ParameterError, match="too few"):
        plan(HALVES, past_of(per_day=0.02), days=20)
