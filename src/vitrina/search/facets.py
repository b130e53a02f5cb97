"""Which items keep conditions, and how many of what was found have which value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import polars as pl

from vitrina.base.arrays import Ragged
from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.data.features import FeatureTable
from vitrina.request import check_queries
from vitrina.rerank.narrow import only
from vitrina.rerank.rules.conditions import ITEM, check_where, holds, texts_of
from vitrina.retrieve.top_k import allowed_mask
from vitrina.search.lexical import Lexical
from vitrina.types import Eligibility, Queries
from vitrina.vocabulary import Vocabulary


class Tabled(Protocol):
    """What has a table of items."""

    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def item_table(self) -> FeatureTable | None: ...


def column_of(index: Tabled, name: str) -> pl.Series:
    """(items,) a column of the table, or the ids.

    Raises:
        UnknownNameError: there is no such column; lists the closest.
    """
    columns = {} if index.item_table is None else {column.name: column for column in index.item_table.frame.iter_columns()}
    columns.setdefault(ITEM, index.vocabulary.ids.alias(ITEM))
    if name not in columns:
        raise UnknownNameError.of("column of the table of items", name, columns)
    return columns[name]


def holding(index: Tabled, where: Mapping[str, Any], eligible: Eligibility) -> Eligibility:
    """The eligibility with no other items than those that keep all conditions."""
    try:
        check_where(where)
    except ValueError as error:
        raise ParameterError(f"The 'where' of a search is wrong: {str(error).rstrip('.')}.", parameter="where") from None
    kept = np.ones(len(index.vocabulary), bool)
    for name, wanted in where.items():
        kept &= holds(column_of(index, name), wanted, "item")
    return only(eligible, np.flatnonzero(kept).astype(np.int32))


def counted(index: Tabled, source: Lexical, queries: Queries, columns: Sequence[str], eligible: Eligibility) -> pl.DataFrame:
    """See `ItemIndex.facets`."""
    check_queries(queries)
    eligible.check_rows(len(queries))
    named = {name: column_of(index, name) for name in columns}
    tables = []
    for run, found in source.matches(queries) if len(queries) else ():
        items = _eligible(found.items, queries[run], eligible.rows(run), source)
        for name, column in named.items():
            values = column.gather(items.values.astype(np.uint32))
            table = pl.DataFrame({"query": items.row_of + run.start, "value": values})
            table = table.explode("value") if isinstance(values.dtype, pl.List) else table
            table = table.with_columns(value=texts_of(table["value"]), column=pl.lit(name))
            tables.append(table.group_by("query", "column", "value").len("count"))
    schema = {"query": pl.Int64, "column": pl.String, "value": pl.String, "count": pl.UInt32}
    whole = pl.concat(tables) if tables else pl.DataFrame(schema=schema)
    order = pl.col("column").replace_strict(list(named), range(len(named)), return_dtype=pl.UInt32)
    return whole.sort("query", order, "count", "value", descending=[False, False, True, False], nulls_last=True)


def _eligible(found: Ragged, queries: Queries, eligible: Eligibility, source: Lexical) -> Ragged:
    """Of what was found, what each query may get."""
    found = found.keep(allowed_mask(eligible, source.catalogue)[found.values])
    n = len(source.vocabulary)
    found = found.keep(~np.isin(_keys(found, n), _keys(eligible.banned(queries), n)))
    return found.keep(np.isin(_keys(found, n), _keys(eligible.include, n))) if isinstance(eligible.include, Ragged) else found


def _keys(rows: Ragged, n: int) -> Any:
    return rows.row_of * n + rows.values
