"""Evaluation of a split in shards beside that of the same log in memory: numbers, slices, values per query, differences."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.base.executor import Processes
from vitrina.data.dataset import Dataset
from vitrina.data.sharded import held
from vitrina.evaluate import by_slice, compare_fitted, compare_paired, evaluate, slice_labels
from vitrina.types import Events

DAY = 86_400_000_000
METRICS = ["nDCG@5", "HitRate@3", "Recall@5", "Coverage@5", "Gini@5", "MIUF@5", "MeanPopularity@3"]


def log_of(seed: int, users: int = 60, items: int = 18) -> Dataset:
    """One person with a third of all events, people without any, ties and repeats; the order of people is that of shards."""
    rng = np.random.default_rng(seed)
    n = users * 8
    people = np.where(rng.random(n) < 0.3, 2, rng.integers(0, users - 5, n))
    events = Events(np.minimum(rng.geometric(0.15, n) - 1, items - 1).astype(np.int32), rng.integers(0, 40, n) * DAY // 2)
    vocabularies = vt.Vocabulary.of([f"u{u}" for u in range(users)]), vt.Vocabulary.of([f"i{c}" for c in range(items)])
    return Dataset.of_codes(people, events, *vocabularies, time_unit="us")


def splits(seed, count, rule):
    data = log_of(seed)
    return data.split(rule), held(data, count).split(rule)


def close(one, other):
    assert_frame_equal(one, other, check_exact=False, rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize("rule", [vt.split.GlobalTime(days=3, repeat=True), vt.split.LeaveOneOut(repeat=False)], ids=repr)
@pytest.mark.parametrize("count", [1, 4, 60])  # of 60 shards some have no query
def test_the_numbers_of_shards_are_those_of_the_log(rule, count, tmp_path):
    for seed in range(4):
        whole, split = splits(seed, count, rule)
        fitted = vt.Cooccurrence().fit(whole.train)
        expected = evaluate(fitted, whole, METRICS, slices=True)
        found = evaluate(vt.Cooccurrence().fit(split.train), split, METRICS, slices=True, per_query=tmp_path / "values.parquet")
        close(found.numbers, expected.numbers)
        assert found.fallback == expected.fallback
        assert found.unreachable == pytest.approx(expected.unreachable)
        assert found.queries == len(expected.per_query)
        assert found.per_query.is_empty()
        assert found.per_query.schema == expected.per_query.schema
        close(pl.read_parquet(tmp_path / "values.parquet"), expected.per_query)
        close(found.slices, expected.slices)


def test_slices_that_are_asked_for_are_those_of_the_values_per_query():
    whole, _ = splits(0, 1, vt.split.GlobalTime(days=3))
    found = evaluate(vt.Popularity().fit(whole.train), whole, METRICS, slices=True)
    labels = slice_labels(whole)
    wanted = by_slice(found.per_query, labels).filter(pl.col("slice").is_in(found.slices["slice"].unique().to_list()))
    close(found.slices, wanted)
    assert set(found.slices["slice"]) == set(labels)


def test_a_model_is_judged_as_its_lists_are():
    whole, _ = splits(1, 1, vt.split.LeaveOneOut())
    fitted = vt.Popularity().fit(whole.train)
    lists = fitted.recommend(whole.queries, 10, eligible=whole.eligible)
    for given in (fitted, lambda: fitted):
        close(evaluate(given, whole, METRICS).numbers, evaluate(lists, whole, METRICS).numbers)
    with pytest.raises(ParameterError, match=r"or the fitted model that gives them\. Got a str"):
        evaluate("lists", whole, METRICS)


def test_lists_of_a_split_in_shards_are_refused_with_what_to_give():
    whole, split = splits(1, 3, vt.split.LeaveOneOut())
    lists = vt.Popularity().fit(whole.train).recommend(whole.queries, 10, eligible=whole.eligible)
    with pytest.raises(ParameterError, match=r"Give the fitted model: evaluate\(fitted, split\)"):
        evaluate(lists, split)
    with pytest.raises(DataError, match="Value@5"):
        compare_fitted({"a": vt.Popularity().fit(whole.train)}, split, "a", "Value@5")


def test_processes_judge_shards():
    _, split = splits(2, 3, vt.split.LeaveOneOut())
    spread = held(log_of(2), 3).on(Processes(2)).split(vt.split.LeaveOneOut())
    fitted = vt.Popularity().fit(split.train)
    one, other = (evaluate(fitted, part, METRICS).numbers for part in (split, spread))
    assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize("chosen", [False, True])
@pytest.mark.parametrize("metric", ["nDCG@5", "MeanPopularity@5"])
def test_differences_of_shards_are_those_of_the_values_per_query(chosen, metric):
    for seed in range(3):
        rule = vt.split.GlobalTime(days=3, repeat=True)
        whole, split = splits(seed, 5, rule)
        models = {
            "Popularity": vt.Popularity(),
            "Recent": vt.Popularity(days=5),
            "Cooccurrence": vt.Cooccurrence(),
            "Own": vt.TopPersonal(),
        }
        fitted = {name: model.fit(whole.train) for name, model in models.items()}
        columns = {
            name: evaluate(one, whole, [metric]).per_query[metric].fill_null(float("nan")).to_numpy() for name, one in fitted.items()
        }
        lower = metric.startswith("Mean")
        wanted = compare_paired(columns, "Popularity", whole.queries.users, lower_is_better=lower, chosen=chosen)
        for part in (whole, split):
            close(compare_fitted(fitted, part, "Popularity", metric, chosen=chosen), wanted)


def test_people_of_other_shards_are_other_people():
    """Codes begin at 0 in every shard: two people of one code would be one person of two queries."""
    data = held(log_of(3), 6)
    found = evaluate(vt.Popularity().fit(data), data.split(vt.split.LeaveOneOut(repeat=True)), ["HitRate@3"])
    assert found.numbers["people"].item() == found.queries


def test_random_lists_of_two_shards_are_drawn_apart():
    data = held(log_of(4), 2)
    fitted = vt.RandomItems().fit(data)
    first, second = (replace(shard.queries(), start=shard.queries().stop) for shard in data.shards())  # people without a history
    both = min(len(first), len(second))
    lists = [fitted.recommend(queries[:both], 5).items for queries in (first, second)]
    assert not (lists[0] == lists[1]).all(axis=1).any()
