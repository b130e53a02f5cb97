"""Metrics beyond accuracy against plain Python; states of shards merge."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from worlds import rows, world

from vitrina.base.errors import DataError
from vitrina.catalogue import Catalogue
from vitrina.metrics import Judged, metric
from vitrina.types import Ragged, Recommendations
from vitrina.vocabulary import Vocabulary


def mean(values):
    return sum(values) / len(values) if values else math.nan


@pytest.fixture(scope="module")
def judged():
    return world(seed=11)


def plain_lists(judged, k):
    return [[i for i in items[:k] if i is not None] for items, _ in rows(judged)]


@pytest.mark.parametrize("k", [1, 7, 12])
def test_popularity_and_novelty(judged, k):
    users = judged.catalogue.users
    popularity = [mean([users[i] / 50 for i in items]) for items in plain_lists(judged, k)]
    novelty = [mean([-math.log2(max(users[i], 1) / 50) for i in items]) for items in plain_lists(judged, k)]
    np.testing.assert_allclose(metric(f"MeanPopularity@{k}").per_query(judged), popularity, atol=1e-12)
    np.testing.assert_allclose(metric(f"MIUF@{k}").per_query(judged), novelty, atol=1e-12)


def test_an_item_beyond_the_training_vocabulary_is_unpopular_and_novel(judged):
    items = judged.recommendations.items.copy()
    items[0] = -1
    items[0, 0] = 32
    stranger = replace(judged, recommendations=replace(judged.recommendations, items=items), _cache={})
    assert metric("MeanPopularity@5").per_query(stranger)[0] == 0
    assert metric("MIUF@5").per_query(stranger)[0] == pytest.approx(math.log2(50))
    assert np.isnan(metric("ILD@5").per_query(stranger)[0])
    assert metric("Coverage@5").value(metric("Coverage@5").state(stranger)) <= 1


@pytest.mark.parametrize("k", [3, 10])
def test_serendipity(judged, k):
    order = sorted((i for i in range(30) if judged.catalogue.events[i] > 0), key=lambda i: (-judged.catalogue.users[i], i))
    rank = {item: place for place, item in enumerate(order, 1)}
    expected = []
    for items, truth in rows(judged):
        gains = [max(rank.get(i, len(order) + 1) - place, 0) for place, i in enumerate(items[:k], 1) if i is not None and i in truth]
        expected.append(sum(gains) / len(order) / k if truth else math.nan)
    np.testing.assert_allclose(metric(f"Serendipity@{k}").per_query(judged), expected, atol=1e-12)


def serendipity_of_rectools(lists, truths, events, k):
    """Per person as RecTools 0.19 has it: dense places by popularity, the mean over filled places, nothing for an empty list."""
    dense = {count: place for place, count in enumerate(sorted({c for c in events if c}, reverse=True), 1)}
    items = sum(c > 0 for c in events)
    place_of = {i: dense[c] for i, c in enumerate(events) if c}
    gains = [
        [max(place_of.get(i, items + 1) - place, 0) / items * (i in truth) for place, i in enumerate(listed[:k], 1)]
        for listed, truth in zip(lists, truths, strict=True)
    ]
    return [mean(g) for g in gains]


def of_counts(lists, truths, users, k):
    rows = np.full((len(lists), k), -1, np.int32)
    for row, listed in zip(rows, lists, strict=True):
        row[: len(listed)] = listed
    users = np.array(users)
    vocabulary = Vocabulary.of(range(len(users)))
    return Judged(
        Recommendations(rows, np.zeros(rows.shape, np.float32), vocabulary), Ragged.of(truths), Catalogue(users, users, int(users.max()))
    )


def test_serendipity_differs_from_rectools_by_ties_short_lists_and_silence():
    lists, truths, users = [[0, 1, 4], [5, 2], [0, 3, 2], []], [[4, 1], [5], [], [1]], [4, 3, 2, 2, 1, 1]
    np.testing.assert_allclose(serendipity_of_rectools(lists, truths, users, 3), [1 / 18, 1 / 4, 0, math.nan])  # what RecTools 0.19 prints
    here = metric("Serendipity@3").per_query(of_counts(lists, truths, users, 3))
    np.testing.assert_allclose(here, [2 / 18, 5 / 18, math.nan, 0])
    rng = np.random.default_rng(0)
    users = rng.permutation(np.arange(1, 41)).tolist()  # no two alike
    lists = [rng.choice(40, 5, replace=False).tolist() for _ in range(50)]
    truths = [rng.choice(40, 8, replace=False).tolist() for _ in range(50)]
    here = metric("Serendipity@5").per_query(of_counts(lists, truths, users, 5))
    np.testing.assert_allclose(here, serendipity_of_rectools(lists, truths, users, 5), atol=1e-12)
    assert here.any()


@pytest.mark.parametrize("k", [2, 10])
def test_intra_list_diversity(judged, k):
    vectors = judged.catalogue.vectors.astype(float)
    expected = [mean([1 - vectors[a] @ vectors[b] for a, b in combinations(items, 2)]) for items in plain_lists(judged, k)]
    np.testing.assert_allclose(metric(f"ILD@{k}").per_query(judged), expected, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 7.0, 1e20, 1e300])
def test_diversity_does_not_depend_on_the_scale_of_the_vectors(judged, scale):
    vectors = judged.catalogue.vectors * np.float64(scale)
    scaled = replace(judged, catalogue=replace(judged.catalogue, vectors=vectors), _cache={})
    np.testing.assert_allclose(metric("ILD@10").per_query(scaled), metric("ILD@10").per_query(judged), atol=1e-6)


def test_diversity_without_vectors_says_what_to_give(judged):
    bare = replace(judged, catalogue=replace(judged.catalogue, vectors=None), _cache={})
    with pytest.raises(DataError, match=r"evaluate\(\.\.\., vectors="):
        metric("ILD@10").per_query(bare)


def test_coverage_and_gini(judged):
    catalogue = [i for i in range(30) if judged.catalogue.events[i] > 0]
    listed = [i for items in plain_lists(judged, 10) for i in items if i in catalogue]
    counts = [listed.count(i) for i in catalogue]
    gini = sum(abs(a - b) for a in counts for b in counts) / (2 * len(counts) * sum(counts))
    for name, expected in (("Coverage@10", len(set(listed)) / len(catalogue)), ("Gini@10", gini)):
        assert metric(name).value(metric(name).state(judged)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["Coverage@4", "Gini@4"])
def test_states_of_shards_merge(judged, name):
    m = metric(name)

    def part(which):
        truth = Ragged.of([judged.truth[q] for q in range(len(judged))][which])
        return m.state(Judged(judged.recommendations[which], truth, judged.catalogue))

    merged = m.merge(m.merge(part(slice(0, 20)), part(slice(20, 25))), part(slice(25, 60)))
    assert m.value(merged) == m.value(m.state(judged))


def test_gini_at_its_ends():
    m = metric("Gini@1")
    assert m.value(np.array([3, 3, 3, 3])) == 0
    assert m.value(np.array([0, 0, 0, 9])) == 0.75
    assert np.isnan(m.value(np.zeros(4, np.int64)))


@pytest.mark.parametrize("k", [1, 7, 12])
def test_value_of_hits(judged, k):
    values, expected = judged.catalogue.values, []
    for items, truth in rows(judged):
        found = [float(values[i]) for i in items[:k] if i is not None and i in truth]
        expected.append(sum(found) if truth else math.nan)
    np.testing.assert_allclose(metric(f"Value@{k}").per_query(judged), expected, atol=1e-6)


def test_without_values_value_is_refused(judged):
    bare = replace(judged, catalogue=replace(judged.catalogue, values=None), _cache={})
    with pytest.raises(DataError, match="needs to know what items are worth"):
        metric("Value@5").per_query(bare)
