"""Each known bad file gives one clear sentence: file, column, rows, what must hold, what came, what to do."""

import csv
import datetime as dt
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.read import sources

GOOD = "user_id,item_id,timestamp,value\nann,tea,2024-01-01,1\nbob,jam,2024-01-02,2\ncat,tea,2024-01-03,3\n"


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(name, text):
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def complaint(source, **options):
    with pytest.raises(DataError) as caught:
        vt.read_interactions(source, **options)
    message = str(caught.value)
    assert len(message) < 420
    assert "\n" not in message
    return message


def test_the_good_file_is_read():
    data = vt.read_interactions(write("log.csv", GOOD))
    assert (data.n_events, data.n_users, len(data.items)) == (3, 3, 2)


def test_missing_column_names_the_closest_and_how_to_map_it():
    message = complaint(write("log.csv", GOOD.replace("user_id", "userId")))
    assert "log.csv has no column 'user_id' for the user" in message
    assert "user='userId'" in message
    assert "Its columns: userId, item_id, timestamp, value" in message


def test_missing_column_knows_what_others_call_it():
    assert "take it with item='product'" in complaint(write("log.csv", "user_id,product\na,b\n"))


def test_missing_header():
    assert "first line looks like data" in complaint(write("log.csv", "1,17,5.0\n2,18,4.0\n"))


def test_null_id_names_rows_and_lines():
    message = complaint(write("log.csv", "user_id,item_id\nann,tea\n,jam\nbob,tea\n,tea\n"))
    assert message.startswith("log.csv: the column 'user_id' must hold an id in each row, but is empty in rows 2 and 4 (lines 3 and 5).")
    assert 'on_bad_row="quarantine"' in message


def test_lines_count_line_breaks_inside_quotes():
    message = complaint(write("log.csv", 'user_id,item_id,note\nann,tea,"two\nlines"\n,jam,x\n'))
    assert "row 2 (line 4)" in message


def test_short_row_has_no_item():
    assert "'item_id' must hold an id in each row, but is empty in row 2 (line 3)" in complaint(
        write("log.csv", "user_id,item_id\na,b\nc\n")
    )


def test_more_bad_rows_than_are_shown():
    message = complaint(pl.DataFrame({"user_id": [None] * 7, "item_id": ["x"] * 7}))
    assert "rows 1, 2 and 3 and 4 more" in message


@pytest.mark.parametrize("bad", ["nan", "inf", "-Infinity", "1e60"])
def test_value_that_is_not_finite(bad):
    message = complaint(write("log.csv", GOOD.replace(",2\n", f",{bad}\n")))
    assert "log.csv: the column 'value' must hold finite numbers, but is NaN or infinite in row 2 (line 3)" in message


def test_text_in_a_number_column():
    message = complaint(write("log.csv", GOOD.replace(",2\n", ",two\n")))
    assert "the column 'value' must hold numbers, but holds text ('two') in row 2 (line 3)" in message


def test_empty_value():
    assert "'value' must hold a number in each row, but is empty in row 3 (line 4)" in complaint(
        write("log.csv", GOOD.replace(",3\n", ",\n"))
    )


def test_value_of_a_type_that_is_no_number():
    frame = pl.DataFrame({"user_id": ["a"], "item_id": ["b"], "value": [["x"]]})
    assert complaint(frame) == "the table: the column 'value' must hold numbers. It holds lists."


def test_ids_of_a_type_that_is_no_id():
    assert "'user_id' must hold ids, text or whole numbers. It holds dates" in complaint(
        pl.DataFrame({"user_id": [dt.date(2024, 1, 1)], "item_id": ["b"]})
    )


def test_ids_with_fractions():
    frame = pl.DataFrame({"user_id": [1.0, 2.5], "item_id": [1, 2]})
    assert "'user_id' must hold text or whole numbers, but is a number with a fraction (2.5) in row 2" in complaint(frame)


def test_numbers_that_are_no_ids():
    for wrong in (float("inf"), 2.0**53):
        frame = pl.DataFrame({"user_id": [1.0, wrong], "item_id": [1, 2]})
        assert f"'user_id' must hold text or whole numbers, but is a float too large to keep every digit ({wrong}) in row 2" in complaint(
            frame
        )
    assert "a number with a fraction (Decimal('2.5')) in row 1" in complaint(pl.DataFrame({"user_id": [Decimal("2.5")], "item_id": [1]}))


