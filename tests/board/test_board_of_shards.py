"""A board of a log over shards is that of the log in memory where all are asked, and says whose questions it asks where not."""

import json

import numpy as np
import polars as pl
import pytest
import rogues

import vitrina as vt
from vitrina.board.judging import Questions
from vitrina.data.sharded import held
from vitrina.data.split import asked as asked_module
from vitrina.data.split.asked import AskedSplit, asked
from vitrina.data.store import open_split, save_split

RULE = vt.split.GlobalTime(quantile=0.7, repeat=True)
SHAPE = {
    "data": vt.testing.toy(),
    "metrics": ["nDCG@5", "Recall@5", "Coverage@5", "MIUF@5", "Value@5"],
    "primary": "nDCG@5",
    "k": 5,
    "progress": False,
}
VALUES = ["metric", "value", "people", "hits", "by_person"]


@pytest.fixture(scope="module")
def log():
    return vt.testing.synthetic(users=160, items=40, mean_length=9)


@pytest.fixture
def split(log):
    return log.split(RULE)


@pytest.fixture
def sharded(log):
    return held(log, 4).split(RULE)


def test_the_split_of_a_filtered_log_is_read_again(log, tmp_path):
    filtered = vt.filters.item_quantiles(held(log, 4), high=0.8)
    split = asked(filtered.split(RULE))
    sizes = [len(shard) for shard in split.train.shards()]
    save_split(split, tmp_path / "split")
    again = open_split(tmp_path / "split")
    assert [len(shard) for shard in again.train.shards()] == sizes
    assert again.train.fingerprint == split.train.fingerprint  # whether shards have been read or not


def same(left, right, on):
    """Tables with the same rows, numbers to 1e-9; in the order of `on`."""
    left, right = (table.select(sorted(table.columns)).sort(on) for table in (left, right))
    assert left.columns == right.columns
    for name in left.columns:
        if left[name].dtype.is_float():
            np.testing.assert_allclose(left[name].to_numpy(), right[name].to_numpy(), rtol=0, atol=1e-9, equal_nan=True, err_msg=name)
        else:
            assert left[name].to_list() == right[name].to_list(), name


def test_every_baseline_has_the_numbers_that_it_has_in_memory(one_process, split, sharded):
    whole, parts = (vt.compare([], one, **SHAPE) for one in (split, sharded))
    assert [(e.name, e.status) for e in whole.entries] == [(e.name, e.status) for e in parts.entries]
    assert {"Cooccurrence", "EASE", "TopPersonal", "Popularity, all time"} < {e.name for e in parts.entries}
    assert {e.status for e in parts.entries} == {"ok"}
    same(whole.numbers.select("model", *VALUES), parts.numbers.select("model", *VALUES), ["model", "metric"])
    same(whole.popularity, parts.popularity, ["model", "order"])
    same(whole.coverage, parts.coverage, ["model", "rank"])
    of_slices = ["model", "slice", "group", "metric", "value", "queries", "people", "hits"]
    same(whole.slices.select(of_slices), parts.slices.select(of_slices), ["model", "slice", "group", "metric"])
    assert parts.protocol == whole.protocol
    assert parts.split.train == whole.split.train
    assert [e.user for e in parts.examples]
    assert parts.asked.people == whole.asked.people


def test_a_search_over_shards_tries_what_it_tries_in_memory(one_process, split, sharded):
    models = {"ease": vt.tune(vt.EASE, l2=[1, 100])}
    whole, parts = (vt.compare(models, one, baselines=False, budget=vt.Budget(trials=2), **SHAPE) for one in (split, sharded))
    same(whole.trials, parts.trials, ["model", "trial"])
    assert whole.entry("ease").config == parts.entry("ease").config


def test_folds_over_shards_are_those_of_the_log(one_process, log):
    rule = vt.split.GlobalTime(days=10, repeat=True)
    whole, parts = (
        vt.compare([vt.Popularity()], vt.split.rolling(data, rule, folds=2), baselines=False, **SHAPE) for data in (log, held(log, 3))
    )
    same(whole.folds, parts.folds, ["model", "fold"])
    same(whole.numbers.select("model", *VALUES), parts.numbers.select("model", *VALUES), ["model", "metric"])


