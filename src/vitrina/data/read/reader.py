"""From chunks of rows to a Dataset: every column in its own way of being written, and an account of what was decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError
from vitrina.data.columns import Column, Problem, as_text, id_form, id_text
from vitrina.data.dataset import Dataset, Step, TimeUnit
from vitrina.data.order import number_within
from vitrina.data.read.clock import Clock, GivenUnit
from vitrina.data.read.date_column import DateColumn
from vitrina.data.read.ids import IdCoder, IdForm
from vitrina.data.read.likely import likely_time
from vitrina.data.read.number_column import number
from vitrina.data.read.numerals import Decimal, Numerals
from vitrina.data.read.sources import Chunk, Source
from vitrina.data.read.titles import LogTitles
from vitrina.data.read.validate import BadRows
from vitrina.types import Events, Int32
from vitrina.vocabulary import Vocabulary

FILES_NAMED = 3  # whose way of being read is said
MISSING_AS_TEXT = ("nan", "NaN", "null", "NULL", "None", "NA", "N/A", "undefined")


def _rereading(sources: Sequence[Source], column: str | None) -> Callable[[], Iterator[pl.Series]]:
    """A column of all sources from the beginning, each time it is asked for."""
    return lambda: (as_text(chunk.frame[column]) for one in sources for chunk in one.chunks([column])) if column else iter(())


@dataclass
class GrowingArray:
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
    "place": np.int32,
    "quantity": np.float32,
    "price": np.float32,
    "paid": np.float32,
}
CODED = ("user", "item", "kind", "basket", "place")
NUMBERS = ("value", "weight", "quantity", "price", "paid")


@dataclass
class LogReader:
    """Chunks in, a Dataset out. Only codes are kept of what was read, never the text of a chunk."""

    columns: Mapping[str, str]  # role -> column
    clock: Clock
    numerals: Mapping[str, Numerals]  # role -> how its numbers are read
    order: Clock  # of the column that orders equal times
    room: int
    titles: LogTitles | None = None
    rows: int = 0
    blank: int = 0
    coders: dict[str, IdCoder] = field(default_factory=dict)

    @classmethod
    def of(
        cls, sources: Sequence[Source], chosen: Mapping[str, str], *, time_unit: GivenUnit | None, time_format: str | None, any_year: bool,
        decimal: Decimal | None,
    ) -> LogReader:  # fmt: skip
        """A reader of the chosen columns; how dates and numbers are written is decided by all rows of a column."""
        columns = {role: column for role, column in chosen.items() if role != "title"}
        times, order = (_rereading(sources, columns.get(role)) for role in ("time", "order_by"))
        return cls(
            columns,
            Clock(time_unit, any_year, DateColumn(time_format, times), Numerals(decimal, times)),
            {role: Numerals(decimal, _rereading(sources, columns.get(role))) for role in NUMBERS},
            Clock("step", dates=DateColumn(reread=order), numerals=Numerals(decimal, order)),
            sum(source.height for source in sources),
            titles=LogTitles(chosen["title"]) if "title" in chosen else None,
        )

    def __post_init__(self) -> None:
        self.coders = {role: IdCoder() for role in CODED if role in self.columns}

    @cached_property
    def parts(self) -> dict[str, GrowingArray]:
        """What is kept of the rows, by role."""
        return {role: GrowingArray(DTYPES[role], self.room) for role in self.columns}

    @property
    def wanted(self) -> list[str]:
        """The columns to read."""
        shown = [] if self.titles is None else [self.titles.column]
        return list(dict.fromkeys([*self.columns.values(), *shown]))

    def read(self, source: Source, bad: BadRows) -> None:
        for chunk in source.chunks(self.wanted):
            frame, ready = self.kept(source, chunk, bad)
            for role, values in ready.items():
                self.parts[role].append(self.codes(role, values, frame, source) if role in self.coders else values.to_numpy())

    def kept(self, source: Source, chunk: Chunk, bad: BadRows) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
        """The good rows of a chunk: as they came, and converted, by role; ids are text."""
        self.rows += len(chunk.frame) + len(chunk.broken)
        self.blank += chunk.blank
        bad.take_broken(source, chunk.broken)
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
        if good is None:
            return chunk.frame, ready
        return chunk.frame.filter(good), {role: values.filter(good) for role, values in ready.items()}

    def codes(self, role: str, values: pl.Series, frame: pl.DataFrame, source: Source) -> Int32:
        """Codes of the ids of good rows; of items, their titles are taken too."""
        codes = self.coders[role].encode(values, self.form(role, frame, source))
        if role == "item" and self.titles is not None:
            self.titles.take(codes, frame[self.titles.column])
        return codes

    def form(self, role: str, frame: pl.DataFrame, source: Source) -> IdForm:
        """What a source holds as ids of a role."""
        return id_form(frame[self.columns[role]], typed=source.typed)

    def _convert(self, role: str, values: pl.Series, column: str) -> Any:
        if role == "time":
            return self.clock.read(values, column)
        if role == "order_by":
            return self.order.read(values, column)
        if role not in self.numerals:
            return id_text(values, column)
        read = number(values, column, self.numerals[role], role)
        return _no_debts(read) if role == "price" else read

    def dataset(self, bad: BadRows, name: str, sources: Sequence[Source]) -> Dataset:
        count = self.parts["user"].size
        self.check_any(count, bad, sources)
        users, items = (Vocabulary(self.coders[role].ids()) for role in ("user", "item"))
        rest: dict[str, Any] = {"name": name, "kind_names": self.kind_names(), "time_unit": self.time_unit}
        if self.titles is not None:
            rest["item_table"] = self.titles.table(items)
        step = Step("read", self.rows, count, len(users), len(users), len(items), len(items), self.note(bad, sources, users, items))
        user_codes, events = self._column("user"), self._events()
        if (ranks := self._column("order_by")) is not None:
            order = np.argsort(ranks, kind="stable")  # of_codes keeps it among equal times
            user_codes, events = user_codes[order], events.take(order)
        data = Dataset.of_codes(user_codes, events, users, items, steps=(step,), **rest)
        if data.events.baskets is not None:
            data.events.baskets[:] = number_within(data.events.baskets, data.indptr, self.coders["basket"].count)
        return data

    @property
    def time_unit(self) -> TimeUnit | None:
        """Of the Dataset."""
        return ("us" if self.clock.real else "step") if "time" in self.columns else None

    def check_any(self, count: int, bad: BadRows, sources: Sequence[Source]) -> None:
        """Refuse a log without a good row."""
        if not count:
            labels = [source.label for source in sources]
            what = labels[0] if len(labels) == 1 else f"{labels[0]} and {len(labels) - 1} more"
            why = f"All {self.rows:,} rows are bad. {bad.nothing_left()}" if self.rows else "It has a header and no rows." if labels else ""
            raise DataError(f"{what} holds no interaction. {why}")

    def note(self, bad: BadRows, sources: Sequence[Source], users: Vocabulary | None, items: Vocabulary) -> str:
        """What reading left out and decided, in sentences."""
        opened = list(dict.fromkeys(source.note for source in sources))[:FILES_NAMED]
        notes = [
            bad.note(), self._blank_note(), *opened, *self._id_notes(users, items), self.clock.note(), *(n.note for n in self.numerals.values()),
        ]  # fmt: skip
        if self.time_unit != "us":
            notes.append(likely_time(sources, self.wanted))
        if self.titles is not None:
            notes.append(self.titles.note())
        return " ".join(note for note in notes if note)

    def _events(self) -> Events:
        kinds = self._column("kind")
        return Events(
            self._column("item"), self._column("time"), self._column("value"),
            None if kinds is None else kinds.astype(np.uint8), self._column("basket"), self._column("weight"),
        )  # fmt: skip

    def _column(self, role: str) -> Any:
        part = self.parts.pop(role, None)  # given away, so that sorting can free it
        return None if part is None else part.done()

    def kind_names(self) -> tuple[str, ...]:
        """Of the codes of kinds; more than a byte can tell apart are refused."""
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

    def _id_notes(self, users: Vocabulary | None, items: Vocabulary) -> list[str]:
        notes = [note for role, coder in self.coders.items() for note in coder.notes(f"{role}s")]
        for what, vocabulary in (("user", users), ("item", items)):
            if vocabulary is None or self.coders[what].forms == {"whole"}:
                continue
            words = list(MISSING_AS_TEXT) if vocabulary.ids.dtype == pl.String else []
            odd = [word for word, code in zip(words, vocabulary.encode(words), strict=True) if code >= 0]
            if odd:
                notes.append(f"One {what} has the id {odd[0]!r}: perhaps missing ids that were written as text.")
        return notes


def _no_debts(prices: Column) -> Column:
    """Prices, of which none may be below 0."""
    below = (prices.values < 0).fill_null(value=False)
    if not below.any():
        return prices
    example = f"{prices.values.filter(below)[0]:g}"
    in_all = "Name another column with price='...', or leave prices out."
    return Column(prices.values, [*prices.problems, Problem(below, "hold prices from 0 up", "is below 0", example, in_all=in_all)])
