"""Factored maps against dense products in float64."""

import itertools
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.forms import FactoredEncoder, FactoredMap, Path, factored
from vitrina.forms.reading import Reading
from vitrina.models.base import ModelConfig


@pytest.fixture(scope="module")
def data():
    log = vt.testing.synthetic(users=40, items=30, mean_length=6)
    weights = np.random.default_rng(4).choice([0.5, 1, 3], log.n_events).astype(np.float32)
    return replace(log, events=replace(log.events, weights=weights))


def random_factor(rng, rows, columns):
    """Sparse or dense, with empty rows and columns."""
    dense = rng.standard_normal((rows, columns)).astype(np.float32)
    dense[:, rng.random(columns) < 0.2] = 0
    dense[rng.random(rows) < 0.2] = 0
    if rng.random() < 0.4:
        return dense
    return sparse.csr_matrix(dense * (rng.random(dense.shape) < 0.2))


def random_path(rng, items):
    widths = [items, *rng.integers(1, 20, rng.integers(0, 4)), items]
    return Path(tuple(random_factor(rng, a, b) for a, b in itertools.pairwise(widths)), float(rng.choice([1, -0.5, 2])))


def as_dense(factor):
    return factor.astype(np.float64) if isinstance(factor, np.ndarray) else factor.toarray().astype(np.float64)


def history_of(data, queries):
    """(queries, items) the largest weight of each item's events."""
    x = np.zeros((len(queries), data.n_items))
    for q in range(len(queries)):
        for e in range(queries.start[q], queries.stop[q]):
            x[q, queries.events.items[e]] = max(x[q, queries.events.items[e]], queries.events.weights[e])
    return x


def oracle(fit, x):
    """Scores in float64; what no path touches is -inf."""
    total, touched = np.zeros(x.shape), np.zeros(x.shape, bool)
    for path in fit.paths:
        chain = [as_dense(f) for f in path.factors]
        total += path.weight * np.linalg.multi_dot([x, *chain])
        if path.is_sparse:
            touched |= np.linalg.multi_dot([x > 0, *(c != 0 for c in chain)]) > 0
        else:
            leads = np.abs(np.linalg.multi_dot([x, *chain])).sum(axis=1) > 1e-9
            touched |= np.outer(leads, (chain[-1] != 0).any(axis=0))
    if fit.own is not None:
        total += x * fit.own
        touched |= (x > 0) & (fit.own != 0)
    return np.where(touched, total, -np.inf)


def random_map(rng, data):
    own = rng.standard_normal(data.n_items).astype(np.float32) if rng.random() < 0.5 else None
    return FactoredMap(data.items, data.catalogue, tuple(random_path(rng, data.n_items) for _ in range(rng.integers(1, 4))), own)


