"""The texts of items, as sentences that can be cited."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from vitrina.answers.nouns import Sentence
from vitrina.answers.reading import clean, sentences_of, terms
from vitrina.base.arrays import Int32
from vitrina.base.errors import DataError, ParameterError, UnknownNameError
from vitrina.vocabulary import Vocabulary

PROSE = 6  # words of a value, in the median, from which on a column is prose and not an attribute
LOOKED = 200  # values by which that is decided
COUNTED = 20_000  # items, evenly over the table, whose words are counted
MOST = 40  # sentences of one item
TITLES = ("title", "name", "product_name", "item_name")
IDS = ("item_id", "id", "_id", "product_id", "sku")


@dataclass(frozen=True)
class ItemTexts:
    """A table of items: what is said of each, column by column.

    Args:
        vocabulary: of the search; its codes find the rows.
        table: the columns that are read.
        rows: (items,) the row of each code; -1 where the table has none.
        title: the column that names an item.
        prose: columns of sentences; the others are attributes, and read "colour: red".
    """

    vocabulary: Vocabulary
    table: pl.DataFrame
    rows: Int32
    title: str
    prose: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(
        cls, table: Any, vocabulary: Vocabulary, *, id: str | None = None, title: str | None = None, columns: Sequence[str] | None = None
    ) -> ItemTexts:
        """Read a table.

        Args:
            table: a Polars frame, or what Polars makes one of: a pandas or Arrow table, columns by name.
            vocabulary: of the search.
            id: the column of ids; found by its name where it is a usual one.
            title: the column of names; likewise, else the first one of text.
            columns: that are read, in their order; all but the ids, where none are named.

        Raises:
            ParameterError: the table has no such column, or none of ids that can be found.
            DataError: an id stands twice.
        """
        frame = _frame(table)
        id = _column(frame, id, IDS, "id")
        chosen = [name for name in frame.columns if name != id] if columns is None else list(columns)
        for name in chosen:
            _known(frame, name, "columns")
        texts = [name for name in chosen if frame[name].dtype == pl.String]
        if not chosen or (title is None and not texts):
            raise ParameterError(
                f"Items need a column of text that can be cited. The table has: {', '.join(frame.columns)}.", parameter="columns"
            )
        named = title if title is not None else next((name for name in TITLES if name in texts), texts[0])
        _known(frame, named, "title")
        chosen = chosen if named in chosen else [named, *chosen]
        codes = vocabulary.encode(frame[id])
        if len(np.unique(codes[codes >= 0])) < (codes >= 0).sum():
            twice = frame[id].filter(frame[id].is_duplicated())[0]
            raise DataError(
                f"The ids of items must be different, so that a citation leads to one. {twice!r} stands twice in the column {id!r}."
            )
        rows = np.full(len(vocabulary), -1, np.int32)
        rows[codes[codes >= 0]] = np.flatnonzero(codes >= 0)
        return cls(
            vocabulary, frame.select(chosen), rows, named, frozenset(name for name in texts if name != named and _is_prose(frame[name]))
        )

    def title_of(self, code: int) -> str:
        """The name of an item; its id where it has none."""
        row = int(self.rows[code])
        value = None if row < 0 else self.table[self.title][row]
        return " ".join(clean(str(value)).split()) if value is not None else str(self.vocabulary.ids[code])

    def columns_of(self, code: int) -> list[tuple[str, list[str]]]:
        """What is said of an item: its columns with their sentences, as they may be cited. Empty where the table doesn't have it."""
        row = int(self.rows[code])
        if row < 0:
            return []
        values = self.table.row(row, named=True)
        said = ((name, self._sentences(name, value)) for name, value in values.items())
        return [(name, sentences) for name, sentences in said if sentences]

    def _sentences(self, name: str, value: Any) -> list[str]:
        value = ", ".join(map(str, value)) if isinstance(value, list) else "yes" if value is True else "no" if value is False else value
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return []
        text = clean(f"{value:.10g}" if isinstance(value, float) else str(value))
        if name in self.prose:
            return sentences_of(text)[:MOST]
        line = " ".join(text.split())
        return [line if name == self.title else f"{name.replace('_', ' ')}: {line}"] if line else []

    @cached_property
    def frequencies(self) -> tuple[Counter[str], int]:
        """In how many items each stem stands, and of how many; of at most 20,000 items, evenly over the table."""
        at = np.unique(np.linspace(0, self.table.height - 1, min(self.table.height, COUNTED)).astype(np.int64)) if self.table.height else []
        part = self.table[at] if self.table.height else self.table
        counts: Counter[str] = Counter()
        for values in part.iter_rows(named=True):
            counts.update({stem for name, value in values.items() for line in self._sentences(name, value) for stem in terms(line)})
        return counts, max(part.height, 1)

    def weight(self, stem: str) -> float:
        """How much a word tells: log(1 + (n - df + 0.5) / (df + 0.5)), the weight of BM25."""
        counts, of = self.frequencies
        return math.log1p((of - counts[stem] + 0.5) / (counts[stem] + 0.5))


def as_sentences(item: Any, place: int, said: Sequence[tuple[str, Sequence[str]]]) -> tuple[Sentence, ...]:
    """The sentences of an item with what they are called in a context."""
    lines = [(column, line) for column, own in said for line in own][:MOST]
    return tuple(Sentence(f"{place}.{number}", item, column, line) for number, (column, line) in enumerate(lines, 1))


def _frame(table: Any) -> pl.DataFrame:
    if isinstance(table, pl.DataFrame):
        return table
    try:
        return pl.DataFrame(table)
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"The items must be a table: a Polars, pandas or Arrow one, or columns by name. Got a {type(table).__name__}: {error}"
        ) from None


def _column(frame: pl.DataFrame, name: str | None, usual: Sequence[str], parameter: str) -> str:
    if name is not None:
        _known(frame, name, parameter)
        return name
    found = next((own for own in usual if own in frame.columns), None)
    if found is None:
        raise ParameterError(
            f"Name the column of ids as {parameter!r}: the table has {', '.join(frame.columns)}, none of which is called {' or '.join(usual)}.",
            parameter=parameter,
        )
    return found


def _known(frame: pl.DataFrame, name: str, parameter: str) -> None:
    if name not in frame.columns:
        raise UnknownNameError.of(f"column of the items for {parameter!r}", name, frame.columns)


def _is_prose(values: pl.Series) -> bool:
    there = values.drop_nulls()[:LOOKED]
    return len(there) > 0 and float(np.median([len(str(value).split()) for value in there])) >= PROSE
