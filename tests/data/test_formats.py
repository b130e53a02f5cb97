"""The same log in every kind of file is the same Dataset; what can't be known is asked, with words that work."""

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import threading
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.errors import DataError, MissingExtraError, ParameterError
from vitrina.data.read import sources

LOG = pl.DataFrame({
    "user_id": ["7", "8", "7", "9", "8"], "item_id": ["11", "12", "12", "11", "13"], "value": ["1", "2.5", "3", "4", "5"],
    "timestamp": ["1700000300", "1700000100", "1700000200", "1700000500", "1700000400"],
})  # fmt: skip
NAMES = ["user_id", "item_id", "value", "timestamp"]


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def delimited(separator, *, header=True, end="\n"):
    rows = ([LOG.columns] if header else []) + [list(row) for row in LOG.rows()]
    return "".join(separator.join(row) + end for row in rows)


def fingerprint(source, **options):
    return vt.read_interactions(source, **options).fingerprint


EXPECTED = fingerprint(LOG.with_columns(pl.all().cast(pl.Float64)).cast({"user_id": pl.Int64, "item_id": pl.Int64, "timestamp": pl.Int64}))
COMPRESSED = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": None,
}


def write(name, text, encoding="utf-8"):
    content = text.encode(encoding)
    if name.endswith(".zst"):  # through Polars, the one zstd that is here: its lines are ours
        frame = pl.DataFrame({"line": text.split("\n")[:-1]})
        frame.lazy().sink_csv(name, compression="zstd", include_header=False, quote_style="never", separator="\x1f")
    else:
        Path(name).write_bytes(COMPRESSED[Path(name).suffix if Path(name).suffix in COMPRESSED else ""](content))
    return name


