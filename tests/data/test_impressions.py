"""Impressions: read as a log is, refused with a sentence, and given back as they came."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError

TABLE = pl.DataFrame({
    "request_id": ["b", "a", "a", "b", "c"], "user_id": ["bob", "ann", "ann", "bob", None], "item_id": ["tea", "jam", "tea", "oat", "tea"],
    "position": [2, 1, 3, 1, 1], "propensity": [0.5, 1.0, 0.25, 0.75, 0.1], "outcome": [1.0, 0.0, 0.0, 0.0, -2.5], "value": [9.5, 0.0, 0.0, 0.0, 0.0],
    "timestamp": ["2024-01-02 10:00", "2024-01-01 09:00", "2024-01-01 09:00", "2024-01-02 10:00", "2024-01-03 00:00"],
    "kind": ["click", "none", "none", "none", "return"],
})  # fmt: skip


def refusal(table, **columns):
    with pytest.raises(DataError) as caught:
        vt.Impressions.of_frame(table, **columns)
    return str(caught.value)


def test_rows_stand_by_request_and_position():
    shown = vt.Impressions.of_frame(TABLE)
    assert repr(shown) == "Impressions(5 places of 3 requests, 2 people, 3 items)"
    assert shown.requests.ids.to_list() == ["b", "a", "c"]
    assert shown.by_request.tolist() == [0, 2, 4, 5]
    assert shown.request_of.tolist() == [0, 0, 1, 1, 2]
    assert shown.positions.tolist() == [1, 2, 1, 3, 1]
    assert shown.vocabulary.decode(shown.items).to_list() == ["oat", "tea", "jam", "tea", "tea"]
    assert shown.users.tolist() == [0, 0, 1, 1, -1]
    assert shown.outcomes.tolist() == [0, 1, 0, 0, -2.5]
    assert [shown.kind_names[k] for k in shown.kinds] == ["none", "click", "none", "none", "return"]
    assert shown.times[0] == np.datetime64("2024-01-02T10:00", "us").astype(np.int64)
    assert len(shown) == 5


def test_a_table_of_impressions_is_read_again():
    shown = vt.Impressions.of_frame(TABLE)
    frame = shown.frame()
    wanted = TABLE.sort(pl.col("request_id").replace_strict({"b": 0, "a": 1, "c": 2}), "position")
    assert frame.columns == TABLE.columns
    for name in ("request_id", "user_id", "item_id", "position", "outcome", "kind"):
        assert frame[name].to_list() == wanted[name].to_list(), name
    again = vt.Impressions.of_frame(frame)
    assert again.frame().equals(frame)
    assert list(shown.to_pandas().columns) == frame.columns


def test_other_names_numbers_of_ids_and_files(tmp_path):
    table = pl.DataFrame({"r": [7, 7, 9], "who": [1.0, 1.0, 2.0], "what": ["7", "8", "7"], "n": [0, 1, 0], "at": [1_700_000_000] * 3})
    table.with_columns(n=pl.col("n") + 1).write_csv(tmp_path / "shown.csv")
    columns = {"request": "r", "user": "who", "item": "what", "position": "n", "time": "at"}
    shown = vt.Impressions.of_frame(tmp_path / "shown.csv", **columns)
    assert shown.requests.ids.to_list() == [7, 9]
    assert shown.people.ids.to_list() == [1, 2]
    assert shown.times.tolist() == [1_700_000_000_000_000] * 3
    assert (shown.propensities, shown.outcomes, shown.kinds) == (None, None, None)
    assert "counted from 1: where they begin with 0, add 1" in refusal(table, **columns)


def test_without_positions_the_order_of_rows_is():
    shown = vt.Impressions.of_frame(TABLE.select("request_id", "user_id", "item_id"))
    assert shown.positions.tolist() == [1, 2, 1, 2, 1]
    assert shown.vocabulary.decode(shown.items).to_list() == ["tea", "oat", "jam", "tea", "tea"]


def test_known_codes_are_kept_and_new_ids_appended():
    items, people = vt.Vocabulary.of(["salt", "tea"]), vt.Vocabulary.of(["zoe", "bob"])
    shown = vt.Impressions.of_frame(TABLE, users=people, items=items)
    assert shown.vocabulary.ids.to_list() == ["salt", "tea", "jam", "oat"]
    assert shown.people.ids.to_list() == ["zoe", "bob", "ann"]
    assert shown.items.tolist() == [3, 1, 2, 1, 1]
    assert shown.users.tolist() == [1, 1, 2, 2, -1]
    assert shown.frame().equals(vt.Impressions.of_frame(TABLE).frame())


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("propensity", [0.5, 0, 0.25, 1.5, 0.1], r"'propensity' must hold chances above 0 and at most 1, but is outside of that \(0.0\) in rows 2 and 4. Mend these rows"),
        ("outcome", [1, None, 0, 0, 0], r"'outcome' must hold a number in each row, but is empty in row 2. Mend these rows, or leave them out."),
        ("outcome", [1, float("nan"), 0, 0, 0], "'outcome' must hold finite numbers, but is NaN or infinite in row 2"),
        ("position", [2, 1.5, 3, 1, 1], r"'position' must hold whole numbers from 1 on, but is outside of that \(1.5\) in row 2"),
        ("position", [1, 3, 3, 1, 1], "must hold each place of a request once, but the request 'b' has place 1 in rows 1 and 4, and 1 more are there twice"),
        ("item_id", ["tea", None, "jam", "", "tea"], "'item_id' must hold an id in each row, but is empty in rows 2 and 4"),
        ("user_id", ["bob", "ann", "ann", "eve", "ann"], "must hold one person per request, but the request 'b' has another in row 1 than in row 4"),
        ("timestamp", ["2024-01-01", "1970-01-01", "2024-01-01", "2024-01-01", "2024-01-01"], r"placeholder date 1970-01-01.* in row 2. Mend these rows"),
        ("timestamp", ["x", "y", "z", "u", "v"], "'timestamp' must hold times"),
    ],
)  # fmt: skip
def test_bad_rows_are_named_with_a_remedy(column, values, says):
    import re

    told = refusal(TABLE.with_columns(pl.Series(column, values, strict=False)))
    assert re.search(says, told), told
    assert "quarantine" not in told


def test_missing_columns_and_empty_tables():
    assert "has no column 'user_id' for the user. Closest: 'customer'" in refusal(TABLE.rename({"user_id": "customer"}))
    assert "has no column 'p' for the propensity" in refusal(TABLE, propensity="p")
    assert "holds no place that was shown" in refusal(TABLE.head(0))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"outcomes": np.zeros(3, np.float32)}, r"'outcomes' of Impressions must have a value per row \(5\). Got the shape \(3,\)"),
        ({"by_request": np.array([0, 2, 5])}, "'by_request' of Impressions must rise from 0 to the number of rows"),
        ({"positions": np.array([1, 1, 1, 3, 1], np.int32)}, "whole numbers from 1 that rise along a request. Got 1 in row 1"),
        ({"positions": np.array([0, 1, 1, 3, 1], np.int32)}, "Got 0 in row 0"),
        ({"propensities": np.zeros(5, np.float32)}, "above 0 and at most 1. Got 0.0 in row 0"),
        ({"outcomes": np.full(5, np.nan, np.float32)}, "finite numbers"),
        ({"items": np.full(5, 3, np.int32)}, "codes of the vocabulary. Got 3"),
        ({"users": np.full(5, -2, np.int32)}, "or -1 for a visitor who isn't known. Got -2"),
        ({"kinds": np.full(5, 3, np.uint8)}, "places in 'kind_names'. Got 3"),
    ],
)
def test_a_record_that_is_put_together_by_hand_is_looked_at(changes, says):
    import re

    with pytest.raises(ParameterError, match=re.compile(says)):
        replace(vt.Impressions.of_frame(TABLE), **changes)


def test_who_left_is_read_and_given_back():
    table = TABLE.with_columns(ended=pl.Series([1, 0, 0, 0, 1]))
    shown = vt.Impressions.of_frame(table)
    assert shown.ended.tolist() == [False, True, False, False, True]
    assert shown.frame()["ended"].to_list() == shown.ended.tolist()
    assert vt.Impressions.of_frame(shown.frame()).ended.tolist() == shown.ended.tolist()
    assert "hold 1 where the person left" in refusal(TABLE.with_columns(ended=pl.Series([2, 0, 0, 0, 1])))
    with pytest.raises(ParameterError, match=r"True at most at the last place of a request\. Got True in row 0"):
        replace(shown, ended=np.array([True, False, False, False, False]))
