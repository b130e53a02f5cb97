"""Filters against heavy people, named ids, the head and tail of items, repeats in a row and far days; and what is said of one heavy person."""

import numpy as np
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.dataset import Dataset
from vitrina.types import Events

DAY = 86_400_000_000
F = vt.filters


def rows(data):
    """(user, item, time) of each event."""
    users, items = data.users.decode(data.user_of).to_list(), data.items.decode(data.events.items).to_list()
    return list(zip(users, items, data.events.times.tolist(), strict=True))


@pytest.fixture
def log():
    return vt.testing.synthetic(users=50, items=30)


def test_max_length_keeps_whole_people(log):
    wanted = [row for row in rows(log) if sum(other[0] == row[0] for other in rows(log)) <= 15]
    kept = F.max_length(log, 15)
    assert rows(kept) == wanted
    step = kept.steps[-1]
    assert (step.events_before, step.events_after, step.users_after) == (log.n_events, len(wanted), kept.n_users)


def test_without_leaves_out_who_and_what_is_named(log):
    user, item = rows(log)[0][0], rows(log)[9][1]
    assert rows(F.without(log, users=[user], items=[item])) == [row for row in rows(log) if row[0] != user and row[1] != item]
    assert rows(F.without(log, [user])) == [row for row in rows(log) if row[0] != user]


def test_without_refuses_ids_that_the_log_has_no_events_of(log):
    with pytest.raises(DataError, match="no events of: nobody"):
        F.without(log, users=["nobody"])
    with pytest.raises(DataError, match="items that"):
        F.without(log, items=["nothing"])
    with pytest.raises(ParameterError, match="needs ids"):
        F.without(log)
    with pytest.raises(ParameterError, match="as a list"):
        F.without(log, users="u1")


@pytest.mark.parametrize(("low", "high"), [(0, 0.9), (0.5, 1), (0.2, 0.8)])
def test_item_quantiles_are_over_the_items(log, low, high):
    counts = {item: sum(row[1] == item for row in rows(log)) for item in {row[1] for row in rows(log)}}
    least, most = np.quantile(list(counts.values()), (low, high))
    assert rows(F.item_quantiles(log, low, high)) == [row for row in rows(log) if least <= counts[row[1]] <= most]
    with pytest.raises(ParameterError, match="low < high"):
        F.item_quantiles(log, 0.5, 0.5)


@pytest.mark.parametrize("keep", ["first", "last"])
def test_repeats_in_a_row_count_once(keep):
    items = np.array([0, 0, 1, 0, 0, 0, 2, 2], np.int32)  # of two people: 0 0 1 0 | 0 0 2 2
    data = Dataset.of_codes(np.repeat([0, 1], 4), Events(items, np.arange(8)), vt.Vocabulary.of(["a", "b"]), vt.Vocabulary.of([7, 8, 9]))
    kept = {"first": [0, 2, 3, 4, 6], "last": [1, 2, 3, 5, 7]}[keep]
    assert F.dedupe_consecutive(data, keep).events.times.tolist() == kept
    with pytest.raises(ParameterError, match="first or last"):
        F.dedupe_consecutive(data, "none")


def test_repeats_in_a_row_of_another_kind_are_not_repeats():
    events = Events(np.zeros(3, np.int32), np.arange(3), kinds=np.array([0, 1, 1], np.uint8))
    data = Dataset.of_codes(np.zeros(3, int), events, vt.Vocabulary.of(["a"]), vt.Vocabulary.of([7]), kind_names=("view", "buy"))
    assert F.dedupe_consecutive(data).events.times.tolist() == [0, 1]


@pytest.mark.parametrize("keep", ["first", "last"])
def test_days_of_each_person_are_their_own(log, keep):
    ends = {user: [t for u, _, t in rows(log) if u == user] for user in {row[0] for row in rows(log)}}
    within = {
        "first": lambda row: row[2] - min(ends[row[0]]) < 5 * DAY,
        "last": lambda row: max(ends[row[0]]) - row[2] < 5 * DAY,
    }[keep]
    assert rows(F.user_days(log, 5, keep)) == [row for row in rows(log) if within(row)]


def test_days_need_real_time():
    data = Dataset.of_codes(np.zeros(2, int), Events(np.zeros(2, np.int32)), vt.Vocabulary.of(["a"]), vt.Vocabulary.of([7]))
    with pytest.raises(DataError, match="real time"):
        F.user_days(data, 5)


def heavy_log():
    """2,000 events of 100 people, and so many of person 0."""
    rng = np.random.default_rng(1)
    n = 4_000
    users = np.append(rng.integers(1, 101, 2_000), np.zeros(2_000, int))
    events = Events(rng.integers(0, 30, n).astype(np.int32), rng.permutation(n) * DAY // 10)
    names = vt.Vocabulary.of([str(user) for user in range(101)]), vt.Vocabulary.of([f"i{item}" for item in range(30)])
    return Dataset.of_codes(users, events, *names, time_unit="us")


def test_one_person_with_half_of_the_questions_is_said():
    data = heavy_log()
    split = data.split(vt.split.GlobalTime(quantile=0.5, repeat=True))
    share = (split.queries.users == 0).mean()
    said = f"One person (0) holds {share:.0%} of the questions"
    assert 0.4 < share < 0.6
    assert any(said in warning for warning in split.warnings)
    assert said in " ".join(str(split.summary).split())
    seen = vt.inspect(data)
    assert any("One person (0) holds" in choice for choice in seen.choices)
    calm = F.without(data, users=["0"]).split(vt.split.GlobalTime(quantile=0.5, repeat=True))
    assert not any("One person" in warning for warning in calm.warnings)