@pytest.mark.parametrize("ending", COMPRESSED)
@pytest.mark.parametrize("separator", [",", "\t", ";", "|", "::", " ", "   "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_separator_plain_and_compressed(separator, end, ending):
    name = write(f"log.dat{ending}", delimited(separator, end=end))
    assert fingerprint(name) == EXPECTED
    write(f"bare.dat{ending}", delimited(separator, header=False, end=end))
    assert fingerprint(f"bare.dat{ending}", header=False, columns=NAMES) == EXPECTED


@pytest.mark.parametrize("separator", [",", "::", " "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1251", "cp866", "gbk", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_every_encoding_and_line_end(separator, encoding, end):
    write("log.csv", delimited(separator, end=end), encoding)
    assert fingerprint("log.csv", encoding=encoding) == EXPECTED
    write("bare.csv", delimited(separator, end=end, header=False), encoding)
    assert fingerprint("bare.csv", encoding=encoding, columns=NAMES) == EXPECTED


@pytest.mark.parametrize("name", ["log", "log.data", "log.inter", "log.log", "u1.base"])
def test_the_name_decides_nothing(name):
    assert fingerprint(write(name, delimited("\t"))) == EXPECTED
    LOG.write_parquet(name)
    assert vt.read_interactions(name).n_events == 5


def test_names_with_types():
    write("log.inter", "user_id:token\titem_id:token\tvalue:float\ttimestamp:float\n" + delimited("\t", header=False))
    assert fingerprint("log.inter") == EXPECTED
    write(
        "goods.item",
        "item_id:token\tname:token_seq\tgenres:token_seq\tyear:token\tprice:float\tv:float_seq\n11\ta b\tx y\t1999\t2.5\t1 2\n12\tc\ty\t2001\t3\t3 4\n",
    )
    data = vt.read_interactions("log.inter", items="goods.item")
    assert data.item_table.kinds == {"name": "text", "genres": "categories", "year": "category", "price": "number"}
    assert data.item_table.frame["genres"].to_list()[:2] == [["y"], ["x", "y"]] or data.titles([0, 1]) == ["a b", "c"]
    assert "'v' holds vectors, which are left out" in data.steps[0].note


def test_lists_of_ids_are_no_events():
    write("log.inter", "user_id:token\titem_id_list:token_seq\titem_id:token\n7\t11 12\t13\n")
    assert "log.inter has lists of ids in item_id_list, which are no events" in vt.read_interactions("log.inter").steps[0].note


@pytest.mark.parametrize("ending", COMPRESSED)
def test_json_lines(ending):
    lines = "\n".join(json.dumps(row) for row in LOG.cast({"value": pl.Float64, "user_id": pl.Int64}).to_dicts()) + "\n"
    assert fingerprint(write(f"log.jsonl{ending}", lines)) == EXPECTED
    assert fingerprint(write(f"log{ending}", lines)) == EXPECTED


def test_a_json_array_and_other_encodings():
    records = LOG.rename({"user_id": "кто"}).to_dicts()
    text = json.dumps(records, ensure_ascii=False, indent=1)
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1251"):
        assert fingerprint(write("log.json", text, encoding), user="кто", encoding="cp1251") == EXPECTED
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    for encoding in ("utf-8-sig", "utf-16", "cp1251"):
        assert fingerprint(write("log.jsonl", lines, encoding), user="кто", encoding="cp1251") == EXPECTED


def test_broken_json_lines_keep_their_numbers():
    Path("log.jsonl").write_text('{"user_id": 1, "item_id": "a"}\n\n{"user_id": 2, "item_id": }\n[3]\n{"user_id": 4, "item_id": "b"}\n')
    with pytest.raises(DataError, match=r"log.jsonl: row 2 \(line 3\) is no JSON.*1 more row can't be read either\. Mend them, or set"):
        vt.read_interactions("log.jsonl")
    assert vt.read_interactions("log.jsonl", on_bad_row="quarantine").users.ids.to_list() == [1, 4]
    rows = list(csv.DictReader(Path("log.bad_rows.csv").read_text().splitlines()))
    assert [(r["row"], r["line"], r["text"]) for r in rows] == [("2", "3", '{"user_id": 2, "item_id": }'), ("3", "4", "[3]")]


@pytest.mark.parametrize("text", ["{\n 'a': 1\n}\n", "{'user_id': 1, 'item_id': 2}\n", '{\n "user_id": 1\n}\n', "[1, 2]", "[", "{"])
def test_what_only_looks_like_json(text):
    Path("log.json").write_text(text)
    with pytest.raises(DataError, match="JSON"):
        vt.read_interactions("log.json")


class TestWorkbooks:
    @pytest.fixture(autouse=True)
    def extra(self):
        pytest.importorskip("fastexcel")
        pytest.importorskip("xlsxwriter")

    FRAME = LOG.cast({"user_id": pl.Int64, "item_id": pl.Int64, "value": pl.Float64, "timestamp": pl.Int64})

    def test_a_sheet(self):
        self.FRAME.write_excel("log.xlsx")
        assert fingerprint("log.xlsx") == EXPECTED
        assert fingerprint(io.BytesIO(Path("log.xlsx").read_bytes())) == EXPECTED

    def test_sheets_that_are_alike_are_one_log_and_others_are_named(self):
        xlsxwriter = pytest.importorskip("xlsxwriter")
        with xlsxwriter.Workbook("log.xlsx") as book:
            self.FRAME[:2].write_excel(book, worksheet="2010")
            self.FRAME[2:].write_excel(book, worksheet="2011")
            pl.DataFrame({"note": ["made by hand"]}).write_excel(book, worksheet="About")
        data = vt.read_interactions("log.xlsx")
        assert data.fingerprint == EXPECTED
        assert "the sheets 2010, 2011 are one log" in data.steps[0].note
        assert "left out: About" in data.steps[0].note

    def test_numbers_and_text_in_one_column_are_text(self):
        xlsxwriter = pytest.importorskip("xlsxwriter")
        with xlsxwriter.Workbook("log.xlsx") as book:
            sheet = book.add_worksheet()
            for row, cells in enumerate([["user_id", "item_id"], [1, 85123], [2, "85123A"], ["", "x"]]):
                sheet.write_row(row, 0, cells)
        with pytest.raises(DataError, match=r"is empty in row 3 \(line 4\)"):
            vt.read_interactions("log.xlsx")
        data = vt.read_interactions("log.xlsx", on_bad_row="quarantine")
        assert data.items.ids.to_list() == ["85123", "85123A"]

    def test_without_a_header(self):
        self.FRAME.write_excel("log.xlsx", include_header=False)
        with pytest.raises(DataError, match=r"log.xlsx has no header.*columns="):
            vt.read_interactions("log.xlsx")
        assert fingerprint("log.xlsx", columns=NAMES) == EXPECTED

    def test_without_the_extra(self, monkeypatch):
        self.FRAME.write_excel("log.xlsx")
        monkeypatch.setattr("vitrina.data.read.workbooks.find_spec", lambda name: None)
        with pytest.raises(MissingExtraError, match=r"pip install 'vitrina\[excel\]'"):
            vt.read_interactions("log.xlsx")


class TestStreams:
    @pytest.mark.parametrize(
        "content",
        [delimited(",").encode(), delimited("::").encode("utf-16"), gzip.compress(delimited("\t").encode())],
        ids=["plain", "utf-16", "gzip"],
    )
    def test_open_files(self, content):
        assert fingerprint(io.BytesIO(content)) == EXPECTED

    def test_open_text(self):
        assert fingerprint(io.StringIO(delimited(","))) == EXPECTED

    def test_a_named_pipe(self):
        os.mkfifo("pipe")
        writer = threading.Thread(target=lambda: Path("pipe").write_text(delimited(",")))
        writer.start()
        data = vt.read_interactions("pipe")
        writer.join()
        assert data.fingerprint == EXPECTED
        assert data.name == "log"

    def test_process_substitution(self):
        read, written = os.pipe()
        os.write(written, delimited(" ").encode())
        os.close(written)
        assert fingerprint(f"/dev/fd/{read}") == EXPECTED
        os.close(read)

    def test_nothing_came(self):
        with pytest.raises(DataError, match="No log came through the open file: 0 bytes"):
            vt.read_interactions(io.BytesIO(b""))

    def test_copies_are_deleted(self, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        write("log.dat", delimited("::"))
        vt.read_interactions("log.dat")
        vt.read_interactions(io.BytesIO(delimited("::").encode()))
        assert not list(tmp_path.glob("vitrina-*"))


class TestHeaderless:
    @pytest.mark.parametrize(("text", "names"), [
        ("196\t242\t3\t881250949\n186\t302\t3\t891717742\n", "'user', 'item', 'value', 'time'"),
        ("1::1193::5::978300760\n", "'user', 'item', 'value', 'time'"),
        ("ann,tea,2024-01-03\nbob,jam,2024-01-04\n", "'user', 'item', 'time'"),
        ("2024-01-03;ann;tea\n2024-01-03;bob;jam\n", "'time', 'user', 'item'"),
        ("1,1\n1,2\n", "'user', 'item'"),
        ("1 1 1\n1 2 1\n", "'user', 'item', 'value'"),
        ("12,3455,3452,pv,1511544070\n13,345,34,buy,1511544071\n", "'user', 'item', 'column3', 'column4', 'time'"),
    ])  # fmt: skip
    def test_it_is_seen_and_the_remedy_works(self, text, names):
        Path("log.dat").write_text(text)
        with pytest.raises(DataError, match=r"log.dat has no header: its first line looks like data") as caught:
            vt.read_interactions("log.dat")
        assert f"header=False, columns=[{names}]" in str(caught.value)
        columns = [name.strip("' ") for name in names.split(",")]
        data = vt.read_interactions("log.dat", header=False, columns=columns)
        assert data.n_events == text.count("\n")
        assert (data.events.times is None) == ("time" not in columns)

    def test_text_alone_can_be_a_header(self):
        Path("log.csv").write_text("ann,tea\nbob,jam\n")
        with pytest.raises(DataError, match=r"If its first line is data, not names: header=False, columns=\['user', 'item'\]"):
            vt.read_interactions("log.csv")

    def test_a_separator_that_divides_nothing_is_told_the_one_that_does(self):
        Path("log.csv").write_text("user_id,item_id\nann,tea\n")
        with pytest.raises(DataError, match=r"not divided by '\|': its first line is 'user_id,item_id'.*separator=','"):
            vt.read_interactions("log.csv", separator="|")

    def test_an_item_table_without_a_header_of_words_is_told_what_to_write_above(self):
        Path("log.csv").write_text("user_id,item_id\nann,tea\n")
        Path("items.csv").write_text("tea,Green tea,drinks\njam,Plum jam,food\n")
        with pytest.raises(DataError, match=r"If its first line is data, .* above it: 'item_id,column2,column3'\."):
            vt.read_interactions("log.csv", items="items.csv")

    @pytest.mark.parametrize("above", ["Report of sales\n\n", "Sales\n2024\n"])
    def test_lines_above_the_header_are_told(self, above):
        Path("log.csv").write_text(above + "user_id;item_id\nann;tea\n")
        with pytest.raises(
            DataError, match=rf"the first line '{above.split()[0]}.*', one field, and 2 fields below\. Take away what is above"
        ):
            vt.read_interactions("log.csv")

    def test_who_names_another_column_has_seen_a_header(self):
        Path("log.csv").write_text("user_id,item_id,weight\nann,tea,2\n")
        with pytest.raises(DataError, match=r"with weight='weight'\. Its columns: user_id, item_id, weight\.$"):
            vt.read_interactions("log.csv", weight="wieght")

    def test_numbers_may_name_columns(self):
        Path("log.csv").write_text("user_id,item_id,2019\nann,tea,3\n")
        assert vt.read_interactions("log.csv").n_events == 1

    def test_rows_and_lines_count_from_the_first(self):
        Path("log.csv").write_text("ann,tea\n,jam\nbob,jam,9\n")
        with pytest.raises(DataError, match=r"row 3 \(line 3\) has 3 fields where there are names for 2"):
            vt.read_interactions("log.csv", columns=["user", "item"])
        Path("log.csv").write_text("ann,tea\n,jam\n")
        with pytest.raises(DataError, match=r"'user' must hold an id in each row, but is empty in row 2 \(line 2\)"):
            vt.read_interactions("log.csv", columns=["user", "item"])

    @pytest.mark.parametrize(("options", "said"), [
        ({"header": False}, r"columns=\['user', 'item', 'time'\]"), ({"columns": ["a", "b"]}, "each of its 3 fields"),
        ({"columns": ["who", "what", "when"], "user": "who", "item": "what"}, "has a header"),
    ])  # fmt: skip
    def test_names_that_do_not_fit(self, options, said):
        Path("log.csv").write_text("who,what,when\nann,tea,2024-01-01\n" if "who" in options.get("columns", ()) else "ann,tea,2024-01-01\n")
        with pytest.raises(DataError, match=said):
            vt.read_interactions("log.csv", **options)

    def test_a_table_without_one(self):
        Path("goods.dat").write_text("11::Tea::a|b\n12::Jam::b\n")
        write("log.csv", delimited(","))
        with pytest.raises(DataError, match=r"goods.dat has no header.*'item_id::column2::column3'"):
            vt.read_interactions("log.csv", items="goods.dat")


@pytest.mark.parametrize(("source", "options", "said"), [
    (LOG, {"separator": ";"}, "'separator' is for delimited text, and the table is a table in memory"),
    (LOG, {"columns": ["a"]}, "'header' is for delimited text"), (LOG, {"encoding": "cp1251"}, "An 'encoding' is for text files"),
    ("log.csv", {"encoding": "cp12"}, "no encoding 'cp12'"), ("log.csv", {"encoding": "base64"}, "no encoding 'base64'"),
    ("log.csv", {"separator": ""}, "'separator' must be"), ("log.csv", {"columns": ["a", "a"]}, "distinct"),
    ("log.csv", {"header": True, "columns": ["a", "b"]}, "header is true"),
])  # fmt: skip
def test_options_that_can_not_be_followed(source, options, said):
    write("log.csv", delimited(","))
    with pytest.raises(ParameterError, match=said):
        vt.read_interactions(source, **options)


class TestLinesAbove:
    """What programs write above the columns, or beside the separators."""

    @pytest.mark.parametrize("above", ["% bip\n", "# made by\n# hand\n", "sep=;\n", '"sep=;"\n'])
    @pytest.mark.parametrize("header", [True, False])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    def test_they_are_left_out_and_lines_count_on(self, above, header, encoding):
        options = {} if header else {"columns": NAMES}
        write("log.csv", above + delimited(";", header=header), encoding)
        data = vt.read_interactions("log.csv", **options)
        assert data.fingerprint == EXPECTED
        assert f"{above.count(chr(10))} line" in data.steps[0].note
        write("log.csv", above + delimited(";", header=header) + ";11;1;1700000000\n", encoding)
        with pytest.raises(DataError, match=rf"is empty in row 6 \(line {6 + header + above.count(chr(10))}\)"):
            vt.read_interactions("log.csv", **options)

    def test_blanks_after_each_separator(self):
        assert fingerprint(write("log.csv", delimited(", "))) == EXPECTED
        write("log.csv", "user_id,item_id\nann,tea\nbob, tea\n")
        assert vt.read_interactions("log.csv").items.ids.to_list() == ["tea", " tea"]

    def test_quoted_fields_between_blanks(self):
        write("log.txt", '"user_id" "item_id"\n"ann" "green tea"\n"bob" "say ""hi"""\n')
        assert vt.read_interactions("log.txt").items.ids.to_list() == ["green tea", 'say "hi"']

    def test_lists_of_items_for_each_user(self):
        with pytest.raises(DataError, match="lists of items for each user"):
            vt.read_interactions(write("train.txt", "0 1 2 3\n1 4 5\n2 1\n"))

    def test_parts_of_a_file_that_was_cut(self):
        text = delimited(",").splitlines(keepends=True)
        write("part1.csv", "".join(text[:3]))
        write("part2.csv", "".join(text[3:]))
        with pytest.raises(DataError, match=r"part2.csv has no header.*Put the first line of part1.csv above it"):
            vt.read_interactions("part*.csv")


class TestOrder:
    FRAME = pl.DataFrame({"user_id": ["a"] * 4, "item_id": list("wxyz"), "timestamp": [5, 5, 5, 1], "line": [30, 4, 100, 7]})

    @pytest.mark.parametrize("form", [pl.Int64, pl.Float64, pl.String, pl.Date])
    def test_equal_times_are_in_its_order(self, form):
        frame = self.FRAME.with_columns(pl.col("line").cast(form) if form != pl.Date else (pl.col("line") + 20_000).cast(pl.Date))
        data = vt.read_interactions(frame, time_unit="step", order_by="line")
        assert data.items.decode(data.events.items).to_list() == ["z", "x", "w", "y"]

    def test_dates_as_text_and_chunks(self, monkeypatch):
        monkeypatch.setattr(sources, "CHUNK", 2)
        frame = self.FRAME.with_columns(line=pl.Series(["2024-03-01", "2024-01-01", "2024-03-02", "2024-01-01"]))
        data = vt.read_interactions(frame, time_unit="step", order_by="line")
        assert data.items.decode(data.events.items).to_list() == ["z", "x", "w", "y"]

    def test_without_it_and_without_times(self):
        data = vt.read_interactions(self.FRAME, time_unit="step")
        assert data.items.decode(data.events.items).to_list() == ["z", "w", "x", "y"]
        data = vt.read_interactions(self.FRAME.drop("timestamp"), order_by="line")
        assert data.items.decode(data.events.items).to_list() == ["x", "z", "w", "y"]

    def test_all_columns_follow(self):
        frame = self.FRAME.with_columns(value=pl.Series([3.0, 1, 4, 2]), basket_id=pl.Series(["p", "q", "p", "q"]))
        data = vt.read_interactions(frame, time_unit="step", order_by="line")
        assert data.events.values.tolist() == [2, 1, 3, 4]
        assert data.events.baskets.tolist() == [0, 0, 1, 1]

    def test_what_is_no_order(self):
        with pytest.raises(DataError, match="'line' must hold"):
            vt.read_interactions(self.FRAME.with_columns(line=pl.lit("soon")), time_unit="step", order_by="line")
        with pytest.raises(DataError, match="no column 'lin' for the order_by"):
            vt.read_interactions(self.FRAME, order_by="lin")


class TestTables:
    def read(self, text, **options):
        Path("goods.csv").write_text(text)
        return vt.read_interactions(LOG[:3], items="goods.csv", **options)

    def test_small_numbers_and_codes(self):
        table = self.read("item_id,a,b,c\n11,1e-05,.5,007\n12,-2E3,+1,8\n").item_table
        assert table.kinds == {"a": "number", "b": "number", "c": "category"}
        assert table.frame["a"].to_list() == [1e-05, -2000.0]
        assert table.frame["c"].to_list() == ["007", "8"]

    @pytest.mark.parametrize("word", ["NaN", "nan", "inf", "-Infinity"])
    def test_no_number_among_numbers(self, word):
        with pytest.raises(DataError, match=rf"goods.csv: the column 'a' must hold finite numbers. It holds '{word}' in row 2"):
            self.read(f"item_id,a\n11,1\n12,{word}\n")
        assert self.read(f"item_id,a\n11,1\n12,{word}\n", item_kinds={"a": "category"}).item_table.kinds == {"a": "category"}

    def test_bars_are_categories_where_the_column_agrees(self):
        data = self.read("item_id,genres,slogan\n11,war|drama,Hot | cold\n12,drama,Red\n")
        assert data.item_table.frame["genres"].to_list() == [["war", "drama"], ["drama"]]
        assert data.item_table.kinds == {"genres": "categories", "slogan": "category"}
        assert "Column 'genres' was read as several categories a row" in data.steps[0].note
        whole = self.read("item_id,genres\n11,war|drama\n12,drama\n", item_kinds={"genres": "category"})
        assert whole.item_table.frame["genres"].to_list() == ["war|drama", "drama"]

    def test_lists_of_json(self):
        lines = '{"item_id": 11, "tags": ["a", "b"], "price": 2.5}\n{"item_id": 12, "tags": [], "price": 3}\n'
        Path("goods.jsonl").write_text(lines)
        table = vt.read_interactions(LOG[:3], items="goods.jsonl").item_table
        assert table.kinds == {"tags": "categories", "price": "number"}
        assert table.frame["tags"].to_list() == [["a", "b"], []]

    def test_another_encoding(self):
        Path("goods.csv").write_bytes("item_id,title\n11,Чай\n12,Сыр\n".encode("cp1251"))
        data = vt.read_interactions(LOG[:3], items="goods.csv", encoding="cp1251")
        assert data.titles([0, 1]) == ["Чай", "Сыр"]
        with pytest.raises(DataError, match=r"Чай.*encoding='cp1251'"):
            vt.read_interactions(LOG[:3], items="goods.csv")


WORDS = st.text(st.sampled_from("аявкab1|:' "), min_size=1, max_size=6).map(str.strip).filter(bool)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=12),
    st.sampled_from([",", "\t", ";"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_any_ids_come_through(tmp_path_factory, events, separator, end, quoted):
    folder = tmp_path_factory.mktemp("log")
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerows([("user_id", "item_id"), *events])
    (folder / "log.csv").write_bytes(file.getvalue().encode("cp1251"))
    (folder / "log.jsonl").write_text("".join(json.dumps({"user_id": u, "item_id": i}) + "\n" for u, i in events))
    expected = fingerprint(pl.DataFrame(events, schema=["user_id", "item_id"], orient="row").cast(pl.String))
    data = [vt.read_interactions(folder / name, encoding="cp1251") for name in ("log.csv", "log.jsonl")]
    assert data[0].fingerprint == data[1].fingerprint
    if data[0].users.ids.dtype == data[0].items.ids.dtype == pl.String:
        assert data[0].fingerprint == expected


def test_large_files_are_copied_in_blocks(monkeypatch):
    monkeypatch.setattr("vitrina.data.read.streams.BLOCK", 7)  # letters and line ends are cut in two
    write("log.dat", delimited("::", end="\r\n"), "utf-16")
    assert fingerprint("log.dat") == EXPECTED
    write("log.csv", "user_id,item_id\nЗоя,чай\nПётр,сыр\n", "cp1251")
    assert vt.read_interactions("log.csv", encoding="cp1251").items.ids.to_list() == ["чай", "сыр"]
