"""Loads one after another are what a list of events comes to."""

import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slow_log import Row, SlowLog

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.base.executor import Processes
from vitrina.data.ingest.compact import compact
from vitrina.data.ingest.format import read_manifest

SCHEMA = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64, "value": pl.Float64, "event_id": pl.String, "gone": pl.Boolean, "version": pl.Int64}  # fmt: skip


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch):
    """Nothing is flushed: the tests are not about power cuts."""
    monkeypatch.setattr("vitrina.base.files._flush", lambda path: None)


def frame(rows, *, corrections=False):
    table = pl.DataFrame([(r.user, r.item, r.time, r.value, r.event_id, r.deleted, r.version) for r in rows], schema=SCHEMA, orient="row")
    return table if corrections else table.drop("gone", "version")


def people_of(data):
    """The events of each person who has some, as (time, item, value)."""
    found = {}
    for shard in data.shards():
        ids, names = shard.users.ids.cast(pl.String).to_list(), shard.items.ids.cast(pl.String).to_list()
        for user, (first, last) in enumerate(zip(shard.indptr[:-1].tolist(), shard.indptr[1:].tolist(), strict=True)):
            if last > first:
                events = shard.events.take(slice(first, last))
                found[ids[user]] = list(zip(events.times.tolist(), [names[i] for i in events.items], events.values.tolist(), strict=True))
    return found


def held_against(data, slow, load=None):
    manifest = read_manifest(Path(data.parts.folder))
    assert people_of(data) == slow.people()
    assert (data.n_events, data.n_users) == (len(slow.events), len(slow.people()))
    assert manifest.watermark == slow.watermark
    if load is not None:
        counts = dict(manifest.loads[-1])
        assert (counts.pop("load"), counts.pop("kind")) == (manifest.load, load)
        assert counts == {name: slow.counts[name] for name in counts}


ROWS = st.lists(
    st.builds(
        Row, st.sampled_from("abcd"), st.sampled_from("wxyz"), st.integers(0, 12), st.integers(1, 5).map(float), st.integers(0, 9).map(str),
        st.booleans(), st.integers(0, 2),
    ), min_size=1, max_size=8,
)  # fmt: skip
LOADS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), ROWS, st.integers(0, 6)), st.tuples(st.just("upsert"), ROWS, st.booleans()),
        st.tuples(st.just("compact"), st.just([]), st.just(0)),
    ), max_size=5,
)  # fmt: skip


def applied(folder, slow, kind, rows, setting):
    """One load, to both."""
    if kind == "compact":
        return compact(folder)
    if kind == "append":
        slow.append(rows, setting)
        return vt.ingest(frame(rows), folder, load="append", lateness=setting)
    slow.upsert(rows, versions=setting)
    version = {"version": "version"} if setting else {}
    return vt.ingest(frame(rows, corrections=True), folder, load="upsert", deleted="gone", **version)


def begun(folder, rows, shards=3):
    slow = SlowLog()
    slow.append([row for n, row in enumerate(rows) if row.event_id not in {r.event_id for r in rows[:n]}])
    distinct = [row for n, row in enumerate(rows) if row.event_id not in {r.event_id for r in rows[:n]}]
    return vt.ingest(frame(distinct), folder, event_id="event_id", time_unit="step", shards=shards), slow


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(ROWS, LOADS)
def test_loads_come_to_what_a_list_does(first, loads):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "log"
        data, slow = begun(folder, first)
        for kind, rows, setting in loads:
            data = applied(folder, slow, kind, rows, setting)
            held_against(data, slow, None if kind == "compact" else kind)


FIRST = [Row("ann", "tea", 1, 1.0, "1"), Row("bob", "tea", 2, 1.0, "2"), Row("ann", "jam", 3, 2.0, "3"), Row("cy", "tea", 3, 1.0, "4")]
LATER = [Row("ann", "jam", 3, 2.0, "3"), Row("dee", "salt", 4, 1.0, "5"), Row("bob", "salt", 5, 3.0, "6")]


