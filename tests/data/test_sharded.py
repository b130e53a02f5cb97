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
        again = log.to_memory()
        assert again.frame().equals(whole.frame())
        assert again.fingerprint == whole.fingerprint


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
