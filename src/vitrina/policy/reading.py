"""Columns of a table of decisions, read as those of any log: each by its role, and what is wrong said with its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from vitrina.base.errors import DataError
from vitrina.base.hashing import IdTable
from vitrina.base.ids import without_zero_fraction
from vitrina.data.columns import Column, Problem, as_text, id_form, id_text, kind_of, shown
from vitrina.data.read.number_column import number
from vitrina.data.read.numerals import Numerals
from vitrina.data.read.sources import Source
from vitrina.data.read.table_columns import numbers
from vitrina.data.read.validate import BadRows, choose_columns, refuse_broken
from vitrina.types import Int32, Int64
from vitrina.vocabulary import numbers_or_text

MEND = "Mend these rows, or leave them out."
UNKNOWN_YET = "Write 0 where nothing came of it, and leave out decisions whose outcome nobody can know yet: vt.policy.link_outcomes does both from a table of events."
Convert = Callable[[pl.Series, str, Source], Column]


class Wanted(NamedTuple):
    """A column to be read."""

    role: str  # the parameter that names it
    column: str
    convert: Convert


class Columns(NamedTuple):
    """What was read: a series per key, and the number of each row in its source."""

    values: dict[str, pl.Series]
    rows: Int64
    label: str  # of the first source

    def places(self, wrong: Int64) -> str:
        """Rows as messages name them: "row 4", "rows 4, 9 and 13 and 20 more"."""
        numbers_ = [f"{self.rows[at]:,}" for at in wrong[:3]]
        listed = numbers_[0] if len(numbers_) == 1 else f"{', '.join(numbers_[:-1])} and {numbers_[-1]}"
        return f"row{'s' * (len(wrong) > 1)} {listed}{f' and {len(wrong) - 3:,} more' * (len(wrong) > 3)}"


def read_columns(sources: Sequence[Source], wanted: Mapping[str, Wanted]) -> Columns:
    """Every wanted column of all sources.

    No row is set aside: who is missing from a trial changes what it says, so a row that can't be used is named and has to be mended.

    Raises:
        DataError: a column is missing, or a row of it can't be used.
    """
    for want in wanted.values():
        choose_columns(sources, {want.role: want.column}, {})
    names = list(dict.fromkeys(want.column for want in wanted.values())) or list(sources[0].columns[:1])
    parts: dict[str, list[pl.Series]] = {key: [] for key in wanted}
    rows: list[Int64] = []
    bad = BadRows("error", Path())
    for source in sources:
        for chunk in source.chunks(names):
            if chunk.broken:
                refuse_broken(source, chunk.broken, can_quarantine=False)
            for key, want in wanted.items():
                try:
                    column = want.convert(chunk.frame[want.column], want.column, source)
                except DataError as error:
                    raise DataError(f"{source.label}: {error}") from None
                bad.keep(source, chunk, [(want.column, _with_remedy(problem)) for problem in column.problems])
                parts[key].append(column.values)
            rows.append(np.arange(chunk.rows.start, chunk.rows.stop) if isinstance(chunk.rows, range) else chunk.rows)
    if not sum(map(len, rows)):
        raise DataError(f"{sources[0].label} holds no row. It has a header and nothing below it.")
    how = {key: "vertical_relaxed" if any(p.dtype != own[0].dtype for p in own) else "vertical" for key, own in parts.items()}
    joined = {
        key: pl.concat([p.to_frame() for p in own], how=how[key], rechunk=True).to_series() for key, own in parts.items()  # type: ignore[arg-type]
    }  # fmt: skip
    return Columns(joined, np.concatenate(rows), sources[0].label)


def _with_remedy(problem: Problem) -> Problem:
    """The problem with a remedy that this reader has."""
    return problem._replace(remedy=MEND) if not problem.remedy or "quarantine" in problem.remedy else problem


@dataclass
class Ids:
    """Reads ids; `codes` gives each its code, in the order of first appearance."""

    forms: set[str] = field(default_factory=set)

    def __call__(self, column: pl.Series, name: str, source: Source) -> Column:
        self.forms.add(id_form(column, typed=source.typed))
        text, problems = id_text(column, name)
        return Column(without_zero_fraction(text), problems)

    def typed(self, texts: pl.Series) -> pl.Series:
        """The ids as numbers where the sources held nothing else."""
        return texts if "text" in self.forms else numbers_or_text(texts)


def coded(ids: pl.Series) -> tuple[Int32, pl.Series]:
    """Codes of ids, 0 for the first one that appears, and the id of each code."""
    codes, places = IdTable().add(ids)
    return codes, ids.gather(places)


def arm_texts(column: pl.Series, name: str) -> Column:
    """Treatments as text: whole numbers as digits, 0.05 as "0.05", true and false as such.

    Raises:
        DataError: the column's type can't be a treatment (dates, lists).

    >>> arm_texts(pl.Series([0.0, 0.05, 10.0]), "discount").values.to_list(), arm_texts(pl.Series([True, False]), "mail").values.to_list()
    (['0', '0.05', '10'], ['true', 'false'])
    """
    if column.dtype == pl.Boolean:
        text = column.cast(pl.String)
    elif column.dtype.is_float():
        text = without_zero_fraction(column.fill_nan(None).cast(pl.String))
    else:
        text, problems = id_text(column, name)
        return Column(without_zero_fraction(text), [p._replace(must=p.must.replace("an id", "an arm")) for p in problems])
    empty = text.is_null()
    return Column(text, [Problem(empty, "hold an arm in each row", "is empty")] if empty.any() else [])


def arm_name(value: Any) -> str:
    """How one arm is called.

    >>> arm_name(0), arm_name(0.05), arm_name(True), arm_name("10%")
    ('0', '0.05', 'true', '10%')
    """
    text = arm_texts(pl.Series([value]), "arm").values[0]
    return str(value) if text is None else text


@dataclass
class Arms:
    """Reads treatments as codes: of the known arms, or of whatever is found."""

    known: tuple[str, ...] | None = None
    table: IdTable = field(default_factory=IdTable)
    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.known:
            self.table.add(pl.Series(list(self.known), dtype=pl.String))

    def __call__(self, column: pl.Series, name: str, source: Source) -> Column:
        text, problems = arm_texts(column, name)
        if problems:
            return Column(text, problems)
        if self.known is None:
            codes, places = self.table.add(text)
            self.found += text.gather(places).to_list()
            return Column(pl.Series(name, codes), [])
        codes = pl.Series(name, self.table.look_up(text))
        return Column(codes, self._unknown(text, codes) if (codes < 0).any() else [])

    def _unknown(self, text: pl.Series, codes: pl.Series) -> list[Problem]:
        known = self.known or ()
        example = text.filter(codes < 0)[0]
        near = get_close_matches(example, known, n=1, cutoff=0.5)
        remedy = (
            f"{f'Did you mean {near[0]!r}? ' if near else ''}Write it as one of the arms, or name it among them: arms=, and its chance."
        )
        return [Problem(codes < 0, f"hold one of the arms {listed(known)}", "holds another", repr(example), remedy, remedy)]

    def order(self) -> tuple[str, ...]:
        """Arms that were found, by number where all are numbers, else by name; codes stand in the order of `found`."""
        values = pl.Series(self.found, dtype=pl.String).cast(pl.Float64, strict=False)
        by_number = not values.null_count()
        return tuple(sorted(self.found, key=(lambda arm: (float(arm), arm)) if by_number else None))


def listed(names: Iterable[str], most: int = 6) -> str:
    """Names as a sentence has them."""
    names = list(names)
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most:,} more" if len(names) > most else "")


@dataclass
class Numbers:
    """Reads float64, within a domain where one is given.

    Args:
        role: the parameter, for messages.
        good: which values are in the domain.
        must: the domain in words.
        remedy: what to do about others.
        missing: what to do where there is none.
    """

    role: str
    good: Callable[[pl.Series], pl.Series] | None = None
    must: str = ""
    remedy: str = MEND
    missing: str = MEND
    numerals: Numerals = field(default_factory=Numerals)

    def __call__(self, column: pl.Series, name: str, source: Source) -> Column:
        values, problems = number(column, name, self.numerals, self.role, pl.Float64)
        problems = [p._replace(remedy=self.missing) if p.fault != "holds text" else p for p in problems]
        if self.good is not None:
            wrong = values.is_finite().fill_null(value=False) & ~self.good(values).fill_null(value=True)
            if wrong.any():
                example = f"{values.filter(wrong)[0]:g}"
                problems.append(Problem(wrong, self.must, "is outside of that", example, self.remedy, self.remedy))
        return Column(values, problems)


def rewards() -> Numbers:
    """Reads what came of decisions."""
    return Numbers("reward", missing=UNKNOWN_YET)


def logged_chances() -> Numbers:
    """Reads the chances of what was chosen."""
    remedy = "It is the chance with which this arm was drawn for this unit: what was chosen had one. Log it when the decision is made, it can't be found later."
    return Numbers("propensity", lambda p: (p > 0) & (p <= 1), "hold chances above 0 and at most 1", remedy)


def chances() -> Numbers:
    """Reads the chances of one arm, chosen or not."""
    return Numbers("propensity", lambda p: (p >= 0) & (p <= 1), "hold chances from 0 to 1")


def costs() -> Numbers:
    """Reads what arms cost."""
    return Numbers("cost")


def flags(role: str) -> Convert:
    """True or false, or 1 and 0."""
    must = "hold true or false, or 1 and 0"
    read = Numbers(role, lambda v: (v == 0) | (v == 1), must)

    def convert(column: pl.Series, name: str, source: Source) -> Column:
        if column.dtype == pl.String and column.str.to_lowercase().is_in(["true", "false"]).all():
            column = column.str.to_lowercase() == "true"
        values, problems = read(column, name, source)
        problems = [p._replace(must=must, in_all="Make a column of true and false of it.") for p in problems]
        return Column(values if any(p.mask.any() for p in problems) else values.cast(pl.Boolean), problems)

    return convert


def feature(column: pl.Series, name: str, source: Source) -> Column:
    """A column that policies may look at: numbers, flags or categories; NaN is unknown (null).

    Raises:
        DataError: it holds dates, lists or mixed objects.
    """
    column = as_text(column)
    if column.dtype == pl.String and not source.typed:
        column = numbers(column)[0]
    if column.dtype in (pl.String, pl.Boolean, pl.Null) or column.dtype.is_integer():
        return Column(column, [])
    if column.dtype.is_float() or column.dtype.is_decimal():
        values = column.cast(pl.Float64).fill_nan(None)
        wrong = values.is_infinite().fill_null(value=False)
        problem = Problem(wrong, "hold finite numbers", "is infinite", shown(column.filter(wrong)[0]) if wrong.any() else "")
        return Column(values, [problem] if wrong.any() else [])
    raise DataError(
        f"the column {name!r} must hold numbers, true or false, or categories as text, for policies to look at. It holds {kind_of(column.dtype)}. "
        "Make a number or a category of it first, such as the days since then."
    )
