"""Tables that describe items or users: read whole, typed, and laid beside a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from vitrina.base.errors import DataError, UnknownNameError
from vitrina.base.ids import ALIKE, alike, whole_numbers
from vitrina.data.features import FeatureKind, FeatureTable, table_ids
from vitrina.data.read.ids import rewritten_note
from vitrina.data.read.numerals import Decimal
from vitrina.data.read.sources import AS_FOUND, CsvFile, Source, find_sources
from vitrina.data.read.table_columns import typed_table
from vitrina.data.read.text import TextOptions
from vitrina.data.read.validate import refuse_broken
from vitrina.vocabulary import Vocabulary


def read_features(
    source: Any,
    what: str,
    column: str,
    vocabulary: Vocabulary,
    kinds: Mapping[str, FeatureKind] | None,
    title: str | None,
    options: TextOptions = AS_FOUND,
    decimal: Decimal | None = None,
) -> tuple[FeatureTable, Vocabulary, str]:
    """A table of `what` ("items" or "users"), the vocabulary that it is aligned with, and a sentence on how many it covers.

    Items of the table without an event are appended to the vocabulary: what is new in the shop can be recommended by its content.

    Args:
        column: the id column of the log; the table's is named so, or `item_id` (`user_id`).
        decimal: the decimal sign of a column of numbers as text that would fit both.

    Raises:
        DataError: the id column is missing or repeats an id, a column doesn't hold its declared kind, or numbers among words.
        UnknownNameError: a declared kind or the title names no column.
    """
    read = read_typed(source, what, column, kinds, title, options, decimal)
    frame, ids, label = read.frame, read.ids, read.label
    try:
        notes = coverage(frame[read.id_column], ids, vocabulary, what, label)
        known = vocabulary.extended(ids) if what == "items" else vocabulary
        table = FeatureTable.of(frame, read.id_column, known, kinds=read.kinds, title=title)
    except DataError as error:
        raise DataError(f"{label}: {error}") from None
    if known.ids.dtype != vocabulary.ids.dtype:
        odd = ids.filter(whole_numbers(ids).is_null())[0]
        notes.append(f"All ids of {what} were taken as text, as not all in {label} are whole numbers (the first other is {odd!r}).")
    return table, known, " ".join(part for part in (read.source.note, *notes, *read.decisions) if part)


class TableRead(NamedTuple):
    """A table of items or users that isn't aligned with a vocabulary yet."""

    label: str
    source: Source
    frame: pl.DataFrame
    id_column: str
    ids: pl.Series  # as text
    kinds: Mapping[str, FeatureKind]  # that are known of columns
    decisions: list[str]  # in sentences


def read_typed(
    source: Any, what: str, column: str, kinds: Mapping[str, FeatureKind] | None, title: str | None, options: TextOptions, decimal: Decimal | None
) -> TableRead:  # fmt: skip
    """A table of `what` with typed columns: see `read_features`."""
    label, frame, first = read_table(source, what, options)
    id_column = id_column_of(frame, first, what, column)
    for name in [*(kinds or {}), *([] if title is None else [title])]:
        if name not in frame.columns:
            raise UnknownNameError.of(f"column of {label}", name, frame.columns)
    try:
        typed, known, decisions = typed_table(frame, id_column, kinds or {}, first, title, decimal)
        return TableRead(label, first, typed, id_column, table_ids(typed[id_column]), known, decisions)
    except DataError as error:
        raise DataError(f"{label}: {error}") from None


