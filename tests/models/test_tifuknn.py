"""TIFU-KNN against the equations with dense arrays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.data.dataset import Dataset
from vitrina.forms.history import Baskets
from vitrina.forms.profile import BasketProfile
from vitrina.types import Eligibility, Events

CONFIGS = [
    vt.TifuKNN(neighbours=4), vt.TifuKNN(neighbours=7, groups=3, within=0.6, between=0.5, alpha=0.2),
    vt.TifuKNN(neighbours=500, groups=1), vt.TifuKNN(neighbours=5, groups=20, short="oldest"), vt.TifuKNN(neighbours=3, alpha=0),
    vt.TifuKNN(neighbours=3, alpha=1),
]  # fmt: skip


def data():
    """30 people with baskets of 1 to 4 lines, some lines twice in a basket."""
    log = vt.testing.synthetic(users=30, items=25, mean_length=16)
    rng = np.random.default_rng(0)
    baskets = np.cumsum(rng.random(log.n_events) < 0.5).astype(np.int32)
    return replace(log, events=replace(log.events, baskets=baskets))


def baskets_of(queries, q) -> list[set[int]]:
    """Events of one id, or of one time where there is none, in plain Python; in the order of their first events."""
    events, groups = queries.events, {}
    for at in range(queries.start[q], queries.stop[q]):
        basket = -1 if events.baskets is None else int(events.baskets[at])
        moment = at if events.times is None else int(events.times[at])
        groups.setdefault(("basket", basket) if basket >= 0 else ("moment", moment), set()).add(int(events.items[at]))
    return list(groups.values())


def dense_vector(runs, model, n_items):
    """Groups of baskets: numpy's array_split puts the longer groups first, so cut the reversed list."""
    n, vector = len(runs), np.zeros(n_items)
    if not n:
        return vector
    groups = [g[::-1].tolist() for g in np.array_split(np.arange(n)[::-1], min(n, model.groups))][::-1]
    for g, members in enumerate(groups):
        mean = np.zeros(n_items)
        for i in members:
            mean[list(runs[i])] += model.within ** (n - 1 - i) / len(members)
        last = len(groups) - 1 if model.short == "newest" else model.groups - 1
        vector += model.between ** (last - g) * mean / len(groups)
    return vector


def dense_scores(model, train, queries):
    matrix = [np.array([dense_vector(baskets_of(q, i), model, train.n_items) for i in range(len(q))]) for q in (train.queries(), queries)]
    people, own = matrix
    scores = np.empty_like(own)
    for q, vector in enumerate(own):
        distance = ((people - vector) ** 2).sum(axis=1).astype(np.float32)
        nearest = np.argsort(distance, kind="stable")[: model.neighbours]
        scores[q] = model.alpha * vector + (1 - model.alpha) * people[nearest].mean(axis=0)
    return scores


