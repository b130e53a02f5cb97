"""What was shown: one record for the logs of a service, of sessions, of decisions and of clicks on searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.showing import titled, to_pandas
from vitrina.data.columns import IS_EMPTY, Column, Problem, id_form, id_text
from vitrina.data.dataset import TimeUnit
from vitrina.data.read.clock import Clock, GivenUnit
from vitrina.data.read.ids import IdCoder
from vitrina.data.read.number_column import number
from vitrina.data.read.numerals import Numerals
from vitrina.data.read.sources import Chunk, Source, find_sources
from vitrina.data.read.validate import BadRows, choose_columns
from vitrina.types import Bool, Float32, Int32, Int64
from vitrina.vocabulary import Vocabulary

OPTIONAL = {
    "position": "position", "propensity": "propensity", "outcome": "outcome", "value": "value", "time": "timestamp", "kind": "kind",
    "ended": "ended",
}  # fmt: skip
MEND = "Mend these rows, or leave them out."
SHOWN = 10  # rows that a notebook shows


@final
@dataclass(frozen=True, eq=False, repr=False)
class Impressions:
    """What was shown to whom, at which place, and what came of it: a row per place, in the order (request, position).

    The rows of request r are `by_request[r]:by_request[r + 1]`. A request is one answer to one person; a place of it stands there once.
    It holds columns and no analysis. Columns that a log doesn't have are None.

    Args:
        requests: ids of the requests, in the order of first appearance.
        by_request: (requests + 1,) where the rows of each request begin.
        users: (rows,) code of the person in `people`; -1 for a visitor who isn't known.
        people: ids of persons.
        items: (rows,) code of the item that was shown.
        vocabulary: ids of items.
        positions: (rows,) place in the list, from 1 on as the `rank` of `Recommendations.to_frame`; places may be missing.
        propensities: (rows,) chance that this item stood at this place, above 0 and at most 1.
        outcomes: (rows,) what came of it, such as 1 for a click and 0 for none; any finite number.
        values: (rows,) money, stars or what else was had from it.
        times: (rows,) microseconds since 1970, or steps.
        kinds: (rows,) place in `kind_names` of the kind of event that the outcome is.
        kind_names: names of kinds.
        time_unit: "us", or "step" where only the order of `times` means something.
        ended: (rows,) whether the person left after this place: the last of its request, where a request is a session shown item by item.

    Raises:
        ParameterError: a column has another length, codes stand for nothing, or a position, propensity, outcome or value is outside its domain.

    Cost: 12 bytes per row for person, item and position, 4 for each number, 8 for times, 1 for kinds and ends; looked at once when it is made.

    >>> import polars as pl, vitrina as vt
    >>> table = pl.DataFrame({"request_id": ["a", "a", "b"], "user_id": ["ann", "ann", "bob"], "item_id": ["tea", "jam", "tea"],
    ...     "position": [2, 1, 1], "outcome": [1, 0, 0]})
    >>> shown = vt.Impressions.of_frame(table)
    >>> shown
    Impressions(3 places of 2 requests, 2 people, 2 items)
    >>> shown.frame()["item_id"].to_list(), shown.by_request.tolist()
    (['jam', 'tea', 'tea'], [0, 2, 3])
    """

    requests: Vocabulary
    by_request: Int64  # (requests + 1,)
    users: Int32  # (rows,)
    people: Vocabulary
    items: Int32  # (rows,)
    vocabulary: Vocabulary
    positions: Int32  # (rows,)
    propensities: Float32 | None = None
    outcomes: Float32 | None = None
    values: Float32 | None = None
    times: Int64 | None = None
    kinds: NDArray[np.uint8] | None = None
    kind_names: tuple[str, ...] = ()
    time_unit: TimeUnit | None = None
    ended: Bool | None = None

    def __post_init__(self) -> None:
        rows, starts = len(self.items), self.by_request
        for name in ("users", "positions", "propensities", "outcomes", "values", "times", "kinds", "ended"):
            column = getattr(self, name)
            if column is not None and column.shape != (rows,):
                raise ParameterError(f"The {name!r} of Impressions must have a value per row ({rows:,}). Got the shape {column.shape}.")
        if len(starts) != len(self.requests) + 1 or starts[0] != 0 or starts[-1] != rows or (np.diff(starts) < 0).any():
            raise ParameterError(
                f"The 'by_request' of Impressions must rise from 0 to the number of rows ({rows:,}), with a start per request and the end."
            )
        within = np.ones(rows, bool)
        within[starts[:-1][starts[:-1] < rows]] = False
        rising = np.diff(self.positions, prepend=0) > 0
        number_of_kinds = max(len(self.kind_names), 1)
        sound = {
            "users": (self.users >= -1) & (self.users < len(self.people)),
            "items": (self.items >= 0) & (self.items < len(self.vocabulary)),
            "positions": (self.positions >= 1) & (rising | ~within),
            "propensities": None if self.propensities is None else (self.propensities > 0) & (self.propensities <= 1),
            "outcomes": None if self.outcomes is None else np.isfinite(self.outcomes),
            "values": None if self.values is None else np.isfinite(self.values),
            "kinds": None if self.kinds is None else self.kinds < number_of_kinds,
            "ended": None if self.ended is None else ~(self.ended & np.append(within[1:], False)),
        }
        for name, good in sound.items():
            if good is not None and not good.all():
                at = int(np.flatnonzero(~good)[0])
                raise ParameterError(f"The {name!r} of Impressions must be {DOMAINS[name]}. Got {getattr(self, name)[at]} in row {at}.")

    @classmethod
    def of_frame(
        cls,
        table: Any,
        *,
        request: str = "request_id",
        user: str = "user_id",
        item: str = "item_id",
        position: str | None = None,
        propensity: str | None = None,
        outcome: str | None = None,
        value: str | None = None,
        time: str | None = None,
        kind: str | None = None,
        ended: str | None = None,
        time_unit: GivenUnit | None = None,
        any_year: bool = False,
        users: Vocabulary | None = None,
        items: Vocabulary | None = None,
    ) -> Impressions:
        """Read a table, or a file, of places that were shown; ids, times and numbers are read as `vt.read_interactions` reads them.

        Args:
            table: a Polars, pandas or Arrow table, a path, or a list of these.
            request: column of the ids of requests.
            user: column of the ids of persons; empty is a visitor who isn't known.
            item: column of the ids of items.
            position: column of places, whole numbers from 1. By default `position`; without one the order of the rows of a request is.
            propensity: column of chances. By default `propensity` where there is one, and so on for the others.
            outcome: column of what came of it.
            value: column of numbers.
            time: column of times, by default `timestamp`.
            kind: column of kinds of event.
            ended: column of 1 where the person left after this place, else 0.
            time_unit: of times that are numbers, as in `vt.read_interactions`.
            any_year: take times before 1990 and after today too.
            users: codes that persons have already; others are appended.
            items: codes that items have already, such as those of a fitted model; others are appended.

        Raises:
            DataError: a column or a row can't be used; names the column, the first rows and what to do.

        Cost: one pass over the table and a sort by request.
        """
        asked = {"request": request, "user": user, "item": item, "position": position, "propensity": propensity}
        sources = find_sources(table, "the table of impressions")
        columns = choose_columns(
            sources, asked | {"outcome": outcome, "value": value, "time": time, "kind": kind, "ended": ended}, OPTIONAL
        )
        reader = _Reader(columns, Clock(time_unit, any_year))
        for source in sources:
            for chunk in source.chunks(list(dict.fromkeys(columns.values()))):
                reader.take(source, chunk)
        return reader.impressions(sources, users, items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        people, items = (len(np.unique(codes[codes >= 0])) for codes in (self.users, self.items))
        return f"Impressions({len(self):,} places of {len(self.requests):,} requests, {people:,} people, {items:,} items)"

    def _repr_html_(self) -> str:
        return titled(repr(self), self.frame().head(SHOWN))

    @cached_property
    def request_of(self) -> Int32:
        """(rows,) the request of each row."""
        return np.repeat(np.arange(len(self.requests), dtype=np.int32), np.diff(self.by_request))

    def frame(self) -> pl.DataFrame:
        """As a table with the standard names of columns, which `of_frame` reads again."""
        unknown = pl.Series("id", [None], dtype=self.people.ids.dtype)
        columns: dict[str, Any] = {
            "request_id": self.requests.ids.gather(self.request_of),
            "user_id": pl.concat([self.people.ids, unknown]).gather(np.where(self.users < 0, len(self.people), self.users)),
            "item_id": self.vocabulary.ids.gather(self.items),
            "position": self.positions,
        }
        numbers = {"propensity": self.propensities, "outcome": self.outcomes, "value": self.values, "ended": self.ended}
        columns |= {name: column for name, column in numbers.items() if column is not None}
        if self.times is not None:
            times = pl.Series(self.times)
            columns["timestamp"] = times.cast(pl.Datetime("us")) if self.time_unit == "us" else times
        if self.kinds is not None:
            columns["kind"] = pl.Series(self.kind_names, dtype=pl.String).gather(self.kinds)
        return pl.DataFrame(columns)

    def to_pandas(self) -> Any:
        """The same as a pandas DataFrame."""
        return to_pandas(self.frame())


DOMAINS = {
    "users": "codes of people, or -1 for a visitor who isn't known",
    "items": "codes of the vocabulary",
    "positions": "whole numbers from 1 that rise along a request",
    "propensities": "above 0 and at most 1",
    "outcomes": "finite numbers",
    "values": "finite numbers",
    "kinds": "places in 'kind_names'",
    "ended": "True at most at the last place of a request",
}


@dataclass
class _Reader:
    """Chunks of a table in, encoded columns out."""

    columns: dict[str, str]  # role -> column
    clock: Clock
    rows: list[NDArray[np.int64]] = field(default_factory=list)
    parts: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    coders: dict[str, IdCoder] = field(default_factory=dict)
    numerals: dict[str, Numerals] = field(default_factory=dict)
    bad: BadRows = field(default_factory=lambda: BadRows("error", Path()))

    def take(self, source: Source, chunk: Chunk) -> None:
        self.bad.take_broken(source, chunk.broken)
        problems: list[tuple[str, Problem]] = []
        for role, column in self.columns.items():
            try:
                converted = self._convert(role, chunk.frame[column], column)
            except DataError as error:
                raise DataError(f"{source.label}: {error}") from None
            problems += [(column, _without_quarantine(problem)) for problem in converted.problems]
            if not any(problem.mask.any() for problem in converted.problems):
                self.parts.setdefault(role, []).append(self._encoded(role, converted.values, chunk, source))
        self.bad.keep(source, chunk, problems)
        self.rows.append(np.asarray(chunk.rows))

    def _convert(self, role: str, values: pl.Series, column: str) -> Column:
        if role == "time":
            return self.clock.read(values, column)
        if role in ("request", "user", "item", "kind"):
            ids = id_text(values, column)
            return Column(ids.values, [p for p in ids.problems if not (role == "user" and p.fault == IS_EMPTY)])
        numbers, problems = number(values, column, self.numerals.setdefault(role, Numerals()), role)
        if role == "propensity":
            problems += _outside(numbers, (numbers > 0) & (numbers <= 1), "hold chances above 0 and at most 1")
        if role == "ended":
            problems += _outside(numbers, (numbers == 0) | (numbers == 1), "hold 1 where the person left after this place, and 0 elsewhere")
        if role == "position":
            start = "Places are counted from 1: where they begin with 0, add 1 to all."
            problems += _outside(numbers, (numbers >= 1) & (numbers % 1 == 0), "hold whole numbers from 1 on", start)
        return Column(numbers, problems)

    def _encoded(self, role: str, values: pl.Series, chunk: Chunk, source: Source) -> NDArray[Any]:
        if role in ("position", "ended"):
            return values.cast(pl.Int32 if role == "position" else pl.Boolean).to_numpy()
        if role not in ("request", "user", "item", "kind"):
            return values.to_numpy()
        known = values.is_not_null() & (values.str.strip_chars() != "").fill_null(value=False)
        codes = np.full(len(values), -1, np.int32)
        form = id_form(chunk.frame[self.columns[role]], typed=source.typed)
        codes[known.to_numpy()] = self.coders.setdefault(role, IdCoder()).encode(values.filter(known), form)
        return codes

    def impressions(self, sources: Sequence[Source], users: Vocabulary | None, items: Vocabulary | None) -> Impressions:
        if not sum(map(len, self.rows)):
            raise DataError(f"{sources[0].label} holds no place that was shown. It has a header and no rows.")
        arrays = {role: np.concatenate(parts) for role, parts in self.parts.items()}
        people, arrays["user"] = _appended(users, self.coders.setdefault("user", IdCoder()), arrays["user"])
        vocabulary, arrays["item"] = _appended(items, self.coders["item"], arrays["item"])
        requests, request = Vocabulary(self.coders["request"].ids()), arrays.pop("request")
        order = np.lexsort((arrays["position"], request)) if "position" in arrays else np.argsort(request, kind="stable")
        arrays, request, rows = {role: column[order] for role, column in arrays.items()}, request[order], np.concatenate(self.rows)[order]
        starts = np.searchsorted(request, np.arange(len(requests) + 1)).astype(np.int64)
        _require_one_person(self.columns, sources[0], requests, request, arrays["user"], rows)
        if "position" in arrays:
            _require_once(self.columns, sources[0], requests, request, arrays["position"], rows)
        else:
            arrays["position"] = (np.arange(len(request)) - starts[request] + 1).astype(np.int32)
        names = tuple(self.coders["kind"].ids().cast(pl.String).to_list()) if "kind" in arrays else ()
        if len(names) > 256:
            raise DataError(f"The column {self.columns['kind']!r} must hold at most 256 kinds of event. It holds {len(names):,}.")
        return Impressions(
            requests, starts, arrays["user"], people, arrays["item"], vocabulary, arrays["position"], arrays.get("propensity"),
            arrays.get("outcome"), arrays.get("value"), arrays.get("time"), arrays["kind"].astype(np.uint8) if names else None, names,
            None if "time" not in arrays else "us" if self.clock.real else "step", arrays.get("ended"),
        )  # fmt: skip


def _without_quarantine(problem: Problem) -> Problem:
    """The problem with a remedy that this reader has."""
    return problem._replace(remedy=MEND) if not problem.remedy or "quarantine" in problem.remedy else problem


def _outside(numbers: pl.Series, good: pl.Series, must: str, remedy: str = MEND) -> list[Problem]:
    wrong = numbers.is_finite().fill_null(value=False) & ~good.fill_null(value=True)
    if not wrong.any():
        return []
    return [Problem(wrong, must, "is outside of that", str(numbers.filter(wrong)[0]), remedy=remedy, in_all=remedy)]


def _appended(known: Vocabulary | None, coder: IdCoder, codes: Int32) -> tuple[Vocabulary, Int32]:
    """The vocabulary with the ids of the coder, and the codes in it."""
    ids = coder.ids()
    if known is None:
        return Vocabulary(ids), codes
    vocabulary = known.extended(ids)
    return vocabulary, np.append(vocabulary.encode(ids), np.int32(-1))[codes]


def _require_one_person(columns: Any, source: Source, requests: Vocabulary, request: Int32, users: Int32, rows: Int64) -> None:
    other = np.flatnonzero((np.diff(request) == 0) & (np.diff(users) != 0))
    if len(other):
        at = int(other[0])
        raise DataError(
            f"{source.label}: the column {columns['user']!r} must hold one person per request, but the request {requests.ids[int(request[at])]!r} "
            f"has another in row {rows[at + 1]} than in row {rows[at]}. Give each answer a request of its own."
        )


def _require_once(columns: Any, source: Source, requests: Vocabulary, request: Int32, positions: Int32, rows: Int64) -> None:
    twice = np.flatnonzero((np.diff(request) == 0) & (np.diff(positions) == 0))
    if len(twice):
        at = int(twice[0])
        raise DataError(
            f"{source.label}: the column {columns['position']!r} must hold each place of a request once, but the request "
            f"{requests.ids[int(request[at])]!r} has place {positions[at]} in rows {rows[at]} and {rows[at + 1]}"
            f"{f', and {len(twice) - 1:,} more are there twice' * (len(twice) > 1)}. Keep one row per place: the last, or that of the outcome."
        )
