"""Text that is not UTF-8: its words read in the right encoding come first, and no advice makes nonsense of them."""

from pathlib import Path

import pytest

import vitrina as vt
from vitrina.base.errors import DataError
from vitrina.data.read.encodings import candidates

SAMPLES = {
    ("cp1251", "koi8-r", "cp866"): ["Москва чай Чёрный хлеб", "МОСКВА ХЛЕБ МОЛОКО", "Санкт-Петербург", "Привет"],
    ("cp1251",): ["Київ їжа Львів"], ("cp1252",): ["größe Müller Straße", "José", "crème brûlée d’été", "São João"],
    ("cp1250",): ["żółć łódź Kraków", "Příliš žluťoučký kůň"], ("cp1253",): ["Αθήνα καφές ψωμί"], ("cp1254",): ["şeker çay ığdır"],
    ("cp1255",): ["חלב לחם קפה"], ("cp1256",): ["حليب خبز قهوة"], ("shift_jis", "euc_jp"): ["ソニー 東京 コーヒー"],
    ("gbk",): ["上海 牛奶 水果 咖啡"], ("big5",): ["臺灣 牛奶 麵包"], ("euc_kr",): ["서울 우유 커피 빵"], ("cp850",): ["größe Müller"],
}  # fmt: skip
CASES = [(encoding, text) for encodings, texts in SAMPLES.items() for encoding in encodings for text in texts]


@pytest.mark.parametrize(("encoding", "text"), CASES)
def test_the_first_candidate_is_right(encoding, text, tmp_path):
    words = [word for word in text.split() if not word.isascii()]
    found = candidates(word.encode(encoding) for word in words)
    assert found[0].words == tuple(words)
    assert found[0].encoding == encoding
    assert len(found) <= 4
    path = tmp_path / "log.csv"
    path.write_bytes(("user_id,item_id\n" + "".join(f"{k},{word}\n" for k, word in enumerate(text.split()))).encode(encoding))
    with pytest.raises(DataError) as caught:
        vt.read_interactions(path)
    message = str(caught.value)
    assert f"for example encoding={encoding!r}" in message
    assert words[0].partition("-")[0] in message
    assert vt.read_interactions(path, encoding=encoding).items.ids.to_list() == text.split()


def test_utf16_without_a_mark(tmp_path):
    path = tmp_path / "log.csv"
    for encoding in ("utf-16-le", "utf-16-be"):
        path.write_bytes("user_id,item_id\nann,чай\n".encode(encoding))
        with pytest.raises(DataError, match=rf"In {encoding} it begins with 'user_id,item_id': read it with encoding='{encoding}'"):
            vt.read_interactions(path)
        assert vt.read_interactions(path, encoding=encoding).items.ids.to_list() == ["чай"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_mark_is_enough(tmp_path, encoding):
    path = tmp_path / "log.csv"
    path.write_bytes("user_id,item_id\nann,чай\n".encode(encoding))
    data = vt.read_interactions(path)
    assert data.items.ids.to_list() == ["чай"]
    assert ("was read as utf" in data.steps[0].note) == (encoding != "utf-8-sig")


def test_some_damaged_rows_are_no_other_encoding(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes("user_id,item_id\nann,чай\nbob,сыр\n".encode() + b"cat,\xd1\n")
    with pytest.raises(DataError, match=r"Other rows are UTF-8 \(чай\), so these are damaged.*quarantine"):
        vt.read_interactions(path)
    data = vt.read_interactions(path, on_bad_row="quarantine", bad_rows_path=tmp_path / "bad.csv")
    assert data.items.ids.to_list() == ["чай", "сыр"]


def test_utf8_stays_utf8_whatever_is_said(tmp_path):
    for name, encoding in (("a.csv", "cp1251"), ("b.csv", "utf-8")):
        (tmp_path / name).write_bytes("user_id,item_id\nЗоя,чай\n".encode(encoding))
    data = vt.read_interactions([tmp_path / "a.csv", tmp_path / "b.csv"], encoding="cp1251")
    assert data.items.ids.to_list() == ["чай"]
    assert data.users.ids.to_list() == ["Зоя"]


def test_bytes_that_the_named_encoding_lacks_are_bad_rows(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"user_id,item_id\nann,caf\xe9\nbob,\x9d\n")
    with pytest.raises(DataError, match=r"row 2 \(line 3\) holds bytes that are not CP1252"):
        vt.read_interactions(path, encoding="cp1252")
    data = vt.read_interactions(path, encoding="cp1252", on_bad_row="quarantine", bad_rows_path=tmp_path / "bad.csv")
    assert data.items.ids.to_list() == ["café"]
    assert "bob" in Path(tmp_path / "bad.csv").read_text()


def test_a_zstd_file_has_to_be_opened_first(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    path = tmp_path / "log.csv.zst"
    with arrow.CompressedOutputStream(arrow.OSFile(str(path), "wb"), "zstd") as file:
        file.write("user_id,item_id\nann,чай\n".encode("cp1251"))
    with pytest.raises(DataError, match="Decompress it, for example with zstd -d"):
        vt.read_interactions(path)
