"""The measurements: each takes what was counted of a log and returns one small record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.data.inspect.counted import Measured, described
from vitrina.data.sharded import one_column
from vitrina.data.split.summary import moment
from vitrina.data.split.tally import Lengths
from vitrina.types import Int64

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


def sizes(data: Dataset, of: Measured) -> Sizes:
    """Counts and the time span."""
    items, unit = int(np.count_nonzero(of.items)), data.time_unit
    ends = [None, None] if of.span is None else [moment(t, unit) for t in of.span]
    days = (of.span[1] - of.span[0]) / DAY if of.span is not None and unit == "us" else None
    return Sizes(of.lengths.total, items, of.events, of.pairs / max(1, of.lengths.total * items), ends[0], ends[1], days)


def tail(of: Measured) -> Tail:
    """Concentration of events on items that have at least one."""
    counts = np.sort(of.items[of.items > 0])[::-1]
    n, total = len(counts), counts.sum()
    held = np.append(0, np.cumsum(counts)) / total
    rising = counts[::-1]
    gini = float((2 * np.arange(1, n + 1) - n - 1) @ rising / (n * total))
    points = np.unique(np.linspace(0, n, min(n, CURVE_POINTS) + 1).round().astype(int))
    curve = pl.DataFrame({"item_share": points / n, "event_share": held[points]})
    top = [float(held[max(1, round(share * n))]) for share in (0.01, 0.1)]
    return Tail(top[0], top[1], gini, float((counts == 1).mean()), curve)


def histories(of: Measured) -> Histories:
    """Events a person, of people with at least one."""
    at = {"5%": 0.05, "25%": 0.25, "median": 0.5, "75%": 0.75, "95%": 0.95, "99%": 0.99, "most": 1.0}
    quantiles = dict(zip(at, of.lengths.quantiles(list(at.values())), strict=True))
    single = int(of.lengths.counts[of.lengths.values == 1].sum()) / of.lengths.total
    return Histories(quantiles, single, 1 - of.pairs / of.events, _histogram(of.lengths, "length", "users"))


def timing(of: Measured) -> Timing | None:
    """Days, gaps and ties of a log with real time stamps; None for others."""
    if of.days is None:
        return None
    first = int(of.days.values[0])
    counts = np.zeros(of.days.most - first + 1, np.int64)
    counts[of.days.values - first] = of.days.counts
    dates = pl.Series("day", np.arange(len(counts)) + first).cast(pl.Int32).cast(pl.Date)
    daily = pl.DataFrame([dates, pl.Series("events", counts)])
    busiest = int(counts.argmax())
    return Timing(
        ties=of.tied / of.events, whole_days=of.whole_days, gap_days=int((counts == 0).sum()),
        busiest_day_share=float(counts[busiest] / counts.sum()), busiest_day=str(dates[busiest]), gaps=_gaps(daily), daily=daily,
    )  # fmt: skip


def groups(of: Measured) -> Groups | None:
    """Baskets, or else sessions; None where the log has neither baskets nor time stamps."""
    if of.groups is None or not of.groups.sizes.total:
        return None
    found = of.groups
    return Groups(
        found.what, found.sizes.total, found.sizes.mean, found.sizes.median, found.sizes.most, found.per_user.median,
        float("nan") if of.span is None or not found.several else found.one_time / found.several, _histogram(found.sizes, "size", "groups"),
    )  # fmt: skip


def bots(data: Dataset, of: Measured) -> pl.DataFrame:
    """Users with far more events than people have: user_id, events, share of all events; the busiest first.

    Far more is over median + 4 robust standard deviations (1.4826 MAD, at least 0.75) of the logarithm of events per person, and over 100.
    """
    logs = Lengths(np.log(of.lengths.values), of.lengths.counts)
    away = Lengths.of(np.abs(logs.values - logs.median), of.lengths.counts)
    spread = max(BOT_LEAST_SPREAD, 1.4826 * away.median)
    limit = max(BOT_LEAST, float(np.exp(logs.median + BOT_SPREADS * spread)))
    found = [part for part in data.map_shards(Over(limit)) if len(part[1])] or [(data.items.ids.head(0), np.empty(0, np.int64))]
    length = np.concatenate([lengths for _, lengths in found])
    order = np.argsort(-length, kind="stable")
    ids = one_column([ids for ids, _ in found]).gather(order).rename("user_id")
    return pl.DataFrame([ids, pl.Series("events", length[order]), pl.Series("share", length[order] / of.events)])


@dataclass(frozen=True)
class Over:
    """The users of a shard with more events than a limit, and how many they have."""

    limit: float

    def __call__(self, shard: Dataset) -> tuple[pl.Series, Int64]:
        length = np.diff(shard.indptr)
        found = np.flatnonzero(length > self.limit)
        return shard.users.decode(found), length[found]


def features(data: Dataset, of: Measured) -> pl.DataFrame:
    """Columns of the item and user tables: table, column, kind, coverage (of those with events), distinct."""
    schema = {"table": pl.String, "column": pl.String, "kind": pl.String, "coverage": pl.Float64, "distinct": pl.Int64}
    items = described(data.item_table, np.flatnonzero(of.items))
    found = [
        (table, name, c.kind, 1 - c.nulls / max(1, c.rows), len(c.known))
        for table, columns in (("items", items), ("users", of.features.columns)) for name, c in columns.items()
    ]  # fmt: skip
    return pl.DataFrame(found, schema=schema, orient="row")


def values(of: Measured) -> dict[str, float] | None:
    """Range of the values; shares are of events."""
    found = of.values
    if found is None or not found.total:
        return None
    low, middle, high = found.quantiles([0.01, 0.5, 0.99])
    return {
        "least": float(found.values[0]), "1%": low, "median": middle, "mean": of.value / of.events, "99%": high,
        "most": float(found.values[-1]), "negative_share": int(found.counts[found.values < 0].sum()) / of.events,
        "zero_share": int(found.counts[found.values == 0].sum()) / of.events, "distinct": float(len(found.values)),
    }  # fmt: skip


def kinds(data: Dataset, of: Measured) -> pl.DataFrame:
    """kind, events, share; the most frequent first."""
    schema = {"kind": pl.String, "events": pl.Int64, "share": pl.Float64}
    if of.kinds is None:
        return pl.DataFrame(schema=schema)
    frame = pl.DataFrame({"kind": list(data.kind_names), "events": of.kinds, "share": of.kinds / of.events}, schema=schema)
    return frame.sort("events", descending=True, maintain_order=True)


def _gaps(daily: pl.DataFrame) -> pl.DataFrame:
    runs = daily.with_columns(run=(pl.col("events") > 0).rle_id()).filter(pl.col("events") == 0)
    frame = runs.group_by("run", maintain_order=True).agg(first=pl.col("day").min(), last=pl.col("day").max(), days=pl.len())
    return frame.drop("run").sort("days", descending=True, maintain_order=True)


def _histogram(lengths: Lengths, name: str, count: str) -> pl.DataFrame:
    return pl.DataFrame({name: lengths.values, count: lengths.counts})
