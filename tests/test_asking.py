"""What is asked of a recommender is looked at before anything is cut; who asks and what things are called goes through to the tables."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.forms.static import Static
from vitrina.retrieve.top_k import top_k_dense
from vitrina.types import Eligibility, Events, Ragged

DATA = vt.testing.toy()
QUERIES = DATA.queries()
MODELS = [
    vt.Popularity(), vt.TopPersonal(), vt.TifuKNN(neighbours=2), vt.RandomItems(), vt.EASE(l2=1), vt.Cooccurrence(), vt.ContentSimilarity(),
    vt.eSASRec(dim=8, training=vt.sequence.Training(epochs=1, patience=None)),
]  # fmt: skip


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: type(model).__name__)
def fitted(request) -> Any:
    return request.param.fit(DATA)


@pytest.mark.parametrize("rows", [1, 10])
@pytest.mark.parametrize("part", ["include", "exclude"])
@pytest.mark.parametrize("repeat", [True, False])
def test_rows_that_are_not_one_a_query_are_refused(fitted, part, rows, repeat, tmp_path):
    chosen: dict[str, Any] = {part: Ragged.of([[0]] * rows)}
    eligible = Eligibility(repeat=repeat, **chosen)
    for ask in (
        lambda: fitted.recommend(QUERIES[:3], k=3, eligible=eligible),
        lambda: vt.recommend_to(tmp_path / "lists.csv", fitted, QUERIES[:3], k=3, eligible=eligible),
    ):
        with pytest.raises(ParameterError, match=f"'{part}' of an Eligibility .* as many rows as there are queries \\(3\\). Got {rows};"):
            ask()
    assert not list(tmp_path.iterdir())


def test_every_block_gets_its_own_rows(fitted, monkeypatch):
    exclude = Eligibility(exclude=Ragged.of([[q % 4] for q in range(len(QUERIES))]), repeat=True)
    whole = fitted.recommend(QUERIES, k=3, eligible=exclude)
    assert all(q % 4 not in items for q, items in enumerate(whole.items.tolist()))


@dataclass(frozen=True)
class Own:
    """A recommender from elsewhere, which looks at nothing."""

    vocabulary: Any = DATA.items

    def recommend(self, queries: Any, k: int, *, eligible: Eligibility = Eligibility()) -> Any:
        scores = np.zeros((len(queries), DATA.n_items), np.float32)
        return top_k_dense(scores, queries, k, eligible, DATA.catalogue, DATA.items)


def test_models_of_ones_own_are_held_to_it_at_the_edges(tmp_path):
    wrong = Eligibility(exclude=Ragged.of([[0]]), repeat=True)
    for ask in (
        lambda: Own().recommend(QUERIES, 2, eligible=wrong),
        lambda: vt.recommend_to(tmp_path / "a.csv", Own(), QUERIES, k=2, eligible=wrong),
        lambda: vt.recommend_to(tmp_path / "a.csv", Own(), ["ann"], k=2),  # type: ignore[arg-type]
        lambda: vt.recommend_to(tmp_path / "a.csv", Own(), QUERIES, k=2.0),  # type: ignore[arg-type]
    ):
        with pytest.raises(ParameterError):
            ask()
    split = DATA.split(vt.split.LeaveOneOut())
    lists = vt.Popularity().fit(split.train).recommend(split.queries, 2)
    for judge in (lambda s: vt.evaluate.evaluate(lists, s, ["HitRate@2"]), lambda s: vt.compare([vt.EASE()], s)):
        with pytest.raises(ParameterError, match="as many rows as there are queries"):
            judge(replace(split, eligible=wrong))


@pytest.mark.parametrize("k", [3.0, True, "3", None, 0, -1, np.float32(2), np.True_])
def test_a_length_is_a_whole_number(k):
    with pytest.raises(ParameterError, match="The 'k' of a recommendation must be"):
        vt.EASE(l2=1).fit(DATA).recommend(QUERIES, k)


def test_lists_are_no_wider_than_the_catalogue(fitted):
    lists = fitted.recommend(QUERIES, 10**9, eligible=Eligibility(repeat=True))
    assert lists.items.shape == (len(QUERIES), 4)
    assert all(sorted(items) == [0, 1, 2, 3] for items in lists.items.tolist())
    assert fitted.recommend(QUERIES, np.int64(2)).items.tolist() == fitted.recommend(QUERIES, 2).items.tolist()


def test_a_metric_deeper_than_the_catalogue_reads_the_whole_lists():
    split = DATA.split(vt.split.LeaveOneOut())
    lists = vt.Popularity().fit(split.train).recommend(split.queries, 10, eligible=split.eligible)
    found = vt.evaluate.evaluate(lists, split, ["HitRate@10", "Precision@10", "HitRate@4"], intervals=False)
    assert lists.k == 4
    assert found["HitRate@10"] == found["HitRate@4"] == pytest.approx(10 * found["Precision@10"])
    with pytest.raises(ParameterError, match="needs lists of 4 items"):
        vt.evaluate.evaluate(replace(lists, items=lists.items[:, :3], scores=lists.scores[:, :3], extra={}), split, ["HitRate@4"])


WRONG_ITEMS: list[tuple[Any, str]] = [
    (["tea"], r"data.items.encode\(\['tea'\]\)"),
    ("tea", r"data.items.encode\(\['tea'\]\)"),
    (pl.Series(["tea"]), r"data.items.encode\(\['tea'\]\)"),
    (["tea", None], r"data.items.encode\(\['tea'\]\)"),
    ([1.5], "whole numbers"),
    ([True, False, True, True], r"np.flatnonzero\(mask\)"),
    ([[0], [1]], r"vt.Ragged.of\(rows\)"),
    ([[0], [1, 2]], r"vt.Ragged.of\(rows\)"),
    (3, "must be a list"),
    ({1, 2}, "must be a list"),
    ([2**40], "32 bits"),
]


@pytest.mark.parametrize(("items", "said"), WRONG_ITEMS)
@pytest.mark.parametrize("part", ["include", "exclude"])
def test_what_is_no_list_of_codes_is_answered_with_what_to_write(part, items, said):
    with pytest.raises(ParameterError, match=said):
        Eligibility(**{part: items})


def test_lists_and_columns_of_codes_are_taken_and_unknown_codes_say_nothing(fitted):
    wanted = fitted.recommend(QUERIES, 4, eligible=Eligibility(include=np.array([1, 3], np.int32), repeat=True)).items
    for include in ([1, 3], (3, 1), pl.Series([1, 3]), np.array([1, 3], np.uint8), [3, 1, -1, 4, 10**6, -(10**6)]):
        assert fitted.recommend(QUERIES, 4, eligible=Eligibility(include=include, repeat=True)).items.tolist() == wanted.tolist()
    strange = Ragged.of([[-1, 4, 10**6, -(10**6), 2]] * len(QUERIES))
    for eligible in (Eligibility(include=strange, repeat=True), Eligibility(include=[2], exclude=strange, repeat=True)):
        items = fitted.recommend(QUERIES, 4, eligible=eligible).items
        assert set(items.ravel().tolist()) <= {2, -1}
    assert (fitted.recommend(QUERIES, 4, eligible=Eligibility(include=[])).items == -1).all()


@pytest.mark.parametrize("indptr", [[0, 3], [1, 2], [0, 2, 1, 2], [0, -1, 2], [], [[0, 2]], [0.0, 2.0], 2])
def test_a_ragged_with_a_bad_indptr_is_refused(indptr):
    with pytest.raises(ParameterError, match="'indptr' of a Ragged must rise from 0"):
        Ragged(np.array(indptr), np.array([1, 2], np.int32))


@pytest.mark.parametrize("rows", [["tea"], "tea", [0, 1], [["tea"]], [[1.5]], [[[1]]], [[True]]])
def test_a_ragged_is_made_of_lists_of_codes(rows):
    with pytest.raises(ParameterError):
        Ragged.of(rows)


@pytest.mark.parametrize("items", [[-1], [4], ["tea"], [1.0], [[1]], [True]])
def test_a_score_is_of_codes_that_there_are(fitted, items):
    with pytest.raises(ParameterError, match="The 'items' of a score"):
        fitted.score(QUERIES, items)
    assert fitted.score(QUERIES, [0, 3]).shape == (6, 2)


def test_pairs_are_a_row_a_query_of_codes_that_there_are(fitted):
    for items in (Ragged.of([[0]]), Ragged.of([[-1]] * 6), Ragged.of([[4]] * 6), [0]):
        with pytest.raises(ParameterError, match="score_pairs"):
            fitted.score_pairs(QUERIES, items)


@pytest.mark.parametrize("asked", [["tea"], "tea", DATA, [["tea"]], None])
def test_what_is_no_queries_is_answered_with_how_to_make_them(fitted, asked):
    for ask in (lambda: fitted.recommend(asked, 3), lambda: fitted.score(asked, [0]), lambda: fitted.score_pairs(asked, Ragged.of([[0]]))):
        with pytest.raises(ParameterError, match=r"data.queries\(\['ann'\]\)"):
            ask()


def test_people_are_asked_for_by_their_ids_and_unknown_ones_are_counted():
    asked = DATA.queries(["bob", "zoe"])
    assert asked.users.tolist() == [int(DATA.users.encode(["bob"])[0]), -1]
    assert asked.lengths.tolist() == [int(QUERIES.lengths[asked.users[0]]), 0]
    assert "1 are asked for people who are not in the log" in repr(asked)
    assert "not in the log" not in repr(QUERIES)
    assert DATA.queries(users=["bob", "zoe"]).labels.to_list() == ["bob", "zoe"]
    by_code = DATA.queries(codes=asked.users[:1])
    assert by_code.histories()[0].tolist() == asked.histories()[0].tolist()
    assert DATA.queries([-1]).lengths.tolist() == [0]  # nobody has the id -1


@pytest.mark.parametrize("codes", [[-1], [6], ["ann"], [0.0], [[0]], 0, [True]])
def test_codes_of_people_stand_for_somebody(codes):
    with pytest.raises(ParameterError, match="The 'codes' of queries"):
        DATA.queries(codes=codes)


@pytest.mark.parametrize("users", ["ann", 0, 3.5])
def test_one_person_is_a_list_of_one(users):
    with pytest.raises(ParameterError, match=r"are a list of ids: data.queries\("):
        DATA.queries(users)


def test_queries_lie_within_the_events():
    for start, stop in (([-1], [1]), ([2], [1]), ([0], [999]), ([0, 1], [1])):
        with pytest.raises(ParameterError, match="must lie within"):
            replace(QUERIES[:1], start=np.array(start), stop=np.array(stop))


def test_an_event_of_an_unknown_item_is_left_out_before_it_is_asked_with():
    events = Events(np.array([0, -1], np.int32))
    with pytest.raises(ParameterError, match="leave such events out"):
        vt.Queries(events, np.array([0]), np.array([2]), DATA.items, np.array([-1], np.int32))


def test_tables_name_people_and_things(fitted, tmp_path):
    frame = fitted.recommend(DATA.queries(["bob", "zoe"]), 2, eligible=Eligibility(repeat=True)).to_frame()
    assert frame.columns == ["user_id", "rank", "item_id", "title", "score", "source"]
    assert frame["user_id"].to_list() == ["bob", "bob", "zoe", "zoe"]
    names = dict(zip(DATA.items.ids, DATA.titles(np.arange(4)), strict=True))
    assert frame["title"].to_list() == [names[item] for item in frame["item_id"]]
    assert frame.filter(pl.col("source") == "fallback")["score"].null_count() == (frame["source"] == "fallback").sum()
    vt.recommend_to(tmp_path / "lists.csv", fitted, DATA.queries(["bob", "zoe"]), k=2, eligible=Eligibility(repeat=True))
    written = pl.read_csv(tmp_path / "lists.csv", schema_overrides=frame.schema)
    assert written.drop("score").equals(frame.drop("score"))
    assert "NaN" not in (tmp_path / "lists.csv").read_text()


def test_histories_from_outside_are_numbered_and_a_log_without_titles_has_no_column():
    bare = replace(DATA, item_table=None)
    asked = vt.Queries.of_histories(bare.items, [["tea"], ["jam"]])
    lists = vt.Popularity().fit(bare).recommend(asked, 1)
    assert lists.to_frame().columns == ["query", "rank", "item_id", "score", "source"]
    assert lists[np.array([1])].to_frame()["query"].to_list() == [0]
    assert lists.to_frame(pl.Series("who", ["a", "b"])).columns[0] == "who"


def test_one_of_many_is_a_list_of_one(fitted):
    lists = fitted.recommend(QUERIES, 2)
    for one in (0, -1, np.int64(2)):
        assert fitted.recommend(QUERIES[one], 2).items[0].tolist() == lists.items[one].tolist()
        assert lists[one].to_frame().equals(lists.to_frame().filter(pl.col("user_id") == QUERIES.labels[int(one)]))
    assert [len(query) for query in QUERIES] == [1] * len(QUERIES)
    rows = Ragged.of([[3], [], [1, 2]])
    assert [rows[place].tolist() for place in (0, -1, -3)] == [[3], [1, 2], [3]]
    with pytest.raises(IndexError):
        _ = rows[-4]


def test_labels_are_any_list_of_one_a_query(fitted, tmp_path):
    lists, names = fitted.recommend(QUERIES[:2], 1, eligible=Eligibility(repeat=True)), ["one", "two"]
    vt.recommend_to(tmp_path / "lists.csv", fitted, QUERIES[:2], names, 1, eligible=Eligibility(repeat=True))
    assert lists.to_frame(names)["query"].to_list() == names == pl.read_csv(tmp_path / "lists.csv")["query"].to_list()
    with pytest.raises(ParameterError, match="one label per query"):
        lists.to_frame(["one"])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_writer_that_was_interrupted_makes_no_file_afterwards(ending, tmp_path, monkeypatch):
    fitted, real = vt.Popularity().fit(DATA), Static.recommend
    blocks: list[int] = []

    def breaks(*given: Any, **named: Any) -> Any:
        blocks.append(1)
        if len(blocks) % 3 == 0:
            raise KeyboardInterrupt
        return real(*given, **named)

    monkeypatch.setattr(Static, "recommend", breaks)
    monkeypatch.setattr("vitrina.batch.lists.BLOCK", 1)
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            vt.recommend_to(tmp_path / f"lists.{ending}", fitted, QUERIES, k=2)
    time.sleep(0.1)  # the threads of the writer are done by then
    assert not list(tmp_path.iterdir())


def test_parts_of_lists_keep_their_names():
    lists = vt.Popularity().fit(DATA).recommend(DATA.queries(["ann", "bob", "zoe"]), 1, eligible=Eligibility(repeat=True))
    assert lists[np.array([2, 0])].to_frame()["user_id"].to_list() == ["zoe", "ann"]
    assert lists[1:].to_frame()["user_id"].to_list() == ["bob", "zoe"]
    assert vt.Recommendations.concat([lists[:1], lists[2:]]).to_frame()["user_id"].to_list() == ["ann", "zoe"]


def test_lists_and_logs_show_themselves(fitted):
    lists = fitted.recommend(DATA.queries(["bob"]), 2, eligible=Eligibility(repeat=True))
    assert "bob" in str(lists)
    assert "bob" in lists._repr_html_()
    assert lists.to_pandas().columns.tolist() == lists.to_frame().columns
    assert len(DATA) == DATA.n_events == len(DATA.to_pandas())
    assert "events" in DATA._repr_html_()
