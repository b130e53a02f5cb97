"""Mixtures of sources against slow versions of each fusion, and what becomes of sources that fail, are late, or say strange things."""

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.catalogue import Catalogue
from vitrina.grades import Grades
from vitrina.retrieve.top_k import top_k_dense
from vitrina.search.hybrid import without_fallback
from vitrina.search.learned import _Lesson, features_of

ITEMS = 12
VOCABULARY = vt.Vocabulary.of([f"i{n}" for n in range(ITEMS)])
CATALOGUE = Catalogue(np.zeros(ITEMS, np.int64), np.zeros(ITEMS, np.int64), 0, np.arange(ITEMS, dtype=np.int32))


def rows_of(queries):
    """The row of each query: the number that its text is; the first where there is no text, as an artifact is asked."""
    return [0] * len(queries) if queries.texts is None else [int(text) for text in queries.texts]


@dataclass(frozen=True, eq=False)
class Table:
    """A source whose scores are a table: a row for each text, which is its number."""

    scores: np.ndarray
    notes: tuple = ()
    vocabulary: vt.Vocabulary = VOCABULARY
    catalogue: Catalogue = CATALOGUE
    asked: list = field(default_factory=list)

    def recommend(self, queries, k, *, eligible=vt.Eligibility()):
        self.asked.append(len(queries))
        rows = self.scores[rows_of(queries)].astype(np.float32)
        return without_fallback(top_k_dense(rows, queries, k, eligible, self.catalogue, self.vocabulary))

    def state(self):
        return vt.State(arrays={"scores": self.scores})

    @classmethod
    def of_state(cls, state, vocabulary, catalogue):
        return cls(state.arrays["scores"], vocabulary=vocabulary, catalogue=catalogue)


class Scored(Table):
    """The same, which can score any item."""

    def score(self, queries, items):
        return self.scores[rows_of(queries)][:, items].astype(np.float32)

    def score_pairs(self, queries, items):
        return np.concatenate([self.scores[row][items[q]] for q, row in enumerate(rows_of(queries))]).astype(np.float32)


class Broken(Table):
    def recommend(self, queries, k, *, eligible=vt.Eligibility()):
        raise RuntimeError("the index is gone")


class Slow(Table):
    def recommend(self, queries, k, *, eligible=vt.Eligibility()):
        self.asked.append(len(queries))
        time.sleep(0.4)
        return super().recommend(queries, k, eligible=eligible)


