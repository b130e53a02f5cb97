"""Which items, or which people, a rule speaks of: conditions on columns, looked at when a rule is made and again when the columns are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Self, final

import numpy as np
import polars as pl
from pydantic import AfterValidator, Field, model_validator

from vitrina.base.config import Config, Days
from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.base.ids import without_zero_fraction
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.types import Bool, Int64

ITEM = "item_id"  # in conditions on items: the ids themselves
SHOWN = 8  # known values that an error lists
Scalar = str | int | float | bool


@final
class New(Config):
    """Items that the log has known for a short time or from few events; either is enough. What never had an event is new.

    Args:
        days: the first event is in the last so many days of the log that the rules are fitted on.
        events: there are at most so many.

    >>> New(days=14)
    New(days=14.0)
    """

    days: Days | None = None
    events: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.days is None and self.events is None:
            raise ValueError("New needs 'days' or 'events': New(days=30) are the items whose first event is in the last 30 days")
        return self

    def mask(self, data: Dataset) -> Bool:
        """(items,) which are new."""
        counts = data.catalogue.events
        new = counts <= (0 if self.events is None else self.events)
        if self.days is not None:
            if data.time_unit != "us":
                raise DataError(f"{self!r} needs the times of events, and {data!r} has none. Take New(events=...) instead.")
            first, last = np.full(data.n_items, np.iinfo(np.int64).max), 0
            for own, end in data.map_shards(_first_times):
                first, last = np.minimum(first, own), max(last, end)
            new |= first > last - self.days * DAY
        return new


def _first_times(shard: Dataset) -> tuple[Int64, int]:
    """(items,) the time of the first event of each item in a shard, and the last of all."""
    first, events = np.full(shard.n_items, np.iinfo(np.int64).max), shard.counted().events
    assert events.times is not None
    np.minimum.at(first, events.items, events.times)
    return first, int(events.times.max(initial=0))


Where = Mapping[str, Any] | New
WHERE = '{brand = ["A", "B"]}, {price = {above = 10}}, {title = {contains = "beer"}}'


def _number(test: str, wanted: Any) -> None:
    if isinstance(wanted, bool) or not isinstance(wanted, (int, float)):
        raise ValueError(f"{test!r} takes a number, and not {wanted!r}")


def _text(test: str, wanted: Any) -> None:
    if not isinstance(wanted, str) or not wanted:
        raise ValueError(f"{test!r} takes a text, and not {wanted!r}")


def _values(test: str, wanted: Any) -> None:
    listed = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    if not listed or not all(isinstance(value, Scalar) for value in listed):
        raise ValueError(f"{test!r} takes a value or a list of values, and not {wanted!r}")


def _flag(test: str, wanted: Any) -> None:
    if not isinstance(wanted, bool):
        raise ValueError(f"{test!r} takes true or false, and not {wanted!r}")


CHECKS: Mapping[str, Callable[[str, Any], None]] = {
    "above": _number, "below": _number, "at_least": _number, "at_most": _number, "contains": _text, "is_not": _values, "missing": _flag,
}  # fmt: skip
COMPARED: Mapping[str, Callable[[Any, Any], Any]] = {
    "above": np.greater, "below": np.less, "at_least": np.greater_equal, "at_most": np.less_equal,
}  # fmt: skip


def check_where(where: Where) -> Where:
    """Refuse conditions that no column could be held to.

    Raises:
        ValueError: there are none, a test is not known, or its value is no value of it.
    """
    if isinstance(where, New):
        return where
    if not where:
        raise ValueError(f"conditions on columns, such as {WHERE}: without one it would be all items")
    for column, wanted in where.items():
        if not isinstance(wanted, Mapping):
            _values(column, wanted)
            continue
        if not wanted:
            raise ValueError(f"the column {column!r} has no test. There are: {', '.join(CHECKS)}")
        for test, value in wanted.items():
            if test not in CHECKS:
                raise ValueError(str(UnknownNameError.of("test of a column", test, CHECKS)))
            CHECKS[test](test, value)
    return where


Conditions = Annotated[Where, AfterValidator(check_where)]


def mask_of(where: Where, data: Dataset) -> Bool:
    """(items,) for which items all conditions hold; a value that isn't known keeps no condition but `missing`.

    Raises:
        DataError: the log has no table of items, or no times.
        UnknownNameError: there is no such column, or no item has the value.
    """
    if isinstance(where, New):
        return where.mask(data)
    kept = np.ones(data.n_items, np.bool_)
    for column, wanted in where.items():
        kept &= holds(item_column(data, column), wanted, "item")
    return kept


def item_column(data: Dataset, column: str) -> pl.Series:
    """(items,) a column of the table of items, or the ids.

    Raises:
        DataError: the log has no table of items.
        UnknownNameError: the table has no such column; lists the closest.
    """
    table = data.item_table
    if table is not None and column in table.frame.columns:
        return table.frame[column]
    if column == ITEM:
        return data.items.ids.alias(ITEM)
    if table is None:
        raise DataError(f"The column {column!r} is one of the table of items, and {data!r} has none. Read the log with items=...")
    raise UnknownNameError.of("column of the table of items", column, [*table.frame.columns, ITEM])


def holds(column: pl.Series, wanted: Any, what: str) -> Bool:
    """(rows,) where a column keeps one condition.

    Args:
        what: of whom the column speaks; where it is an item, a value that no item has is refused.
    """
    if not isinstance(wanted, Mapping):
        return _equals(column, wanted, what)
    kept = np.ones(len(column), np.bool_)
    for test, value in wanted.items():
        if test == "missing":
            kept &= _missing(column) == value
        elif test == "is_not":
            kept &= ~_equals(column, value, what) & ~_missing(column)
        elif test == "contains":
            kept &= _contains(column, value)
        else:
            kept &= _compared(column, test, value)
    return kept


def _missing(column: pl.Series) -> Bool:
    empty = column.is_null()
    if isinstance(column.dtype, pl.List):
        empty |= (column.list.len() == 0).fill_null(value=True)
    return empty.to_numpy()


def texts_of(column: pl.Series) -> pl.Series:
    """A column of single values as text, as conditions and groups read it: 3.0 is "3", true is "true".

    >>> texts_of(pl.Series([3.0, 2.5, None])).to_list()
    ['3', '2.5', None]
    """
    texts = column.cast(pl.String)
    return without_zero_fraction(texts) if column.dtype.is_float() else texts


def text_of(value: Scalar) -> str:
    """A value of a condition as `texts_of` has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _equals(column: pl.Series, wanted: Any, what: str) -> Bool:
    """Where the column is one of the values, or a list that holds one."""
    values = [text_of(v) for v in (wanted if isinstance(wanted, (list, tuple)) else [wanted])]
    of_lists = isinstance(column.dtype, pl.List)
    inner = texts_of(column.explode() if of_lists else column)
    if what == "item" and not column.dtype.is_numeric():
        _check_known(values, inner, column.name)
    if not of_lists:
        return inner.is_in(values).fill_null(value=False).to_numpy()
    lists = column.cast(pl.List(pl.String))
    return lists.list.eval(pl.element().is_in(values)).list.any().fill_null(value=False).to_numpy()


