"""What is counted of a log, shard by shard, before anything is said of it: all of it adds up."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.data.passes import span_of, wider
from vitrina.data.split.tally import Beginnings, Lengths
from vitrina.types import Bool, Int64

SESSION_GAP = 30 * 60 * 1_000_000  # microseconds without an event that end a session


@dataclass(frozen=True)
class Described:
    """How much a column of a table knows: rows, nulls, and the hashes of the different values."""

    kind: str
    rows: int
    nulls: int
    known: NDArray[np.uint64]

    def __add__(self, other: Described) -> Described:
        return Described(self.kind, self.rows + other.rows, self.nulls + other.nulls, np.union1d(self.known, other.known))


def described(table: FeatureTable | None, codes: Any) -> dict[str, Described]:
    """The columns of a table, of those codes."""
    if table is None:
        return {}
    frame = table.frame[codes]
    return {
        name: Described(table.kinds.get(name, "not used"), len(frame), frame[name].null_count(), frame[name].drop_nulls().hash().unique().to_numpy())
        for name in frame.columns
    }  # fmt: skip


@dataclass(frozen=True)
class Features:
    """The columns of the user table, of users with events."""

    columns: dict[str, Described] = field(default_factory=dict)

    def __add__(self, other: Features) -> Features:
        both = self.columns | other.columns
        return Features({n: self.columns[n] + other.columns[n] if n in self.columns and n in other.columns else both[n] for n in both})


@dataclass(frozen=True)
class Grouped:
    """Baskets, or sessions where the log has no baskets."""

    what: str
    sizes: Lengths
    per_user: Lengths
    several: int  # groups with several events
    one_time: int  # of these, with one time stamp

    def __add__(self, other: Grouped) -> Grouped:
        return Grouped(
            self.what,
            self.sizes + other.sizes,
            self.per_user + other.per_user,
            self.several + other.several,
            self.one_time + other.one_time,
        )


@dataclass(frozen=True)
class Measured:
    """Everything that `inspect` counts; None for what the log doesn't have.

    Args:
        events, pairs: of the log; different pairs of a user and an item.
        lengths: events per person with at least one.
        items: (items,) events of each item that count.
        span, beginnings: times.
        days: events of each day since 1970, of real times.
        tied: events that share user and time with another one.
        whole_days: every time stamp is at midnight.
        duplicates: events that repeat another one's user, item, time, kind and basket.
        kinds: (kinds,) events of each.
        values, value: each value and how often it occurs; their sum.
        features: of the user table.
    Cost: 16 bytes for each different length, day and value.
    """

    events: int
    pairs: int
    lengths: Lengths
    items: Int64
    span: tuple[int, int] | None
    beginnings: Beginnings
    days: Lengths | None
    tied: int
    whole_days: bool
    duplicates: int
    groups: Grouped | None
    kinds: Int64 | None
    values: Lengths | None
    value: float
    features: Features

    @classmethod
    def of(cls, shard: Dataset) -> Measured:
        events, lengths, real = shard.events, np.diff(shard.indptr), shard.time_unit == "us"
        ties = tied(shard)
        column = events.values
        return cls(
            events=len(events), pairs=shard.csr().nnz, lengths=Lengths.of(lengths[lengths > 0]), items=shard.catalogue.events,
            span=span_of(events.times), beginnings=Beginnings.of(shard),
            days=Lengths.of(events.times // DAY) if events.times is not None and real and len(events) else None,
            tied=int(ties.sum()), whole_days=events.times is not None and bool((events.times % DAY == 0).all()), duplicates=_duplicates(shard, ties),
            groups=_groups(shard), kinds=None if events.kinds is None else np.bincount(events.kinds, minlength=len(shard.kind_names)),
            values=None if column is None else Lengths.of(column), value=0.0 if column is None else float(column.sum(dtype=np.float64)),
            features=Features(described(shard.user_table, np.flatnonzero(lengths))),
        )  # fmt: skip

    def __add__(self, other: Measured) -> Measured:
        both = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(Measured)}
        merged = {
            name: b if a is None else a if b is None else a + b for name, (a, b) in both.items() if name not in ("span", "whole_days")
        }
        return Measured(**merged, span=wider(self.span, other.span), whole_days=self.whole_days and other.whole_days)


def tied(data: Dataset) -> Bool:
    """(events,) whether the same user has another event with the same time."""
    times, user = data.events.times, data.user_of
    found = np.zeros(data.n_events, bool)
    if times is not None:
        same = (times[1:] == times[:-1]) & (user[1:] == user[:-1])
        found[1:] |= same
        found[:-1] |= same
    return found


def _duplicates(data: Dataset, ties: Bool) -> int:
    if data.events.times is None:
        return 0
    at = np.flatnonzero(ties)
    columns: dict[str, Any] = {name: c for name, c in data.events.take(at).columns().items() if name != "values"}
    return len(at) - pl.DataFrame({"user": data.user_of[at], **columns}).n_unique()


def _groups(data: Dataset) -> Grouped | None:
    times, baskets = data.events.times, data.events.baskets
    if baskets is not None:
        label = baskets
    elif times is not None and data.time_unit == "us":
        label = np.append(0, np.cumsum(np.diff(times) > SESSION_GAP))[: data.n_events]
    else:
        return None
    at = np.flatnonzero(label >= 0)
    frame = pl.DataFrame(
        {"user": data.user_of[at], "group": label[at], "time": np.zeros(len(at), np.int64) if times is None else times[at]}
    )
    parts = frame.group_by("user", "group").agg(size=pl.len(), one_time=pl.col("time").min() == pl.col("time").max())
    several = parts.filter(pl.col("size") > 1)["one_time"]
    return Grouped(
        "sessions" if baskets is None else "baskets", Lengths.of(parts["size"].to_numpy().astype(np.int64)),
        Lengths.of(parts.group_by("user").len()["len"].to_numpy().astype(np.int64)), len(several), int(several.sum()),
    )  # fmt: skip
