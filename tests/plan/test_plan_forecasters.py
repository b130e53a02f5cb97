"""Forecasters against slow ones, against worlds that they are right about, and against the days that they may not read."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy import stats

import vitrina as vt
from vitrina.base.config import from_plain, to_plain
from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.plan import TSB, Average, Counts, Croston, Demand, Forecaster, Recalibrated, SeasonalNaive, StatsForecast
from vitrina.plan.demand.steps import share_of_step, step_of
from vitrina.plan.forecasters.count_filter import log_chance, run_filter, score_excess, tail
from vitrina.plan.forecasters.growth import growth_of, regress
from vitrina.vocabulary import Vocabulary

MONDAY = date(2027, 1, 4)
ALL = [SeasonalNaive(), Counts(), Counts(noise="poisson", trend=True), Croston(), TSB(), Average(), Recalibrated()]


def demand_of(units, state=None, **more) -> Demand:
    units = np.asarray(units, np.float32)
    ids = Vocabulary.of([f"item {i}" for i in range(len(units))])
    state = np.ones(units.shape, np.int8) if state is None else np.asarray(state, np.int8)
    return Demand(units, state, np.arange(len(units), dtype=np.int32), ids, MONDAY, **more)


def world(series=300, days=364, seed=0, excess=0.5, mean=4.0, walk=0.0):
    """Negative binomial days around levels that may walk, with one week for all; and the same 28 days further."""
    rng = np.random.default_rng(seed)
    level = mean * rng.lognormal(0, 0.5, (series, 1)) * np.exp(np.cumsum(rng.normal(0, walk, (series, days + 28)), axis=1))
    expected = level * np.array([0.8, 0.9, 1, 1, 1.1, 1.4, 0.8])[np.arange(days + 28) % 7]
    units = rng.poisson(expected * rng.gamma(1 / excess, excess, expected.shape) if excess else expected)
    return demand_of(units), expected


def coverage(forecast, units) -> tuple[float, float]:
    """Of days and of totals, with the steps of counts."""
    days = share_of_step(*step_of(np.sort(forecast.samples.swapaxes(1, 2), axis=2), units), 0.05, 0.95)
    totals = share_of_step(*step_of(np.sort(forecast.total(), axis=1), units.sum(axis=1)), 0.05, 0.95)
    return float(days.mean()), float(totals.mean())


@pytest.mark.parametrize("forecaster", ALL, ids=repr)
def test_the_contract(forecaster):
    units = np.random.default_rng(1).poisson(np.linspace(0.1, 6, 8)[:, None], (8, 150))
    state = np.ones(units.shape, np.int8)
    state[0, :], state[1, :140], state[2, ::3] = 0, 0, 2
    demand = demand_of(np.where(state > 0, units, 0), state)
    assert isinstance(forecaster, Forecaster)
    assert from_plain(to_plain(forecaster)) == forecaster
    model = forecaster.fit(demand)
    one, same, other = model.forecast(9, paths=40, seed=3), model.forecast(9, paths=40, seed=3), model.forecast(9, paths=40, seed=4)
    assert one.samples.shape == (8, 40, 9)
    assert one.start == demand.end
    assert one.seed == 3
    assert np.array_equal(one.samples, same.samples)
    assert not np.array_equal(one.samples, other.samples)
    assert (one.samples == np.rint(one.samples)).all()
    assert any("seen day" in note or "known day" in note for note in one.notes)
    priced = model.forecast(9, paths=40, seed=3, prices=np.ones((8, 9), np.float32))
    assert any("not read" in note for note in priced.notes)
    for wrong in ({"days": 0}, {"days": 9, "paths": 0}, {"days": 9, "prices": np.ones((8, 3))}, {"days": 9, "prices": np.zeros((8, 9))}):
        with pytest.raises(ParameterError):
            model.forecast(**wrong)


@pytest.mark.parametrize("forecaster", ALL, ids=repr)
def test_the_order_of_series_and_days_that_are_not_there_change_nothing_in_the_mean(forecaster):
    demand, _ = world(60, 200, seed=2)
    past = demand.between(0, 200)
    mean = forecaster.fit(past).forecast(28, paths=300).mean().sum(axis=1)
    turned = forecaster.fit(past.select(np.arange(60)[::-1])).forecast(28, paths=300).mean().sum(axis=1)[::-1]
    assert np.abs(np.log(mean / turned)).mean() < 0.05
    assert abs(mean.sum() / turned.sum() - 1) < 0.02
    later = replace(
        past, units=np.hstack([past.units, np.zeros((60, 3), np.float32)]), state=np.hstack([past.state, np.zeros((60, 3), np.int8)])
    )
    shifted = forecaster.fit(later).forecast(28, paths=300).mean().sum(axis=1)  # three unknown days
    assert abs(shifted.sum() / mean.sum() - 1) < 0.05


def test_the_naive_forecast_draws_whole_weeks_and_fills_gaps_from_their_weekday():
    units = np.arange(28, dtype=np.float32)[None] + 1
    state = np.ones((1, 28), np.int8)
    state[0, 22] = 2
    paths = SeasonalNaive(weeks=4).fit(demand_of(units, state)).forecast(14, paths=400).samples[0]
    assert (np.delete(paths.reshape(400, 2, 7), 1, axis=2) % 7 == np.array([1, 3, 4, 5, 6, 0])).all()
    weeks = (paths.reshape(400, 2, 7) - 1) // 7
    assert (weeks[..., 2:] == weeks[..., :1]).all()
    assert set(np.unique(paths[:, 1])) == {2.0, 9.0, 16.0}
    assert set(np.unique(weeks[..., 0])) == {0, 1, 2, 3}


def test_chances_and_tails_are_those_of_scipy():
    for mean, excess in ((3.0, 0.0), (0.4, 0.7), (12.0, 2.5)):
        law = stats.poisson(mean) if excess == 0 else stats.nbinom(1 / excess, 1 / (1 + excess * mean))
        units = np.arange(0, 60)
        ours = np.array([log_chance(float(y), mean, excess) for y in units]) - [np.sum(np.log(np.arange(1, y + 1))) for y in units]
        assert np.allclose(ours, law.logpmf(units), atol=1e-9)
        many = np.arange(0, 3000)
        for least in (0, 1, 5):
            above = law.pmf(many) * (many >= least)
            given = (above * many).sum() / above.sum()
            found = tail(float(least), mean, excess)
            assert np.allclose(found, (above.sum(), given, (above * (many - given) ** 2).sum() / above.sum()), rtol=1e-6)


def test_the_filter_is_the_one_of_harvey_and_fernandes_and_its_score_the_likelihood_of_scipy():
    rng = np.random.default_rng(3)
    units, scale = rng.poisson(2.0, (1, 60)).astype(np.float32), rng.uniform(0.5, 1.5, (1, 60)).astype(np.float32)
    end, score, expected = np.zeros((1, 4)), np.zeros(1), np.zeros((2, 60), np.float32)
    one = np.ones(1)
    run_filter(
        1,
        units,
        np.ones((1, 60), np.int8),
        scale,
        1.7 * one,
        0.95 * one,
        0 * one,
        0 * one,
        0.99,
        1,
        0,
        0,
        end,
        score,
        expected,
        np.zeros((0, 0), np.float32),
    )
    a, b, total = 0.5, 0.5 / 1.7, 0.0
    for day, (y, s) in enumerate(zip(units[0].astype(float), scale[0].astype(float), strict=True)):
        a, b = 0.95 * a, 0.95 * b
        total += (stats.nbinom(a, b / (b + s)).logpmf(y) + np.log(np.arange(1, y + 1)).sum()) * (day > 0)
        a, b = a + y, b + s
    assert np.allclose(end[0, :2], (a, b), rtol=1e-6)
    assert abs(score[0] - total) < 1e-3
    scores = np.zeros((1, 2))
    score_excess(1, units, np.ones((1, 60), np.int8), expected[:1], np.array([0.0, 0.5]), np.ones(60), scores)
    mean = expected[0].astype(float)
    slow = stats.nbinom(2, 1 / (1 + 0.5 * mean)).logpmf(units[0]) - stats.poisson(mean).logpmf(units[0])
    assert abs((scores[0, 1] - scores[0, 0]) - slow.sum()) < 1e-3


def test_growth_is_that_of_a_generalised_linear_model():
    sm = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(4)
    units = rng.poisson(3 * np.exp(0.004 * np.arange(200)), (2, 200)).astype(np.float32)
    known = np.ones((2, 200), np.bool_)
    known[0, 50:60] = False
    weight = 0.5 ** ((199 - np.arange(200)) / 100)
    found = np.zeros((2, 3))
    regress(2, units, known, np.ones((2, 200), np.float32), np.zeros(2), weight, found)
    for row in range(2):
        days = np.flatnonzero(known[row])
        design = sm.add_constant((days - 199).astype(float))
        slow = sm.GLM(units[row, days], design, family=sm.families.Poisson(), var_weights=weight[days]).fit()
        assert np.allclose(found[row, :2], slow.params, atol=1e-6)
        assert abs(found[row, 2] ** -0.5 / slow.bse[1] - 1) < 1e-3
    flat = rng.poisson(1.0, (200, 100)).astype(np.float32)
    growth, _ = growth_of(flat, np.ones(flat.shape, np.bool_), np.ones(flat.shape, np.float32), np.zeros(200), 100)
    assert np.abs(growth).max() < 0.002  # what differs among series is what errors do


def test_intervals_hold_what_they_promise_in_worlds_of_counts():
    for noise, excess in (("negative binomial", 0.5), ("poisson", 0.0)):
        for walk in (0.0, 0.02):
            demand, _ = world(300, 364, seed=5, excess=excess, walk=walk)
            forecast = Counts(noise=noise).fit(demand.between(0, 364)).forecast(28, paths=200)
            days, totals = coverage(forecast, demand.units[:, 364:].astype(float))
            assert 0.88 < days < 0.92
            assert (
                0.84 < totals < 0.99
            )  # 300 totals: two standard errors are 3.5 points; levels are taken for less sure than they are in worlds as simple as these
            assert abs(forecast.mean().sum() / demand.units[:, 364:].sum() - 1) < 0.05
    fixed = Counts().fit(world(300, 364, seed=6)[0].between(0, 364)).forecast(28, paths=200)
    assert 0.9 < fixed.mean().sum() / world(300, 364, seed=6)[1][:, 364:].sum() < 1.1


def test_what_was_sold_out_is_no_demand():
    demand, expected = world(200, 280, seed=7, excess=0.3, mean=4)
    past = demand.between(0, 280)
    stock = np.random.default_rng(8).poisson(expected[:, :280] * 1.1)
    state = np.where(past.units >= stock, 2, 1).astype(np.int8)
    sold = np.minimum(past.units, stock).astype(np.float32)
    truth = expected[:, 280:].sum()
    read = Counts().fit(demand_of(sold, state)).forecast(28, paths=100).mean().sum() / truth
    taken = Counts().fit(demand_of(sold)).forecast(28, paths=100).mean().sum() / truth
    dropped = Counts().fit(demand_of(sold, np.where(state == 2, 0, 1))).forecast(28, paths=100).mean().sum() / truth
    assert abs(read - 1) < 0.07
    assert taken < 0.85
    assert dropped < 0.9


def test_a_sold_out_day_of_0_says_nothing():
    demand, _ = world(20, 100, seed=9)
    units, state = demand.units[:, :100].copy(), np.ones((20, 100), np.int8)
    units[:, 90:], state[:, 90:] = 0, 2
    nothing = np.where(state == 2, 0, 1).astype(np.int8)
    config = Counts(half_life=30.0)
    one, two = config.fit(demand_of(units, state)), config.fit(demand_of(units, nothing))
    assert np.allclose(one.end[:, 0] / one.end[:, 1], two.end[:, 0] / two.end[:, 1], rtol=0.02)


def test_the_week_of_an_item_is_drawn_to_that_of_the_shop():
    demand, _ = world(80, 364, seed=10, mean=8)
    young = demand.units.copy()
    state = np.ones(young.shape, np.int8)
    young[0, :385], state[0, :385] = 0, 0  # a week of its own is all that it has
    week = Counts().fit(demand_of(young, state)).week
    true = np.array([0.8, 0.9, 1, 1, 1.1, 1.4, 0.8])
    assert np.abs(week.mean(axis=0) - true).max() < 0.06
    assert np.abs(week[0] - true).max() < 0.35


def test_closed_weekdays_and_holidays_are_forecast_as_0():
    demand, _ = world(60, 200, seed=11)
    units = demand.units.copy()
    units[:, demand.weekday == 6] = 0
    made = Counts(closed=[date(2027, 8, 24)]).fit(demand_of(units)).forecast(28, paths=50)
    weekday = (np.arange(28) + (made.start - MONDAY).days) % 7
    assert (made.samples[:, :, weekday == 6] == 0).all()
    assert made.samples[:, :, weekday == 5].mean() > 1
    holiday = (date(2027, 8, 24) - made.start).days
    assert 0 <= holiday < 28
    assert (made.samples[:, :, holiday] == 0).all()
    for forecaster in (Croston(), TSB()):
        samples = forecaster.fit(demand_of(units)).forecast(28, paths=50).samples
        assert (samples[:, :, weekday == 6] == 0).all()
        assert samples[:, :, weekday == 5].mean() > 1


def test_prices_move_demand_where_they_are_read():
    rng = np.random.default_rng(12)
    price = np.where(rng.random((40, 300)) < 0.3, 0.8, 1.0).astype(np.float32)
    price[:, -1] = 1.0
    units = rng.poisson(10 * price**-2.0)
    model = Counts(price=True).fit(demand_of(units, price=price))
    same, cheap = (model.forecast(28, paths=200, prices=np.full((40, 28), p, np.float32)) for p in (1.0, 0.8))
    assert abs(np.log(cheap.mean().sum() / same.mean().sum()) / np.log(0.8) + 2) < 0.25
    assert abs(same.mean().mean() / 10 - 1) < 0.05
    assert abs(model.forecast(28).mean().mean() / 10 - 1) < 0.05
    assert any("chosen" in note for note in cheap.notes)


def test_croston_and_tsb_are_the_recursions_by_hand_and_those_of_statsforecast():
    models = pytest.importorskip("statsforecast.models")
    units = np.random.default_rng(13).poisson(0.4, (6, 120)) * np.random.default_rng(14).integers(1, 9, (6, 120))
    for row, y in enumerate(units.astype(float)):
        size, interval, since, chance = None, None, 0, None
        for value in y:
            since += 1
            chance = float(value > 0) if chance is None else chance + 0.2 * ((value > 0) - chance)
            if value > 0:
                size = value if size is None else size + 0.1 * (value - size)
                interval = since if interval is None else interval + 0.1 * (since - interval)
                since = 0
        one = demand_of(units[row : row + 1])
        plain, mended, tsb = Croston(sba=False).fit(one), Croston().fit(one), TSB(alpha_chance=0.2, alpha_size=0.1).fit(one)
        assert np.allclose(
            [plain.point[0], mended.point[0], tsb.point[0]], [size / interval, 0.95 * size / interval, chance * size], rtol=1e-4
        )
        theirs = [
            m.forecast(y=y, h=1)["mean"][0] for m in (models.CrostonClassic(), models.CrostonSBA(), models.TSB(alpha_d=0.1, alpha_p=0.2))
        ]
        assert np.allclose([plain.point[0], mended.point[0], tsb.point[0]], theirs, rtol=1e-4)
    model = Croston().fit(demand_of(units))
    assert np.abs(model.forecast(28, paths=4000).mean().mean(axis=1) / model.point - 1).max() < 0.05


def test_packaged_models_keep_their_points_and_their_faults_are_said():
    pytest.importorskip("statsforecast")
    demand, _ = world(3, 120, seed=15, mean=30)
    past = demand.between(0, 120)
    for model in ("SeasonalExponentialSmoothingOptimized", "CrostonSBA", "AutoTheta"):
        made = StatsForecast(model=model).fit(past).forecast(28, paths=300)
        assert made.samples.shape == (3, 300, 28)
        assert 0.7 < made.mean().sum() / demand.units[:, 120:].sum() < 1.3
    with pytest.raises(UnknownNameError, match="AutoETS"):
        StatsForecast(model="AutoETTS").fit(past)
    with pytest.raises(ParameterError, match="WindowAverage"):
        StatsForecast(model="WindowAverage", arguments={"window_size": 14}).fit(past)
    with pytest.raises(ParameterError, match="arguments"):
        StatsForecast(arguments={"window": 3}).fit(past)


def test_calibration_mends_spread_that_is_too_small():
    demand, _ = world(300, 280, seed=16, excess=0.25)
    past, truth = demand.between(0, 252), demand.units[:, 252:280].astype(float)
    narrow = Counts(noise="poisson")
    before, after = (coverage(one.fit(past).forecast(28, paths=200), truth) for one in (narrow, Recalibrated(forecaster=narrow)))
    assert before[0] < 0.86
    assert 0.87 < after[0] < 0.93
    assert 0.84 < after[1] < 0.99
    with pytest.raises(ParameterError, match="smaller days"):
        Recalibrated().fit(demand.between(0, 40))


def test_an_average_refuses_what_it_cannot_weigh():
    with pytest.raises(ParameterError, match="one per forecaster"):
        Average(weights=(1.0,))
    with pytest.raises(ParameterError, match="fit"):
        Average(forecasters=("Counts",))
    with pytest.raises(UnknownNameError):
        Counts(by="category").fit(demand_of(np.ones((1, 30))))
    assert vt.plan.Counts is Counts
