"""A column of numbers: values that can't be one are named, not guessed."""

from __future__ import annotations

import polars as pl

from vitrina.base.errors import DataError
from vitrina.data.columns import Column, Problem, as_text, kind_of, shown
from vitrina.data.read.numerals import Numerals


def number(
    column: pl.Series, name: str, numerals: Numerals, role: str = "value", dtype: type[pl.Float32 | pl.Float64] = pl.Float32
) -> Column:
    """Values as float32, or as float64 where asked.

    Raises:
        DataError: the column's type can't be a number, or its rows don't agree on a decimal sign.
    """
    column = as_text(column)
    kind = column.dtype
    if not (kind.is_numeric() or kind in (pl.String, pl.Boolean, pl.Null)):
        raise DataError(f"the column {name!r} must hold numbers. It holds {kind_of(kind)}.")
    values = numerals.read(column, name) if kind == pl.String else column.cast(pl.Float64, strict=False)
    problems = [Problem(values.is_null() & column.is_null(), "hold a number in each row", "is empty")] if column.null_count() else []
    if kind == pl.String and values.null_count() > column.null_count():
        wrong = values.is_null() & column.is_not_null()
        sign = {None: "", ".": " with a decimal point", ",": " with a decimal comma"}[numerals.decimal]
        in_all = f"Write plain numbers like 1234.5, or name another column with {role}='...'."
        problems.append(Problem(wrong, f"hold numbers{sign}", "holds text", shown(column.filter(wrong)[0]), in_all=in_all))
    narrow = values.cast(dtype, strict=False)
    if not narrow.is_finite().fill_null(value=True).all():
        problems.append(Problem(~narrow.is_finite().fill_null(value=True), "hold finite numbers", "is NaN or infinite"))
    return Column(narrow, problems)