def id_column_of(frame: pl.DataFrame, source: Source, what: str, column: str) -> str:
    """The column of a table that has the ids: named as in the log, or as usual."""
    usual = "item_id" if what == "items" else "user_id"
    found = next((name for name in (column, usual) if name in frame.columns), None)
    if found is not None:
        return found
    label, above = source.label, ""
    if isinstance(source, CsvFile):
        above = source.format.separator.join([column, *(f"column{k}" for k in range(2, len(frame.columns) + 1))])
        if source.format.headless:
            raise DataError(
                f"{label} has no header: its first line looks like data. Put a line with the names of the columns above it: {above!r}."
            )
        above = f" If its first line is data, put one with the names of the columns above it: {above!r}."
    columns = ", ".join(frame.columns)
    raise DataError(
        f"{label} has no column {column!r} (or {usual!r}) with the ids of {what}. Rename that one. Its columns: {columns}.{above}"
    )


def read_table(source: Any, what: str, options: TextOptions) -> tuple[str, pl.DataFrame, Source]:
    """What messages call a table, its rows, and the first of its files."""
    sources = find_sources(source, f"the table of {what}", options)
    frames = [_whole(one) for one in sources]
    columns = frames[0].columns
    for one, frame in zip(sources, frames, strict=True):
        if set(frame.columns) != set(columns):
            raise DataError(f"{one.label} has other columns than {sources[0].label}. Give all files the same columns.")
    try:
        return sources[0].label, pl.concat([f.select(columns) for f in frames], how="vertical_relaxed"), sources[0]
    except pl.exceptions.PolarsError as error:
        raise DataError(f"The files of {what} differ in the types of their columns: {str(error).splitlines()[0]}.") from None


def _whole(source: Source) -> pl.DataFrame:
    parts = []
    for chunk in source.chunks(source.columns):
        if chunk.broken:
            refuse_broken(source, chunk.broken, can_quarantine=False)
        parts.append(chunk.frame)
    if not parts or not sum(part.height for part in parts):
        raise DataError(f"{source.label} has no rows. Leave it out, or write it again.")
    return pl.concat(parts)


def coverage_of_users(read: TableRead, users: int, described: int) -> str:
    """What is said of a table of people where the ids of the log are not at hand as a whole.

    Raises:
        DataError: it describes nobody.
    """
    if not described:
        raise DataError(
            f"{read.label}: it describes none of the users of the log (its first id is {read.ids[0]!r}). Write ids as in the log."
        )
    return " ".join(
        [read.source.note, *_how_many(users, described, len(read.ids) - described, "users", read.label), *read.decisions]
    ).strip()


def _how_many(known: int, described: int, strange: int, what: str, label: str) -> list[str]:
    """How many ids of the log have no row, and how many rows no event."""
    notes = []
    if missing := known - described:
        notes.append(f"{missing:,} of {known:,} {what} have no row in {label}")
    if strange:
        only = ", which only models of content can recommend" * (what == "items")
        notes.append(f"{strange:,} of its rows describe {what} without an event{only}")
    return [f"{'; '.join(notes)}."] if notes else []


def coverage(column: pl.Series, ids: pl.Series, vocabulary: Vocabulary, what: str, label: str) -> list[str]:
    """Sentences on how the ids of a table and those of the log meet."""
    codes = vocabulary.encode(ids)
    described = int((codes >= 0).sum())
    strange = ids.filter(pl.Series(codes < 0))
    twins = alike(strange, vocabulary.as_text().ids) if len(strange) else None
    if not described:
        like = "" if twins is None else f" {twins.id!r} looks like {twins.known!r} of the log but for {ALIKE}: write ids as in the log."
        raise DataError(f"it describes none of the {what} of the log (its first id is {ids[0]!r}, the log's {vocabulary.ids[0]!r}).{like}")
    notes = _how_many(len(vocabulary), described, len(strange), what, label)
    if twins is not None:
        notes.append(
            f"In {twins.total:,} of its rows the id looks like one of the log but for {ALIKE} ({twins.id!r} and {twins.known!r}): "
            f"such a row describes another of the {what}. Write ids as in the log if it should not."
        )
    if column.dtype == pl.String and (changed := column.filter(column != ids)).len():
        notes.append(rewritten_note(len(changed), changed[0], f"{what} in {label}"))
    return notes
