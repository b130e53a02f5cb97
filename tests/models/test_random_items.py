"""Random lists: asked again the same, otherwise as random lists are."""

from __future__ import annotations

import numpy as np
import pytest

import vitrina as vt
from vitrina.errors import ParameterError
from vitrina.models.shuffle import _backward, _forward, _half_bits
from vitrina.types import Eligibility, Ragged
from vitrina.vocabulary import id_hashes


def data():
    return vt.testing.synthetic(users=400, items=20, mean_length=5)


@pytest.mark.parametrize("n", [1, 2, 3, 16, 17, 100, 1025])
def test_the_order_is_a_permutation_and_its_inverse_is_right(n):
    bits = _half_bits(n)
    for key in np.array([0, 1, 2**63 + 12345], np.uint64):
        order = [_forward(key, place, n, bits) for place in range(n)]
        assert sorted(order) == list(range(n))
        assert [_backward(key, item, n, bits) for item in order] == list(range(n))


def test_every_item_is_equally_likely_at_every_place():
    log = data()
    items = vt.RandomItems(seed=3).fit(log).recommend(log.queries(), 3, eligible=Eligibility(repeat=True)).items
    for place in range(3):
        counts = np.bincount(items[:, place], minlength=20)
        assert ((counts - 20) ** 2 / 20).sum() < 43.8  # chi-squared of 19 degrees of freedom: beyond it once in a thousand


def test_lists_are_ranked_by_score_and_differ_by_seed_user_and_history():
    log = data()
    one, other = (vt.RandomItems(seed=s).fit(log) for s in (0, 1))
    answers = [r.recommend(log.queries(), 5).items for r in (one, one, other)]
    np.testing.assert_array_equal(answers[0], answers[1])
    assert (answers[0] != answers[2]).any(axis=1).mean() > 0.99
    histories = vt.Queries.of_histories(log.items, [["i1", "i2"], ["i2", "i1"], ["i1"], ["i1"]])
    lists = one.recommend(histories, 8).items
    assert len(set(map(tuple, lists.tolist()))) == 3
    users = log.queries(codes=np.array([0, 1]))
    nothing = vt.Queries(users.events, users.start, users.start, log.items, users.users)
    lists = one.recommend(nothing, 8).items
    assert (lists[0] != lists[1]).any()


def test_the_walk_equals_sorting_all_scores():
    log = data()
    recommender, queries = vt.RandomItems().fit(log), log.queries()
    rng = np.random.default_rng(0)
    rows = Ragged.of([rng.integers(-1, 22, 6) for _ in range(len(queries))])
    some = rng.permutation(20)[:7].astype(np.int32)
    for eligible in (Eligibility(), Eligibility(include=some), Eligibility(include=rows), Eligibility(exclude=rows)):
        answer = recommender.recommend(queries, 6, eligible=eligible)
        slow = super(type(recommender), recommender).answer_block(queries, 6, eligible)
        np.testing.assert_array_equal(answer.items, slow.items)
        assert not answer.fallback.any()


def test_hashes_belong_to_ids_and_not_to_codes():
    one, other = (id_hashes(vt.Vocabulary.of(ids)) for ids in (["a", "b", "c"], ["c", "a", "b"]))
    assert one[[2, 0, 1]].tolist() == other.tolist()
    assert id_hashes(vt.Vocabulary.of([7])).tolist() == id_hashes(vt.Vocabulary.of(["7"])).tolist()


def test_a_seed_is_not_negative():
    with pytest.raises(ParameterError, match="'seed' parameter of RandomItems"):
        vt.RandomItems(seed=-1)
