"""The Dataset's own arithmetic against plain Python."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.errors import SplitError
from vitrina.data.dataset import Dataset
from vitrina.data.order import number_within, stable_order, users_an_item
from vitrina.types import Events

DATA = vt.testing.synthetic(users=40, items=25)


def indptr_of(users, count):
    return np.append(0, np.cumsum(np.bincount(users, minlength=count))).astype(np.int64)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3)), max_size=200))
def test_order_is_a_stable_sort_by_user_and_time(events):
    users = np.array([u for u, _ in events], np.int32)
    times = np.array([t for _, t in events], np.int64)
    indptr = indptr_of(users, 6)
    by_hand = sorted(range(len(events)), key=lambda row: events[row])
    assert stable_order(users, indptr, times).tolist() == by_hand
    assert stable_order(users, indptr, None).tolist() == sorted(range(len(events)), key=lambda row: events[row][0])


def test_order_of_long_histories():
    rng = np.random.default_rng(0)
    users, times = rng.integers(0, 3, 20_000).astype(np.int32), rng.integers(0, 500, 20_000)
    assert np.array_equal(stable_order(users, indptr_of(users, 3), times), np.lexsort((times, users)))


def test_users_an_item_counts_people_and_not_events():
    counts = users_an_item(DATA.events.items, DATA.indptr, DATA.n_items)
    frame = DATA.frame().unique(["user_id", "item_id"])
    assert counts.tolist() == [frame.filter(item_id=i).height for i in DATA.items.ids]
    assert np.array_equal(DATA.catalogue.users, counts)


def test_number_within_numbers_pairs():
    groups, indptr = np.array([4, 1, 4, 4, 1], np.int32), np.array([0, 3, 3, 5], np.int64)
    assert number_within(groups, indptr, 5).tolist() == [0, 1, 0, 2, 3]


def test_events_of_a_user_are_a_slice():
    frame = DATA.frame()
    for code in (0, 7, 39):
        mine = frame.filter(user_id=DATA.users.ids[code])
        own = DATA.events.items[DATA.indptr[code] : DATA.indptr[code + 1]]
        assert DATA.items.decode(own).to_list() == mine["item_id"].to_list()
        assert mine["timestamp"].is_sorted()


def test_csr_is_the_table_of_pairs():
    dense = np.zeros((len(DATA.users), DATA.n_items))
    np.add.at(dense, (DATA.user_of, DATA.events.items), 1)
    assert np.array_equal(DATA.csr(binary=False).toarray(), dense)
    assert np.array_equal(DATA.csr().toarray(), dense > 0)


def test_shards_hold_every_event_once():
    parts = list(DATA.sharded(3).shards())
    assert len(parts) == 3
    assert sum(p.n_events for p in parts) == DATA.n_events
    assert sum(p.n_users for p in parts) == DATA.n_users
    assert np.array_equal(sum(p.catalogue.users for p in parts), DATA.catalogue.users)


def test_select_keeps_codes():
    keep = DATA.events.values >= 3
    part = DATA.select(keep)
    assert part.frame().equals(DATA.frame().filter(keep))
    assert part.users is DATA.users


def test_queries_hold_whole_histories():
    queries = DATA.queries(codes=np.array([5, 2]))
    assert queries.users.tolist() == [5, 2]
    assert np.array_equal(queries.histories()[0], DATA.events.items[DATA.indptr[5] : DATA.indptr[6]])
    assert (queries.now > DATA.events.times.max()).all()


def test_fingerprint_sees_every_column():
    prints = {DATA.fingerprint, DATA.select(np.arange(DATA.n_events) > 0).fingerprint}
    for name, column in DATA.events.columns().items():
        changed = column.copy()
        changed[0] += 1
        prints.add(Dataset(Events(**(DATA.events.columns() | {name: changed})), DATA.indptr, DATA.users, DATA.items).fingerprint)
    assert len(prints) == 2 + len(DATA.events.columns())


def test_holdout_needs_a_rule():
    with pytest.raises(SplitError, match="not a training part"):
        DATA.holdout()


def test_relabelling_items_relabels_the_frame():
    frame = DATA.frame()
    renamed = frame.with_columns(item_id="z" + frame["item_id"])
    assert vt.read_interactions(renamed).frame().equals(vt.read_interactions(frame).frame().with_columns(item_id="z" + frame["item_id"]))


def test_people_of_mixed_ids_keep_their_own_names():
    numbers = vt.read_interactions(pl.DataFrame({"user_id": [1, 2], "item_id": [5, 6]}))
    queries = numbers.queries([True, 1, "01", 2.0, 1.5])
    assert queries.users.tolist() == [-1, 0, -1, 1, -1]
    assert queries.lengths.tolist() == [0, 1, 0, 1, 0]
    assert queries.labels.to_list() == ["True", "1", "01", "2.0", "1.5"]
    assert numbers.queries(np.array([2, 9])).labels.to_list() == [2, 9]
    assert numbers.queries(pl.Series(["2"])).users.tolist() == [1]
