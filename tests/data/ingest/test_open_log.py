"""A log on disk is the same log as in memory: events per person, their order, item codes."""

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError


def events_by_person(data):
    """What a log says, without regard to the order of its people."""
    rows = {}
    for shard in data.shards():
        ids, names = shard.users.ids.cast(pl.String).to_list(), shard.items.ids.cast(pl.String).to_list()
        for user in range(len(ids)):
            own = shard.events.take(slice(shard.indptr[user], shard.indptr[user + 1])).columns()
            items = own.pop("items")
            baskets = own.pop("baskets", None)
            rest = {name: column.tolist() for name, column in own.items()}
            if baskets is not None:
                rest["baskets"] = [baskets.tolist().index(b) for b in baskets.tolist()]
            rows[ids[user]] = [names[i] for i in items.tolist()], rest
    return rows


@pytest.mark.parametrize("shards", [1, 3, 50])
def test_it_is_the_same_log(tmp_path, shards):
    table = vt.testing.toy().frame()
    opened, memory = vt.ingest(table, tmp_path / "log", shards=shards), vt.read_interactions(table)
    assert events_by_person(opened) == events_by_person(memory)
    assert opened.items.ids.equals(memory.items.ids)
    assert (opened.n_events, opened.n_users) == (memory.n_events, memory.n_users)
    assert np.array_equal(opened.catalogue.events, memory.catalogue.events)
    assert len(list(opened.shards())) == shards


def test_people_of_shards_have_codes_of_their_own(tmp_path):
    opened = vt.ingest(vt.testing.toy().frame(), tmp_path / "log", shards=3)
    firsts = [(shard.first_user, len(shard.users)) for shard in opened.shards()]
    assert [first for first, _ in firsts] == np.append(0, np.cumsum([n for _, n in firsts]))[:-1].tolist()
    assert opened.users.ids.to_list() == [name for shard in opened.shards() for name in shard.users.ids.to_list()]


def test_a_missing_and_a_damaged_piece_are_refused(tmp_path):
    folder = tmp_path / "log"
    opened = vt.ingest(vt.testing.toy().frame(), folder, shards=1)
    piece = folder / "shards" / "0000" / "events-00000.parquet"
    body = bytearray(piece.read_bytes())
    body[len(body) // 2] ^= 1
    piece.write_bytes(body)
    with pytest.raises(DataError, match="is damaged: its content"):
        next(iter(opened.shards()))
    piece.write_bytes(body[:-1])
    with pytest.raises(DataError, match=r"is damaged: it has [\d,]+ bytes, and [\d,]+ were written"):
        vt.Dataset.open(folder)
    piece.unlink()
    with pytest.raises(DataError, match=r"events-00000.parquet is gone. It held 20 rows"):
        vt.Dataset.open(folder)


def test_a_machine_that_does_not_see_the_log_says_so(tmp_path):
    opened = vt.ingest(vt.testing.toy().frame(), tmp_path / "log", shards=2)
    (tmp_path / "log").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"There is no folder .*log on .*the log at the same path as the command \(shared storage\)"):
        list(opened.map_shards(len))


def test_what_is_no_log_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds no ingested log: it has no manifest.json. Make one with: vitrina ingest"):
        vt.Dataset.open(tmp_path)
