"""Random lists: asked again the same, otherwise as random lists are."""

from __future__ import annotations

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.types import Eligibility, Ragged
from vitrina.vocabulary import id_hashes


def data():
    return vt.testing.synthetic(users=400, items=20, mean_length=5)


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


def mixed(number):
    """splitmix64's finaliser, in Python's own whole numbers."""
    number &= 2**64 - 1
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB % 2**64
    return number ^ (number >> 31)


def test_scores_are_the_hash_of_seed_person_history_and_item():
    log = data()
    recommender, queries = vt.RandomItems(seed=5).fit(log), log.queries()
    hashes = [int(h) for h in id_hashes(log.items)]
    scores = recommender.score(queries, np.arange(20, dtype=np.int32))
    for row in (0, 7, 399):
        history = sum(mixed(hashes[item] + place) for place, item in enumerate(queries.histories()[row].tolist()))
        key = mixed(history + mixed(int(queries.users[row])) + 5 * 0x9E3779B97F4A7C15)
        assert scores[row].tolist() == [(mixed(key + h) >> 40) / 2**24 for h in hashes]
    pairs = Ragged.of([np.arange(20)] * len(queries))
    np.testing.assert_array_equal(recommender.score_pairs(queries, pairs).reshape(scores.shape), scores)


def test_hashes_belong_to_ids_and_not_to_codes():
    one, other = (id_hashes(vt.Vocabulary.of(ids)) for ids in (["a", "b", "c"], ["c", "a", "b"]))
    assert one[[2, 0, 1]].tolist() == other.tolist()
    assert id_hashes(vt.Vocabulary.of([7])).tolist() == id_hashes(vt.Vocabulary.of(["7"])).tolist()


def test_a_seed_is_not_negative():
    with pytest.raises(ParameterError, match="'seed' parameter of RandomItems"):
        vt.RandomItems(seed=-1)
