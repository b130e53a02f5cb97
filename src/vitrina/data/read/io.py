"""Reading a log: files or tables in, a Dataset out, with every decision and every bad row accounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError
from vitrina.data.columns import Problem, as_text, id_form, id_text
from vitrina.data.dataset import Dataset, Step
from vitrina.data.features import FeatureKind
from vitrina.data.order import number_within
from vitrina.data.read.clock import Clock, GivenUnit
from vitrina.data.read.date_column import DateColumn
from vitrina.data.read.ids import IdCoder
from vitrina.data.read.likely import likely_time
from vitrina.data.read.number_column import number
from vitrina.data.read.numerals import Decimal, Numerals
from vitrina.data.read.sources import Chunk, Source, find_sources
from vitrina.data.read.streams import is_stream
from vitrina.data.read.tables import read_features
from vitrina.data.read.text import TextOptions
from vitrina.data.read.titles import LogTitles
from vitrina.data.read.validate import BadRows, OnBadRow, choose_columns
from vitrina.types import Events
from vitrina.vocabulary import Vocabulary

STANDARD = {"time": "timestamp", "value": "value", "kind": "kind", "basket": "basket_id"}
SHOWN = 3  # files whose way of being read is told
MISSING_AS_TEXT = ("nan", "NaN", "null", "NULL", "None", "NA", "N/A", "undefined")


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
    if on_bad_row not in ("error", "quarantine"):
        raise ParameterError(f"The 'on_bad_row' must be 'error' or 'quarantine'. Got {on_bad_row!r}.")
    options = TextOptions.of(encoding, separator, header, columns)
    sources = find_sources(source, options=options)
    if encoding is not None and items is None and users is None and all(s.typed for s in sources):
        raise ParameterError(f"An 'encoding' is for text files, and {sources[0].label} is none. Leave it out. Got {encoding!r}.")
    asked = {"user": user, "item": item, "time": time, "value": value, "weight": weight, "kind": kind, "basket": basket}
    asked["order_by"] = order_by
    asked["title"] = title if items is None else None
    asked = _called_as_roles(asked, options.columns or ())
    name = name or _name_of(source)
    chosen = choose_columns(sources, asked, STANDARD)
    path = Path(bad_rows_path) if bad_rows_path is not None else Path(f"{_name_of(source)}.bad_rows.csv")
    shown = chosen.pop("title", None)
    times, order = (_again(sources, chosen.get(role)) for role in ("time", "order_by"))
    numerals = {role: Numerals(decimal, _again(sources, chosen.get(role))) for role in ("value", "weight")}
    clock = Clock(time_unit, any_year, DateColumn(time_format, times), Numerals(decimal, times))
    steps = Clock("step", dates=DateColumn(again=order), numerals=Numerals(decimal, order))
    reader = _Reader(chosen, clock, numerals, steps, sum(s.height for s in sources), titles=None if shown is None else LogTitles(shown))
    with BadRows(on_bad_row, path) as bad:
        for one in sources:
            reader.read(one, bad)
    data = reader.dataset(bad, name, sources)
    of_tables = TextOptions(encoding=options.encoding)
    return _with_tables(data, (items, chosen["item"], item_kinds, title), (users, chosen["user"], user_kinds), of_tables, decimal)


def _called_as_roles(asked: Mapping[str, str | None], columns: Sequence[str]) -> dict[str, str | None]:
    """Where columns were given names, one that is called as a role has it, unless another one was named for it."""
    return {role: role if role in columns and column not in columns else column for role, column in asked.items()}


def _again(sources: Sequence[Source], column: str | None) -> Callable[[], Iterator[pl.Series]]:
    """A column of all sources from the beginning, each time it is asked for."""
    return lambda: (as_text(chunk.frame[column]) for one in sources for chunk in one.chunks([column])) if column else iter(())


@dataclass
class _Growing:
    """An array that grows by doubling; untouched room costs no memory."""

    dtype: Any
    room: int
    size: int = 0

    def __post_init__(self) -> None:
        self.array = np.empty(max(self.room, 1024), self.dtype)

    def append(self, part: NDArray[Any]) -> None:
        end = self.size + len(part)
        if end > len(self.array):
            larger = np.empty(max(end, 2 * len(self.array)), self.dtype)
            larger[: self.size] = self.array[: self.size]
            self.array = larger
        self.array[self.size : end] = part
        self.size = end

    def done(self) -> NDArray[Any]:
        return self.array[: self.size]


DTYPES = {
    "user": np.int32,
    "item": np.int32,
    "time": np.int64,
    "value": np.float32,
    "weight": np.float32,
    "kind": np.int32,
    "basket": np.int32,
    "order_by": np.int64,
}


@dataclass
class _Reader:
    """Chunks in, encoded columns out. Only codes are kept of what was read, never the text of a chunk."""

    columns: Mapping[str, str]  # role -> column
    clock: Clock
    numerals: Mapping[str, Numerals]  # role -> how its numbers are read
    order: Clock  # of the column that orders equal times
    room: int
    titles: LogTitles | None = None
    rows: int = 0
    blank: int = 0
    coders: dict[str, IdCoder] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parts = {role: _Growing(DTYPES[role], self.room) for role in self.columns}
        self.coders = {role: IdCoder() for role in ("user", "item", "kind", "basket") if role in self.columns}

    def read(self, source: Source, bad: BadRows) -> None:
        shown = [] if self.titles is None else [self.titles.column]
        wanted: list[str] = list(dict.fromkeys([*self.columns.values(), *shown]))
        for chunk in source.chunks(wanted):
            self.rows += len(chunk.frame) + len(chunk.broken)
            self.blank += chunk.blank
            bad.take_broken(source, chunk.broken)
            self._take(source, chunk, bad)

    def _take(self, source: Source, chunk: Chunk, bad: BadRows) -> None:
        ready: dict[str, pl.Series] = {}
        problems: list[tuple[str, Problem]] = []
        for role, column in self.columns.items():
            try:
                converted = self._convert(role, chunk.frame[column], column)
            except DataError as error:
                raise DataError(f"{source.label}: {error}") from None
            ready[role] = converted.values
            problems += [(column, problem) for problem in converted.problems]
        good = bad.keep(source, chunk, problems)
        for role, values in ready.items():
            kept = values if good is None else values.filter(good)
            if role in self.coders:
                form = id_form(chunk.frame[self.columns[role]], typed=source.typed)
                codes = self.coders[role].encode(kept, form)
                self.parts[role].append(codes)
                if role == "item" and self.titles is not None:
                    shown = chunk.frame[self.titles.column]
                    self.titles.take(codes, shown if good is None else shown.filter(good))
            else:
                self.parts[role].append(kept.to_numpy())

    def _convert(self, role: str, values: pl.Series, column: str) -> Any:
        if role == "time":
            return self.clock.read(values, column)
        if role == "order_by":
            return self.order.read(values, column)
        return number(values, column, self.numerals[role], role) if role in self.numerals else id_text(values, column)

    def dataset(self, bad: BadRows, name: str, sources: Sequence[Source]) -> Dataset:
        labels = [source.label for source in sources]
        count = self.parts["user"].size
        if not count:
            what = labels[0] if len(labels) == 1 else f"{labels[0]} and {len(labels) - 1} more"
            why = f"All {self.rows:,} rows are bad. {bad.nothing_left()}" if self.rows else "It has a header and no rows." if labels else ""
            raise DataError(f"{what} holds no interaction. {why}")
        users, items = (Vocabulary(self.coders[role].ids()) for role in ("user", "item"))
        rest: dict[str, Any] = {"name": name, "kind_names": self._kind_names()}
        if "time" in self.parts:
            rest["time_unit"] = "us" if self.clock.real else "step"
        opened = list(dict.fromkeys(source.note for source in sources))[:SHOWN]
        notes = [
            bad.note(),
            self._blank_note(),
            *opened,
            *self._id_notes(users, items),
            self.clock.note(),
            *(n.note for n in self.numerals.values()),
        ]
        if "time" not in self.parts or not self.clock.real:
            notes.append(likely_time(sources, [*self.columns.values(), *([self.titles.column] if self.titles else [])]))
        if self.titles is not None:
            rest["item_table"] = self.titles.table(items)
            notes.append(self.titles.note())
        step = Step("read", self.rows, count, len(users), len(users), len(items), len(items), " ".join(note for note in notes if note))
        user_codes, events = self._column("user"), self._events()
        if (ranks := self._column("order_by")) is not None:
            order = np.argsort(ranks, kind="stable")  # of_codes keeps it among equal times
            user_codes, events = user_codes[order], events.take(order)
        data = Dataset.of_codes(user_codes, events, users, items, steps=(step,), **rest)
        if data.events.baskets is not None:
            data.events.baskets[:] = number_within(data.events.baskets, data.indptr, self.coders["basket"].count)
        return data

    def _events(self) -> Events:
        kinds = self._column("kind")
        return Events(
            self._column("item"), self._column("time"), self._column("value"),
            None if kinds is None else kinds.astype(np.uint8), self._column("basket"), self._column("weight"),
        )  # fmt: skip

    def _column(self, role: str) -> Any:
        part = self.parts.pop(role, None)  # given away, so that sorting can free it
        return None if part is None else part.done()

    def _kind_names(self) -> tuple[str, ...]:
        if "kind" not in self.coders:
            return ()
        names = tuple(self.coders["kind"].ids().cast(pl.String).to_list())
        if len(names) > 256:
            raise DataError(
                f"The column {self.columns['kind']!r} must hold at most 256 kinds of event. It holds {len(names):,}: "
                f"{', '.join(names[:3])}... Name another column with kind='...'."
            )
        return names

    def _blank_note(self) -> str:
        return f"{self.blank:,} empty line{'s' * (self.blank > 1)} left out." if self.blank else ""

    def _id_notes(self, users: Vocabulary, items: Vocabulary) -> list[str]:
        notes = [note for role, coder in self.coders.items() for note in coder.notes(f"{role}s")]
        for what, vocabulary, coder in (("user", users, self.coders["user"]), ("item", items, self.coders["item"])):
            if coder.forms == {"whole"}:
                continue
            words = list(MISSING_AS_TEXT) if vocabulary.ids.dtype == pl.String else []
            odd = [word for word, code in zip(words, vocabulary.encode(words), strict=True) if code >= 0]
            if odd:
                notes.append(f"One {what} has the id {odd[0]!r}: perhaps missing ids that were written as text.")
        return notes


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


def _name_of(source: Any) -> str:
    if isinstance(source, (list, tuple)) and source:
        return _name_of(source[0])
    if not isinstance(source, (str, Path)) or is_stream(source):
        return "log"
    stem = Path(source).name.split(".")[0]
    return stem if stem.strip("*?[]") == stem and stem else Path(source).parent.name or "log"
