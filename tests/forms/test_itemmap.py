"""The item map against dictionaries in plain Python, sparse and dense."""

from dataclasses import replace
from math import log1p

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

import vitrina as vt
from vitrina.forms import itemmap
from vitrina.forms.itemmap import ItemMap
from vitrina.forms.reading import Reading
from vitrina.types import Events

DAY = 86_400_000_000


@pytest.fixture(scope="module")
def data():
    log = vt.testing.synthetic(users=60, items=30, mean_length=9)
    kinds = np.random.default_rng(5).integers(0, 2, log.n_events).astype(np.uint8)
    return replace(log, events=replace(log.events, kinds=kinds), kind_names=("view", "buy"))


def sparse_map(data, reading=Reading()):
    weights = sparse.random_array((data.n_items, data.n_items), density=0.1, rng=np.random.default_rng(2), format="csr", dtype=np.float32)
    return ItemMap(data.items, data.catalogue, sparse.csr_matrix(weights), reading=reading)


def dense_map(data, reading=Reading()):
    kept = np.arange(0, data.n_items, 2, dtype=np.int32)
    weights = np.random.default_rng(3).random((len(kept), len(kept)), dtype=np.float32)
    return ItemMap(data.items, data.catalogue, weights, kept, reading)


def pairs_of(fit):
    """{(from, to): weight} of either kind."""
    if fit.is_dense:
        return {(int(a), int(b)): float(fit.weight_from_to[i, j]) for i, a in enumerate(fit.kept) for j, b in enumerate(fit.kept)}
    coo = fit.weight_from_to.tocoo()
    return {(int(a), int(b)): float(w) for a, b, w in zip(coo.row, coo.col, coo.data, strict=True)}


def oracle(fit, queries, combine, curve=None, last=None, kinds=None):
    pairs = pairs_of(fit)
    out = np.full((len(queries), len(fit.vocabulary)), -np.inf)
    for q in range(len(queries)):
        stop, first = int(queries.stop[q]), int(queries.start[q])
        read = {}
        for e in range(first if last is None else max(first, stop - last), stop):
            weight = 1.0
            if curve:
                weight = curve(stop - 1 - e, (queries.now[q] - queries.events.times[e]) / DAY)
            if kinds:
                weight *= kinds.get(queries.kind_names[queries.events.kinds[e]], 1.0)
            item = int(queries.events.items[e])
            read[item] = max(read.get(item, 0), weight)
        for j in range(len(fit.vocabulary)):
            terms = [a * pairs[i, j] for i, a in read.items() if a > 0 and (i, j) in pairs]
            if terms:
                out[q, j] = combine(terms)
    return out


COMBINES = [(vt.combine.Sum(), sum), (vt.combine.Max(), max), (vt.combine.Product(), lambda terms: sum(map(log1p, terms)))]
READINGS = [
    ({}, {}),
    ({"decay": vt.decay.Exponential(events=3)}, {"curve": lambda e, d: 0.5 ** (e / 3)}),
    ({"decay": vt.decay.Linear(days=40), "last": 5}, {"curve": lambda e, d: max(0, 1 - d / 40), "last": 5}),
    ({"decay": vt.decay.Window(events=4), "kinds": {"view": 0.2}}, {"curve": lambda e, d: float(e < 4), "kinds": {"view": 0.2}}),
    ({"kinds": {"view": 0.0}}, {"kinds": {"view": 0.0}}),
]


@pytest.mark.parametrize("make", [sparse_map, dense_map])
@pytest.mark.parametrize("combine", COMBINES, ids=lambda c: type(c[0]).__name__)
@pytest.mark.parametrize("reading", range(len(READINGS)))
def test_scores(data, make, combine, reading):
    ours, theirs = READINGS[reading]
    fit = make(data, Reading(combine=combine[0], **ours))
    queries = data.queries()
    assert_allclose(fit.score_block(queries), oracle(fit, queries, combine[1], **theirs), rtol=2e-5)


