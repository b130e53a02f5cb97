"""Fading over hundreds of half-lives: rankings equal those of exact fractions, in every model with a decay."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, log1p

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.forms.history import Baskets
from vitrina.forms.levels import levels_of, plus, scores_of, sums, times, weights_of
from vitrina.forms.profile import BasketProfile
from vitrina.models.content_vectors import item_tfidf
from vitrina.types import Eligibility, Events, Queries

DAY = 86_400_000_000
NOON = 1_700_000_000_000_000
REPEAT = Eligibility(repeat=True)
N = 12


def log(seed, *, events=40, span=600, users=5):
    """Whole days, a few of them shared, over `span` days; the last two items are taken by nobody."""
    rng = np.random.default_rng(seed)
    n = users * events
    days = rng.integers(0, span, n)
    codes = np.repeat(np.arange(users), events)
    items = rng.integers(0, N - 2, n).astype(np.int32)
    vocabularies = vt.Vocabulary.of([f"u{u}" for u in range(users)]), vt.Vocabulary.of([f"i{i}" for i in range(N)])
    return Dataset.of_codes(codes, Events(items, NOON + days * DAY), *vocabularies, time_unit="us")


def power(halvings) -> Fraction:
    return Fraction(1, 2 ** int(halvings))


def ranked(scores: dict[int, Fraction]) -> list[int]:
    """Best first; ties to the lower code, where a double can't tell them apart either."""
    left, order = dict(scores), []
    while left:
        most = max(left.values())
        order.append(min(i for i, s in left.items() if s >= most * (1 - Fraction(1, 2**36))))
        del left[order[-1]]
    return order


def answers(form, queries):
    lists = form.recommend(queries, N, eligible=REPEAT)
    return [row[~faint & (row >= 0)].tolist() for row, faint in zip(lists.items, lists.fallback, strict=True)]


def test_levels_hold_what_floats_hold_and_much_more():
    weights = np.array([1, 3, 0.1, 2.0**-149, 1.7e300, 5e-324, 0])
    np.testing.assert_allclose(weights_of(levels_of(weights)[:-1])[:5], weights[:5], rtol=1e-13)
    assert levels_of(weights)[-1] == -np.inf
    assert plus(-5000.0, -5001.0) == levels_of(np.array([1.5]))[0] - 5000
    assert plus(-np.inf, -7.0) == -7
    assert times(-5000.0, 3.0) == -5000 + 1.5
    assert sums(np.array([-4000.0, -4000.0, -np.inf, 2.0]), np.array([0, 0, 1, 2]), 4).tolist() == [-3999, -np.inf, 2, -np.inf]


def test_scores_are_the_weights_where_they_fit_and_in_order_where_not():
    levels = np.array([-300.0, 0.0, -0.5, -300.5, -np.inf, -0.5 - 1e-9, -0.5, -1e18])
    scores = scores_of(levels, np.array([0, 0, 0, 0, 0, 0, 0, 1]))
    assert scores[[1, 2, 4]].tolist() == [1, np.nextafter(np.float32(0.75), 1, dtype=np.float32), -np.inf]
    assert scores[5] == np.float32(0.75)
    assert scores[2] == scores[6]
    assert 0 < scores[3] < scores[0] < 1e-37
    assert scores[7] > 0


@pytest.mark.parametrize("half_life", [0.1, 1, 7])
@pytest.mark.parametrize("by", ["users", "events"])
def test_popularity_equals_exact_fractions(half_life, by):
    for seed in range(5):
        data = log(seed)
        end = int(data.events.times.max())
        scores: dict[int, Fraction] = {}
        last = {(u, i): t for u, i, t in zip(data.user_of.tolist(), data.events.items.tolist(), data.events.times.tolist(), strict=True)}
        rows = (
            [(i, t) for (_, i), t in last.items()]
            if by == "users"
            else zip(data.events.items.tolist(), data.events.times.tolist(), strict=True)
        )
        for item, time in rows:
            age = Fraction(end - time, DAY) / Fraction(str(half_life))
            part = Fraction(2 ** -float(age - ceil(age))) * power(ceil(age))
            scores[item] = scores.get(item, Fraction(0)) + part
        for fit in (data, data.sharded(3)):
            form = vt.Popularity(half_life=half_life, by=by).fit(fit)
            assert form.ranking.tolist() == ranked(scores)
            plain = np.array([float(scores.get(i, 0)) for i in range(N)])
            np.testing.assert_allclose(np.where(np.isfinite(form.scores), form.scores, 0), plain, rtol=1e-6, atol=1e-37)


