"""A first look asks the same people of every model, and is said to be one."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.board import sample
from vitrina.board.sample import rows_of_people, take_queries
from vitrina.evaluate.run import evaluate


@pytest.fixture(scope="module")
def split():
    return vt.testing.synthetic(users=300, items=40, mean_length=12).split(vt.split.GlobalTime(quantile=0.6))


def test_a_sample_is_whole_people_up_to_the_number_and_the_same_for_a_seed(split):
    rows = rows_of_people(split, 200, seed=1)
    users = split.queries.users
    assert 150 < len(rows) <= 200
    assert np.array_equal(rows, np.sort(rows))
    assert np.array_equal(rows, rows_of_people(split, 200, seed=1))
    assert not np.array_equal(rows, rows_of_people(split, 200, seed=2))
    most_of_one = 200 // sample.MOST_OF_ONE
    for user in np.unique(users[rows]):
        assert (users[rows] == user).sum() == min((users == user).sum(), most_of_one)
    assert np.array_equal(rows_of_people(split, 10**6, seed=1), np.arange(len(users)))


def test_one_heavy_person_is_not_the_whole_sample(split):
    heavy = replace(split.queries, users=np.where(np.arange(len(split.queries)) % 2 == 0, 7, split.queries.users))
    rows = rows_of_people(replace(split, queries=heavy), 100, seed=0)
    assert (heavy.users[rows] == 7).sum() <= 5
    assert len(rows) > 80


def test_visitors_without_a_code_are_people_of_their_own(split):
    nobody = replace(split, queries=replace(split.queries, users=np.full(len(split.queries), -1, np.int32)))
    assert len(rows_of_people(nobody, 100, seed=0)) == 100


def test_taken_queries_keep_their_truth_and_what_may_be_shown(split):
    ragged = vt.Ragged.of([[q % 5] for q in range(len(split.queries))])
    some = take_queries(replace(split, eligible=replace(split.eligible, exclude=ragged)), np.array([3, 8, 20]))
    assert some.eligible.exclude.values.tolist() == [3, 3, 0]
    for at, row in enumerate((3, 8, 20)):
        assert some.truth[at].tolist() == split.truth[row].tolist()
        assert some.queries.start[at] == split.queries.start[row]
    assert some.train is split.train


@pytest.mark.usefixtures("one_process")
def test_a_quick_board_says_what_it_left_out_and_its_values_are_those_of_the_sample(split, monkeypatch):
    monkeypatch.setattr(sample, "QUICK_QUERIES", 100)
    models = {"window": vt.tune(vt.Popularity, days=[1, 2, 3, 5, 7, 9])}
    labels = pl.Series([str(q % 2) for q in range(len(split.queries))])
    board = vt.compare(models, split, metrics=["nDCG@10"], baselines=False, quick=True, slices={"odd": labels}, progress=False)
    rows = rows_of_people(split, 100, 0)
    part = take_queries(split, rows)
    said = board.settings["quick"]
    assert f"{len(rows)} of {len(split.queries)} queries" in said.replace(",", "")
    assert "at most 4 configurations" in said
    assert said in str(board).replace("\n", " ").replace("  ", " ")
    assert board.entries[0].trials == 4
    assert board.per_query.height == len(rows)
    odd = board.slices.filter((pl.col("slice") == "odd") & (pl.col("group") == "1"))["queries"].item()
    assert odd == (rows % 2 == 1).sum()
    best = vt.Popularity(days=board.entries[0].config["days"])
    lists = best.fit(split.train).recommend(part.queries, 10, eligible=part.eligible)
    assert evaluate(lists, part, ["nDCG@10"])["nDCG@10"] == board.numbers["value"][0]
    assert board.split.queries == len(split.queries)
