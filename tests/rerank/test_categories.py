"""XQuAD and Calibrated against their definitions in plain NumPy on 200 random instances, and SMMR on what it promises."""

import numpy as np
import pytest
from scipy import sparse

import vitrina as vt
from vitrina.forms.matrices import sparse_arrays
from vitrina.rerank.base import Ordering
from vitrina.rerank.greedy import arrays_of
from vitrina.rerank.smmr import SMMR
from vitrina.testing import check_reranker

ALL = vt.Eligibility(repeat=True)


def instance(seed):
    """Items filed under categories, a history, and candidates best first."""
    rng = np.random.default_rng(seed)
    n, aspects = int(rng.integers(2, 30)), int(rng.integers(1, 7))
    members = (rng.random((n, aspects)) < 0.4).astype(float)
    members /= np.maximum(members.sum(axis=1, keepdims=True), 1)
    items, history = rng.permutation(n), rng.integers(0, n, int(rng.integers(0, 6))).tolist()
    scores = np.sort(rng.standard_normal(n).astype(np.float32))[::-1]
    return members, items, history, scores, float(rng.choice([0.0, 0.2, 0.5, 0.9, 1.0])), int(rng.integers(1, n + 3))


def wishes(members, history):
    total = members[history].sum(axis=0)
    return total / total.sum() if total.sum() else None


def xquad(members, p, listed, c):
    p = members.mean(axis=0) if p is None else p
    return sum(p[a] * 0.5 * members[c, a] * np.prod([1 - 0.5 * members[j, a] for j in listed]) for a in range(len(p)))


def calibrated(members, p, listed, c):
    q = members[[*listed, c]].sum(axis=0) / (len(listed) + 1)
    return 0 if p is None else -sum(x * np.log(x / (0.99 * y + 0.01 * x)) for x, y in zip(p, q, strict=True) if x > 0)


@pytest.mark.parametrize(("kind", "worth"), [(vt.XQuAD, xquad), (vt.Calibrated, calibrated)], ids=["XQuAD", "Calibrated"])
def test_it_is_the_definition_on_200_instances(kind, worth):
    for seed in range(200):
        members, items, history, scores, diversity, k = instance(seed)
        vocabulary, own = vt.Vocabulary.of(range(len(items))), members[items]
        fitted = Ordering(kind(diversity=diversity), sparse_arrays(sparse.csr_matrix(members.astype(np.float32))))
        queries = vt.Queries.of_histories(vocabulary, [history])
        lists = fitted.rerank(queries, vt.Recommendations(items[None].astype(np.int32), scores[None], vocabulary), k, eligible=ALL)
        places = [items.tolist().index(item) for item in lists.items[0] if item >= 0]
        assert len(places) == min(k, len(items))
        p, relevance = wishes(members, history), (scores - scores[-1]).astype(np.float64) / float(scores[0] - scores[-1])
        for at, c in enumerate(places):
            left = [j for j in range(len(items)) if j not in places[:at]]
            values = {j: (1 - diversity) * relevance[j] + diversity * worth(own, p, places[:at], j) for j in left}
            assert values[c] >= max(values.values()) - 1e-5, (seed, at)


@pytest.mark.parametrize("kind", [vt.MMR, vt.SMMR, vt.DPP, vt.SSD, vt.XQuAD, vt.Calibrated], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("diversity", [0.1, 0.6, 1.0])
def test_the_laws_hold_at_any_diversity(kind, diversity):
    assert set(check_reranker(kind(diversity=diversity)).skipped) == set()


def near_copies(seed, groups=60, copies=5):
    """The vectors and scores of groups of near-copies; which group each item is in."""
    rng = np.random.default_rng(seed)
    vectors = np.repeat(rng.standard_normal((groups, 64)), copies, axis=0) + 0.05 * rng.standard_normal((groups * copies, 64))
    scores = np.repeat(rng.random(groups), copies) + 0.02 * rng.standard_normal(groups * copies)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), scores.astype(np.float32)


def redundant(reranker, seeds=10):
    total = 0
    for seed in range(seeds):
        vectors, scores = near_copies(seed)
        vocabulary = vt.Vocabulary.of(range(len(scores)))
        arrays = {**arrays_of(vectors), "hashes": np.arange(len(scores)).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)}
        lists = vt.Recommendations(np.arange(len(scores), dtype=np.int32)[None], scores[None], vocabulary)
        queries = vt.Queries.of_histories(vocabulary, [[]])
        items = Ordering(reranker, arrays).rerank(queries, lists, 20, eligible=ALL).items[0]
        total += 20 - len(set((items // 5).tolist()))
    return total / seeds


def test_smmr_lets_near_copies_through_only_where_a_batch_is_not_compared():
    assert redundant(SMMR(diversity=0.3, within=False)) > 5
    assert redundant(SMMR(diversity=0.3)) <= 2
    assert redundant(vt.MMR(diversity=0.3)) <= 2


def test_smmr_without_chance_and_one_item_per_round_is_mmr():
    for seed in range(20):
        vectors, scores = near_copies(seed, groups=8)
        vocabulary, arrays = vt.Vocabulary.of(range(40)), {**arrays_of(vectors), "hashes": np.zeros(40, np.uint64)}
        lists = vt.Recommendations(np.arange(40, dtype=np.int32)[None], scores[None], vocabulary)
        queries = vt.Queries.of_histories(vocabulary, [[]])
        one, other = (
            Ordering(r, arrays).rerank(queries, lists, 30, eligible=ALL).items.tolist()
            for r in (SMMR(diversity=0.5, temperature=0.0, scale=1.001), vt.MMR(diversity=0.5))
        )
        assert one == other


def test_another_seed_gives_another_draw():
    vectors, scores = near_copies(1)
    vocabulary = vt.Vocabulary.of(range(300))
    arrays = {**arrays_of(vectors), "hashes": np.arange(300).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)}
    lists = vt.Recommendations(np.arange(300, dtype=np.int32)[None], scores[None], vocabulary)
    queries = vt.Queries.of_histories(vocabulary, [[]])
    drawn = [
        Ordering(SMMR(temperature=0.1, seed=seed), arrays).rerank(queries, lists, 20, eligible=ALL).items.tolist() for seed in (0, 0, 1)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
