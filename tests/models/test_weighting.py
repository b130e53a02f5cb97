"""What weightings do to popular items, and decays one by one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import vitrina as vt
from vitrina.base.config import from_plain, to_plain
from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.types import Events

W = vt.weighting
DAMPED = [W.Cosine(), W.Jaccard(), W.Lift(), W.ConditionalProbability(alpha=0.7), W.TfIdf(), W.BM25()]


@pytest.fixture(scope="module")
def data():
    return vt.testing.synthetic(users=200, items=60)


def mean_popularity(weighting, data):
    lists = vt.Cooccurrence(weighting=weighting).fit(data).recommend(data.queries(), k=5)
    return data.catalogue.users[lists.items].mean()


@pytest.mark.parametrize("weighting", DAMPED, ids=lambda w: type(w).__name__)
def test_dividing_by_popularity_recommends_less_popular_items(data, weighting):
    assert mean_popularity(weighting, data) < mean_popularity(W.Count(), data)


def test_a_larger_alpha_recommends_less_popular_items(data):
    found = [mean_popularity(W.ConditionalProbability(alpha=a), data) for a in (0, 0.5, 1)]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[-1]


@pytest.mark.parametrize("make", [W.RowNormalised, W.Cosine, W.Jaccard, W.Lift, W.ConditionalProbability, W.TfIdf])
def test_shrinkage_takes_more_from_rare_pairs(data, make):
    plain, shrunk = (vt.Cooccurrence(weighting=w).fit(data).weight_from_to.toarray() for w in (make(), make(shrinkage=5)))
    some = plain > 0
    assert (shrunk[some] < plain[some]).all()
    left = shrunk[some] / plain[some]
    pairs = vt.Cooccurrence(weighting=W.Count()).fit(data).weight_from_to.toarray()[some]
    assert left[pairs >= np.quantile(pairs, 0.9)].mean() > left[pairs <= 1].mean()


def test_lift_of_independent_items_is_about_one():
    rng = np.random.default_rng(0)
    taken = rng.random((4000, 6)) < np.array([0.3, 0.4, 0.5, 0.6, 0.7, 1])  # everybody has an event
    users, items = np.nonzero(taken)
    vocabularies = vt.Vocabulary.of(range(4000)), vt.Vocabulary.of(range(6))
    log = vt.Dataset.of_codes(users, Events(items.astype(np.int32)), *vocabularies)
    weights = vt.Cooccurrence(weighting=W.Lift()).fit(log).weight_from_to.toarray()
    assert_allclose(weights[~np.eye(6, dtype=bool)], 1, atol=0.1)


DECAYS = [vt.decay.Exponential(events=3), vt.decay.Linear(events=3), vt.decay.Window(days=3), vt.decay.Hyperbolic(days=3)]


@pytest.mark.parametrize("decay", DECAYS, ids=lambda d: type(d).__name__)
def test_decays_start_at_one_and_never_rise(decay):
    distances = np.linspace(0, 10, 50)
    found = vt.decay.weights(decay, events=distances, days=distances)
    assert found[0] == 1
    assert (np.diff(found) <= 0).all()
    assert found[-1] < 0.3


@pytest.mark.parametrize("decay", [*DECAYS, vt.decay.All(of=(DECAYS[0], vt.decay.All(of=(DECAYS[2], DECAYS[3]))))])
def test_plain_brings_a_decay_back(decay):
    assert from_plain(to_plain(decay)) == decay


def test_what_is_wrong_is_said():
    with pytest.raises(UnknownNameError, match=r"no class 'Exponentail'\. Did you mean 'Exponential'"):
        from_plain({"name": "Exponentail"})
    with pytest.raises(ParameterError, match="and not both"):
        vt.decay.Linear(events=3, days=2)
    with pytest.raises(ParameterError, match="'events' parameter of Linear must be greater than 0"):
        vt.decay.Linear(events=0)
    with pytest.raises(ParameterError, match="'shrinkage' parameter of Cosine"):
        W.Cosine(shrinkage=-1)
    assert to_plain(vt.Cooccurrence(weighting=W.BM25(b=0.2)))["weighting"] == {"name": "BM25", "k1": 1.2, "b": 0.2}
