"""What an id is: the one rule of logs, tables, candidates, histories, published splits and lists of ids.

Two ids are one where their texts are equal:

- a whole number of any type (integer, decimal, float) is its digits: 7, 7.0 and Decimal("7.00") are "7";
- text is itself, to the letter: "07", " 7" and "a" are neither "7" nor "A". But the text of a whole number with a zero fraction, "7.0", is "7":
  so a column of numbers is written where one of them is missing;
- true and false, fractions, NaN, infinities, moments and floats too large to count in ones are no ids.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from re import sub
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import ParameterError

ZERO_FRACTION = r"^(0|-?[1-9][0-9]*)\.0+$"
EXACT = {pl.Float16: 2**11, pl.Float32: 2**24, pl.Float64: 2**53}  # below these floats count in ones
FEW = 1 << 16  # ids that are looked at one by one: an expression of Polars waits for threads that a process made by fork doesn't have
ALIKE = "blanks, case, leading zeros or the way a number is written"


def id_texts(ids: Iterable[Any] | pl.Series) -> pl.Series:
    """(ids,) the text that each id is compared by; null for what is no id.

    Cost: a pass over a typed series; about a microsecond per id of a list.

    >>> id_texts([7, "7", 7.0, "7.0", "07", 7.5, True, None]).to_list()
    ['7', '7', '7', '7', '07', None, None, None]
    """
    return without_zero_fraction(as_written(ids))


def id_text(id: Any) -> str | None:
    """The text of one id, as `id_texts` has it; None for what is none.

    Cost: less than a microsecond.

    >>> id_text("7.0"), id_text(7), id_text(True)
    ('7', '7', None)
    """
    text = _text_of(id)
    return sub(ZERO_FRACTION, r"\1", text) if text is not None and text.endswith("0") and "." in text else text


def as_written(ids: Iterable[Any] | pl.Series) -> pl.Series:
    """The same, with text exactly as it is."""
    series = ids if isinstance(ids, pl.Series) else _series(listed(ids))
    kind = series.dtype
    if kind == pl.String:
        return series
    if kind.is_integer() or kind == pl.Categorical or isinstance(kind, pl.Enum):
        return series.cast(pl.String)
    if kind.is_float():
        exact = (series.abs() < EXACT[type(kind)]) & (series == series.round())
        return series.cast(pl.Int64, strict=False).zip_with(exact.fill_null(value=False), _nothing(series, pl.Int64)).cast(pl.String)
    if kind.is_decimal():
        text = without_zero_fraction(series.cast(pl.String))
        return text.zip_with(~text.str.contains(".", literal=True), _nothing(series, pl.String))
    if kind == pl.Object:
        return pl.Series(series.name, [_text_of(value) for value in series], dtype=pl.String)
    return _nothing(series, pl.String)


def listed(ids: Any) -> pl.Series | NDArray[Any] | list[Any]:
    """Ids that a caller gave, to be gone through more than once: a series, an array of numbers, or a list.

    Raises:
        ParameterError: they are one id, or a text that would be taken letter by letter.
    """
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
        raise ParameterError(f"Ids are given as a list. Got {ids!r}; write [{ids!r}].")
    if hasattr(ids, "columns"):
        raise ParameterError(f"Ids are given as a list, and a table is none: table['column'] is one. Got a {type(ids).__name__}.")
    if isinstance(ids, pl.Series) or (isinstance(ids, np.ndarray) and ids.dtype.kind in "iufb"):
        return ids
    return list(ids)


def as_given(ids: Any) -> pl.Series:
    """Ids to be shown as they were given: of one type where they are, each as its own text where types are mixed.

    >>> as_given([True, 1, "a"]).to_list()
    ['True', '1', 'a']
    """
    given = listed(ids)
    if not isinstance(given, list):
        return pl.Series(given)
    mixed = len({type(value) for value in given if value is not None}) > 1
    return pl.Series([None if value is None else str(value) for value in given] if mixed else given)


def without_zero_fraction(text: pl.Series) -> pl.Series:
    """The text with "7.0" as "7"; the very same series where there is none.

    >>> without_zero_fraction(pl.Series(["7.0", "07.0", "7.50", "v1.0"])).to_list()
    ['7', '07.0', '7.50', 'v1.0']
    """
    if len(text) <= FEW:
        texts = text.to_list()
        plain = [sub(ZERO_FRACTION, r"\1", value) if value and value.endswith("0") else value for value in texts]
        return text if plain == texts else pl.Series(text.name, plain, dtype=pl.String)
    ending = text.str.ends_with("0")
    if not text.filter(ending).str.contains(ZERO_FRACTION).any():
        return text
    return text.str.replace(ZERO_FRACTION, "${1}")


def whole_numbers(text: pl.Series) -> pl.Series:
    """(ids,) the int64 that an id's text is the one way to write; null for others.

    >>> whole_numbers(pl.Series(["7", "07", "x", str(2**63)])).to_list()
    [7, None, None, None]
    """
    numbers = text.cast(pl.Int64, strict=False)
    return numbers.zip_with(numbers.cast(pl.String) == text, _nothing(text, pl.Int64))


class Alike(NamedTuple):
    """Ids that look like known ones and are none."""

    total: int
    id: str  # the first of them
    known: str  # what it looks like


def alike(strange: pl.Series, known: pl.Series) -> Alike | None:
    """Which of the `strange` ids differ from `known` ones only in blanks, case, leading zeros or the way a number is written.

    >>> alike(pl.Series(["X9", "00126", "Tea "]), pl.Series(["126", "tea"]))
    Alike(total=2, id='00126', known='126')
    """
    by_key = pl.DataFrame({"known": known, "key": _key(known)}).unique("key", keep="first", maintain_order=True)
    pairs = pl.DataFrame({"id": strange, "key": _key(strange)}).join(by_key, on="key", how="inner", maintain_order="left")
    pairs = pairs.filter(pl.col("id") != pl.col("known"))
    return Alike(pairs.height, pairs["id"][0], pairs["known"][0]) if pairs.height else None


def alike_among(ids: pl.Series) -> Alike | None:
    """Which of the distinct `ids` differ from an earlier one only so."""
    keys = _key(ids)
    if keys.hash().n_unique() == len(keys):
        return None
    first = keys.is_first_distinct()
    return alike(ids.filter(~first), ids.filter(first))


def _key(text: pl.Series) -> pl.Series:
    """What is left of ids when one doesn't look closely; the length keeps numbers exact."""
    ascii_only = (text.str.len_bytes() == text.str.len_chars()).all()
    plain = (text if ascii_only else text.str.normalize("NFKC")).str.strip_chars().str.to_lowercase()
    number = plain.cast(pl.Float64, strict=False) + 0.0
    short = (number.is_finite() & (plain.str.len_bytes() <= 15)).fill_null(value=False)
    return number.cast(pl.String).zip_with(short, plain.str.strip_chars_start("0"))


def _series(values: pl.Series | NDArray[Any] | list[Any]) -> pl.Series:
    """A typed series of an array of numbers or of texts; other values one by one, as a cast of mixed ones would change them."""
    if isinstance(values, np.ndarray):
        return pl.Series("id", values)
    texts = values if {type(value) for value in values} <= {str, type(None)} else [_text_of(value) for value in values]
    return pl.Series("id", texts, dtype=pl.String)


def _text_of(value: Any) -> str | None:
    """The text of one id; None where it is no id."""
    if isinstance(value, str):
        return str.__str__(value)  # of an enumeration the value, not its name
    if isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, Decimal):
        return str(int(value)) if value.is_finite() and value == value.to_integral_value() else None
    if isinstance(value, (float, np.floating)):
        return str(int(value)) if abs(value) < 2.0 ** (np.finfo(type(value)).nmant + 1) and value == int(value) else None
    return str(value) if isinstance(value, UUID) else None


def _nothing(like: pl.Series, dtype: Any) -> pl.Series:
    return pl.Series(like.name, [None], dtype=dtype).new_from_index(0, len(like))
