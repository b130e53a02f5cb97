"""New items by their likes, beside a slow version and where the truth is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from math import exp, lgamma, log

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.plan.forecasters.likeness import likes_of
from vitrina.plan.forecasters.likes import columns_of


def shop(seed: int, *, new: int = 3, age: int = 4) -> vt.plan.Demand:
    """30 items with launches at many days, of rates .2 to 8, and some new ones; gaps on some days."""
    rng = np.random.default_rng(seed)
    days, count = 120, 30 + new
    rate = np.exp(rng.uniform(np.log(0.2), np.log(8), count))
    first = np.append(rng.integers(0, 90, 30), [days - age] * new)
    units = rng.poisson(rate[:, None] * (1 + (np.arange(days) % 7 == 2)), (count, days)).astype(np.float32)
    state = (np.arange(days) >= first[:, None]).astype(np.int8)
    state[:, 60] = 0
    units[:, 61][state[:, 61] > 0] += 1
    state[5, 100:103] = 2
    price = np.repeat(np.exp(rng.normal(0, 1, count)).astype(np.float32)[:, None], days, axis=1)
    table = pl.DataFrame({"kind": [f"k{k % 3}" for k in range(count)]})
    return vt.plan.Demand(
        np.where(state > 0, units, np.float32(0)), state, np.arange(count, dtype=np.int32), vt.Vocabulary.of(range(count)), date(2027, 3, 1), price=price, table=table
    )  # fmt: skip


def slow_weights(demand: vt.plan.Demand, row: int, days: int, config: vt.plan.ByLikes, spread: float):
    """{launch: (weight, first column of its path)}"""
    begin = {s: next((t for t in range(demand.days) if demand.state[s, t]), demand.days) for s in range(len(demand))}
    age = demand.days - begin[row]
    sold = sum(float(demand.units[row, t]) for t in range(demand.days) if demand.state[row, t] == 1)
    scores, theirs = {}, {}
    for s, first in begin.items():
        known = sum(demand.state[s, t] > 0 for t in range(demand.days))
        if first < config.days or known < config.days:
            continue
        if config.by and demand.table["kind"][s] != demand.table["kind"][row]:
            continue
        wanted = demand.end.weekday()
        start = min(c for c in range(age - 3, age + 4) if (demand.start.weekday() + first + c) % 7 == wanted)
        if start + days > demand.days - first:
            continue

        def unit(t, s=s, first=first):
            """Of a day of the launch; a gap has the same weekday of a week before, else after."""
            near = [*range(t, -1, -7), *range(t, demand.days - first, 7)]
            return next((float(demand.units[s, first + u]) for u in near if demand.state[s, first + u] == 1), 0.0)

        if age:
            theirs[s] = sum(unit(t) for t in range(age)) / spread
        score = -0.5 * (log(demand.price[s, -1] / demand.price[row, -1]) / config.price_width) ** 2 if config.price_width else 0.0
        scores[s] = score, start
    if age:
        for s, (score, start) in scores.items():
            r, x = theirs[s] + 0.5, sold / spread
            scores[s] = score + lgamma(x + r) - lgamma(r) - lgamma(x + 1) + (r + x) * log(0.5), start
    top = max(score for score, _ in scores.values())
    total = sum(exp(score - top) for score, _ in scores.values())
    return {s: (exp(score - top) / total, start) for s, (score, start) in scores.items()}


@pytest.mark.parametrize(("age", "by", "width"), [(4, (), 0.5), (1, (), None), (0, (), 0.5), (4, ("kind",), 1.0)])
def test_weights_and_columns_are_those_of_the_slow_version(age, by, width):
    for seed in range(4):
        demand = shop(seed, age=age)
        config = vt.plan.ByLikes(forecaster=vt.plan.SeasonalNaive(), by=by, peers=3, price_width=width)
        fitted = config.fit(demand)
        for row, series in enumerate(fitted.new.series):
            at, weight, start = fitted.weights(row, fitted.new.price[row], 10)
            old = np.flatnonzero(((demand.state > 0).argmax(axis=1) >= 28) & ((demand.state > 0).sum(axis=1) >= 28))
            theirs = slow_weights(demand, int(series), 10, config, fitted.launches.spread)
            assert {int(old[a]): pytest.approx(w) for a, w in zip(at, weight, strict=True)} == {s: w for s, (w, _) in theirs.items()}
            assert {int(old[a]): int(c) for a, c in zip(at, start, strict=True)} == {s: c for s, (_, c) in theirs.items()}
            first = (demand.state > 0).argmax(axis=1)
            for a, columns in zip(at, columns_of(start, age, 10), strict=True):
                days = [(demand.start.weekday() + first[old[a]] + c) % 7 for c in columns]
                assert days[age == 0 :] == [(demand.end.weekday() + h) % 7 for h in range(age == 0, 10)]
                assert (columns[0] == 0) == (age == 0)
                assert (columns[1:] > 0).all()
                assert np.abs(columns - np.arange(age, age + 10)).max() <= 7


def test_only_new_series_differ_from_the_other_forecaster():
    demand = shop(1)
    plain = vt.plan.SeasonalNaive().fit(demand).forecast(7, paths=50, seed=3)
    made = vt.plan.ByLikes(forecaster=vt.plan.SeasonalNaive()).fit(demand).forecast(7, paths=50, seed=3)
    assert np.array_equal(made.samples[:30], plain.samples[:30])
    assert not np.array_equal(made.samples[30:], plain.samples[30:])
    assert "3 series are new: 3 are forecast" in made.notes[-1]
    again = vt.plan.ByLikes(forecaster=vt.plan.SeasonalNaive()).fit(demand).forecast(7, paths=50, seed=3)
    assert np.array_equal(made.samples, again.samples)


def test_intervals_of_new_items_cover_what_they_promise():
    """Items of one population: rates are drawn alike, so launches are the right prior of a new one."""
    rng = np.random.default_rng(7)
    count, days = 1200, 90
    rate = rng.gamma(2, 1.0, count)
    units = rng.poisson(rate[:, None], (count, days)).astype(np.float32)
    first = np.append(rng.integers(28, 40, 900), [87] * 300)  # 300 are three days old on day 90
    future = rng.poisson(rate[900:, None], (300, 14)).sum(axis=1)
    state = (np.arange(days) >= first[:, None]).astype(np.int8)
    demand = vt.plan.Demand(units * state, state, np.arange(count, dtype=np.int32), vt.Vocabulary.of(range(count)), date(2027, 3, 1))
    total = vt.plan.ByLikes(forecaster=vt.plan.SeasonalNaive()).fit(demand).forecast(14, paths=400).total()[900:]
    low, high = np.quantile(total, [0.05, 0.95], axis=1)
    assert 0.88 <= ((future >= low) & (future <= high)).mean() <= 0.97  # the ends are included, and totals whole
    bayes = (2 + units[900:, 87:].sum(axis=1)) / (1 + 3) * 14  # who knows the gamma that rates are drawn from
    assert abs(total.mean() / bayes.mean() - 1) < 0.1
    assert np.corrcoef(total.mean(axis=1), bayes)[0, 1] > 0.97


def test_likes_are_of_the_narrowest_column_that_has_enough():
    table = pl.DataFrame({
        "type": ["a", "a", "a", "b", None, "a", "b", None],
        "wide": ["x", "x", "x", "x", "y", "x", "x", "y"],
        "title": ["red glass star", "blue glass star", "tea towel with hens", "red tin heart", "wooden sign of love", "large red glass star", "tea towel", "zzz"],
        "vector": [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.5, 0.5], [0.0, -1.0], [1.0, 0.05], [0.0, 2.0], None],
    })  # fmt: skip
    known, new = np.arange(5), np.array([5, 6, 7])
    assert likes_of(table, ["type", "wide"], new, known, 3).astype(int).tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
    assert likes_of(table, ["title"], new, known, 1)[:2].astype(int).tolist() == [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
    assert likes_of(table, ["vector"], new, known, 1).astype(int).tolist() == [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1]]
    with pytest.raises(UnknownNameError, match="wide"):
        likes_of(table, ["wied"], new, known, 1)
    with pytest.raises(ParameterError, match="table of items"):
        likes_of(None, ["wide"], new, known, 1)
    with pytest.raises(DataError, match="categories, words or vectors"):
        likes_of(table.with_columns(price=pl.Series(np.arange(8.0))), ["price"], new, known, 1)


def test_without_launches_the_other_forecaster_stands_and_says_so():
    demand = shop(2)
    young = replace(demand, state=np.where(np.arange(120) < 100, np.int8(0), demand.state), units=np.where(np.arange(120) < 100, np.float32(0), demand.units))  # fmt: skip
    made = vt.plan.ByLikes(forecaster=vt.plan.SeasonalNaive()).fit(young).forecast(7, paths=5)
    assert "33 have none that is long enough" in made.notes[-1]


class Flat:
    """A forecaster that knows no weekdays: each day one unit."""

    def fit(self, demand):
        return self

    def forecast(self, days, *, paths=200, seed=0, prices=None):
        return vt.plan.Forecast(np.ones((20, paths, days), np.float32), date(2027, 5, 3))


def test_forecasts_of_closed_weekdays_are_0_at_the_places_that_close():
    open_ = np.arange(63) % 7 < 6  # from a Monday on
    units = np.ones((20, 63), np.float32)
    units[:10] *= open_
    demand = vt.plan.Demand(units, np.ones((20, 63), np.int8), np.tile(np.arange(10, dtype=np.int32), 2), vt.Vocabulary.of(range(10)), date(2027, 3, 1),
                            place=np.repeat(np.arange(2, dtype=np.int32), 10), places=vt.Vocabulary.of(["N", "S"]))  # fmt: skip
    made = vt.plan.OpenDays(forecaster=Flat()).fit(demand).forecast(14, paths=3)
    assert made.mean()[:10].tolist() == [[1.0] * 6 + [0.0] + [1.0] * 6 + [0.0]] * 10
    assert (made.samples[10:] == 1).all()
    assert "10 series" in made.notes[-1]
