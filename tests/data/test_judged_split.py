"""A split of judgements: what was judged, the whole catalogue, histories where somebody is known; nothing lost in silence."""

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, SplitError
from vitrina.data.store import open_split, save_split
from vitrina.jobs.folders import split_fingerprint

ITEMS = pl.DataFrame(
    {"item": ["tea", "milk", "salt", "rice", "corn"], "title": ["Green tea", "Oat milk", "Sea salt", "Rice", "Sweet corn"]}
)
QRELS = pl.DataFrame([
    ("q1", "tea", 2), ("q1", "milk", 1), ("q1", "salt", 0), ("q2", "salt", 1), ("q2", "sugar", 3), ("q3", "rice", 0), ("q9", "rice", 1),
    ("q1", "tea", 2),
], schema=["query", "item", "gain"], orient="row")  # fmt: skip
QUERIES = pl.DataFrame({
    "query": ["q1", "q2", "q3", "q4"], "text": ["green tea", "sea salt", "rice", "corn"], "user": ["ann", "nobody", None, "bob"],
    "frequency": [90, 3, 1, 1],
})  # fmt: skip
LOG = pl.DataFrame({"user": ["ann", "ann", "bob", "bob", "bob"], "item": ["milk", "salt", "milk", "tea", "bread"], "time": [1, 2, 3, 4, 5]})


def log(tmp_path):
    path = tmp_path / "log.csv"
    LOG.write_csv(path)
    return vt.read_interactions(path, user="user", item="item", time="time")


def test_what_is_in_it():
    split = vt.split.judged(QRELS, QUERIES, ITEMS)
    assert split.queries.texts.to_list() == ["green tea", "sea salt"]
    assert split.queries.request_ids.to_list() == ["q1", "q2"]
    assert [split.train.items.decode(split.truth[q]).to_list() for q in range(2)] == [["tea", "milk"], ["salt", "sugar"]]
    assert [dict(zip(split.train.items.decode(split.grades.items[q]), own, strict=True)) for q, own in enumerate(np.split(split.grades.gains, [3]))] == [
        {"tea": 2, "milk": 1, "salt": 0}, {"salt": 1, "sugar": 3},
    ]  # fmt: skip
    assert split.train.items.decode(split.train.catalogue.items).to_list() == ITEMS["item"].to_list()
    assert split.train.titles(np.array([0, 4])) == ["Green tea", "Sweet corn"]
    assert split.counts == {
        "judgements": 6, "judgements_twice": 1, "judgements_without_query": 1, "judgements_without_item": 1, "queries_without_truth": 2,
        "cold_targets_share": 1.0, "seen_targets_share": 0.0, "queries_without_history_share": 1.0, "new_users_share": 1.0,
    }  # fmt: skip
    assert len(split.warnings) == 3
    assert "2 queries were dropped" in str(split.summary)
    assert split.protocol.line.startswith("judged queries, 2 queries;")
    assert "full ranking of 5 items" in split.protocol.line


def test_an_item_without_events_is_found_and_one_outside_the_catalogue_is_a_miss(tmp_path):
    split = vt.split.judged(QRELS, QUERIES, ITEMS, log=log(tmp_path))
    lists = vt.Popularity().fit(split.train).recommend(split.queries, 6, eligible=split.eligible)
    assert sorted(split.train.items.decode(lists.items[0]).to_list()) == ["bread", "corn", "milk", "rice", "salt", "tea"]
    found = vt.evaluate.evaluate(lists, split, ["Recall@6", "linear nDCG@6", "Unjudged@6"], intervals=False)
    assert found.per_query["Recall@6"].to_list() == [1, 0.5]
    assert found.per_query["Unjudged@6"].to_list() == [3, 5]
    assert found.unreachable == pytest.approx(1 / 4)


def test_the_history_of_who_asks_is_there(tmp_path):
    split = vt.split.judged(QRELS, QUERIES, ITEMS, log=log(tmp_path))
    assert [split.train.items.decode(row).to_list() for row in (split.queries.histories()[0], split.queries.histories()[1])] == [
        ["milk", "salt"],
        [],
    ]
    assert split.queries.users.tolist() == [split.train.users.encode(["ann"])[0], -1]
    assert split.queries.context.columns == ["frequency"]


