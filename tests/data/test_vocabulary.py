"""Ids to codes and back."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.errors import VocabularyError
from vitrina.hashing import FEW, IdTable

IDS = st.lists(st.text(max_size=6), max_size=50)


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
