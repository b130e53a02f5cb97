"""Popularity against counting by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.types import Eligibility, Events, Ragged

DAY = 86_400_000_000
CONFIGS = [
    vt.Popularity(), vt.Popularity(by="events"), vt.Popularity(days=20), vt.Popularity(days=20, by="events"), vt.Popularity(half_life=7),
    vt.Popularity(half_life=7, days=30, by="events"),
]  # fmt: skip


def data():
    return vt.testing.synthetic(users=50, items=30, mean_length=8)


def by_hand(model: vt.Popularity, log: vt.Dataset) -> dict[int, float]:
    """Loop over the events; a user's repeated item counts once, the latest, with by='users'."""
    rows = list(zip(log.user_of.tolist(), log.events.items.tolist(), log.events.times.tolist(), strict=True))
    end = max(time for *_, time in rows)
    if model.days:
        rows = [row for row in rows if row[2] > end - model.days * DAY]
    if model.by == "users":
        latest: dict[tuple[int, int], int] = {}
        for user, item, time in rows:
            latest[user, item] = max(time, latest.get((user, item), time))
        rows = [(user, item, time) for (user, item), time in latest.items()]
    counts: Counter[int] = Counter()
    for _, item, time in rows:
        counts[item] += 1.0 if model.half_life is None else 0.5 ** ((end - time) / DAY / model.half_life)
    return counts


@pytest.mark.parametrize("model", CONFIGS, ids=repr)
def test_scores_equal_counting_by_hand(model):
    log = data()
    scores, expected = model.fit(log).scores, by_hand(model, log)
    assert set(np.flatnonzero(scores > -np.inf)) == set(expected)
    np.testing.assert_allclose([scores[i] for i in expected], list(expected.values()), rtol=1e-6)


def test_a_half_life_of_ages_is_plain_popularity():
    log = data()
    np.testing.assert_allclose(vt.Popularity(half_life=1e6).fit(log).scores, vt.Popularity().fit(log).scores, rtol=1e-3)


def test_items_outside_the_window_come_last_as_a_fallback():
    log = data()
    recommender = vt.Popularity(days=2).fit(log)
    answer = recommender.recommend(log.queries(), log.n_items, eligible=Eligibility(repeat=True))
    inside = np.isfinite(recommender.scores).sum()
    assert 0 < inside < log.n_items
    assert not answer.fallback[:, :inside].any()
    assert answer.fallback[:, inside : len(log.catalogue.items)].all()


def test_real_time_and_events_are_needed():
    log = data()
    with pytest.raises(DataError, match="real time"):
        vt.Popularity(days=3).fit(replace(log, time_unit="step"))
    with pytest.raises(DataError, match="no event"):
        vt.Popularity().fit(log.select(np.zeros(log.n_events, bool)))
    with pytest.raises(ParameterError, match="'days' parameter of Popularity must be greater than 0"):
        vt.Popularity(days=0)


def test_the_short_cut_of_static_equals_scoring_everything():
    log = data()
    recommender = vt.Popularity(days=10).fit(log)
    rng = np.random.default_rng(0)
    some = rng.permutation(log.n_items)[:9].astype(np.int32)
    rows = Ragged.of([rng.integers(-2, log.n_items + 3, 6) for _ in range(len(log.queries()))])
    for eligible in (
        Eligibility(),
        Eligibility(include=some),
        Eligibility(exclude=some),
        Eligibility(include=rows),
        Eligibility(exclude=rows),
    ):
        answer = recommender.recommend(log.queries(), 8, eligible=eligible)
        slow = super(type(recommender), recommender).answer_block(log.queries(), 8, eligible)
        np.testing.assert_array_equal(answer.items, slow.items)
        np.testing.assert_array_equal(answer.fallback, slow.fallback)


def test_times_may_be_missing_for_plain_popularity():
    log = data()
    plain = replace(log, events=Events(log.events.items), time_unit=None)
    np.testing.assert_array_equal(vt.Popularity().fit(plain).scores, vt.Popularity().fit(log).scores)


@pytest.mark.parametrize("model", CONFIGS)
def test_times_before_1970_count_as_others_do(model):
    log = data()
    long_ago = replace(log, events=replace(log.events, times=log.events.times - log.events.times.max() - 100 * DAY))
    np.testing.assert_allclose(model.fit(long_ago).scores, model.fit(log).scores, rtol=1e-6)
