"""What is known of the items of a log that goes on: each load may say it anew, and what it said before stays known as of then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import DataError, ParameterError
from vitrina.data.dataset import TimeUnit
from vitrina.data.features import FeatureKind, FeatureTable, plain_ids, table_ids
from vitrina.data.ingest.format import File, TableOf, write_file
from vitrina.data.read.clock import Clock, GivenUnit
from vitrina.data.read.date_column import DateColumn
from vitrina.data.read.numerals import Decimal, Numerals
from vitrina.data.read.sources import AS_FOUND
from vitrina.data.read.table_columns import typed_table
from vitrina.data.read.tables import coverage, id_column_of, read_table
from vitrina.data.read.text import TextOptions
from vitrina.data.split.summary import moment
from vitrina.data.versions import ALWAYS, Versions
from vitrina.types import Bool, Int64
from vitrina.vocabulary import Vocabulary


@dataclass(frozen=True)
class Told:
    """What a load says of items, and how that is read.

    Args:
        source: the table of items.
        column: the id column of the log; the table's is named so, or `item_id`.
        kinds: declared kinds of its columns.
        title: the column to show to people.
        valid_from: the column that says from when on a row holds, in dates or numbers; an item may have several rows then.
    """

    source: Any
    column: str
    kinds: Mapping[str, FeatureKind] | None = None
    title: str | None = None
    valid_from: str | None = None
    options: TextOptions = AS_FOUND
    decimal: Decimal | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any], column: str, valid_from: str | None) -> Told:
        """From the arguments of `read_interactions`."""
        options = TextOptions(encoding=given["encoding"])
        return cls(given["items"], column, given["item_kinds"], given["title"], valid_from, options, given["decimal"])

    def added(
        self, known: FeatureTable | None, items: Vocabulary, unit: TimeUnit | None, since: int
    ) -> tuple[FeatureTable, Vocabulary, str]:
        """The table with its versions after this load, the items with those that only the table has, and sentences on what was decided.

        A row that says what was known already is no version.

        Args:
            known: the table before it.
            since: from when on rows hold that don't say it themselves.

        Raises:
            DataError: a column is missing, or has another type than before; an item has two rows of one time.
            ParameterError: a column is declared to be of another kind than before.
        """
        label, frame, first = read_table(self.source, "items", self.options)
        id_column = id_column_of(frame, first, "items", self.column)
        try:
            begins = self._begins(frame, unit, since)
            frame = frame.drop(self.valid_from) if self.valid_from is not None else frame
            kinds = self._kinds(known)
            frame, kinds, decided = typed_table(frame, id_column, kinds, first, self.title, self.decimal)
            given = frame[id_column]
            ids = table_ids(given) if self.valid_from is None else _ids_once_per_time(given, begins)
            once = ids.unique(maintain_order=True)
            notes = coverage(given if self.valid_from is None else once, once, items, "items", label)
            rows = _typed(frame, id_column, kinds, self.title if known is None else known.title or self.title)
            notes += _require_same_columns(rows, known)
        except DataError as error:
            raise DataError(f"{label}: {error}") from None
        vocabulary = items.extended(ids)
        told = Versions(vocabulary.encode(ids), begins, rows.frame)
        versions, new = _joined(_past(known, len(items)), told, anew=self.valid_from is None)
        notes.append(_word(told, new, self.valid_from, since, unit))
        merged: dict[str, FeatureKind] = {**rows.kinds, **({} if known is None else known.kinds)}
        latest = versions.at(int(np.iinfo(np.int64).max), length=len(vocabulary))
        table = FeatureTable(latest, merged, rows.title, versions)
        return table, vocabulary, " ".join(part for part in (first.note, *notes, *decided) if part)

    def _begins(self, frame: pl.DataFrame, unit: TimeUnit | None, since: int) -> Int64:
        """(rows,) from when on each row holds."""
        if self.valid_from is None:
            return np.full(frame.height, since, np.int64)
        if unit is None:
            raise ParameterError(
                f"A 'valid_from' needs a log with times, and this one has none. Leave it out. Got {self.valid_from!r}.",
                parameter="valid_from",
            )
        if self.valid_from not in frame.columns:
            raise DataError(f"it has no column {self.valid_from!r} to be valid from. Its columns: {', '.join(frame.columns)}.")
        column = frame[self.valid_from]

        def again() -> Any:
            return iter([column.cast(pl.String)])

        step: GivenUnit | None = "step" if unit == "step" else None
        clock = Clock(step, any_year=True, dates=DateColumn(reread=again), numerals=Numerals(self.decimal, again))
        try:
            read = clock.read(column, self.valid_from)
        except DataError as error:
            raise DataError(f"{error} What a table is valid from is written as 2024-01-31, as 2024-01-31 18:30, or as a number.") from None
        for problem in read.problems:
            if problem.mask.any():
                at = int(problem.mask.arg_max() or 0)
                raise DataError(
                    f"the column {self.valid_from!r} must {problem.must}, but {problem.fault} in row {at + 1} ({column[at]!r})."
                )
        if (unit == "us") != clock.real:
            raise DataError(
                f"the column {self.valid_from!r} must hold times as the log has them, {'moments' if unit == 'us' else 'steps'}."
            )
        return read.values.to_numpy()

    def _kinds(self, known: FeatureTable | None) -> dict[str, FeatureKind]:
        """Declared kinds, and those that columns have since an earlier load."""
        before = {} if known is None else dict(known.kinds)
        for name, kind in (self.kinds or {}).items():
            if before.get(name, kind) != kind:
                raise ParameterError(
                    f"The column {name!r} of the items is of the kind {before[name]!r} since an earlier load. Leave its kind out, or ingest the "
                    f"whole log again. Got {kind!r}.", parameter="item_kinds",
                )  # fmt: skip
        return {**(self.kinds or {}), **before}


def _typed(frame: pl.DataFrame, id_column: str, kinds: Mapping[str, FeatureKind], title: str | None) -> FeatureTable:
    """The rows in their order, each column in the type of its kind."""
    number = pl.Series(id_column, np.arange(frame.height))
    return FeatureTable.of(frame.with_columns(number), id_column, Vocabulary(number), kinds=kinds, title=title)


def _ids_once_per_time(column: pl.Series, begins: Int64) -> pl.Series:
    ids = plain_ids(column)
    wrong = ids.is_null() | (ids.str.strip_chars() == "") | pl.DataFrame({"id": ids, "since": begins}).is_duplicated()
    if wrong.any():
        shown = ", ".join(f"{at + 1} ({column[at]!r})" for at in wrong.arg_true().head(3))
        raise DataError(f"the column {column.name!r} must hold each id once per time, and no empty ones. See rows {shown}.")
    return ids


def _require_same_columns(rows: FeatureTable, known: FeatureTable | None) -> list[str]:
    """Refuse a table that lacks a column of before, or has it in another type; a word on columns that are new."""
    if known is None:
        return []
    missing = [name for name in known.frame.columns if name not in rows.frame.columns]
    if missing:
        raise DataError(
            f"it has no column {', '.join(map(repr, missing))}, which the items have since an earlier load. Write it, empty where nothing is known."
        )
    for name, kind in known.frame.schema.items():
        new = rows.frame.schema[name]
        if new != kind and not (new.is_numeric() and kind.is_numeric()) and rows.frame[name].null_count() < rows.frame.height:
            raise DataError(
                f"the column {name!r} holds {new}, and {kind} since an earlier load. Write it as before, or ingest the whole log again."
            )
    new = [name for name in rows.frame.columns if name not in known.frame.columns]
    return [f"New columns of items: {', '.join(new)}; unknown of what was told before."] if new else []


def _past(known: FeatureTable | None, length: int) -> Versions | None:
    """The versions so far; a table that has none is one from the beginning, of the items that it says anything of."""
    if known is None or known.versions is not None:
        return None if known is None else known.versions
    said = (
        known.frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series() if known.frame.width else pl.Series([], dtype=pl.Boolean)
    )
    codes = said.head(length).arg_true().to_numpy().astype(np.int32)
    return Versions(codes, np.full(len(codes), ALWAYS), known.frame[codes.astype(np.int64)])


def _joined(past: Versions | None, told: Versions, *, anew: bool) -> tuple[Versions, Bool]:
    """All states, those told now behind, without the new ones that say what is known; and which of the told ones stayed.

    Args:
        anew: what is told is the state of now, so that one like the state before it is none. Else only what was told of that very time is known: a correction of
            the state before would change it too.
    """
    both, before = told, 0
    if past is not None:
        empty = [pl.col(name).cast(kind) for name, kind in past.frame.schema.items() if told.frame[name].null_count() == len(told)]
        frame = pl.concat([past.frame, told.frame.with_columns(empty)], how="diagonal_relaxed")
        both, before = Versions(np.append(past.codes, told.codes), np.append(past.since, told.since), frame), len(past)
    order = both.order
    follows = np.append(False, both.codes[order[1:]] == both.codes[order[:-1]])[: len(order)]
    if not anew:
        follows &= np.append(False, both.since[order[1:]] == both.since[order[:-1]])[: len(order)]
    if both.frame.width:
        in_order = both.frame[order]
        follows &= in_order.select(pl.all_horizontal(pl.all().eq_missing(pl.all().shift()))).to_series().to_numpy()
    keep = np.ones(len(both), bool)
    keep[order[follows]] = False
    keep[:before] = True
    return both.select(keep), keep[before:]


def _word(told: Versions, new: Bool, valid_from: str | None, since: int, unit: TimeUnit | None) -> str:
    """How many versions came."""
    count = f"{int(new.sum()):,} of {len(told):,} rows on items say something new"
    if valid_from is not None:
        return f"{count}, from the time in {valid_from!r} on."
    return f"{count}, from {'the beginning' if since == ALWAYS else moment(since, unit)} on."


def table_of(folder: Path, table: FeatureTable, load: int) -> TableOf:
    """Write the table of items of a load, with its versions where it has them."""

    def write(what: str, frame: pl.DataFrame) -> File:
        return write_file(folder, f"items/{what}-{load:05}.parquet", frame)

    versions = None if table.versions is None else write("versions", table.versions.table())
    return TableOf(dict(table.kinds), table.title, write("table", table.frame), versions)
