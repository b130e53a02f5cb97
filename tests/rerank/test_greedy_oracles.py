"""Each greedy re-ranker against its definition in plain NumPy on 200 random instances, and what must not matter to it."""

from dataclasses import replace
from functools import partial

import numpy as np
import polars as pl
import pytest
from scipy import sparse

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.rerank.base import Candidates, Ordering
from vitrina.rerank.greedy import arrays_of
from vitrina.rerank.limits import Limits

ALL = vt.Eligibility(repeat=True)


def vectors_of(rng, n, dim):
    """Directions at random, or in a few clusters of near-copies."""
    vectors = rng.standard_normal((n, dim))
    if rng.random() < 0.5:
        vectors = vectors[rng.integers(0, min(4, n), n)] + 0.1 * vectors
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def asked(vocabulary, queries=1):
    return vt.Queries.of_histories(vocabulary, [[]] * queries)


def lists_of(vocabulary, items, scores):
    return vt.Recommendations(np.array(items, np.int32), np.array(scores, np.float32), vocabulary)


def instance(seed):
    """Items with vectors, and the candidates of one query, best first."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    vectors = vectors_of(rng, n + 5, int(rng.integers(2, 12)))
    items = rng.permutation(n + 5)[:n]
    scores = np.sort(rng.standard_normal(n).astype(np.float32) * 10 ** float(rng.integers(-3, 4)))[::-1]
    return vt.Vocabulary.of(range(n + 5)), vectors, items, scores, float(rng.choice([0.0, 0.2, 0.5, 0.9, 1.0])), int(rng.integers(1, n + 4))


def relevances(scores):
    scores = scores.astype(np.float64)
    return (scores - scores[-1]) / (scores[0] - scores[-1]) if scores[0] > scores[-1] else np.ones(len(scores))


class Mmr:
    """What each candidate is worth after those that are listed, by the definition."""

    close = 1e-4  # what rounding may change

    def __init__(self, own, relevance, diversity):
        self.own, self.relevance, self.diversity = own, relevance, diversity

    def values(self, listed):
        closest = (self.own @ self.own[listed].T).max(axis=1) if listed else 0
        return (1 - self.diversity) * self.relevance - self.diversity * closest


def outside(own, listed):
    """Squares of what of each vector lies outside of the span of the listed ones; what adds less than .0001 to it is skipped."""
    left = own.copy()
    for j in listed:
        square = left[j] @ left[j]
        if square > 1e-4:
            direction = left[j] / np.sqrt(square)
            left = left - np.outer(left @ direction, direction)
    return (left**2).sum(axis=1)


class Dpp(Mmr):
    """Where nothing that is left lies outside, the list goes on as if it began."""

    began = 0

    def values(self, listed):
        squares = outside(self.own, listed[self.began :])
        if len(listed) > self.began and (np.delete(squares, listed) <= 1e-4).all():
            self.began, squares = len(listed), np.ones(len(self.own))
        return (1 - self.diversity) * self.relevance + self.diversity * np.log(np.maximum(squares, 1e-4))


class Ssd(Mmr):
    close = 0.011  # a length of .01 or less is none, so that rounding may change a value by as much

    def values(self, listed):
        squares = outside(self.own, listed[-10:])
        return (1 - self.diversity) * self.relevance + self.diversity * np.sqrt(np.where(squares > 1e-4, squares, 0))


def check_greedy(places, oracle, k, barred=None):
    """Each place has the best of what was left and not barred, up to rounding; the first of those that are equal to the last digit."""
    n = len(oracle.own)
    assert len(places) == min(k, n)
    for at, c in enumerate(places):
        listed = places[:at]
        left = [j for j in range(n) if j not in listed]
        left = [j for j in left if barred is None or not barred(j, listed)] or left
        values = oracle.values(listed)
        assert c in left
        assert values[c] >= values[left].max() - oracle.close, f"place {at}: {c} with {values[c]}, {left} with {values[left]}"


ORACLES = {vt.MMR: Mmr, vt.DPP: Dpp, vt.SSD: Ssd}
EXACT = {vt.MMR, vt.DPP, vt.SSD}  # what chooses each place by itself, and not a batch at a time


@pytest.mark.parametrize("kind", ORACLES, ids=lambda kind: kind.__name__)
def test_it_is_the_definition_on_200_instances(kind):
    for seed in range(200):
        vocabulary, vectors, items, scores, diversity, k = instance(seed)
        fitted = Ordering(kind(diversity=diversity), arrays_of(vectors))
        lists = ranked(fitted, vocabulary, items, scores, k)
        places = [items.tolist().index(item) for item in lists]
        check_greedy(places, ORACLES[kind](vectors[items].astype(np.float64), relevances(scores), diversity), k)
        assert diversity or places == list(range(len(places)))


def ranked(fitted, vocabulary, items, scores, k):
    return fitted.rerank(asked(vocabulary), lists_of(vocabulary, [items], [scores]), k, eligible=ALL).items[0].tolist()


@pytest.mark.parametrize("kind", ORACLES, ids=lambda kind: kind.__name__)
def test_neither_scale_nor_offset_of_scores_matters(kind):
    for seed in range(40):
        vocabulary, vectors, items, scores, diversity, k = instance(seed)
        fitted = Ordering(kind(diversity=diversity), arrays_of(vectors))
        whole = np.round(scores / scores[0] * 64) if scores[0] else scores  # of few digits, so that nothing is rounded below
        once = ranked(fitted, vocabulary, items, whole, k)
        assert ranked(fitted, vocabulary, items, whole * 1024, k) == ranked(fitted, vocabulary, items, whole + 4096, k) == once


@pytest.mark.parametrize("kind", ORACLES, ids=lambda kind: kind.__name__)
def test_at_diversity_one_a_copy_comes_after_everything_else(kind):
    for seed in range(40):
        rng = np.random.default_rng(seed)
        vectors = np.linalg.qr(rng.standard_normal((12, 12)))[0].astype(np.float32)[:6]
        twice = np.concatenate([vectors, vectors])  # item 6 + i is a copy of item i
        items = rng.permutation(12)
        lists = ranked(Ordering(kind(diversity=1.0), arrays_of(twice)), vt.Vocabulary.of(range(12)), items, 12 - np.arange(12), 12)
        assert sorted(item % 6 for item in lists[:6]) == list(range(6))
        assert sorted(lists) == list(range(12))


@pytest.mark.parametrize("kind", ORACLES, ids=lambda kind: kind.__name__)
def test_sparse_vectors_say_the_same_as_dense_ones(kind):
    for seed in range(40):
        vocabulary, vectors, items, scores, diversity, k = instance(seed)
        rng = np.random.default_rng(seed)
        vectors = np.where(rng.random(vectors.shape) < 0.5, vectors, 0)
        vectors = (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)).astype(np.float32)
        both = (Ordering(kind(diversity=diversity), arrays_of(kept)) for kept in (vectors, sparse.csr_matrix(vectors)))
        dense, thin = (ranked(fitted, vocabulary, items, scores, k) for fitted in both)
        assert dense == thin, seed


def capped(groups, most, first):
    """Limits of one query: at most `most` of each group among the first `first` places."""
    n, kinds = len(groups), int(max(groups)) + 1
    whole = np.full(kinds, first, np.int32)
    return Limits(
        np.arange(n + 1), np.array(groups, np.int32), np.array([0, kinds]), np.arange(kinds, dtype=np.int32), whole,
        np.full(kinds, most, np.int32), np.zeros(kinds, np.int32), np.full((1, n), -1, np.int32), np.zeros(n + 1, np.int64), np.empty(0, np.int32),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ORACLES, ids=lambda kind: kind.__name__)
def test_caps_are_met_inside_the_choice(kind):
    """As the definition that leaves out what a cap forbids, unless nothing else is left."""
    for seed in range(60):
        vocabulary, vectors, items, scores, diversity, k = instance(seed)
        rng = np.random.default_rng(seed)
        groups, most, first = rng.integers(0, 4, len(items)), int(rng.integers(1, 3)), int(rng.integers(2, 12))
        candidates = Candidates.of(asked(vocabulary), lists_of(vocabulary, [items], [scores]), k, ALL)
        candidates = replace(candidates, limits=capped(groups, most, first))
        reranker = kind(diversity=diversity)
        places = reranker.order(asked(vocabulary), candidates, arrays_of(vectors))[0][0]
        assert sorted(set(places.tolist())) == sorted(places.tolist())
        for place, c in enumerate(places.tolist()):
            before = places[:place].tolist()
            full = {g for g in range(4) if place < first and sum(groups[j] == g for j in before) >= most}
            others = [c for c in range(len(items)) if c not in before and groups[c] not in full]
            assert groups[c] not in full or not others
        own = vectors[items].astype(np.float64)
        if kind in EXACT:
            forbids = partial(barred, groups=groups, most=most, first=first)
            check_greedy(places.tolist(), ORACLES[kind](own, relevances(scores), diversity), k, forbids)


def barred(c, chosen, *, groups, most, first):
    return len(chosen) < first and sum(groups[j] == groups[c] for j in chosen) >= most


def test_a_request_says_its_own_diversity():
    vocabulary, vectors, items, scores, _, _ = instance(3)
    fitted = Ordering(vt.MMR(diversity=0.5), arrays_of(vectors))
    lists = lists_of(vocabulary, [items, items], [scores, scores])
    queries = replace(asked(vocabulary, 2), context=pl.DataFrame({"diversity": [0.0, 0.9]}))
    both = fitted.rerank(queries, lists, 5, eligible=ALL).items
    assert both[0].tolist() == items[:5].tolist()
    assert both[1].tolist() == ranked(Ordering(vt.MMR(diversity=0.9), arrays_of(vectors)), vocabulary, items, scores, 5)
    with pytest.raises(ParameterError, match=r"between 0 and 1\. Got 0 to 1\.5"):
        fitted.rerank(replace(queries, context=pl.DataFrame({"diversity": [0.0, 1.5]})), lists, 5)


def test_vectors_of_the_model_are_taken_inside_reranked_alone():
    data = vt.testing.synthetic(users=40, items=30)
    reranker = vt.MMR(diversity=0.5, vectors=vt.similarity.OfModel())
    fitted = vt.Reranked(model=vt.ContentSimilarity(), reranker=reranker).fit(data)
    assert fitted.recommend(data.queries(), 5).items.shape == (40, 5)
    with pytest.raises(ParameterError, match="OfInteractions"):
        vt.Reranked(model=vt.EASE(), reranker=reranker).fit(data)


def test_an_item_newer_than_the_vectors_is_like_no_other():
    vocabulary, vectors, items, scores, _, k = instance(5)
    known = np.where(items < len(vectors) - 8, items, -1)
    own = np.where((known >= 0)[:, None], vectors[items], 0).astype(np.float64)
    fitted = Ordering(vt.MMR(diversity=0.6), arrays_of(vectors[:-8]))
    places = [items.tolist().index(item) for item in ranked(fitted, vocabulary, items, scores, k)]
    check_greedy(places, Mmr(own, relevances(scores), 0.6), k)
