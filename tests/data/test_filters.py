"""Filters against plain Python, and what each one counts."""

import datetime as dt
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, SplitError, UnknownNameError

DATA = vt.testing.synthetic(users=60, items=40, mean_length=6)
LOG = pl.DataFrame({
    "user_id": ["a", "a", "b", "a", "b", "b"], "item_id": ["x", "x", "y", "x", "y", "z"], "timestamp": [1, 2, 3, 3, 3, 4],
    "value": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0], "kind": ["view", "buy", "view", "view", "view", "buy"],
})  # fmt: skip


def read(frame=LOG):
    return vt.read_interactions(frame, time_unit="step")


def pairs(data):
    return list(zip(data.frame()["user_id"], data.frame()["item_id"], strict=True))


def core(records, users, items):
    """The oracle: drop until nothing drops."""
    while True:
        of_user, of_item = Counter(u for u, _ in set(records)), Counter(i for _, i in set(records))
        kept = [(u, i) for u, i in records if of_user[u] >= users and of_item[i] >= items]
        if len(kept) == len(records):
            return kept
        records = kept


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=60), st.integers(1, 4), st.integers(1, 4))
def test_k_core_is_what_dropping_by_hand_leaves(records, users, items):
    data = vt.read_interactions(pl.DataFrame(records, schema=["user_id", "item_id"], orient="row"))
    left = core(pairs(data), users, items)
    if not left:
        with pytest.raises(DataError, match="leaves nothing"):
            vt.filters.k_core(data, users, items)
        return
    kept = vt.filters.k_core(data, users, items)
    assert pairs(kept) == left
    assert vt.filters.k_core(kept, users, items).fingerprint == kept.fingerprint
    step = kept.steps[-1]
    assert (step.events_before, step.events_after) == (len(records), len(left))
    assert (step.users_after, step.items_after) == (len({u for u, _ in left}), len({i for _, i in left}))


def test_min_length():
    kept = vt.filters.min_length(DATA, 6)
    counts = Counter(DATA.frame()["user_id"])
    assert pairs(kept) == [(u, i) for u, i in pairs(DATA) if counts[u] >= 6]
    assert kept.steps[-1].users_before == DATA.n_users


@pytest.mark.parametrize(("keep", "values"), [("first", [1, 2, 4, 32]), ("last", [8, 2, 16, 32]), ("sum", [9, 2, 20, 32])])
def test_dedupe_by_user_item_and_kind(keep, values):
    kept = vt.filters.dedupe(read(), keep)
    assert sorted(kept.events.values.tolist()) == sorted(values)


def test_dedupe_without_values_counts():
    kept = vt.filters.dedupe(read(LOG.drop("value", "kind")), "sum")
    assert dict(zip(pairs(kept), kept.events.values.tolist(), strict=True)) == {("a", "x"): 3, ("b", "y"): 2, ("b", "z"): 1}


def test_dedupe_of_equal_rows_only():
    kept = vt.filters.dedupe(read(), "all-distinct")
    assert kept.n_events == 5
    assert kept.events.values.tolist() == [1, 2, 8, 4, 32]


def test_kinds_with_weights_leave_the_values():
    data = read()
    kept = vt.filters.kinds(data, {"view": 0.1, "buy": 1.0})
    assert np.allclose(kept.events.weights, [0.1, 1, 0.1, 0.1, 0.1, 1])
    assert kept.events.values.tolist() == data.events.values.tolist()
    assert "view x 0.1" in kept.steps[-1].note


def test_kinds_by_name_keep_the_values():
    kept = vt.filters.kinds(read(), ["buy"])
    assert kept.events.values.tolist() == [2, 32]
    assert kept.items.ids.to_list() == ["x", "z"]


def test_min_value():
    kept = vt.filters.min_value(read(), 8)
    assert kept.events.values.tolist() == [8, 16, 32]


def test_period_takes_dates_and_numbers():
    frame = LOG.with_columns(timestamp=pl.Series([dt.datetime(2024, 1, d) for d in (1, 2, 3, 3, 3, 4)]))
    data = vt.read_interactions(frame)
    east = dt.timezone(dt.timedelta(hours=3))
    for start in (
        "2024-01-02",
        dt.date(2024, 1, 2),
        dt.datetime(2024, 1, 2),
        dt.datetime(2024, 1, 2, 3, tzinfo=east),
        1_704_153_600_000_000,
    ):
        kept = vt.filters.period(data, start, "2024-01-04")
        assert kept.n_events == 4
    assert vt.filters.period(read(), 3).n_events == 4


def test_vocabularies_keep_their_order_and_hold_nothing_idle():
    kept = vt.filters.min_length(DATA, 7)
    present = set(kept.frame()["item_id"])
    assert kept.items.ids.to_list() == [i for i in DATA.items.ids if i in present]
    assert len(kept.users) == kept.n_users
    titles = dict(zip(DATA.items.ids, DATA.titles(np.arange(DATA.n_items)), strict=True))
    assert kept.titles(np.arange(kept.n_items)) == [titles[i] for i in kept.items.ids]


def test_baskets_are_numbered_anew():
    frame = pl.DataFrame({"user_id": list("aabbb"), "item_id": list("xyxyz"), "basket_id": [1, 1, 1, 2, 2]})
    kept = vt.filters.min_length(vt.read_interactions(frame), 3)
    assert kept.events.baskets.tolist() == [0, 1, 1]


def test_steps_add_up():
    data = vt.filters.dedupe(vt.filters.k_core(DATA, 3, 3))
    assert [s.name for s in data.steps] == ["k_core(3, 3)", "dedupe(first)"]
    assert data.steps[0].events_after == data.steps[1].events_before
    assert data.steps[1].events_after == data.n_events


def test_refusals():
    for call in (lambda: vt.filters.k_core(DATA, users=0), lambda: vt.filters.min_length(DATA, 0), lambda: vt.filters.dedupe(DATA, "any")):
        with pytest.raises(ParameterError):
            call()
    with pytest.raises(ParameterError, match="ISO date"):
        vt.filters.period(DATA, "yesterday")
    with pytest.raises(UnknownNameError, match="Did you mean 'view'"):
        vt.filters.kinds(read(), ["viev"])
    with pytest.raises(DataError, match="no kinds of event"):
        vt.filters.kinds(DATA, ["view"])
    with pytest.raises(DataError, match="no values"):
        vt.filters.min_value(vt.testing.toy(), 1)
    with pytest.raises(DataError, match="steps and no dates"):
        vt.filters.period(read(), "2024-01-01")
    with pytest.raises(DataError, match="leaves nothing"):
        vt.filters.period(DATA, "2060-01-01")


def test_a_training_part_is_not_filtered():
    split = DATA.split(vt.split.GlobalTime(quantile=0.8))
    with pytest.raises(SplitError, match="Filter before splitting"):
        vt.filters.min_length(split.train, 3)
