"""ELSA's loss and gradient against the dense formula in float64, derived by PyTorch, and what comes of it against EASE."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

import vitrina as vt
from vitrina.base.errors import DataError, MemoryBudgetError, MissingExtraError, ParameterError
from vitrina.models.cost import Size

torch = pytest.importorskip("torch")
from vitrina.models import elsa_steps  # noqa: E402  needs PyTorch


@pytest.fixture(scope="module")
def data():
    return vt.testing.synthetic(users=200, items=60, mean_length=8)


def instance(seed):
    """Rows, weighted or not, and vectors, of length 1 or not."""
    rng = np.random.default_rng(seed)
    people, items, dim = rng.integers(1, 9), rng.integers(4, 30), rng.integers(2, 12)
    x = (rng.random((people, items)) < 0.4) * (rng.choice([1.0, 0.5, 3.0], (people, items)) if seed % 2 else 1.0)
    x[:, 0] = x[:, 1] = 1
    vectors = rng.standard_normal((items, dim))
    return x, vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if seed % 3 else vectors


@pytest.mark.parametrize("seed", range(200))
def test_losses_and_gradient_are_those_of_the_dense_formula(seed):
    x, start = instance(seed)
    vectors, wanted = torch.tensor(start, dtype=torch.float64, requires_grad=True), torch.from_numpy(x)
    weights = vectors @ vectors.T
    y = wanted @ (weights - torch.diag(torch.diagonal(weights)))
    losses = ((wanted / wanted.norm(dim=1, keepdim=True) - y / y.norm(dim=1, keepdim=True)) ** 2).sum(dim=1)
    losses.sum().backward()
    ours, gradient = elsa_steps.losses_and_gradient(torch.from_numpy(start), sparse.csr_matrix(x))
    assert_allclose(ours, losses.detach(), rtol=1e-7, atol=1e-7)
    assert_allclose(gradient, vectors.grad, rtol=1e-6, atol=1e-6)


def test_of_vectors_of_length_1_a_person_of_one_item_says_nothing():
    vectors = torch.from_numpy(instance(1)[1])
    _, gradient = elsa_steps.losses_and_gradient(vectors, sparse.csr_matrix(np.eye(len(vectors))[:1]))
    assert_allclose(gradient - (gradient * vectors).sum(1, keepdim=True) * vectors, 0, atol=1e-12)


def test_the_loss_falls_and_comes_near_to_ease(data):
    split = data.split(vt.split.LeaveOneOut())
    x = split.train.csr()
    x = x[np.diff(x.indptr) > 1].astype(np.float32)

    def loss(fit):
        return float(elsa_steps.losses_and_gradient(torch.from_numpy(fit.vectors), x)[0].mean())

    short, long = (vt.ELSA(dim=32, epochs=epochs).fit(split.train) for epochs in (1, 20))
    assert loss(long) < loss(short) - 0.1

    def found(model):
        lists = model.fit(split.train).recommend(split.queries, 10, eligible=split.eligible)
        return vt.evaluate.evaluate(lists, split, ["nDCG@10"], intervals=False).numbers["value"][0]

    assert found(vt.ELSA(dim=32)) > 0.85 * found(vt.EASE(l2=20)) > 1.2 * found(vt.Popularity())


def test_scores_are_the_history_through_the_vectors_without_itself(data):
    x, described = data.csr().toarray().astype(np.float64), data.catalogue.users > 0
    for lengths in ("free", "one"):
        fit = vt.ELSA(dim=8, epochs=2, lengths=lengths).fit(data)
        a = fit.vectors.astype(np.float64)
        weights = a @ a.T
        np.fill_diagonal(weights, 0)
        assert_allclose(fit.score_block(data.queries())[:, described], (x @ weights)[:, described], atol=1e-4)
        assert np.allclose(np.linalg.norm(a[described], axis=1), 1, rtol=1e-6) == (lengths == "one")


def test_weights_of_any_size_count_as_shares_of_a_person(data):
    rng = np.random.default_rng(0)
    weights = rng.integers(1, 4, data.n_events).astype(np.float32)
    small, large = (
        vt.ELSA(dim=8, epochs=2).fit(replace(data, events=replace(data.events, weights=weights * np.float32(scale))))
        for scale in (1, 2.0**90)
    )
    assert_allclose(large.vectors, small.vectors, atol=1e-6)
    assert np.abs(small.vectors - vt.ELSA(dim=8, epochs=2).fit(data).vectors).max() > 1e-3


def test_items_without_events_have_no_vector(data):
    wide = replace(data, items=data.items.extended(vt.Vocabulary.of(["never", "taken"]).ids))
    fit, narrow = vt.ELSA(dim=8, epochs=2).fit(wide), vt.ELSA(dim=8, epochs=2).fit(data)
    assert not fit.vectors[-2:].any()
    assert_array_equal(fit.vectors[:-2], narrow.vectors)


def test_repeats_and_people_of_one_item_change_nothing(data):
    events = data.events.take(np.repeat(np.arange(data.n_events), 2))
    twice = replace(data, events=events, indptr=2 * data.indptr)
    assert_array_equal(vt.ELSA(dim=8).fit(twice).vectors, vt.ELSA(dim=8).fit(data).vectors)
    model = vt.ELSA(dim=8, epochs=2, batch=50)
    first = data.user_of[np.searchsorted(data.indptr, 0, side="right") - 1]
    alone = data.select((data.user_of != first) | (np.arange(data.n_events) == data.indptr[first]))
    without = data.select(data.user_of != first)
    assert_array_equal(model.fit(alone).vectors, model.fit(without).vectors)


def test_shards_make_the_same_vectors_and_a_seed_others(data):
    model = vt.ELSA(dim=8, epochs=2)
    assert_array_equal(model.fit(data).vectors, model.fit(data.sharded(3)).vectors)
    assert not np.allclose(model.fit(data).vectors, vt.ELSA(dim=8, epochs=2, seed=1).fit(data).vectors)


def test_nobody_with_two_items_leaves_the_first_vectors():
    table = vt.testing.toy().frame().unique("user_id", keep="first", maintain_order=True)
    data = vt.read_interactions(table, user="user_id", item="item_id")
    fit = vt.ELSA(dim=4).fit(data)
    assert_allclose(np.linalg.norm(fit.vectors[data.catalogue.users > 0], axis=1), 1, rtol=1e-6)


def test_what_it_will_take_is_said_and_what_will_not_fit_is_refused(data, monkeypatch):
    size = Size(2_000_000, 1_000_000, 50_000_000, 50_000_000, 0, 0)
    small, large = vt.ELSA(dim=64).cost(size), vt.ELSA(dim=128).cost(size)
    assert large.kept == 2 * small.kept == 4 * 128 * 1_000_000
    assert large.flops == 4 * small.flops
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10_000))
    with pytest.raises(MemoryBudgetError, match=r"ELSA of 60 items with dim=256 needs 0\.0 GiB .* Take a smaller 'dim'"):
        vt.ELSA().fit(data)


def test_without_pytorch_the_fit_says_what_to_install(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "vitrina.models.elsa_steps", None)
    with pytest.raises(MissingExtraError, match=r"fit of ELSA needs PyTorch.*vitrina\[torch\]"):
        vt.ELSA().fit(data)


def test_wrong_parameters_are_refused(data):
    with pytest.raises(ParameterError, match="'lengths' parameter of ELSA"):
        vt.ELSA(lengths="two")
    with pytest.raises(DataError, match="needs events"):
        vt.ELSA().fit(data.select(np.zeros(data.n_events, bool)))


@pytest.mark.parametrize("model", [vt.ELSA(dim=8, lengths="one"), vt.ELSA(dim=8, batch=7, epochs=2)], ids=repr)
def test_contract(model):
    vt.testing.check_model(model)