def test_objects_that_are_no_ids_are_set_aside_with_their_reasons():
    column = pl.Series(["a", True, 1.5, None, b"x", "b", 3], dtype=pl.Object)
    frame = pl.DataFrame({"user_id": column, "item_id": [1] * 7})
    assert "'user_id' must hold an id in each row, but is empty in row 4" in complaint(frame)
    data = vt.read_interactions(frame, on_bad_row="quarantine")
    assert data.users.ids.to_list() == ["a", "b"]
    reasons = [r["reason"] for r in csv.DictReader(Path("log.bad_rows.csv").read_text().splitlines())]
    assert reasons == [f"user_id is {what}" for what in ("neither", "neither", "empty", "neither", "of another type")]


def test_mixed_types_of_a_pandas_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"user_id": pandas.Series(["a", 7, "b"], dtype=object), "item_id": [1, 2, 3]})
    message = complaint(frame)
    assert "the column 'user_id' must hold ids of one type (most are text), but is of another type in row 2" in message
    assert "astype(str)" in message


def test_future_time_in_a_file():
    message = complaint(write("log.csv", GOOD.replace("2024-01-02", "2124-01-02")))
    assert "'timestamp' must hold moments between 1990 and today, but is in the future in row 2 (line 3)" in message


def test_seconds_read_as_milliseconds():
    message = complaint(pl.DataFrame({"user_id": ["a"], "item_id": ["b"], "timestamp": [1_700_000_000]}), time_unit="ms")
    assert "is before 1990 in row 1" in message
    assert "give the right time_unit" in message


def test_text_that_is_no_date():
    message = complaint(write("log.csv", GOOD.replace("2024-01-02", "02/01/2024")))
    assert "hold ISO dates like 2024-01-31 or 2024-01-31 18:30:00, but holds no such date ('02/01/2024') in row 2 (line 3)" in message


def test_text_among_numbers_as_times():
    frame = pl.DataFrame({"user_id": ["a"] * 3, "item_id": ["b"] * 3, "timestamp": ["1700000000", "soon", "1700000001"]})
    assert "hold times as numbers, as in its other rows, but holds no number ('soon') in row 2" in complaint(frame)


def test_empty_time():
    assert "'timestamp' must hold a time in each row, but is empty in row 1" in complaint(
        pl.DataFrame({"user_id": ["a", "a"], "item_id": ["b", "c"], "timestamp": [None, 1_700_000_000]})
    )


def test_empty_file():
    assert complaint(write("log.csv", "")) == "log.csv is empty (0 bytes). Write the log to it again, or leave it out."


def test_header_without_rows():
    assert "log.csv holds no interaction" in complaint(write("log.csv", "user_id,item_id\n"))


def test_duplicate_header():
    message = complaint(write("log.csv", "user_id,item_id,user_id\na,b,c\n"))
    assert message == "log.csv has the column 'user_id' twice in its header (fields 1 and 3). Rename or drop one."


@pytest.mark.parametrize("rows", ["José,tea\n", "ann,tea\nbob,jam\nJosé,tea\n"])
def test_wrong_encoding(rows):
    message = complaint(write("log.csv", ("user_id,item_id\n" + rows).encode("latin-1")))
    row = rows.count("\n")
    assert f"log.csv is not UTF-8 text: row {row} (line {row + 1}) holds bytes that mean nothing in it" in message
    assert "José" in message
    assert "encoding='cp1252'" in message
    assert vt.read_interactions("log.csv", encoding="cp1252").users.ids.to_list()[-1] == "José"


def test_wrong_encoding_of_the_header():
    assert "not UTF-8 text: its header" in complaint(write("log.csv", "user_id,item_id,größe\na,b,1\n".encode("latin-1")))
    assert "encoding='utf-16-le'" in complaint(write("wide.csv", GOOD.encode("utf-16-le")))
    assert vt.read_interactions(write("marked.csv", GOOD.encode("utf-16"))).n_events == 3


def test_a_byte_order_mark_is_no_mistake():
    assert vt.read_interactions(write("log.csv", b"\xef\xbb\xbf" + GOOD.encode())).n_events == 3


def test_row_with_too_many_fields():
    message = complaint(write("log.csv", "user_id,item_id,title\na,b,x\nc,d,jam, red\n"))
    assert "log.csv: row 2 (line 3) has 4 fields where the header has 3" in message


