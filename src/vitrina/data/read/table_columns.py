"""Columns of item and user tables that were read as text: which are numbers, which hold several categories in a row."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import polars as pl

from vitrina.base.errors import DataError
from vitrina.data.features import TITLE_NAMES, FeatureKind
from vitrina.data.read.agree import agree
from vitrina.data.read.numerals import ANY, PLAIN, SIGNS, Decimal, both_ways, decimal_note, read_numbers
from vitrina.data.read.sources import CsvFile, Source

NO_NUMBER = r"(?i)^(?:[+-]?(?:nan|inf|infinity)|null|none|na|n/a|undefined)$"
CODE = r"^\s*-?0[0-9]"  # a leading zero: a code, no number
OF_TOKENS: Mapping[str, FeatureKind] = {"token": "category", "token_seq": "categories", "float": "number"}


class TypedTable(NamedTuple):
    """A table whose columns have types, the kinds that are known of them, and sentences on what was decided."""

    frame: pl.DataFrame
    kinds: dict[str, FeatureKind]
    notes: list[str]


def typed_table(frame: pl.DataFrame, id_column: str, declared: Mapping[str, FeatureKind], source: Source, title: str | None, decimal: Decimal | None = None) -> TypedTable:  # fmt: skip
    """Numbers and lists where every row agrees; what was declared, or what a header like `price:float` says, is not guessed.

    Raises:
        DataError: NaN or an infinity stands among numbers, or the rows don't agree on a decimal sign.
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
        if column.dtype == pl.String and kinds.get(name, "text" if source.typed else "number") == "number":
            column, note = numbers(column, decimal)  # noqa: PLW2901
            column, notes = lists_of_json(column), [*notes, *note]  # noqa: PLW2901
        if column.dtype == pl.String and name not in kinds and name != title and is_list(column):
            kinds[name] = "categories"
            example = column.filter(column.str.contains("|", literal=True))[0]
            notes.append(f"Column {name!r} was read as several categories a row, split at the bars ({example[:40]!r}).")
        columns.append(column)
    return TypedTable(pl.DataFrame([frame[id_column], *columns]), kinds, notes)


def numbers(column: pl.Series, decimal: Decimal | None = None) -> tuple[pl.Series, list[str]]:
    """Text that is a number in every row becomes numbers, with a sentence where they are not plain; other text stays, and so do codes with leading zeros.

    Args:
        column: the text.
        decimal: the sign to take where both would fit.

    Raises:
        DataError: NaN or an infinity stands among the numbers, or the rows don't agree on a decimal sign.

    >>> numbers(pl.Series(["1e-05", ".5", None]))[0].to_list(), numbers(pl.Series(["007", "8"]))[0].to_list()
    ([1e-05, 0.5, None], ['007', '8'])
    """
    text = column.str.strip_chars()
    written = text.str.contains(ANY).fill_null(value=False)
    word = text.str.contains(NO_NUMBER).fill_null(value=False)
    if not written.any() or (text.is_not_null() & ~written & ~word).any() or text.str.contains(CODE).any():
        return column, []
    category = "declare the column a 'category'"
    if word.any():
        at = word.arg_true()[0]
        raise DataError(
            f"the column {column.name!r} must hold finite numbers. It holds {column[at]!r} in row {at + 1}. Leave the field "
            f"empty where the number is unknown, or {category}."
        )
    if (text.str.contains(PLAIN) | text.is_null()).all():
        return text.cast(pl.Float64), []
    found = agree([text], [partial(read_numbers, decimal=sign) for sign in SIGNS])
    ways: list[Decimal] = [SIGNS[k] for k in found.sound]
    if not ways:
        point, comma = found.fails[1], found.fails[0]
        mixed = f"mixes decimal points ({point!r}) and decimal commas ({comma!r})"
        raise DataError(f"the column {column.name!r} {mixed}. Write its numbers alike, or {category}.")
    if found.doubt is not None and decimal is None:
        raise DataError(f"the column {column.name!r} {both_ways(found.doubt)} Give the right one, or {category}.")
    sign = decimal if decimal is not None and decimal in ways else ways[0]
    return read_numbers(text, sign), [decimal_note(column.name, text.filter(~text.str.contains(PLAIN))[0], sign)]


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
