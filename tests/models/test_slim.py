"""SLIM against the conditions of its optimum in float64, and the elastic net of scikit-learn."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import vitrina as vt


@pytest.fixture(scope="module")
def data():
    return vt.testing.synthetic(users=300, items=80, mean_length=8)


def slopes(x, weights, l1, l2):
    """(items, items) of the objective of column j towards weight i."""
    gram = x.T @ x
    return gram @ weights - gram + l1 + l2 * weights


@pytest.mark.parametrize(("l1", "l2"), [(0, 5), (0.5, 1), (2, 20)])
def test_no_weight_can_be_moved_to_the_better(data, l1, l2):
    x = data.csr().toarray().astype(np.float64)
    weights = vt.SLIM(l1=l1, l2=l2, neighbours=80).fit(data).weight_from_to.toarray().astype(np.float64)
    slope, others = slopes(x, weights, l1, l2), ~np.eye(len(weights), dtype=bool)
    bound = 2e-3 * np.sqrt(np.outer((x**2).sum(axis=0) + l2, (x**2).sum(axis=0) + l2))
    assert (weights >= 0).all()
    assert (np.diag(weights) == 0).all()
    assert (np.abs(slope) <= bound)[others & (weights > 0)].all()
    assert (slope >= -bound)[others].all()
    assert 0 < (weights > 0).mean() < 1


def test_it_is_the_elastic_net_of_scikit_learn(data):
    linear = pytest.importorskip("sklearn.linear_model")
    x = data.csr().toarray().astype(np.float64)
    weights, n, l1, l2 = vt.SLIM(l1=1, l2=5, neighbours=80).fit(data).weight_from_to.toarray(), len(x), 1, 5
    net = linear.ElasticNet(alpha=(l1 + l2) / n, l1_ratio=l1 / (l1 + l2), positive=True, fit_intercept=False, tol=1e-10, max_iter=10_000)
    for j in np.argsort(-x.sum(axis=0))[:20]:
        others = np.arange(x.shape[1]) != j
        assert_allclose(weights[others, j], net.fit(x[:, others], x[:, j]).coef_, atol=1e-3)


def test_a_larger_l1_leaves_fewer_weights_and_fewer_neighbours_may_predict(data):
    counts = [vt.SLIM(l1=l1, l2=5).fit(data).weight_from_to.nnz for l1 in (0, 0.5, 1, 2, 4)]
    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == 5
    full, few = vt.SLIM(l1=0, l2=5, neighbours=80).fit(data), vt.SLIM(l1=0, l2=5, neighbours=3).fit(data)
    assert 0 < few.weight_from_to.nnz < full.weight_from_to.nnz
    assert "3 largest" in few.notes[-1]