@pytest.mark.parametrize("model", CONFIGS, ids=repr)
def test_scores_equal_the_dense_equations(model):
    log = data()
    train = log.select(log.user_of < 20)
    queries = log.queries(codes=np.arange(20, 30))
    scores = model.fit(train).score_block(queries)
    expected = dense_scores(model, train, queries)
    np.testing.assert_allclose(np.where(np.isfinite(scores), scores, 0), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(np.isfinite(scores), expected > 0)


def test_runs_of_baskets_have_the_lengths_of_the_paper():
    def weights(counts, **changes):
        profile = BasketProfile(**{"within": 1.0, "between": 0.5, "groups": 3} | changes)
        return profile.basket_weights(Baskets(np.append(0, np.cumsum(counts)), np.empty(0, np.int64))).tolist()

    assert weights([8]) == pytest.approx([1 / 4 / 2 / 3] * 2 + [1 / 2 / 3 / 3] * 3 + [1 / 3 / 3] * 3)
    assert weights([1, 2]) == pytest.approx([1, 1 / 2 / 2, 1 / 2])
    assert weights([1], short="oldest") == pytest.approx([1 / 4])
    assert weights([0]) == []
    assert weights([4], within=0.5, groups=1) == pytest.approx([1 / 32, 1 / 16, 1 / 8, 1 / 4])


@pytest.mark.parametrize("label", ["baskets", "resumed", "some", "timeless", "times", "none"])
def test_baskets_come_from_ids_or_times_or_single_events(label):
    log = data()
    times = (log.events.times // (5 * 86_400_000_000)).astype(np.int64)
    rng = np.random.default_rng(1)
    resumed = rng.integers(0, 6, log.n_events).astype(np.int32)  # the ids of every person, again and again
    some = np.where(rng.random(log.n_events) < 0.4, -1, resumed).astype(np.int32)
    events = {
        "baskets": replace(log.events, times=times), "resumed": replace(log.events, times=times, baskets=resumed),
        "some": replace(log.events, times=times, baskets=some), "timeless": Events(log.events.items, baskets=some), "times": Events(log.events.items, times), "none": Events(log.events.items),
    }[label]  # fmt: skip
    queries = replace(log.queries(), events=events)[::2]
    baskets = Baskets.of(queries)
    expected = [baskets_of(queries, q) for q in range(len(queries))]
    assert baskets.counts.tolist() == [len(runs) for runs in expected]
    matrix = baskets.items(queries, log.n_items)
    assert [set(matrix[b].indices.tolist()) for b in range(matrix.shape[0])] == [items for runs in expected for items in runs]
    assert (matrix.data == 1).all()


def test_a_basket_is_its_id_wherever_its_rows_stand():
    """One person, one time stamp, b1 b2 b1 b2 b3: three baskets, and the scores of the log in which each is one run of rows."""
    items, users = vt.Vocabulary.of(["tea", "milk", "rye", "jam"]), vt.Vocabulary.of(["ann"])
    order = np.array([0, 2, 1, 3, 4])

    def scores(at):
        baskets = np.array([1, 1, 2, 2, 3], np.int32)[at]
        events = Events(np.array([0, 1, 2, 3, 0], np.int32)[at], np.full(5, 10), baskets=baskets)
        log = Dataset.of_codes(np.zeros(5, int), events, users, items, time_unit="us")
        return log, vt.TifuKNN().fit(log).score_block(log.queries())[0]

    (log, mixed), (_, grouped) = scores(order), scores(np.arange(5))
    assert Baskets.of(log.queries()).of_event.tolist() == [0, 1, 0, 1, 2]
    np.testing.assert_array_equal(mixed, grouped)
    oldest, middle = 0.9**2 * 0.7**2 / 3, 0.9 * 0.7 / 3
    np.testing.assert_allclose(mixed, [oldest + 1 / 3, oldest, middle, middle], rtol=1e-6)  # tea: .4656


def test_the_same_person_is_his_own_nearest_neighbour():
    log = data()
    recommender = vt.TifuKNN(neighbours=1, alpha=0).fit(log)
    own = vt.TifuKNN(neighbours=1, alpha=1).fit(log).score_block(log.queries())
    np.testing.assert_allclose(recommender.score_block(log.queries()), own, rtol=1e-5)


def test_an_item_that_nobody_near_took_is_left_to_popularity():
    log = data()
    recommender = vt.TifuKNN(neighbours=2).fit(log)
    answer = recommender.recommend(log.queries(), log.n_items, eligible=Eligibility(repeat=True))
    scores = recommender.score_block(log.queries())
    np.testing.assert_array_equal((~answer.fallback & (answer.items >= 0)).sum(axis=1), np.isfinite(scores).sum(axis=1))


def test_parameters_outside_their_domain_are_refused():
    with pytest.raises(ParameterError, match="'within' parameter of TifuKNN"):
        vt.TifuKNN(within=1.5)
    with pytest.raises(ParameterError, match="'neighbours' parameter of TifuKNN"):
        vt.TifuKNN(neighbours=0)