def test_the_limit_of_relevance():
    split = vt.split.judged(QRELS, QUERIES, ITEMS, above=1)
    assert [split.train.items.decode(split.truth[q]).to_list() for q in range(2)] == [["tea"], ["sugar"]]
    with pytest.raises(SplitError, match="gain above 3"):
        vt.split.judged(QRELS, QUERIES, ITEMS, above=3)


def test_texts_that_are_their_own_ids_and_ids_that_are_numbers():
    qrels = pl.DataFrame({"query": ["laptop", "laptop"], "item": [7, 8], "gain": [3, 0]})
    split = vt.split.judged(qrels, None, [7, 8, 9])
    assert split.queries.texts.to_list() == ["laptop"]
    assert split.train.items.decode(split.truth[0]).to_list() == ["7"]
    split.train.items.require_compatible(vt.Vocabulary.of([7, 8, 9]), "queries of an index")


def test_saved_opened_and_taken_apart_it_is_the_same(tmp_path):
    split = vt.split.judged(QRELS, QUERIES, ITEMS, log=log(tmp_path), above=0.5)
    save_split(split, tmp_path / "split")
    again = open_split(tmp_path / "split")
    assert split_fingerprint(again) == split_fingerprint(split)
    assert again.train.catalogue.items.tolist() == split.train.catalogue.items.tolist()
    assert again.grades.above == 0.5
    assert again.grades.gains.tolist() == split.grades.gains.tolist()
    other = split.changed(grades=vt.Grades(split.grades.items, split.grades.gains * 2, 0.5))
    assert split_fingerprint(other) != split_fingerprint(split)
    part = split.take(np.array([1]))
    assert part.grades.gains.tolist() == [1, 3]
    assert part.queries.texts.to_list() == ["sea salt"]
    with pytest.raises(ParameterError, match=r"split.take\(rows\)"):
        split.changed(queries=split.queries[np.array([1])])


def test_engines_and_recommenders_stand_on_one_board(tmp_path, one_process):
    split = vt.split.judged(QRELS, QUERIES, ITEMS, log=log(tmp_path))
    board = vt.compare([vt.Popularity(), vt.RandomItems()], split, metrics=["linear nDCG@5", "Unjudged@5"], primary="linear nDCG@5")
    assert {"Popularity", "RandomItems"} <= set(board.numbers["model"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda q: q.rename({"gain": "relevance"}), "a column 'gain'. It has query, item, relevance"),
        (lambda q: q.vstack(pl.DataFrame([("q1", "tea", 1)], schema=q.schema, orient="row")), "'tea' for the query 'q1', the gains 2 and 1"),
        (lambda q: q.with_columns(gain=pl.when(pl.col("item") == "milk").then(None).otherwise("gain")), "Row 2 of the judgements has the gain None"),
        (lambda q: q.with_columns(item=pl.when(pl.col("item") == "milk").then(None).otherwise("item")), "Row 2 of the judgements has an empty 'item'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(change, message):
    with pytest.raises(DataError, match=message):
        vt.split.judged(change(QRELS), QUERIES, ITEMS)


def test_metrics_of_grades_are_refused_on_a_log(tmp_path):
    split = log(tmp_path).split(vt.split.LeaveOneOut())
    with pytest.raises(DataError, match="Unjudged@10 needs to know what was judged"):
        vt.evaluate.evaluate(vt.Popularity().fit(split.train), split, ["Unjudged@10"])


def test_slices_of_a_search():
    split = vt.split.judged(QRELS, QUERIES, ITEMS, above=0)
    labels = vt.evaluate.slice_labels(split)
    assert labels["times asked"].to_list() == ["10 to 99", "2 to 9"]
    assert "words asked" not in labels
    longer = vt.split.judged(QRELS, {"q1": "very green tea", "q2": "salt"}, ITEMS)
    assert vt.evaluate.slice_labels(longer)["words asked"].to_list() == ["3", "1"]
    many = vt.split.judged(pl.DataFrame({"query": ["a", "b", "b"], "item": ["tea", "tea", "milk"], "gain": [1, 1, 2]}), None, ITEMS)
    lists = vt.RandomItems().fit(many.train).recommend(many.queries, 5)
    found = vt.evaluate.evaluate(lists, many, ["Recall@5"], slices=True, intervals=False).slices
    assert found.filter(pl.col("slice") == "relevant items")["group"].to_list() == ["1", "2"]
