"""Content similarity against scikit-learn's TF-IDF, and cold items."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.types import Eligibility


def data():
    """Items 5 and 9 have a description and no event; item 3 has no description."""
    log = vt.testing.synthetic(users=40, items=30, mean_length=6)
    log = log.select(~np.isin(log.events.items, [5, 9]))
    titles = log.item_table.frame["title"].to_list()
    frame = log.item_table.frame.with_columns(title=pl.Series([None if c == 3 else title for c, title in enumerate(titles)]))
    return replace(log, item_table=replace(log.item_table, frame=frame))


def dense_scores(log, queries, decay=None):
    titles = [title or "" for title in log.item_table.frame["title"]]
    vectors = TfidfVectorizer(token_pattern=r"(?u)\w\w+", dtype=np.float64).fit_transform(titles).toarray()
    profiles = np.zeros((len(queries), vectors.shape[1]))
    for q in range(len(queries)):
        for later, at in enumerate(range(queries.stop[q] - 1, queries.start[q] - 1, -1)):
            profiles[q] += vectors[queries.events.items[at]] * (1 if decay is None else 0.5 ** (later / decay.events))
    norms = np.linalg.norm(profiles, axis=1, keepdims=True)
    return np.divide(profiles, norms, out=np.zeros_like(profiles), where=norms > 0) @ vectors.T


@pytest.mark.parametrize("decay", [None, vt.decay.Exponential(events=2)], ids=repr)
def test_scores_equal_dense_cosines(decay):
    log = data()
    scores = vt.ContentSimilarity(columns=("title",), decay=decay).fit(log).score_block(log.queries())
    expected = dense_scores(log, log.queries(), decay)
    np.testing.assert_allclose(np.where(np.isfinite(scores), scores, 0), expected, atol=1e-5)
    np.testing.assert_array_equal(np.isfinite(scores), expected > 0)


def test_cold_items_are_served_and_unknown_ones_are_not():
    log = data()
    recommender = vt.ContentSimilarity().fit(log)
    assert recommender.catalogue.also.tolist() == [5, 9]
    histories = vt.Queries.of_histories(log.items, [["i5", "i11"]])  # group 5 of 6, item 5 itself cold
    answer = recommender.recommend(histories, 5, eligible=Eligibility(repeat=True))
    assert 5 in answer.items[0]
    assert (answer.items[0] % 6 == 5).all()
    assert not answer.fallback.any()


def test_a_history_without_descriptions_gets_popularity():
    log = data()
    recommender = vt.ContentSimilarity(columns=("title",)).fit(log)
    answer = recommender.recommend(vt.Queries.of_histories(log.items, [["i3"]]), 4)
    assert answer.fallback.all()
    assert answer.items[0].tolist() == [i for i in recommender.catalogue.by_popularity if i != 3][:4]


def test_a_log_without_a_table_of_items_is_refused():
    with pytest.raises(DataError, match="items="):
        vt.ContentSimilarity().fit(vt.testing.synthetic(text=False))
    with pytest.raises(DataError, match="real time"):
        vt.ContentSimilarity(decay=vt.decay.Exponential(days=3)).fit(replace(data(), time_unit="step"))
    with pytest.raises(DataError, match="colour"):
        vt.ContentSimilarity(columns=("colour",)).fit(data())