def test_what_is_160_and_210_days_old_keeps_its_order_and_is_ahead_of_what_nobody_took():
    days, codes = np.array([0, 50, 210]), [3, 2, 1]
    items = vt.Vocabulary.of(["never", "older", "old", "new"])
    events = Events(np.array(codes[::-1], np.int32), NOON + days * DAY)
    data = Dataset.of_codes(np.zeros(3, int), events, vt.Vocabulary.of(["ann"]), items, time_unit="us")
    assert vt.Popularity(half_life=1).fit(data).ranking.tolist() == codes
    fit = vt.TopPersonal(decay=vt.decay.Exponential(days=1)).fit(data)
    assert answers(fit, data.queries()) == [codes]
    late = replace(data.queries(), now=data.events.times[-1:] + 4000 * DAY)  # asked when all is long ago
    assert answers(fit, late) == [codes]
    window = vt.TopPersonal(decay=vt.decay.All(of=(vt.decay.Exponential(days=1), vt.decay.Window(days=180)))).fit(data)
    assert answers(window, data.queries()) == [[3, 2]]


@pytest.mark.parametrize("half_life", [1, 2])
def test_own_counts_equal_exact_fractions(half_life):
    for seed in range(5):
        data = log(seed)
        for decay in (vt.decay.Exponential(days=half_life), vt.decay.Exponential(events=half_life / 100)):
            queries = replace(data.queries(), now=data.queries().now - 1 + DAY)
            got = answers(vt.TopPersonal(decay=decay).fit(data), queries)
            for q in range(len(queries)):
                scores: dict[int, Fraction] = {}
                for at in range(queries.start[q], queries.stop[q]):
                    age = (
                        Fraction(int(queries.now[q] - data.events.times[at]), DAY)
                        if decay.days
                        else Fraction(int(queries.stop[q] - 1 - at))
                    )
                    age /= Fraction(str(half_life if decay.days else half_life / 100))
                    part = Fraction(2 ** float(ceil(age) - age)) * power(ceil(age))
                    item = int(data.events.items[at])
                    scores[item] = scores.get(item, Fraction(0)) + part
                assert got[q] == ranked(scores)


def weights_by_hand(queries, q) -> dict[int, Fraction]:
    """The newest event of each item, half-life of one day."""
    found: dict[int, Fraction] = {}
    for at in range(queries.start[q], queries.stop[q]):
        age = int(queries.now[q] - queries.events.times[at]) // DAY
        item = int(queries.events.items[at])
        found[item] = max(found.get(item, Fraction(0)), power(age))
    return found


@pytest.mark.parametrize("combine", [vt.combine.Sum(), vt.combine.Max(), vt.combine.Product()])
def test_item_maps_equal_exact_fractions(combine):
    for seed in range(4):
        data = log(seed, events=6, users=8)
        queries = replace(data.queries(), now=np.full(8, NOON + 600 * DAY))
        form = vt.Cooccurrence(decay=vt.decay.Exponential(days=1), combine=combine, neighbours=3).fit(data)
        matrix = form.weight_from_to.toarray()
        got = answers(form, queries)
        for q in range(len(queries)):
            scores: dict[int, Fraction] = {}
            for item, weight in weights_by_hand(queries, q).items():
                for to in np.flatnonzero(matrix[item]).tolist():
                    term = weight * Fraction(float(matrix[item, to]))
                    before = scores.get(to, Fraction(0))
                    if isinstance(combine, vt.combine.Product) and term > Fraction(1, 2**60):
                        term = Fraction(log1p(float(term)))
                    scores[to] = max(before, term) if isinstance(combine, vt.combine.Max) else before + term
            assert got[q] == ranked(scores)


