"""Numbers written as text: with a decimal point or comma, in groups of thousands, in scientific notation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import polars as pl

from vitrina.base.errors import DataError, ParameterError
from vitrina.data.read.agree import agree

Decimal = Literal[".", ","]
SIGNS: tuple[Decimal, ...] = get_args(Decimal)
WHOLE = r"^(0|-?[1-9][0-9]{0,17})$"  # text that is the one way to write a whole number
PLAIN = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$"
WRITTEN = {  # what a number with this decimal sign may look like, besides the plain ones
    ".": r"^[+-]?[1-9][0-9]{0,2}(?:(?:,[0-9]{3})+|(?:[\s'’][0-9]{3})+)(?:\.[0-9]*)?$",
    ",": r"^[+-]?(?:[0-9]+,?[0-9]*|,[0-9]+|[1-9][0-9]{0,2}(?:(?:\.[0-9]{3})+|(?:[\s'’][0-9]{3})+)(?:,[0-9]*)?)(?:[eE][+-]?[0-9]+)?$",
}
ANY = "|".join((PLAIN, *WRITTEN.values()))
NO_NUMBER = r"(?i)^[+-]?(?:nan|inf|infinity)$"


def read_numbers(text: pl.Series, decimal: Decimal) -> pl.Series:
    """Float64 of text; null where it is no number with this decimal sign. "nan" and "inf" stay what they are.

    >>> read_numbers(pl.Series(["1 234,50", "1.234,5", "1e-05", "1.5"]), ",").to_list()
    [1234.5, 1234.5, 1e-05, None]
    """
    bare = text.str.strip_chars()
    if decimal == ".":
        values = bare.cast(pl.Float64, strict=False)
        left = (values.is_null() & bare.is_not_null()).arg_true()
        if not len(left):
            return values
        grouped = bare.gather(left)
        return values.scatter(left, grouped.set(~grouped.str.contains(WRITTEN["."]), None).str.replace_all(r"[\s'’,]", "").cast(pl.Float64))
    written = bare.str.contains(WRITTEN[","])
    plain = bare.str.replace_all(r"[\s'’.]", "").str.replace(",", ".", literal=True)
    odd = bare.str.contains(NO_NUMBER)
    return pl.select(pl.when(written).then(plain).when(odd).then(bare)).to_series().cast(pl.Float64, strict=False).alias(text.name)


@dataclass
class Numerals:
    """Reads the numbers of one text column, chunk after chunk, with one decimal sign for all.

    Args:
        decimal: the sign; None takes the one that all rows agree on.
        reread: the whole column from its beginning, for the look that this takes.
    """

    decimal: Decimal | None = None
    reread: Callable[[], Iterable[pl.Series]] | None = None
    note: str = ""  # what was decided, in a sentence; empty when nothing was
    _chunks: int = 0

    def __post_init__(self) -> None:
        if self.decimal is not None and self.decimal not in SIGNS:
            raise ParameterError(
                f"The 'decimal' must be '.' or ',', or None. Got {self.decimal!r}.", parameter="decimal", value=self.decimal
            )

    def read(self, text: pl.Series, name: str) -> pl.Series:
        """Float64, null where the text is no number.

        Raises:
            DataError: the rows don't agree on a decimal sign, or would agree on both.
        """
        if self.decimal is None:
            values = text.cast(pl.Float64, strict=False)
            if values.null_count() == text.null_count():
                self._chunks += 1
                return values
            odd = text.filter(values.is_null() & text.is_not_null()).str.strip_chars()
            odd = odd.filter(odd.str.contains("|".join(WRITTEN.values())) & ~odd.str.contains(PLAIN))
            if len(odd):
                self.decimal = self._agreed(text, name)
                self.note = decimal_note(name, odd[0], self.decimal)
            self._chunks += 1
        return read_numbers(text, self.decimal or ".")

    def _agreed(self, text: pl.Series, name: str) -> Decimal:
        found = agree([text] if self.reread is None else self.reread(), [partial(read_numbers, decimal=sign) for sign in SIGNS])
        if not found.sound:
            raise DataError(
                f"the column {name!r} mixes decimal points ({found.fails[1]!r}) and decimal commas ({found.fails[0]!r}). Write its numbers "
                'alike, or give decimal="." or decimal="," to read one kind and refuse the other.'
            )
        late = self._chunks > 0 and found.sound == [1]  # the chunks before were read with points
        doubt = found.differs.get((0, 1)) if late else found.doubt
        if doubt is not None:
            raise DataError(f"the column {name!r} {both_ways(doubt)} Give the right one.")
        return SIGNS[found.sound[0]]


def decimal_note(name: str, example: str, decimal: Decimal) -> str:
    """How the numbers of a column were read, in a sentence."""
    sign = "comma" if decimal == "," else "point"
    value = read_numbers(pl.Series([example]), decimal)[0]
    return f'Column {name!r} holds numbers with a decimal {sign}: {example!r} was read as {value!r} (decimal="{decimal}").'


def both_ways(text: str) -> str:
    """What a number would be with either sign."""
    point, comma = (read_numbers(pl.Series([text]), sign)[0] for sign in SIGNS)
    return f'holds numbers like {text!r}, which is {point!r} with decimal="." and {comma!r} with decimal=",".'
