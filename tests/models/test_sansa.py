"""SANSA against EASE in float64, and its parts against slow dense ones."""

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

import vitrina as vt
from vitrina.base.errors import DataError, MemoryBudgetError
from vitrina.models.incomplete import approximate_inverse, incomplete_factor
from vitrina.models.sparse_gram import sparse_gram

ALL = 200
EXACT = [vt.inverse.Regressions(), vt.inverse.Incomplete(scans=60)]


@pytest.fixture(scope="module")
def data():
    return vt.testing.synthetic(users=200, items=120, mean_length=8)


def ease(x, l2, dropout=0.0):
    """The weights of EASE in float64."""
    matrix = x.T.astype(np.float64) @ x
    inverse = np.linalg.inv(matrix + np.diag(l2 + dropout / (1 - dropout) * np.diag(matrix)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def weights_of(fitted):
    (path,) = fitted.paths
    first, second = path.factors
    return (first @ second).toarray() + np.diag(fitted.own)


@pytest.fixture(scope="module")
def together():
    """A log in which any two items have somebody in common, and one item without events."""
    data = vt.testing.synthetic(users=2000, items=25, mean_length=10)
    assert (data.csr().T @ data.csr()).toarray()[np.ix_(data.catalogue.mask, data.catalogue.mask)].all()
    return replace(data, items=data.items.extended(vt.Vocabulary.of(["never"]).ids))


@pytest.mark.parametrize("inverse", EXACT, ids=repr)
@pytest.mark.parametrize(("l2", "dropout"), [(2, 0), (20, 0), (5, 0.4)])
def test_with_all_entries_it_is_ease(together, inverse, l2, dropout):
    fitted = vt.SANSA(l2=l2, dropout=dropout, neighbours=ALL, inverse=inverse).fit(together)
    expected = ease(together.csr().toarray(), l2, dropout)
    assert np.abs(expected - expected.T).max() > 0.01  # the direction can be told
    assert_allclose(weights_of(fitted), expected, atol=2e-5)
    scores = fitted.score_block(together.queries())
    assert np.isneginf(scores[:, ~together.catalogue.mask]).all()


@pytest.mark.parametrize("neighbours", [1, 3])
def test_it_leads_only_where_a_walk_over_common_people_does(data, neighbours):
    fitted = vt.SANSA(l2=5, neighbours=neighbours).fit(data)
    (first, second) = fitted.paths[0].factors
    assert np.diff(second.indptr).max() == neighbours + 1
    assert first.nnz == second.nnz


def test_an_item_says_nothing_of_itself_whatever_the_density(data):
    for neighbours in (2, 5, 20):
        assert_allclose(np.diag(weights_of(vt.SANSA(l2=5, neighbours=neighbours).fit(data))), 0, atol=1e-5)


def dense_gram(data, l2):
    x = data.csr().toarray().astype(np.float64)
    matrix = x.T @ x + l2 * np.eye(x.shape[1])
    scale = np.where(data.catalogue.mask, 1 / np.sqrt(np.diag(matrix)), 0)
    return matrix * np.outer(scale, scale), scale


def test_the_sparse_gram_is_the_dense_one_on_the_scale_of_correlations(data):
    expected, scale = dense_gram(data, 3)
    gram = sparse_gram(data, 3, ALL, "SANSA")
    np.fill_diagonal(expected, 0)
    assert_allclose(gram.rows.toarray(), expected, rtol=1e-6)
    assert_allclose(gram.scale, scale)
    assert "entries of X'X are kept" in gram.notes[0]
    assert len(gram.notes) == 1


def test_the_sparse_gram_keeps_what_is_large_for_either_of_the_two(data):
    expected, _ = dense_gram(data, 3)
    np.fill_diagonal(expected, 0)
    gram = sparse_gram(data, 3, 2, "SANSA", 3)
    least = np.sort(expected, axis=1)[:, -6]
    large = expected >= least[:, None]
    kept = np.where(large | large.T, expected, 0)
    assert abs((gram.rows.toarray() > 0).sum() - (kept > 0).sum()) < 200  # ties go to the lower code
    assert_allclose(gram.rows.toarray(), gram.rows.toarray().T)
    assert (gram.rows.toarray() >= np.where(expected > least[:, None], expected, 0) - 1e-6).all()
    assert "6 largest" in gram.notes[1]


def test_regressions_are_those_on_the_most_correlated_of_the_more_popular_items(data):
    correlations, scale = dense_gram(data, 3)
    gram = sparse_gram(data, 3, ALL, "SANSA")
    rows, pivots, _ = vt.inverse.Regressions().of(gram, 5)
    rank = np.argsort(np.lexsort((-gram.rows.toarray().astype(np.float64).sum(axis=1).round(6), scale)), kind="stable")
    for j in np.flatnonzero(data.catalogue.mask):
        own = correlations[j].astype(np.float32)
        before = [i for i in np.argsort(-own, kind="stable") if rank[i] < rank[j] and own[i] > 0][:5]
        y = np.linalg.solve(correlations[np.ix_(before, before)], correlations[before, j])
        expected = np.zeros(len(scale))
        expected[before], expected[j] = -y, 1
        assert_allclose(rows[j].toarray()[0], expected, atol=1e-5)
        assert_allclose(pivots[j], 1 - y @ correlations[before, j], atol=1e-6)


def slow_factor(matrix, room, shift):
    """L D L' column by column, of which each keeps its largest entries; None where a pivot is too small."""
    size = len(matrix)
    lower, pivots = np.eye(size), np.zeros(size)
    for j in range(size):
        column = matrix[:, j] - lower[:, :j] @ (pivots[:j] * lower[j, :j])
        pivots[j] = column[j] + shift
        if pivots[j] < 1e-3:
            return None
        below = column[j + 1 :] / pivots[j]
        below[np.argsort(-np.abs(below), kind="stable")[room:]] = 0
        lower[j + 1 :, j] = below
    return lower, pivots


def random_matrix(seed, size=25):
    rng = np.random.default_rng(seed)
    x = (rng.random((40, size)) < 0.15) * rng.random((40, size))
    matrix = x.T @ x + 0.05 * np.eye(size)
    scale = 1 / np.sqrt(np.diag(matrix))
    return matrix * np.outer(scale, scale)


@pytest.mark.parametrize("room", [2, 6, 30])
def test_the_incomplete_factor_is_the_slow_one(room):
    for seed in range(70):
        matrix = random_matrix(seed)
        factor, shift = incomplete_factor(sparse.csr_matrix(matrix - np.diag(np.diag(matrix))), room)
        lower, pivots = slow_factor(matrix, room, shift)
        assert shift == 0 or slow_factor(matrix, room, 0) is None
        made = sparse.csc_matrix((factor.values, factor.rows, factor.starts), shape=matrix.shape).toarray()
        assert_allclose(made + np.eye(len(matrix)), lower, atol=1e-5)
        assert_allclose(factor.pivots, pivots, atol=1e-5)
        if room >= len(matrix):
            assert_allclose(lower @ np.diag(pivots) @ lower.T, matrix + shift * np.eye(len(matrix)), atol=1e-6)


def test_steps_of_the_inverse_make_the_residual_smaller_until_it_is_nothing():
    for seed in range(20):
        matrix = random_matrix(seed)
        factor, _ = incomplete_factor(sparse.csr_matrix(matrix - np.diag(np.diag(matrix))), 25)
        lower = np.eye(25) + sparse.csc_matrix((factor.values, factor.rows, factor.starts), shape=matrix.shape).toarray()
        lengths = [
            np.linalg.norm(np.eye(25) - lower @ approximate_inverse(factor, 25, scans, 0).toarray().T, axis=0) for scans in (0, 1, 3, 200)
        ]
        for more, less in pairwise(lengths):
            assert (less <= more + 1e-6).all()
        assert lengths[-1].max() < 1e-5


def test_fewer_entries_are_kept_of_columns_and_the_worst_are_tuned_longer():
    factor, _ = incomplete_factor(sparse.csr_matrix(random_matrix(1) - np.eye(25)), 25)
    few, tuned = approximate_inverse(factor, 4, 1, 0), approximate_inverse(factor, 25, 1, 20)
    assert np.diff(few.indptr).max() == 4
    plain = approximate_inverse(factor, 25, 1, 0)
    assert (np.abs((tuned - plain).toarray()).sum(axis=1) > 0).sum() == 3


def test_an_indefinite_matrix_gets_a_larger_diagonal_and_the_notes_say_so(data):
    gram = sparse_gram(data, 0.01, ALL, "SANSA")
    pulled = replace(gram, rows=sparse.csr_matrix(gram.rows * 1.5))
    _, _, notes = vt.inverse.Incomplete().of(pulled, 10)
    assert "more on its diagonal" in notes[0]
    rows, pivots, _ = vt.inverse.Regressions().of(pulled, 10)
    assert pivots.min() > 0
    assert np.isfinite(rows.data).all()


def test_the_complete_factor_needs_its_extra(data):
    pytest.importorskip("sksparse.cholmod")
    fitted = vt.SANSA(l2=20, neighbours=ALL, inverse=vt.inverse.Complete(scans=60)).fit(data)
    assert_allclose(weights_of(fitted), ease(data.csr().toarray(), 20), atol=2e-5)


@pytest.mark.parametrize(
    "model",
    [vt.SANSA(l2=5, neighbours=10), vt.SANSA(l2=5, neighbours=10, inverse=vt.inverse.Incomplete()), vt.SLIM(l1=0.5, l2=5)],
    ids=repr,
)
def test_shards_add_up_and_repeated_events_count_once(data, model):
    queries, fitted = data.queries(), model.fit(data)
    expected = fitted.recommend(queries, k=10)
    events = data.events.take(np.repeat(np.arange(data.n_events), 2))
    for other in (data.sharded(3), replace(data, events=events, indptr=2 * data.indptr)):
        again = model.fit(other)
        assert again.notes == fitted.notes
        assert np.array_equal(again.recommend(queries, k=10).scores, expected.scores)


@pytest.mark.parametrize("model", [vt.SANSA(neighbours=100), vt.SLIM(neighbours=100)], ids=repr)
def test_memory_is_looked_at_beforehand_and_the_remedy_works(data, model, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=120_000))
    with pytest.raises(MemoryBudgetError, match=r"are free\. Use neighbours=") as caught:
        model.fit(data)
    fits = int(str(caught.value).split("neighbours=")[2].split()[0])
    model.model_copy(update={"neighbours": fits}).fit(data)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=100))
    with pytest.raises(MemoryBudgetError, match="k_core"):
        model.fit(data)


def test_a_log_without_events_is_refused(data):
    empty = replace(data, events=data.events.take(slice(0)), indptr=np.zeros_like(data.indptr))
    for model in (vt.SANSA(), vt.SLIM()):
        with pytest.raises(DataError, match="needs events"):
            model.fit(empty)
