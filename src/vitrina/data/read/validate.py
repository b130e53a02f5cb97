"""What is wrong with a log, in one sentence that can be acted upon; and the file where bad rows are set aside."""

from __future__ import annotations

import contextlib
import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NoReturn, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.files import atomic_file
from vitrina.data.columns import SET_ASIDE, Problem
from vitrina.data.read.csv_rows import BrokenRow
from vitrina.data.read.sources import Chunk, CsvFile, Source
from vitrina.data.read.text import headless_sentence

OnBadRow = Literal["error", "quarantine"]
SEVERAL = ("features", "allowed", "metrics", "slices")  # parameters that hold more than a name
SHOWN = 3  # rows named in a message
USUAL = {  # names that logs use, for the hint when a column is missing
    "user": ("user", "userid", "customer", "customerid", "uid", "visitorid", "visitor", "client", "clientid", "household", "householdid",
             "sessionid", "session", "member", "memberid", "reviewerid", "person"),
    "item": ("item", "itemid", "product", "productid", "sku", "article", "articleid", "movie", "movieid", "asin", "stockcode", "iid", "good",
             "track", "trackid", "book", "bookid", "newsid", "video", "videoid", "parentasin"),
    "time": ("timestamp", "time", "date", "datetime", "ts", "unixtime", "createdat", "eventtime", "order"),
    "value": ("value", "rating", "score", "quantity", "price", "amount", "stars"),
    "kind": ("kind", "event", "eventtype", "type", "action", "behavior"),
    "basket": ("basketid", "basket", "orderid", "order", "invoice", "invoiceno", "sessionid", "transactionid"),
}  # fmt: skip


def choose_columns(sources: Sequence[Source], asked: Mapping[str, str | None], standard: Mapping[str, str]) -> dict[str, str]:
    """The column of each role: the named ones, and standard names where nothing was named and every file has them.

    Raises:
        DataError: a named column is missing, a file lacks a column that the first one has, or two ids are one column.
    """
    first = sources[0]
    chosen = {role: name for role, name in asked.items() if name is not None}
    for role, name in chosen.items():
        if not isinstance(name, str):
            raise ParameterError(
                f"The {role!r} column is given by its name, a text such as {first.columns[0]!r}. Got {name!r}.", parameter=role, value=name
            )
        if name not in first.columns:
            raise DataError(_missing(first, role, name))
    if "user" in chosen and chosen["user"] == chosen.get("item"):
        raise DataError(f"User and item must be two columns. Both are {chosen['user']!r}.")
    chosen |= {role: name for role, name in standard.items() if role not in chosen and any(name in s.columns for s in sources)}
    for role, name in chosen.items():
        having = next((s for s in sources if name in s.columns), first)
        lacking = next((s for s in sources if name not in s.columns), None)
        if isinstance(lacking, CsvFile) and lacking.format.headless:
            raise DataError(
                f"{lacking.label} has no header: its first line looks like data ({_listed(lacking.columns)}), and {having.label} has one. "
                f"Put the first line of {having.label} above it, or take it away there and name the columns of all."
            )
        if lacking is not None:
            raise DataError(
                f"{lacking.label} has no column {name!r} (the {role}), and {having.label} has it. "
                f"Give all files the same columns. This one has: {_listed(lacking.columns)}."
            )
    return chosen


def _missing(source: Source, role: str, name: str) -> str:
    plain = {_plain(column): column for column in source.columns}
    usual = [plain[n] for n in USUAL.get(role, ()) if n in plain]
    near = list(dict.fromkeys([*usual, *(plain[n] for n in get_close_matches(_plain(name), plain, n=2, cutoff=0.6))]))[:3]
    one = role.isidentifier() and role not in SEVERAL
    take = f"; take it with {role}={near[0]!r}" * one if near else ""
    hint = f"Closest: {', '.join(map(repr, near))}{take}." if near else f"Name yours with {role}='...'." if one else "Name one of them."
    form = source.format if isinstance(source, CsvFile) else None
    if form is not None and form.headless:
        return headless_sentence(source.label, form.columns, form.suggested)
    if form is not None and form.header and not usual and role in ("user", "item"):  # others were named by somebody who saw a header
        hint += f" If its first line is data, not names: header=False, columns={list(form.suggested)!r}"
        return f"{source.label} has no column {name!r} for the {role}. Its columns: {_listed(source.columns)}. {hint}"
    return f"{source.label} has no column {name!r} for the {role}. {hint} Its columns: {_listed(source.columns)}."


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(columns[:12]) + (f" and {len(columns) - 12} more" if len(columns) > 12 else "")


def refuse(source: Source, column: str, problem: Problem, rows: NDArray[Any]) -> NoReturn:
    """Raise the one sentence about the bad rows of a column."""
    bad = rows[problem.mask.to_numpy()]
    if len(bad) == len(rows):  # to set them aside would leave nothing
        raise DataError(f"{source.label}: {_in_all(column, problem, _places(source, bad))}")
    raise DataError(f"{source.label}: {_broken_rule(column, problem)} in {_places(source, bad)}. {problem.remedy or SET_ASIDE}")


def _broken_rule(column: str, problem: Problem) -> str:
    example = f" ({problem.example})" if problem.example else ""
    return f"the column {column!r} must {problem.must}, but {problem.fault}{example}"