def test_who_is_drawn_depends_on_ids_alone_and_is_asked_all_questions(log, sharded):
    some, other = (asked(one, queries=60) for one in (sharded, held(log, 7).split(RULE)))
    assert isinstance(some, AskedSplit)
    assert some.drawn
    assert 0 < len(some.queries) <= 60
    assert sorted(some.queries.people.ids) == sorted(other.queries.people.ids)
    whole = log.split(RULE)
    ids = whole.queries.people.decode(whole.queries.users)
    counts = dict(ids.value_counts().iter_rows())
    own = dict(some.queries.people.decode(some.queries.users).value_counts().iter_rows())
    assert own == {person: counts[person] for person in own}


def test_histories_and_truth_of_who_is_drawn_are_those_of_the_log(log, sharded):
    some, whole = asked(sharded, queries=60), log.split(RULE)
    rows = {}
    for at in range(len(whole.queries)):
        person = whole.queries.people.ids[int(whole.queries.users[at])]
        rows.setdefault(person, []).append((whole.queries[at : at + 1].histories()[0].tolist(), whole.truth[at].tolist()))
    for at in range(len(some.queries)):
        person = some.queries.people.ids[int(some.queries.users[at])]
        assert (some.queries[at : at + 1].histories()[0].tolist(), some.truth[at].tolist()) == rows[person].pop(0)


def test_one_who_asks_for_more_than_there_is_room_for_is_asked_for_all(log, sharded):
    assert len(asked(sharded, queries=1).queries) >= 1
    few = asked(sharded, events=1)
    assert len(few.queries.people) >= 1


def test_a_board_of_some_says_so_on_every_page(one_process, monkeypatch, tmp_path, sharded):
    monkeypatch.setattr(asked_module, "MOST_QUERIES", 60)
    monkeypatch.setattr(asked_module.asked, "__kwdefaults__", {"queries": 60, "events": 10**6})
    board = vt.compare([vt.Popularity()], sharded, baselines=False, **SHAPE)
    queries = board.per_query.filter(pl.col("model") == "Popularity").height
    assert queries < sharded.n_queries
    line = f"{queries:,} queries of {sharded.n_queries:,} (people drawn by a hash of their ids)"
    assert line in board.protocol.line
    said = f"Judged on {queries:,} of {sharded.n_queries:,} queries"
    report = board.save(tmp_path).read_text()
    assert said in str(board)
    assert said in report
    assert json.loads((tmp_path / "board.json").read_text())["settings"]["drawn"].startswith(said)


def test_a_model_that_needs_the_whole_log_has_a_row_that_says_what_to_do(one_process, sharded):
    board = vt.compare({"neighbours": rogues.Whole(), "popular": vt.Popularity()}, sharded, baselines=False, **SHAPE)
    entry = board.entry("neighbours")
    assert entry.status == "failed"
    assert "shards" in entry.error
    assert "take a model that reads shards" in entry.error.lower()
    assert board.entry("popular").status == "ok"


def test_the_folder_of_a_split_over_shards_has_the_questions_and_how_to_make_the_rest(tmp_path, sharded):
    split = asked(sharded)
    save_split(split, tmp_path / "split")
    back = open_split(tmp_path / "split")
    assert back.train.n_events == sharded.train.n_events
    assert back.train.fingerprint == sharded.train.fingerprint
    assert not back.train.in_memory
    assert back.queries.people.ids.to_list() == split.queries.people.ids.to_list()
    np.testing.assert_array_equal(back.truth.values, split.truth.values)
    fitted = [vt.Popularity().fit(one.train) for one in (split, back)]
    lists = [one.recommend(split.queries, 5, eligible=split.eligible).items for one in fitted]
    np.testing.assert_array_equal(*lists)


def test_a_first_look_at_shards_asks_a_sample(one_process, sharded):
    board = vt.compare([vt.Popularity()], sharded, baselines=False, quick=True, **SHAPE)
    assert "A first look" in board.settings["quick"]


def test_columns_of_people_slice_a_board_of_shards(log):
    table = pl.DataFrame({"user_id": log.users.ids, "city": [("Riga", "Oslo")[code % 2] for code in range(len(log.users))]})
    frame = log.frame()
    named = vt.read_interactions(frame, users=table)
    questions = [Questions.of(one.split(RULE), None, quick=False, seed=0) for one in (named, held(named, 3))]
    groups = [dict(q.labels["user: city"].value_counts().iter_rows()) for q in questions]
    assert groups[0] == groups[1]
