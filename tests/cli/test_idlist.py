"""Lists of ids in files: which line is a header, which an id."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
from pathlib import Path

import polars as pl
import pytest

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.cli.idlist import read_ids, strangers

TEXTS, NUMBERS = vt.Vocabulary.of(["tea", "milk", "7", "User", "green, tea", " oat"]), vt.Vocabulary.of([7, 8, 126])


def listed(folder: Path, body: str | bytes, name: str = "who.txt", known: vt.Vocabulary = TEXTS) -> list:
    path = folder / name
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return read_ids(path, "sku").ids(known).to_list()


@pytest.mark.parametrize("name", ["who.txt", "who.csv", "who.tsv", "who", "who.ids"])
@pytest.mark.parametrize(("body", "ids"), [
    ("tea\nmilk\n", ["tea", "milk"]),
    ("tea", ["tea"]),
    ("sku\ntea\nmilk", ["tea", "milk"]),
    ("product_id\r\ntea\r\nmilk\r\n", ["tea", "milk"]),
    ("Item ID\rtea\rtea\rmilk\r", ["tea", "milk"]),
    ("item_id:token\ntea\n", ["tea"]),
    ("\n\ntea\n\n  \nmilk\n", ["tea", "milk"]),
    ("new one\ntea\n", ["new one", "tea"]),  # an unknown first id is an id
    ("User\ntea\n", ["User", "tea"]),  # a name of a column that is an id of the log
    ("tea \n oat\n", ["tea", " oat"]),
    ("7.0\n07\n", ["7", "07"]),
    ("item:5\ntea\n", ["item:5", "tea"]),  # not the header item:token
])  # fmt: skip
def test_one_id_a_line(tmp_path, name, body, ids):
    assert listed(tmp_path, body, name) == ids
    assert listed(tmp_path, codecs.BOM_UTF8 + body.encode(), name) == ids
    assert listed(tmp_path, body.encode("utf-16"), name) == ids


@pytest.mark.parametrize("name", ["who.txt", "who.csv"])
def test_among_numbers_a_word_is_a_header_and_is_said(tmp_path, name, capsys):
    assert listed(tmp_path, "7\n8", name, NUMBERS) == [7, 8]
    assert listed(tmp_path, "9\n8", name, NUMBERS) == [9, 8]
    assert capsys.readouterr().err == ""
    assert listed(tmp_path, "Kunde\n7\n8", name, NUMBERS) == [7, 8]
    assert "'Kunde', was taken as the name of its column" in " ".join(capsys.readouterr().err.split())
    assert listed(tmp_path, "X9\n7\nX8", name, NUMBERS) == ["X9", "7", "X8"]
    assert listed(tmp_path, "X9\n7", name) == ["X9", "7"]  # where ids are texts, it may be one


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst"])
@pytest.mark.parametrize("name", ["who.txt", "who.csv"])
def test_a_compressed_list_is_read_as_what_is_in_it(tmp_path, name, ending):
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd}[ending]
    assert listed(tmp_path, pack(b"tea\nmilk\n"), f"{name}.{ending}") == ["tea", "milk"]
    assert listed(tmp_path, pack(b"\xef\xbb\xbfrank;sku\n1;tea\n"), f"{name}.{ending}") == ["tea"]
    cut = pack(b"\n".join(b"%d" % (7**n) for n in range(200)))
    with pytest.raises(DataError, match=rf"{name}.{ending} is cut off or damaged"):
        listed(tmp_path, cut[: len(cut) // 2], f"{name}.{ending}")


def zstd(body: bytes) -> bytes:
    packed = io.BytesIO()
    pl.DataFrame({"line": body.decode().split("\n")}).write_csv(packed, include_header=False, quote_style="never", compression="zstd")
    return packed.getvalue()


def test_ids_that_need_quotes(tmp_path):
    assert listed(tmp_path, '"green, tea"\ntea\n', "who.csv") == ["green, tea", "tea"]
    assert listed(tmp_path, "green, tea\ntea\n", "who.txt") == ["green, tea", "tea"]
    with pytest.raises(DataError, match=r"2 fields in row 2 and one above. Put ids that hold ',' in double quotes"):
        listed(tmp_path, "tea\ngreen, tea\n", "who.csv")


def test_tables_have_the_named_column(tmp_path):
    for name in ("who.csv", "who.txt"):
        assert listed(tmp_path, "rank;sku\n1;tea\n2;milk\n2;\n", name) == ["tea", "milk"]
    with pytest.raises(DataError, match=r"has no column 'sku'\. Its columns: rank, item"):
        listed(tmp_path, "rank,item\n1,tea\n", "who.csv")


def test_typed_tables(tmp_path):
    path = tmp_path / "who.parquet"
    pl.DataFrame({"sku": [7.0, None, 126.0, 7.0], "x": [1, 2, 3, 4]}).write_parquet(path)
    assert read_ids(path, "sku").ids(NUMBERS).to_list() == [7, 126]
    pl.DataFrame({"any": ["7", "sku"]}).write_parquet(path)
    assert read_ids(path, "sku").ids(NUMBERS).to_list() == ["7", "sku"]
    for wrong, said in (([1.5], "a number with a fraction"), ([True], "true or false"), ([None], "holds no ids")):
        pl.DataFrame({"sku": wrong}).write_parquet(path)
        with pytest.raises(DataError, match=said):
            read_ids(path, "sku").ids(NUMBERS)


@pytest.mark.parametrize(("body", "said"), [("", "holds no ids"), ("sku\n", "holds no ids"), ("чай\n".encode("cp1251"), "no UTF-8 text")])
def test_files_without_ids(tmp_path, body, said):
    for name in ("who.txt", "who.csv"):
        with pytest.raises(DataError, match=said):
            listed(tmp_path, body, name)
    with pytest.raises(DataError, match="There is no file"):
        read_ids(tmp_path / "nothing.txt", "sku")


def test_what_is_unknown_is_named():
    said = strangers(pl.Series([7, "00126", "X"], dtype=pl.Object), pl.Series([False, True, True]).to_numpy(), NUMBERS)
    assert said.startswith("(the first is '00126'). '00126' looks like '126' but for")
    assert strangers(pl.Series([9]), pl.Series([True]).to_numpy(), NUMBERS) == "(the first is '9')."
