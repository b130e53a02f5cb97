"""The table of items behind an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.arrays import Int32
from vitrina.base.errors import DataError, UnknownNameError
from vitrina.data.features import FeatureKind, FeatureTable
from vitrina.data.read.sources import AS_FOUND
from vitrina.data.read.tables import TableRead, read_typed
from vitrina.rerank.rules.conditions import texts_of
from vitrina.vocabulary import Vocabulary


def read_rows(source: Any, id: str, kinds: Mapping[str, FeatureKind] | None, title: str | None = None) -> TableRead:
    """A table with a row per item: a path, or a table of Polars, pandas or Arrow.

    Raises:
        DataError: it can't be read, has no column of ids, or an id twice.
    """
    return read_typed(source, "items", id, kinds, title, AS_FOUND, None)


def check_columns(asked: Sequence[str], table: pl.DataFrame) -> None:
    """Refuse columns that a table doesn't have.

    Raises:
        UnknownNameError: lists the closest.
    """
    for name in asked:
        if name not in table.columns:
            raise UnknownNameError.of("column of the table of items", name, table.columns)


def text_column(column: pl.Series) -> pl.Series:
    """A column as text: lists are joined by a space, 3.0 is "3"."""
    if isinstance(column.dtype, pl.List):
        return column.cast(pl.List(pl.String)).list.join(" ", ignore_nulls=True)
    return texts_of(column)


def joined_text(table: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """(rows,) the columns of each row with a space between them; what isn't known is left out."""
    parts = pl.DataFrame([text_column(table[name]) for name in columns])
    return parts.select(text=pl.concat_str(pl.all(), separator=" ", ignore_nulls=True).str.strip_chars()).to_series()


def replaced(table: FeatureTable, codes: Int32, rows: pl.DataFrame, vocabulary: Vocabulary) -> FeatureTable:
    """The table with other rows for these items, those of a longer vocabulary among them; columns that `rows` lacks stay.

    Raises:
        DataError: a column of `rows` is new, or has another type.
    """
    old = table.frame
    check_columns([name for name in rows.columns if name not in old.columns], old)
    place = np.full(len(vocabulary), len(old), np.int64)  # a row of nulls, for what no table says anything of
    place[: len(old)] = np.arange(len(old))
    changed = place.copy()
    changed[codes] = len(old) + 1 + np.arange(len(rows))
    columns = []
    for column in old.iter_columns():
        given = column.name in rows.columns
        below = [rows[column.name].cast(column.dtype)] if given and _fits(column, rows[column.name]) else []
        columns.append(pl.concat([column, column.clear(1), *below]).gather(changed if given else place))
    return FeatureTable(pl.DataFrame(columns), table.kinds, table.title)


def _fits(column: pl.Series, given: pl.Series) -> bool:
    try:
        given.cast(column.dtype)
    except pl.exceptions.PolarsError:
        raise DataError(
            f"The column {column.name!r} of the index holds {column.dtype}, and the new rows have {given.dtype} in it."
        ) from None
    return True
