"""Candidates of several sources: nothing is lost, nothing is made up, and who found what is counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.ranking import Source, Sources, source_recall
from vitrina.testing import synthetic, toy

POPULAR = Source(model=vt.Popularity(), n=5)
TOGETHER = Source(model=vt.Cooccurrence(), n=7, name="together")
OWN = Source(model=vt.TopPersonal(), n=3)
REPEAT = vt.Eligibility(repeat=True)


def asked(sources, data, eligible=REPEAT, queries=None):
    queries = data.queries() if queries is None else queries
    fitted = Sources.fit(sources, data)
    return fitted, fitted.candidates(queries, eligible=eligible)


def test_the_candidates_are_what_each_source_lists():
    data = synthetic(users=60)
    fitted, pairs = asked((POPULAR, TOGETHER, OWN), data)
    for s, (recommender, n) in enumerate(zip(fitted.recommenders, fitted.quotas, strict=True)):
        lists = recommender.recommend(pairs.queries, n, eligible=REPEAT)
        for q in range(len(pairs.queries)):
            own = slice(*pairs.items.indptr[[q, q + 1]])
            listed = [(i, r + 1) for r, (i, f) in enumerate(zip(lists.items[q], lists.fallback[q], strict=True)) if i >= 0 and not f]
            found = pairs.found[own, s]
            assert sorted(zip(pairs.codes[own][found], pairs.ranks[own, s][found], strict=True)) == sorted(listed)
            assert np.isnan(pairs.ranks[own, s][~found]).all()
    assert pairs.found.any(axis=1).all()
    assert all((np.diff(pairs.items[q]) > 0).all() for q in range(len(pairs.queries)))


def test_a_source_that_can_score_scores_the_candidates_of_others():
    data = synthetic(users=40)
    fitted, pairs = asked((POPULAR, TOGETHER, OWN), data)
    for s, recommender in enumerate(fitted.recommenders):
        scores = recommender.score(pairs.queries, np.arange(data.n_items, dtype=np.int32))[pairs.rows, pairs.codes]
        np.testing.assert_allclose(pairs.scores[:, s], np.where(np.isfinite(scores), scores, np.nan), rtol=1e-6)
    assert (~pairs.found & np.isfinite(pairs.scores)).any()


def test_what_gives_lists_alone_is_missing_elsewhere():
    data = synthetic(users=40)
    listing = Source(model=vt.Reranked(model=vt.Popularity(), reranker=vt.testing.KeepOrder()), n=4)
    _, pairs = asked((TOGETHER, listing), data)
    assert (np.isfinite(pairs.scores[:, 1]) == pairs.found[:, 1]).all()


def test_eligibility_comes_first():
    data = synthetic(users=40)
    eligible = vt.Eligibility(include=np.arange(30, dtype=np.int32), exclude=np.arange(5, dtype=np.int32))
    _, pairs = asked((POPULAR, TOGETHER), data, eligible)
    assert ((pairs.codes >= 5) & (pairs.codes < 30)).all()
    seen = [set(pairs.queries.histories()[q]) for q in range(len(pairs.queries))]
    assert not any(code in seen[q] for q, code in zip(pairs.rows, pairs.codes, strict=True))
    assert (np.bincount(pairs.rows[pairs.found[:, 0]]) == 5).all()


def test_cold_items_are_candidates_and_scored():
    whole = synthetic(users=60)
    cold = whole.catalogue.by_popularity[::7]
    data = whole.select(~np.isin(whole.events.items, cold))
    _, pairs = asked((POPULAR, Source(model=vt.ContentSimilarity(columns=("group",)), n=20)), data)
    of_cold = np.isin(pairs.codes, cold)
    assert of_cold.any()
    assert np.isfinite(pairs.scores[of_cold, 1]).all()
    assert np.isnan(pairs.scores[of_cold, 0]).all()  # popularity doesn't recommend them


def test_a_query_alone_gets_what_it_gets_among_others():
    data = synthetic(users=30)
    fitted, pairs = asked((POPULAR, TOGETHER, OWN), data)
    for q in (0, 7, 29):
        alone, part = fitted.candidates(pairs.queries[q], eligible=REPEAT), pairs.of_queries(slice(q, q + 1))
        np.testing.assert_array_equal(alone.codes, part.codes)
        np.testing.assert_array_equal(alone.scores, part.scores)
        np.testing.assert_array_equal(alone.ranks, part.ranks)
    kept = pairs.keep(pairs.found[:, 2])
    assert (kept.ranks[:, 2] >= 1).all()
    assert len(kept.queries) == len(pairs.queries)
    assert sum(len(block) for _, block in pairs.blocks(50)) == len(pairs)


def test_recall_of_sources_by_hand():
    data = synthetic(users=50)
    split = data.split(vt.split.GlobalTime(quantile=0.8, repeat=True))
    _, pairs = asked((POPULAR, TOGETHER, OWN), split.train, split.eligible, split.queries)
    table = {row["source"]: row for row in source_recall(pairs, split.truth).iter_rows(named=True)}
    lists = {
        name: [set(pairs.items[q][pairs.found[slice(*pairs.items.indptr[[q, q + 1]]), s]]) for q in range(len(split.queries))]
        for s, name in enumerate(pairs.sources)
    }
    truth = [set(split.truth[q]) for q in range(len(split.truth))]
    for name, own in lists.items():
        others = [set().union(*(lists[n][q] for n in lists if n != name)) for q in range(len(truth))]
        assert table[name]["recall"] == pytest.approx(np.mean([len(t & o) / len(t) for t, o in zip(truth, own, strict=True)]))
        assert table[name]["hits"] == sum(len(t & o) for t, o in zip(truth, own, strict=True))
        assert table[name]["unique_hits"] == sum(len(t & o - e) for t, o, e in zip(truth, own, others, strict=True))
        assert table[name]["candidates"] == pytest.approx(np.mean([len(o) for o in own]))
    union = [set().union(*(own[q] for own in lists.values())) for q in range(len(truth))]
    assert table["all together"]["recall"] == pytest.approx(np.mean([len(t & u) / len(t) for t, u in zip(truth, union, strict=True)]))


def test_what_several_sources_say_of_themselves_stands_once():
    data = replace(toy(), repeat=True)
    alike = (Source(model=vt.Cooccurrence(), name="all"), Source(model=vt.Cooccurrence(neighbours=2), name="few"))
    said = Sources.fit((*alike, POPULAR), data).notes
    assert said[0].startswith("all, few: An item counts for itself")
    assert len(said) == len(set(Sources.fit(alike[:1], data).notes))


def test_names_are_different():
    with pytest.raises(ParameterError, match=r"two are called 'Popularity'\. Give one a name"):
        Sources.fit((POPULAR, POPULAR), toy())
    with pytest.raises(ParameterError, match=r"without a '\|'"):
        Sources.fit((Source(model=vt.Popularity(), name="a|b"),), toy())
    with pytest.raises(ParameterError, match="one or more"):
        Sources.fit((), toy())


def test_a_stranger_has_candidates_of_popularity_alone():
    data = toy()
    _, pairs = asked((POPULAR, TOGETHER), data, queries=vt.Queries.of_histories(data.items, [[]]))
    assert pairs.found[:, 0].all()
    assert not pairs.found[:, 1].any()


def test_a_source_with_dense_scores_is_asked_once_and_says_the_same():
    data = synthetic(users=40)
    fitted, pairs = asked((Source(model=vt.TifuKNN(neighbours=5), n=6), POPULAR), data, eligible=vt.Eligibility())
    near = fitted.recommenders[0]
    lists, wanted = near.recommend(pairs.queries, 6), near.score_pairs(pairs.queries, pairs.items)
    assert np.allclose(pairs.scores[:, 0], np.where(np.isfinite(wanted), wanted, np.nan), equal_nan=True)
    for q in range(len(pairs.queries)):
        own = slice(*pairs.items.indptr[[q, q + 1]])
        by_rank = np.argsort(pairs.ranks[own, 0])[: int(pairs.found[own, 0].sum())]
        assert pairs.codes[own][by_rank].tolist() == lists.items[q][(lists.items[q] >= 0) & ~lists.fallback[q]].tolist()
