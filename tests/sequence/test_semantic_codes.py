"""Semantic codes: what they hold, prefixes, a digit against collisions, other logs' items, tables and artifacts."""

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import ArtifactError, DataError
from vitrina.vocabulary import Vocabulary

IDS = ["tea", "mate", "milk", "salt", "oats", "rye"]
CODES = np.array([[0, 1], [0, 1], [1, 0], [-1, -1], [0, 1], [0, 0]], np.int32)


@pytest.fixture
def codes():
    return vt.sequence.SemanticCodes(Vocabulary.of(IDS), CODES, (2, 2))


def test_prefixes_name_groups_and_the_last_digit_tells_their_items_apart(codes):
    assert codes.prefixes(1).tolist() == [0, 0, 1, -1, 0, 0]
    assert codes.prefixes().tolist() == [1, 1, 2, -1, 1, 0]
    distinct = codes.distinct
    assert distinct.sizes == (2, 2, 3)
    np.testing.assert_array_equal(distinct.codes[:, :2], CODES)
    assert sorted(distinct.codes[[0, 1, 4], 2]) == [0, 1, 2]
    assert distinct.codes[[2, 3, 5], 2].tolist() == [0, -1, 0]
    assert len(np.unique(distinct.prefixes()[distinct.known])) == 5
    assert distinct.distinct is distinct


def test_the_digit_against_collisions_is_that_of_the_id_and_not_of_the_place(codes):
    order = np.array([4, 2, 0, 5, 1, 3])
    turned = vt.sequence.SemanticCodes(Vocabulary.of([IDS[i] for i in order]), CODES[order], (2, 2))
    np.testing.assert_array_equal(turned.distinct.codes, codes.distinct.codes[order])
    np.testing.assert_array_equal(codes.distinct.of(turned.vocabulary).codes, turned.distinct.codes)


def test_another_log_gets_the_rows_of_the_same_ids(codes):
    there = codes.of(Vocabulary.of(["rye", "new", "tea"]))
    assert there.codes.tolist() == [[0, 0], [-1, -1], [0, 1]]
    assert len(there) == 3


def test_a_table_and_back(codes, tmp_path):
    path = tmp_path / "codes.parquet"
    codes.table.write_parquet(path)
    again = vt.sequence.SemanticCodes.of_table(path, item="item", column="code").of(codes.vocabulary)
    np.testing.assert_array_equal(again.codes, CODES)
    assert again.sizes == (2, 2)
    assert "5 of 6 items" in repr(again)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"item": ["a", "a"], "code": [[0], [1]]}, "each id once"),
        ({"item": ["a", "b"], "code": [[0], [1, 2]]}, "same number of digits"),
        ({"item": ["a", "b"], "code": [[0], [-2]]}, "from 0"),
        ({"item": ["a", "b"], "code": ["0 1", "0 2"]}, "lists of whole numbers"),
        ({"item": ["a", "b"], "codes": [[0], [2]]}, "no column 'code'"),
    ],
)
def test_a_table_that_holds_something_else_is_refused(table, says):
    with pytest.raises(DataError, match=says):
        vt.sequence.SemanticCodes.of_table(pl.DataFrame(table), item="item", column="code")


@pytest.mark.parametrize("codes", [[[0, 2]], [[0, -1]], [[0]], [[-2, -2]]])
def test_codes_that_can_not_be_are_refused(codes):
    with pytest.raises(DataError, match="code"):
        vt.sequence.SemanticCodes(Vocabulary.of(["a"]), np.array(codes, np.int32), (2, 2))


def test_an_artifact_holds_them(codes, tmp_path):
    artifact = vt.load(vt.save(codes, tmp_path / "codes"))
    again = artifact.codes
    np.testing.assert_array_equal(again.codes, CODES)
    assert (again.sizes, again.made, again.vocabulary.ids.to_list()) == (codes.sizes, codes.made, IDS)
    with pytest.raises(ArtifactError, match="recommends nothing"):
        _ = artifact.vocabulary
    popular = vt.load(vt.save(vt.Popularity().fit(vt.testing.toy()), tmp_path / "popular"))
    with pytest.raises(ArtifactError, match="no semantic codes"):
        _ = popular.codes
