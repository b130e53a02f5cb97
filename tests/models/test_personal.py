"""Own counts against counting by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.types import Eligibility

DAY = 86_400_000_000
DECAYS = [None, vt.decay.Exponential(events=3), vt.decay.Exponential(days=5), vt.decay.Window(events=2), vt.decay.Linear(days=60)]
WEIGHTS = {
    repr(None): lambda later, days: 1.0,
    repr(DECAYS[1]): lambda later, days: 0.5 ** (later / 3),
    repr(DECAYS[2]): lambda later, days: 0.5 ** (days / 5),
    repr(DECAYS[3]): lambda later, days: float(later < 2),
    repr(DECAYS[4]): lambda later, days: max(0.0, 1 - days / 60),
}


def data():
    return vt.testing.synthetic(users=40, items=25, mean_length=9)


def by_hand(queries, q, weight):
    times, items = queries.events.times, queries.events.items
    counts: Counter[int] = Counter()
    for at in range(queries.start[q], queries.stop[q]):
        counts[int(items[at])] += weight(queries.stop[q] - 1 - at, (queries.now[q] - times[at]) / DAY)
    return {item: count for item, count in counts.items() if count > 0}


@pytest.mark.parametrize("decay", DECAYS, ids=repr)
def test_scores_equal_counting_by_hand(decay):
    log = data()
    queries = log.queries()
    scores = vt.TopPersonal(decay=decay).fit(log).score_block(queries)
    for q in range(len(queries)):
        expected = by_hand(queries, q, WEIGHTS[repr(decay)])
        assert set(np.flatnonzero(scores[q] > -np.inf)) == set(expected)
        np.testing.assert_allclose([scores[q, i] for i in expected], list(expected.values()), rtol=1e-5)


@pytest.mark.parametrize("decay", DECAYS, ids=repr)
def test_own_items_come_first_and_popularity_fills_the_rest(decay):
    log = data()
    recommender, queries = vt.TopPersonal(decay=decay).fit(log), log.queries()
    scores = recommender.score_block(queries)
    answer = recommender.recommend(queries, 12, eligible=Eligibility(repeat=True))
    for q in range(len(queries)):
        own = sorted(np.flatnonzero(scores[q] > -np.inf), key=lambda i: (-scores[q, i], i))
        rest = [i for i in log.catalogue.by_popularity if i not in own]
        assert answer.items[q].tolist() == (own + rest)[:12]
        assert answer.fallback[q].tolist() == [place >= len(own) for place in range(12)]


def test_without_repeat_every_place_is_popularity():
    log = data()
    personal, popular = (m.fit(log).recommend(log.queries(), 5) for m in (vt.TopPersonal(), vt.Popularity()))
    np.testing.assert_array_equal(personal.items, popular.items)
    assert personal.fallback[personal.items >= 0].all()


def test_a_history_without_times_does_not_fade_by_days():
    log = data()
    queries = vt.Queries.of_histories(log.items, [["i1", "i2", "i2"]])
    lists = vt.TopPersonal(decay=vt.decay.Exponential(days=1)).fit(log).recommend(queries, 2, eligible=Eligibility(repeat=True))
    assert lists.items.tolist() == [[2, 1]]
    assert lists.scores.tolist() == [[2, 1]]


def test_days_need_real_time_at_the_fit():
    with pytest.raises(DataError, match="real time"):
        vt.TopPersonal(decay=vt.decay.Exponential(days=1)).fit(replace(data(), time_unit="step"))
