"""Files of judgements and runs: read however they are written, refused by the line, and the same after writing."""

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError

QRELS = "1 0 tea 2\n1 0 salt 0\n2 0 milk 1\n"


def written(tmp_path, text, name="a.txt", **more):
    path = tmp_path / name
    path.write_bytes(text.encode(more.get("encoding", "utf-8")))
    return path


@pytest.mark.parametrize(
    "text",
    [
        QRELS,
        QRELS.replace(" ", "\t"),
        "query-id\tcorpus-id\tscore\n1\ttea\t2\n1\tsalt\t0\n2\tmilk\t1",
        "\ufeff1   0  tea 2.0\r\n\r\n1 0 salt 0\r\n2 Q0 milk 1\r\n",
        "qid iter docno rel\n" + QRELS,
    ],
)
def test_judgements_are_read_however_they_are_written(tmp_path, text):
    assert vt.search.read_qrels(written(tmp_path, text)).rows() == [("1", "tea", 2), ("1", "salt", 0), ("2", "milk", 1)]


def test_an_id_with_spaces_stands_between_tabs(tmp_path):
    path = written(tmp_path, "green tea\t0\tsku 7\t3\n")
    assert vt.search.read_qrels(path).rows() == [("green tea", "sku 7", 3)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (QRELS + "2 0 rice\n2 rice\n", "Line 4 of .* has the gain 'rice'"),
        (QRELS + "2 rice\n", "Line 4 of .* has 2 columns"),
        (QRELS + "1 0 tea 3\n", "Line 4 of .* the gain 3, and line 1 gives 2"),
        (QRELS + "2 0 rice nan\n", "Line 4 of .* has the gain 'nan'"),
    ],
)
def test_a_broken_line_is_named(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        vt.search.read_qrels(written(tmp_path, text))


def test_a_line_that_is_there_twice_is_counted_by_the_split(tmp_path):
    qrels = vt.search.read_qrels(written(tmp_path, QRELS + "1 0 tea 2\n"))
    split = vt.split.judged(qrels, {"1": "tea", "2": "milk"}, ["tea", "salt", "milk"])
    assert split.counts["judgements_twice"] == 1


@pytest.fixture
def split(tmp_path):
    qrels = vt.search.read_qrels(written(tmp_path, QRELS))
    return vt.split.judged(qrels, {"1": "green tea", "2": "oat milk"}, ["tea", "milk", "salt", "rice"])


def test_what_is_written_is_what_trec_eval_reads_and_what_comes_back(tmp_path, split):
    import ir_measures
    from ir_measures import nDCG

    lists = vt.Recommendations(
        np.array([[3, 2, 0, 1], [1, 0, -1, -1]], np.int32), np.array([[5, 2, 2, 2], [np.nan, np.nan, 0, 0]], np.float32), split.train.items
    )
    vt.search.write_run(lists, split, tmp_path / "run.txt", name="mine")
    vt.search.write_qrels(split, tmp_path / "qrels.txt")
    again = vt.search.read_run(tmp_path / "run.txt", split, k=4)
    assert again.items.tolist() == lists.items.tolist()
    assert vt.search.read_qrels(tmp_path / "qrels.txt").sort("query", "item").rows() == [
        ("1", "salt", 0),
        ("1", "tea", 2),
        ("2", "milk", 1),
    ]
    qrels, run = ir_measures.read_trec_qrels(str(tmp_path / "qrels.txt")), ir_measures.read_trec_run(str(tmp_path / "run.txt"))
    theirs = {value.query_id: value.value for value in ir_measures.iter_calc([nDCG @ 4], qrels, run)}
    ours = vt.evaluate.evaluate(lists, split, ["linear nDCG@4"], intervals=False).per_query["linear nDCG@4"]
    assert ours.to_list() == pytest.approx([theirs["1"], theirs["2"]])
    assert ours[0] == pytest.approx(0.5)


def test_a_run_is_ordered_by_its_scores_and_equal_ones_by_rank(tmp_path, split):
    run = written(tmp_path, "2 Q0 tea 2 1.0 x\n2 Q0 milk 1 1.0 x\n2 Q0 rice 3 7 x\n9 Q0 rice 1 7 x\n")
    lists = vt.search.read_run(run, split, k=3)
    assert lists.items.tolist() == [[-1, -1, -1], [3, 1, 0]]
    assert vt.search.read_run(run, split, k=1).items.tolist() == [[-1], [3]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 Q0 tea 1 1\n", "Line 1 of .* has 5 columns"),
        ("1 Q0 tea 1 1 x\n1 Q0 tea 2 .5 x\n", "Line 2 of .* lists 'tea' for the query '1' again"),
        ("1 Q0 bread 1 1 x\n", "Line 1 of .* 'bread', which isn't in the catalogue"),
        ("1 Q0 tea first 1 x\n", "Line 1 of .* has the rank 'first'"),
        ("7 Q0 tea 1 1 x\n", "no line for any of the 2 queries"),
    ],
)
def test_a_broken_run_is_named(tmp_path, split, text, message):
    with pytest.raises(DataError, match=message):
        vt.search.read_run(written(tmp_path, text, "run.txt"), split)


def test_an_id_that_would_break_the_file_is_refused(tmp_path):
    split = vt.split.judged(pl.DataFrame({"query": ["a\tb"], "item": ["tea"], "gain": [1]}), None, ["tea"])
    with pytest.raises(DataError, match="a tab or the end of a line"):
        vt.search.write_qrels(split, tmp_path / "q.txt")
    assert not (tmp_path / "q.txt").exists()
