"""Ragged lists, queries, eligibility and recommendations against plain Python."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.types import Events, Ragged, ranges

ROWS = st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=8)
VOCABULARY = vt.Vocabulary.of(["tea", "milk", "jam", "oat"])


def lists(ragged):
    return [row.tolist() for row in (ragged[k] for k in range(len(ragged)))]


@settings(max_examples=80, deadline=None)
@given(ROWS, st.data())
def test_ragged_is_a_list_of_lists(rows, data):
    ragged = Ragged.of(rows)
    assert lists(ragged) == rows
    assert ragged.lengths.tolist() == [len(r) for r in rows]
    assert ragged.row_of.tolist() == [k for k, r in enumerate(rows) for _ in r]
    assert lists(ragged.unique()) == [sorted(set(r)) for r in rows]
    assert lists(ragged.keep(ragged.values % 2 == 0)) == [[v for v in r if v % 2 == 0] for r in rows]
    first = data.draw(st.integers(0, len(rows)))
    assert lists(ragged.rows(slice(first, first + 3))) == rows[first : first + 3]
    if rows:
        chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=5))
        assert lists(ragged.take(np.array(chosen))) == [rows[k] for k in chosen]


@pytest.mark.parametrize("row", [["i1"], [1.5], [True], [2**31], [None]])
def test_a_ragged_holds_codes(row):
    with pytest.raises(ParameterError, match=r"codes|integers of 32 bits"):
        Ragged.of([[0], row])


def test_an_empty_ragged():
    assert lists(Ragged.empty(2)) == [[], []]
    assert len(Ragged.of([])) == 0


def test_ranges():
    assert ranges(np.array([5, 0, 2]), np.array([2, 0, 3])).tolist() == [5, 6, 2, 3, 4]


def queries():
    return vt.Queries.of_histories(VOCABULARY, [["tea", "rum", "jam"], [], ["oat", "oat", "milk"]], [[3, 4, 5], [], [1, 2, 3]])


def test_ad_hoc_histories_count_what_they_do_not_know():
    asked = queries()
    assert lists(asked.histories()) == [[0, 2], [], [3, 3, 1]]
    assert asked.events.times.tolist() == [3, 5, 1, 2, 3]
    assert asked.unknown == 1
    assert asked.users.tolist() == [-1, -1, -1]


def test_parts_of_queries_are_views_with_the_same_histories():
    asked = queries()
    assert lists(asked[1:].histories()) == [[], [3, 3, 1]]
    assert lists(asked[np.array([2, 0])].histories()) == [[3, 3, 1], [0, 2]]
    assert lists(asked.last(2).histories()) == [[0, 2], [], [3, 1]]
    assert [lists(block.histories()) for _, block in asked.blocks(2)] == [[[0, 2], []], [[3, 3, 1]]]
    assert np.shares_memory(asked[1:].events.items, asked.events.items)


def test_overlapping_histories():
    events = Events(np.array([0, 1, 2, 3], np.int32))
    stop = np.array([1, 3, 4])
    asked = vt.Queries(events, np.zeros(3, np.int64), stop, VOCABULARY, np.zeros(3, np.int32))
    assert lists(asked.histories()) == [[0], [0, 1, 2], [0, 1, 2, 3]]


def test_csr_of_queries():
    assert queries().csr().toarray().tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 1]]
    assert queries().csr(binary=False).toarray().tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 2]]


def test_banned_items():
    asked = queries()
    assert lists(vt.Eligibility().banned(asked)) == [[0, 2], [], [3, 3, 1]]
    assert lists(vt.Eligibility(repeat=True).banned(asked)) == [[], [], []]
    own = Ragged.of([[1], [2], []])
    assert lists(vt.Eligibility(exclude=own).banned(asked)) == [[0, 2, 1], [2], [3, 3, 1]]
    assert lists(vt.Eligibility(exclude=own).rows(slice(1, 3)).banned(asked[1:])) == [[2], [3, 3, 1]]
    with pytest.raises(ParameterError, match="as many rows as there are queries"):
        vt.Eligibility(exclude=own).banned(asked[1:])


def test_only_some_kinds_count_as_seen():
    events = Events(np.array([0, 1, 2], np.int32), kinds=np.array([0, 1, 0], np.uint8))
    asked = vt.Queries(events, np.array([0]), np.array([3]), VOCABULARY, np.array([0], np.int32), kind_names=("view", "buy"))
    assert lists(vt.Eligibility(seen_kinds=("buy",)).banned(asked)) == [[1]]
    with pytest.raises(ParameterError, match=r"must be kinds of event in the log \(view, buy\)"):
        vt.Eligibility(seen_kinds=("sell",)).banned(asked)


def test_recommendations_as_a_table():
    items, scores = np.array([[2, 0], [1, -1]], np.int32), np.array([[0.5, 0.25], [1, np.nan]], np.float32)
    made = vt.Recommendations(items, scores, VOCABULARY, {"source": np.array([[0, 1], [0, 0]], np.uint8)})
    frame = made.to_frame()
    assert frame["item_id"].to_list() == ["jam", "tea", "milk"]
    assert frame["rank"].to_list() == [1, 2, 1]
    assert frame["source"].to_list() == ["model", "fallback", "model"]
    both = vt.Recommendations.concat([made, made[1:]])
    assert both.items.tolist() == [[2, 0], [1, -1], [1, -1]]
    assert both.k == 2