def test_content_equals_exact_fractions():
    words = ["tea green", "tea black", "rye bread", "white bread", "plum jam", "plum", "oil", "salt", "sea salt", "ice", "ice tea", "rye"]
    table = FeatureTable(pl.DataFrame({"title": words}), {"title": "text"}, "title")
    vectors = [[Fraction(float(x)) for x in row] for row in item_tfidf(table).toarray()]
    for seed in range(4):
        data = replace(log(seed, events=6, users=8), item_table=table)
        queries = replace(data.queries(), now=np.full(8, NOON + 600 * DAY))
        got = answers(vt.ContentSimilarity(decay=vt.decay.Exponential(days=1)).fit(data), queries)
        for q in range(len(queries)):
            profile = [Fraction(0)] * len(vectors[0])
            for at in range(queries.start[q], queries.stop[q]):
                weight = power(int(queries.now[q] - data.events.times[at]) // DAY)
                profile = [p + weight * v for p, v in zip(profile, vectors[data.events.items[at]], strict=True)]
            scores = {i: sum(p * v for p, v in zip(profile, row, strict=True)) for i, row in enumerate(vectors)}
            assert got[q] == ranked({i: s for i, s in scores.items() if s})


def test_next_baskets_equal_exact_fractions():
    """A thousand baskets: within^n is far below float32, and every item keeps its place."""
    rng = np.random.default_rng(0)
    n = 700
    items = np.where(np.arange(n) < n - 3, np.minimum(np.arange(n) // 75, N - 3), 0).astype(np.int32)
    data = Dataset.of_codes(
        np.zeros(n, int),
        Events(items, NOON + np.arange(n) * DAY),
        vt.Vocabulary.of(["ann"]),
        vt.Vocabulary.of(list(range(N))),
        time_unit="us",
    )
    model = vt.TifuKNN(within=0.5, groups=2, between=0.5, neighbours=1, alpha=float(rng.random()))
    profile = BasketProfile(0.5, 0.5, 2)
    half = n // 2
    scores: dict[int, Fraction] = {}
    for i, item in enumerate(items.tolist()):
        scores[item] = scores.get(item, Fraction(0)) + power(n - 1 - i) * power(1 if i < half else 0) / half / 2
    assert answers(model.fit(data), data.queries()) == [ranked(scores)]
    assert profile.basket_weights(Baskets(np.array([0, 5000]), np.empty(0, np.int64))).min() > 0


@pytest.mark.parametrize("gap", [vt.decay.Exponential(days=1), vt.decay.Exponential(events=0.05)])
def test_gaps_equal_exact_fractions(gap):
    for seed in range(4):
        data = log(seed, events=4, users=6)
        form = vt.Cooccurrence(gap=gap, weighting=vt.weighting.Count()).fit(data)
        pairs: dict[int, dict[int, Fraction]] = {}
        for u in range(6):
            best: dict[tuple[int, int], Fraction] = {}
            mine = range(data.indptr[u], data.indptr[u + 1])
            for a in mine:
                for b in mine:
                    days = abs(int(data.events.times[a] - data.events.times[b])) // DAY
                    weight = power(days if gap.days else 20 * (abs(a - b) - 1)) if a != b else Fraction(0)
                    key = int(data.events.items[a]), int(data.events.items[b])
                    if key[0] != key[1]:
                        best[key] = max(best.get(key, Fraction(0)), weight)
            for (i, j), weight in best.items():
                pairs.setdefault(i, {})[j] = pairs.setdefault(i, {}).get(j, Fraction(0)) + weight
        histories = Queries.of_histories(data.items, [[data.items.ids[i]] for i in pairs])
        assert answers(form, histories) == [ranked(row) for row in pairs.values()]
        two = Queries.of_histories(
            data.items, [[data.items.ids[i], data.items.ids[j]] for i, j in zip(pairs, list(pairs)[1:], strict=False)]
        )
        for got, i, j in zip(answers(form, two), pairs, list(pairs)[1:], strict=False):
            assert got == ranked({t: pairs[i].get(t, Fraction(0)) + pairs[j].get(t, Fraction(0)) for t in {**pairs[i], **pairs[j]}})


def test_a_saved_map_of_faint_weights_answers_the_same(tmp_path):
    data = log(1, events=4, users=6)
    form = vt.Cooccurrence(gap=vt.decay.Exponential(days=1)).fit(data)
    assert form.weight_from_to.data.dtype == np.float64
    vt.save(form, tmp_path / "map")
    assert answers(vt.load(tmp_path / "map").recommender, data.queries()) == answers(form, data.queries())
