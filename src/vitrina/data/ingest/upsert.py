"""A load that corrects: its rows take the place of the events with their ids, wherever those are, or remove them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.base.ids import without_zero_fraction
from vitrina.data.columns import Column, Problem, id_text
from vitrina.data.ingest.format import Manifest, Shard, events_of
from vitrina.data.read.clock import Clock
from vitrina.data.read.date_column import DateColumn
from vitrina.data.read.numerals import Decimal, Numerals
from vitrina.data.read.sources import Chunk, Source
from vitrina.data.read.validate import BadRows
from vitrina.types import Bool

ARRIVAL, GONE, VERSION = "\0arrival", "\0gone", "\0version"  # columns beside those of the file; the number of a row counts bad ones too

TRUE, FALSE = ("true", "t", "1", "1.0", "yes", "y"), ("false", "f", "0", "0.0", "no", "n", "")


def winners(rows: pl.DataFrame) -> pl.DataFrame:
    """The row of a load that stands, of each id of an event: the one of the largest version, the later one among equals.

    Args:
        rows: `event_id`, `arrival`, and `version` where there is one.

    >>> winners(pl.DataFrame({"event_id": ["a", "a", "b"], "arrival": [0, 1, 2], "version": [2, 1, 1]}))["arrival"].to_list()
    [0, 2]
    """
    by = [name for name in ("version", "arrival") if name in rows.columns]
    return rows.sort(by).unique("event_id", keep="last", maintain_order=True).sort("arrival")


def says_deleted(column: pl.Series, name: str) -> Column:
    """Whether a row removes its event: true, yes or 1; nothing, false, no or 0 don't. Anything else is a bad row."""
    if column.dtype == pl.Boolean:
        return Column(column.fill_null(value=False), [])
    text = column.cast(pl.String).str.strip_chars().str.to_lowercase().fill_null("")
    wrong = ~text.is_in((*TRUE, *FALSE))
    problems = []
    if wrong.any():
        example = repr(column.filter(wrong)[0])
        problems = [Problem(wrong, "say whether an event is deleted (true or false, 1 or 0, yes or no)", "says something else", example)]
    return Column(text.is_in(TRUE).rename(name), problems)