def test_a_log_in_parts_is_the_log_at_once(tmp_path):
    table = vt.testing.synthetic(users=60, seed=3).frame().sort("timestamp", maintain_order=True)
    times = table["timestamp"].unique().sort()
    cuts = [times[len(times) // 3], times[2 * len(times) // 3]]
    at = pl.col("timestamp")
    vt.ingest(table.filter(at <= cuts[0]), tmp_path / "parts", shards=4)
    vt.ingest(table.filter((at > cuts[0]) & (at <= cuts[1])), tmp_path / "parts", load="append")
    parts = vt.ingest(table.filter(at > cuts[1]), tmp_path / "parts", load="append")
    whole = vt.ingest(table, tmp_path / "whole", shards=4)
    assert parts.items.ids.equals(whole.items.ids)
    for one, other in zip(parts.shards(), whole.shards(), strict=True):
        assert one.frame().equals(other.frame())
        assert (one.first_user, one.users.ids.to_list()) == (other.first_user, other.users.ids.to_list())
    for one, other in zip(compact(tmp_path / "parts").shards(), whole.shards(), strict=True):
        assert one.frame().equals(other.frame())


def test_the_same_file_twice_adds_nothing(tmp_path):
    data, slow = begun(tmp_path / "log", FIRST)
    for _ in range(2):
        data = vt.ingest(frame(LATER), tmp_path / "log", load="append", lateness=1)
    slow.append(LATER, 1)
    slow.append(LATER, 1)
    held_against(data, slow, "append")
    assert "2 rows of 4 or earlier left out as late, the oldest of 3" in data.steps[-1].note
    assert "1 row left out whose event ids the log has" in data.steps[-1].note


def test_a_file_without_times_and_ids_is_known_by_its_content(tmp_path):
    for name, rows in (("one", "ann,tea\nbob,jam"), ("two", "ann,jam")):
        (tmp_path / f"{name}.csv").write_text(f"user_id,item_id\n{rows}\n")
    vt.ingest(tmp_path / "one.csv", tmp_path / "log", shards=2)
    data = vt.ingest(str(tmp_path / "*.csv"), tmp_path / "log", load="append")
    assert data.n_events == 3
    assert f"{tmp_path / 'one.csv'} is in the log since load 0 and was left out." in data.steps[-1].note
    again = vt.ingest(str(tmp_path / "*.csv"), tmp_path / "log", load="append")
    assert (again.n_events, again.fingerprint) == (3, data.fingerprint)
    assert "two.csv is in the log since load 1" in again.steps[-1].note


def test_codes_of_before_mean_the_same(tmp_path):
    data, _ = begun(tmp_path / "log", FIRST)
    before = [shard.users.ids.to_list() for shard in data.shards()]
    after = vt.ingest(frame(LATER), tmp_path / "log", load="append", lateness=1)
    assert after.items.ids.to_list()[: data.n_items] == data.items.ids.to_list()
    for ids, shard in zip(before, after.shards(), strict=True):
        assert shard.users.ids.to_list()[: len(ids)] == ids
    assert sorted(after.users.ids.to_list()) == ["ann", "bob", "cy", "dee"]


def test_a_correction_moves_an_event_to_another_person(tmp_path):
    _, slow = begun(tmp_path / "log", FIRST, shards=8)
    moved = [Row("zoe", "tea", 2, 4.0, "2")]
    slow.upsert(moved)
    data = vt.ingest(frame(moved, corrections=True), tmp_path / "log", load="upsert", deleted="gone")
    held_against(data, slow, "upsert")
    assert "bob" not in people_of(data)
    held_against(compact(tmp_path / "log"), slow)
    assert "bob" not in vt.Dataset.open(tmp_path / "log").users.ids.to_list(), "nothing is left of him"


def test_a_deletion_needs_an_id_alone(tmp_path):
    _, slow = begun(tmp_path / "log", FIRST)
    file = tmp_path / "corrections.csv"
    file.write_text("event_id,user_id,item_id,timestamp,value,gone\n1,,,,,yes\n9,,,,,1\n5,ann,tea,9,1,\n3,ann,jam,3,7,no\n3,,,,,true\n")
    slow.upsert([Row("", "", 0, 0, "1", deleted=True), Row("", "", 0, 0, "9", deleted=True), Row("ann", "tea", 9, 1.0, "5"), Row("ann", "jam", 3, 7.0, "3"), Row("", "", 0, 0, "3", deleted=True)])  # fmt: skip
    data = vt.ingest(file, tmp_path / "log", load="upsert", deleted="gone")
    held_against(data, slow, "upsert")
    assert "1 rows that a later one of the load overrules, 2 events deleted, 1 deletions of events that aren't there" in data.steps[-1].note


def test_a_deleted_event_does_not_come_back(tmp_path):
    begun(tmp_path / "log", FIRST)
    vt.ingest(frame([Row("", "", 0, 0, "4", deleted=True)], corrections=True), tmp_path / "log", load="upsert", deleted="gone")
    for _ in range(2):
        data = vt.ingest(frame(FIRST), tmp_path / "log", load="append", lateness=9)
        assert (data.n_events, "cy" in people_of(data)) == (3, False)
        data = compact(tmp_path / "log")


def test_baskets_go_on(tmp_path):
    rows = {"user_id": ["ann", "bob"], "item_id": ["tea", "jam"], "timestamp": [1, 1], "basket_id": [7, 7]}
    vt.ingest(pl.DataFrame(rows), tmp_path / "log", time_unit="step", shards=1)
    rows = {"user_id": ["ann", "ann"], "item_id": ["jam", "salt"], "timestamp": [2, 3], "basket_id": [7, 8]}
    (shard,) = vt.ingest(pl.DataFrame(rows), tmp_path / "log", load="append").shards()
    ann = shard.users.encode(["ann"])[0]
    assert shard.events.baskets[shard.indptr[ann] : shard.indptr[ann + 1]].tolist() == [0, 0, 1]


def test_an_opened_log_stays_as_it_was(tmp_path):
    folder = tmp_path / "log"
    data, slow = begun(folder, FIRST)
    states = [(data, slow.people())]
    for kind, rows, setting in [("append", LATER, 1), ("upsert", [Row("cy", "jam", 2, 1.0, "1")], False), ("compact", [], 0)]:
        states.append((applied(folder, slow, kind, rows, setting), slow.people()))
    for opened, people in states:
        assert people_of(opened) == people
    applied(folder, slow, "append", [Row("eve", "tea", 9, 1.0, "9")], 0)
    compact(folder)
    assert people_of(states[-1][0]) == states[-1][1], "one state back"
    with pytest.raises(DataError, match=r"can't be read|is gone|was written anew"):
        people_of(states[0][0])


def test_compacting_changes_nothing_but_files(tmp_path):
    folder = tmp_path / "log"
    _, slow = begun(folder, FIRST)
    applied(folder, slow, "append", LATER, 1)
    data = applied(folder, slow, "upsert", [Row("cy", "jam", 2, 1.0, "1")], False)
    before = data.fingerprint
    small = compact(folder)
    assert (small.fingerprint, people_of(small)) == (before, slow.people())
    manifest = read_manifest(folder)
    assert all(len(shard.pieces) <= 1 and not any(piece.dropped for piece in shard.pieces) for shard in manifest.shards)
    assert sum(shard.users for shard in manifest.shards) == small.n_users == len(slow.people())
    files = len(list(folder.rglob("*.parquet")))
    again = compact(folder)
    assert again.parts.generation == small.parts.generation, "there was nothing to do"
    named = {folder / file.name for file in manifest.files}
    assert set(folder.rglob("*.parquet")) == named
    assert len(named) < files


def test_a_compaction_that_was_killed_goes_on(tmp_path, monkeypatch):
    folder = tmp_path / "log"
    _, slow = begun(folder, FIRST, shards=1)
    applied(folder, slow, "append", LATER, 1)
    monkeypatch.setattr("vitrina.data.ingest.compact.commit", lambda *given: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        compact(folder)
    held_against(vt.Dataset.open(folder), slow)
    held_against(applied(folder, slow, "append", [Row("eve", "tea", 9, 1.0, "9")], 0), slow)
    with pytest.raises(Killed):
        compact(folder)
    monkeypatch.undo()
    held_against(compact(folder), slow)
    assert not (folder / ".work").exists()


class Killed(BaseException):
    """In place of a signal that nothing catches."""


def test_a_load_that_was_killed_goes_on(tmp_path, monkeypatch):
    folder = tmp_path / "log"
    _, slow = begun(folder, FIRST, shards=5)
    real, calls = vt.data.ingest.load.shard_after, []

    def dying(*given):
        calls.append(given[2])
        if len(calls) == 3:
            raise Killed
        return real(*given)

    monkeypatch.setattr("vitrina.data.ingest.load.shard_after", dying)
    rows = [Row("zoe", "tea", 2, 4.0, "2"), Row("ann", "salt", 8, 4.0, "8")]
    load = {"load": "upsert", "deleted": "gone"}
    table = tmp_path / "rows.parquet"
    frame(rows, corrections=True).write_parquet(table)
    with pytest.raises(Killed):
        vt.ingest(table, folder, **load)
    held_against(vt.Dataset.open(folder), slow)
    with pytest.raises(ParameterError, match="has an unfinished load of something else: it began with load='upsert'"):
        vt.ingest(table, folder, load="append")
    with pytest.raises(ParameterError, match=r"has an unfinished load\. Ask for the same again to go on with it"):
        compact(folder)
    slow.upsert(rows)
    held_against(vt.ingest(table, folder, **load), slow, "upsert")
    assert len(calls) == 6, "what was finished wasn't done again"


def test_a_load_that_was_killed_can_be_cancelled(tmp_path, monkeypatch):
    folder = tmp_path / "log"
    begun(folder, FIRST, shards=5)
    files = sorted(folder.rglob("*"))
    monkeypatch.setattr("vitrina.data.ingest.ingest.commit", lambda *given: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        vt.ingest(frame(LATER), folder, load="append")
    assert sorted(folder.rglob("*")) != files
    assert vt.data.ingest.ingest.cancel(folder)
    assert sorted(folder.rglob("*")) == files


@pytest.mark.parametrize(("change", "given", "words"), [
    (lambda t: t.drop("value"), {}, r"has no column 'value' \(the value\), which .* has. Write it"),
    (lambda t: t.with_columns(kind=pl.lit("buy")), {}, r"has a column 'kind', the kind of event, which .* has not: its events of before would stay without"),
    (lambda t: t, {"weight": "value"}, r"has no weight of events, and those of before would stay without. Leave weight='value' out"),
    (lambda t: t, {"event_id": "user_id"}, r"come from the column 'event_id': by another one no event of before would be found"),
    (lambda t: t.with_columns(pl.lit("2024-01-01").alias("timestamp")), {}, r"holds steps that are dates, and the times of .* are steps that are numbers"),
    (lambda t: t, {"deleted": "gone"}, r"The 'deleted' is for load='upsert'"),
    (lambda t: t, {"lateness": "2d"}, r"The times of this log are steps"),
    (lambda t: t, {"load": "upsert", "version": "nothing"}, r"has no column 'nothing', named as 'version'"),
    (lambda t: t, {"load": "upsert", "deleted": "value"}, r"must say whether an event is deleted \(true or false, 1 or 0, yes or no\)"),
    (lambda t: t, {"users": pl.DataFrame({"user_id": ["ann"]})}, r"The 'users' is read with the first load alone"),
    (lambda t: t, {"shards": 4}, r"The 'shards' is for a full load"),
    (lambda t: t, {"load": "upset"}, r"The 'load' must be 'full', 'append' or 'upsert'"),
])  # fmt: skip
def test_what_does_not_fit_the_log_is_refused_and_leaves_it(tmp_path, change, given, words):
    folder = tmp_path / "log"
    _, slow = begun(folder, FIRST)
    files = sorted(folder.rglob("*"))
    with pytest.raises((DataError, ParameterError), match=words):
        vt.ingest(change(frame(LATER)), folder, **{"load": "append"} | given)
    held_against(vt.Dataset.open(folder), slow)
    assert sorted(folder.rglob("*")) == files


def test_corrections_and_lateness_need_ids(tmp_path):
    vt.ingest(frame(FIRST).drop("event_id"), tmp_path / "log", time_unit="step")
    with pytest.raises(ParameterError, match="A lateness needs ids of events"):
        vt.ingest(frame(LATER), tmp_path / "log", load="append", lateness=2)
    with pytest.raises(ParameterError, match="Events are corrected by their ids"):
        vt.ingest(frame(LATER), tmp_path / "log", load="upsert")
    with pytest.raises(ParameterError, match="The 'lateness' is for loads that come later"):
        vt.ingest(frame(FIRST), tmp_path / "other", lateness=2)


def test_ids_that_were_numbers_become_text(tmp_path):
    rows = {"user_id": [1, 2], "item_id": [7, 8], "timestamp": [1, 2]}
    data = vt.ingest(pl.DataFrame(rows), tmp_path / "log", time_unit="step", shards=2)
    assert (data.users.ids.dtype, data.items.ids.dtype) == (pl.Int64, pl.Int64)
    more = pl.DataFrame({"user_id": ["1", "ann"], "item_id": ["8", "tea"], "timestamp": [3, 4]})
    data = vt.ingest(more, tmp_path / "log", load="append")
    assert sorted(data.users.ids.to_list()) == ["1", "2", "ann"]
    assert data.items.ids.to_list() == ["7", "8", "tea"]
    assert "Ids of users were whole numbers, and some are text now" in data.steps[-1].note
    assert data.n_users == 3


def test_new_kinds_and_new_columns_are_said(tmp_path):
    rows = {"user_id": ["ann"], "item_id": ["tea"], "timestamp": [1], "kind": ["view"]}
    vt.ingest(pl.DataFrame(rows), tmp_path / "log", time_unit="step")
    more = {
        "user_id": ["ann", "ann"],
        "item_id": ["tea", "tea"],
        "timestamp": [2, 3],
        "kind": ["buy", "view"],
        "device": ["phone", "phone"],
    }
    data = vt.ingest(pl.DataFrame(more), tmp_path / "log", load="append")
    assert data.kind_names == ("view", "buy")
    assert [shard.events.kinds.tolist() for shard in data.shards()] == [[0, 1, 0]]
    assert "New kinds of event: buy. " in data.steps[-1].note
    assert "New columns that aren't read: device." in data.steps[-1].note


def prices(tea, jam):
    return pl.DataFrame({"item_id": ["tea", "jam"], "price": [tea, jam]})


def test_items_are_known_as_they_were(tmp_path):
    folder = tmp_path / "log"
    vt.ingest(frame(FIRST), folder, event_id="event_id", time_unit="step", items=prices(3.0, 5.0), shards=2)
    vt.ingest(frame(LATER), folder, load="append", lateness=1, items=prices(4.0, 5.0))
    last = vt.ingest(frame([Row("ann", "tea", 8, 1.0, "8"), Row("bob", "jam", 9, 1.0, "9")]), folder, load="append", items=prices(4.5, 5.0))
    assert last.item_table.frame["price"].to_list() == [4.5, 5.0, None]
    assert last.item_table.versions.table().select("code", "since", "until").rows() == [
        (0, None, 5),
        (1, None, None),
        (0, 5, 9),
        (0, 9, None),
    ]
    for opened in (last, compact(folder)):
        for time, price in ((4, 3.0), (5, 4.0), (8, 4.0), (9, 4.5)):
            assert opened.item_table_at(time).frame["price"][0] == price
        train = opened.split(vt.split.GlobalTime(at=8, until=12)).train
        assert [one.item_table.frame["price"][0] for one in (train, *train.shards())] == [4.0] * 3
        before = train.holdout().train  # before 4
        assert [one.item_table.frame["price"][0] for one in (before, *before.shards())] == [3.0] * 3


def test_a_first_load_may_say_since_when(tmp_path):
    rows = pl.DataFrame({"item_id": ["tea", "tea"], "price": [3.0, 4.0], "from": [0, 2]})
    data = vt.ingest(frame(FIRST), tmp_path / "log", time_unit="step", items=rows, valid_from="from", shards=2)
    assert [data.item_table_at(time).frame["price"][0] for time in (-1, 0, 1, 2)] == [None, 3.0, 3.0, 4.0]
    assert next(iter(data.shards())).item_table_at(1).frame["price"][0] == 3.0


def test_another_valid_from_is_another_log(tmp_path):
    frame(FIRST).write_parquet(tmp_path / "log.parquet")
    rows = pl.DataFrame({"item_id": ["tea", "tea"], "price": [3.0, 4.0], "from": [0, 2], "later": [1, 3]})
    rows.write_parquet(tmp_path / "items.parquet")
    read = {"source": tmp_path / "log.parquet", "out": tmp_path / "log", "items": tmp_path / "items.parquet", "time_unit": "step"}
    data = vt.ingest(**read, valid_from="from")
    assert vt.ingest(**read, valid_from="from").fingerprint == data.fingerprint  # it is there
    with pytest.raises(ParameterError, match="holds a log already"):
        vt.ingest(**read, valid_from="later")
    more = vt.ingest(frame([Row("cy", "jam", 9, 1.0, "9")]), tmp_path / "log", load="append")  # which says nothing of items
    assert more.item_table_at(1).frame["price"][0] == 3.0


def test_titles_of_the_log_go_on(tmp_path):
    rows = {"user_id": ["ann"], "item_id": ["t"], "timestamp": [1], "name": ["Tea"]}
    vt.ingest(pl.DataFrame(rows), tmp_path / "log", time_unit="step", title="name")
    more = {"user_id": ["ann"], "item_id": ["j"], "timestamp": [2], "name": ["Jam"]}
    data = vt.ingest(pl.DataFrame(more), tmp_path / "log", load="append")
    assert data.titles([0, 1]) == ["Tea", "Jam"]


def test_processes_come_to_the_same(tmp_path):
    _, slow = begun(tmp_path / "log", FIRST)
    rows = [Row("cy", "jam", 2, 1.0, "1")]
    slow.upsert(rows)
    held_against(vt.ingest(frame(rows), tmp_path / "log", load="upsert", executor=Processes(2)), slow, "upsert")


DYING = """
import os, pathlib, signal, sys
import vitrina as vt
left, real = int(sys.argv[1]), pathlib.Path.replace

def replace(*given):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given)

pathlib.Path.replace = replace
vt.ingest("rows.parquet", "log", load=sys.argv[2], **eval(sys.argv[3]))
"""


@pytest.mark.parametrize(("load", "given"), [("append", {"lateness": 1}), ("upsert", {"deleted": "gone"})])
def test_kills_at_any_rename_change_nothing(tmp_path, monkeypatch, load, given):
    monkeypatch.chdir(tmp_path)
    _, slow = begun(tmp_path / "log", FIRST, shards=4)
    rows = [*LATER, Row("zoe", "tea", 2, 4.0, "2"), Row("", "", 0, 0.0, "1", deleted=True), Row("eve", "tea", 9, 1.0, "9")]
    if load == "append":
        rows = [row for row in rows if not row.deleted]
        slow.append(rows, 1)
    else:
        slow.upsert(rows)
    frame(rows, corrections=True).write_parquet(tmp_path / "rows.parquet")
    before = people_of(vt.Dataset.open(tmp_path / "log"))
    for renames in (4, 5):
        command = [sys.executable, "-c", DYING, str(renames), load, repr(given)]
        killed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert people_of(vt.Dataset.open(tmp_path / "log")) == before
    held_against(vt.ingest("rows.parquet", "log", load=load, **given), slow, load)


def test_a_title_of_the_items_is_no_column_of_the_log(tmp_path):
    items = pl.DataFrame({"item_id": ["tea", "jam"], "label": ["Tea", "Jam"]})
    vt.ingest(frame(FIRST), tmp_path / "log", event_id="event_id", time_unit="step", items=items, title="label")
    data = vt.ingest(frame(LATER), tmp_path / "log", load="append", lateness=1)
    assert data.titles([0, 1, 2]) == ["Tea", "Jam", "salt"]
    more = pl.DataFrame({"item_id": ["salt"], "label": ["Salt"]})
    data = vt.ingest(frame([Row("ann", "salt", 9, 1.0, "9")]), tmp_path / "log", load="append", items=more)
    assert data.titles([0, 1, 2]) == ["Tea", "Jam", "Salt"]


def test_another_log_in_the_same_folder_is_another_log(tmp_path):
    folder = tmp_path / "log"
    first, slow = begun(folder, FIRST)
    assert people_of(first) == slow.people()
    shutil.rmtree(folder)
    second, slow = begun(folder, LATER)
    held_against(second, slow)
    with pytest.raises(DataError, match=r"was written anew since it was opened|is gone|is damaged: it has"):
        people_of(first)
