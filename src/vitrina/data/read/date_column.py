"""A column of dates written as text: its form is given, or the one that all its rows agree on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from vitrina.base.errors import DataError
from vitrina.data.columns import Problem, shown
from vitrina.data.read.agree import agree
from vitrina.data.read.dates import ISO, DateForm, moment_text, rivals_of

ZONE_NAME = r"^(.*\d) ?([A-Za-z]{2,}(?:/[A-Za-z_/]+)?)$"
DIGITS = DateForm("%Y%m%d", ("", "%H%M", "%H%M%S"))  # dates that are whole numbers


@dataclass
class DateColumn:
    """Reads the dates of one text column, chunk after chunk, in one form for all.

    Args:
        given: strptime codes of the form; None takes the one that all rows agree on.
        reread: the whole column from its beginning, for the look that telling the day from the month takes.
    """

    given: str | None = None
    reread: Callable[[], Iterable[pl.Series]] | None = None
    form: DateForm | None = None
    notes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.given is not None:
            self.form = DateForm.of(self.given)

    def read(self, text: pl.Series, name: str) -> tuple[pl.Series, list[Problem]]:
        """Microseconds since 1970 in UTC, and the rows that are no such date.

        Raises:
            DataError: the rows have no form that is known, or don't tell the day from the month.
        """
        if self.form is None:
            self.form = self._recognised(text, name)
        times, moved = self.form.read(text)
        if moved:
            self.notes["zone"] = f"Times of {name!r} with a zone were converted to UTC."
        return times, [self._no_date(text, times)] if times.null_count() > text.null_count() else []

    def take_digits(self, numbers: pl.Series, name: str) -> None:
        """From here on dates are digits, like 20240131; which is said where nobody gave it."""
        if self.form is None:
            self.form = DIGITS
            first = str(numbers.drop_nulls()[0])
            read = f"{first} was read as {moment_text(DIGITS.read(pl.Series([first])).values[0])}"
            self.notes["form"] = f'Column {name!r} holds dates written as digits: {read} (time_format="{DIGITS.codes(first)}").'

    def _recognised(self, text: pl.Series, name: str) -> DateForm:
        forms = rivals_of(text)
        if not forms:
            raise DataError(unknown_form(text, name))
        found, example = (forms[0], None) if len(forms) == 1 else self._agreed(text, name, forms)
        if found.date != ISO:
            sample = text.drop_nulls().head(1000)
            example = example or sample.filter(found.read(sample).values.is_not_null())[0]
            read = f"{example!r} was read as {moment_text(found.read(pl.Series([example])).values[0])}"
            self.notes["form"] = f'Column {name!r} holds dates: {read} (time_format="{found.codes(example)}").'
        return found

    def _agreed(self, text: pl.Series, name: str, forms: Sequence[DateForm]) -> tuple[DateForm, str | None]:
        """The form that reads all rows, and a row that another one can't read."""
        chunks = [text] if self.reread is None else self.reread()
        agreement = agree((c for c in chunks if c.dtype == pl.String), [lambda chunk, form=form: form.read(chunk).values for form in forms])
        if not agreement.sound:
            first, other = (str(agreement.fails[k]) for k in (1, 0))
            raise DataError(
                f"the column {name!r} has the day first in some rows and the month first in others: {first!r} and {other!r}. "
                f'Write its dates alike, or give the form to read with time_format="{forms[0].codes(first)}" or "{forms[1].codes(other)}".'
            )
        sound = [forms[k] for k in agreement.sound]
        if agreement.doubt is not None:
            doubt = agreement.doubt
            ways = [f'{_in_words(form, doubt)} with time_format="{form.codes(doubt)}"' for form in sound]
            raise DataError(
                f"the column {name!r} doesn't tell the day from the month in any row: {doubt!r} is {', or '.join(ways)}. Give the right one."
            )
        return sound[0], next((row for row in agreement.fails if row is not None), None)

    def _no_date(self, text: pl.Series, times: pl.Series) -> Problem:
        wrong = times.is_null() & text.is_not_null()
        example = shown(text.filter(wrong)[0])
        if self.given is not None:
            near = rivals_of(text.filter(wrong))
            like = " or ".join(f'"{form.codes(text.filter(wrong)[0])}"' for form in near)
            in_all = f"Give time_format={like}, or leave it out." if near else "Check it against these rows."
            return Problem(wrong, f'hold dates of the form time_format="{self.given}"', "holds no such date", example, in_all=in_all)
        assert self.form is not None
        like = "ISO dates like 2024-01-31 or 2024-01-31 18:30:00"
        if self.form.date != ISO:
            good = text.filter(times.is_not_null()).head(1)
            like = f"dates like {good[0] if len(good) else self.form.date}, as its other rows"
        return Problem(wrong, f"hold {like}", "holds no such date", example, in_all="Write all files alike.")


def unknown_form(text: pl.Series, name: str) -> str:
    """What to say of a column in no known form."""
    examples = text.drop_nulls().unique(maintain_order=True).head(2).to_list()
    what = (
        f"the column {name!r} must hold times, and what it holds looks like none that is known: {' and '.join(shown(t) for t in examples)}."
    )
    bare = text.str.strip_chars().str.replace(ZONE_NAME, "$1")
    near, zone = rivals_of(bare), re.fullmatch(ZONE_NAME, examples[0].strip())
    if near and zone:
        codes = f"{near[0].codes(zone[1])} {zone[2]}"
        return f'{what} Write the zone {zone[2]!r} as an offset like +03:00, or take the times as they are with time_format="{codes}".'
    if text.str.contains(r"[^\x00-\x7f]").any():
        what += " Names of months are read in English."
    like = 'Describe the form, as time_format="%d.%m.%Y %H:%M" does for 31.12.2024 14:05'
    return f"{what} {like}, or name another column with time='...'."


def _in_words(form: DateForm, text: str) -> str:
    """'3 April 2024'."""
    moment = form.read(pl.Series([text])).values.cast(pl.Datetime("us"))[0]
    return f"{moment.day} {moment:%B} {moment.year}"