def _in_all(column: str, problem: Problem, places: str) -> str:
    return f"{_broken_rule(column, problem)} in {places}. {problem.in_all or 'No row is good: name another column, or mend this one.'}"


def refuse_broken(source: Source, broken: Sequence[BrokenRow], *, can_quarantine: bool = True) -> NoReturn:
    """Raise the one sentence about rows that could not be read."""
    first = broken[0]
    if "UTF-8" in first.reason and isinstance(source, CsvFile):
        raise DataError(source.foreign(f"row {first.row} (line {first.line})"))
    more = f" {len(broken) - 1:,} more row{'s' * (len(broken) > 2)} can't be read either." if len(broken) > 1 else ""
    aside = ', or set such rows aside with on_bad_row="quarantine"' if can_quarantine else ""
    mend = "Quote fields that hold the separator, and double the quotes in them" if isinstance(source, CsvFile) else "Mend them"
    remedy = f"{mend}{aside}."
    raise DataError(f"{source.label}: row {first.row} (line {first.line}) {first.reason}.{more} {remedy}")


def _places(source: Source, rows: Sequence[int] | NDArray[Any]) -> str:
    shown = [int(row) for row in rows[:SHOWN]]
    more = len(rows) - len(shown)
    lines = source.lines(shown)
    text = f"row{'s' * (len(rows) > 1)} {_joined(shown)}"
    if lines:
        text += f" (line{'s' * (len(lines) > 1)} {_joined(lines)})"
    return text + (f" and {more:,} more" if more else "")


def _joined(numbers: Sequence[int]) -> str:
    texts = [str(n) for n in numbers]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


@final
@dataclass
class BadRows:
    """Decides what happens to bad rows: the first one raises, or all go to a CSV file with file, row, line, reason and text.

    Use it as a context: the file appears whole when the block ends well, and only if there was a bad row.
    """

    on_bad_row: OnBadRow
    path: Path
    reasons: Counter[str] = field(default_factory=Counter)
    remedies: dict[str, str] = field(default_factory=dict)  # of a reason, the sentence for a log where all rows have it
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _writer: Any = None

    def __enter__(self) -> BadRows:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def total(self) -> int:
        return sum(self.reasons.values())

    def take_broken(self, source: Source, broken: Sequence[BrokenRow]) -> None:
        """Rows that could not be read."""
        if broken and self.on_bad_row == "error":
            refuse_broken(source, broken)
        for row in broken:
            self._write(source, row.row, row.line, row.reason, row.text)

    def keep(self, source: Source, chunk: Chunk, problems: Sequence[tuple[str, Problem]]) -> pl.Series | None:
        """The rows of a chunk that are good, or None where all are; a row with several problems is counted under its first.

        Raises:
            DataError: a row is bad and bad rows are errors.
        """
        problems = [(column, problem) for column, problem in problems if problem.mask.any()]
        if not problems:
            return None
        numbers = np.asarray(chunk.rows)
        if self.on_bad_row == "error":
            column, problem = problems[0]
            refuse(source, column, problem, numbers)
        good = np.ones(len(numbers), bool)
        bad: list[tuple[int, str]] = []
        for column, problem in problems:
            new = np.flatnonzero(problem.mask.to_numpy() & good)
            good[new] = False
            bad += [(int(at), f"{column} {problem.fault}") for at in new]
            self.remedies.setdefault(f"{column} {problem.fault}", _in_all(column, problem, "all rows"))
        bad.sort()
        lines = source.lines([int(numbers[at]) for at, _ in bad]) or [None] * len(bad)
        for (at, reason), line in zip(bad, lines, strict=True):
            self._write(source, int(numbers[at]), line, reason, ",".join("" if v is None else str(v) for v in chunk.frame.row(at)))
        return pl.Series(good)

    def nothing_left(self) -> str:
        """What to do when no row is good: by the most frequent reason."""
        common = next(
            (self.remedies[reason] for reason, count in self.reasons.most_common(1) if count == self.total and reason in self.remedies), ""
        )
        return f"{common[:1].upper()}{common[1:]}" or self.note()

    def note(self) -> str:
        """How many rows were set aside, why, and where they are."""
        if not self.total:
            return ""
        why = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.most_common(5))
        return f"{self.total:,} bad row{'s' * (self.total > 1)} set aside in {self.path} ({why})."

    def take_files(self, files: Sequence[Path]) -> None:
        """Rows that such a file each has, and that are counted already."""
        for file in files:
            with file.open(encoding="utf-8", newline="") as rows:
                lines = csv.reader(rows)
                next(lines)
                self._open()
                self._writer.writerows(lines)

    def _open(self) -> None:
        if self._writer is None:
            staging = self._stack.enter_context(atomic_file(self.path))
            file = self._stack.enter_context(staging.open("w", encoding="utf-8", newline=""))
            self._writer = csv.writer(file)
            self._writer.writerow(["file", "row", "line", "reason", "text"])

    def _write(self, source: Source, row: int, line: int | None, reason: str, text: str) -> None:
        self._open()
        self.reasons[reason] += 1
        self._writer.writerow([source.label, row, line or "", reason, text])
