"""Clicks with a planted position bias: what is learned is what was planted, where shares of clicks take the order shown for what is good."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import kendalltau

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError

QUERIES, ITEMS, REQUESTS, POWER = 60, 6, 250, 1.0


def world(seed=0, power=POWER, shuffled=0.25):
    """Lists in a wrong order, a few of them shuffled; a place p is looked at with the chance p ** -power."""
    rng = np.random.default_rng(seed)
    good = rng.uniform(0.05, 0.8, (QUERIES, ITEMS))
    shown_by = -good + rng.normal(0, 0.2, good.shape)  # the worse, the higher
    rows = []
    for q in range(QUERIES):
        for r in range(REQUESTS):
            order = rng.permutation(ITEMS) if rng.random() < shuffled else np.argsort(-shown_by[q], kind="stable")
            clicked = rng.random(ITEMS) < good[q, order] * np.arange(1, ITEMS + 1) ** -power
            rows += [(f"{q}-{r}", "u", f"i{i}", place, float(c)) for place, (i, c) in enumerate(zip(order, clicked, strict=True), 1)]
    table = pl.DataFrame(rows, schema=["request_id", "user_id", "item_id", "position", "outcome"], orient="row")
    impressions = vt.Impressions.of_frame(table)
    return good, impressions, [name.split("-")[0] for name in impressions.requests.ids]


@pytest.fixture(scope="module")
def planted():
    good, impressions, queries = world()
    return good, vt.search.PositionBased().fit(impressions, queries)


def test_the_planted_bias_is_found(planted):
    _, found = planted
    assert found.settled
    np.testing.assert_allclose(found.looked, 1 / np.arange(1, ITEMS + 1), rtol=0.12)


def test_corrected_labels_recover_the_order_where_shares_of_clicks_do_not(planted):
    good, found = planted
    table = found.judgements()
    by_pair = {(int(q), int(i[1:])): (gain, clicks / shown) for q, i, gain, shown, _, clicks in table.iter_rows()}
    corrected, raw = ([kendalltau(good[q], [by_pair[q, i][n] for i in range(ITEMS)]).statistic for q in range(QUERIES)] for n in (0, 1))
    assert np.mean(corrected) > 0.8
    assert np.mean(raw) < 0.5
    np.testing.assert_allclose([by_pair[q, i][0] for q in range(QUERIES) for i in range(ITEMS)], good.ravel(), atol=0.3)


def test_without_a_bias_none_is_found():
    _, impressions, queries = world(seed=1, power=0.0)
    np.testing.assert_allclose(vt.search.PositionBased().fit(impressions, queries).looked, 1, atol=0.08)


def test_a_step_equals_one_over_single_events():
    _, impressions, queries = world(seed=2)
    model = vt.search.PositionBased(prior=0.5, steps=2, tolerance=1e-12)
    found = model.fit(impressions, queries)
    frame = impressions.frame()
    events = list(
        zip([name.split("-")[0] for name in frame["request_id"]], frame["item_id"], frame["position"], frame["outcome"], strict=True)
    )
    looked, good = dict.fromkeys(range(1, ITEMS + 1), 0.5), {(q, i): 0.5 for q, i, _, _ in events}
    for _ in range(2):
        seen, liked = {p: [] for p in looked}, {pair: [] for pair in good}
        for q, i, p, c in events:
            look, like = looked[p], good[q, i]
            neither = max(1 - look * like, 1e-12)
            seen[p].append(1 if c else look * (1 - like) / neither)
            liked[q, i].append(1 if c else like * (1 - look) / neither)
        looked = {p: float(np.mean(own)) for p, own in seen.items()}
        mean = np.mean([value for own in liked.values() for value in own])
        good = {pair: (sum(own) + 0.5 * mean) / (len(own) + 0.5) for pair, own in liked.items()}
    np.testing.assert_allclose(found.looked, [looked[p] / looked[1] for p in sorted(looked)], rtol=1e-9)
    table = {(q, i): gain for q, i, gain, *_ in found.judgements().iter_rows()}
    np.testing.assert_allclose([table[pair] for pair in good], [min(own * looked[1], 1) for own in good.values()], rtol=1e-9)


def test_labels_make_a_split(planted):
    _, found = planted
    split = vt.split.judged(found.judgements(), None, [f"i{i}" for i in range(ITEMS)], above=0.4)
    assert split.n_queries > QUERIES / 2
    assert set(split.grades.more) == {"shown", "seen", "clicks"}
    assert found.judgements(least=40)["seen"].min() >= 40


def test_what_cannot_be_told_is_refused():
    one = pl.DataFrame({"request_id": ["a", "a"], "user_id": ["u"] * 2, "item_id": ["x", "y"], "position": [1, 2], "outcome": [1, 1]})
    with pytest.raises(DataError, match="links the places 1 and 2"):
        vt.search.PositionBased().fit(vt.Impressions.of_frame(one), ["q"])
    with pytest.raises(DataError, match="Nothing was clicked"):
        vt.search.PositionBased().fit(vt.Impressions.of_frame(one.with_columns(outcome=pl.lit(0.0))), ["q"])
    with pytest.raises(ParameterError, match="each of the 1 requests"):
        vt.search.PositionBased().fit(vt.Impressions.of_frame(one), ["q", "r"])