def test_quote_that_is_never_closed():
    message = complaint(write("log.csv", 'user_id,item_id\na,"b\nc,d\ne,f\n'))
    assert "row 1 (line 2) opens a quote that is not closed." in message


def test_a_quote_that_is_not_closed_takes_no_other_row_with_it():
    sound = [f"u{n},i{n}" for n in range(60)]
    rows = [*sound[:20], 'a,"b', *sound[20:40], "more of that text", 'c"d",x', 'e,"f', *sound[40:]]
    data = vt.read_interactions(write("log.csv", "\n".join(["user_id,item_id", *rows])), on_bad_row="quarantine")
    assert sorted(data.users.ids) == sorted({*(row.partition(",")[0] for row in sound), 'c"d"'})
    bad = pl.read_csv("log.bad_rows.csv")
    below = "has another number of fields than the header, below a quote that is not closed"
    quote = "opens a quote that is not closed"
    assert bad.select("row", "line", "reason", "text").rows() == [
        (21, 22, quote, 'a,"b'), (42, 43, below, "more of that text"), (44, 45, quote, 'e,"f'),
    ]  # fmt: skip
    assert data.steps[0].note.startswith("3 bad rows set aside in log.bad_rows.csv")


def test_truncated_parquet():
    pl.DataFrame({"user_id": ["a"] * 100, "item_id": ["b"] * 100}).write_parquet("log.parquet")
    content = Path("log.parquet").read_bytes()
    write("cut.parquet", content[: len(content) // 2])
    assert complaint("cut.parquet") == "cut.parquet is cut off: it begins as Parquet and does not end as such. Copy or write it again."
    assert "is no Parquet file" in complaint(write("fake.parquet", "user_id,item_id\na,b\n"))
    assert "is a damaged Parquet file" in complaint(write("odd.parquet", b"PAR1" + b"\0" * 50 + b"PAR1"))


def test_truncated_gzip():
    import gzip

    body = gzip.compress("".join(f"user{k},item{k * 7919 % 1000}\n" for k in range(20_000)).encode())
    assert "is cut off" in complaint(write("log.csv.gz", gzip.compress(b"user_id,item_id\n") + body[: len(body) // 2]))


def test_file_that_does_not_exist():
    write("ratings.csv", GOOD)
    assert complaint("rating.csv") == "There is no file 'rating.csv'. Its folder has 'ratings.csv'."


def test_glob_that_matches_nothing():
    assert "No file matches 'logs/*.parquet'" in complaint("logs/*.parquet")


def test_a_folder_is_no_file(tmp_path):
    assert "is a folder. Name its files with a glob" in complaint(tmp_path)


@pytest.mark.parametrize(("content", "said"), [
    (b"\x80\x04\x95", "log.bin is a pickle, which can run code. Write the table to a CSV or Parquet file"),
    (b"PK\x03\x04" + b"0" * 40, "log.bin is an archive. Unpack it"),
    (b"SQLite format 3\0", "log.bin is an SQLite database"),
    (b"\x01\x02\x00\x00\x05" * 20, "log.bin is no text: it holds zero bytes"),
])  # fmt: skip
def test_files_that_are_no_log(content, said):
    assert said in complaint(write("log.bin", content))


def test_an_ending_that_promises_a_workbook():
    assert "log.xlsx is no workbook" in complaint(write("log.xlsx", "x"))


def test_files_with_differing_columns():
    write("a.csv", GOOD)
    write("b.csv", "user_id,item_id\nann,tea\n")
    message = complaint("*.csv")
    assert "b.csv has no column 'timestamp' (the time), and a.csv has it" in message


def test_files_with_differing_kinds_of_time():
    first = pl.DataFrame({"user_id": ["a"], "item_id": ["b"], "timestamp": [dt.datetime(2024, 1, 1)]})
    second = pl.DataFrame({"user_id": ["a"], "item_id": ["b"], "timestamp": [1_700_000_000]})
    assert complaint([first, second]) == (
        "the table 2: the column 'timestamp' holds numbers, and dates in the files before. Write all files alike."
    )


def test_one_column_for_both():
    assert "User and item must be two columns" in complaint(write("log.csv", GOOD), item="user_id")


def test_too_many_kinds():
    frame = pl.DataFrame({"user_id": ["a"] * 300, "item_id": ["b"] * 300, "kind": [f"k{k}" for k in range(300)]})
    assert "must hold at most 256 kinds of event. It holds 300" in complaint(frame)


@pytest.mark.parametrize("options", [{"on_bad_row": "ignore"}, {"time_unit": "minutes"}])
def test_wrong_parameters(options):
    with pytest.raises(ParameterError, match=next(iter(options))):
        vt.read_interactions(write("log.csv", GOOD), **options)


def test_a_title_that_is_no_column():
    assert "has no column 'name' for the title" in complaint(write("log.csv", GOOD), title="name")


def test_a_source_that_is_none():
    assert "Got int" in complaint(7)
    assert "Got an empty list" in complaint([])


class TestQuarantine:
    BAD = "user_id,item_id,timestamp,value\nann,tea,2024-01-01,1\n,jam,2024-01-02,2\ncat,tea,never,3\ndan,tea,2024-01-04,NaN\neve,,nope,5\neve,tea,2024-01-05,4,9\nfay,jam,2024-01-06,6\n"

    def test_bad_rows_go_to_a_file_with_reasons(self):
        data = vt.read_interactions(write("log.csv", self.BAD), on_bad_row="quarantine")
        assert data.users.ids.to_list() == ["ann", "fay"]
        rows = {int(r["row"]): r for r in csv.DictReader(Path("log.bad_rows.csv").read_text().splitlines())}
        assert sorted(rows) == [2, 3, 4, 5, 6]
        assert [rows[k]["line"] for k in sorted(rows)] == ["3", "4", "5", "6", "7"]
        assert {r["file"] for r in rows.values()} == {"log.csv"}
        assert rows[2]["reason"] == "user_id is empty"
        assert rows[3]["reason"] == "timestamp holds no such date"
        assert rows[4]["reason"] == "value is NaN or infinite"
        assert rows[6]["reason"] == "has 5 fields where the header has 4"
        assert rows[6]["text"] == "eve,tea,2024-01-05,4,9"

    def test_they_are_counted(self):
        step = vt.read_interactions(write("log.csv", self.BAD), on_bad_row="quarantine").steps[0]
        assert (step.events_before, step.events_after) == (7, 2)
        assert step.note.startswith("5 bad rows set aside in log.bad_rows.csv (")
        assert "1 user_id is empty" in step.note

    def test_a_good_log_writes_no_file(self, tmp_path):
        vt.read_interactions(write("log.csv", GOOD), on_bad_row="quarantine")
        assert not (tmp_path / "log.bad_rows.csv").exists()

    def test_the_path_can_be_chosen(self, tmp_path):
        vt.read_interactions(write("log.csv", self.BAD), on_bad_row="quarantine", bad_rows_path=tmp_path / "out" / "bad.csv")
        assert (tmp_path / "out" / "bad.csv").exists()

    def test_wrong_encoding_is_a_row_like_others(self):
        data = vt.read_interactions(write("log.csv", "user_id,item_id\nann,tea\nJosé,tea\n".encode("latin-1")), on_bad_row="quarantine")
        assert data.n_events == 1
        assert "not UTF-8" in Path("log.bad_rows.csv").read_text()

    def test_nothing_left(self):
        message = complaint(write("log.csv", "user_id,item_id\n,tea\n"), on_bad_row="quarantine")
        assert "holds no interaction. All 1 rows are bad" in message

    def test_row_numbers_go_on_over_chunks(self, monkeypatch):
        monkeypatch.setattr(sources, "CHUNK", 10)
        users = [f"u{k}" if k % 13 else None for k in range(1, 101)]
        frame = pl.DataFrame({"user_id": users, "item_id": np.arange(100)})
        vt.read_interactions(frame, on_bad_row="quarantine")
        rows = [int(r["row"]) for r in csv.DictReader(Path("log.bad_rows.csv").read_text().splitlines())]
        assert rows == [13, 26, 39, 52, 65, 78, 91]


def test_empty_lines_are_left_out_and_counted():
    data = vt.read_interactions(write("log.csv", GOOD.replace("bob", "\nbob") + "\n\n"))
    assert data.n_events == 3
    assert "3 empty lines left out" in data.steps[0].note
    assert "row 5 (line 6)" in complaint(write("bad.csv", GOOD.replace("bob", "\nbob") + ",tea,2024-01-01,1\n"))
