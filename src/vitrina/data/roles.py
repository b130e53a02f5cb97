"""What each column of a log is for, and how its values become arrays; values that can't are named, not guessed."""

from __future__ import annotations

import re
import time as clock
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, get_args
from uuid import UUID

import numpy as np
import polars as pl

from vitrina.errors import DataError, ParameterError
from vitrina.ids import as_written

GivenUnit = Literal["s", "ms", "us", "ns", "step"]
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
EARLIEST = 631_152_000  # 1990-01-01, seconds since 1970
DAY = 86_400
IS_EMPTY = "is empty"
WHOLE = r"^(0|-?[1-9][0-9]{0,17})$"  # text that is the one way to write a whole number
NUMBER = r"^-?[0-9]+(\.[0-9]*)?$"
DATE_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z")


class Problem(NamedTuple):
    """Rows of one column that can't be used."""

    mask: pl.Series  # True where bad
    must: str  # "hold an id in each row"
    found: str  # "is empty"
    example: str = ""  # the first such value, as text
    remedy: str = ""


class Column(NamedTuple):
    """A converted column and what is wrong with it."""

    values: pl.Series
    problems: list[Problem]


def id_text(column: pl.Series, name: str) -> Column:
    """Ids as text: text as it is, whole numbers of any type as digits (see `vitrina.ids`).

    Raises:
        DataError: the column's type can't be an id (dates, lists, true or false).
    """
    kind = column.dtype
    if not (kind.is_numeric() or kind in (pl.String, pl.Categorical, pl.Null, pl.Object) or isinstance(kind, pl.Enum)):
        raise DataError(f"the column {name!r} must hold ids, text or whole numbers. It holds {_kind_of(kind)}.")
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
    return [Problem(mask, must, found, _shown(column.filter(mask)[0])) for found, mask in kinds.items() if mask.any()]


def number(column: pl.Series, name: str) -> Column:
    """Values as float32.

    Raises:
        DataError: the column's type can't be a number.
    """
    kind = column.dtype
    if not (kind.is_numeric() or kind in (pl.String, pl.Boolean, pl.Null)):
        raise DataError(f"the column {name!r} must hold numbers. It holds {_kind_of(kind)}.")
    text = column.str.strip_chars() if kind == pl.String else column
    values = text.cast(pl.Float64, strict=False)
    problems = [Problem(values.is_null() & column.is_null(), "hold a number in each row", "is empty")] if column.null_count() else []
    if kind == pl.String and values.null_count() > column.null_count():
        wrong = values.is_null() & column.is_not_null()
        problems.append(Problem(wrong, "hold numbers", "holds text", _shown(column.filter(wrong)[0])))
    narrow = values.cast(pl.Float32, strict=False)
    if not narrow.is_finite().fill_null(value=True).all():
        problems.append(Problem(~narrow.is_finite().fill_null(value=True), "hold finite numbers", "is NaN or infinite"))
    return Column(narrow, problems)


