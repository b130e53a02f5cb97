"""The one top-k against sorting everything, and what it promises at the edges."""

from __future__ import annotations

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError, VocabularyError
from vitrina.catalogue import Catalogue
from vitrina.retrieve.top_k import block_size, top_k_dense, top_k_ragged
from vitrina.types import Eligibility, Events, Queries, Ragged

N_ITEMS, N_QUERIES = 30, 40
VOCABULARY = vt.Vocabulary.of([f"i{c}" for c in range(N_ITEMS)])
KINDS = ("view", "buy")


def world(seed: int) -> tuple[np.ndarray, Queries, Catalogue]:
    """Scores with many ties, -inf and NaN; histories with kinds; a catalogue with holes."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, (N_QUERIES, N_ITEMS)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.3] = -np.inf
    scores[rng.random(scores.shape) < 0.05] = np.nan
    scores[0] = -np.inf
    lengths = rng.integers(0, 9, N_QUERIES)
    stop = np.cumsum(lengths)
    events = Events(rng.integers(0, N_ITEMS, stop[-1]).astype(np.int32), kinds=rng.integers(0, 2, stop[-1]).astype(np.uint8))
    queries = Queries(events, stop - lengths, stop, VOCABULARY, np.arange(N_QUERIES, dtype=np.int32), kind_names=KINDS)
    users = rng.integers(0, 5, N_ITEMS).astype(np.int64)
    return scores, queries, Catalogue(users * 2, users, 9)


def ragged(rng: np.random.Generator, most: int) -> Ragged:
    return Ragged.of([rng.integers(0, N_ITEMS, rng.integers(0, most)) for _ in range(N_QUERIES)])


def eligibilities(seed: int) -> dict[str, Eligibility]:
    rng = np.random.default_rng(seed + 100)
    some = rng.permutation(N_ITEMS)[:14].astype(np.int32)
    return {
        "plain": Eligibility(),
        "repeat": Eligibility(repeat=True),
        "buys count as seen": Eligibility(seen_kinds=("buy",)),
        "include for all": Eligibility(include=some),
        "exclude for all": Eligibility(exclude=some, repeat=True),
        "include a row": Eligibility(include=ragged(rng, 12)),
        "exclude a row": Eligibility(exclude=ragged(rng, 12)),
        "everything": Eligibility(include=ragged(rng, 20), exclude=some[:4], seen_kinds=("view",)),
        "nothing": Eligibility(include=np.empty(0, np.int32)),
    }


def slow(scores, queries, k, eligible, catalogue):
    """Sort all items of each query in plain Python."""
    lists, sources = [], []
    for q in range(len(queries)):
        part = slice(queries.start[q], queries.stop[q])
        include, exclude = (set(np.asarray(p[q] if isinstance(p, Ragged) else p).tolist()) if p is not None else None
                            for p in (eligible.include, eligible.exclude))  # fmt: skip
        seen = set()
        if not eligible.repeat:
            for item, kind in zip(queries.events.items[part].tolist(), queries.events.kinds[part].tolist(), strict=True):
                if eligible.seen_kinds is None or KINDS[kind] in eligible.seen_kinds:
                    seen.add(item)
        allowed = [
            i for i in range(len(catalogue.events))
            if catalogue.events[i] > 0 and (include is None or i in include) and i not in (exclude or ()) and i not in seen
        ]  # fmt: skip
        known = [i for i in allowed if scores[q, i] > -np.inf]
        ranked = sorted(known, key=lambda i: (-scores[q, i], i))[:k]
        rest = sorted(set(allowed) - set(known), key=lambda i: (-catalogue.users[i], i))[: k - len(ranked)]
        row = ranked + rest
        lists.append(row + [-1] * (k - len(row)))
        sources.append([0] * len(ranked) + [1] * len(rest) + [0] * (k - len(row)))
    return np.array(lists), np.array(sources)


def as_candidates(scores: np.ndarray, rng: np.random.Generator) -> tuple[Ragged, np.ndarray]:
    """The same scores as lists of candidates in any order; what is not listed has no score."""
    rows = [rng.permutation(np.flatnonzero(row > -np.inf)) for row in scores]
    candidates = Ragged.of(rows)
    return candidates, scores[candidates.row_of, candidates.values]


@pytest.mark.parametrize("name", list(eligibilities(0)))
@pytest.mark.parametrize("k", [1, 7, 40])
@pytest.mark.parametrize("seed", [0, 1])
def test_both_forms_equal_sorting_everything(name, k, seed):
    scores, queries, catalogue = world(seed)
    eligible = eligibilities(seed)[name]
    items, source = slow(scores, queries, k, eligible, catalogue)
    width = min(k, int(catalogue.mask.sum()))  # a list is no wider than the catalogue
    assert (items[:, width:] == -1).all()
    items, source = items[:, :width], source[:, :width]
    candidates, flat = as_candidates(scores, np.random.default_rng(seed))
    for answer in (
        top_k_dense(scores, queries, k, eligible, catalogue, VOCABULARY),
        top_k_ragged(candidates, flat, queries, k, eligible, catalogue, VOCABULARY),
    ):
        np.testing.assert_array_equal(answer.items, items)
        np.testing.assert_array_equal(answer.extra["source"], source)
        own = (items >= 0) & (source == 0)
        np.testing.assert_array_equal(answer.scores[own], scores[np.nonzero(own)[0], items[own]])
        assert np.isnan(answer.scores[~own]).all()


def test_a_query_without_any_score_gets_popularity():
    scores, queries, catalogue = world(0)
    answer = top_k_dense(scores, queries, 5, Eligibility(repeat=True), catalogue, VOCABULARY)
    assert answer.items[0].tolist() == catalogue.by_popularity[:5].tolist()
    assert answer.fallback[0].all()


def test_cold_items_named_by_the_catalogue_can_be_shown():
    scores, queries, catalogue = world(0)
    cold = np.flatnonzero(catalogue.events == 0).astype(np.int32)
    also = Catalogue(catalogue.events, catalogue.users, 9, also=cold)
    scores[:, cold[0]] = 99
    shown = [top_k_dense(scores, queries, 1, Eligibility(repeat=True), c, VOCABULARY).items[:, 0] for c in (catalogue, also)]
    assert cold[0] not in shown[0]
    assert (shown[1] == cold[0]).all()


def test_items_that_the_catalogue_does_not_know_are_passed_over():
    scores, queries, catalogue = world(0)
    strange = Ragged.of([[-1, 3, 2**20, N_ITEMS] for _ in range(N_QUERIES)])
    for eligible in (Eligibility(include=strange), Eligibility(include=strange.values), Eligibility(exclude=strange)):
        answer = top_k_dense(scores, queries, 3, eligible, catalogue, VOCABULARY)
        assert answer.items.max() < N_ITEMS


@pytest.mark.parametrize(("part", "word"), [("include", "include"), ("exclude", "row per query")])
def test_rows_must_be_as_many_as_queries(part, word):
    scores, queries, catalogue = world(0)
    with pytest.raises(ParameterError, match=word):
        top_k_dense(scores, queries, 3, Eligibility(**{part: Ragged.of([[1]])}), catalogue, VOCABULARY)


def test_what_can_not_be_asked_is_refused():
    scores, queries, catalogue = world(0)
    with pytest.raises(ParameterError, match=r"at least 1\. Got 0"):
        top_k_dense(scores, queries, 0, Eligibility(), catalogue, VOCABULARY)
    with pytest.raises(ParameterError, match="view, buy"):
        top_k_dense(scores, queries, 3, Eligibility(seen_kinds=("click",)), catalogue, VOCABULARY)
    with pytest.raises(VocabularyError, match="other item ids"):
        top_k_dense(scores, queries, 3, Eligibility(), catalogue, vt.Vocabulary.of([f"j{c}" for c in range(N_ITEMS)]))


def test_no_queries_give_an_empty_answer():
    scores, queries, catalogue = world(0)
    assert top_k_dense(scores[:0], queries[:0], 4, Eligibility(), catalogue, VOCABULARY).items.shape == (0, 4)


def test_a_block_of_scores_stays_small():
    assert block_size(10) == 4096
    assert block_size(10**9) == 16
    assert block_size(100_000) * 100_000 * 4 <= 16 << 20
