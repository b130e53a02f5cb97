"""The parts of a load, each by itself: lateness, corrections, and what is told of items."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.base.hashing import IdTable
from vitrina.data.ingest.append import Fresh, lateness_of
from vitrina.data.ingest.attributes import Told
from vitrina.data.ingest.upsert import says_deleted, winners
from vitrina.data.versions import ALWAYS


class Known:
    """As much of a manifest as a lateness asks for."""

    def __init__(self, unit, *, ids=True):
        self.time_unit, self.columns = unit, {"event_id": "id"} if ids else {}


@pytest.mark.parametrize(("lateness", "unit", "length"), [
    (None, "us", 0), ("90s", "us", 90_000_000), ("2d", "us", 172_800_000_000), (" 1w ", "us", 604_800_000_000), (timedelta(hours=1), "us", 3_600_000_000),
    (5, "step", 5), ("5", "step", 5), (None, None, 0),
])  # fmt: skip
def test_a_lateness_is_a_length_of_time(lateness, unit, length):
    assert lateness_of(lateness, Known(unit)) == length


@pytest.mark.parametrize(("lateness", "unit", "ids", "words"), [
    ("2 days", "us", True, "a length of time: '90m'"), (2, "us", True, "a length of time"), ("2d", "step", True, "a whole number of them"),
    ("2d", None, True, "needs a log with times"), ("2d", "us", False, "needs ids of events"), (timedelta(days=-1), "us", True, "a length of time"),
])  # fmt: skip
def test_what_is_no_lateness_is_refused(lateness, unit, ids, words):
    with pytest.raises(ParameterError, match=words):
        lateness_of(lateness, Known(unit, ids=ids))


def test_no_lateness_needs_no_ids():
    assert lateness_of("0d", Known("us", ids=False)) == 0


def test_a_killed_append_goes_on_with_what_it_knew():
    ready = {"time": pl.Series([5, 6, 7]), "event_id": pl.Series(["a", "b", "b"])}
    fresh = Fresh(5, IdTable())
    fresh.keep(pl.DataFrame(), ready, 0)
    state, taken = fresh.cut()
    again = Fresh(5, IdTable())
    again.take_up(state, taken)
    assert again.counts() == {"late": 1, "repeated": 1}
    assert again.keep(pl.DataFrame(), {"time": pl.Series([9, 9]), "event_id": pl.Series(["b", "c"])}, 3).tolist() == [False, True]
    assert "2 rows left out whose event ids the log has" in again.note("step")
    assert "1 row of 5 or earlier left out as late, the oldest of 5" in again.note("step")


@pytest.mark.parametrize("column", [[True, False, None], ["yes", "no", None], [1, 0, None], [1.0, 0.0, None], ["TRUE", "f", " "]])
def test_a_row_says_whether_it_deletes(column):
    read = says_deleted(pl.Series("gone", column), "gone")
    assert (read.values.to_list(), read.problems) == ([True, False, False], [])


def test_what_says_something_else_is_a_bad_row():
    (problem,) = says_deleted(pl.Series("gone", ["yes", "perhaps"]), "gone").problems
    assert (problem.mask.to_list(), problem.example) == ([False, True], "'perhaps'")


def test_the_last_row_stands_or_the_one_of_the_largest_version():
    rows = pl.DataFrame({"event_id": ["a", "b", "a", "b"], "arrival": [0, 1, 2, 3]})
    assert winners(rows)["arrival"].to_list() == [2, 3]
    assert winners(rows.with_columns(version=pl.Series([5, 1, 4, 1])))["arrival"].to_list() == [0, 3]


ITEMS = vt.Vocabulary.of(["tea", "jam"])
FIRST = pl.DataFrame({"item_id": ["tea", "jam"], "price": [3.0, 5.0], "aisle": ["drinks", "spreads"]})


def told(table, known=None, items=ITEMS, since=ALWAYS, **rest):
    return Told(table, "item_id", **rest).added(known, items, "step", since)


def test_what_is_told_again_is_no_version():
    known, items, _ = told(FIRST)
    table, _, note = told(FIRST.with_columns(price=pl.Series([4.0, 5.0])), known, items, since=10)
    assert "1 of 2 rows on items say something new, from 10 on" in note
    assert table.versions.table().to_dict(as_series=False) == {
        "code": [0, 1, 0], "since": [None, None, 10], "until": [10, None, None], "price": [3.0, 5.0, 4.0], "aisle": ["drinks", "spreads", "drinks"],
    }  # fmt: skip
    assert table.frame["price"].to_list() == [4.0, 5.0]
    assert table.at(9).frame["price"].to_list() == [3.0, 5.0]


TOLD = st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(1, 3)), min_size=1, max_size=4, unique_by=lambda r: r[:2]), max_size=5)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(TOLD)
def test_the_table_of_a_time_is_what_was_told_of_it(loads):
    known, items, rows = None, vt.Vocabulary.of(["a", "b", "c"]), []
    for load in loads:
        table = pl.DataFrame(load, schema=["item_id", "from", "price"], orient="row")
        known, items, _ = told(table, known, items, valid_from="from")
        rows += load
    for time in range(-1, 11) if known is not None else ():
        best = {}
        for item, since, price in rows:  # of two that begin together the one told last
            if since <= time and since >= best.get(item, (-1, None))[0]:
                best[item] = (since, price)
        assert known.at(time).frame["price"].to_list() == [best.get(item, (None, None))[1] for item in "abc"]


def test_an_item_that_is_told_later_is_unknown_before():
    known, items, _ = told(FIRST)
    new = pl.DataFrame({"item_id": ["salt", "tea"], "price": [1.0, 3.0], "aisle": ["spices", "drinks"]})
    table, items, _ = told(new, known, items, since=10)
    assert items.ids.to_list() == ["tea", "jam", "salt"]
    assert table.frame["price"].to_list() == [3.0, 5.0, 1.0]
    assert table.at(9).frame["price"].to_list() == [3.0, 5.0, None]


def test_a_column_says_since_when():
    rows = pl.DataFrame({"item_id": ["tea", "tea", "jam"], "price": [3.0, 4.0, 5.0], "from": [1, 7, 2]})
    table, _, note = told(rows, valid_from="from")
    assert [table.at(t).frame["price"].to_list() for t in (0, 1, 6, 7)] == [[None, None], [3.0, None], [3.0, 5.0], [4.0, 5.0]]
    assert "3 of 3 rows on items say something new, from the time in 'from' on" in note
    late = pl.DataFrame({"item_id": ["tea"], "price": [3.5], "from": [4]})
    table, _, _ = told(late, table, valid_from="from")
    assert [table.at(t).frame["price"][0] for t in (3, 4, 6, 7)] == [3.0, 3.5, 3.5, 4.0]


def test_a_new_column_is_unknown_before():
    known, items, _ = told(FIRST)
    table, _, note = told(FIRST.with_columns(organic=pl.Series(["yes", "no"])), known, items, since=10)
    assert "New columns of items: organic" in note
    assert table.at(9).frame["organic"].to_list() == [None, None]
    assert table.frame["organic"].to_list() == ["yes", "no"]
    assert table.kinds["organic"] == "category"


@pytest.mark.parametrize(("change", "words"), [
    (lambda t: t.drop("price"), "has no column 'price', which the items have since an earlier load. Write it, empty"),
    (lambda t: t.with_columns(price=pl.Series(["dear", "cheap"])), "the column 'price' must hold finite numbers"),
    (lambda t: pl.concat([t, t]), "must hold each id once"),
])  # fmt: skip
def test_a_changed_table_is_refused(change, words):
    known, items, _ = told(FIRST)
    with pytest.raises(DataError, match=words):
        told(change(FIRST), known, items, since=10)


def test_a_kind_can_not_change():
    known, items, _ = told(FIRST)
    with pytest.raises(ParameterError, match="of the kind 'number' since an earlier load"):
        told(FIRST, known, items, since=10, kinds={"price": "category"})


def test_lists_are_compared_too():
    tags = pl.DataFrame({"item_id": ["tea", "jam"], "tags": [["a", "b"], None]})
    known, items, _ = told(tags)
    same, _, _ = told(tags, known, items, since=10)
    assert len(same.versions) == 2
    other, _, _ = told(tags.with_columns(tags=pl.Series([["b"], []])), known, items, since=10)
    assert np.array_equal(other.versions.codes, [0, 1, 0, 1])


def test_two_rows_of_one_time_are_refused():
    rows = pl.DataFrame({"item_id": ["tea", "tea"], "price": [3.0, 4.0], "from": [1, 1]})
    with pytest.raises(DataError, match="must hold each id once per time"):
        told(rows, valid_from="from")


def test_dates_of_items_are_read_like_those_of_a_log():
    rows = pl.DataFrame({"item_id": ["tea", "tea"], "price": [3.0, 4.0], "from": ["2024-01-31", "2024-02-01 18:30"]})
    table, _, _ = Told(rows, "item_id", valid_from="from").added(None, ITEMS, "us", ALWAYS)
    assert table.versions.since.tolist() == [1706659200000000, 1706812200000000]
    with pytest.raises(DataError, match="What a table is valid from is written as 2024-01-31"):
        Told(rows.with_columns(pl.Series("from", ["03.04.2024", "05.06.2024"])), "item_id", valid_from="from").added(
            None, ITEMS, "us", ALWAYS
        )
    with pytest.raises(ParameterError, match="needs a log with times"):
        Told(rows, "item_id", valid_from="from").added(None, ITEMS, None, ALWAYS)


def test_whole_numbers_may_become_fractions():
    known, items, _ = told(FIRST.with_columns(price=pl.Series([3, 5])))
    table, _, _ = told(FIRST.with_columns(price=pl.Series([3.5, None])), known, items, since=10)
    assert table.versions.frame["price"].to_list() == [3.0, 5.0, 3.5, None]
    table, _, _ = told(FIRST.with_columns(price=pl.Series([None, None], dtype=pl.String)), known, items, since=10)
    assert table.versions.frame["price"].to_list() == [3, 5, None, None]