@dataclass
class Clock:
    """Reads times of one log, file after file, with one meaning for all.

    Args:
        unit: of whole numbers; None is decided by the median of the first rows.
    """

    unit: GivenUnit | None = None
    form: Literal["dates", "numbers"] | None = None
    guessed: bool = False
    latest: float = field(default_factory=lambda: clock.time() + DAY)  # seconds since 1970; a day for time zones
    _decided_by: str = ""

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in get_args(GivenUnit):
            raise ParameterError(f"The 'time_unit' must be one of {', '.join(get_args(GivenUnit))}, or None. Got {self.unit!r}.")

    @property
    def real(self) -> bool:
        """Whether times are moments, and not mere steps."""
        return self.form == "dates" or self.unit != "step"

    def read(self, column: pl.Series, name: str) -> Column:
        """Microseconds since 1970, or steps, as int64.

        Raises:
            DataError: the column's type can't be a time, or isn't what it was in another file.
        """
        form = _time_form(column, name)
        if form is None:  # no value at all
            return Column(pl.Series(name, np.zeros(len(column)), dtype=pl.Int64), [_no_time(column)])
        self._decide(form, column, name)
        problems = [_no_time(column)] if column.null_count() else []
        if self.form == "dates":
            times = _dates(column)
            if times.null_count() > column.null_count():
                problems.append(_no_date(column, times))
            return Column(times.fill_null(0), [*problems, *self._out_of_range(times, 10**6)])
        return self._numbers(column, problems)

    def _numbers(self, column: pl.Series, problems: list[Problem]) -> Column:
        exact = column.cast(pl.Int64 if column.dtype.is_integer() else pl.Float64, strict=False)
        if column.dtype == pl.String and column.drop_nulls().str.contains(WHOLE).all():
            exact = column.cast(pl.Int64, strict=False)
        wrong = column.is_not_null() & (exact.is_null() | ~exact.is_finite().fill_null(value=True))
        if wrong.any():
            problems.append(
                Problem(wrong, "hold times as numbers, as in its other rows", "holds no number", _shown(column.filter(wrong)[0]))
            )
        exact = exact.set(wrong, None)
        if self.unit is None or self.unit == "step":
            steps = exact.cast(pl.Int64, strict=False)
            if not exact.dtype.is_integer() and (steps.cast(pl.Float64) != exact).any():
                fraction = (steps.cast(pl.Float64) != exact).fill_null(value=False)
                problems.append(Problem(fraction, "hold whole numbers as steps", "has a fraction"))
            return Column(steps.fill_null(0), problems)
        per_second = PER_SECOND[self.unit]
        problems += self._out_of_range(exact, per_second)
        safe = exact.set(_outside(exact, per_second, self.latest), 0).fill_null(0)
        if per_second > 10**6:
            return Column((safe // (per_second // 10**6)).cast(pl.Int64), problems)
        return Column((safe * (10**6 // per_second)).round().cast(pl.Int64), problems)

    def _decide(self, form: Literal["dates", "numbers"], column: pl.Series, name: str) -> None:
        if self.form is not None and (self.form == form or column.dtype == pl.String):
            return  # a text that isn't of the decided form is a bad row, not a bad column
        if self.form is not None:
            raise DataError(f"the column {name!r} holds {form}, and {self.form} in the files before. Write all files alike.")
        if form == "dates" and self.unit is not None:
            raise ParameterError(f"A 'time_unit' is for whole numbers, and {name!r} holds dates. Leave it out. Got {self.unit!r}.")
        self.form = form
        if form == "numbers" and self.unit is None:
            self.unit, self.guessed = self._guess(column), True
            self._decided_by = name

    def _guess(self, column: pl.Series) -> GivenUnit:
        middle = column.cast(pl.Float64, strict=False).median()
        for unit, per_second in PER_SECOND.items():
            if isinstance(middle, (int, float)) and EARLIEST * per_second <= middle <= self.latest * per_second:
                return unit  # type: ignore[return-value]
        return "step"

    def _out_of_range(self, times: pl.Series, per_second: int) -> list[Problem]:
        outside = _outside(times, per_second, self.latest)
        if not outside.any():
            return []
        seconds = times.filter(outside)[0] / per_second
        found = "is before 1990" if seconds < EARLIEST else "is in the future"
        remedy = "Check the dates, or give the right time_unit (s, ms, us, ns; step where only the order counts)."
        return [Problem(outside, "hold moments between 1990 and today", found, remedy=remedy)]

    def note(self) -> str:
        """What reading decided by itself, in a sentence; empty when it decided nothing."""
        if not self.guessed:
            return ""
        if self.unit == "step" or self.unit is None:
            return f"Column {self._decided_by!r} holds whole numbers that are no moments since 1990: only their order is used (time_unit='step')."
        return f"Column {self._decided_by!r} holds numbers and was read as {UNIT_NAMES[self.unit]} since 1970 (time_unit={self.unit!r})."


def id_form(column: pl.Series, *, typed: bool) -> Literal["whole", "text", "csv"]:
    """What a source holds as ids, which decides whether they stay numbers."""
    if not typed:
        return "csv"
    if column.dtype == pl.Object:
        return _common(_types(column))
    return "whole" if column.dtype.is_numeric() else "text"


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
    shown = _shown(column[int(wrong.arg_max() or 0)]) if wrong.any() else ""
    return [
        Problem(empty, "hold an id in each row", IS_EMPTY),
        Problem(wrong, "hold text or whole numbers", "is neither", shown),
        Problem(other, f"hold ids of one type (most are {most})", "is of another type", remedy=remedy),
    ]


def _time_form(column: pl.Series, name: str) -> Literal["dates", "numbers"] | None:
    if column.dtype in (pl.Date, pl.Datetime):
        return "dates"
    if column.dtype.is_numeric():
        return "numbers"
    if column.null_count() == len(column):
        return None
    if column.dtype != pl.String:
        raise DataError(f"the column {name!r} must hold dates, or whole numbers with a time_unit. It holds {_kind_of(column.dtype)}.")
    sample = column.drop_nulls().head(1000)
    return "numbers" if sample.str.contains(NUMBER).mean() > 0.5 else "dates"  # type: ignore[operator]


def _dates(column: pl.Series) -> pl.Series:
    """Microseconds since 1970 in UTC; null where the text is no ISO date."""
    if column.dtype != pl.String:
        return column.cast(pl.Datetime("us", getattr(column.dtype, "time_zone", None))).to_physical().cast(pl.Int64)
    text = column.str.strip_chars().str.replace("T", " ", literal=True)
    times = pl.Series(column.name, [None] * len(text), dtype=pl.Int64) if not len(text) else None
    for form in DATE_FORMATS:
        parsed = text.str.to_datetime(form, strict=False, time_unit="us").to_physical().cast(pl.Int64)
        times = parsed if times is None else times.fill_null(parsed)
        if times.null_count() == column.null_count():
            break
    assert times is not None
    return times


def _no_time(column: pl.Series) -> Problem:
    return Problem(column.is_null(), "hold a time in each row", "is empty")


def _no_date(column: pl.Series, times: pl.Series) -> Problem:
    wrong = times.is_null() & column.is_not_null()
    return Problem(wrong, "hold ISO dates like 2024-01-31 or 2024-01-31 18:30:00", "holds no such date", _shown(column.filter(wrong)[0]))


def _outside(times: pl.Series, per_second: int, latest: float) -> pl.Series:
    return ((times < EARLIEST * per_second) | (times > int(latest * per_second))).fill_null(value=False)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _kind_of(dtype: Any) -> str:
    if dtype in (pl.Date, pl.Datetime):
        return "dates"
    if isinstance(dtype, pl.List):
        return "lists"
    return "true or false" if dtype == pl.Boolean else re.sub(r"\(.*", "", str(dtype)).lower()
