"""Columns of any table, up close: which values are ids, what is wrong with the others, and how messages show them."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple
from uuid import UUID

import polars as pl

from vitrina.base.errors import DataError
from vitrina.base.ids import as_written

IS_EMPTY = "is empty"
SET_ASIDE = 'Mend them, or set them aside with on_bad_row="quarantine".'


class Problem(NamedTuple):
    """Rows of one column that can't be used."""

    mask: pl.Series  # True where bad
    must: str  # "hold an id in each row"
    fault: str  # "is empty"
    example: str = ""  # the first such value, as text
    remedy: str = ""
    in_all: str = ""  # the remedy where all rows are so: setting them aside would leave nothing


class Column(NamedTuple):
    """A converted column and what is wrong with it."""

    values: pl.Series
    problems: list[Problem]


def id_text(column: pl.Series, name: str) -> Column:
    """Ids as text: text as it is, whole numbers of any type as digits (see `vitrina.base.ids`).

    Raises:
        DataError: the column's type can't be an id (dates, lists, true or false).
    """
    kind = column.dtype
    if not (kind.is_numeric() or kind in (pl.String, pl.Categorical, pl.Null, pl.Object) or isinstance(kind, pl.Enum)):
        raise DataError(f"the column {name!r} must hold ids, text or whole numbers. It holds {kind_of(kind)}.")
    text = as_written(column)
    if kind == pl.Object:
        return Column(text, _problems_of_mixed(column, text, name))
    empty = column.is_nan() | column.is_null() if kind.is_float() else column.is_null()
    problems = []
    if text.null_count() or (text == "").any():
        problems = [Problem(empty | (text.str.strip_chars() == "").fill_null(value=False), "hold an id in each row", IS_EMPTY)]
    wrong = text.is_null() & ~empty
    return Column(text, problems + _no_whole_numbers(column, wrong) if wrong.any() else problems)


def _no_whole_numbers(column: pl.Series, wrong: pl.Series) -> list[Problem]:
    """Of numbers that are no ids."""
    fraction = wrong & (column.is_finite() & (column % 1 != 0)) if column.dtype.is_float() else wrong
    kinds = {
        "is a number with a fraction": fraction,
        "is a float too large to keep every digit": wrong & ~fraction,
    }
    must = "hold text or whole numbers"
    return [Problem(mask, must, fault, shown(column.filter(mask)[0])) for fault, mask in kinds.items() if mask.any()]


def id_form(column: pl.Series, *, typed: bool) -> Literal["whole", "text", "csv"]:
    """What a source holds as ids, which decides whether they stay numbers."""
    if not typed:
        return "csv"
    if column.dtype == pl.Object:
        return _common(_types(column))
    return "whole" if column.dtype.is_numeric() else "text"


def as_text(column: pl.Series) -> pl.Series:
    """A column of categories as the text that it stands for; any other as it is."""
    return column.cast(pl.String) if column.dtype == pl.Categorical or isinstance(column.dtype, pl.Enum) else column


def _types(column: pl.Series) -> list[Literal["whole", "text"] | None]:
    """The type of each id among Python objects; None where there is none."""
    found = as_written(column).is_not_null()
    return [("text" if isinstance(v, (str, UUID)) else "whole") if is_id else None for v, is_id in zip(column, found, strict=True)]


def _common(types: list[Literal["whole", "text"] | None]) -> Literal["whole", "text"]:
    return "whole" if types.count("whole") > types.count("text") else "text"


def _problems_of_mixed(column: pl.Series, text: pl.Series, name: str) -> list[Problem]:
    """Of a column of Python objects: what is no id; and, as the most frequent type is right, rows of the other one."""
    types, empty = _types(column), pl.Series([value is None for value in column]) | (text.str.strip_chars() == "").fill_null(value=False)
    common, wrong = _common(types), text.is_null() & ~empty
    other = pl.Series([found is not None and found != common for found in types])
    most = "whole numbers" if common == "whole" else "text"
    remedy = f"Make the column one type, for example table[{name!r}].astype(str)."
    example = shown(column[int(wrong.arg_max() or 0)]) if wrong.any() else ""
    return [
        Problem(empty, "hold an id in each row", IS_EMPTY),
        Problem(wrong, "hold text or whole numbers", "is neither", example),
        Problem(other, f"hold ids of one type (most are {most})", "is of another type", remedy=remedy),
    ]


def shown(value: Any) -> str:
    """A value as messages show it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"


def kind_of(dtype: Any) -> str:
    """What a type is called in messages."""
    if dtype in (pl.Date, pl.Datetime):
        return "dates"
    if isinstance(dtype, pl.List):
        return "lists"
    return "true or false" if dtype == pl.Boolean else re.sub(r"\(.*", "", str(dtype)).lower()
