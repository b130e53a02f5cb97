"""A load that adds what is new: rows after the watermark, and those of an overlap before it that the log doesn't have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from vitrina.base.errors import ParameterError
from vitrina.base.hashing import IdTable
from vitrina.base.time import DAY, HOUR
from vitrina.data.dataset import TimeUnit
from vitrina.data.ingest.format import Manifest, read_file
from vitrina.data.read.sources import Chunk, Source
from vitrina.data.read.validate import BadRows
from vitrina.data.split.summary import moment
from vitrina.types import Bool

UNITS = {"s": 1_000_000, "m": 60_000_000, "h": HOUR, "d": DAY, "w": 7 * DAY}


def lateness_of(given: str | int | timedelta | None, manifest: Manifest) -> int:
    """How much older than the watermark a row may be, in the unit of the log's times.

    Raises:
        ParameterError: it is no length of time for this log, or the log has no ids of events to tell what is new by.
    """
    if given is None:
        return 0
    length = _length(given, manifest.time_unit)
    if length and "event_id" not in manifest.columns:
        raise ParameterError(
            f"A lateness needs ids of events, to tell late rows from those that the log has, and this log has none. Leave lateness={given!r} out, or ingest the "
            "whole log again with event_id='...'.", parameter="lateness", value=given,
        )  # fmt: skip
    return length


def _length(given: Any, unit: TimeUnit | None) -> int:
    if unit is None:
        raise ParameterError(
            f"A lateness needs a log with times, and this one has none. Leave it out. Got {given!r}.", parameter="lateness"
        )
    if unit == "step":
        if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
            return given
        if isinstance(given, str) and given.isdecimal():
            return int(given)
        raise ParameterError(
            f"The times of this log are steps: the 'lateness' must be a whole number of them. Got {given!r}.", parameter="lateness"
        )
    if isinstance(given, timedelta) and given >= timedelta(0):
        return given // timedelta(microseconds=1)
    written = re.fullmatch(r"(\d+)\s*([smhdw])", given.strip()) if isinstance(given, str) else None
    if written is None:
        raise ParameterError(
            f"The 'lateness' must be a length of time: '90m', '36h', '2d', '1w', or a timedelta. Got {given!r}.",
            parameter="lateness",
            value=given,
        )
    return int(written[1]) * UNITS[written[2]]


@dataclass
class Fresh:
    """Which rows of a load are new: later than `bound`, with an id that wasn't there. It sees each row once, in their order.

    Args:
        bound: rows of this time or older are late; None takes any time.
        known: ids of events in the overlap and of rows that were taken; None where the log has no ids of events.

    >>> fresh = Fresh(5, IdTable())
    >>> ready = {"time": pl.Series([5, 6, 7, 7]), "event_id": pl.Series(["a", "b", "c", "b"])}
    >>> fresh.keep(pl.DataFrame(), ready, 0).tolist(), fresh.counts()
    ([False, True, True, False], {'late': 1, 'repeated': 1})
    """

    bound: int | None
    known: IdTable | None
    late: int = 0
    repeated: int = 0
    oldest: int | None = None  # time of the oldest late row
    taken: list[pl.Series] = field(default_factory=list)  # ids since the last block

    @classmethod
    def of(cls, folder: Path, manifest: Manifest, lateness: str | int | timedelta | None) -> Fresh:
        """For a load behind a state of the log."""
        length = lateness_of(lateness, manifest)
        bound = None if manifest.watermark is None else manifest.watermark - length
        return cls(bound, known_ids(folder, manifest, bound) if "event_id" in manifest.columns else None)

    @property
    def columns(self) -> list[str]:
        return []

    def before(self, source: Source, chunk: Chunk, bad: BadRows) -> Chunk:
        return chunk

    def keep(self, frame: pl.DataFrame, ready: Mapping[str, pl.Series], first: int) -> Bool | None:
        keep = np.ones(len(next(iter(ready.values()))), bool)
        if self.bound is not None and "time" in ready:
            moments = ready["time"].to_numpy()
            keep = moments > self.bound
            late = moments[~keep]
            self.late += len(late)
            self.oldest = min((*late.tolist(), *([] if self.oldest is None else [self.oldest])), default=None)
        if self.known is not None:
            kept = np.flatnonzero(keep)
            ids = ready["event_id"].gather(kept)
            _, new = self.known.add(ids)
            self.repeated += len(kept) - len(new)
            self.taken.append(pl.Series("event_id", ids.gather(new).to_list(), dtype=pl.String))
            keep = np.zeros(len(keep), bool)
            keep[kept[new]] = True
        return None if keep.all() else keep

    def counts(self) -> dict[str, int]:
        return {"late": self.late, "repeated": self.repeated}

    def cut(self) -> tuple[dict[str, Any], pl.DataFrame | None]:
        taken, self.taken = self.taken, []
        return {**self.counts(), "oldest": self.oldest}, pl.concat(taken).to_frame() if taken else None

    def take_up(self, state: Mapping[str, Any], came: pl.DataFrame | None) -> None:
        self.late, self.repeated, self.oldest = state["late"], state["repeated"], state["oldest"]
        if self.known is not None and came is not None:
            self.known.add(came["event_id"])

    def note(self, unit: TimeUnit | None) -> str:
        """Sentences on what was left out, and what to do about it."""
        notes = []
        if self.late:
            assert self.bound is not None
            assert self.oldest is not None
            notes.append(
                f"{self.late:,} row{'s' * (self.late > 1)} of {moment(self.bound, unit)} or earlier left out as late, the oldest of {moment(self.oldest, unit)}: "
                "a larger lateness takes them, or load='upsert', where events have ids."
            )
        if self.repeated:
            notes.append(f"{self.repeated:,} row{'s' * (self.repeated > 1)} left out whose event ids the log has.")
        return " ".join(notes)


def known_ids(folder: Path, manifest: Manifest, bound: int | None) -> IdTable:
    """The ids of all rows later than `bound` that were ever taken, also of those that were replaced or deleted since.

    Cost: reads the ids and times of the pieces that reach into the overlap; some 50 bytes of memory per row of it.
    """
    table = IdTable()
    columns = ["event_id", "time"] if "time" in manifest.columns else ["event_id"]
    for shard in manifest.shards:
        reaching = [p.events for p in shard.pieces if p.events is not None and (bound is None or p.latest is None or p.latest > bound)]
        for file in (*reaching, *shard.gone):
            rows = read_file(folder, file, columns)
            table.add((rows if bound is None else rows.filter(pl.col("time") > bound))["event_id"])
    return table
