"""A full load against the reader: whatever a log holds, the folder holds what `read_interactions` makes of it."""

import json

import numpy as np
import polars as pl
import pytest
from test_open_log import events_by_person

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError, UnknownNameError, WriteError
from vitrina.base.executor import Processes
from vitrina.data.ingest import blocks
from vitrina.data.ingest.ingest import cancel
from vitrina.data.ingest.open import Opened

COLUMNS = {"user": "who", "item": "what", "time": "when", "kind": "how", "basket": "order", "weight": "much"}


def random_table(rng):
    """A log with what makes logs hard: nulls, ties, duplicates, one person with half of it, ids as numbers or text."""
    rows, people, goods = int(rng.integers(1, 120)), int(rng.integers(1, 12)), int(rng.integers(1, 10))
    users = np.where(rng.random(rows) < 0.4, 0, rng.integers(0, people, rows))
    table = pl.DataFrame({
        "who": users, "what": rng.integers(0, goods, rows), "when": 1_700_000_000 + rng.integers(0, 15, rows), "how": rng.choice(["view", "buy"], rows),
        "order": rng.integers(0, 4, rows), "much": rng.choice([0.0, 1.0, -1.0], rows), "rank": rng.integers(0, 3, rows), "value": rng.random(rows),
    })  # fmt: skip
    if rng.random() < 0.5:
        table = table.with_columns("u" + pl.col("who").cast(pl.String))
    elif rng.random() < 0.5:
        table = table.with_columns(pl.col("who").cast(pl.Float64))
    if rng.random() < 0.3:
        table = table.with_columns(pl.col("what").cast(pl.String) + "é")
    table = pl.concat([table, table.sample(rows // 5, seed=0)])
    if rng.random() < 0.5:
        bad = pl.Series(rng.random(table.height) < 0.1)
        table = table.with_columns(
            pl.when(bad).then(None).otherwise(pl.col(name)).alias(name) for name in (["who"], ["what", "when"])[int(rng.integers(2))]
        )
    return table


def written(table, folder, rng):
    """As a table, as files of one kind, or as several files; what is given as the source."""
    folder.mkdir()
    way, cut = rng.choice(["table", "parquet", "csv", "jsonl"]), int(rng.integers(0, table.height + 1))
    if way == "table":
        return table
    for number, part in enumerate(part for part in (table[:cut], table[cut:]) if part.height):
        path = folder / f"{number}.{way}"
        {"parquet": part.write_parquet, "csv": part.write_csv, "jsonl": part.write_ndjson}[way](path)
    return str(folder / f"*.{way}")


def arguments(rng):
    given = {role: name for role, name in COLUMNS.items() if role in ("user", "item") or rng.random() < 0.5}
    return given | ({"order_by": "rank"} if rng.random() < 0.3 else {})


def read(source, **given):
    """The log in memory, or what is said of it."""
    try:
        return vt.read_interactions(source, **given), ""
    except DataError as error:
        return None, str(error)


@pytest.mark.parametrize("seed", range(200))
def test_it_is_what_the_reader_makes_of_it(tmp_path, seed, monkeypatch):
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(blocks, "ROWS", int(rng.integers(1, 60)))
    source, given = written(random_table(rng), tmp_path / "in", rng), arguments(rng)
    given |= {"on_bad_row": "quarantine", "bad_rows_path": tmp_path / "bad.csv"}
    memory, said = read(source, **given)
    if memory is None:
        with pytest.raises(DataError) as refused:
            vt.ingest(source, tmp_path / "log", shards=3, **given)
        assert str(refused.value) == said
        assert not (tmp_path / "log").exists()
        return
    bad = (tmp_path / "bad.csv").read_bytes() if (tmp_path / "bad.csv").exists() else b""
    (tmp_path / "bad.csv").unlink(missing_ok=True)
    opened = vt.ingest(source, tmp_path / "log", shards=int(rng.integers(1, 5)), **given)
    assert events_by_person(opened) == events_by_person(memory)
    assert opened.items.ids.equals(memory.items.ids)
    assert sorted(opened.users.ids.to_list()) == sorted(memory.users.ids.to_list())
    assert (opened.n_events, opened.n_users, opened.time_unit, opened.kind_names, opened.steps) == (
        memory.n_events, memory.n_users, memory.time_unit, memory.kind_names, memory.steps,
    )  # fmt: skip
    assert ((tmp_path / "bad.csv").read_bytes() if (tmp_path / "bad.csv").exists() else b"") == bad
    assert not (tmp_path / "log" / ".work").exists()


def log_of(folder, rows=60, seed=0):
    """A file with a log."""
    rng = np.random.default_rng(seed)
    pl.DataFrame({
        "user_id": rng.integers(0, 9, rows), "item_id": rng.integers(0, 5, rows), "timestamp": 1_700_000_000 + rng.integers(0, 99, rows), "id": np.arange(rows),
    }).write_csv(folder / "log.csv")  # fmt: skip
    return folder / "log.csv"


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_blocks_shards_and_workers_change_nothing(tmp_path, monkeypatch):
    source = log_of(tmp_path)
    one = vt.ingest(source, tmp_path / "one", shards=4)
    monkeypatch.setattr(blocks, "ROWS", 7)
    two = vt.ingest(source, tmp_path / "two", shards=4, executor=Processes(2))
    other = vt.ingest(source, tmp_path / "other", shards=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert one.fingerprint == two.fingerprint == other.fingerprint
    assert vt.ingest(log_of(tmp_path, seed=1), tmp_path / "three", shards=4).fingerprint != one.fingerprint


def test_the_order_of_a_moment_counts(tmp_path):
    table = pl.DataFrame({"user_id": ["a", "a"], "item_id": ["x", "y"], "timestamp": [1_700_000_000] * 2})
    later = pl.concat([table, table[1:], table[:1]])
    swapped = pl.concat([table, table])
    found = [vt.ingest(one, tmp_path / str(number)).fingerprint for number, one in enumerate((later, swapped))]
    assert found[0] != found[1]


def test_rows_of_an_event_that_came_before_are_left_out(tmp_path):
    table = pl.DataFrame({"user_id": ["a", "b", "a", "a"], "item_id": ["x", "y", "z", "x"], "event": [1, 2, 1, 3]})
    opened = vt.ingest(table, tmp_path / "log", event_id="event", shards=2)
    assert {user: items for user, (items, _) in events_by_person(opened).items()} == {"a": ["x", "x"], "b": ["y"]}
    assert [(step.name, step.events_before, step.events_after) for step in opened.steps] == [("read", 4, 4), ("event ids", 4, 3)]


def test_tables_of_items_and_users(tmp_path):
    table = vt.testing.toy().frame()
    items = pl.DataFrame({"item_id": ["jam", "tea", "salt"], "title": ["Jam", "Tea", "Salt"], "price": [3.0, 2.0, 1.0]})
    users = pl.DataFrame({"user_id": ["bob", "ann", "zoe"], "age": [31, 24, 70], "city": ["Rome", "Oslo", "Rome"]})
    memory = vt.read_interactions(table, items=items, users=users)
    opened = vt.ingest(table, tmp_path / "log", shards=3, items=items, users=users)
    assert opened.items.ids.equals(memory.items.ids)
    assert opened.item_table.frame.equals(memory.item_table.frame)
    assert (opened.item_table.kinds, opened.item_table.title) == (memory.item_table.kinds, memory.item_table.title)
    assert opened.steps == memory.steps
    rows = {}
    for shard in opened.shards():
        assert shard.user_table.kinds == memory.user_table.kinds
        rows |= dict(zip(shard.users.ids.to_list(), shard.user_table.frame.rows(), strict=True))
    assert rows == dict(zip(memory.users.ids.to_list(), memory.user_table.frame.rows(), strict=True))


def test_titles_of_the_log(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "ROWS", 2)
    table = pl.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [5, 6, 5, 7], "name": ["Tea", None, "Green tea", "Jam"]})
    memory, opened = vt.read_interactions(table, title="name"), vt.ingest(table, tmp_path / "log", title="name")
    assert opened.titles(np.arange(3)) == memory.titles(np.arange(3))
    assert opened.steps == memory.steps


def stopped(source, out, after, **given):
    """A load that ends as a killed one does: nothing is tidied, after so many calls of its progress."""

    class Killed(BaseException):
        pass

    calls = iter(range(10_000))

    def progress(what, number, of):
        if next(calls) == after:
            raise Killed

    try:
        vt.ingest(source, out, progress=progress, **given)
    except Killed:
        return True
    return False


def test_a_load_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "ROWS", 5)
    monkeypatch.setattr("vitrina.data.read.sources.CHUNK", 4)
    table = random_table(np.random.default_rng(3))
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        table[number::3].write_parquet(folder / f"{number}.parquet")
    given = COLUMNS | {"shards": 3, "on_bad_row": "quarantine", "title": "value"}
    vt.ingest(str(folder / "*"), tmp_path / "whole", bad_rows_path=tmp_path / "whole.csv", **given)
    after = 0
    while stopped(str(folder / "*"), tmp_path / "log", after, bad_rows_path=tmp_path / "log.csv", **given):
        after += 1
    assert after >= 3
    whole, log = contents(tmp_path / "whole"), contents(tmp_path / "log")
    for one in (whole, log):
        for name in [name for name in one if name.endswith(".json")]:
            one[name] = one[name].replace(b"whole", b"log")
    assert whole == log


def test_sources_that_changed_are_not_gone_on_with(tmp_path):
    source = log_of(tmp_path)
    assert stopped(source, tmp_path / "log", 2, shards=2)
    with pytest.raises(DataError, match=r"isn't finished\. Ingest it again with the same arguments to go on, or take --cancel"):
        vt.Dataset.open(tmp_path / "log")
    with pytest.raises(ParameterError, match="it began with time_unit=None, and now it is 's'"):
        vt.ingest(source, tmp_path / "log", shards=2, time_unit="s")
    log_of(tmp_path, rows=61)
    with pytest.raises(ParameterError, match=r"log.csv has changed since it began \([\d,]+ bytes then, [\d,]+ now\)"):
        vt.ingest(source, tmp_path / "log", shards=2)
    assert cancel(tmp_path / "log")
    assert not (tmp_path / "log").exists()
    assert not cancel(tmp_path / "log")
    assert vt.ingest(source, tmp_path / "log", shards=2).n_events == 61


def test_a_log_that_is_there_is_replaced_at_the_end_only(tmp_path):
    source = log_of(tmp_path)
    first = vt.ingest(source, tmp_path / "log", shards=2)
    with pytest.raises(ParameterError, match=r"holds a log already. Open it with Dataset.open, or replace it \(force=True, --force\)"):
        vt.ingest(source, tmp_path / "log", shards=3)
    before = contents(tmp_path / "log")
    assert vt.ingest(source, tmp_path / "log", plan=pytest.fail).fingerprint == first.fingerprint  # what is asked for is there
    assert contents(tmp_path / "log") == before
    log_of(tmp_path, rows=70)
    assert stopped(source, tmp_path / "log", 3, shards=3, force=True)
    assert vt.Dataset.open(tmp_path / "log").n_events == 60
    assert cancel(tmp_path / "log")
    assert events_by_person(vt.Dataset.open(tmp_path / "log")) == events_by_person(first)
    second = vt.ingest(source, tmp_path / "log", shards=3, force=True)
    assert (second.n_events, second.shard_count) == (70, 3)
    with pytest.raises(DataError, match="written anew since it was opened"):
        Opened(first.parts.folder, 0).load(0)
    assert {name.split("-")[-1] for name in contents(tmp_path / "log") if name.startswith("shards")} == {"00001.parquet"}


def test_an_error_leaves_nothing_behind(tmp_path):
    (tmp_path / "log.csv").write_text("user_id,item_id\na,x\n,y\n")
    with pytest.raises(DataError, match="row 2"):
        vt.ingest(tmp_path / "log.csv", tmp_path / "log")
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("name", ["items", "shards", "manifests"])
def test_folders_of_others_are_left_alone(tmp_path, name):
    mine = tmp_path / "shop" / name / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("x")
    with pytest.raises(ParameterError, match=f"holds other things .{name}"):
        vt.ingest(log_of(tmp_path), tmp_path / "shop")
    assert not cancel(tmp_path / "shop")
    assert mine.exists()


def test_a_load_that_ends_while_another_is_planned_is_not_written_over(tmp_path):
    """Of two commands that were begun at the same time the second one had seen a state that is no more."""

    def rows(*people):
        return pl.DataFrame({"user_id": people, "item_id": "x", "timestamp": [f"2024-01-0{ord(who) - 96}" for who in people]})

    def meanwhile(**given):
        return lambda plan: vt.ingest(rows("b"), tmp_path / "log", **given)

    with pytest.raises(ParameterError, match="holds a log already"):
        vt.ingest(rows("a"), tmp_path / "log", plan=meanwhile())
    for given in ({"load": "append"}, {"force": True}):
        vt.ingest(rows("a"), tmp_path / "log", force=True)
        with pytest.raises(ParameterError, match=r"came to its end while this one was planned\. Ask for the same again"):
            vt.ingest(rows("c"), tmp_path / "log", plan=meanwhile(**given), **given)
        state = [path.relative_to(tmp_path / "log").parts[0] for path in (tmp_path / "log").iterdir()]
        assert sorted(state) == ["items", "manifest.json", "manifests", "shards"]
        data = vt.ingest(rows("c"), tmp_path / "log", load="append")
        assert sorted(events_by_person(data)) == (["a", "b", "c"] if "load" in given else ["b", "c"])


def test_what_is_refused(tmp_path):
    source = log_of(tmp_path)
    with pytest.raises(UnknownNameError, match=r"There is no argument of ingest 'usr'\. Did you mean 'user'"):
        vt.ingest(source, tmp_path / "log", usr="x")
    with pytest.raises(ParameterError, match="holds other things"):
        vt.ingest(source, tmp_path)
    with pytest.raises(ParameterError, match=r"The 'shards' must be 1 or more\. Got 0"):
        vt.ingest(source, tmp_path / "log", shards=0)


def test_the_plan_is_told_and_a_full_disk_refused(tmp_path, monkeypatch):
    source, plans = log_of(tmp_path, rows=5000), []
    vt.ingest(source, tmp_path / "log", plan=plans.append)
    assert abs(plans[0].rows - 5000) < 100
    assert plans[0].shards == 1
    size = sum(len(body) for name, body in contents(tmp_path / "log").items() if name.endswith("parquet"))
    assert size < plans[0].log < size * 5  # few people and items: less than a row of a real log takes
    assert "Disk: " in str(plans[0])
    monkeypatch.setattr("vitrina.data.ingest.plan.shutil.disk_usage", lambda path: type("usage", (), {"free": 1000}))
    with pytest.raises(
        WriteError,
        match=r"the load takes about .* there \(.* while it runs, .* that stay\), and 0 MB are free. Make room or choose a place",
    ):
        vt.ingest(source, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_manifest_says_what_is_there(tmp_path):
    vt.ingest(log_of(tmp_path), tmp_path / "log", shards=2)
    said = json.loads((tmp_path / "log" / "manifest.json").read_text())
    assert said["columns"] == {"user": "user_id", "item": "item_id", "time": "timestamp"}
    assert sum(shard["events"] for shard in said["shards"]) == said["rows"] == 60
    assert said["watermark"] == max(shard.events.times.max() for shard in vt.Dataset.open(tmp_path / "log").shards() if shard.n_events)
