"""Dates written as text: the forms that are known, and how a column of one form is read."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from vitrina.base.errors import ParameterError

ISO = "%Y-%m-%d"
TIMES = (" %H:%M:%S", " %H:%M", "", " %H:%M:%S%.f", " %I:%M %p", " %I:%M:%S%.f %p", " %H.%M", " %H.%M.%S%.f", " %I.%M.%S%.f %p")
DIGIT_TIMES = ("%H%M%S", "%H%M", " %H%M%S", " %H%M")  # after a date that is digits alone
SAMPLE = 1000  # rows that tell which forms are worth trying
YEAR_1000 = -30_610_224_000 * 10**6  # a %Y that took two digits for a year is before it
# Forms of one line are written with the same signs: only the values tell them apart.
RIVALS: tuple[tuple[str, ...], ...] = (
    (ISO,), ("%Y%m%d",),
    *(tuple(order.replace("/", sign) for order in orders) for sign in "/.- " for orders in (
        ("%d/%m/%Y", "%m/%d/%Y"), ("%d/%m/%y", "%m/%d/%y", "%y/%m/%d"), ("%Y/%m/%d",),
        ("%d/%B/%Y",), ("%d/%B/%y",), ("%B/%d/%Y",), ("%B/%d/%y",), ("%Y/%B/%d",),
    )),
    ("%Y-%m",), ("%Y/%m",),
)  # fmt: skip
ZONES = {"Z": 0, "UTC": 0, "GMT": 0, "UT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
OFFSET = r"(?i)^(.*?(?::\d\d(?:\.\d+)?| \d{4,6})(?: [AP]M)?) ?((?:UTC|GMT)?[+-]\d\d(?::?\d\d)?)$"
ZONE = rf"(?i)^(.*\d(?: [AP]M)?) ?({'|'.join(ZONES)})$"
CLEANING = (  # what is written around a date, made alike
    (r"(:\d\d),(\d)", "$1.$2"),  # seconds with a decimal comma
    (r"[\s,]+", " "),
    (r"(?i)^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.? ", ""),
    (r"(\d)T(\d)", "$1 $2"),
    (r"^(\S+\d{4}):(\d)", "$1 $2"),  # 31/Dec/2024:14:05:33
    (r"(?i)(\d) ?([ap])\.? ?m\b\.?", "$1 ${2}M"),
    (r" ?[(\[].*[)\]]$", ""),  # the name of a zone beside its offset
    (r"^(\S+ \d+) (\d+:[\d:.]+)( \S+)? (\d{4})$", "$1 $4 $2$3"),  # Dec 31 14:05:33 UTC 2024
)


class Times(NamedTuple):
    """What was read."""

    values: pl.Series  # microseconds since 1970 in UTC, null where the text isn't of the form
    moved: bool  # whether some had a zone other than UTC


@dataclass(frozen=True)
class DateForm:
    """One way to write a date, with or without a time of day and a zone behind it.

    Args:
        date: strptime codes of the date.
        tails: strptime codes of what may follow.
    """

    date: str
    tails: tuple[str, ...] = TIMES

    @classmethod
    def of(cls, given: str) -> DateForm:
        """The form that strptime codes describe; rows may be shorter than they say (no seconds, no time of day).

        Raises:
            ParameterError: the codes don't make a date.

        >>> DateForm.of("%d/%m/%Y %H:%M").date
        '%d/%m/%Y'
        """
        text = _plain_codes(given) if isinstance(given, str) else ""
        date, time_of_day = re.fullmatch(r"(.*?)(\s*%[HI].*)?", text, re.DOTALL).groups()  # type: ignore[union-attr]
        tails = _tails(date)
        form = cls(date, tails) if (time_of_day or "") in {t.replace("%S%.f", "%S") for t in tails} else cls(text, ("",))
        moment = pl.Series([datetime(2024, 12, 31)])
        try:
            sound = form.read(moment.dt.to_string(form.date + form.tails[0])).values.null_count() == 0
        except (pl.exceptions.PolarsError, ValueError):
            sound = False
        if not sound or "%" not in text:
            raise ParameterError(
                f"The 'time_format' must describe a date with strptime codes, such as '%d.%m.%Y %H:%M' for 31.12.2024 14:05. Got {given!r}.",
                parameter="time_format",
                value=given,
            )
        return form

    def read(self, text: pl.Series) -> Times:
        """Times of a text column.

        Cost: a third of a microsecond a row where all are written alike, some microseconds where zones or names of days stand in them.
        """
        bare = text.str.strip_chars()
        quick = bare.str.replace("T", " ", literal=True).str.strip_suffix("Z").str.strip_suffix(" UTC")
        sample = quick.drop_nulls().head(100)
        counts = {tail: len(sample) - self.parse(sample, [tail]).null_count() for tail in self.tails}
        values = self.parse(quick, sorted((t for t in self.tails if counts[t]), key=lambda t: -counts[t]))
        left = (values.is_null() & text.is_not_null()).arg_true()
        if not len(left):
            return Times(values, moved=False)
        clean, offset = _cleaned(bare.gather(left))
        found = self.parse(clean) - offset
        return Times(values.scatter(left, found), moved=bool(((offset != 0) & found.is_not_null()).any()))

    def codes(self, text: str) -> str:
        """The strptime codes that read this text."""
        clean, _ = _cleaned(pl.Series([text.strip()]))
        tail = next((t for t in self.tails if self.parse(clean, [t]).null_count() == 0), "")
        return (self.date + tail).replace("%.f", "")

    def parse(self, text: pl.Series, tails: Sequence[str] | None = None) -> pl.Series:
        """Microseconds of text without a zone; each tail is tried on the rows that the ones before it could not read."""
        values = pl.Series(text.name, [None], dtype=pl.Int64).new_from_index(0, len(text))
        left = text.is_not_null().arg_true()
        for tail in self.tails if tails is None else tails:
            part = text if len(left) == len(text) else text.gather(left)
            parsed = part.str.to_datetime(self.date + tail, strict=False, time_unit="us").to_physical().cast(pl.Int64)
            parsed = self._sound(parsed)
            values = parsed if len(left) == len(text) else values.scatter(left, parsed)
            if not parsed.null_count():
                break
            left = left.filter(parsed.is_null())
        return values

    def _sound(self, times: pl.Series) -> pl.Series:
        """Years of four digits where four were meant, and two digits never for a year to come."""
        if "%y" in self.date:
            return times.set(times >= _microseconds(datetime(time.gmtime().tm_year + 1, 1, 1)), None)
        least = times.min()
        return times.set(times < YEAR_1000, None) if isinstance(least, int) and least < YEAR_1000 else times


def rivals_of(text: pl.Series) -> list[DateForm]:
    """The forms that most of the first rows can be read in; several where only the values tell them apart, none where no form fits.

    >>> [form.date for form in rivals_of(pl.Series(["3/4/2024", "5/4/2024"]))]
    ['%d/%m/%Y', '%m/%d/%Y']
    """
    sample, _ = _cleaned(text.drop_nulls().head(SAMPLE).str.strip_chars())
    best: list[DateForm] = []
    most = len(sample) // 2
    for dates in RIVALS:
        forms = [DateForm(date, _tails(date)) for date in dates]
        unread = pl.Series([True]).new_from_index(0, len(sample))
        for form in forms:
            unread &= form.parse(sample).is_null()
        count = len(sample) - int(unread.sum())
        if count > most:
            best, most = forms, count
        if count == len(sample):
            break
    return best


def moment_text(microseconds: int) -> str:
    """A moment in plain ISO, without a time of day at midnight.

    >>> moment_text(1_735_653_900_000_000)
    '2024-12-31 14:05'
    """
    moment = datetime(1970, 1, 1) + timedelta(microseconds=microseconds)
    text = moment.isoformat(" ")
    return text[:10] if text[10:] == " 00:00:00" else text.removesuffix(":00")


def _tails(date: str) -> tuple[str, ...]:
    return DIGIT_TIMES + TIMES if date == "%Y%m%d" else ("",) if date in ("%Y-%m", "%Y/%m") else TIMES


def _cleaned(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The same dates in plain writing without zones, and the microseconds that their clocks are ahead of UTC."""
    for pattern, plain in CLEANING:
        text = text.str.replace_all(pattern, plain)
    zone = text.str.extract(OFFSET, 2).fill_null(text.str.extract(ZONE, 2))
    names = zone.drop_nulls().unique()
    if not len(names):
        return text, pl.Series([0]).new_from_index(0, len(text))
    ahead = zone.replace_strict(names, [_ahead(name) * 10**6 for name in names], default=0, return_dtype=pl.Int64)
    return text.str.replace(OFFSET, "$1").str.replace(ZONE, "$1"), ahead