def random_scores(seed, queries=6, opinions=0.7):
    """With ties, negative numbers and items that the source has no opinion of."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(-4, 5, (queries, ITEMS)).astype(np.float32)
    scores[rng.random(scores.shape) > opinions] = -np.inf
    return scores


def asked(queries=6):
    return vt.Queries.of_texts(VOCABULARY, [str(q) for q in range(queries)])


def listed(lists):
    return [
        [(int(i), round(float(s), 5)) for i, s in zip(*row, strict=True) if i >= 0] for row in zip(lists.items, lists.scores, strict=True)
    ]


def slow_list(scores, depth, allowed):
    """(item, score) of a source, the best first, ties to the lower code."""
    known = [(i, float(s)) for i, s in enumerate(scores) if np.isfinite(s) and i in allowed]
    return sorted(known, key=lambda pair: (-pair[1], pair[0]))[:depth]


def best_first(totals, k):
    order = sorted(totals.items(), key=lambda pair: (-round(pair[1], 9), pair[0]))
    return [(item, round(score, 5)) for item, score in order[:k]]


def slow_rrf(sources, depth, k, constant, weights, allowed):
    totals = defaultdict(float)
    for scores, weight in zip(sources, weights, strict=True):
        found = slow_list(scores, depth, allowed)
        for item, score in found:
            better = sum(other > score for _, other in found)
            totals[item] += weight / (constant + better + 1)
    return best_first(totals, k)


def slow_convex(sources, depth, k, weights, part, allowed, others=False):
    found = [slow_list(scores, depth, allowed) for scores in sources]
    pool = {item for one in found for item, _ in one}
    totals = dict.fromkeys(pool, 0.0)
    for scores, own, weight in zip(sources, found, weights, strict=True):
        known = {i: float(scores[i]) for i in pool if np.isfinite(scores[i])} if others else dict(own)
        for item, value in known.items():
            totals[item] += weight / sum(weights) * part(value, list(known.values()))
    return best_first(totals, k)


def min_max(value, values):
    return 1.0 if max(values) == min(values) else (value - min(values)) / (max(values) - min(values))


def sigmas(value, values):
    spread = 3 * float(np.std(values))
    return 0.5 if spread == 0 else min(1.0, max(0.0, (value - float(np.mean(values)) + spread) / (2 * spread)))


@pytest.mark.parametrize("depth", [3, ITEMS])
def test_fusions_are_those_of_the_slow_versions(depth):
    tables = [random_scores(seed) for seed in (1, 2, 3)]
    eligible, allowed = vt.Eligibility(exclude=[0, 5]), set(range(ITEMS)) - {0, 5}
    named = {f"s{n}": Table(scores) for n, scores in enumerate(tables)}
    by_places = vt.search.Hybrid(named, vt.search.RRF(constant=2, weights=(1, 2, 0.5)), depth=depth)
    lists = listed(by_places.recommend(asked(), 4, eligible=eligible))
    assert lists == [slow_rrf([t[q] for t in tables], depth, 4, 2, (1, 2, 0.5), allowed) for q in range(6)]
    for scale, part in ((vt.scale.MinMax(), min_max), (vt.scale.Sigmas(), sigmas)):
        for kind, others in ((Table, False), (Scored, True)):
            mixture = vt.search.Hybrid(
                {f"s{n}": kind(scores) for n, scores in enumerate(tables)}, vt.search.Convex(weights=(3, 1, 2), scale=scale), depth=depth
            )
            lists = listed(mixture.recommend(asked(), ITEMS, eligible=eligible))
            assert lists == [slow_convex([t[q] for t in tables], depth, ITEMS, (3, 1, 2), part, allowed, others) for q in range(6)]


def test_depths_are_each_sources_own_and_come_after_eligibility():
    scores = np.tile(np.arange(ITEMS, dtype=np.float32), (1, 1))
    both = vt.search.Hybrid({"up": Table(scores), "down": Table(-scores)}, depth={"up": 1, "down": 2})
    lists = both.recommend(asked(1), ITEMS, eligible=vt.Eligibility(exclude=[11, 0]))
    assert sorted(int(i) for i in lists.items[0] if i >= 0) == [1, 2, 10]
    assert dict(zip(lists.to_frame()["item_id"], lists.to_frame()["source"], strict=True)) == {"i10": "up", "i1": "down", "i2": "down"}


def test_exact_ties_go_to_the_lower_code_whichever_source_said_what():
    one, two, three = (np.full((1, ITEMS), -np.inf, np.float32) for _ in range(3))
    for scores, order in ((one, (7, 3, 5)), (two, (3, 5, 7)), (three, (5, 7, 3))):
        scores[0, list(order)] = (3, 2, 1)
    lists = vt.search.Hybrid({"a": Table(one), "b": Table(two), "c": Table(three)}).recommend(asked(1), 3)
    assert lists.items[0].tolist() == [3, 5, 7]
    assert len(set(lists.scores[0].tolist())) == 1


def test_a_weight_of_zero_asks_nobody_and_lists_nothing_of_it():
    unasked = Table(random_scores(1))
    for fusion in (vt.search.RRF(weights=(1, 0)), vt.search.Convex(weights=(1, 0))):
        lists = vt.search.Hybrid({"words": Table(random_scores(2)), "vectors": unasked}, fusion).recommend(asked(), ITEMS)
        alone = Table(random_scores(2)).recommend(asked(), ITEMS)
        assert [sorted(i for i in row if i >= 0) for row in lists.items.tolist()] == [
            sorted(i for i in row if i >= 0) for row in alone.items.tolist()
        ]
    assert unasked.asked == []


def test_scores_that_are_no_numbers_are_no_opinion():
    strange = np.array([[np.nan, np.inf, -np.inf, 2, -5] + [-np.inf] * 7], np.float32)
    for fusion in (vt.search.RRF(), vt.search.Convex()):
        lists = vt.search.Hybrid({"strange": Table(strange), "none": Table(np.full((1, ITEMS), -np.inf))}, fusion).recommend(
            asked(1), ITEMS
        )
        assert [int(i) for i in lists.items[0] if i >= 0] == [3, 4]
        assert np.isfinite(lists.scores[0][:2]).all()


def test_an_empty_source_costs_the_other_nothing_and_nothing_popular_fills_in():
    nothing, words = np.full((6, ITEMS), -np.inf), random_scores(4, opinions=0.3)
    for fusion in (vt.search.RRF(), vt.search.Convex()):
        both = vt.search.Hybrid({"words": Table(words), "vectors": Table(nothing)}, fusion)
        assert [[i for i, _ in row] for row in listed(both.recommend(asked(), ITEMS))] == [
            [i for i, _ in slow_list(row, ITEMS, range(ITEMS))] for row in words
        ]
        empty = vt.search.Hybrid({"words": Table(nothing), "vectors": Table(nothing)}, fusion).recommend(asked(), 3)
        assert (empty.items == -1).all()
        assert empty.to_frame().is_empty()
    assert vt.search.Hybrid({"words": Table(words)}).recommend(asked()[:0], 3).items.shape == (0, 3)


def test_a_source_that_fails_or_is_late_is_left_out_and_counted():
    words = Table(random_scores(1))
    alone = listed(vt.search.Hybrid({"words": words}).recommend(asked(), 5))
    late = Slow(random_scores(2))
    mixture = vt.search.Hybrid({"words": words, "gone": Broken(random_scores(3)), "late": late}, seconds={"late": 0.02, "gone": 5.0})
    began = time.monotonic()
    assert listed(mixture.recommend(asked(), 5)) == alone
    assert time.monotonic() - began < 0.3
    assert mixture.tables["sources"].rows() == [
        ("words", 1, 0, 0, None), ("gone", 1, 1, 0, "RuntimeError: the index is gone"), ("late", 1, 0, 1, "over 0.02 s"),
    ]  # fmt: skip
    for _ in range(6):
        mixture.recommend(asked(), 5)
    assert len(late.asked) <= 1 + 4 + 4  # its own call and that of the class above, of no more than 4 threads
    assert mixture.tables["sources"].row(2)[3] == 7
    assert sum(thread.name == "search-late" for thread in threading.enumerate()) <= 4


def test_where_no_source_answers_neither_does_the_mixture():
    gone = vt.search.Hybrid({"gone": Broken(random_scores(3)), "late": Slow(random_scores(3))}, seconds={"late": 0.01})
    with pytest.raises(DataError, match=r"gone: RuntimeError: the index is gone; late: over 0\.01 s"):
        gone.recommend(asked(), 5)


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    vt.testing.toy()
    data = vt.testing.synthetic()
    named = {"bought together": vt.Cooccurrence().fit(data), "popular": vt.Popularity().fit(data)}
    for fusion in (vt.search.RRF(constant=5, weights=(2, 1)), vt.search.Convex(weights=(2, 1), scale=vt.scale.Sigmas(width=2))):
        mixture = vt.search.Hybrid(named, fusion, depth={"popular": 5}, seconds=9)
        again = vt.load(vt.save(mixture, tmp_path / type(fusion).__name__)).recommender
        queries = data.queries()[:20]
        before, after = mixture.recommend(queries, 10), again.recommend(queries, 10)
        assert before.to_frame().equals(after.to_frame())
        assert (again.fusion, again.patience, again.asked.quotas) == (fusion, mixture.patience, (100, 5))


def test_why_says_who_has_an_item_and_where():
    mixture = vt.search.Hybrid({"a": Table(random_scores(1)), "b": Table(random_scores(2))})
    table = mixture.explain(asked(), 4)
    assert table.drop("sources").equals(mixture.recommend(asked(), 4).to_frame())
    row = table.row(0, named=True)
    code = int(row["item_id"][1:])
    for one in row["sources"]:
        place = [i for i, _ in slow_list(random_scores({"a": 1, "b": 2}[one["source"]])[0], 100, range(ITEMS))].index(code) + 1
        assert one["place"] == place


def test_what_cannot_be_is_refused():
    one = Table(random_scores(1))
    with pytest.raises(ParameterError, match="fitted recommenders"):
        vt.search.Hybrid({})
    with pytest.raises(ParameterError, match="Give them by name"):
        vt.search.Hybrid([one, one])
    with pytest.raises(ParameterError, match="one for each of the 2 sources"):
        vt.search.Hybrid({"a": one, "b": one}, vt.search.RRF(weights=(1,)))
    with pytest.raises(UnknownNameError, match="'c'"):
        vt.search.Hybrid({"a": one, "b": one}, depth={"c": 3})
    with pytest.raises(ParameterError, match="whole number of items"):
        vt.search.Hybrid({"a": one}, depth=0)
    with pytest.raises(ParameterError, match="none below 0"):
        vt.search.Convex(weights=(0, 0))


def graded_split(seed=0, queries=80):
    """A split whose grades agree with the first source on half of the queries, and with the second on the rest."""
    rng = np.random.default_rng(seed)
    tables = [rng.normal(size=(queries, ITEMS)).astype(np.float32) for _ in range(2)]
    best = [np.argsort(-(0.8 * a + 0.2 * b))[:2] for a, b in zip(*tables, strict=True)]
    grades = Grades.of([row.tolist() for row in best], [[3.0, 1.0]] * queries)
    asks = vt.Queries.of_texts(VOCABULARY, [str(q) for q in range(queries)])
    split = vt.split.Split(vt.testing.toy(), asks, grades.relevant, vt.Eligibility(repeat=True), grades=grades)
    return split, vt.search.Hybrid({"a": Scored(tables[0]), "b": Scored(tables[1])}, depth=5)


def test_a_mix_is_learned_that_is_the_best_of_the_slow_search():
    split, hybrid = graded_split()
    learned = vt.search.Learned(scales=(vt.scale.MinMax(),), l2=1e-3, folds=4)
    fitted = learned.fit(hybrid, split)
    mix = fitted.fusion
    pairs = fitted.candidates(split.queries, eligible=split.eligible)
    gains = np.array([dict(zip(split.grades.items[q], split.grades.gains[own], strict=True)).get(i, 0.0)
                      for q, i in zip(pairs.rows, pairs.codes, strict=True)
                      for own in [slice(split.grades.items.indptr[q], split.grades.items.indptr[q + 1])]])  # fmt: skip
    features = features_of(pairs, learned.scales)

    own = [pairs.rows == q for q in range(80)]
    off = [np.concatenate([features[o, s] - features[o, s].mean() for o in own]) for s in (0, 1)]
    spread = [np.sqrt((one**2).mean()) for one in off]
    taught = [(features[o], gains[o] / gains[o].sum()) for o in own if gains[o].sum() > 0]

    def loss(a, b):
        total = 0.0
        for parts, wanted in taught:
            s = a * parts[:, 0] + b * parts[:, 1]
            total -= wanted @ (s - np.log(np.exp(s).sum()))
        return total / len(taught) + 1e-3 / 2 * ((a * spread[0]) ** 2 + (b * spread[1]) ** 2)

    ratio = mix.weights[1][0] / mix.weights[0][0]
    grid = [(loss(a, a * r), r) for a in np.linspace(4, 20, 17) for r in np.linspace(0.1, 0.5, 21)]
    assert abs(min(grid)[1] - ratio) <= 0.03
    assert 0.1 < ratio < 0.5
    assert "on queries that it hadn't seen, in 4 folds" in fitted.notes[-1]


def test_lists_of_other_folds_never_saw_their_own_labels():
    split, hybrid = graded_split()
    learned = vt.search.Learned(folds=4)
    lists = learned.cross_fitted(hybrid, split, 5)
    texts = split.queries.texts.to_list()
    same = replace(split.queries, texts=pl.Series("text", [texts[q // 2 * 2] for q in range(80)], pl.String))  # two of each text
    turned = replace(split, queries=same)
    scores = _Lesson.of(learned, hybrid, turned).out_of_fold()
    wrong = turned.grades.gains.copy()
    wrong[turned.grades.items.row_of < 2] = [1, 3] * 2  # other labels of one text: its own lists don't move
    again = _Lesson.of(learned, hybrid, replace(turned, grades=Grades(turned.grades.items, wrong))).out_of_fold()
    rows = _Lesson.of(learned, hybrid, turned).pairs.rows
    assert np.array_equal(scores[rows < 2], again[rows < 2])
    assert not np.array_equal(scores, again)
    assert lists.items.shape == (80, 5)


def test_a_learned_mix_is_saved_and_needs_labels(tmp_path):
    split, hybrid = graded_split()
    fitted = vt.search.Learned(folds=3).fit(hybrid, split)
    again = vt.load(vt.save(fitted, tmp_path / "mix"), trust=True).recommender
    assert again.fusion == fitted.fusion
    assert again.recommend(split.queries, 5).to_frame().equals(fitted.recommend(split.queries, 5).to_frame())
    with pytest.raises(DataError, match="judge more queries"):
        vt.search.Learned().fit(hybrid, split.take(np.arange(10)))
    with pytest.raises(ParameterError, match="Learn it again"):
        vt.search.Hybrid({"a": Table(random_scores(1))}, fitted.fusion)
