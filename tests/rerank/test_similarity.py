"""Vectors of items from four sources: what they say, what they refuse, and that codes don't matter."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina import similarity
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.features import FeatureTable
from vitrina.testing.cases import relabelled

DATA = vt.testing.synthetic(users=60, items=30, groups=5, seed=1)
SOURCES = [similarity.OfContent(dim=8), similarity.OfCategories(), similarity.OfInteractions(dim=8)]


def test_the_decomposition_is_that_of_linear_algebra():
    people = similarity.OfInteractions(dim=1000).vectors(DATA).astype(np.float64)
    left, sizes, _ = np.linalg.svd(people)
    best = (left * np.append(sizes, [0] * (30 - len(sizes))))[:, :8]
    best /= np.linalg.norm(best, axis=1, keepdims=True)
    vectors = similarity.OfInteractions(dim=8).vectors(DATA)
    np.testing.assert_allclose(vectors @ vectors.T, best @ best.T, atol=1e-4)


def dense(vectors):
    return vectors if isinstance(vectors, np.ndarray) else vectors.toarray()


@pytest.mark.parametrize("source", SOURCES, ids=repr)
def test_rows_have_length_one_and_codes_do_not_matter(source):
    vectors = dense(source.vectors(DATA))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    new_code = np.random.default_rng(0).permutation(30)
    other = dense(source.vectors(relabelled(DATA, new_code.astype(np.int32))))
    np.testing.assert_array_equal((other @ other.T)[np.ix_(new_code, new_code)], vectors @ vectors.T)


def test_interactions_are_cosines_of_who_took_the_items():
    people = DATA.csr().toarray()
    cosines = (people.T @ people) / np.sqrt(np.outer(people.sum(axis=0), people.sum(axis=0)))
    vectors = dense(similarity.OfInteractions(dim=29).vectors(DATA))
    assert np.corrcoef((vectors @ vectors.T).ravel(), cosines.ravel())[0, 1] > 0.98


def test_categories_by_hand():
    table = pl.DataFrame({"item_id": ["a", "b", "c"], "genres": [["war", "drama", "war"], ["drama"], None], "kind": ["film", "film", None]})
    items = vt.Vocabulary.of(["a", "b", "c"])
    data = replace(vt.testing.toy(), items=items, item_table=FeatureTable.of(table, "item_id", items))
    members = similarity.OfCategories().members(data).toarray()
    np.testing.assert_allclose(np.sort(members, axis=1), [[1 / 3] * 3, [0, 0.5, 0.5], [0, 0, 0]], atol=1e-6)
    vectors = similarity.OfCategories().vectors(data).toarray()
    np.testing.assert_allclose(vectors @ vectors.T, [[1, 2 / np.sqrt(6), 0], [2 / np.sqrt(6), 1, 0], [0, 0, 0]], atol=1e-6)


def test_what_is_not_described_is_like_nothing():
    frame = DATA.item_table.frame.with_columns(title=pl.lit(None, pl.String), group=pl.Series(["g1", *[None] * 5, *["g2"] * 24]))
    vectors = dense(similarity.OfContent().vectors(replace(DATA, item_table=replace(DATA.item_table, frame=frame))))
    assert not vectors[1:6].any()
    assert vectors[6] @ vectors[7] == pytest.approx(1)


def test_the_model_itself():
    fitted = vt.ContentSimilarity().fit(DATA)
    vectors = similarity.OfModel().vectors(DATA, fitted)
    np.testing.assert_allclose(vectors.toarray(), fitted.item_vectors.toarray(), atol=1e-6)
    with pytest.raises(ParameterError, match=r"ItemMap has none.*OfInteractions"):
        similarity.OfModel().vectors(DATA, vt.EASE().fit(DATA))
    with pytest.raises(ParameterError, match="fitted without one"):
        similarity.OfModel().vectors(DATA)


def test_what_is_chosen_where_nothing_is_said():
    np.testing.assert_array_equal(similarity.chosen_vectors(None, DATA), similarity.OfContent().vectors(DATA))
    plain = replace(DATA, item_table=None)
    np.testing.assert_array_equal(similarity.chosen_vectors(None, plain), similarity.OfInteractions().vectors(plain))


def test_what_is_refused():
    plain = replace(DATA, item_table=None)
    with pytest.raises(DataError, match="OfInteractions"):
        similarity.OfContent().vectors(plain)
    with pytest.raises(DataError, match=r"\(none\)\. There is none"):
        similarity.OfCategories().vectors(plain)
    with pytest.raises(DataError, match=r"\(group\)\. Got title"):
        similarity.OfCategories(columns=("title",)).vectors(DATA)
