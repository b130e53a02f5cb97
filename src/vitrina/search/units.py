"""Quantities: numbers with units, written in one way whoever wrote them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import final

import polars as pl

from vitrina.base.config import Config
from vitrina.base.errors import UnknownNameError
from vitrina.base.state import State
from vitrina.search.reading import Change, Reading

NAME = "units"
UNITS: Mapping[str, tuple[str, str, str]] = {  # what it is written as in the end, times how many, and how people write it
    "mm": ("мм", "1", "мм|mm|миллиметров|миллиметра|миллиметр"),
    "cm": ("мм", "10", "см|cm|сантиметров|сантиметра|сантиметр"),
    "m": ("мм", "1000", "м|m|метров|метра|метр"),
    "inch": ("мм", "25.4", "\"|''|″|”|дюймов|дюйма|дюйм|inches|inch"),
    "ml": ("мл", "1", "мл|ml|миллилитров|миллилитра"),
    "l": ("мл", "1000", "л|l|литров|литра|литр|liter|litre|liters|litres"),
    "g": ("г", "1", "гр|г|g|граммов|грамм|грамма"),
    "kg": ("г", "1000", "кг|kg|килограммов|килограмма|килограмм"),
    "mb": ("мб", "1", "мб|mb|мегабайт|мегабайта"),
    "gb": ("гб", "1", "гб|gb|гигабайт|гигабайта|гиг"),
    "tb": ("тб", "1", "тб|tb|терабайт|терабайта"),
    "w": ("вт", "1", "вт|w|watt|watts|ватт|ватта"),
    "kw": ("вт", "1000", "квт|kw|киловатт|киловатта"),
    "mah": ("мач", "1", "мач|мaч|mah"),
    "hz": ("гц", "1", "гц|hz|герц"),
    "pieces": ("шт", "1", "шт|штук|штуки|pcs"),
}
NUMBER = r"(?<![\w.,])(\d{1,9}(?:[.,]\d{1,4})?)"
BY_UNIT = {way: (unit, Decimal(times)) for unit, times, ways in UNITS.values() for way in ways.split("|")}
PATTERN = re.compile(rf"{NUMBER}\s*({'|'.join(sorted(map(re.escape, BY_UNIT), key=len, reverse=True))})\.?(?!\w)", re.IGNORECASE)


@final
class Units(Config):
    """Writes a number and its unit as one word, in the smallest unit that people use: "16 gb", "16GB" and "16 ГБ" are "16гб", "1,5 л" is "1500мл", 15.6" and "39.6 см" are "396мм".

    The same must be done to what is searched in, `on(table, columns)` before the index is built: else the word is in no item. A quantity is then one word that must be right as
    a whole, and 16 gigabytes no longer find 16 inches. Gigabytes stay what they are, as a terabyte is 1,000 of them for some and 1,024 for others.

    >>> Units().read("Ноутбук 15.6\\" 16 ГБ, 1,5 кг").text
    'Ноутбук 396мм 16гб, 1500г'
    """

    def read(self, text: str) -> Reading:
        """The text with quantities in one form."""
        changes: list[Change] = []

        def put(match: re.Match[str]) -> str:
            new = canonical(match.group(1), match.group(2))
            if new != match.group():
                changes.append(Change(NAME, match.group(), new))
            return new

        return Reading(PATTERN.sub(put, text), tuple(changes))

    def on(self, table: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
        """A table of items with quantities in one form in these columns of text: for an index, not for people.

        Raises:
            UnknownNameError: there is no such column; lists the closest.
        """
        for name in columns:
            if name not in table.columns:
                raise UnknownNameError.of("column of the table of items", name, table.columns)
        return table.with_columns(
            pl.Series(name, [None if text is None else self.read(text).text for text in table[name].cast(pl.String)], pl.String)
            for name in columns
        )

    def state(self) -> State:
        return State()

    @classmethod
    def of_state(cls, state: State) -> Units:
        return cls()


def canonical(number: str, unit: str) -> str:
    """A quantity as one word of a whole number and a unit; a fraction that stays is written with a p, as 2p5.

    >>> canonical("1,5", "л"), canonical("2.5", "ГБ")
    ('1500мл', '2p5гб')
    """
    to, times = BY_UNIT[unit.lower()]
    value = Decimal(number.replace(",", ".")) * times
    whole = value.to_integral_value() if to == "мм" else value.normalize()
    return f"{whole:f}".replace(".", "p") + to
