"""EASE against a ridge regression of each item on the others, in float64."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from numpy.testing import assert_allclose

import vitrina as vt
from vitrina.base import rates
from vitrina.base.errors import DataError, MemoryBudgetError, ParameterError
from vitrina.models import ease


@pytest.fixture(scope="module")
def data():
    return vt.testing.synthetic(users=200, items=150, mean_length=8)


def regressions(x, l2, dropout=0.0):
    """Column j: the coefficients that predict item j from the other items (from = row, to = column)."""
    n_items = x.shape[1]
    weights = np.zeros((n_items, n_items))
    for j in range(n_items):
        others = np.arange(n_items) != j
        a = x[:, others].astype(np.float64)
        penalty = np.diag(l2 + dropout / (1 - dropout) * (a**2).sum(axis=0))
        weights[others, j] = np.linalg.solve(a.T @ a + penalty, a.T @ x[:, j])
    return weights


@pytest.mark.parametrize(("l2", "dropout"), [(0.5, 0.0), (20, 0.0), (5, 0.4)])
def test_weights_are_ridge_regressions_from_the_others_to_each_item(data, l2, dropout):
    fit = vt.EASE(l2=l2, dropout=dropout).fit(data)
    x = data.csr().toarray()[:, fit.kept]
    expected = regressions(x, l2, dropout)
    assert np.abs(expected - expected.T).max() > 0.01  # the direction can be told
    assert_allclose(fit.weight_from_to, expected, atol=2e-5)


def test_scores_are_the_binary_history_through_the_weights(data):
    fit = vt.EASE(l2=5).fit(data)
    queries = data.queries()
    expected = queries.csr().toarray()[:, fit.kept] @ fit.weight_from_to
    scores = fit.score_block(queries)
    assert_allclose(scores[:, fit.kept], expected, atol=1e-5)
    left_out = np.setdiff1d(np.arange(data.n_items), fit.kept)
    assert np.isneginf(scores[:, left_out]).all()


def test_items_without_events_are_left_out(data):
    wide = replace(data, items=data.items.extended(vt.Vocabulary.of(["never", "taken"]).ids))
    fit, narrow = vt.EASE(l2=5).fit(wide), vt.EASE(l2=5).fit(data)
    assert fit.notes == ()
    assert_allclose(fit.weight_from_to, narrow.weight_from_to)
    assert fit.recommend(wide.queries(), k=5).items.tolist() == narrow.recommend(data.queries(), k=5).items.tolist()


def test_max_items_takes_the_most_frequent_and_says_so(data):
    fit = vt.EASE(l2=5, max_items=30).fit(data)
    users = data.catalogue.users
    assert users[fit.kept].min() >= np.delete(users, fit.kept).max()
    assert "30 most frequent of" in fit.notes[0]
    assert_allclose(fit.weight_from_to, regressions(data.csr().toarray()[:, fit.kept], 5), atol=2e-5)
    rest = fit.recommend(data.queries(), k=40)
    assert rest.fallback[:, 30:].all()
    assert set(rest.items[0].tolist()) - set(fit.kept.tolist())


def test_shards_add_up(data):
    one, three = vt.EASE(l2=5).fit(data), vt.EASE(l2=5).fit(data.sharded(3))
    assert np.array_equal(one.weight_from_to, three.weight_from_to)


def test_repeated_events_count_once(data):
    events = data.events.take(np.repeat(np.arange(data.n_events), 2))
    twice = replace(data, events=events, indptr=2 * data.indptr)
    assert np.array_equal(vt.EASE(l2=5).fit(twice).weight_from_to, vt.EASE(l2=5).fit(data).weight_from_to)


def test_the_inverse_stays_in_its_buffer():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((70, 50)).astype(np.float32)
    matrix = np.tril(a.T @ a + np.eye(50, dtype=np.float32))
    full = (a.T @ a).astype(np.float64) + np.eye(50)
    ease.invert_in_place(matrix)
    assert_allclose(np.tril(matrix), np.tril(np.linalg.inv(full)), atol=1e-5)


def with_free_memory(monkeypatch, size):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=size))


def test_weights_that_would_not_fit_are_refused_with_numbers_and_a_remedy(data, monkeypatch):
    with_free_memory(monkeypatch, 4 * 50**2)
    with pytest.raises(MemoryBudgetError, match=r"EASE of 100 items needs 0\.0 GiB .* Use max_items=46 or Cooccurrence"):
        vt.EASE(max_items=100).fit(data)
    assert len(vt.EASE(max_items=46).fit(data).kept) == 46


def test_by_default_the_free_memory_says_how_many_items(data, monkeypatch):
    with_free_memory(monkeypatch, 4 * 50**2)
    fit = vt.EASE().fit(data)
    assert len(fit.kept) == 46
    assert "limited by memory" in fit.notes[0]


def test_by_default_the_time_says_how_many_items(data, monkeypatch):
    monkeypatch.setattr(ease, "SURELY_FAST", 20)
    monkeypatch.setattr(ease, "items_in", round)
    fit = vt.EASE(minutes=0.5).fit(data)
    assert len(fit.kept) == 30
    assert "limited by 0.5 minutes" in fit.notes[0]


def test_the_estimate_grows_with_the_cube_root_of_the_time(monkeypatch):
    monkeypatch.setattr(rates, "perf_counter", iter(np.arange(0, 100, 0.01)).__next__)
    rate = 1536**3 / 0.01
    assert ease.items_in(8e12 / rate) == 20_000
    assert ease.items_in(64e12 / rate) == 40_000


@pytest.mark.parametrize("panel", [7, 30, 100])
def test_the_inverse_in_panels_is_the_inverse(panel, monkeypatch):
    rng = np.random.default_rng(0)
    half = rng.standard_normal((100, 100))
    wanted = half @ half.T + 20 * np.eye(100)
    matrix = np.tril(wanted).astype(np.float32)
    monkeypatch.setattr(ease, "LAPACK_ITEMS", 10)
    monkeypatch.setattr(ease, "PANEL", panel)
    ease.invert_in_place(matrix)
    np.testing.assert_allclose(np.tril(matrix), np.tril(np.linalg.inv(wanted)), atol=1e-6)


def test_a_matrix_that_is_not_positive_definite_is_told_in_panels_too(monkeypatch):
    monkeypatch.setattr(ease, "LAPACK_ITEMS", 1)
    with pytest.raises(ArithmeticError):
        ease.invert_in_place(np.diag([1.0, 2.0, -1.0]).astype(np.float32))


def test_wrong_parameters_are_refused(data):
    with pytest.raises(ParameterError, match=r"'l2' parameter of EASE must be greater than 0. Got -1"):
        vt.EASE(l2=-1)
    with pytest.raises(ParameterError, match="dropout"):
        vt.EASE(dropout=1)
    with pytest.raises(DataError, match="needs events"):
        vt.EASE().fit(data.select(np.zeros(data.n_events, bool)))


def test_contract():
    vt.testing.check_model(vt.EASE(l2=5, dropout=0.2))
