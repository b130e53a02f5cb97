"""Ids to codes and back."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.errors import ParameterError, VocabularyError
from vitrina.base.hashing import FEW, IdTable

IDS = st.lists(st.text(max_size=6).filter(lambda text: ".0" not in text), max_size=50)


@settings(max_examples=60, deadline=None)
@given(IDS, IDS)
def test_encode_is_a_dictionary(known, asked):
    order = {w: k for k, w in enumerate(dict.fromkeys(known))}
    vocabulary = vt.Vocabulary.of(pl.Series(known, dtype=pl.String))
    assert vocabulary.ids.to_list() == list(order)
    assert vocabulary.encode(pl.Series(asked, dtype=pl.String)).tolist() == [order.get(w, -1) for w in asked]


@settings(max_examples=60, deadline=None)
@given(st.lists(IDS, max_size=5))
def test_the_table_grows_by_first_appearance(chunks):
    table, order = IdTable(), {}
    for chunk in chunks:
        new = [k for k, w in enumerate(chunk) if w not in order and w not in chunk[:k]]
        for w in chunk:
            order.setdefault(w, len(order))
        codes, places = table.add(pl.Series(chunk, dtype=pl.String))
        assert codes.tolist() == [order[w] for w in chunk]
        assert places.tolist() == new
    assert table.count == len(order)


def test_many_ids_at_once_and_one_by_one_agree():
    rng = np.random.default_rng(0)
    ids = pl.Series(rng.permutation(10 * FEW)[: 2 * FEW])
    vocabulary = vt.Vocabulary.of(ids)
    assert np.array_equal(vocabulary.encode(ids), np.arange(len(ids)))
    assert np.array_equal(vocabulary.encode(ids[:100]), np.arange(100))
    assert (vocabulary.encode(pl.Series(np.arange(10 * FEW, 13 * FEW))) == -1).all()


def test_numbers_and_their_text_are_equal():
    assert vt.Vocabulary.of([7, 5]).encode(["5", 7, "x", None]).tolist() == [1, 0, -1, -1]
    assert vt.Vocabulary.of(["7", "5"]).encode([5, 7]).tolist() == [1, 0]


def test_decode_is_the_inverse():
    vocabulary = vt.Vocabulary.of(["b", "a", "c"])
    assert vocabulary.decode(vocabulary.encode(["c", "b"])).to_list() == ["c", "b"]
    assert vocabulary.encode([]).tolist() == []


def test_extended_keeps_codes():
    first = vt.Vocabulary.of(["b", "a"])
    longer = first.extended(pl.Series(["a", "d"]))
    assert longer.ids.to_list() == ["b", "a", "d"]
    longer.require_compatible(first, "queries")
    first.require_compatible(longer, "queries")


def test_other_ids_are_refused():
    with pytest.raises(VocabularyError, match="The queries were encoded with other item ids than the model"):
        vt.Vocabulary.of(["a", "b"]).require_compatible(vt.Vocabulary.of(["a", "c"]), "queries")
    assert vt.Vocabulary.of([1]).fingerprint() != vt.Vocabulary.of(["1"]).fingerprint()
    with pytest.raises(VocabularyError):
        vt.Vocabulary.of([1, 2]).require_compatible(vt.Vocabulary.of(["1", "3"]), "queries")


def test_the_remedy_for_other_ids_works():
    recommender = vt.EASE(l2=1).fit(vt.testing.toy())
    later = vt.read_interactions(pl.DataFrame({"user_id": ["zoe", "zoe", "yan"], "item_id": ["salt", "jam", "tea"]}))
    with pytest.raises(VocabularyError, match=r"vt.aligned\(data, model.vocabulary\)"):
        recommender.recommend(later.queries(), 2)
    lists = recommender.recommend(vt.aligned(later, recommender.vocabulary).queries(["zoe"]), 2)
    outside = recommender.recommend(vt.Queries.of_histories(recommender.vocabulary, [["jam"]]), 2)
    assert lists.items.tolist() == outside.items.tolist()
    assert lists.to_frame()["user_id"].unique().to_list() == ["zoe"]


def test_numbers_and_their_texts_are_the_same_ids():
    numbers, texts = vt.Vocabulary.of([1, 7]), vt.Vocabulary.of(["1", "7", "X9"])
    numbers.require_compatible(texts, "queries")
    texts.require_compatible(numbers, "queries")


def test_no_id_is_taken_for_another():
    assert vt.Vocabulary.of([1, 2, 7]).encode(["01", 1.5, 7.9, True]).tolist() == [-1] * 4
    assert vt.Vocabulary.of([1, 2, 7]).encode([1, "1", 1.0, "1.0", np.int8(1)]).tolist() == [0] * 5
    assert vt.Vocabulary.of(["1", "True"]).encode([True, 1.5, float("nan"), "True"]).tolist() == [-1, -1, -1, 1]
    large = vt.Vocabulary.of(pl.Series([2**64 - 1, 1], dtype=pl.UInt64))
    assert large.encode([2**64 - 1, 1, -1]).tolist() == [0, 1, -1]
    assert vt.Vocabulary.of([1, 2]).encode(pl.Series([2**64 - 1, 2], dtype=pl.UInt64)).tolist() == [-1, 1]


def test_numbers_that_need_text_become_text_and_keep_their_codes():
    numbers = vt.Vocabulary.of([5, 7])
    assert numbers.extended(["8", 5, 9.0]).ids.to_list() == [5, 7, 8, 9]
    text = numbers.extended(pl.Series(["X9", "7", "05"]))
    assert text.ids.to_list() == ["5", "7", "X9", "05"]
    assert text.encode([7, "X9", "05"]).tolist() == [1, 2, 3]
    text.require_compatible(numbers, "queries")
    with pytest.raises(ParameterError, match=r"Got 1\.5 in place 2"):
        numbers.extended([8, 1.5])
    with pytest.raises(ParameterError, match="Got None in place 1"):
        vt.Vocabulary.of([None, "a"])


def test_a_vocabulary_from_before_the_rule_is_asked_as_it_was():
    old = vt.Vocabulary(pl.Series(["7.0", "7", "8.0"]))
    assert old.encode(["7", "7.0", "8.0", "7.00", "9"]).tolist() == [1, 0, 2, 0, -1]
    assert old.encode(["8", 8, 7, None]).tolist() == [2, 2, 1, -1]
    assert old.encode(pl.Series([8.0, 9.0])).tolist() == [2, -1]
    assert old.extended(["8", "9.0", 7]).ids.to_list() == ["7.0", "7", "8.0", "9"]


@pytest.mark.parametrize("codes", [[-1], [3], [0, 2**40], [1.5], [True], ["a"], np.array([0, -1], np.int32)])
def test_codes_are_places(codes):
    vocabulary = vt.Vocabulary.of(["a", "b", "c"])
    with pytest.raises(ParameterError, match=r"[Cc]ode"):
        vocabulary.decode(codes)
    assert vocabulary.decode([]).to_list() == []