@pytest.mark.parametrize("seed", range(200))
def test_scores_and_lists_are_those_of_the_dense_products(data, seed):
    rng = np.random.default_rng(seed)
    fit, queries = random_map(rng, data), data.queries()
    wanted = oracle(fit, history_of(data, queries))
    scores = fit.score_block(queries)
    assert_array_equal(np.isneginf(scores), np.isneginf(wanted))
    assert_allclose(scores, wanted, rtol=1e-4, atol=1e-4)
    lists = fit.recommend(queries, 8, eligible=vt.Eligibility(repeat=True))
    for q in range(len(queries)):
        found = lists.items[q][~lists.fallback[q]]
        assert_allclose(lists.scores[q][: len(found)], scores[q, found], rtol=1e-4, atol=1e-4)
        rankable = scores[q, data.catalogue.items]
        best = np.sort(rankable[np.isfinite(rankable)])[::-1][:8]
        assert_allclose(scores[q, found], best, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_blocks(data, seed, monkeypatch):
    fit, queries = random_map(np.random.default_rng(seed), data), data.queries()
    scores, lists = fit.score_block(queries), fit.recommend(queries, 5)
    monkeypatch.setattr(factored, "ENTRIES", 10)
    assert_allclose(fit.score_block(queries), scores, rtol=1e-4, atol=1e-4)
    assert_allclose(fit.recommend(queries, 5).scores, lists.scores, rtol=1e-5, atol=1e-5)
    alone = np.concatenate([fit.score_block(queries[q : q + 1]) for q in range(len(queries))])
    assert_allclose(alone, scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_its_state_brings_it_back(data, seed):
    rng = np.random.default_rng(seed)
    fit = replace(random_map(rng, data), reading=Reading(last=4))
    fit = replace(fit, paths=(*fit.paths, fit.paths[0]))
    again = FactoredMap.of_state(fit.state(), data.items, data.catalogue)
    assert again.paths[0].factors[0] is again.paths[-1].factors[0]  # a factor that serves twice is kept once
    assert_array_equal(again.score_block(data.queries()), fit.score_block(data.queries()))


def encoder(data, seed, *, bent=False):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((data.n_items, 5)).astype(np.float32)
    vectors[rng.random(data.n_items) < 0.2] = 0
    factors = (random_factor(rng, data.n_items, 7), random_factor(rng, 7, 5)) if bent else ()
    own = rng.standard_normal(data.n_items).astype(np.float32) if seed % 2 else None
    return FactoredEncoder(data.items, data.catalogue, vectors, factors, own)


@pytest.mark.parametrize("bent", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_an_encoder_is_a_map_of_one_path(data, seed, bent, monkeypatch):
    fit, queries = encoder(data, seed, bent=bent), data.queries()
    path = Path((*(fit.factors or (fit.vectors,)), np.ascontiguousarray(fit.vectors.T)))
    wanted = FactoredMap(data.items, data.catalogue, (path,), fit.own).score_block(queries)
    scores = fit.score_block(queries)
    touched = np.isfinite(scores)
    assert_allclose(scores[touched], wanted[touched], rtol=1e-4, atol=1e-4)
    if fit.own is None:
        assert_array_equal(touched, np.isfinite(wanted))
        assert_allclose((fit.encode(queries) @ fit.item_vectors.T)[touched], scores[touched], rtol=1e-5, atol=1e-5)
    again = FactoredEncoder.of_state(fit.state(), data.items, data.catalogue)
    monkeypatch.setattr(factored, "ENTRIES", 10)
    assert_allclose(again.score_block(queries), scores, rtol=1e-5, atol=1e-5)


def test_relations_are_the_scores_of_one_item_and_cosines(data):
    fit = random_map(np.random.default_rng(3), data)
    items = np.array([4, 0, 9], np.int32)
    assert_allclose(fit.item_relations(items), oracle(fit, np.eye(data.n_items)[items]), rtol=1e-4, atol=1e-4)
    vectors = encoder(data, 2).vectors.astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1)
    with np.errstate(invalid="ignore"):
        cosines = vectors[items] @ vectors.T / np.outer(lengths[items], lengths)
    assert_allclose(encoder(data, 2).item_relations(items), np.where(np.isnan(cosines), -np.inf, cosines), rtol=1e-4, atol=1e-6)


def test_what_came_after_the_fit_is_passed_over(data):
    longer = data.items.extended(vt.Vocabulary.of(["new"]).ids)
    known, mixed = (vt.Queries.of_histories(longer, [h]) for h in (["i0", "i4"], ["i0", "new", "i4"]))
    for fit in (random_map(np.random.default_rng(0), data), encoder(data, 1)):
        assert_array_equal(fit.score_block(known), fit.score_block(mixed))


def test_chains_that_lead_nowhere_are_refused(data):
    square, narrow = sparse.csr_matrix((30, 30), dtype=np.float32), np.ones((30, 4), np.float32)
    for factors in ((), (narrow,), (square, narrow), (narrow, square), (sparse.csr_matrix((29, 30), dtype=np.float32),)):
        with pytest.raises(ParameterError, match=r"factors of a path must lead from the 30 items"):
            FactoredMap(data.items, data.catalogue, (Path(factors),))
    with pytest.raises(ParameterError, match=r"Got none"):
        FactoredMap(data.items, data.catalogue, ())
    with pytest.raises(ParameterError, match=r"factors of a path must lead"):
        FactoredEncoder(data.items, data.catalogue, narrow, (square,))
    with pytest.raises(ParameterError, match=r"combines by vt\.combine\.Sum\(\)"):
        FactoredMap(data.items, data.catalogue, (Path((square,)),), reading=Reading(combine=vt.combine.Max()))


class Walks(ModelConfig):
    """From an item to the people who took it and what else they took, as two sparse factors; or as vectors."""

    reads_weights: ClassVar[bool] = True
    as_vectors: bool = False
    own: float = 0.0

    def fit(self, data, *, validation=None, start=None):
        people = data.csr()
        own = np.full(data.n_items, self.own, np.float32) if self.own else None
        if self.as_vectors:
            return FactoredEncoder(data.items, data.catalogue, np.ascontiguousarray(people.toarray().T), (), own)
        return FactoredMap(data.items, data.catalogue, (Path((people.T.tocsr(), people)),), own)


@pytest.mark.parametrize("model", [Walks(), Walks(own=-2), Walks(as_vectors=True), Walks(as_vectors=True, own=-2)], ids=repr)
def test_models_of_these_forms_keep_the_laws(model):
    skipped = set(vt.testing.check_model(model).skipped) - {"shards_only", "saved"}
    assert skipped == (set() if model.as_vectors and not model.own else {"encode"})


def test_a_fitted_one_is_saved_whole(data, tmp_path):
    for fit in (random_map(np.random.default_rng(5), data), encoder(data, 1, bent=True)):
        vt.save(fit, tmp_path / type(fit).__name__)
        again = vt.load(tmp_path / type(fit).__name__).recommender
        assert_array_equal(again.score_block(data.queries()), fit.score_block(data.queries()))
