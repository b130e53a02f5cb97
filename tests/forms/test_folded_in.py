"""The form of factor models: a history's own vector, against the normal equations and the fit's own half-sweep."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import vitrina as vt
from vitrina.forms import FoldedIn
from vitrina.forms.least_squares import Penalty, solved, straightened
from vitrina.models.entries import Entries
from vitrina.protocols import Encoder
from vitrina.types import Queries


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "weighted"])
def data(request):
    plain = vt.testing.synthetic(users=80, items=50, mean_length=8)
    weights = np.random.default_rng(0).choice([0.5, 1, 4], plain.n_events).astype(np.float32)
    return replace(plain, events=replace(plain.events, weights=weights)) if request.param else plain


def normal_equations(form, items, weights):
    """One person's vector, in float64."""
    v, p = form.vectors.astype(np.float64), form.penalty
    size = np.any(v != 0, axis=1).sum()
    left = v[items].T @ (weights[:, None] * v[items]) + p.unobserved * v.T @ v
    ridge = p.l2 * (weights.sum() + p.unobserved * size) ** p.nu
    return np.linalg.solve(left + ridge * np.eye(v.shape[1]), v[items].T @ weights)


def test_a_history_of_a_stranger_is_folded_in_by_its_normal_equations(data):
    form = vt.IALS(dim=12, l2=0.02, nu=0.7).fit(data)
    rng = np.random.default_rng(1)
    histories = [rng.choice(np.flatnonzero(form.table_of_items.described), n, replace=False) for n in (1, 3, 11, 12, 13, 30)]
    asked = Queries.of_histories(data.items, [data.items.ids.gather(codes).to_list() for codes in histories])
    weights = [np.ones(len(codes)) for codes in histories]
    if data.events.weights is not None:
        own = rng.choice([0.5, 1, 4], sum(map(len, histories))).astype(np.float32)
        asked = replace(asked, events=replace(asked.events, weights=own))
        weights = np.split(own.astype(np.float64), np.cumsum([len(codes) for codes in histories])[:-1])
    expected = [normal_equations(form, codes, c) for codes, c in zip(histories, weights, strict=True)]
    assert_allclose(form.encode(asked), expected, atol=1e-4)
    scores = form.score_block(asked)
    assert_allclose(scores[:, form.table_of_items.described], np.array(expected) @ form.vectors[form.table_of_items.described].T, atol=1e-4)


def test_a_known_person_is_folded_in_as_the_fits_own_half_sweep_solves_him(data):
    form = vt.IALS(dim=12, l2=0.02).fit(data)
    pairs, n_items = Entries.of(data), int(np.count_nonzero(data.catalogue.users))
    people = solved(*pairs, form.vectors, form.squares, n_items, form.penalty)
    assert_allclose(form.encode(data.queries(codes=np.arange(len(data.users)))), people, atol=1e-5)


def test_what_has_no_vector_is_not_read_and_has_no_score():
    vectors = np.array([[1, 0], [0, 0], [0.5, 0.2]], np.float32)
    items = vt.Vocabulary.of(["tea", "new", "milk"])
    catalogue = vt.testing.toy().catalogue
    form = FoldedIn(items, catalogue, vectors, straightened(vectors), Penalty(0.1, 0.01, 1))
    asked = Queries.of_histories(items, [["tea", "new"], ["tea"], ["new"], []])
    scores, encoded = form.score_block(asked), form.encode(asked)
    assert np.array_equal(encoded[0], encoded[1])
    assert not encoded[2:].any()
    assert np.isneginf(scores[2:]).all()
    assert np.isneginf(scores[:, 1]).all()
    assert np.isfinite(scores[:2][:, [0, 2]]).all()


def test_it_is_an_encoder_and_likeness_is_the_cosine():
    data = vt.testing.synthetic(users=80, items=50, mean_length=8)
    form = vt.IALS(dim=6, l2=0.05).fit(data)
    assert isinstance(form, Encoder)
    unit = form.vectors / np.maximum(np.linalg.norm(form.vectors, axis=1, keepdims=True), 1e-30)
    asked = np.flatnonzero(form.table_of_items.described)[:3].astype(np.int32)
    assert_allclose(
        form.item_relations(asked)[:, form.table_of_items.described], (unit[asked] @ unit.T)[:, form.table_of_items.described], atol=1e-6
    )
    ids = data.items.ids.gather(asked).to_list()
    best = form.similar_items(ids, k=4)
    cosines = unit[asked] @ unit.T
    cosines[np.arange(3), asked] = -1
    assert best.items[:, 0].tolist() == cosines.argmax(axis=1).tolist()
