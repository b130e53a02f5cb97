"""Slowly changing attributes: the table of a moment, of a training part and of its validation part."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.data.features import FeatureTable
from vitrina.data.store import open_split, save_split
from vitrina.data.versions import ALWAYS, Versions

STATES = st.lists(st.tuples(st.integers(0, 4), st.one_of(st.just(ALWAYS), st.integers(-3, 12)), st.integers(0, 99)), max_size=12)


def versions_of(states):
    codes, since, values = zip(*states, strict=True) if states else ((), (), ())
    return Versions(np.array(codes, np.int32), np.array(since, np.int64), pl.DataFrame({"price": pl.Series(values, dtype=pl.Int64)}))


def as_of(states, time, length):
    """The slow way: go through all that was told, and keep what began last."""
    best = {}
    for code, since, value in states:
        if since <= time and since >= best.get(code, (ALWAYS, None))[0]:
            best[code] = (since, value)
    return [best.get(code, (None, None))[1] for code in range(length)]


@given(STATES, st.integers(-5, 14))
def test_a_row_is_in_the_state_that_began_last(states, time):
    assert versions_of(states).at(time, length=5)["price"].to_list() == as_of(states, time, 5)


@given(STATES, st.integers(-5, 14))
def test_the_state_of_a_time_is_the_one_whose_span_holds_it(states, time):
    versions = versions_of(states)
    held = (versions.since <= time) & (time < versions.until)
    assert len(set(versions.codes[held].tolist())) == held.sum()
    assert as_of(states, time, 5) == [
        dict(zip(versions.codes[held].tolist(), versions.frame["price"].filter(pl.Series(held)), strict=True)).get(c) for c in range(5)
    ]


@given(STATES, st.permutations(range(5)), st.integers(1, 5), st.integers(-5, 14))
def test_some_rows_keep_their_states(states, order, size, time):
    codes = np.array(order[:size])
    taken = versions_of(states).take(codes)
    assert taken.at(time, length=size)["price"].to_list() == [as_of(states, time, 5)[code] for code in codes]


@given(STATES)
def test_versions_come_back_from_a_table(states):
    versions = versions_of(states)
    back = Versions.of_table(versions.table())
    assert back.fingerprint == versions.fingerprint
    assert np.array_equal(back.since, versions.since)


def log():
    """The toy log, whose milk became dear on the 4th of January and cheap on the 7th."""
    data = vt.testing.toy()
    first, last = int(data.events.times.min()), int(data.events.times.max())
    changed = [first + (last - first) // 3, first + 2 * (last - first) // 3]
    frame = pl.DataFrame({"price": [1.0, 2.0, 3.0, 4.0, 20.0, 0.5]})
    versions = Versions(np.array([0, 1, 2, 3, 1, 1], np.int32), np.array([ALWAYS] * 4 + changed), frame)
    table = FeatureTable(versions.at(last, length=4), {"price": "number"}, None, versions)
    return replace(data, item_table=table), changed


def test_the_training_part_has_the_table_of_its_moment():
    data, changed = log()
    assert data.item_table.frame["price"].to_list() == [1.0, 0.5, 3.0, 4.0]
    for cut, price in ((changed[0], 2.0), (changed[0] + 1, 20.0), (changed[1], 20.0), (changed[1] + 1, 0.5)):
        train = data.split(vt.split.GlobalTime(at=cut)).train
        assert train.item_table.frame["price"][1] == price, "what begins at the cut isn't known before it"


def test_a_validation_part_goes_further_back():
    data, changed = log()
    split = data.split(vt.split.GlobalTime(at=changed[1], until=2 * changed[1] - changed[0]))
    assert split.train.item_table.frame["price"][1] == 20.0
    inner = split.train.holdout()
    assert inner.train.item_table.frame["price"][1] == 2.0
    assert len(inner.train.item_table.versions) == 4


def test_a_split_in_a_folder_goes_further_back_too(tmp_path):
    data, changed = log()
    split = data.split(vt.split.GlobalTime(at=changed[1], until=2 * changed[1] - changed[0]))
    save_split(split, tmp_path / "split")
    back = open_split(tmp_path / "split")
    assert back.train.fingerprint == split.train.fingerprint
    assert back.train.item_table.fingerprint == split.train.item_table.fingerprint
    assert back.train.holdout().train.item_table.frame["price"][1] == 2.0


def test_features_of_a_ranker_see_the_table_of_their_window():
    data, changed = log()
    train = data.split(vt.split.GlobalTime(at=changed[0] + 1)).train
    learned = vt.ranking.Affinity(columns=("price",)).of_log(train, None)
    assert learned["number-0"].tolist() == [1.0, 20.0, 3.0, 4.0]


def test_a_time_may_be_a_date():
    data, changed = log()
    when = datetime.fromtimestamp(changed[1] / 1e6, UTC)
    assert data.item_table_at(when).frame["price"][1] == 0.5
    assert data.item_table_at(when.replace(year=2000)).frame["price"][1] == 2.0
    steps = replace(data, time_unit="step")
    with pytest.raises(ParameterError, match="Give the time as a number"):
        steps.item_table_at(when)


def test_a_table_without_versions_is_the_same_at_any_time():
    data = vt.testing.toy()
    assert data.item_table_at(0) is data.item_table
    assert replace(data, item_table=None).item_table_at(0) is None
