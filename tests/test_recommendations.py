"""Lists with columns: what they mean, and that nothing loses them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import ParameterError, VocabularyError
from vitrina.data.store import open_split, save_split
from vitrina.jobs.folders import split_fingerprint

VOCABULARY = vt.Vocabulary.of(["tea", "milk", "jam", "oat"])


def lists(**changes: Any) -> vt.Recommendations:
    """Two lists of two places with every column that has a meaning; the last place is a pad."""
    made = vt.Recommendations(
        np.array([[2, 0], [1, -1]], np.int32), np.array([[0.9, 0.5], [0.7, np.nan]], np.float32), VOCABULARY,
        {
            "source": np.array([[0, 2], [1, 0]], np.uint8), "relevance": np.array([[1, 2], [np.nan, np.nan]], np.float32),
            "reasons": np.array([[3, 0], [2, 0]], np.uint8), "propensity": np.array([[0.5, 0.25], [1, np.nan]]),
            "stock": np.array([[7, 8], [9, -1]], np.int32),
        },
        sources=("model", "fallback", "editors"), reason_names=("new", "cheap"),
    )  # fmt: skip
    return replace(made, **changes)


def test_a_table_has_every_column_by_its_meaning():
    frame = lists().to_frame()
    assert frame.columns == ["query", "rank", "item_id", "score", "source", "relevance", "reasons", "propensity", "stock"]
    assert frame["source"].to_list() == ["model", "editors", "fallback"]
    assert frame["reasons"].to_list() == [["new", "cheap"], [], ["cheap"]]
    assert frame["relevance"].to_list() == [1, 2, None]
    assert frame["stock"].to_list() == [7, 8, 9]
    pandas = lists().to_pandas()
    assert list(pandas.columns) == frame.columns
    assert pandas["reasons"].tolist() == [["new", "cheap"], [], ["cheap"]]


def test_the_fallback_is_what_the_own_table_calls_so():
    assert lists().fallback.tolist() == [[False, False], [True, False]]
    assert not lists(sources=("model", "shop", "editors")).fallback.any()
    assert not lists(extra={}).fallback.any()


def test_selections_keep_the_columns():
    part = lists()[1]
    assert part.extra["stock"].tolist() == [[9, -1]]
    assert part.to_frame()["reasons"].to_list() == [["cheap"]]


def test_pads_are_unknown_in_each_column():
    wide = lists().padded(3)
    last = {name: column[:, 2].tolist() for name, column in wide.extra.items()}
    assert np.isnan(last.pop("relevance")).all()
    assert np.isnan(last.pop("propensity")).all()
    assert last == {"source": [0, 0], "reasons": [0, 0], "stock": [-1, -1]}
    assert {name: c.dtype for name, c in wide.extra.items()} == {name: c.dtype for name, c in lists().extra.items()}
    assert wide.to_frame().equals(lists().to_frame())
    assert lists().padded(1).k == 2


def test_parts_with_other_tables_mean_what_they_meant():
    other = lists(sources=("editors", "model", "fallback"), reason_names=("cheap", "local"))
    both = vt.Recommendations.concat([lists(), other])
    frame = both.to_frame()
    assert both.sources == ("model", "fallback", "editors")
    assert both.reason_names == ("new", "cheap", "local")
    assert frame["source"].to_list() == ["model", "editors", "fallback", "editors", "fallback", "model"]
    assert frame["reasons"].to_list()[3:] == [["cheap", "local"], [], ["local"]]
    assert both.fallback.tolist() == [[False, False], [True, False], [False, True], [False, False]]


def test_many_reasons_of_two_parts_get_wider_numbers():
    names = tuple(f"r{n}" for n in range(8)), tuple(f"s{n}" for n in range(8))
    parts = [lists(extra={"reasons": np.full((2, 2), 255, np.uint8)}, reason_names=own) for own in names]
    both = vt.Recommendations.concat(parts)
    assert both.extra["reasons"].dtype == np.uint16
    assert both.to_frame()["reasons"].to_list() == [list(names[0])] * 3 + [list(names[1])] * 3
    many = [lists(extra={"reasons": np.zeros((2, 2), np.uint64)}, reason_names=tuple(f"{p}{n}" for n in range(40))) for p in "ab"]
    with pytest.raises(ParameterError, match="at most 64 reasons, and the parts have 80"):
        vt.Recommendations.concat(many)


def test_a_missing_source_is_the_model_and_other_missing_columns_are_refused():
    plain = lists(extra={})
    both = vt.Recommendations.concat([plain, lists(extra={"source": np.ones((2, 2), np.uint8)})])
    assert both.extra["source"].tolist() == [[0, 0], [0, 0], [1, 1], [1, 1]]
    with pytest.raises(ParameterError, match=r"with the same columns .*One has no relevance, reasons, propensity, stock: add it"):
        vt.Recommendations.concat([lists(), plain])
    with pytest.raises(ParameterError, match="at least one part"):
        vt.Recommendations.concat([])


def test_shorter_parts_are_padded_and_other_items_refused():
    narrow = replace(
        lists(), items=lists().items[:, :1], scores=lists().scores[:, :1], extra={n: c[:, :1] for n, c in lists().extra.items()}
    )
    both = vt.Recommendations.concat([narrow, lists()])
    assert both.items.tolist() == [[2, -1], [1, -1], [2, 0], [1, -1]]
    longer = VOCABULARY.extended(["rum"])
    assert vt.Recommendations.concat([lists(), lists(vocabulary=longer)]).vocabulary is longer
    with pytest.raises(VocabularyError):
        vt.Recommendations.concat([lists(), lists(vocabulary=vt.Vocabulary.of(["a", "b", "c", "d"]))])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"extra": {"stock": np.zeros(2)}}, r"column 'stock' .* shape of the items, \(2, 2\). Got the shape \(2,\)"),
        ({"extra": {"stock": [[1, 2], [3, 4]]}}, r"column 'stock' .* Got a list"),
        ({"extra": {"rank": np.zeros((2, 2))}}, r"can't be called 'rank'"),
        ({"extra": {"source": np.full((2, 2), 3, np.uint8)}}, r"of what 'sources' names \(model, fallback, editors\). Got 3"),
        ({"extra": {"source": np.full((2, 2), -1, np.int8)}}, r"Got -1"),
        ({"extra": {"reasons": np.full((2, 2), 4, np.uint8)}}, r"of what 'reason_names' names \(new, cheap\). Got 4"),
        ({"extra": {"reasons": np.ones((2, 2), np.int64)}}, r"unsigned whole numbers. Got int64"),
        ({"reason_names": ("new", "new")}, r"different texts"),
        ({"reason_names": ("new|old", "cheap")}, r"without a '\|'"),
    ],
)
def test_what_columns_cannot_be(changes, says):
    with pytest.raises(ParameterError, match=says):
        lists(**changes)


def test_a_table_refuses_two_columns_of_one_name():
    with pytest.raises(ParameterError, match="two columns 'query'"):
        lists(extra={"query": np.zeros((2, 2))}).to_frame()


@dataclass(frozen=True)
class WithColumns:
    """A recommender that says more than items and scores."""

    inner: Any
    odd: bool = False  # one block has another column

    def recommend(self, queries, k, *, eligible=vt.Eligibility()):
        answer = self.inner.recommend(queries, k, eligible=eligible)
        name = "other" if self.odd and len(queries) < 8192 else "relevance"
        extra = {**answer.extra, name: answer.scores * 2, "reasons": (answer.items >= 0).astype(np.uint8) * 3}
        return replace(answer, extra=extra, reason_names=("new", "cheap"))


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_files_keep_the_columns(tmp_path, ending):
    data = vt.testing.toy()
    model = WithColumns(vt.TopPersonal().fit(data))
    path = tmp_path / f"lists.{ending}"
    vt.recommend_to(path, model, data.queries(), k=2, eligible=vt.Eligibility(repeat=True))
    frame = pl.read_parquet(path) if ending == "parquet" else pl.read_csv(path)
    assert frame.columns == ["user_id", "rank", "item_id", "title", "score", "source", "relevance", "reasons"]
    assert frame["relevance"].to_list() == (2 * frame["score"]).to_list()
    assert frame["reasons"].to_list()[0] == (["new", "cheap"] if ending == "parquet" else "new|cheap")


def test_a_file_has_one_set_of_columns(tmp_path):
    data = vt.testing.toy()
    queries = data.queries(codes=np.resize(np.arange(6), 9000))
    with pytest.raises(ParameterError, match="same columns for all queries"):
        vt.recommend_to(tmp_path / "lists.parquet", WithColumns(vt.Popularity().fit(data), odd=True), queries, k=1)


def asked() -> vt.Queries:
    queries = vt.testing.toy().queries()
    return replace(
        queries, texts=pl.Series([f"text {n}" for n in range(6)]), request_ids=pl.Series(range(6)),
        context=pl.DataFrame({"diversity": [0.1, 0.2, None, 0.4, 0.5, 0.6]}),
    )  # fmt: skip


def test_parts_of_queries_keep_what_was_asked():
    part = asked()[np.array([4, 2])]
    assert part.texts.to_list() == ["text 4", "text 2"]
    assert part.request_ids.to_list() == [4, 2]
    assert part.setting("diversity", 0.3).tolist() == [0.5, 0.3]
    assert part.setting("price", 1).tolist() == [1, 1]
    assert [block.texts.to_list() for _, block in asked().blocks(4)] == [["text 0", "text 1", "text 2", "text 3"], ["text 4", "text 5"]]
    assert asked().last(1).counted().texts.to_list() == asked().texts.to_list()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"texts": pl.Series(["one"])}, r"'texts' of Queries must have a row per query \(6\). Got 1"),
        ({"request_ids": pl.Series([1, 2])}, r"'request_ids' .* Got 2"),
        ({"context": pl.DataFrame({"a": [1]})}, r"'context' .* Got 1"),
        ({"texts": pl.Series(range(6))}, r"must be a series of text"),
    ],
)
def test_what_is_asked_is_one_per_query(changes, says):
    with pytest.raises(ParameterError, match=says):
        replace(asked(), **changes)


@pytest.mark.parametrize("column", [["a"] * 6, [np.inf] + [1.0] * 5])
def test_a_setting_is_a_number(column):
    with pytest.raises(ParameterError, match="'diversity' in the context of Queries must be finite numbers"):
        replace(asked(), context=pl.DataFrame({"diversity": column})).setting("diversity", 0)


def test_a_stored_split_keeps_what_was_asked_and_a_text_is_part_of_its_name(tmp_path):
    split = vt.testing.synthetic(users=20, items=8).split(vt.split.GlobalTime(quantile=0.8))
    count = len(split.queries)
    texts = replace(split, queries=replace(split.queries, texts=pl.Series(["tea"] * count)))
    whole = replace(split, queries=replace(texts.queries, request_ids=pl.Series([f"r{n}" for n in range(count)])))
    save_split(whole, tmp_path / "split")
    again = open_split(tmp_path / "split").queries
    assert again.texts.to_list() == ["tea"] * count
    assert again.request_ids.to_list() == [f"r{n}" for n in range(count)]
    assert split_fingerprint(split) != split_fingerprint(texts) == split_fingerprint(whole)
