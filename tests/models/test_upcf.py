"""UP-CF against the equations with dense arrays in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import vitrina as vt
from vitrina.types import Eligibility, Events, Queries

CONFIGS = [
    vt.UpCF(neighbours=4), vt.UpCF(neighbours=7, recent=2, locality=1, asymmetry=0.2), vt.UpCF(neighbours=500, recent=1, locality=3),
    vt.UpCF(neighbours=5, shrinkage=1000), vt.UpCF(neighbours=3, locality=100, asymmetry=1), vt.UpCF(neighbours=3, asymmetry=0),
]  # fmt: skip


def drawn(seed=0):
    """30 people with baskets of 1 to 4 lines, some lines twice in a basket."""
    log = vt.testing.synthetic(users=30, items=25, mean_length=12, seed=seed)
    baskets = np.cumsum(np.random.default_rng(seed).random(log.n_events) < 0.5).astype(np.int32)
    return replace(log, events=replace(log.events, baskets=baskets))


def histories(queries):
    """The baskets of each query, in plain Python: sets of items, the oldest first."""
    for q in range(len(queries)):
        found = {}
        for at in range(queries.start[q], queries.stop[q]):
            found.setdefault(int(queries.events.baskets[at]), set()).add(int(queries.events.items[at]))
        yield list(found.values())


def dense(model, queries, n_items):
    """What each took at all, and how popular items were with each of late."""
    took, popular = np.zeros((2, len(queries), n_items))
    for q, baskets in enumerate(histories(queries)):
        for basket in baskets:
            took[q, list(basket)] = 1
        for basket in baskets[-model.recent :]:
            popular[q, list(basket)] += 1 / min(model.recent, len(baskets))
    return took, popular


def expected_scores(model, train, queries):
    (kept, popular), (took, own) = (dense(model, asked, train.n_items) for asked in (train.queries(), queries))
    scores = own.copy()
    for q in range(len(queries)):
        sizes = took[q].sum() ** model.asymmetry * kept.sum(axis=1) ** (1 - model.asymmetry)
        likeness = kept @ took[q] / (sizes + model.shrinkage)
        nearest = np.argsort(-likeness.astype(np.float32), kind="stable")[: model.neighbours]
        scores[q] += (likeness[nearest] ** model.locality) @ popular[nearest]
    return scores


@pytest.mark.parametrize("model", CONFIGS, ids=repr)
@pytest.mark.parametrize("seed", range(34))
def test_scores_equal_the_dense_equations(model, seed):
    log = drawn(seed)
    train = log.select(log.user_of < 20)
    queries = log.queries(codes=np.arange(20, 30))
    scores, expected = model.fit(train).score_block(queries), expected_scores(model, train, queries)
    np.testing.assert_allclose(np.where(np.isfinite(scores), scores, 0), expected, rtol=1e-5, atol=1e-30)
    np.testing.assert_array_equal(np.isfinite(scores), expected > 0)


def test_neighbours_tell_apart_what_was_taken_equally_often_however_little_they_count():
    """ann took tea and rye once each; a neighbour whose likeness^80 is beyond float32's digits took rye."""
    items, users = vt.Vocabulary.of(["tea", "rye", "jam", "fig"]), vt.Vocabulary.of(["ann", "bob"])
    log = vt.testing.toy().changed()
    events = Events(np.array([0, 1, 1, 2, 3], np.int32), np.arange(5))
    log = vt.Dataset.of_codes(np.array([0, 0, 1, 1, 1]), events, users, items, time_unit="us")
    scores = vt.UpCF(neighbours=2, locality=20).fit(log.select(log.user_of == 1)).score_block(log.queries(codes=[0]))[0]
    assert scores[1] > scores[0]
    assert scores[1] - scores[0] < 1e-6
    assert scores[2] == scores[3] > 0


def test_items_of_older_baskets_make_people_alike_and_are_not_popular():
    items, users = vt.Vocabulary.of(["tea", "rye"]), vt.Vocabulary.of(["ann"])
    events = Events(np.array([0, 1], np.int32), np.arange(2))
    log = vt.Dataset.of_codes(np.zeros(2, int), events, users, items, time_unit="us")
    fitted = vt.UpCF(recent=1).fit(log)
    answer = fitted.recommend(log.queries(), k=2, eligible=Eligibility(repeat=True))
    assert answer.items.tolist() == [[1, 0]]
    assert answer.fallback.tolist() == [[False, True]]
    assert fitted.score(Queries.of_histories(items, [["tea"]]), np.array([1], np.int32)) > 0  # the likeness of tea


def test_weights_of_events_are_the_largest_of_a_basket():
    log = drawn()
    weighted = replace(log, events=replace(log.events, weights=np.full(log.n_events, 2, np.float32)))
    model = vt.UpCF(neighbours=4)
    once, twice = (model.fit(data).score_block(data.queries()) for data in (log, weighted))
    np.testing.assert_allclose(np.exp2(twice), np.exp2(2 * once), rtol=1e-5)


def test_similar_users_are_the_neighbours_without_oneself():
    log = drawn()
    model = vt.UpCF(asymmetry=0.3)
    took, _ = dense(model, log.queries(), log.n_items)
    lists = model.fit(log).similar_users(["u3"], k=4)
    sizes = took[3].sum() ** 0.3 * took.sum(axis=1) ** 0.7
    likeness = took @ took[3] / sizes
    likeness[3] = -1
    assert lists.items[0].tolist() == np.argsort(-likeness.astype(np.float32), kind="stable")[:4].tolist()
    np.testing.assert_allclose(lists.scores[0], np.sort(likeness)[::-1][:4], rtol=1e-5)
