"""An approximate index: what it finds, and that eligibility, exact scores and full lists are as without it."""

from __future__ import annotations

import sys

import numpy as np
import polars as pl
import pytest
from scipy import sparse

import vitrina as vt
from vitrina.base.errors import MissingExtraError, ParameterError
from vitrina.catalogue import Catalogue
from vitrina.forms import ByIndex, Embeddings, FactoredEncoder, by_index
from vitrina.models.base import ModelConfig
from vitrina.models.cost import Size
from vitrina.testing import check_model
from vitrina.types import Eligibility, Queries, Ragged

pytest.importorskip("usearch")
N_ITEMS, DIM = 4000, 24
FOUND = 0.95  # of the best, at least: vectors whose lengths differ by a factor of a hundred are no easy case


class Clustered(ModelConfig):
    """Item vectors around some centres, of lengths that differ much; the history is a sum of vectors."""

    own: bool = False

    def fit(self, data, *, validation=None, start=None):
        rng = np.random.default_rng(0)
        centres = rng.normal(size=(40, DIM))
        vectors = centres[rng.integers(0, 40, N_ITEMS)] + rng.normal(size=(N_ITEMS, DIM)) * 0.7
        vectors *= rng.lognormal(0, 0.7, (N_ITEMS, 1))
        vectors[5] = 0
        own = np.where(np.arange(N_ITEMS) % 2, 300, -300).astype(np.float32) if self.own else None
        counts = np.ones(N_ITEMS, np.int64)
        counts[7] = 0
        return FactoredEncoder(data.items, Catalogue(counts, counts, 1), vectors.astype(np.float32), own=own)


