"""Co-occurrence against loops over users and pairs of events in plain Python."""

from dataclasses import replace
from math import log, log1p, sqrt

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.dataset import Dataset
from vitrina.forms.history import event_weights
from vitrina.models.content_vectors import Content, item_tfidf
from vitrina.types import Events

DAY = 86_400_000_000
W = vt.weighting


def log_of(users=40, items=15, seed=0, kinds=False, times=True):
    """Repeats, ties in time, popular and rare items, users without order of codes."""
    rng = np.random.default_rng(seed)
    n = users * 8
    user_codes = rng.integers(0, users, n)
    item_codes = np.minimum(rng.geometric(0.15, n) - 1, items - 2).astype(np.int32)  # the last item has no event
    moments = (rng.integers(0, 20, n) * DAY // 2).astype(np.int64)
    events = Events(item_codes, moments if times else None, kinds=rng.integers(0, 3, n).astype(np.uint8) if kinds else None)
    vocabularies = vt.Vocabulary.of(list(range(users))), vt.Vocabulary.of([f"i{c}" for c in range(items)])
    names = ("view", "cart", "buy") if kinds else ()
    return Dataset.of_codes(user_codes, events, *vocabularies, time_unit="us" if times else None, kind_names=names)


def histories(data):
    return [range(int(a), int(b)) for a, b in zip(data.indptr[:-1], data.indptr[1:], strict=True)]


def oracle_pairs(data, entry=lambda u, i: 1.0, gap=None, one_way=False, kinds=None):
    """co as the docstring defines it; the diagonal is the sum of squared entries."""
    items, times = data.events.items, data.events.times
    weight = [1.0 if not kinds else kinds.get(data.kind_names[data.events.kinds[e]], 1.0) for e in range(data.n_events)]
    co = np.zeros((data.n_items, data.n_items))
    for u, events in enumerate(histories(data)):
        counted = [e for e in events if weight[e] > 0]
        best = {}
        for p, e in enumerate(counted):
            for r, f in enumerate(counted):
                i, j = int(items[e]), int(items[f])
                if i == j:
                    if p == r:
                        best[i, i] = max(best.get((i, i), 0), weight[e] ** 2)
                    continue
                back = 1 - one_way if r < p or (times is not None and times[f] <= times[e]) else 1
                if not back:
                    continue
                span = abs(times[e] - times[f]) / DAY if times is not None else 0
                g = gap(abs(p - r) - 1, span) if gap else 1.0
                best[i, j] = max(best.get((i, j), 0), weight[e] * weight[f] * g * back)
        for (i, j), value in best.items():
            co[i, j] += value * entry(u, i) * entry(u, j)
    return co


def fitted(model, data):
    return model.fit(data).weight_from_to.toarray()


def without_diagonal(matrix):
    matrix = np.array(matrix)
    np.fill_diagonal(matrix, 0)
    return matrix


S = 2.5  # shrinkage
EQUATIONS = {
    "count": (W.Count(), lambda co, c, n, i, j: co[i, j]),
    "rows": (W.RowNormalised(shrinkage=S), lambda co, c, n, i, j: co[i, j] / (co[i].sum() - c[i] + S)),
    "cosine": (W.Cosine(shrinkage=S), lambda co, c, n, i, j: co[i, j] / (sqrt(c[i] * c[j]) + S)),
    "jaccard": (W.Jaccard(shrinkage=S), lambda co, c, n, i, j: co[i, j] / (c[i] + c[j] - co[i, j] + S)),
    "lift": (W.Lift(shrinkage=S), lambda co, c, n, i, j: co[i, j] / (c[i] * c[j] / n + S)),
    "conditional": (W.ConditionalProbability(alpha=0.3, shrinkage=S), lambda co, c, n, i, j: co[i, j] / (c[i] * c[j] ** 0.3 + S)),
}


@pytest.mark.parametrize("name", EQUATIONS)
@pytest.mark.parametrize("pairs", [{}, {"gap": vt.decay.Exponential(days=1.5), "one_way": True}], ids=["all pairs", "decayed one way"])
def test_weightings_are_their_equations(name, pairs):
    data = log_of()
    weighting, equation = EQUATIONS[name]
    how = {"gap": lambda events, days: 0.5 ** (days / 1.5), "one_way": True} if pairs else {}
    co = oracle_pairs(data, **how)
    c = co.diagonal()
    expected = [
        [equation(co, c, data.n_users, i, j) if i != j and co[i, j] else 0 for j in range(data.n_items)] for i in range(data.n_items)
    ]
    assert_allclose(fitted(vt.Cooccurrence(weighting=weighting, **pairs), data), expected, rtol=1e-6)


def test_tfidf_is_a_cosine_of_items_over_weighted_users():
    data = log_of()
    counts = data.csr(binary=False).toarray()
    n_items = (counts.sum(axis=0) > 0).sum()
    idf = [max(log(n_items / (1 + (row > 0).sum())), 0) for row in counts]
    vectors = np.sqrt(counts) * np.array(idf)[:, None]
    vectors /= np.maximum(np.linalg.norm(vectors, axis=0), 1e-30)
    assert_allclose(fitted(vt.Cooccurrence(weighting=W.TfIdf()), data), without_diagonal(vectors.T @ vectors), rtol=1e-5)


def test_bm25_is_a_dot_product_of_items_over_weighted_users():
    data = log_of()
    counts = data.csr(binary=False).toarray()
    lengths = counts.sum(axis=0)
    n_items, mean = (lengths > 0).sum(), lengths[lengths > 0].mean()
    vectors = np.zeros(counts.shape)
    for u, i in zip(*np.nonzero(counts), strict=True):
        idf = max(log(n_items / (1 + (counts[u] > 0).sum())), 0)
        vectors[u, i] = idf * counts[u, i] * 2.2 / (counts[u, i] + 1.2 * (0.6 + 0.4 * lengths[i] / mean))
    assert_allclose(fitted(vt.Cooccurrence(weighting=W.BM25(b=0.4)), data), without_diagonal(vectors.T @ vectors), rtol=1e-5)


GAPS = {
    "exponential": (vt.decay.Exponential(events=2), lambda e, d: 0.5 ** (e / 2)),
    "linear": (vt.decay.Linear(events=3), lambda e, d: max(0, 1 - e / 3)),
    "adjacent": (vt.decay.Window(events=1), lambda e, d: float(e < 1)),
    "hyperbolic days": (vt.decay.Hyperbolic(days=2), lambda e, d: 1 / (1 + d / 2)),
    "window of days": (vt.decay.Window(days=3), lambda e, d: float(d < 3)),
    "both": (
        vt.decay.All(of=(vt.decay.Linear(events=3), vt.decay.Exponential(days=1))),
        lambda e, d: max(0, 1 - e / 3) * 0.5**d,
    ),
}


@pytest.mark.parametrize("name", GAPS)
@pytest.mark.parametrize("one_way", [False, True])
def test_gaps_and_directions(name, one_way):
    data = log_of(seed=3, kinds=True)
    decay, curve = GAPS[name]
    kinds = {"view": 0.0, "cart": 0.5}
    expected = without_diagonal(oracle_pairs(data, gap=curve, one_way=one_way, kinds=kinds))
    model = vt.Cooccurrence(weighting=W.Count(), gap=decay, one_way=one_way, kinds=kinds)
    assert_allclose(fitted(model, data), expected, rtol=1e-6)


def test_one_way_without_times_takes_the_order_of_rows():
    data = log_of(times=False)
    expected = without_diagonal(oracle_pairs(data, one_way=True))
    assert_allclose(fitted(vt.Cooccurrence(weighting=W.Count(), one_way=True), data), expected)


def test_one_way_points_from_the_earlier_to_the_later():
    data = vt.Vocabulary.of(["u"]), vt.Vocabulary.of(["first", "second"])
    log_ = Dataset.of_codes(np.zeros(2, int), Events(np.array([0, 1], np.int32)), *data)
    weights = fitted(vt.Cooccurrence(one_way=True), log_)
    assert weights[0, 1] > 0
    assert weights[1, 0] == 0


@pytest.mark.parametrize("pairs", [{}, {"gap": vt.decay.Window(events=10**6)}], ids=["products", "gaps"])
def test_kinds_weigh_the_best_event_of_a_pair(pairs):
    data = log_of(kinds=True)
    kinds = {"view": 0.1, "buy": 2.0}
    co = oracle_pairs(data, kinds=kinds)
    norms = np.sqrt(co.diagonal())
    expected = without_diagonal(co / np.maximum(np.outer(norms, norms), 1e-30))
    assert_allclose(fitted(vt.Cooccurrence(kinds=kinds, **pairs), data), expected, rtol=1e-6)


@pytest.mark.parametrize("weighting", [W.TfIdf(), W.BM25(), W.Jaccard()])
def test_a_gap_that_decays_nothing_changes_nothing(weighting):
    data = log_of()
    everything = vt.decay.Window(events=10**6)
    plain, gapped = (fitted(vt.Cooccurrence(weighting=weighting, gap=gap), data) for gap in (None, everything))
    assert_allclose(plain, gapped, rtol=1e-6)


def described(data, words):
    from vitrina.data.features import FeatureTable

    table = pl.DataFrame({"item_id": data.items.ids, "about": words, "price": np.arange(data.n_items)})
    features = FeatureTable.of(table, "item_id", data.items, kinds={"about": "text", "price": "number"})
    return replace(data, item_table=features)


def test_content_adds_the_weighted_dot_product():
    words = ["red wine", "white wine", "green tea", "black tea", "rye bread"] * 3
    data = described(log_of(), words)
    vectors = item_tfidf(data.item_table).toarray()
    plain = fitted(vt.Cooccurrence(), data)
    expected = plain + 0.4 * without_diagonal(vectors @ vectors.T)
    expected[:, ~data.catalogue.mask] = 0  # nobody is pointed to an item that was never taken; such an item may point
    found = fitted(vt.Cooccurrence(content=vt.Content(weight=0.4)), data)
    assert found[-1].any()
    assert_allclose(found, expected, rtol=1e-5)


def test_content_vectors_are_tfidf_of_scikit_learn():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    words = ["red wine and wine", "white wine", "green tea", "", "rye bread"] * 3
    data = described(log_of(), words)
    expected = text.TfidfVectorizer().fit_transform(words).toarray()
    assert_allclose(item_tfidf(data.item_table, ["about"]).toarray(), expected, rtol=1e-5)


def test_content_of_a_number_is_refused():
    with pytest.raises(DataError, match=r"\(about\). Got price"):
        vt.Cooccurrence(content=vt.Content(columns=("price",))).fit(described(log_of(), ["tea"] * 15))


def test_neighbours_keep_the_best_and_ties_go_to_the_lower_code():
    data = log_of()
    full, few = (fitted(vt.Cooccurrence(weighting=W.Count(), neighbours=n), data) for n in (100, 3))
    for row, kept in zip(full, few, strict=True):
        best = np.lexsort((np.arange(len(row)), -row))[:3]
        expected = np.zeros(len(row))
        expected[best] = row[best]
        assert_allclose(kept, expected)


@pytest.mark.parametrize("model", [vt.Cooccurrence(weighting=W.BM25()), vt.Cooccurrence(gap=vt.decay.Linear(days=4), one_way=True)])
def test_shards_add_up(model):
    data = log_of(kinds=True)
    one, three = model.fit(data), model.fit(data.sharded(3))
    assert_allclose(one.weight_from_to.toarray(), three.weight_from_to.toarray(), rtol=0, atol=0)


def test_relabelling_items_relabels_the_weights():
    data = log_of()
    order = np.random.default_rng(1).permutation(data.n_items).astype(np.int32)
    renamed = replace(data, events=replace(data.events, items=order[data.events.items]))
    weights, moved = fitted(vt.Cooccurrence(), data), fitted(vt.Cooccurrence(), renamed)
    assert_allclose(moved[np.ix_(order, order)], weights, rtol=1e-6)


@pytest.mark.parametrize(("combine", "term"), [(vt.combine.Sum(), lambda w: w), (vt.combine.Product(), log1p)])
def test_scores_are_the_combined_weights_of_distinct_items(combine, term):
    data = log_of()
    fit = vt.Cooccurrence(combine=combine).fit(data)
    weights, queries = fit.weight_from_to.toarray(), data.queries()
    for q, row in enumerate(fit.score_block(queries)):
        for j in range(data.n_items):
            terms = [term(weights[i, j]) for i in set(queries.histories()[q].tolist()) if weights[i, j]]
            assert row[j] == (pytest.approx(sum(terms), rel=1e-5) if terms else -np.inf)


def test_what_cannot_be_done_is_said():
    with pytest.raises(DataError, match="real time"):
        vt.Cooccurrence(gap=vt.decay.Linear(days=2)).fit(log_of(times=False))
    with pytest.raises(DataError, match=r"\(view, cart, buy\). Got bought"):
        vt.Cooccurrence(kinds={"bought": 2}).fit(log_of(kinds=True))
    with pytest.raises(DataError, match="table of items"):
        vt.Cooccurrence(content=vt.Content()).fit(log_of())
    with pytest.raises(ParameterError, match="negative"):
        vt.Cooccurrence(kinds={"view": -1})
    with pytest.raises(ParameterError, match="either events"):
        vt.decay.Linear()
    with pytest.raises(ParameterError, match="greater than or equal to 1"):
        vt.Cooccurrence(neighbours=0)


@pytest.mark.parametrize(
    "model",
    [
        vt.Cooccurrence(),
        vt.Cooccurrence(
            weighting=W.BM25(), gap=vt.decay.Exponential(events=3), one_way=True, content=vt.Content(), combine=vt.combine.Product()
        ),
        vt.Cooccurrence(decay=vt.decay.Linear(days=5), last=8, combine=vt.combine.Max()),
    ],
)
def test_contract(model):
    vt.testing.check_model(model)


@pytest.mark.parametrize("name", EQUATIONS)
@pytest.mark.parametrize("pairs", [{}, {"gap": vt.decay.Exponential(days=1.5), "one_way": True}], ids=["all pairs", "decayed one way"])
def test_a_kept_diagonal_is_divided_as_the_rest_is(name, pairs):
    data = log_of()
    weighting, equation = EQUATIONS[name]
    how = {"gap": lambda events, days: 0.5 ** (days / 1.5), "one_way": True} if pairs else {}
    co = oracle_pairs(data, **how)
    c = co.diagonal()
    if name == "rows":  # its sum is over all j that there are

        def equation(co, c, n, i, j):
            return co[i, j] / (co[i].sum() + S)

    expected = [[equation(co, c, data.n_users, i, j) if co[i, j] else 0 for j in range(data.n_items)] for i in range(data.n_items)]
    assert_allclose(fitted(vt.Cooccurrence(weighting=weighting, diagonal=True, **pairs), data), expected, rtol=1e-6)


def test_the_diagonal_of_tfidf_is_the_squared_length_over_itself_and_the_shrinkage():
    data = log_of()
    counts = data.csr(binary=False).toarray()
    idf = np.array([max(log((counts.sum(axis=0) > 0).sum() / (1 + (row > 0).sum())), 0) for row in counts])
    vectors = np.sqrt(counts) * idf[:, None]
    norms = np.linalg.norm(vectors, axis=0)
    expected = np.divide(vectors.T @ vectors, np.outer(norms, norms) + 2, where=np.outer(norms, norms) > 0, out=np.zeros((len(norms),) * 2))
    found = fitted(vt.Cooccurrence(weighting=W.TfIdf(shrinkage=2), diagonal=True), data)
    assert_allclose(found, expected, rtol=1e-5)
    assert_allclose(found.diagonal()[norms > 0], (norms**2 / (norms**2 + 2))[norms > 0], rtol=1e-5)


def test_the_diagonal_of_bm25_is_the_squared_length_of_the_item():
    data = log_of()
    entries = data.csr(binary=False).astype(np.float64)
    entries.data = W.BM25().entries(entries, data.catalogue.events)
    vectors = entries.toarray()
    assert_allclose(fitted(vt.Cooccurrence(weighting=W.BM25(), diagonal=True), data), vectors.T @ vectors, rtol=1e-5)


def test_the_diagonal_is_one_of_the_neighbours_and_descriptions_add_nothing_to_it():
    data = vt.testing.synthetic(users=60, items=20)
    whole = fitted(vt.Cooccurrence(diagonal=True, neighbours=20), data)
    few = fitted(vt.Cooccurrence(diagonal=True, neighbours=3), data)
    for row, kept in zip(whole, few, strict=True):
        best = np.argsort(-row, kind="stable")[:3]
        assert_allclose(kept[best], row[best])
    described = fitted(vt.Cooccurrence(diagonal=True, neighbours=20, content=Content(weight=5.0)), data)
    assert_allclose(described.diagonal(), whole.diagonal())


@pytest.mark.parametrize("repeat", [True, False])
def test_the_diagonal_follows_the_job(repeat):
    data = vt.testing.synthetic()
    split = data.split(vt.split.GlobalTime(days=7, repeat=repeat))
    for log_ in (split.train, split.train.holdout().train, replace(data, repeat=repeat)):
        found = vt.Cooccurrence().fit(log_)
        assert (found.weight_from_to.diagonal() > 0).any() == repeat
        assert any("counts for itself" in note for note in found.notes) == repeat
    assert not vt.Cooccurrence(diagonal=False).fit(split.train).weight_from_to.diagonal().any()
    assert vt.Cooccurrence(diagonal=True).fit(split.train).weight_from_to.diagonal().any()
    assert not vt.Cooccurrence().fit(data).weight_from_to.diagonal().any()
    assert not vt.EASE(l2=10).fit(split.train).weight_from_to.diagonal().any()


@pytest.mark.parametrize(
    ("combine", "term"),
    [(vt.combine.Sum(), lambda w: w), (vt.combine.Product(), np.log1p), (vt.combine.Max(), None)],
    ids=["sum", "product", "max"],
)
@pytest.mark.parametrize("decay", [None, vt.decay.Exponential(events=4), vt.decay.Exponential(days=0.5)], ids=repr)
def test_every_event_of_an_item_speaks(combine, term, decay):
    data = log_of()
    fit = vt.Cooccurrence(weighting=vt.weighting.BM25(), diagonal=True, combine=combine, decay=decay, every_event=True).fit(data)
    queries, weights = data.queries(), fit.weight_from_to.toarray().astype(np.float64)
    scores = fit.score_block(queries)
    for q in range(len(queries)):
        places = range(queries.start[q], queries.stop[q])
        items = queries.events.items[places]
        left = np.ones(len(places)) if decay is None else event_weights(queries[q : q + 1], decay)
        terms = left[:, None] * weights[items]
        expected = terms.max(axis=0) if term is None else term(terms).sum(axis=0)
        np.testing.assert_allclose(np.where(np.isfinite(scores[q]), scores[q], 0), expected, rtol=1e-5, atol=1e-12)


def test_every_event_counts_where_the_job_lets_items_come_back():
    data = log_of()
    for repeat in (True, False):
        split = data.split(vt.split.GlobalTime(quantile=0.8, repeat=repeat))
        fit = vt.Cooccurrence().fit(split.train)
        assert fit.reading.every_event is repeat
        assert any("Each event" in note for note in fit.notes) is repeat
        assert vt.Cooccurrence(every_event=not repeat).fit(split.train).reading.every_event is not repeat


def test_baskets_of_one_person_get_what_each_gets_alone():
    """Histories that begin with one another are not added up again; every other one is."""
    data = log_of(users=30)
    queries = data.split(vt.split.GlobalTime(quantile=0.3, repeat=True)).queries
    assert (queries.start[1:] == queries.start[:-1]).mean() > 0.5
    for model in (vt.Cooccurrence(diagonal=True, every_event=True), vt.Cooccurrence(decay=vt.decay.Exponential(days=1)), vt.EASE()):
        fit = model.fit(data)
        together = fit.recommend(queries, 5, eligible=vt.Eligibility(repeat=True))
        for q in range(len(queries)):
            alone = fit.recommend(queries[q : q + 1], 5, eligible=vt.Eligibility(repeat=True))
            np.testing.assert_array_equal(together.items[q], alone.items[0])
            np.testing.assert_array_equal(together.scores[q], alone.scores[0])


def oracle_transitions(data, gap, back, *, itself=False, weights=None):
    """B[i, j]: each pair of a person's events, fading with what lies between, `back` of it where j doesn't come after i."""
    b = np.zeros((data.n_items, data.n_items))
    for events in histories(data):
        for e in events:
            for f in events:
                i, j = data.events.items[e], data.events.items[f]
                after = f > e and (data.events.times is None or data.events.times[f] > data.events.times[e])
                if e != f and (itself or i != j):
                    b[i, j] += gap(abs(f - e) - 1) * (1 if after else back) * (1 if weights is None else weights[e] * weights[f])
    return b


@pytest.mark.parametrize("times", [False, True])
@pytest.mark.parametrize("itself", [False, True])
@pytest.mark.parametrize("one_way", [True, 0.75, False])
@pytest.mark.parametrize(("leaving", "arriving"), [(0.3, 0.1), (1, 0), (0, 0)])
def test_transitions_are_every_pair_over_powers_of_their_sums(times, itself, one_way, leaving, arriving):
    data = log_of(times=times)
    b = oracle_transitions(data, lambda gap: 0.7**gap * (gap < 6), 1 - one_way, itself=itself)
    out, into = b.sum(axis=1, keepdims=True), b.sum(axis=0, keepdims=True)
    expected = np.divide(b, out**leaving * into**arriving, where=b > 0, out=np.zeros_like(b))
    gap = vt.decay.All(of=(vt.decay.Window(events=6), vt.decay.Exponential(events=log(0.5) / log(0.7))))
    model = vt.Cooccurrence(
        weighting=W.Transitions(leaving=leaving, arriving=arriving), gap=gap, one_way=one_way, diagonal=itself, neighbours=100
    )
    assert_allclose(fitted(model, data), expected, rtol=1e-6)


def test_scores_of_transitions_are_those_of_an_oracle_in_ten_lines():
    """score(q, i) = sum over the last 4 events h of hd^age * B[h, i]."""
    data = log_of(times=False)
    b = oracle_transitions(data, lambda gap: 0.5**gap * (gap < 3), 0.5)
    b = np.divide(b, b.sum(axis=1, keepdims=True) ** 0.3 * b.sum(axis=0, keepdims=True) ** 0.1, where=b > 0, out=np.zeros_like(b))
    gap = vt.decay.All(of=(vt.decay.Window(events=3), vt.decay.Exponential(events=1)))
    fade = vt.decay.Exponential(events=log(0.5) / log(0.6))
    model = vt.Cooccurrence(weighting=W.Transitions(), gap=gap, one_way=0.5, decay=fade, last=4, every_event=True)
    found = model.fit(data).score_block(data.queries())
    for row, events in zip(found, histories(data), strict=True):
        expected = sum(0.6**age * b[data.events.items[e]] for age, e in enumerate(reversed(events[-4:])))
        assert_allclose(np.where(np.isfinite(row), row, 0), expected, rtol=1e-5)


def test_weights_multiply_both_events_of_every_pair():
    data = log_of(kinds=True)
    kinds = {"view": 0.0, "cart": 0.5}
    counted = data.events.kinds > 0
    left = Dataset.of_codes(data.user_of[counted], data.events.take(np.flatnonzero(counted)), data.users, data.items, time_unit="us")
    halves = np.where(data.events.kinds[counted] == 1, 0.5, 1.0)
    expected = oracle_transitions(left, lambda gap: 1.0, 1.0, weights=halves)
    model = vt.Cooccurrence(weighting=W.Transitions(leaving=0, arriving=0), kinds=kinds)
    assert_allclose(fitted(model, data), expected, rtol=1e-6)


def test_a_share_of_direction_takes_the_best_pair_of_a_person_too():
    data = log_of()
    shared, forward, both = (without_diagonal(oracle_pairs(data, one_way=one_way)) for one_way in (0.75, True, False))
    assert ((forward <= shared) & (shared <= both)).all()
    assert (shared != forward).any()
    assert_allclose(fitted(vt.Cooccurrence(weighting=W.Count(), one_way=0.75), data), shared, rtol=1e-6)


def test_the_direction_is_a_share():
    for wrong in (1.5, -0.1, "no"):
        with pytest.raises(ParameterError, match="one_way"):
            vt.Cooccurrence(one_way=wrong)
    assert vt.Cooccurrence(one_way=1.0).fit(log_of()).weight_from_to.nnz == vt.Cooccurrence(one_way=True).fit(log_of()).weight_from_to.nnz
