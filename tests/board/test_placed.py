"""What reaches a board beside lists: tables of the models, sources and reasons of places, and lists as they were before a re-ranker."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import rogues

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.board import placed
from vitrina.jobs.answers import Before, read_lists, write_lists
from vitrina.told import explained, tables_of

pytestmark = pytest.mark.usefixtures("one_process")
JOB = {"metrics": ["nDCG@5"], "primary": "nDCG@5", "k": 5, "baselines": False, "progress": False}
HASHED = vt.Reranked(model=vt.Popularity(), reranker=vt.testing.ByHash(), candidates=12)


@pytest.fixture(scope="module")
def folds():
    return vt.split.rolling(vt.testing.synthetic(users=150, items=40), vt.split.GlobalTime(days=10, repeat=True), folds=2)


def test_tables_of_the_latest_fold_and_the_first_fit_are_on_the_board_and_in_its_file(folds, tmp_path):
    models = {"telling": rogues.Sourced(seed=7), "popular": vt.Popularity()}
    job = JOB | {"budget": vt.Budget(fits=2), "cache": tmp_path / "cache"}
    for cached in (False, True):
        board = vt.compare(models, folds, **job)
        assert board.entry("telling").cached == cached
        assert list(board.tables) == ["telling"]
        table = board.tables["telling"]["sources"]
        assert table["seed"].to_list() == [7, 7]
        assert table["events"].to_list() == [folds[-1].train.n_events] * 2
    board.save(tmp_path / "report")
    kept = json.loads((tmp_path / "report" / "board.json").read_text())
    assert kept["tables"] == {"telling": {"sources": table.to_dicts()}}


def test_sources_and_reasons_of_places_reach_the_board_by_name(folds):
    board = vt.compare({"telling": rogues.Sourced(), "popular": vt.Popularity()}, folds[-1], **JOB)
    shares = {row["source"]: row["places"] for row in board.sources.iter_rows(named=True)}
    assert shares == pytest.approx({"fallback": 0.0, "near": 0.6, "far": 0.4})
    assert board.sources["hits"].sum() == pytest.approx(1)
    assert set(board.sources["model"]) == {"telling"}
    assert board.reasons.rows() == [("telling", "new", 0.0, 0.0), ("telling", "first", pytest.approx(0.2), 1.0)]
    shown = board.examples[0]
    assert shown.sources["telling"] == ("near", "far", "near", "far", "near")
    assert shown.reasons["telling"] == (("first",), (), (), (), ())
    assert "popular" not in shown.sources
    assert board.entry("telling").fallback_share == 0


def test_a_re_ranked_row_has_its_lists_before_that_and_what_moved(folds):
    split = folds[-1]
    board = vt.compare({"hashed": HASHED, "same": vt.Reranked(model=vt.Popularity(), reranker=vt.testing.KeepOrder())}, split, **JOB)
    before = vt.Popularity().fit(split.train).recommend(split.queries, 5, eligible=split.eligible).items
    after = HASHED.fit(split.train).recommend(split.queries, 5, eligible=split.eligible).items
    entered = np.mean([item not in was for row, was in zip(after, before, strict=True) for item in row])
    moved = np.mean([item in was and row[at] != was[at] for row, was in zip(after, before, strict=True) for at, item in enumerate(row)])
    changed = (before != after).any(axis=1).mean()
    assert dict(zip(board.moves["model"], board.moves.drop("model").rows(), strict=True)) == {
        "hashed": (len(before), pytest.approx(changed), pytest.approx(entered), pytest.approx(moved)),
        "same": (len(before), 0.0, 0.0, 0.0),
    }
    for example in board.examples:
        query = int(np.flatnonzero(split.train.users.ids.gather(split.queries.users) == example.user)[0])
        titles = [title for title, _ in example.before["hashed"]]
        if (split.queries.users == split.queries.users[query]).sum() == 1:
            assert titles == split.train.titles(before[query])


def test_only_some_lists_are_kept_as_they_were_before(folds, monkeypatch):
    monkeypatch.setattr("vitrina.jobs.worker.MOST_BEFORE", 7)
    board = vt.compare({"hashed": HASHED}, folds[-1], **JOB)
    assert board.moves["lists"].to_list() == [7]
    assert all("hashed" in example.before for example in board.examples)
    assert 1 <= len(board.examples) <= 6


def test_moves_against_lists_written_by_hand():
    vocabulary = vt.Vocabulary.of(list("abcdef"))

    def lists(*rows):
        items = np.array(rows, np.int32)
        return vt.Recommendations(items, np.where(items < 0, np.nan, 1.0).astype(np.float32), vocabulary)

    after = {"m": lists([0, 1, 2], [3, 1, 0], [9 - 5, -1, -1])}
    before = {"m": Before(np.array([0, 2]), lists([0, 2, 1], [4, -1, -1]))}
    # the first list has the same items in another order, the last is as it was; three of its places are filled, and one of the other
    assert placed.moves(after, before, 3).rows() == [("m", 2, 0.5, 0.0, 0.5)]
    assert placed.moves(after, before, 1).rows() == [("m", 2, 0.0, 0.0, 0.0)]
    entered = {"m": Before(np.array([1]), lists([0, 1, 2]))}
    assert placed.moves(after, entered, 3).rows() == [("m", 1, 1.0, pytest.approx(1 / 3), pytest.approx(1 / 3))]


def test_lists_are_read_as_they_were_written(tmp_path):
    fitted = rogues.Sourced().fit(vt.testing.toy())
    lists = fitted.recommend(vt.testing.toy().queries(), 3)
    write_lists(lists, tmp_path / "lists")
    again = read_lists(tmp_path / "lists", lists.vocabulary)
    assert again.to_frame().equals(replace(lists, labels=None, titles=None).to_frame())
    plain = vt.Recommendations(lists.items, lists.scores, lists.vocabulary)
    write_lists(plain, tmp_path / "plain")
    assert not read_lists(tmp_path / "plain", lists.vocabulary).fallback.any()


def test_models_inside_others_hand_their_tables_on_with_their_names():
    data = vt.testing.synthetic(users=60, items=20)
    alone = vt.Reranked.model_construct(model=rogues.Sourced(), reranker=vt.testing.KeepOrder(), candidates=5).fit(data)
    assert list(alone.tables) == ["sources"]
    lists = vt.Blend.model_construct(models=(vt.EASE(l2=20), rogues.Sourced(seed=1), rogues.Sourced(seed=2)), weights=(1, 1, 1)).fit(data)
    assert list(lists.tables) == ["Telling 1: sources", "Telling 2: sources"]
    assert lists.tables["Telling 2: sources"]["seed"].to_list() == [2, 2]
    assert tables_of(vt.EASE(l2=20).fit(data)) == {}


def test_tables_that_are_none_are_refused():
    class Mine:
        tables = ("a table",)

    with pytest.raises(ParameterError, match="frames by name"):
        tables_of(Mine())


def test_a_model_that_cannot_explain_tells_what_its_lists_have():
    data = vt.testing.toy()
    fitted = vt.Popularity().fit(data)
    assert explained(fitted, data.queries(), 2).equals(fitted.recommend(data.queries(), 2).to_frame())

    class Explains:
        def explain(self, queries, k, *, eligible):
            return pl.DataFrame({"why": ["because"] * k * len(queries)})

    assert explained(Explains(), data.queries(), 2)["why"].to_list() == ["because"] * 12  # type: ignore[arg-type]


def test_a_re_ranked_model_explains_with_the_words_of_the_model_below_it():
    data = vt.testing.synthetic(users=60, items=20)
    fitted = vt.Reranked(model=HASHED, reranker=vt.testing.ByHash(seed=3), candidates=9).fit(data)
    asked = data.queries()[np.array([3, 4, 3])]
    lists, said = fitted.recommend(asked, 4), explained(fitted, asked, 4)
    assert said.select(lists.to_frame().columns).equals(lists.to_frame())
    plain = vt.Popularity().fit(data).recommend(asked, 20)
    for at, row in enumerate(said.iter_rows(named=True)):
        items = plain.items[at // 4]
        ids = plain.vocabulary.decode(items[items >= 0]).to_list()
        assert ids.index(row["item_id"]) + 1 == row["rank_before"]
    assert explained(fitted, asked[:0], 4).is_empty()
