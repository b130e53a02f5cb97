"""What the weight of an event means to each model, against plain loops; and that a model says so when it means nothing."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.forms.static import Static
from vitrina.models.base import IGNORED, ModelConfig
from vitrina.models.content_vectors import item_tfidf

DAY = 86_400_000_000
KINDS = {"view": 0.25, "cart": 0.5, "buy": 2.0}
AGAIN = vt.Eligibility(repeat=True)


def log_of(users=30, items=12, seed=0, baskets=True):
    """Three kinds of event, repeats, several events in a basket and at a time."""
    rng = np.random.default_rng(seed)
    n = users * 9
    frame = pl.DataFrame({
        "user_id": rng.integers(0, users, n), "item_id": np.minimum(rng.geometric(0.2, n), items),
        "timestamp": np.array("2024-01-01", "datetime64[us]") + rng.integers(0, 12, n) * np.timedelta64(2, "D"),
        "kind": rng.choice(list(KINDS), n),
    })  # fmt: skip
    frame = frame.with_columns(basket_id=pl.col("timestamp").dt.strftime("%F")) if baskets else frame
    return vt.read_interactions(frame)


def weighed(data, weights):
    return replace(data, events=replace(data.events, weights=np.asarray(weights, np.float32)))


@pytest.fixture(scope="module")
def data():
    return vt.filters.kinds(log_of(), KINDS)


def events_of(data, user):
    """(item, weight, time, basket) of each event of a person, oldest first."""
    e = data.events
    own = slice(data.indptr[user], data.indptr[user + 1])
    return list(zip(*(c[own].tolist() for c in (e.items, e.weights, e.times, e.baskets)), strict=True))


def scores_of(recommender, data):
    return recommender.score(data.queries(), np.arange(data.n_items, dtype=np.int32))


def test_popularity_by_events_adds_weights(data):
    wanted = np.zeros(data.n_items)
    for item, weight in zip(data.events.items, data.events.weights, strict=True):
        wanted[item] += weight
    assert_allclose(vt.Popularity(by="events").fit(data).scores, wanted, rtol=1e-6)


@pytest.mark.parametrize("half_life", [None, 3])
def test_popularity_by_users_takes_the_event_of_each_that_counts_most(data, half_life):
    end, wanted = data.events.times.max(), np.zeros(data.n_items)
    for user in range(len(data.users)):
        best = defaultdict(float)
        for item, weight, time, _ in events_of(data, user):
            best[item] = max(best[item], weight * (0.5 ** ((end - time) / DAY / half_life) if half_life else 1))
        for item, weight in best.items():
            wanted[item] += weight
    assert_allclose(vt.Popularity(half_life=half_life).fit(data).scores, wanted, rtol=1e-6)


def test_popularity_of_shards_is_that_of_the_whole_where_some_have_no_events(data):
    alone = replace(data.user_range(0, 1), users=data.users)
    for log in (data, alone):
        assert_allclose(vt.Popularity().fit(log.sharded(7)).scores, vt.Popularity().fit(log).scores)


def test_a_log_in_which_nothing_counts_is_refused(data):
    nothing = replace(data, events=replace(data.events, weights=-np.ones(data.n_events, np.float32)))
    for model in (vt.EASE(), vt.TopPersonal()):
        with pytest.raises(DataError, match="learns from events of weights above 0"):
            model.fit(nothing)


@pytest.mark.parametrize("decay", [None, vt.decay.Exponential(events=3)])
def test_own_counts_are_sums_of_faded_weights(data, decay):
    wanted = np.full((len(data.users), data.n_items), -np.inf)
    for user in range(len(data.users)):
        events = events_of(data, user)
        for place, (item, weight, _, _) in enumerate(events):
            fade = 0.5 ** ((len(events) - 1 - place) / 3) if decay else 1
            wanted[user, item] = max(wanted[user, item], 0) + weight * fade
    assert_allclose(scores_of(vt.TopPersonal(decay=decay).fit(data), data), wanted, rtol=1e-5)


def strengths(data):
    """(users, items) the largest weight of each pair."""
    x = np.zeros((len(data.users), data.n_items))
    for user in range(len(data.users)):
        for item, weight, _, _ in events_of(data, user):
            x[user, item] = max(x[user, item], weight)
    return x


@pytest.mark.parametrize("count", [1, 3])
def test_ease_is_the_ridge_regression_of_the_largest_weights(data, count):
    fit = vt.EASE(l2=3, dropout=0.2).fit(data.sharded(count))
    x = strengths(data)[:, fit.kept]
    wanted = np.zeros((x.shape[1], x.shape[1]))
    for j in range(x.shape[1]):
        others = np.arange(x.shape[1]) != j
        a = x[:, others]
        wanted[others, j] = np.linalg.solve(a.T @ a + np.diag(3 + 0.25 * (a**2).sum(0)), a.T @ x[:, j])
    assert_allclose(fit.weight_from_to, wanted, atol=2e-5)
    assert_allclose(scores_of(fit, data)[:, fit.kept], x @ wanted, atol=1e-4)


@pytest.mark.parametrize("gap", [None, vt.decay.Exponential(days=4)])
@pytest.mark.parametrize("weighting", [vt.weighting.Cosine(), vt.weighting.BM25()])
def test_cooccurrence_reads_a_weight_as_it_reads_its_kinds(data, gap, weighting):
    """The `kinds` have an oracle of their own; both together multiply."""
    by_kind = vt.Cooccurrence(kinds=KINDS, gap=gap, weighting=weighting)
    plain = replace(data, events=replace(data.events, weights=None))
    assert_allclose(scores_of(vt.Cooccurrence(gap=gap, weighting=weighting).fit(data), data), scores_of(by_kind.fit(plain), plain))
    halves = weighed(data, np.sqrt(data.events.weights))
    roots = vt.Cooccurrence(kinds={kind: np.sqrt(w) for kind, w in KINDS.items()}, gap=gap, weighting=weighting)
    assert_allclose(scores_of(roots.fit(halves), halves), scores_of(by_kind.fit(plain), plain), rtol=1e-4)


def test_cooccurrence_multiplies_the_largest_weights_of_both_items(data):
    x = strengths(data)
    co, norms = x.T @ x, np.sqrt((x**2).sum(0))
    wanted = co / np.outer(norms, norms)
    np.fill_diagonal(wanted, 0)
    fit = vt.Cooccurrence().fit(data)
    assert_allclose(fit.weight_from_to.toarray(), wanted, rtol=1e-5)
    got = scores_of(fit, data)
    assert_allclose(np.where(np.isfinite(got), got, 0), x @ wanted, rtol=1e-4, atol=1e-6)


def test_a_basket_of_tifu_holds_the_largest_weights(data):
    model = vt.TifuKNN(neighbours=3, groups=2)
    wanted = np.zeros((len(data.users), data.n_items))
    for user in range(len(data.users)):
        baskets = defaultdict(dict)
        for item, weight, _, basket in events_of(data, user):
            baskets[basket][item] = max(baskets[basket].get(item, 0), weight)
        vectors = [[basket.get(item, 0) for item in range(data.n_items)] for basket in baskets.values()]
        n = len(vectors)
        runs = [vectors] if n == 1 else [vectors[: n // 2], vectors[n // 2 :]]
        for g, run in enumerate(runs):
            first = sum(len(r) for r in runs[:g])
            mean = sum(0.9 ** (n - 1 - first - i) * np.array(v) for i, v in enumerate(run)) / len(run)
            wanted[user] += 0.7 ** (len(runs) - 1 - g) * mean / len(runs)
    assert_allclose(model.fit(data).vectors.toarray(), wanted[np.diff(data.indptr) > 0], rtol=1e-5)


def test_a_content_profile_is_the_sum_of_weighted_vectors():
    data = vt.testing.synthetic(users=30, items=20)
    data = weighed(data, np.random.default_rng(0).integers(1, 9, data.n_events) / 4)
    vectors = item_tfidf(data.item_table, ["title"]).toarray()
    got = scores_of(vt.ContentSimilarity(columns=("title",)).fit(data), data)
    for user in range(len(data.users)):
        own = slice(data.indptr[user], data.indptr[user + 1])
        profile = data.events.weights[own] @ vectors[data.events.items[own]]
        wanted = vectors @ profile / np.linalg.norm(profile)
        assert_allclose(np.where(np.isfinite(got[user]), got[user], 0), wanted, atol=1e-5)


@pytest.mark.parametrize("model", [vt.Popularity(by="events"), vt.TopPersonal(), vt.ContentSimilarity(columns=("title",))], ids=repr)
def test_where_weights_add_up_a_weight_of_three_is_three_events(model):
    data = vt.testing.synthetic(users=30, items=20)
    times = np.random.default_rng(0).integers(1, 4, data.n_events)
    copies = vt.Dataset.of_codes(
        np.repeat(data.user_of, times), data.events.take(np.repeat(np.arange(data.n_events), times)), data.users, data.items,
        time_unit="us", item_table=data.item_table,
    )  # fmt: skip
    once = weighed(data, times)
    assert_allclose(scores_of(model.fit(once), once), scores_of(model.fit(copies), copies), rtol=1e-5)


def test_values_are_never_read_as_strength(data):
    other = replace(data, events=replace(data.events, values=np.arange(data.n_events, dtype=np.float32)))
    for model in (vt.Popularity(by="events"), vt.TopPersonal(), vt.EASE(l2=3), vt.Cooccurrence(), vt.TifuKNN(neighbours=3)):
        assert_array_equal(scores_of(model.fit(data), data), scores_of(model.fit(other), other))


class CountsOnly(ModelConfig):
    def fit(self, data, *, validation=None, start=None):
        return Static(data.items, data.catalogue, np.bincount(data.events.items, minlength=data.n_items).astype(np.float32))


@pytest.mark.parametrize("model", [vt.RandomItems(), CountsOnly()], ids=repr)
def test_a_model_that_does_not_read_weights_says_so(model, data, tmp_path):
    fitted = model.fit(data)
    assert fitted.notes == (IGNORED,)
    assert vt.load(vt.save(fitted, tmp_path / "artifact")).recommender.notes == (IGNORED,)
    assert model.fit(log_of()).notes == ()
    assert model.fit(weighed(data, np.full(data.n_events, 2.0))).notes == ()  # equal weights say nothing


def test_models_that_read_weights_do_not_say_that_they_do_not(data):
    assert all(IGNORED not in m.fit(data).notes for m in (vt.Popularity(), vt.TopPersonal(), vt.EASE(), vt.Cooccurrence(), vt.TifuKNN()))


@pytest.mark.usefixtures("one_process")
def test_the_board_says_which_model_does_not_read_weights(data):
    split = data.split(vt.split.GlobalTime(days=4))
    board = vt.compare([vt.RandomItems(), vt.Popularity()], split, baselines=False)
    assert board.entry("RandomItems").notes == (IGNORED,)
    assert IGNORED in str(board)
    assert board.entry("Popularity").notes == ()


@pytest.mark.parametrize(
    "model",
    [vt.Popularity(), vt.TopPersonal(), vt.RandomItems(), vt.Cooccurrence(), vt.TifuKNN(), vt.ContentSimilarity()],
    ids=repr,
)
def test_a_start_is_refused_where_a_model_can_not_go_on(model):
    data = vt.testing.synthetic(users=30, items=20)
    with pytest.raises(ParameterError, match=rf"{type(model).__name__} can't go on from a 'start'.*Leave 'start' out\. Got a Static\."):
        model.fit(data, start=vt.Popularity().fit(data))
