"""Numbers as strangers write them, in logs and in tables."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.errors import DataError, ParameterError
from vitrina.data.read import sources

LOG = pl.DataFrame({"user_id": ["a", "b"], "item_id": ["tea", "jam"]})


@pytest.fixture(autouse=True)
def inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(values, **options):
    """Values in the order of the rows."""
    frame = pl.DataFrame({"user_id": ["a"] * len(values), "item_id": range(len(values)), "value": values})
    data = vt.read_interactions(frame, **options)
    return data.frame().sort("item_id")["value"].to_list(), data.steps[0].note


def complaint(values, **options):
    with pytest.raises(DataError) as caught:
        read(values, **options)
    return str(caught.value)


@pytest.mark.parametrize(("texts", "meant"), [
    (["1e-05", ".5", "+2", " 3 ", "4."], [1e-05, 0.5, 2.0, 3.0, 4.0]),
    (["1 234,50", "12,5", "7"], [1234.5, 12.5, 7.0]),
    (["1.234,50", "1.000"], [1234.5, 1000.0]),
    (["1,234.50", "1,000"], [1234.5, 1000.0]),
    (["1'234.5"], [1234.5]),
    (["1\u00a0234\u202f567,25"], [1234567.25]),
    (["0,500", "1,250"], [0.5, 1.25]),
    (["-1,5e3"], [-1500.0]),
    (["1 234"], [1234.0]),
])  # fmt: skip
def test_a_column_that_agrees(texts, meant):
    for column in (texts, pl.Series(texts, dtype=pl.Categorical)):
        assert read(column)[0] == pytest.approx(meant)


def test_weights_are_read_as_values_are():
    frame = pl.DataFrame({"user_id": ["a"] * 3, "item_id": [0, 1, 2], "w": ["1,5", "-0,25", "1.000"]})
    data = vt.read_interactions(frame, weight="w")
    assert data.events.weights.tolist() == [1.5, -0.25, 1000.0]
    assert "Column 'w' holds numbers with a decimal comma" in data.steps[0].note
    with pytest.raises(DataError, match=r"'w' must hold numbers, .* or name another column with weight='\.\.\.'\."):
        vt.read_interactions(frame.with_columns(w=pl.lit("heavy")), weight="w")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=8),
    st.sampled_from([(",", "."), (".", ","), (",", " "), (".", "'")]),
    st.integers(1, 3),
)
def test_cents_are_read_exactly_or_asked_about(cents, signs, chunk):
    decimal, group = signs
    texts = [f"{c / 100:,.2f}".replace(",", "_").replace(".", decimal).replace("_", group) for c in cents]
    meant = pytest.approx([c / 100 for c in cents])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "CHUNK", chunk)
        assert read(texts)[0] == meant  # two decimals are never a group of thousands
        assert read(texts, decimal=decimal)[0] == meant


def test_thousands_or_thousandths_is_asked():
    message = complaint(["1,234", "5,678"])
    assert 'numbers like \'1,234\', which is 1234.0 with decimal="." and 1.234 with decimal=",". Give the right one.' in message
    assert read(["1,234"], decimal=",")[0] == [pytest.approx(1.234)]
    assert read(["1,234"], decimal=".")[0] == [1234.0]
    assert read(["1.234"], decimal=",")[0] == [1234.0]


def test_the_whole_column_decides_also_for_other_chunks(monkeypatch):
    monkeypatch.setattr(sources, "CHUNK", 2)
    assert read(["1", "2", "3", "4,5"])[0] == [1, 2, 3, 4.5]
    assert read(["1,234", "2,345", "3,456", "0,5"])[0] == pytest.approx([1.234, 2.345, 3.456, 0.5])
    assert "Give the right one" in complaint(["1.234", "2.345", "3,5"])  # the first were read as fractions already


def test_what_was_decided_is_said():
    assert read(["1,5"])[1] == "Column 'value' holds numbers with a decimal comma: '1,5' was read as 1.5 (decimal=\",\")."
    assert read(["1,5"], decimal=",")[1] == ""
    assert read(["1.5"])[1] == ""


def test_points_and_commas_in_one_column():
    message = complaint(["1.5", "2,5"])
    assert "mixes decimal points ('1.5') and decimal commas ('2,5')" in message
    assert read(["1.5", "2,5"], decimal=",", on_bad_row="quarantine")[0] == [2.5]
    assert "hold numbers with a decimal comma, but holds text ('1.5')" in complaint(["1.5", "2,5"], decimal=",")


def test_all_rows_text():
    for rule in ("error", "quarantine"):
        message = complaint(["good", "bad"], on_bad_row=rule)
        assert "name another column with value='...'" in message
        assert "quarantine" not in message


@pytest.mark.parametrize("word", ["NaN", "inf", "-Infinity"])
def test_no_number_beside_commas(word):
    assert "is NaN or infinite in row 2" in complaint(["1,5", word])


def test_other_signs_are_refused():
    with pytest.raises(ParameterError, match="The 'decimal' must be"):
        read(["1"], decimal=";")


class TestTables:
    def table(self, prices, **options):
        pl.DataFrame({"item_id": ["tea", "jam"], "price": prices}).write_csv("goods.csv")
        return vt.read_interactions(LOG, items="goods.csv", **options)

    @pytest.mark.parametrize(("prices", "meant"), [
        (["1e-05", ".5"], [1e-05, 0.5]), (["1 234,50", "3"], [1234.5, 3.0]), (["1,234.5", None], [1234.5, None]), ([" 7", "+8"], [7.0, 8.0]),
    ])  # fmt: skip
    def test_numbers_as_text(self, prices, meant):
        data = self.table(prices)
        assert data.item_table.kinds["price"] == "number"
        assert data.item_table.frame["price"].to_list() == meant

    def test_a_decimal_comma_is_said(self):
        assert "Column 'price' holds numbers with a decimal comma: '1,5' was read as 1.5" in self.table(["1,5", "2,25"]).steps[0].note

    def test_declared_numbers_of_a_typed_table(self):
        table = pl.DataFrame({"item_id": ["tea", "jam"], "price": ["1,5", "2"]})
        data = vt.read_interactions(LOG, items=table, item_kinds={"price": "number"})
        assert data.item_table.frame["price"].to_list() == [1.5, 2.0]
        assert vt.read_interactions(LOG, items=table).item_table.kinds["price"] == "category"

    @pytest.mark.parametrize("word", ["NaN", "nan", "inf", "-inf", "Infinity", "NA", "null"])
    def test_no_number_among_numbers_is_refused(self, word):
        with pytest.raises(DataError, match=rf"goods.csv: the column 'price' must hold finite numbers. It holds '{word}' in row 2"):
            self.table(["1.5", word])
        kept = self.table(["1.5", word], item_kinds={"price": "category"})
        assert kept.item_table.frame["price"].to_list() == ["1.5", word]

    def test_words_stay_words(self):
        assert self.table(["10", "XL"]).item_table.kinds["price"] == "category"
        assert self.table(["NaN", "nan"]).item_table.kinds["price"] == "category"

    def test_doubt_is_asked_and_settled(self):
        with pytest.raises(DataError, match=r"goods.csv: the column 'price' holds numbers like '1,234'"):
            self.table(["1,234", "2,345"])
        assert self.table(["1,234", "2,345"], decimal=".").item_table.frame["price"].to_list() == [1234.0, 2345.0]
        assert self.table(["1.5", "2.25"], decimal=",").item_table.frame["price"].to_list() == [1.5, 2.25]  # no doubt

    def test_points_and_commas(self):
        with pytest.raises(DataError, match=r"mixes decimal points \('1.5'\) and decimal commas \('2,5'\)"):
            self.table(["1.5", "2,5"])