@pytest.fixture(scope="module")
def log():
    items = np.random.default_rng(1).permutation(N_ITEMS)
    return vt.read_interactions(pl.DataFrame({"user": np.arange(N_ITEMS) // 5, "item": items}), user="user", item="item")


@pytest.fixture(scope="module")
def fitted(log):
    return vt.Indexed(model=Clustered()).fit(log)


def asked(form: ByIndex, n: int = 150) -> Queries:
    rng = np.random.default_rng(2)
    histories = [rng.integers(8, N_ITEMS, rng.integers(1, 9)).tolist() for _ in range(n)]
    ids = form.vocabulary.ids
    return Queries.of_histories(form.vocabulary, [ids.gather(history).to_list() for history in histories] + [[]])


def share_found(form: ByIndex, k: int, eligible: Eligibility) -> float:
    queries = asked(form)
    exact, found = form.inner.recommend(queries, k, eligible=eligible), form.recommend(queries, k, eligible=eligible)
    assert (found.items >= 0).all()
    assert not found.fallback[:-1].any()
    np.testing.assert_array_equal(found.fallback[-1], exact.fallback[-1])
    same = [np.isin(one, other).mean() for one, other in zip(found.items, exact.items, strict=True)]
    agree = found.items == exact.items
    np.testing.assert_array_equal(found.scores[agree], exact.scores[agree])
    return float(np.mean(same))


@pytest.mark.parametrize("k", [1, 20, 100])
def test_it_finds_nearly_all_of_the_best(fitted, k):
    assert share_found(fitted, k, Eligibility()) > FOUND


def test_lists_stay_full_whatever_is_eligible(fitted):
    rng, n = np.random.default_rng(3), 151
    most = Ragged.of([rng.permutation(N_ITEMS)[:3900] for _ in range(n)])
    few = Ragged.of([rng.permutation(N_ITEMS)[:200] for _ in range(n)])
    for eligible in (
        Eligibility(exclude=most),
        Eligibility(include=few),
        Eligibility(include=rng.permutation(N_ITEMS)[:120].astype(np.int32)),
        Eligibility(exclude=rng.permutation(N_ITEMS)[:3000].astype(np.int32), repeat=True),
    ):
        assert share_found(fitted, 20, eligible) > FOUND


def test_the_best_of_each_query_may_be_forbidden_one_by_one(fitted):
    queries = asked(fitted)
    best = fitted.inner.recommend(queries, 300).items
    assert share_found(fitted, 20, Eligibility(exclude=Ragged.of(list(best)))) > FOUND


def test_a_list_is_the_same_whoever_else_asks(fitted):
    queries = asked(fitted)
    together = fitted.recommend(queries, 20)
    for q in (0, 70, 149):
        alone = fitted.recommend(queries[q], 20)
        np.testing.assert_array_equal(alone.items[0], together.items[q])
        np.testing.assert_array_equal(alone.scores[0], together.scores[q])


def test_what_is_added_to_the_product_counts(log):
    form = vt.Indexed(model=Clustered(own=True)).fit(log)
    assert form.adds
    assert share_found(form, 20, Eligibility(repeat=True)) > FOUND


def test_the_same_vectors_make_the_same_graph(fitted, log):
    assert vt.Indexed(model=Clustered()).fit(log).graph.to_bytes() == fitted.graph.to_bytes()


def test_it_keeps_the_laws_where_every_list_comes_from_the_graph(monkeypatch):
    monkeypatch.setattr(by_index, "MOST", 10)
    monkeypatch.setattr(by_index, "FEW", 0)
    assert "encode" in check_model(vt.Indexed(model=vt.IALS(dim=8))).kept


def test_models_without_vectors_are_refused():
    log = vt.testing.synthetic(users=30, items=12)
    for model, form in ((vt.EASE(l2=20), "ItemMap"), (vt.ContentSimilarity(columns=("group",)), "Embeddings")):
        with pytest.raises(
            ParameterError, match=rf"dense vectors, such as vt\.IALS\(\).*fitted form is {form}; it answers without an index"
        ):
            vt.Indexed(model=model).fit(log)


def test_without_usearch_it_says_what_to_install_before_it_fits(monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(MissingExtraError, match=r"vitrina\[index\]"):
        vt.Indexed(model=vt.IALS(dim=4)).fit(vt.testing.toy())


def test_a_catalogue_without_vectors_is_answered_by_popularity():
    data = vt.testing.toy()
    nothing = Embeddings(data.items, data.catalogue, np.zeros((len(data.items), 3), np.float32))

    class Nothing(ModelConfig):
        def fit(self, data, *, validation=None, start=None):
            return nothing

    answer = vt.Indexed(model=Nothing()).fit(data).recommend(data.queries(), 2, eligible=Eligibility(repeat=True))
    assert answer.fallback.all()
    assert (answer.items >= 0).all()


def test_a_fit_goes_on_from_one_with_an_index():
    log = vt.testing.synthetic(users=60, items=24)
    model = vt.Indexed(model=vt.IALS(dim=8, epochs=1))
    again, plain = model.fit(log, start=model.fit(log)), vt.IALS(dim=8, epochs=1).fit(log, start=vt.IALS(dim=8, epochs=1).fit(log))
    np.testing.assert_array_equal(again.item_vectors, plain.item_vectors)


def test_it_costs_more_than_its_model():
    size = Size(users=1000, items=500, events=9000, entries=8000, pairs=1e5, events_pairs=2e5)
    plain, cost = vt.IALS(dim=8).cost(size), vt.Indexed(model=vt.IALS(dim=8)).cost(size)
    assert plain is not None
    assert cost is not None
    assert cost.kept > plain.kept
    assert cost.steps > plain.steps
    assert vt.Indexed(model=vt.RandomItems()).cost(size) is None


def test_notes_say_that_lists_are_approximate(fitted):
    assert any("approximate index" in note for note in fitted.notes)
    assert "search" in repr(vt.Indexed(model=vt.IALS(), search=64))


def test_it_is_saved_nested_and_read_again(tmp_path):
    log = vt.testing.synthetic(users=60, items=24)
    model = vt.Reranked(model=vt.Indexed(model=vt.IALS(dim=8)), reranker=vt.testing.KeepOrder())
    form = model.fit(log)
    artifact = vt.load(vt.save(form, tmp_path / "model", data=log))
    inside = artifact.recommender.recommender
    assert isinstance(inside, ByIndex)
    assert inside.graph.to_bytes() == form.recommender.graph.to_bytes()
    np.testing.assert_array_equal(artifact.recommender.recommend(log.queries(), 5).items, form.recommend(log.queries(), 5).items)


def test_sparse_additions_are_rows_of_their_queries(fitted):
    products = fitted.products(asked(fitted))
    added = sparse.random(len(products.states), N_ITEMS, 0.01, "csr", np.float32, np.random.default_rng(0))
    few = type(products)(products.states, products.items, products.known, added).take(np.array([4, 2]))
    assert (few.added != added[[4, 2]]).nnz == 0
    assert few.known.tolist() == products.known[[4, 2]].tolist()
