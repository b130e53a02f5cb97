"""CEASE against a ridge regression of each item on the others, over people and terms, in float64."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.models import cease
from vitrina.models.content_vectors import item_tfidf
from vitrina.types import Eligibility


@pytest.fixture(scope="module")
def data():
    """Two items are described and were never taken."""
    log = vt.testing.synthetic(users=100, items=40, mean_length=8)
    return log.select(~np.isin(log.events.items, [3, 30]))


def stacked(data, weight, columns=None):
    """(people and terms, items): who took what, and below it what describes what."""
    return np.vstack([data.csr().toarray(), weight * item_tfidf(data.item_table, columns).toarray().T]).astype(np.float64)


def regressions(x, l2, dropout=0.0):
    weights = np.zeros((x.shape[1],) * 2)
    for j in range(x.shape[1]):
        others = np.arange(x.shape[1]) != j
        a = x[:, others]
        penalty = np.diag(l2 + dropout / (1 - dropout) * (a**2).sum(axis=0))
        weights[others, j] = np.linalg.solve(a.T @ a + penalty, a.T @ x[:, j])
    return weights


@pytest.mark.parametrize(("weight", "l2", "dropout", "columns"), [(0.5, 1, 0, None), (3, 20, 0, ("group",)), (10, 5, 0.4, ("title",))])
def test_weights_are_ridge_regressions_over_people_and_terms(data, weight, l2, dropout, columns, monkeypatch):
    monkeypatch.setattr(cease, "ENTRIES", 100)  # several blocks
    fit = vt.CEASE(columns=columns, weight=weight, l2=l2, dropout=dropout).fit(data)
    assert fit.kept.tolist() == list(range(data.n_items))
    assert_allclose(fit.weight_from_to, regressions(stacked(data, weight, columns), l2, dropout), atol=3e-5)


def test_a_weight_of_nearly_nothing_is_ease(data):
    fit, ease = vt.CEASE(weight=1e-6, l2=5).fit(data), vt.EASE(l2=5).fit(data)
    assert_allclose(fit.weight_from_to[np.ix_(ease.kept, ease.kept)], ease.weight_from_to, atol=1e-6)


def test_items_that_nobody_took_are_served_by_their_descriptions(data):
    fit = vt.CEASE(columns=("group",), weight=10, l2=5).fit(data)
    assert fit.catalogue.also.tolist() == [3, 30]
    asked = vt.Queries.of_histories(data.items, [["i9", "i15", "i21"]])  # of the group of item 3
    lists = fit.recommend(asked, k=data.n_items)
    assert not lists.fallback[0][lists.items[0] == 3]
    place = lists.items[0].tolist().index
    assert place(3) < place(30)
    cold = fit.recommend(asked, k=2, eligible=Eligibility(include=np.array([3, 30])))
    assert cold.items.tolist() == [[3, 30]]


def test_items_without_events_are_the_first_to_be_left_out(data):
    fit = vt.CEASE(max_items=38, l2=5).fit(data)
    assert fit.catalogue.also.tolist() == []
    assert len(fit.kept) == 38
    assert "38 most frequent of 40 items (100% of the interactions)" in fit.notes[0]


def test_shards_add_up(data):
    one, three = vt.CEASE(l2=5).fit(data), vt.CEASE(l2=5).fit(data.sharded(3))
    assert np.array_equal(one.weight_from_to, three.weight_from_to)


def test_a_log_without_a_table_is_refused_with_a_remedy(data):
    with pytest.raises(DataError, match=r"needs a table of items.*take EASE\(l2=500\)"):
        vt.CEASE().fit(replace(data, item_table=None))
    with pytest.raises(DataError, match="columns of text or categories"):
        vt.CEASE(columns=("price",)).fit(data)
    with pytest.raises(ParameterError, match="'weight' parameter of CEASE"):
        vt.CEASE(weight=0)
