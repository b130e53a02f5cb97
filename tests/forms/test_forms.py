"""The fitted forms: scoring by any door agrees, and their state rebuilds them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

import vitrina as vt
from vitrina.base.config import from_plain, to_plain
from vitrina.base.errors import ParameterError
from vitrina.forms.base import Form
from vitrina.forms.embeddings import Embeddings
from vitrina.forms.history import event_weights, history_matrix, known_only
from vitrina.types import Eligibility, Queries, Ragged

DATA = vt.testing.synthetic(users=40, items=30, mean_length=8)


def dense_embeddings() -> Embeddings:
    vectors = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    vectors[7] = 0
    return Embeddings(DATA.items, DATA.catalogue, vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


def forms() -> dict[str, Form]:
    recency = vt.decay.All(of=(vt.decay.Exponential(events=4), vt.decay.Linear(days=80)))
    models = [
        vt.Popularity(days=30),
        vt.TopPersonal(),
        vt.TopPersonal(decay=recency),
        vt.RandomItems(seed=4),
        vt.TifuKNN(neighbours=5, short="oldest"),
    ]
    models += [vt.ContentSimilarity(), vt.ContentSimilarity(decay=recency)]
    return {repr(m): m.fit(DATA) for m in models} | {"dense embeddings": dense_embeddings()}


FORMS = forms()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_state_rebuilds_the_form(form):
    state = form.state()
    arrays = {name: array.copy() for name, array in state.arrays.items()}
    for array in arrays.values():
        array.flags.writeable = False
    config = from_plain(json.loads(json.dumps(to_plain(dict(state.config)))))
    again = type(form).of_state(replace(state, config=config, arrays=arrays), form.vocabulary, form.catalogue)
    np.testing.assert_array_equal(again.score_block(DATA.queries()), form.score_block(DATA.queries()))
    assert again.state().config == state.config == config
    assert set(again.state().arrays) == set(arrays)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_scores_by_any_door_agree(form):
    queries = DATA.queries()
    every = form.score_block(queries)
    assert every.dtype == np.float32
    assert every.flags["C_CONTIGUOUS"]
    rng = np.random.default_rng(0)
    pairs = Ragged.of([rng.integers(0, 30, rng.integers(0, 6)) for _ in range(len(queries))])
    np.testing.assert_allclose(form.score_pairs(queries, pairs), every[pairs.row_of, pairs.values], rtol=1e-5)
    np.testing.assert_allclose(form.score(queries, np.array([3, 29, 3], np.int32)), every[:, [3, 29, 3]], rtol=1e-5)


def test_pairs_need_a_row_a_query():
    with pytest.raises(ParameterError, match=r"a row for each of the 40 queries. Got 1"):
        FORMS["RandomItems(seed=4)"].score_pairs(DATA.queries(), Ragged.of([[1]]))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_blocks_do_not_show(form, monkeypatch):
    whole = form.recommend(DATA.queries(), 6, eligible=Eligibility(repeat=True))
    monkeypatch.setattr(type(form), "queries_per_block", lambda self: 7)
    parts = form.recommend(DATA.queries(), 6, eligible=Eligibility(repeat=True))
    np.testing.assert_array_equal(parts.items, whole.items)


def test_dense_embeddings_are_cosines_with_the_mean_of_the_history():
    form, queries = dense_embeddings(), DATA.queries()
    for q, history in enumerate(queries.histories()[r] for r in range(5)):
        mean = form.vectors[history].sum(axis=0)
        expected = form.vectors @ (mean / np.linalg.norm(mean))
        expected[7] = -np.inf
        np.testing.assert_allclose(form.score_block(queries)[q], expected, rtol=1e-4, atol=1e-6)


def test_a_history_matrix_counts_and_drops_what_came_later():
    queries = vt.Queries.of_histories(DATA.items, [["i1", "i2", "i1"], [], ["i29"]])
    matrix = history_matrix(queries, 29)
    assert isinstance(matrix, sparse.csr_matrix)
    assert matrix.toarray()[:, [1, 2]].tolist() == [[2, 1], [0, 0], [0, 0]]
    assert matrix.sum() == 3


def test_known_only_keeps_the_queries_and_their_order():
    queries = vt.Queries.of_histories(DATA.items, [["i29", "i2", "i28", "i1"], ["i29"], [], ["i3"]], times=[[1, 2, 3, 4], [5], [], [6]])
    kept = known_only(queries, 28)
    assert [kept.histories()[q].tolist() for q in range(4)] == [[2, 1], [], [], [3]]
    assert kept.events.times.tolist() == [2, 4, 6]
    assert known_only(queries, 30) is queries


def test_events_fade_by_distance_to_the_moment_of_asking():
    day = 86_400_000_000
    queries = vt.Queries.of_histories(DATA.items, [["i1", "i2"], ["i3"]], times=[[0, 2 * day], [day]])
    weights = [event_weights(queries, decay).tolist() for decay in (None, vt.decay.Exponential(days=1), vt.decay.Exponential(events=1))]
    assert weights == [[1, 1, 1], [0.25, 1, 1], [0.5, 1, 1]]
    later = Queries(queries.events, queries.start, queries.stop, queries.vocabulary, queries.users, now=np.array([3 * day, 3 * day]))
    assert event_weights(later, vt.decay.Exponential(days=1)).tolist() == [0.125, 0.5, 0.25]