def _check_known(values: Iterable[str], column: pl.Series, name: str) -> None:
    known = column.drop_nulls().unique().sort().to_list()
    for value in values:
        if value not in set(known):
            close = get_close_matches(value, known, n=3, cutoff=0.5) or [k for k in known if k.lower() == value.lower()]
            hint = f"Did you mean {' or '.join(repr(c) for c in close)}? " if close else ""
            more = f" and {len(known) - SHOWN:,} more" if len(known) > SHOWN else ""
            kind = "id" if name == ITEM else "value"
            raise UnknownNameError(
                f"No item has the {kind} {value!r} in the column {name!r}. {hint}Known: {', '.join(known[:SHOWN])}{more}."
            )


def _contains(column: pl.Series, part: str) -> Bool:
    texts = column.cast(pl.List(pl.String)).list.join("\n") if isinstance(column.dtype, pl.List) else texts_of(column)
    return texts.str.to_lowercase().str.contains(part.lower(), literal=True).fill_null(value=False).to_numpy()


def _compared(column: pl.Series, test: str, number: float) -> Bool:
    if not column.dtype.is_numeric():
        raise ParameterError(
            f"The test {test!r} is for columns of numbers, and {column.name!r} holds {column.dtype}. "
            'Say what it holds when the log is read: item_kinds={"%s": "number"}.' % column.name
        )
    values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    with np.errstate(invalid="ignore"):
        return COMPARED[test](values, number)
