"""Goals of the past: met as often as promised where the forecast is true, and told where it isn't."""

from datetime import date

import numpy as np
import pytest

from vitrina import Vocabulary
from vitrina.base.errors import ParameterError
from vitrina.plan import Demand, Forecast, judge_goals

DAYS = 14


def worlds(scale=1.0, seed=0, series=120):
    """A demand whose last days are drawn from what the forecast says, times a scale."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(2, 5, (series, 1))
    sold = rng.poisson(rate * np.where(np.arange(3 * DAYS) < DAYS, 1, scale)).astype(np.float32)
    demand = Demand(
        sold, np.ones(sold.shape, np.int8), np.arange(series, dtype=np.int32), Vocabulary.of(np.arange(series)), date(2027, 1, 1)
    )
    ahead = [Forecast(rng.poisson(rate[:, None], (series, 300, DAYS)).astype(np.float32), date(2027, 1, 15 + DAYS * k)) for k in range(2)]
    return demand, ahead


def test_a_true_forecast_keeps_its_promise_about_as_often_as_intervals_hold():
    told = np.array([judge_goals(*worlds(seed=seed), levels=[0.3, 0.7]).table["verdict"].to_list() for seed in range(30)])
    assert (told == "as promised").mean() > 0.88


def test_a_forecast_that_is_too_low_is_told():
    demand, ahead = worlds(1.1)
    found = judge_goals(demand, ahead)
    assert set(found.table["verdict"]) == {"more than promised"}
    assert "met more often than promised at an ambition of 0.1, 0.2" in found.sentences[0]


def test_shares_are_those_of_a_loop_and_labels_are_summed():
    demand, ahead = worlds(series=24)
    by, price = np.array([f"shop {k % 6}" for k in range(24)]), np.linspace(1, 3, 24)
    found = judge_goals(demand, ahead, levels=[0.4], by=by, price=price).table.row(0, named=True)
    met, promised = [], []
    for one in ahead:
        first = (one.start - demand.start).days
        for shop in dict.fromkeys(by):
            of = np.flatnonzero(by == shop)
            paths = sum(one.samples[s].sum(axis=1, dtype=float) * price[s] for s in of)
            goal = np.sort(paths)[int(np.ceil(0.4 * 300 - 1e-9)) - 1]
            met.append(sum(demand.units[s, first : first + DAYS].sum() * price[s] for s in of) >= goal)
            promised.append((paths >= goal).mean())
    assert found["goals"] == 12
    assert found["met"] == pytest.approx(np.mean(met))
    assert found["promised"] == pytest.approx(np.mean(promised))


def test_days_that_nobody_knows_are_refused():
    demand, ahead = worlds()
    with pytest.raises(ParameterError, match=r"of days that it has. Got 120 series from 2027-02-05"):
        judge_goals(demand, [Forecast(ahead[0].samples, date(2027, 2, 5))])
    with pytest.raises(ParameterError, match="one forecast or more"):
        judge_goals(demand, [])
