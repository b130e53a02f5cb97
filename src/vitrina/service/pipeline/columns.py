"""Columns of items as they are now: those of the model's table, with what was set since over them."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.arrays import Bool, Int32
from vitrina.base.errors import ParameterError, UnknownNameError
from vitrina.data.features import FeatureTable, as_kind
from vitrina.rerank.rules.conditions import ITEM, check_where, holds, texts_of
from vitrina.service.facts import Facts, Kind, kind_of
from vitrina.vocabulary import Vocabulary
from vitrina.wire import FacetValue

MOST_MASKS = 64  # conditions whose items are remembered, of a byte per item each
TYPES: Mapping[Kind, Any] = {"number": pl.Float64, "flag": pl.Boolean, "text": pl.String}


@final
class Columns:
    """Item columns in the codes of one model. Used by one thread.

    Args:
        table: what the model knew of the items at its fit.
        vocabulary: of its items.
        facts: what is said of items now.
    """

    def __init__(self, table: FeatureTable | None, vocabulary: Vocabulary, texts: list[str], facts: Facts) -> None:
        self.vocabulary, self._facts = vocabulary, facts
        self.table_of_fit = table
        self._table = FeatureTable(pl.DataFrame({ITEM: vocabulary.ids}).select(), {}) if table is None else table
        self._columns: dict[str, pl.Series] = {name: self._table.frame[name] for name in self._table.frame.columns}
        self._columns.setdefault(ITEM, vocabulary.as_text().ids.alias(ITEM))
        self._codes = {text: code for code, text in enumerate(texts)}
        self._masks: OrderedDict[str, tuple[str, Bool]] = OrderedDict()
        self._titles = [None] * len(texts) if table is None or table.title is None else list(table.titles(np.arange(len(texts))))
        self._version = 0
        self.changed: frozenset[str] = frozenset()  # columns that anything was set in
        self.hidden: Bool | None = None  # (items,) what is deleted
        facts.expect({name: _kind_of(column) for name, column in self._columns.items() if name != ITEM})

    def refresh(self) -> bool:
        """Take in what was set since the last time; whether anything was."""
        version = self._facts.version
        if version == self._version:
            return False
        rows = {self._codes[id]: self._facts.of(id) for id in self._facts.since(self._version) if id in self._codes}
        touched = {name for row in rows.values() for name in row}
        for name in self.changed | touched if rows else ():
            self._columns[name] = self._patched(name, rows)
        self._masks = OrderedDict((key, known) for key, known in self._masks.items() if not rows or known[0] not in self.changed | touched)
        self.changed |= touched
        if self._table.title is not None and rows:
            for code, title in zip(rows, self._columns[self._table.title].gather(list(rows)).cast(pl.String).to_list(), strict=True):
                self._titles[code] = title
        gone = [self._codes[id] for id in list(self._facts.deleted) if id in self._codes]
        self.hidden = None
        if gone:
            self.hidden = np.zeros(len(self._codes), np.bool_)
            self.hidden[gone] = True
        self._version = version
        return True

    def _patched(self, name: str, rows: Mapping[int, Mapping[str, Any]]) -> pl.Series:
        """A column with what is set in these rows; where nothing is, as the table has it."""
        count, kind = len(self._codes), self._facts.kinds.get(name, "text")
        own = (
            self._table.frame[name]
            if name in self._table.frame.columns
            else pl.Series(name, [None], dtype=TYPES[kind]).new_from_index(0, count)
        )
        own = own.cast(pl.Float64) if own.dtype.is_numeric() else own
        given = {code: row[name] for code, row in rows.items() if name in row}
        new = _typed(name, list(given.values()), own.dtype)
        place = np.arange(count, dtype=np.uint32)
        place[list(rows)] += np.uint32(count)
        place[list(given)] = 2 * count + np.arange(len(given), dtype=np.uint32)
        return pl.concat([self._columns.get(name, own).cast(own.dtype), own, new]).gather(place)

    def where(self, where: Mapping[str, Any]) -> dict[str, Bool]:
        """(items,) which items keep each condition, by its words.

        Raises:
            ParameterError: a condition is none.
            UnknownNameError: there is no such column.

        Cost: a pass over the column, and for a condition that was asked lately nothing.
        """
        try:
            check_where(where)
        except ValueError as error:
            raise ParameterError(f"The 'where' of a request is wrong: {str(error).rstrip('.')}.", parameter="where") from None
        return {in_words(name, wanted): self._mask(name, wanted) for name, wanted in where.items()}

    def _mask(self, name: str, wanted: Any) -> Bool:
        key = json.dumps([name, wanted])
        known = self._masks.get(key)
        if known is not None:
            self._masks.move_to_end(key)
            return known[1]
        if name not in self._columns:
            raise UnknownNameError.of("column of items", name, self._columns)
        mask = holds(self._columns[name], wanted, "column")
        self._masks[key] = name, mask
        while len(self._masks) > MOST_MASKS:
            self._masks.popitem(last=False)
        return mask

    def facets(self, names: Sequence[str], items: Int32) -> dict[str, list[FacetValue]]:
        """How many of some items have which value, by column, most frequent first; an item with several values counts for each.

        Raises:
            UnknownNameError: there is no such column.
        """
        found = {}
        for name in names:
            if name not in self._columns:
                raise UnknownNameError.of("column of items", name, self._columns)
            values = self._columns[name].gather(items.astype(np.uint32))
            values = texts_of(values.explode() if isinstance(values.dtype, pl.List) else values).alias("value")
            counts = values.to_frame().group_by("value").len("count").sort("count", "value", descending=[True, False], nulls_last=True)
            found[name] = [FacetValue(value, count) for value, count in counts.iter_rows()]
        return found

    def title(self, code: int) -> str | None:
        return self._titles[code]

    @property
    def table(self) -> FeatureTable | None:
        """The table as it is now; None where nothing is said of any item."""
        own = [column.alias(name) for name, column in self._columns.items() if name != ITEM or ITEM in self._table.frame.columns]
        return replace(self._table, frame=pl.DataFrame(own)) if own else None


def _typed(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    """What is set, in the type of a column; what isn't of its kind, as where another model's table had another, is unknown. "a|b" are two values of a column of lists."""
    if isinstance(dtype, pl.List):
        return as_kind(pl.Series(name, [value if isinstance(value, str) else None for value in values], dtype=pl.String), "categories")
    kind = _kind_of(pl.Series(dtype=dtype))
    right = [value if value is not None and kind_of(value) == kind else None for value in values]
    return pl.Series(name, right, dtype=TYPES[kind], strict=False).cast(dtype)


def in_words(name: str, wanted: Any) -> str:
    """A condition as people read it.

    >>> in_words("aisle", ["drinks", "dairy"]), in_words("price", {"at_most": 5})
    ('aisle is drinks or dairy', 'price at most 5')
    """
    if not isinstance(wanted, Mapping):
        return f"{name} is {_listed(wanted)}"
    return f"{name} " + " and ".join(f"{test.replace('_', ' ')} {_listed(value)}" for test, value in wanted.items())


def _listed(value: Any) -> str:
    return " or ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _kind_of(column: pl.Series) -> Kind:
    return "number" if column.dtype.is_numeric() else "flag" if column.dtype == pl.Boolean else "text"
