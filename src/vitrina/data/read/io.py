"""Reading a log: files or tables in, a Dataset out, with every decision and every bad row accounted for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from vitrina.base.errors import ParameterError
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureKind
from vitrina.data.read.clock import GivenUnit
from vitrina.data.read.numerals import Decimal
from vitrina.data.read.reader import LogReader
from vitrina.data.read.sources import Source, find_sources
from vitrina.data.read.streams import is_stream
from vitrina.data.read.tables import read_features
from vitrina.data.read.text import TextOptions
from vitrina.data.read.validate import BadRows, OnBadRow, choose_columns

STANDARD = {"time": "timestamp", "value": "value", "kind": "kind", "basket": "basket_id"}


def read_interactions(
    source: Any,
    *,
    user: str = "user_id",
    item: str = "item_id",
    time: str | None = None,
    value: str | None = None,
    weight: str | None = None,
    kind: str | None = None,
    basket: str | None = None,
    time_unit: GivenUnit | None = None,
    time_format: str | None = None,
    any_year: bool = False,
    decimal: Decimal | None = None,
    order_by: str | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    header: bool | None = None,
    columns: Sequence[str] | None = None,
    items: Any = None,
    users: Any = None,
    item_kinds: Mapping[str, FeatureKind] | None = None,
    user_kinds: Mapping[str, FeatureKind] | None = None,
    title: str | None = None,
    on_bad_row: OnBadRow = "error",
    bad_rows_path: str | Path | None = None,
    name: str | None = None,
) -> Dataset:
    """Read an interaction log: one row says that a user met an item.

    Args:
        source: delimited text (CSV, TSV, `::`, blanks; also compressed), JSON lines, an Excel workbook (extra `excel`) or a Parquet
            file, by what it holds and not by its name; a glob of files, a pipe, "-" for the standard input, a Polars, pandas or
            Arrow table, or a list of these.
        user: column of user ids, text or whole numbers.
        item: column of item ids.
        time: column of times: dates, dates as text, or numbers with a `time_unit`. By default `timestamp` where there is one.
            Without times the order of rows is the order. Times without a zone are taken as UTC, others are converted to it.
        value: column of numbers (rating, quantity, money). By default `value` where there is one.
        weight: column that says how much each event counts: 0 not at all, below 0 it is a dislike. Only where it is named.
        kind: column of kinds of event ("view", "buy"). By default `kind` where there is one.
        basket: column of basket, order or session ids; equal ids of two people are two baskets. By default `basket_id`.
        time_unit: of times that are numbers: "s", "ms", "us", "ns" since 1970, or "excel" for the days of a spreadsheet. None
            decides by magnitude and says so in `Dataset.steps`. "step", for numbers and dates, where only their order counts.
        time_format: strptime codes of dates as text, such as "%d.%m.%Y %H:%M"; rows may lack the seconds or the time of day, and
            a zone is understood. None takes the form that the whole column agrees on, says so, and asks when day and month
            can't be told apart in any row.
        any_year: take moments before 1990 and after today as they are, as in logs whose dates were shifted; otherwise such rows are bad.
        decimal: "," or "." in numbers written as text (1.234,50 or 1,234.50). None takes the one that the whole column agrees on.
            In tables of items and users, which decide by column, it settles what a column leaves open.
        order_by: column of numbers or dates that orders a person's events of one time; rows that are equal in it too keep their
            order. What shares a time stays one moment for a split.
        encoding: of the text files that are not UTF-8, for example "cp1251" (item and user tables too). A mark at the beginning
            of a file says it as well.
        separator: between the fields: ",", "::", " " for blanks of any number. None finds it in the first lines.
        header: False where the first line is data; then `columns` names the fields. None takes the first line as names.
        columns: names for the fields of files without a header. A role is found by its own name: user, item, time, value.
        items: a path or table that describes items; its id column is named like `item`, or `item_id`.
        users: the same for users.
        item_kinds: kinds of the item table's columns ("category", "categories", "number", "text"); the rest are guessed.
            Text like "a|b" declared "categories" is split at the bars.
        user_kinds: the same for users.
        title: the column to show to people: of the item table, or of the log itself where there is no item table.
        on_bad_row: "error" refuses the log with a sentence about the first bad rows; "quarantine" writes bad rows to
            `bad_rows_path`, counts them and goes on.
        bad_rows_path: by default `<name of the source>.bad_rows.csv` in the working directory.
        name: what tables and reports call the log; by default the name of the file.

    Raises:
        DataError: a file, a column or a row can't be used; says which, and what to do.

    Cost: one pass; 100 million rows with text ids from Parquet take half a minute on two cores and 4 GiB at the peak.

    >>> import polars as pl, vitrina as vt
    >>> log = pl.DataFrame({"who": ["ann", "bob", "ann"], "what": ["tea", "tea", "jam"], "day": ["2024-01-02", "2024-01-05", "2024-01-01"]})
    >>> data = vt.read_interactions(log, user="who", item="what", time="day")
    >>> data.items.decode(data.events.items).to_list()
    ['jam', 'tea', 'tea']
    """
    named = {
        "user": user, "item": item, "time": time, "value": value, "weight": weight, "kind": kind, "basket": basket, "order_by": order_by,
        "title": title if items is None else None,
    }  # fmt: skip
    options = TextOptions.of(encoding, separator, header, columns)
    tables = items is not None or users is not None
    begun = begin(source, named, options, on_bad_row, time_unit, time_format, any_year, decimal, tables=tables)
    bad_rows_path = bad_rows_of(source) if bad_rows_path is None else Path(bad_rows_path)
    with BadRows(on_bad_row, bad_rows_path) as bad:
        for one in begun.sources:
            begun.reader.read(one, bad)
    data = begun.reader.dataset(bad, name or name_of(source), begun.sources)
    of_tables = TextOptions(encoding=options.encoding)
    return _with_tables(
        data, (items, begun.columns["item"], item_kinds, title), (users, begun.columns["user"], user_kinds), of_tables, decimal
    )


class Begun(NamedTuple):
    """A log of which nothing is read yet."""

    sources: list[Source]
    columns: dict[str, str]  # role -> column
    reader: LogReader


def begin(
    source: Any, named: Mapping[str, str | None], options: TextOptions, on_bad_row: OnBadRow, time_unit: GivenUnit | None,
    time_format: str | None, any_year: bool, decimal: Decimal | None, *, tables: bool = False,
) -> Begun:  # fmt: skip
    """Find the sources and the column of each role, and check how they are to be read: see `read_interactions`.

    Args:
        named: role -> column; None takes the standard name where the sources have it.
        tables: whether tables of items or users come with the log.
    """
    if on_bad_row not in ("error", "quarantine"):
        raise ParameterError(
            f"The 'on_bad_row' must be 'error' or 'quarantine'. Got {on_bad_row!r}.", parameter="on_bad_row", value=on_bad_row
        )
    sources = find_sources(source, options=options)
    if options.encoding is not None and not tables and all(s.typed for s in sources):
        raise ParameterError(
            f"An 'encoding' is for text files, and {sources[0].label} is none. Leave it out. Got {options.encoding!r}.",
            parameter="encoding",
            value=options.encoding,
        )
    chosen = choose_columns(sources, _named_as_roles(named, options.columns or ()), STANDARD)
    reader = LogReader.of(sources, chosen, time_unit=time_unit, time_format=time_format, any_year=any_year, decimal=decimal)
    return Begun(sources, chosen, reader)


def bad_rows_of(source: Any) -> Path:
    """Where bad rows go by default."""
    return Path(f"{name_of(source)}.bad_rows.csv")


def _named_as_roles(named: Mapping[str, str | None], columns: Sequence[str]) -> dict[str, str | None]:
    """Where columns were given names, a role without a column of its own takes the one that is called like it."""
    return {role: role if role in columns and column not in columns else column for role, column in named.items()}


def _with_tables(
    data: Dataset, items: tuple[Any, str, Any, str | None], users: tuple[Any, str, Any], options: TextOptions, decimal: Decimal | None
) -> Dataset:
    """The Dataset with its item and user tables, and a word on how well they fit."""
    source, column, kinds, title = items
    notes = []
    if source is not None:
        table, vocabulary, note = read_features(source, "items", column, data.items, kinds, title, options, decimal)
        data, notes = replace(data, item_table=table, items=vocabulary), [note]
    source, column, kinds = users
    if source is not None:
        table, _, note = read_features(source, "users", column, data.users, kinds, None, options, decimal)
        data, notes = replace(data, user_table=table), [*notes, note]
    if not any(notes):
        return data
    step = data.steps[0]
    return replace(data, steps=(replace(step, note=" ".join([step.note, *notes]).strip()), *data.steps[1:]))


def name_of(source: Any) -> str:
    """What a log is called that nobody named."""
    if isinstance(source, (list, tuple)) and source:
        return name_of(source[0])
    if not isinstance(source, (str, Path)) or is_stream(source):
        return "log"
    stem = Path(source).name.split(".")[0]
    return stem if stem.strip("*?[]") == stem and stem else Path(source).parent.name or "log"
