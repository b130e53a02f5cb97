"""The measurements: each takes a Dataset and returns one small record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.data.features import FeatureTable
from vitrina.data.split.summary import moment
from vitrina.types import Float32, Int64

SESSION_GAP = 30 * 60 * 1_000_000  # microseconds without an event that end a session
BOT_SPREADS = 4.0  # robust standard deviations above the median, in logarithms
BOT_LEAST_SPREAD = 0.75  # 4 of it are a factor of 20
BOT_LEAST = 100  # events that nobody minds
CURVE_POINTS = 100


@dataclass(frozen=True)
class Sizes:
    """How much there is. `density` is distinct (user, item) pairs of all possible ones."""

    users: int
    items: int
    events: int
    density: float
    first: str | int | None
    last: str | int | None
    days: float | None


@dataclass(frozen=True)
class Tail:
    """How unequal items are. Shares are of events."""

    top_1_percent: float
    top_10_percent: float
    gini: float  # 0 all items alike, 1 one item has everything
    single_event_items: float  # share of items
    curve: pl.DataFrame  # item_share, event_share: the most frequent items first


@dataclass(frozen=True)
class Histories:
    """How long people's histories are, and how often they come back to an item."""

    quantiles: dict[str, float]
    single_event_users: float  # share of users
    repeat_share: float  # events whose item the person had already, of all events
    lengths: pl.DataFrame  # length, users


@dataclass(frozen=True)
class Timing:
    """What time stamps tell. `ties` is the share of events whose person did something else at the same moment."""

    ties: float
    whole_days: bool  # every time stamp is at midnight
    gap_days: int
    busiest_day_share: float
    busiest_day: str
    gaps: pl.DataFrame  # first, last, days: runs of days without an event
    daily: pl.DataFrame  # day, events


@dataclass(frozen=True)
class Groups:
    """Baskets, or sessions (events less than 30 minutes apart) where the log has no baskets."""

    what: str  # "baskets" or "sessions"
    count: int
    size_mean: float
    size_median: float
    size_max: int
    per_user_median: float
    one_time_share: float  # groups whose events all share a time stamp, of groups with several events; NaN without time
    sizes: pl.DataFrame  # size, groups


def sizes(data: Dataset, pairs: int) -> Sizes:
    """Counts and the time span."""
    items, times = len(data.catalogue.items), data.events.times
    first, last = (None, None) if times is None else (int(times.min()), int(times.max()))
    unit = data.time_unit
    ends = [None if t is None else moment(t, unit) for t in (first, last)]
    days = (last - first) / DAY if first is not None and last is not None and unit == "us" else None
    return Sizes(data.n_users, items, data.n_events, pairs / max(1, data.n_users * items), ends[0], ends[1], days)


def tail(data: Dataset) -> Tail:
    """Concentration of events on items that have at least one."""
    counts = np.sort(data.catalogue.events[data.catalogue.events > 0])[::-1]
    n, total = len(counts), counts.sum()
    held = np.append(0, np.cumsum(counts)) / total
    rising = counts[::-1]
    gini = float((2 * np.arange(1, n + 1) - n - 1) @ rising / (n * total))
    points = np.unique(np.linspace(0, n, min(n, CURVE_POINTS) + 1).round().astype(int))
    curve = pl.DataFrame({"item_share": points / n, "event_share": held[points]})
    top = [float(held[max(1, round(share * n))]) for share in (0.01, 0.1)]
    return Tail(top[0], top[1], gini, float((counts == 1).mean()), curve)


def histories(data: Dataset, pairs: int) -> Histories:
    """Events a person, of people with at least one."""
    length = np.diff(data.indptr)
    length = length[length > 0]
    at = {"5%": 0.05, "25%": 0.25, "median": 0.5, "75%": 0.75, "95%": 0.95, "99%": 0.99, "most": 1.0}
    quantiles = dict(zip(at, np.quantile(length, list(at.values())).tolist(), strict=True))
    return Histories(quantiles, float((length == 1).mean()), 1 - pairs / data.n_events, _histogram(length, "length", "users"))


def timing(data: Dataset) -> Timing | None:
    """Days, gaps and ties of a log with real time stamps; None for others."""
    times = data.events.times
    if times is None or data.time_unit != "us":
        return None
    day = times // DAY
    counts = np.bincount(day - day.min())
    dates = pl.Series("day", np.arange(len(counts)) + int(day.min())).cast(pl.Int32).cast(pl.Date)
    daily = pl.DataFrame([dates, pl.Series("events", counts)])
    busiest = int(counts.argmax())
    gaps = _gaps(daily)
    return Timing(
        ties=float(tied(data).mean()), whole_days=bool((times % DAY == 0).all()), gap_days=int((counts == 0).sum()),
        busiest_day_share=float(counts[busiest] / counts.sum()), busiest_day=str(dates[busiest]), gaps=gaps, daily=daily,
    )  # fmt: skip


def tied(data: Dataset) -> NDArray[np.bool_]:
    """(events,) whether the same user has another event with the same time."""
    times, user = data.events.times, data.user_of
    found = np.zeros(data.n_events, bool)
    if times is not None:
        same = (times[1:] == times[:-1]) & (user[1:] == user[:-1])
        found[1:] |= same
        found[:-1] |= same
    return found


