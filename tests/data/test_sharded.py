"""A log of which one shard at a time is in memory: what can be asked of it, and that it is the log in memory."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.base.executor import Processes
from vitrina.data.dataset import Dataset
from vitrina.data.sharded import Held, Sharded, held
from vitrina.testing.shards_only import sent


def test_what_adds_up_is_that_of_the_log_in_memory():
    whole = vt.testing.synthetic(users=40)
    for count in (1, 3, 60):
        log = sent(held(whole, count))
        assert (log.n_events, log.n_users, len(log), log.latest) == (whole.n_events, whole.n_users, len(whole), whole.events.times.max())
        assert np.array_equal(log.catalogue.users, whole.catalogue.users)
        assert np.array_equal(log.catalogue.events, whole.catalogue.events)
        assert log.users.ids.to_list() == whole.users.ids.to_list()
        assert sum(log.map_shards(len)) == whole.n_events
        assert log.columns == tuple(whole.events.columns())
        assert log._repr_html_().count("<tr>") == whole._repr_html_().count("<tr>")
        again = log.to_memory()
        assert again.frame().equals(whole.frame())
        assert again.fingerprint == whole.fingerprint


def test_what_is_known_of_people_comes_along_into_memory():
    people = [f"u{number:03}" for number in range(7)]
    rows = pl.DataFrame({"user_id": people * 2, "item_id": ["tea", "jam"] * 7})
    ages = pl.DataFrame({"user_id": people, "age": list(range(7))})
    whole = vt.read_interactions(rows, users=ages)
    log = sent(held(whole, 3))
    assert log.to_memory().fingerprint == whole.fingerprint
    some = log.to_memory(people=["u005", "u001"])
    assert dict(zip(some.users.ids, some.user_table.frame["age"], strict=True)) == {"u001": 1, "u005": 5}


def test_arrays_of_the_whole_are_refused_with_the_remedy():
    log = held(vt.testing.toy(), 3)
    for ask in (
        lambda: log.events, lambda: log.indptr, lambda: log.user_of, log.csr, log.frame, log.to_pandas, lambda: log.user_range(0, 1), log.queries,
        lambda: log.queries(codes=[1]), lambda: log.sharded(2),
    ):  # fmt: skip
        with pytest.raises(DataError, match=r"to_memory|shards"):
            ask()
    with pytest.raises(AttributeError, match="no_such"):
        log.no_such  # noqa: B018


@dataclass(frozen=True)
class Counted:
    """Shards that say which of them were opened."""

    inner: Held
    opened: list

    def __len__(self) -> int:
        return len(self.inner)

    def load(self, index: int) -> Dataset:
        self.opened.append(index)
        return self.inner.load(index)

    def shard_of(self, ids: pl.Series) -> np.ndarray:
        return np.array([next((n for n, d in enumerate(self.inner.datasets) if d.users.encode([i])[0] >= 0), 0) for i in ids])


def test_queries_of_people_open_their_shards_alone():
    whole = vt.testing.synthetic(users=30)
    log = held(whole, 6)
    known = Sharded(Counted(log.parts, []), {"items": whole.items, "time_unit": "us", "latest": int(whole.events.times.max())})  # pyright: ignore[reportArgumentType]
    people = [whole.users.ids[3], "nobody", whole.users.ids[4], whole.users.ids[29], whole.users.ids[3]]
    expected = whole.queries(people)
    for data in (log, known, known.changed(name="other")):
        asked = data.queries(people)
        assert np.array_equal(asked.now, expected.now)
        assert [h.tolist() for h in map(asked.histories().__getitem__, range(5))] == [
            h.tolist() for h in map(expected.histories().__getitem__, range(5))
        ]
        assert asked.labels.to_list() == people
        assert ((asked.users < 0) == (expected.users < 0)).all()
    assert set(known.parts.opened) == {0, 5}  # pyright: ignore[reportAttributeAccessIssue]
    assert len(log.queries([])) == 0


def test_processes_give_what_this_process_gives():
    log = held(vt.testing.synthetic(users=20), 3)
    split = log.on(Processes(2)).split(vt.split.GlobalTime(days=10))
    assert split.counts == log.split(vt.split.GlobalTime(days=10)).counts
    assert list(split.map_shards(asked_of)) == [shard.n_queries for shard in split.shards()]


def asked_of(split: vt.split.Split) -> int:
    return split.n_queries


RULES = [
    vt.split.GlobalTime(quantile=0.8), vt.split.GlobalTime(days=20, target="all", repeat=False), vt.split.GlobalTime(days=20, strict=True),
    vt.split.LeaveOneOut(), vt.split.LeaveOneOut(people=12), vt.split.LeaveOneOut(strict=True),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_an_ingested_log_is_filtered_and_split_as_the_same_rows_in_memory(rule, tmp_path):
    whole = vt.testing.synthetic(users=60)
    log = vt.ingest(whole.frame(), tmp_path / "log", shards=4)
    one, other = (vt.filters.k_core(data, users=3, items=2).split(rule) for data in (vt.read_interactions(whole.frame()), log))
    differ = {name for name in one.counts if one.counts[name] != other.counts[name]}
    assert differ <= {"busiest_user"}  # of several who ask alike the first in the order of people
    assert one.warnings == other.warnings
    assert one.protocol == other.protocol
    assert one.summary.to_dict() == other.summary.to_dict()
    assert asked_by(one) == asked_by(other)
    assert sorted(one.train.frame().rows()) == sorted(other.train.to_memory().frame().rows())


def asked_by(split: vt.split.Split) -> list:
    """Person, moment, history and truth as ids, in the order of people and moments."""
    rows = []
    for shard in split.shards():
        queries, histories, ids = shard.queries, shard.queries.histories(), shard.train.items.decode
        people = queries.people.decode(queries.users).to_list()
        rows += [
            (str(person), int(queries.now[q]), ids(histories[q]).to_list(), sorted(ids(shard.truth[q]).to_list()))
            for q, person in enumerate(people)
        ]
    return sorted(rows)


def test_an_ingested_log_opens_the_shards_of_named_people_alone(tmp_path, monkeypatch):
    whole = vt.testing.synthetic(users=40)
    log = vt.ingest(whole.frame(), tmp_path / "log", shards=6)
    assert (log.columns, log.latest) == (tuple(whole.events.columns()), whole.events.times.max())
    opened, load = [], type(log.parts).load
    monkeypatch.setattr(type(log.parts), "load", lambda parts, index: opened.append(index) or load(parts, index))
    person = whole.users.ids[7]
    asked, expected = log.queries([person]), whole.queries([person])
    assert len(opened) == 1
    assert np.array_equal(asked.now, expected.now)
    ids = log.items.decode(asked.histories()[0]).cast(pl.String).to_list()
    assert ids == whole.items.decode(expected.histories()[0]).cast(pl.String).to_list()