@pytest.mark.parametrize("make", [sparse_map, dense_map])
@pytest.mark.parametrize("eligible", [vt.Eligibility(), vt.Eligibility(repeat=True), vt.Eligibility(include=np.arange(9, dtype=np.int32))])
def test_lists_are_the_best_scores(data, make, eligible):
    fit, queries = make(data), data.queries()
    lists, scores = fit.recommend(queries, k=7, eligible=eligible), fit.score_block(queries)
    for q in range(len(queries)):
        may = [i for i in data.catalogue.items if np.isfinite(scores[q, i]) and (eligible.include is None or i in eligible.include)]
        may = [i for i in may if eligible.repeat or i not in queries.histories()[q]]
        best = sorted(may, key=lambda i: (-scores[q, i], i))[:7]
        found = lists.items[q][~lists.fallback[q] & (lists.items[q] >= 0)]
        assert found.tolist() == best


@pytest.mark.parametrize("make", [sparse_map, dense_map])
def test_a_batch_answers_as_its_parts(data, make, monkeypatch):
    fit, queries = make(data), data.queries()
    whole = fit.recommend(queries, k=5)
    monkeypatch.setattr(itemmap, "CANDIDATES", 20)
    assert_array_equal(fit.recommend(queries, k=5).items, whole.items)
    singles = [fit.recommend(queries[slice(q, q + 1)], k=5) for q in range(len(queries))]
    assert_array_equal(np.concatenate([s.items for s in singles]), whole.items)


@pytest.mark.parametrize("make", [sparse_map, dense_map])
def test_nobody_and_nothing_known(data, make):
    fit = make(data)
    assert fit.recommend(data.queries(codes=np.empty(0, int)), k=3).items.shape == (0, 3)
    empty = vt.Queries.of_histories(data.items, [[], ["never seen"]])
    assert np.isneginf(fit.score_block(empty)).all()
    lists = fit.recommend(empty, k=3)
    assert lists.fallback.all()
    assert lists.items.tolist() == [data.catalogue.by_popularity[:3].tolist()] * 2


def test_items_that_came_after_the_fit_are_passed_over(data):
    longer = data.items.extended(vt.Vocabulary.of(["new"]).ids)
    known, mixed = (vt.Queries.of_histories(longer, [h]) for h in (["i0", "i4"], ["i0", "new", "i4"]))
    for make in (sparse_map, dense_map):
        fit = make(data)
        assert_array_equal(fit.score_block(known), fit.score_block(mixed))


def test_days_count_from_the_newest_event_where_the_moment_is_unknown(data):
    fit = sparse_map(data, Reading(decay=vt.decay.Exponential(days=1)))
    histories = [["i0", "i1"]]
    then = vt.Queries.of_histories(data.items, histories, times=[[0, 2 * DAY]])
    asked = replace(then, now=np.array([2 * DAY]))
    timeless = vt.Queries.of_histories(data.items, histories)
    assert_array_equal(fit.score_block(then), fit.score_block(asked))
    assert_array_equal(fit.score_block(timeless), sparse_map(data).score_block(timeless))


@pytest.mark.parametrize("make", [sparse_map, dense_map])
def test_its_state_brings_it_back(data, make):
    decay = vt.decay.All(of=(vt.decay.Exponential(events=3), vt.decay.Linear(days=40)))
    reading = Reading(vt.combine.Product(), decay, 6, {"view": 0.5})
    fit = make(data, reading)
    again = ItemMap.of_state(fit.state(), data.items, data.catalogue)
    assert again.reading == reading
    assert_array_equal(again.score_block(data.queries()), fit.score_block(data.queries()))


def test_overlapping_histories_are_read_as_views(data):
    items = np.arange(6, dtype=np.int32)
    queries = vt.Queries(Events(items), np.array([0, 0, 2]), np.array([3, 6, 4]), data.items, np.full(3, -1, np.int32))
    fit = sparse_map(data)
    for q, codes in enumerate([[0, 1, 2], [0, 1, 2, 3, 4, 5], [2, 3]]):
        alone = vt.Queries.of_histories(data.items, [data.items.decode(codes).to_list()])
        assert_array_equal(fit.score_block(queries)[q], fit.score_block(alone)[0])