def duplicates(data: Dataset) -> int:
    """Events that repeat another one's user, item, time, kind and basket."""
    if data.events.times is None:
        return 0
    at = np.flatnonzero(tied(data))
    columns: dict[str, Any] = {name: c for name, c in data.events.take(at).columns().items() if name != "values"}
    return len(at) - pl.DataFrame({"user": data.user_of[at], **columns}).n_unique()


def groups(data: Dataset) -> Groups | None:
    """Baskets, or else sessions; None where the log has neither baskets nor time stamps."""
    times, baskets = data.events.times, data.events.baskets
    if baskets is not None:
        label = baskets
    elif times is not None and data.time_unit == "us":
        label = np.append(0, np.cumsum(np.diff(times) > SESSION_GAP))[: data.n_events]
    else:
        return None
    at = np.flatnonzero(label >= 0)
    frame = pl.DataFrame({"user": data.user_of[at], "group": label[at], "time": 0 if times is None else times[at]})
    parts = frame.group_by("user", "group").agg(size=pl.len(), one_time=pl.col("time").min() == pl.col("time").max())
    if not parts.height:
        return None
    size = parts["size"].to_numpy().astype(np.int64)
    one_time = parts.filter(pl.col("size") > 1)["one_time"]
    return Groups(
        "sessions" if baskets is None else "baskets", len(size), float(size.mean()), float(np.median(size)), int(size.max()),
        float(np.median(parts.group_by("user").len()["len"])),
        float("nan") if times is None or not len(one_time) else float(one_time.to_numpy().mean()), _histogram(size, "size", "groups"),
    )  # fmt: skip


def bots(data: Dataset) -> pl.DataFrame:
    """Users with far more events than people have: user_id, events, share of all events; the busiest first.

    Far more is over median + 4 robust standard deviations (1.4826 MAD, at least 0.75) of the logarithm of events per person, and over 100.
    """
    length = np.diff(data.indptr)
    logs = np.log(length[length > 0])
    spread = max(BOT_LEAST_SPREAD, 1.4826 * float(np.median(np.abs(logs - np.median(logs)))))
    limit = max(BOT_LEAST, float(np.exp(np.median(logs) + BOT_SPREADS * spread)))
    found = np.flatnonzero(length > limit)
    found = found[np.argsort(-length[found], kind="stable")]
    ids = data.users.decode(found).rename("user_id")
    return pl.DataFrame([ids, pl.Series("events", length[found]), pl.Series("share", length[found] / data.n_events)])


def features(data: Dataset) -> pl.DataFrame:
    """Columns of the item and user tables: table, column, kind, coverage (of those with events), distinct."""
    schema = {"table": pl.String, "column": pl.String, "kind": pl.String, "coverage": pl.Float64, "distinct": pl.Int64}
    present = np.flatnonzero(np.diff(data.indptr))
    found = _columns("items", data.item_table, data.catalogue.items) + _columns("users", data.user_table, present)
    return pl.DataFrame(found, schema=schema, orient="row")


def _columns(name: str, table: FeatureTable | None, codes: NDArray[Any]) -> list[tuple[str, str, str, float, int]]:
    if table is None:
        return []
    frame = table.frame[codes]
    return [
        (name, c, str(table.kinds.get(c, "not used")), 1 - frame[c].null_count() / max(1, len(frame)), frame[c].drop_nulls().n_unique())
        for c in frame.columns
    ]


def values(column: Float32 | None) -> dict[str, float] | None:
    """Range of the values; shares are of events."""
    if column is None or not len(column):
        return None
    low, middle, high = np.quantile(column, [0.01, 0.5, 0.99]).tolist()
    return {
        "least": float(column.min()), "1%": low, "median": middle, "mean": float(column.mean(dtype=np.float64)), "99%": high,
        "most": float(column.max()), "negative_share": float((column < 0).mean()), "zero_share": float((column == 0).mean()),
        "distinct": float(len(np.unique(column))),
    }  # fmt: skip


def kinds(data: Dataset) -> pl.DataFrame:
    """kind, events, share; the most frequent first."""
    schema = {"kind": pl.String, "events": pl.Int64, "share": pl.Float64}
    if data.events.kinds is None:
        return pl.DataFrame(schema=schema)
    counts = np.bincount(data.events.kinds, minlength=len(data.kind_names))
    frame = pl.DataFrame({"kind": list(data.kind_names), "events": counts, "share": counts / data.n_events}, schema=schema)
    return frame.sort("events", descending=True, maintain_order=True)


def _gaps(daily: pl.DataFrame) -> pl.DataFrame:
    runs = daily.with_columns(run=(pl.col("events") > 0).rle_id()).filter(pl.col("events") == 0)
    frame = runs.group_by("run", maintain_order=True).agg(first=pl.col("day").min(), last=pl.col("day").max(), days=pl.len())
    return frame.drop("run").sort("days", descending=True, maintain_order=True)


def _histogram(values: Int64, name: str, count: str) -> pl.DataFrame:
    size, number = np.unique(values, return_counts=True)
    return pl.DataFrame({name: size, count: number})
