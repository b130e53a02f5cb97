"""The rule of ids, against a slow reading of it in plain Python."""

import re
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vitrina as vt
from vitrina.base.errors import ParameterError
from vitrina.base.ids import alike, alike_among, id_texts, whole_numbers

WRITTEN = st.sampled_from(
    ["7", "7.0", "07", "-3.00", "0.0", "00.0", "1.50", "v1.0", " 7", "7 ", "+7", "7.", "1e3", "inf", "nan", "", str(2**70)]
)
DECIMALS = st.decimals(allow_nan=True, allow_infinity=True, min_value=-1000, max_value=1000, places=1)
ANY_ID = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.integers(-9, 9), st.floats(), st.integers(-9, 9).map(float),
    st.text(max_size=3), WRITTEN, st.sampled_from([Decimal("7"), Decimal("7.00"), Decimal("7.5"), Decimal("NaN"), Decimal("Infinity")]),
    st.sampled_from([np.int8(7), np.float32(7), np.float32(2**24), np.bool_(True), np.str_("7"), b"7", UUID(int=7)]),
)  # fmt: skip


def by_hand(value):
    if isinstance(value, str):
        return value.split(".")[0] if re.fullmatch(r"(0|-?[1-9][0-9]*)\.0+", str(value)) else str(value)
    if isinstance(value, UUID):
        return "00000000-0000-0000-0000-000000000007"
    if value is None or isinstance(value, (bool, np.bool_, bytes)):
        return None
    if isinstance(value, (float, np.floating)) and not abs(value) < (2**24 if isinstance(value, np.float32) else 2**53):
        return None  # NaN too
    if isinstance(value, Decimal) and not value.is_finite():
        return None
    exact = Fraction(value if isinstance(value, Decimal) else value.item() if isinstance(value, np.generic) else value)
    return str(exact.numerator) if exact.denominator == 1 else None


@settings(max_examples=300, deadline=None)
@given(st.lists(ANY_ID, max_size=12))
def test_mixed_ids_go_through_the_rule_one_by_one(values):
    wanted = [by_hand(value) for value in values]
    assert id_texts(values).to_list() == wanted
    assert id_texts(pl.Series(values, dtype=pl.Object)).to_list() == wanted


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(), st.integers(-(2**54), 2**54).map(float)), max_size=12))
def test_columns_of_numbers_follow_the_rule(values):
    assert id_texts(pl.Series(values, dtype=pl.Float64)).to_list() == [by_hand(v) for v in values]
    with np.errstate(over="ignore"):
        short = np.array([v for v in values if v is not None], np.float32)
    assert id_texts(short).to_list() == id_texts(pl.Series(short)).to_list() == [by_hand(v) for v in short]


def test_columns_of_other_types():
    decimals = [Decimal("7.00"), Decimal("7.50"), None, Decimal(2**63)]
    assert id_texts(pl.Series(decimals)).to_list() == ["7", None, None, str(2**63)]
    assert id_texts(pl.Series([2**64 - 1, None], dtype=pl.UInt64)).to_list() == [str(2**64 - 1), None]
    assert id_texts(pl.Series([2**100])).to_list() == [str(2**100)]
    assert id_texts(pl.Series(["a", "7.0", None], dtype=pl.Categorical)).to_list() == ["a", "7", None]
    for no_ids in (pl.Series([True]), pl.Series([[1]]), pl.Series([b"a"]), pl.Series([None]), pl.Series([0]).cast(pl.Date)):
        assert id_texts(no_ids).to_list() == [None]


@settings(max_examples=200, deadline=None)
@given(st.lists(ANY_ID.filter(lambda v: by_hand(v) is not None), max_size=10), st.lists(ANY_ID, max_size=10))
def test_a_vocabulary_is_a_dictionary_of_the_texts(known, asked):
    texts = list(dict.fromkeys(by_hand(value) for value in known))
    vocabulary = vt.Vocabulary.of(known)
    assert vocabulary.ids.cast(pl.String).to_list() == texts
    assert vocabulary.encode(asked).tolist() == [texts.index(t) if (t := by_hand(v)) in texts else -1 for v in asked]
    new = [value for value in asked if by_hand(value) is not None]
    longer = vocabulary.extended(new)
    assert longer.ids.cast(pl.String).to_list() == list(dict.fromkeys([*texts, *map(by_hand, new)]))
    longer.require_compatible(vocabulary, "queries")


def test_one_id_is_no_list():
    for one in ("tea", 7, b"tea"):
        for take in (id_texts, vt.Vocabulary.of, vt.Vocabulary.of(["tea"]).encode):
            with pytest.raises(ParameterError, match="Ids are given as a list"):
                take(one)


@given(st.lists(st.one_of(WRITTEN, st.integers(-(2**64), 2**64).map(str)), max_size=9))
def test_whole_numbers_are_those_with_one_writing(texts):
    def number(text):
        return int(text) if re.fullmatch("0|-?[1-9][0-9]*", text) and -(2**63) <= int(text) < 2**63 else None

    assert whole_numbers(pl.Series(texts, dtype=pl.String)).to_list() == [number(text) for text in texts]


def test_what_looks_alike():
    known = pl.Series(["126", "tea", "100000", "é", "12345678901234567890"])
    strange = pl.Series(["00126", "TEA", " tea ", "1e5", "e\u0301", "X9", "012345678901234567890", "12345678901234567891"])
    found = alike(strange, known)
    assert found == (6, "00126", "126")
    assert alike(pl.Series(["X9", "tea"]), known) is None
    assert alike_among(pl.Series(["a", "7", "A", "07", "b"])) == (2, "A", "a")
    assert alike_among(pl.Series(["a", "b", "7"])) is None
