"""Which events of the service a log has already, where they were exported into it."""

from __future__ import annotations

from typing import final

import numpy as np
import polars as pl

from vitrina.data.dataset import Dataset
from vitrina.types import ranges

UNITS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000)  # microseconds that a log may be rounded to, coarsest first
KEY = ("user", "item", "moment")


@final
class Doubles:
    """Tells the events that a log doesn't have from those that it has.

    An event is in the log where the log has one of the same person and item at the same moment, to the precision of the log's times, and of the same kind where it has
    kinds. Where there are n of them in the log, the first n of the service's are the same. A log without real times can't be compared: none of the
    service's events are in it.

    Args:
        log: as it is read, or None.

    Cost: per table of events a sort of them with what the log has of the same people.

    >>> import vitrina as vt
    >>> doubles = Doubles(vt.read_interactions(pl.DataFrame({"user_id": ["ann"], "item_id": ["tea"], "timestamp": ["2026-03-01"]})))
    >>> frame = pl.DataFrame({"user": ["ann", "ann"], "item": ["tea", "tea"], "time": [1_772_359_200_000_000] * 2, "kind": ["view"] * 2})
    >>> doubles.precision, len(doubles.left(frame)), doubles.found
    (86400000000, 1, 1)
    """

    def __init__(self, log: Dataset | None) -> None:
        self.found = 0  # events that the log has
        self.log = log if log is not None and log.time_unit == "us" and log.events.times is not None else None
        times = np.empty(0, np.int64) if self.log is None or self.log.events.times is None else self.log.events.times
        self.precision = next((unit for unit in UNITS if not (times % unit).any()), 1)
        kinds = () if self.log is None or self.log.events.kinds is None else ("kind",)
        self._key = [*KEY, *kinds]
        self._used = pl.DataFrame()

    def left(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The events of a table (user, item, time, kind) that the log doesn't have; its order stays. Tables of one store are given one after the other."""
        if self.log is None or frame.is_empty():
            return frame
        keys = frame.select("user", "item", "kind", moment=pl.col("time") // self.precision)
        rank = keys.select((pl.int_range(pl.len()).over(self._key) + 1).alias("rank"))["rank"]
        keys = keys.with_columns(rank).join(self._counts(keys), on=self._key, how="left", maintain_order="left")
        if not self._used.is_empty():
            keys = keys.join(self._used, on=self._key, how="left", maintain_order="left").with_columns(
                pl.col("n") - pl.col("used").fill_null(0)
            )
        double = (keys["rank"] <= keys["n"].fill_null(0)).fill_null(value=False)
        taken = keys.filter(double).group_by(self._key).agg(used=pl.len().cast(pl.Int64))
        self._used = pl.concat([self._used, taken]).group_by(self._key).agg(pl.col("used").sum()) if len(self._used) else taken
        self.found += int(double.sum())
        return frame.filter(~double)

    def _counts(self, keys: pl.DataFrame) -> pl.DataFrame:
        """How many events the log has of each key, of the people of a table."""
        assert self.log is not None
        people = keys["user"].drop_nulls().unique()
        codes = self.log.users.encode(people)
        codes = np.unique(codes[codes >= 0]).astype(np.int64)
        lengths = np.diff(self.log.indptr)[codes]
        rows = ranges(self.log.indptr[codes], lengths)
        events = self.log.events
        assert events.times is not None
        columns = {
            "user": self.log.users.as_text().ids.gather(np.repeat(codes, lengths)),
            "item": self.log.items.as_text().ids.gather(events.items[rows]),
            "moment": events.times[rows] // self.precision,
        }
        if events.kinds is not None:
            columns["kind"] = pl.Series(self.log.kind_names, dtype=pl.String).gather(events.kinds[rows])
        return pl.DataFrame(columns).group_by(self._key).agg(n=pl.len().cast(pl.Int64))