@dataclass
class Corrections:
    """Every row of a load that corrects is taken; which of them stand is known at its end. Rows that delete need an id alone.

    Args:
        event_id: the column of the ids of events.
        deleted: the column that says which rows delete.
        version: the column by which one row overrules another.
        clock: how versions are read.
    """

    event_id: str
    deleted: str | None
    version: str | None
    clock: Clock
    arrived: int = 0
    said: list[pl.DataFrame] = field(default_factory=list)  # all rows: event_id, row (null of one that deletes), arrival, version, deleted
    cut_at: int = 0

    @classmethod
    def of(
        cls, folder: Path, manifest: Manifest, sources: Sequence[Source], deleted: str | None, version: str | None, decimal: Decimal | None
    ) -> Corrections:
        """For a load behind a state of the log.

        Raises:
            ParameterError: the log has no ids of events, or a file lacks a named column.
        """
        if "event_id" not in manifest.columns:
            raise ParameterError(
                f"Events are corrected by their ids, and {folder} has none. Ingest the whole log again with event_id='...', or append.",
                parameter="load",
            )
        for name, column in (("deleted", deleted), ("version", version)):
            lacking = next((source for source in sources if column is not None and column not in source.columns), None)
            if lacking is not None:
                raise ParameterError(
                    f"{lacking.label} has no column {column!r}, named as {name!r}. Its columns: {', '.join(lacking.columns[:12])}.",
                    parameter=name,
                    value=column,
                )

        def again() -> Iterator[pl.Series]:
            columns = [] if version is None else [version]
            return (chunk.frame[column].cast(pl.String) for source in sources for chunk in source.chunks(columns) for column in columns)

        clock = Clock("step", dates=DateColumn(reread=again), numerals=Numerals(decimal, again))
        return cls(manifest.columns["event_id"], deleted, version, clock)

    @property
    def columns(self) -> list[str]:
        return [name for name in (self.deleted, self.version) if name is not None]

    def before(self, source: Source, chunk: Chunk, bad: BadRows) -> Chunk:
        """The chunk without rows that delete; those are remembered."""
        own = {ARRIVAL: pl.Series(np.arange(self.arrived, self.arrived + chunk.frame.height))}
        self.arrived += chunk.frame.height
        problems: list[tuple[str, Problem]] = []
        for name, column in ((GONE, self.deleted), (VERSION, self.version)):
            if column is not None:
                given = chunk.frame[column]
                read = says_deleted(given, column) if name == GONE else self.clock.read(given, column)
                own[name] = read.values
                problems += [(column, problem) for problem in read.problems]
        frame, numbers = chunk.frame.with_columns(column.alias(name) for name, column in own.items()), np.asarray(chunk.rows)
        good = bad.keep(source, chunk, problems)
        if good is not None:
            frame, numbers = frame.filter(good), numbers[good.to_numpy()]
        if self.deleted is None:
            return Chunk(frame, numbers, chunk.broken, chunk.blank)
        gone = frame[GONE].to_numpy()
        self._delete(source, Chunk(frame.filter(frame[GONE]), numbers[gone]), bad)
        return Chunk(frame.filter(~frame[GONE]), numbers[~gone], chunk.broken, chunk.blank)

    def _delete(self, source: Source, chunk: Chunk, bad: BadRows) -> None:
        """Remember rows that delete."""
        ids = id_text(chunk.frame[self.event_id], self.event_id)
        good = bad.keep(source, chunk, [(self.event_id, problem) for problem in ids.problems])
        said = self._said(chunk.frame, ids.values, pl.lit(None, pl.Int64), deleted=True)
        self.said.append(said if good is None else said.filter(good))

    def keep(self, frame: pl.DataFrame, ready: Mapping[str, pl.Series], first: int) -> Bool | None:
        self.said.append(self._said(frame, ready["event_id"], pl.Series(np.arange(first, first + frame.height)), deleted=False))
        return None

    def _said(self, frame: pl.DataFrame, ids: pl.Series, rows: Any, *, deleted: bool) -> pl.DataFrame:
        own = [] if self.version is None else [pl.col(VERSION).alias("version")]
        plain = without_zero_fraction(ids).alias("event_id")
        return frame.select(plain, pl.col(ARRIVAL).alias("arrival"), rows.alias("row"), pl.lit(deleted).alias("deleted"), *own)

    def cut(self) -> tuple[dict[str, Any], pl.DataFrame | None]:
        new, self.cut_at = self.said[self.cut_at :], len(self.said)
        return {"arrived": self.arrived}, pl.concat(new) if new else None

    def take_up(self, state: Mapping[str, Any], came: pl.DataFrame | None) -> None:
        self.arrived = state["arrived"]
        if came is not None:
            self.said.append(came)
            self.cut_at = len(self.said)

    def standing(self) -> pl.DataFrame:
        """The row that stands of each id of an event."""
        none = {"event_id": pl.String, "arrival": pl.Int64, "row": pl.Int64, "deleted": pl.Boolean}
        return winners(pl.concat(self.said) if self.said else pl.DataFrame(schema=none))

    @property
    def rows(self) -> int:
        """How many good rows came."""
        return sum(len(table) for table in self.said)


def replaced(folder: Path, shard: Shard, ids: pl.DataFrame, timed: bool) -> pl.DataFrame:
    """The events of a shard whose ids a load brings again: `user`, `event_id`, `time` where there is one, and `deleted`.

    Args:
        ids: `event_id` and `deleted` of each id of the load.

    Cost: reads the ids of the shard's events.
    """
    columns = ["user", "event_id", *(["time"] if timed else [])]
    events, _ = events_of(folder, shard.pieces, columns)
    if not events.width:
        return pl.DataFrame(schema={"user": pl.Int32, "event_id": pl.String, "time": pl.Int64, "deleted": pl.Boolean})
    return events.join(ids.select("event_id", "deleted"), on="event_id", how="inner", maintain_order="left")
