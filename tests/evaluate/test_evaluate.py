"""evaluate() from end to end: what it returns, how it prints, what it refuses."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, UnknownNameError, VocabularyError
from vitrina.catalogue import unit_rows
from vitrina.evaluate.bootstrap import Bootstrap
from vitrina.evaluate.interval import mean_interval
from vitrina.evaluate.run import evaluate
from vitrina.metrics import DEFAULT_METRICS, Judged, metric
from vitrina.types import Ragged, Recommendations


@pytest.fixture(scope="module")
def split():
    return vt.testing.synthetic().split(vt.split.GlobalTime(days=20))


@pytest.fixture(scope="module")
def lists(split):
    return vt.Popularity().fit(split.train).recommend(split.queries, k=10, eligible=split.eligible)


@pytest.fixture(scope="module")
def evaluation(lists, split):
    return evaluate(lists, split, bootstrap=Bootstrap(draws=300))


def test_numbers_and_per_query_agree(evaluation, lists, split):
    assert evaluation.numbers["metric"].to_list() == list(DEFAULT_METRICS)
    assert evaluation.numbers.columns == ["metric", "value", "low", "high", "people", "hits", "by_person"]
    assert evaluation.per_query["query"].to_list() == list(range(len(split.queries)))
    assert evaluation.per_query["user"].dtype == pl.Int32
    judged = Judged(lists, split.truth, split.train.catalogue, split.queries)
    for name, value, low, high, *_ in evaluation.numbers.iter_rows():
        if name in evaluation.per_query.columns:
            assert value == pytest.approx(evaluation.per_query[name].mean(), abs=1e-12)
            np.testing.assert_array_equal(evaluation.per_query[name].to_numpy(), metric(name).per_query(judged))
            assert low - 1e-12 <= value <= high + 1e-12
        else:
            assert (low, high) == (None, None)
            assert 0 < value <= 1
        assert evaluation[name] == value


def test_intervals_are_over_users(evaluation, split):
    row = evaluation.numbers.row(by_predicate=pl.col("metric") == "nDCG@10")
    expected = mean_interval(evaluation.per_query["nDCG@10"].to_numpy(), split.queries.users)
    assert row[2:4] == pytest.approx(expected, abs=1e-12)


def test_without_intervals_the_values_are_the_same(evaluation, lists, split):
    plain = evaluate(lists, split, intervals=False)
    assert plain.numbers["low"].null_count() == len(plain.numbers)
    np.testing.assert_allclose(plain.numbers["value"], evaluation.numbers["value"], rtol=1e-12)


def test_a_part_that_says_nothing_is_null(lists, split):
    found = evaluate(lists, replace(split, truth=Ragged.empty(len(split.truth))), ["nDCG@10", "Coverage@10"])
    assert found.per_query["nDCG@10"].null_count() == len(split.truth)
    assert found.numbers.row(0) == ("nDCG@10", None, None, None, 0, 0, None)


def test_unreachable_truth_is_a_miss_and_its_share_is_told(lists, split):
    ghost = len(split.train.items) + 5
    truth = Ragged.of([[*row.tolist(), ghost] for row in (split.truth[q] for q in range(len(split.truth)))])
    found = evaluate(lists, replace(split, truth=truth), ["Recall@10"], intervals=False)
    assert found.unreachable >= len(truth) / len(truth.values)
    assert found["Recall@10"] < evaluate(lists, split, ["Recall@10"], intervals=False)["Recall@10"]
    assert "outside the catalogue" in str(found)


def test_it_prints_as_a_table(evaluation):
    text = str(evaluation)
    assert "nDCG@10" in text
    assert f"{evaluation['nDCG@10']:.4f}" in text
    assert "95% intervals over users" in text


def test_diversity_over_given_vectors(lists, split):
    vectors = np.random.default_rng(0).normal(size=(split.train.n_items, 4)).astype(np.float32)
    found = evaluate(lists, split, ["ILD@10"], vectors=vectors, bootstrap=Bootstrap(draws=100))
    row = lists.items[0]
    unit = unit_rows(vectors)[row].astype(float)
    cosines = (unit @ unit.T)[np.triu_indices(10, 1)]
    assert found.per_query["ILD@10"][0] == pytest.approx(1 - cosines.mean(), abs=1e-6)
    for scale in (3.0, 1e20, 1e-30):
        scaled = evaluate(lists, split, ["ILD@10"], vectors=np.float32(scale) * vectors, bootstrap=Bootstrap(draws=100))
        assert scaled["ILD@10"] == pytest.approx(found["ILD@10"], abs=1e-6)
    wide = evaluate(
        lists, split, ["ILD@10"], vectors=vectors * np.logspace(-200, 200, len(vectors))[:, None], bootstrap=Bootstrap(draws=100)
    )
    assert wide["ILD@10"] == pytest.approx(found["ILD@10"], abs=1e-6)
    with pytest.raises(DataError, match="vector for each item"):
        evaluate(lists, split, ["ILD@10"])
    with pytest.raises(ParameterError, match="row for each of"):
        evaluate(lists, split, ["ILD@10"], vectors=vectors[:5])
    for wrong in (np.nan, np.inf):
        vectors[3, 1] = wrong
        with pytest.raises(ParameterError, match="in row 3; give zeros"):
            evaluate(lists, split, ["ILD@10"], vectors=vectors)
        with pytest.raises(ParameterError, match="in row 3; give zeros"):
            vt.compare([vt.Popularity()], split, vectors=vectors)


def test_a_metric_of_ones_own(lists, split):
    class Constant:
        name, k, lower_is_better, needs, definition = "Constant", 0, True, frozenset(), "A quarter."

        def per_query(self, judged):
            return np.full(len(judged), 0.25)

    found = evaluate(lists, split, [Constant(), "repeat nDCG@5"], bootstrap=Bootstrap(draws=50))
    assert found["Constant"] == 0.25
    assert [(m.name, m.k, m.lower_is_better, m.needs) for m in found.metrics] == [
        ("Constant", 0, True, frozenset()),
        ("repeat nDCG@5", 5, False, frozenset({"truth", "history"})),
    ]
    assert found.metrics[0].definition == "A quarter."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"k": None}, "k = 10, the places that it reads"),
        ({"k": 2.5}, "'k' of the metric Mine is 2.5"),
        ({"name": ""}, "with every parameter in it"),
        ({"lower_is_better": "no"}, "lower_is_better = False"),
        ({"needs": frozenset({"clicks"})}, "of truth, history, popularity, vectors, values, grades, queries"),
        ({"definition": None}, "what it measures in a sentence"),
        ({"per_query": None}, "has neither"),
        ({"state": 1, "merge": 1, "value": 1}, "has both"),
    ],
)
def test_a_metric_that_does_not_say_all_is_refused_with_what_to_write(changes, sentence, lists, split):
    says = {"name": "Mine", "k": 0, "lower_is_better": False, "needs": frozenset(), "definition": "Mine.", "per_query": len} | changes
    mine = type("Mine", (), {name: value for name, value in says.items() if value is not None})
    with pytest.raises(ParameterError, match=sentence):
        evaluate(lists, split, [mine()])
    with pytest.raises(ParameterError, match="is a class"):
        evaluate(lists, split, [mine])


def test_what_cannot_be_judged_is_refused(lists, split):
    with pytest.raises(UnknownNameError, match=r"Did you mean 'nDCG@10'"):
        evaluate(lists, split, ["NDCG@10"])
    with pytest.raises(UnknownNameError, match="evaluated metric"):
        evaluate(lists, split, ["nDCG@10"], intervals=False)["Recall@10"]
    with pytest.raises(ParameterError, match="recommend with k=20"):
        evaluate(lists, split, ["nDCG@20"])
    with pytest.raises(ParameterError, match="same queries"):
        evaluate(lists[:3], split)
    with pytest.raises(ParameterError, match="twice"):
        evaluate(lists, split, ["nDCG@10", "nDCG@10"])
    stranger = Recommendations(lists.items, lists.scores, vt.Vocabulary.of(range(120)))
    with pytest.raises(VocabularyError):
        evaluate(stranger, split)


def test_what_hits_are_worth(lists, split):
    """The mean price of an item's events in training, summed over hits; an item without an event at the mean of all."""
    train = split.train
    with pytest.raises(DataError, match=r"Value@10 needs to know what items are worth.*value='price'"):
        evaluate(lists, replace(split, train=replace(train, events=replace(train.events, values=None))), ["Value@10"])
    prices = np.random.default_rng(0).lognormal(0, 1, train.n_events).astype(np.float32)
    priced = replace(split, train=replace(train, events=replace(train.events, values=prices)))
    found = evaluate(lists, priced, ["Value@10", "nDCG@10"], bootstrap=Bootstrap(draws=100))
    usual = {i: prices[train.events.items == i].mean() for i in np.unique(train.events.items)}
    expected = [
        sum(usual[i] for i in row if i in set(truth))
        for row, truth in zip(lists.items.tolist(), map(split.truth.__getitem__, range(len(lists))), strict=True)
    ]
    np.testing.assert_allclose(found.per_query["Value@10"].to_numpy(), expected, rtol=1e-5)
    assert evaluate(lists, replace(priced, train=priced.train.sharded(3)), ["Value@10"], intervals=False)["Value@10"] == pytest.approx(
        found["Value@10"]
    )
