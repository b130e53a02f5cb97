"""iALS against alternating dense normal equations in float64, and against its own loss."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from numpy.testing import assert_allclose

import vitrina as vt
from vitrina.base.errors import DataError, MemoryBudgetError, ParameterError
from vitrina.data.sharded import held
from vitrina.models.cost import Size
from vitrina.models.drawn import drawn


@pytest.fixture(scope="module")
def data():
    return vt.testing.synthetic(users=80, items=50, mean_length=8)


@pytest.fixture(scope="module")
def weighted(data):
    weights = np.random.default_rng(0).choice([0.5, 1, 4], data.n_events).astype(np.float32)
    return replace(data, events=replace(data.events, weights=weights))


def confidences(data):
    """(people, items) the largest weight of each pair, dense."""
    c = np.zeros((len(data.users), data.n_items))
    weights = np.ones(data.n_events) if data.events.weights is None else data.events.weights
    np.maximum.at(c, (data.user_of, data.events.items), weights)
    return c


def dense_half(c, vectors, size, m):
    """One side given the other: row by row the solution of its normal equations."""
    out = np.zeros((len(c), vectors.shape[1]))
    gram = m.unobserved * vectors.T @ vectors
    for row, weights in enumerate(c):
        if weights.any():
            ridge = m.l2 * (weights.sum() + m.unobserved * size) ** m.nu
            left = vectors.T @ (weights[:, None] * vectors) + gram + ridge * np.eye(vectors.shape[1])
            out[row] = np.linalg.solve(left, vectors.T @ weights)
    return out


def loss(c, people, items, m):
    """What iALS makes least, over people and items that have events."""
    scores, n_people, n_items = people @ items.T, np.any(c, axis=1).sum(), np.any(c, axis=0).sum()
    by_person = (c.sum(axis=1) + m.unobserved * n_items) ** m.nu
    by_item = (c.sum(axis=0) + m.unobserved * n_people) ** m.nu
    ridge = by_person @ (people**2).sum(axis=1) + by_item @ (items**2).sum(axis=1)
    return (c * (1 - scores) ** 2).sum() + m.unobserved * (scores**2).sum() + m.l2 * ridge


def dense_fit(data, m):
    """The same in float64, and the loss after each half-sweep."""
    c, losses = confidences(data), []
    n_people, n_items = np.any(c, axis=1).sum(), np.any(c, axis=0).sum()
    items = drawn(data.items, m.dim, m.seed, 0.1 / np.sqrt(m.dim)).astype(np.float64) * np.any(c, axis=0)[:, None]
    for _ in range(m.epochs):
        people = dense_half(c, items, n_items, m)
        losses.append(loss(c, people, items, m))
        items = dense_half(c.T, people, n_people, m)
        losses.append(loss(c, people, items, m))
    return items, np.array(losses)


MODELS = [
    vt.IALS(dim=3, epochs=1, unobserved=0.1),
    vt.IALS(dim=5, epochs=6, l2=0.05, unobserved=0.3),
    vt.IALS(dim=40, epochs=4, unobserved=0.1, l2=0.1, nu=0.5),
    vt.IALS(dim=4, epochs=4, unobserved=0.02, l2=1, nu=0, seed=3),
]


@pytest.mark.parametrize("m", MODELS, ids=repr)
@pytest.mark.parametrize("log", ["data", "weighted"])
def test_it_is_alternating_normal_equations(log, m, request):
    data = request.getfixturevalue(log)
    fitted = m.fit(data)
    items, losses = dense_fit(data, m)
    assert (np.diff(losses) <= 1e-9 * losses[0]).all()
    assert_allclose(fitted.vectors @ fitted.vectors.T, items @ items.T, atol=2e-4)  # the axes are others
    c = confidences(data)
    people = dense_half(c, items, np.any(c, axis=0).sum(), m)
    scores = fitted.score_block(data.queries(codes=np.arange(len(data.users))).counted())
    assert_allclose(np.where(np.isfinite(scores), scores, 0), people @ items.T, atol=2e-4)
    assert_allclose(loss(c, fitted.encode(data.queries(codes=np.arange(len(data.users)))), fitted.vectors, m),
                    loss(c, people, items, m), rtol=1e-4)  # fmt: skip


def test_more_epochs_make_the_loss_less(data):
    c, asked, found = confidences(data), data.queries(codes=np.arange(len(data.users))), []
    for epochs in (1, 2, 4, 8, 16):
        m = vt.IALS(dim=6, epochs=epochs, unobserved=0.1, l2=0.02)
        fitted = m.fit(data)
        found.append(loss(c, fitted.encode(asked), fitted.vectors, m))
    assert (np.diff(found) < 0).all()


def test_the_seed_draws_other_vectors_and_the_same_ones_again(data):
    one, again, other = (vt.IALS(dim=4, epochs=2, seed=seed).fit(data).vectors for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)


def test_repeated_events_count_once(data):
    events = data.events.take(np.repeat(np.arange(data.n_events), 2))
    twice = replace(data, events=events, indptr=2 * data.indptr)
    assert np.array_equal(vt.IALS(dim=4).fit(twice).vectors, vt.IALS(dim=4).fit(data).vectors)


def test_shards_give_the_vectors_of_one_log(weighted):
    one = vt.IALS(dim=4).fit(weighted).vectors
    assert np.array_equal(one, vt.IALS(dim=4).fit(weighted.sharded(3)).vectors)
    assert np.array_equal(one, vt.IALS(dim=4).fit(held(weighted, 3)).vectors)


def test_by_default_all_pairs_weigh_ten_times_what_the_seen_ones_do():
    sparse = vt.testing.synthetic(users=300, items=400, mean_length=6)
    pairs, cells = sparse.csr().nnz, sparse.catalogue.n_users * np.count_nonzero(sparse.catalogue.users)
    assert 10 * pairs < cells
    fitted = vt.IALS(dim=4).fit(sparse)
    assert fitted.penalty.unobserved == pytest.approx(10 * pairs / cells)
    assert np.array_equal(fitted.vectors, vt.IALS(dim=4, unobserved=fitted.penalty.unobserved).fit(sparse).vectors)
    dense = vt.testing.synthetic(users=40, items=12, mean_length=8)
    assert vt.IALS(dim=4).fit(dense).penalty.unobserved == 1


def test_weights_of_another_scale_change_nothing(weighted):
    scaled = replace(weighted, events=replace(weighted.events, weights=4 * weighted.events.weights))
    one, other = (vt.IALS(dim=4, l2=0.05).fit(log) for log in (weighted, scaled))
    assert other.penalty.unobserved == pytest.approx(4 * one.penalty.unobserved)
    assert_allclose(other.score_block(scaled.queries()), one.score_block(weighted.queries()), atol=1e-4)


def test_people_without_events_count_for_nothing(data):
    more = vt.Vocabulary.of([*data.users.ids.to_list(), "nobody"])
    wider = replace(data, users=more, indptr=np.append(data.indptr, data.indptr[-1]), user_table=None)
    assert np.array_equal(vt.IALS(dim=4).fit(wider).vectors, vt.IALS(dim=4).fit(data).vectors)


def test_items_without_events_count_for_nothing(data):
    wide = replace(data, items=data.items.extended(vt.Vocabulary.of(["never", "taken"]).ids), item_table=None)
    narrow, fitted = vt.IALS(dim=4).fit(data), vt.IALS(dim=4).fit(wide)
    assert not fitted.vectors[-2:].any()
    assert_allclose(fitted.vectors[:-2], narrow.vectors, atol=1e-6)
    assert np.isneginf(fitted.score_block(wide.queries())[:, -2:]).all()


def days(data):
    """The log up to the last tenth of its time, with the items that it has, and the whole."""
    times = data.events.times
    return data.select(times <= np.quantile(times, 0.9)), data


def test_a_start_goes_on_where_the_fitted_one_stood(data):
    whole = vt.IALS(dim=6, epochs=7, l2=0.05).fit(data)
    part = vt.IALS(dim=6, epochs=3, l2=0.05).fit(data)
    rest = vt.IALS(dim=6, epochs=4, l2=0.05).fit(data, start=part)
    assert_allclose(rest.vectors @ rest.vectors.T, whole.vectors @ whole.vectors.T, atol=1e-4)


@pytest.mark.parametrize(("dim", "scores", "losses"), [(4, 0.1, 2e-3), (45, 2e-3, 1e-5)])
def test_a_start_that_knew_fewer_items_comes_to_what_a_fit_comes_to(dim, scores, losses):
    """As many dimensions as items have one least loss; with fewer there may be several, and its loss is near to that of the other."""
    data = vt.testing.synthetic(users=120, items=40, mean_length=10)
    before, now = days(data)
    small = before.select(before.events.items < 30)
    model = vt.IALS(dim=dim, epochs=40, unobserved=0.1, l2=0.2)
    refit, gone_on = model.fit(now), model.fit(now, start=model.fit(small))
    c, asked = confidences(now), now.queries(codes=np.arange(len(now.users)))
    assert_allclose(gone_on.score_block(asked), refit.score_block(asked), atol=scores)
    assert_allclose(*(loss(c, fitted.encode(asked), fitted.vectors, model) for fitted in (gone_on, refit)), rtol=losses)


def test_a_start_of_another_length_or_kind_is_refused(data):
    with pytest.raises(ParameterError, match=r"has vectors of 4 numbers, and this one's 'dim' is 5. Go on with IALS\(dim=4\)"):
        vt.IALS(dim=5).fit(data, start=vt.IALS(dim=4, epochs=1).fit(data))
    with pytest.raises(ParameterError, match=r"must be what an IALS's fit returned.* Got a Static"):
        vt.IALS(dim=5).fit(data, start=vt.Popularity().fit(data))


def test_vectors_that_would_not_fit_are_refused(data, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1 << 10))
    with pytest.raises(MemoryBudgetError, match=r"needs 0\.0 GiB of memory for [\d,]+ pairs .* Take a smaller 'dim'"):
        vt.IALS().fit(data)


def test_the_estimate_grows_with_the_log_and_with_dim():
    size = Size(users=1000, items=500, events=40_000, entries=30_000, pairs=2e6, events_pairs=3e6)
    small, large = vt.IALS(dim=16).cost(size), vt.IALS(dim=64).cost(size)
    assert large.kept == 4 * small.kept
    assert 4 * small.flops < large.flops
    assert small.memory > 8 * size.entries + small.kept


def test_a_log_without_events_is_refused(data):
    with pytest.raises(DataError, match="needs events"):
        vt.IALS().fit(data.select(np.zeros(data.n_events, bool)))
