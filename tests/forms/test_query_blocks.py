"""Memory is bounded by the events of a block, not by its queries: one person with half of the log asks half of the questions."""

import tracemalloc

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vitrina as vt
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.types import BLOCK_EVENTS, Events, cuts

DAY = 86_400_000_000
LIMIT = 200 << 20  # bytes; the arrays of all histories at once take 300 to 1,500 MB
MODELS = {
    "Static": vt.Popularity(),
    "Shuffled": vt.RandomItems(),
    "Personal": vt.TopPersonal(decay=vt.decay.Exponential(days=30)),
    "Neighbours": vt.TifuKNN(neighbours=10),
    "Embeddings": vt.ContentSimilarity(decay=vt.decay.Exponential(events=50)),
    "ItemMap, sparse": vt.Cooccurrence(),
    "ItemMap, dense": vt.EASE(l2=10),
}


@pytest.fixture(scope="module")
def heavy():
    """6,000 events of one person beside 3,000 of 300 others: the one asks half of the questions, each after 5,500 events and more."""
    rng = np.random.default_rng(3)
    items = np.minimum(rng.geometric(0.02, 9_000) - 1, 199).astype(np.int32)
    users = np.append(np.zeros(6_000, int), rng.integers(1, 301, 3_000))
    names = vt.Vocabulary.of([f"i{item}" for item in range(200)])
    titles = [f"thing{item % 20} of sort{item % 7}" for item in range(200)]
    table = FeatureTable.of(pl.DataFrame({"item_id": names.ids, "title": titles}), "item_id", names)
    times = rng.permutation(9_000) * DAY // 40
    people = vt.Vocabulary.of(list(range(301)))
    data = Dataset.of_codes(users, Events(items, times), people, names, time_unit="us", item_table=table)
    return data.split(vt.split.GlobalTime(quantile=0.8, repeat=True))


@pytest.mark.parametrize("form", MODELS)
def test_one_heavy_id_costs_no_more_than_a_block_of_events(form, heavy, monkeypatch):
    recommender = MODELS[form].fit(heavy.train)
    assert heavy.queries.lengths.sum() > 6 * BLOCK_EVENTS
    wanted = recommender.recommend(heavy.queries[:200], 5, eligible=heavy.eligible)
    blocks, answer = [], type(recommender).answer_block

    def counted(self, queries, k, eligible):
        blocks.append((len(queries), int(queries.lengths.sum())))
        return answer(self, queries, k, eligible)

    monkeypatch.setattr(type(recommender), "answer_block", counted)
    tracemalloc.start()
    lists = recommender.recommend(heavy.queries, 5, eligible=heavy.eligible)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < LIMIT
    assert all(queries == 1 or events <= BLOCK_EVENTS for queries, events in blocks)
    assert sum(queries for queries, _ in blocks) == len(heavy.queries)
    np.testing.assert_array_equal(lists.items[:200], wanted.items)


def test_a_history_longer_than_a_block_is_asked_alone(heavy):
    part = heavy.queries[:4]
    assert [len(block) for _, block in part.blocks(4, events=1)] == [1, 1, 1, 1]
    assert [len(block) for _, block in part.blocks(3, events=10**9)] == [3, 1]


@given(st.lists(st.integers(0, 20), max_size=40), st.integers(1, 30), st.one_of(st.none(), st.integers(1, 6)))
def test_cuts_are_whole_and_within_both_limits(costs, budget, most):
    parts = list(cuts(np.array(costs, np.int64), budget, most))
    assert [row for part in parts for row in range(part.start, part.stop)] == list(range(len(costs)))
    for part in parts:
        assert part.stop - part.start == 1 or sum(costs[part]) <= budget
        assert most is None or part.stop - part.start <= most
