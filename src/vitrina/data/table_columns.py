"""Columns of item and user tables that were read as text: which are numbers, which hold several categories in a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from vitrina.data.features import TITLE_NAMES, FeatureKind
from vitrina.data.sources import CsvFile, Source
from vitrina.errors import DataError

CODE = r"^\s*-?0[0-9]"  # a leading zero: a code, no number
OF_TOKENS: Mapping[str, FeatureKind] = {"token": "category", "token_seq": "categories", "float": "number"}


class TypedTable(NamedTuple):
    """A table whose columns have types, the kinds that are known of them, and sentences on what was decided."""

    frame: pl.DataFrame
    kinds: dict[str, FeatureKind]
    notes: list[str]


def typed_table(frame: pl.DataFrame, id_column: str, declared: Mapping[str, FeatureKind], source: Source, title: str | None) -> TypedTable:
    """Numbers and lists where every row agrees; what was declared, or what a header like `price:float` says, is not guessed.

    Raises:
        DataError: NaN or an infinity stands among numbers.
    """
    kinds, notes, columns = dict(declared), list[str](), list[pl.Series]()
    types: Mapping[str, str] = source.format.types if isinstance(source, CsvFile) else {}
    for column in frame.drop(id_column):
        name, token = column.name, types.get(column.name)
        if token == "float_seq":
            notes.append(f"Column {name!r} holds vectors, which are left out.")
            continue
        if token == "token_seq" and name not in declared and name != title and not name.lower().endswith(TITLE_NAMES):
            column = column.str.split(" ")  # noqa: PLW2901
        elif token is not None and name not in declared:
            kinds[name] = "text" if token == "token_seq" else OF_TOKENS[token]
        if column.dtype == pl.String and not source.typed and kinds.get(name, "number") == "number":
            column = lists_of_json(numbers(column))  # noqa: PLW2901
        if column.dtype == pl.String and name not in kinds and name != title and is_list(column):
            kinds[name] = "categories"
            example = column.filter(column.str.contains("|", literal=True))[0]
            notes.append(f"Column {name!r} was read as several categories a row, split at the bars ({example[:40]!r}).")
        columns.append(column)
    return TypedTable(pl.DataFrame([frame[id_column], *columns]), kinds, notes)


def numbers(column: pl.Series) -> pl.Series:
    """Text that is a number in every row becomes numbers; other text stays, and so do codes with leading zeros.

    Raises:
        DataError: NaN or an infinity stands among the numbers.

    >>> numbers(pl.Series(["1e-05", ".5", None])).to_list(), numbers(pl.Series(["007", "8"])).to_list()
    ([1e-05, 0.5, None], ['007', '8'])
    """
    values = column.str.strip_chars().cast(pl.Float64, strict=False)
    finite = values.is_finite().fill_null(value=False)
    if values.null_count() > column.null_count() or not finite.any() or column.str.contains(CODE).any():
        return column
    wrong = (column.is_not_null() & ~finite).arg_true()
    if len(wrong):
        raise DataError(
            f"the column {column.name!r} must hold finite numbers. It holds {column[wrong[0]]!r} in row {wrong[0] + 1}. Leave the field "
            f"empty where the number is unknown, or declare the column a 'category'."
        )
    return values


def lists_of_json(column: pl.Series) -> pl.Series:
    """Text that is a JSON list of texts in every row becomes lists."""
    known = column.drop_nulls() if column.dtype == pl.String else column.clear()
    if not len(known) or not known.str.contains(r"^\s*\[.*\]\s*$").all():
        return column
    try:
        return column.str.json_decode(pl.List(pl.String))
    except pl.exceptions.PolarsError:
        return column


def is_list(column: pl.Series) -> bool:
    """Whether text is several categories a row, joined by bars: no empty parts or blanks around them, and parts that come again.

    >>> is_list(pl.Series(["war|drama", "drama", None])), is_list(pl.Series(["Tea | 100 g", "Jam"]))
    (True, False)
    """
    known = column.drop_nulls()
    if not known.str.contains("|", literal=True).any() or known.str.contains(r"^\||\|$|\|\||\s\||\|\s").any():
        return False
    parts = known.str.split("|").explode()
    return parts.n_unique() < len(parts) and parts.n_unique() <= max(0.5 * len(parts), 20)
