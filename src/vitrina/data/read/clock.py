"""The times of a log: what its column means is decided once, for all rows, and said."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import polars as pl

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.time import DAY
from vitrina.data.columns import SET_ASIDE, Column, Problem, as_text, kind_of, shown
from vitrina.data.read.date_column import DIGITS, DateColumn
from vitrina.data.read.dates import moment_text
from vitrina.data.read.numerals import ANY, WHOLE, Numerals

GivenUnit = Literal["s", "ms", "us", "ns", "excel", "step"]
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
EARLIEST = 631_152_000  # 1990-01-01, seconds since 1970
SECONDS_PER_DAY = DAY // 1_000_000
YEARS = (-62_135_596_800, 253_402_300_799)  # from the year 1 to 9999, seconds since 1970
EXCEL_1970 = 25_569  # 1970-01-01 in days of a spreadsheet
PLACEHOLDERS = (-719_162, -79_623, -25_569, -25_567, 0, 2_932_896)  # days that often stand for no date: 0001-01-01 to 9999-12-31
Form = Literal["dates", "numbers"]


@dataclass
class Clock:
    """Reads times of one log, file after file, with one meaning for all.

    Args:
        unit: of numbers; None is decided by the median of the first rows. "excel" is days since 1899-12-30; with "step" only
            the order of numbers or dates counts.
        any_year: moments before 1990 and after today are good too.
        dates: how dates written as text are read.
        numerals: how numbers written as text are read.
    """

    unit: GivenUnit | None = None
    any_year: bool = False
    dates: DateColumn = field(default_factory=DateColumn)
    numerals: Numerals = field(default_factory=Numerals)
    form: Form | None = None
    latest: float = field(default_factory=lambda: time.time() + SECONDS_PER_DAY)  # seconds since 1970; a day for time zones
    _notes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.unit is not None and self.unit not in get_args(GivenUnit):
            raise ParameterError(
                f"The 'time_unit' must be one of {', '.join(get_args(GivenUnit))}, or None. Got {self.unit!r}.",
                parameter="time_unit",
                value=self.unit,
            )
        if self.dates.given is not None and self.unit not in (None, "step"):
            raise ParameterError(
                f"A 'time_format' is for dates, and time_unit={self.unit!r} for numbers. Give one of them.", parameter="time_format"
            )

    @property
    def real(self) -> bool:
        """Whether times are moments, and not mere steps."""
        return self.unit != "step"

    def read(self, column: pl.Series, name: str) -> Column:
        """Microseconds since 1970, or steps, as int64.

        Raises:
            DataError: the column's type can't be a time, or isn't what it was in another file; its rows have no form that is
                known, or don't tell the day from the month.
        """
        column = as_text(column)
        if column.null_count() == len(column):
            return Column(pl.Series(name, np.zeros(len(column)), dtype=pl.Int64), [_no_time(column)])
        self._decide(column, name)
        problems = [_no_time(column)] if column.null_count() else []
        times, wrong = self._dates(column, name) if self.form == "dates" else self._numbers(column, name)
        return Column(times.fill_null(0).cast(pl.Int64), [*problems, *wrong])

    def note(self) -> str:
        """What reading decided by itself, in sentences; empty when it decided nothing."""
        return " ".join(note for note in (*self._notes.values(), *self.dates.notes.values(), self.numerals.note) if note)

    def _decide(self, column: pl.Series, name: str) -> None:
        """Dates or numbers, and the unit of numbers; a text of the other form is a bad row, not a bad column."""
        form = self._form_of(column, name)
        if self.form is not None:
            if self.form != form and column.dtype != pl.String:
                raise DataError(f"the column {name!r} holds {form}, and {self.form} in the files before. Write all files alike.")
            return
        self.form = form
        if form == "dates" and self.unit not in (None, "step"):
            raise ParameterError(
                f"A 'time_unit' of {self.unit!r} is for numbers, and {name!r} holds dates. Leave it out, or give 'step' where only their order counts.",
                parameter="time_unit",
            )
        if form == "numbers" and self.unit is None:
            self.unit, self._notes["unit"] = _guess(self._exact(column, name), name, self.latest)

    def _form_of(self, column: pl.Series, name: str) -> Form:
        if column.dtype in (pl.Date, pl.Datetime):
            if self.dates.given is not None:
                raise ParameterError(
                    f"A 'time_format' is for dates written as text, and {name!r} holds dates already. Leave it out.",
                    parameter="time_format",
                )
            return "dates"
        if not column.dtype.is_numeric() and column.dtype != pl.String:
            raise DataError(f"the column {name!r} must hold dates, or numbers with a time_unit. It holds {kind_of(column.dtype)}.")
        if self.dates.given is not None or self.dates.form == DIGITS:
            return "dates"
        if column.dtype == pl.String and column.drop_nulls().head(1000).str.strip_chars().str.contains(ANY).mean() <= 0.5:  # type: ignore[operator]
            return "dates"
        if self.unit is None and self.form is None:
            whole = self._exact(column.drop_nulls().head(1000), name).cast(pl.Int64, strict=False)
            times = DIGITS.read(whole.cast(pl.String)).values
            if (times.is_not_null() & ~_outside(times, 10**6, self._range())).sum() > len(times) / 2:
                self.dates.take_digits(whole, name)
                return "dates"
        return "numbers"

    def _range(self) -> tuple[float, float]:
        """Seconds since 1970 between which a moment is good."""
        return YEARS if self.any_year else (EARLIEST, self.latest)

    def _dates(self, column: pl.Series, name: str) -> tuple[pl.Series, list[Problem]]:
        if column.dtype in (pl.Date, pl.Datetime):
            zone = getattr(column.dtype, "time_zone", None)
            times, problems = column.cast(pl.Datetime("us", zone)).to_physical().cast(pl.Int64), []
            if zone not in (None, "UTC"):
                self._notes["zone"] = f"Times of {name!r} in the zone {zone} were converted to UTC."
        else:
            digits = column.dtype != pl.String
            times, problems = self.dates.read(column.cast(pl.Int64, strict=False).cast(pl.String) if digits else column, name)
        return times, problems if self.unit == "step" else [*problems, *out_of_range(times, 10**6, self._range(), numbers=False)]

    def _numbers(self, column: pl.Series, name: str) -> tuple[pl.Series, list[Problem]]:
        problems = []
        exact = self._exact(column, name)
        wrong = column.is_not_null() & (exact.is_null() | ~exact.is_finite().fill_null(value=True))
        if wrong.any():
            example = shown(column.filter(wrong)[0])
            must = "hold times as numbers, as in its other rows"
            problems.append(Problem(wrong, must, "holds no number", example, in_all="Write all files alike."))
            exact = exact.set(wrong, None)
        if self.unit is None or self.unit == "step":
            steps = exact.cast(pl.Int64, strict=False)
            fraction = (steps.cast(pl.Float64) != exact).fill_null(value=False)
            if not exact.dtype.is_integer() and fraction.any():
                remedy = "Give time_unit='...': s, ms, us or ns since 1970, or excel for days of a spreadsheet."
                problems.append(Problem(fraction, "hold whole numbers as steps", "has a fraction", remedy=remedy, in_all=remedy))
            return steps, problems
        if self.unit == "excel":
            times = ((exact.cast(pl.Float64).clip(-(10**7), 10**7) - EXCEL_1970) * (SECONDS_PER_DAY * 1000)).round().cast(pl.Int64) * 1000
            return times, [*problems, *out_of_range(times, 10**6, self._range(), numbers=True)]
        per_second = PER_SECOND[self.unit]
        problems += out_of_range(exact, per_second, self._range(), numbers=True)
        safe = exact.set(_outside(exact, per_second, self._range()), 0).fill_null(0)
        return safe // (per_second // 10**6) if per_second > 10**6 else (safe * (10**6 // per_second)).round(), problems

    def _exact(self, column: pl.Series, name: str) -> pl.Series:
        """Numbers as they are, whole ones as int64."""
        if column.dtype != pl.String:
            return column.cast(pl.Int64 if column.dtype.is_integer() else pl.Float64, strict=False)
        if column.drop_nulls().str.contains(WHOLE).all():
            return column.cast(pl.Int64, strict=False)
        bare = column.str.strip_chars()
        if bare.drop_nulls().str.contains(WHOLE).all():
            return bare.cast(pl.Int64, strict=False)
        short = bare.filter(bare.str.contains("[eE]\\+?[0-9]+$"))
        if len(short) and "short" not in self._notes:
            self._notes["short"] = _precision(short, name)
        return self.numerals.read(column, name)


def out_of_range(times: pl.Series, per_second: int, span: tuple[float, float], *, numbers: bool) -> list[Problem]:
    """Rows whose moment can't be right, each kind with its own reason.

    Args:
        times: since 1970; null where there is none.
        per_second: units of `times` in a second.
        span: the first and the last good moment, in seconds since 1970.
        numbers: whether they came as numbers, whose unit may be wrong.
    """
    outside = _outside(times, per_second, span)
    if not outside.any():
        return []
    if span == YEARS:
        return [Problem(outside, "hold moments between the years 1 and 9999", "is outside of them")]
    days = times // (SECONDS_PER_DAY * per_second)
    problems = []
    for day in PLACEHOLDERS:
        blank = (outside & (days == day)).fill_null(value=False)
        problems.append((blank, f"is the placeholder date {moment_text(day * SECONDS_PER_DAY * 10**6)}", SET_ASIDE))
    known = pl.Series(np.isin(days.fill_null(1).cast(pl.Int64, strict=False).fill_null(1).to_numpy(), PLACEHOLDERS))
    early = (times < EARLIEST * per_second).fill_null(value=False)
    unit = "give the right time_unit (s, ms, us, ns; step where only the order counts), " if numbers else ""
    remedy = f'Check them, {unit}take them as they are with any_year=True, or set them aside with on_bad_row="quarantine".'
    problems += [(early & ~known, "is before 1990", remedy), (outside & ~early & ~known, "is in the future", remedy)]
    in_all = f"Check the dates, {unit}or take them as they are with any_year=True."
    if not numbers:
        in_all = "Take them as they are with any_year=True, or give time_unit='step' where only their order counts."
    must = "hold moments between 1990 and today"
    return [Problem(mask, must, fault, remedy=remedy, in_all=in_all) for mask, fault, remedy in problems if mask.any()]


def _outside(times: pl.Series, per_second: int, span: tuple[float, float]) -> pl.Series:
    low, high = (max(-(2**63), min(2**63 - 1, int(bound * per_second))) for bound in span)
    return ((times < low) | (times > high)).fill_null(value=False)


def _guess(exact: pl.Series, name: str, latest: float) -> tuple[GivenUnit, str]:
    """The unit of numbers by their magnitude, and a sentence on it."""
    middle = exact.cast(pl.Float64).median()
    for unit, per_second in PER_SECOND.items():
        if isinstance(middle, (int, float)) and EARLIEST * per_second <= middle <= latest * per_second:
            said = f"holds numbers and was read as {UNIT_NAMES[unit]} since 1970 (time_unit={unit!r})."
            return unit, f"Column {name!r} {said}"  # type: ignore[return-value]
    return "step", f"Column {name!r} holds whole numbers that are no moments since 1990: only their order is used (time_unit='step')."


def _precision(numbers: pl.Series, name: str) -> str:
    """What is lost where times were written in scientific notation: 1.70E+09 is exact to ten million."""
    digits = numbers.str.extract(r"[.,]([0-9]*)[eE]").fill_null("").str.len_chars().cast(pl.Int64)
    powers = (numbers.str.extract(r"[eE]\+?([0-9]+)$").cast(pl.Int64) - digits).drop_nulls()
    return (
        f"Column {name!r} holds numbers like {numbers[0]}, which tell moments apart by {10 ** max(0, min(powers.to_list())):,} at best: "
        "digits were lost when they were written."
    )


def _no_time(column: pl.Series) -> Problem:
    return Problem(column.is_null(), "hold a time in each row", "is empty", in_all="Name another column with time='...'.")