def _ahead(zone: str) -> int:
    """Seconds that a zone is ahead of UTC."""
    plain = zone.upper()
    if plain in ZONES:
        return ZONES[plain] * 3600
    sign, digits = (-1 if "-" in plain else 1), re.sub(r"\D", "", plain)
    return sign * (int(digits[:2]) * 3600 + int(digits[2:] or 0) * 60)


def _plain_codes(given: str) -> str:
    """The codes of what cleaning leaves of a date in the given form."""
    codes = re.sub(r"%[-_#]([dmHIMSyj])", r"%\1", given.strip())
    for code, same in (("%h", "%B"), ("%b", "%B"), ("%e", "%d"), ("%T", "%H:%M:%S"), ("%R", "%H:%M"), ("%F", ISO), ("%D", "%m/%d/%y")):
        codes = codes.replace(code, same)
    codes = re.sub(r"%S(?:[.,]%[0-9]?f|%\.[0-9]?f)", "%S", codes)
    codes = re.sub(r"[\s,]+", " ", codes)
    codes = re.sub(r"^%[aA]\.? ", "", codes)
    codes = re.sub(rf"(?<=%[SMp]) ?(%[:#]{{0,2}}z|%Z|{'|'.join(ZONES)}|[+-]\d\d:?\d\d)(?= |$)", "", codes)
    codes = re.sub(r"(?<=[dmyYB])[T:](?=%[HI])", " ", codes)
    codes = re.sub(r"(?<=[SM]) ?%[pP]", " %p", codes)
    return re.sub(r"^(\S+ %d) (%[HI]\S+(?: %p)?) (%Y)$", r"\1 \3 \2", codes)


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)
