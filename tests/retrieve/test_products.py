"""The top-k of a product of vectors against the top-k of all its scores, whatever the blocks and chunks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import vitrina as vt
from vitrina.catalogue import Catalogue
from vitrina.retrieve import products as module
from vitrina.retrieve.products import ItemVectors, Products, top_k_product
from vitrina.retrieve.top_k import top_k_dense
from vitrina.types import Eligibility, Events, Queries, Ragged

N_QUERIES = 23
KINDS = ("view", "buy")


def world(rng: np.random.Generator, whole_numbers: bool) -> tuple[Products, Queries, Catalogue]:
    """Vectors with ties, with rows of nothing and of NaN; histories with items that the catalogue doesn't know; additions to some scores."""
    n_items, dim = int(rng.integers(1, 60)), int(rng.integers(1, 9))
    draw = (
        (lambda *shape: rng.integers(-2, 3, shape))
        if whole_numbers
        else (lambda *shape: rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4))
    )
    vectors, states = draw(n_items, dim).astype(np.float32), draw(N_QUERIES, dim).astype(np.float32)
    twins = rng.integers(0, n_items, n_items)
    copied = rng.random(n_items) < 0.3
    vectors[copied] = vectors[twins[copied]]
    states[rng.random(N_QUERIES) < 0.1] = 0
    if rng.random() < 0.2:
        vectors[rng.integers(0, n_items)] = np.nan
    lengths = rng.integers(0, 9, N_QUERIES)
    stop = np.cumsum(lengths)
    events = Events(rng.integers(0, n_items + 2, stop[-1]).astype(np.int32), kinds=rng.integers(0, 2, stop[-1]).astype(np.uint8))
    vocabulary = vt.Vocabulary.of(range(n_items))
    queries = Queries(events, stop - lengths, stop, vocabulary, np.arange(N_QUERIES, dtype=np.int32), kind_names=KINDS)
    users = rng.integers(0, 5, n_items).astype(np.int64)
    also = rng.integers(0, n_items, 2).astype(np.int32)
    added = sparse.random(N_QUERIES, n_items, 0.2, "csr", np.float32, rng) if rng.random() < 0.5 else None
    return Products.of(states, ItemVectors.of(vectors), added), queries, Catalogue(users * 2, users, 9, also=also)


def eligibility(rng: np.random.Generator, n_items: int) -> Eligibility:
    def codes(most: int) -> np.ndarray:
        return rng.integers(-1, n_items + 2, rng.integers(0, most)).astype(np.int32)

    kinds = [lambda: None, lambda: codes(2 * n_items), lambda: Ragged.of([codes(12) for _ in range(N_QUERIES)])]
    include, exclude = (kinds[rng.integers(0, 3)]() for _ in range(2))
    return Eligibility(include, exclude, repeat=bool(rng.random() < 0.5), seen_kinds=("buy",) if rng.random() < 0.3 else None)


def in_float64(products: Products) -> np.ndarray:
    """All scores, each product summed in float64."""
    with np.errstate(invalid="ignore"):
        scores = (products.states.astype(np.float64) @ products.items.vectors.T.astype(np.float64)).astype(np.float32)
    if products.added is not None:
        scores += products.added.toarray()
    scores[:, (products.items.vectors == 0).all(axis=1)] = -np.inf
    scores[(products.states == 0).all(axis=1)] = -np.inf
    return scores


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "ROWS", 7)
    monkeypatch.setattr(module, "COLUMNS", 9)


def same(one, other):
    np.testing.assert_array_equal(one.items, other.items)
    np.testing.assert_array_equal(one.extra["source"], other.extra["source"])
    np.testing.assert_allclose(one.scores, other.scores, rtol=1e-6, equal_nan=True)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("seed", range(300))
def test_it_is_the_top_k_of_all_scores(seed):
    rng = np.random.default_rng(seed)
    products, queries, catalogue = world(rng, whole_numbers=seed % 3 > 0)
    eligible, k = eligibility(rng, len(catalogue.users)), int(rng.choice([1, 3, 10, 80]))
    asked = queries, k, eligible, catalogue, queries.vocabulary
    same(top_k_product(products, *asked), top_k_dense(in_float64(products), *asked))


def big(seed: int, n_items: int = 3000, n_queries: int = 300, dim: int = 48) -> tuple[Products, Queries, Catalogue]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n_items, dim)).astype(np.float32)
    vectors[1::2] = vectors[::2]  # each item has a twin, so that every place of every list is a tie
    counts = np.ones(n_items, np.int64)
    queries = Queries.of_histories(vt.Vocabulary.of(range(n_items)), [[q] for q in range(n_queries)])
    return Products.of(rng.normal(size=(n_queries, dim)).astype(np.float32), ItemVectors.of(vectors)), queries, Catalogue(counts, counts, 1)


def test_a_list_is_the_same_to_the_bit_whoever_else_asks():
    products, queries, catalogue = big(0)
    rest = Eligibility(repeat=True), catalogue, queries.vocabulary
    together = top_k_product(products, queries, 25, *rest)
    for part in (slice(3, 4), slice(17, 19), slice(100, 231)):
        few = top_k_product(products.take(np.arange(300)[part]), queries[part], 25, *rest)
        np.testing.assert_array_equal(few.items, together.items[part])
        np.testing.assert_array_equal(few.scores, together.scores[part])


def test_twins_stand_beside_each_other_the_lower_code_first():
    products, queries, catalogue = big(1)
    answer = top_k_product(products, queries, 25, Eligibility(repeat=True), catalogue, queries.vocabulary)
    assert (answer.items[:, ::2] % 2 == 0).all()
    np.testing.assert_array_equal(answer.items[:, 1::2], answer.items[:, :-1:2] + 1)


def test_where_few_items_are_eligible_for_everybody_only_those_are_multiplied(monkeypatch):
    products, queries, catalogue = big(2)
    widths = []
    whole = np.matmul
    monkeypatch.setattr(module.np, "matmul", lambda a, b, out: (widths.append(b.shape[1]), whole(a, b, out=out))[1])
    some = np.arange(5, 3000, 7, dtype=np.int32)
    asked = queries, 25, Eligibility(include=some), catalogue, queries.vocabulary
    answer = top_k_product(products, *asked)
    assert sum(widths) == len(some)
    same(answer, top_k_dense(in_float64(products), *asked))


def test_scores_and_pairs_are_those_of_the_lists():
    products, queries, catalogue = big(3)
    answer = top_k_product(products, queries, 25, Eligibility(), catalogue, queries.vocabulary)
    np.testing.assert_array_equal(products.pairs(Ragged.of(list(answer.items))), answer.scores.ravel())
    np.testing.assert_allclose(np.take_along_axis(products.scores(), answer.items.astype(np.int64), 1), answer.scores, rtol=1e-5, atol=1e-5)


def test_no_queries_and_no_dimension_give_lists_too():
    products, queries, catalogue = big(4)
    rest = Eligibility(), catalogue, queries.vocabulary
    assert top_k_product(products.take(np.arange(0)), queries[:0], 4, *rest).items.shape == (0, 4)
    nothing = Products.of(np.zeros((300, 0), np.float32), ItemVectors.of(np.zeros((3000, 0), np.float32)))
    assert top_k_product(nothing, queries, 4, *rest).fallback.all()
