"""From a log to its demand: the calendar, the zeros, and the days of which the log can't say what was wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Literal

import numpy as np
import polars as pl
import psutil

from vitrina.base.errors import DataError, MemoryBudgetError, ParameterError, UnknownNameError
from vitrina.base.time import DAY
from vitrina.data.dataset import Dataset
from vitrina.plan.demand.demand import ABSENT, SEEN, SOLD_OUT, Demand
from vitrina.plan.demand.lines import Lines, Returns
from vitrina.plan.demand.opening import said_of, shut_days
from vitrina.plan.demand.tables import Known, PriceLog, StockLog, on_days, rows_of
from vitrina.plan.demand.weeks import in_steps
from vitrina.plan.demand.zeros import suspicious_runs
from vitrina.types import Float32, Float64, Int32, Int64
from vitrina.vocabulary import Vocabulary

CELL_BYTES = 40  # of a series and day while it is made
TABLE_BYTES = 24  # more for each table beside the log
MEMORY_SHARE = 0.6  # of what is free, that a demand may take
EPOCH = date(1970, 1, 1)
HOURS_EARLY = 2  # by how much a day ends before it usually does, or begins after it, to look cut
Holidays = Literal["unknown", "zero"]
Suspicious = Literal["keep", "censor"]


@dataclass(frozen=True)
class Making:
    """How sale lines become demand: see `demand_of`."""

    returns: Returns = "error"
    step: int = 1
    min_sales: int = 1
    top: int | None = None
    holidays: Holidays = "unknown"
    suspicious: Suspicious = "keep"
    stock: StockLog | None = None
    prices: PriceLog | None = None

    def __post_init__(self) -> None:
        known = {
            "holidays": (self.holidays, ("unknown", "zero")),
            "suspicious": (self.suspicious, ("keep", "censor")),
            "step": (self.step, (1, 7)),
        }
        for name, (value, good) in known.items():
            if value not in good:
                raise ParameterError(
                    f"The {name!r} of demand must be {good[0]!r} or {good[1]!r}. Got {value!r}.", parameter=name, value=value
                )
        for name, least in (("min_sales", self.min_sales), ("top", self.top)):
            if least is not None and (isinstance(least, bool) or not isinstance(least, int) or least < 1):
                raise ParameterError(
                    f"The {name!r} of demand must be a whole number from 1 up. Got {least!r}.", parameter=name, value=least
                )


def demand_of(
    data: Dataset, *, place: str | None = None, stock: StockLog | Any = None, prices: PriceLog | Any = None, returns: Returns = "error",
    step: int = 1, zone: str | None = None, min_sales: int = 1, top: int | None = None, holidays: Holidays = "unknown",
    suspicious: Suspicious = "keep",
) -> Demand:  # fmt: skip
    """Demand out of a log whose values are quantities.

    A series begins on the first day with a sale of it, or with a row of it in the stock; from then on a day without a sale is a 0. A day is sold out where the
    stock says so. A weekday on which the shop is closed has 0; other days on which it sold nothing at all are unknown.

    Args:
        data: a log with dates, and quantities as values. Leave out what is no sale with `vt.filters.kinds`, and days with `vt.filters.period`.
        place: "user" where each person of the log is a shop, or a column of the table of users; None for one place.
        stock: what was in stock, a table with the columns `item_id`, `date` and `stock`, or a `StockLog` that names others.
        prices: a table with the columns `item_id`, `date` and `price`, or a `PriceLog` that names others.
        returns: what quantities below 0 are: "error" refuses them, "net" takes them off the day on which they came back, down to 0, "drop" leaves them out.
        step: 1 for days; 7 for weeks, the last of which ends with the log.
        zone: whose midnight ends a day, such as "Europe/London"; None for that of the times as they are (UTC, where they had a zone).
        min_sales: days with a sale that a series must have.
        top: keep so many series, those of the most units; None for all.
        holidays: days without any sale, in a shop that sells ten lines on a slow day, on a weekday that isn't always so: "unknown", or "zero".
        suspicious: what a run of days without a sale is that the rate of the item doesn't explain: "keep" says so in the notes, "censor" takes it for sold out.

    Raises:
        DataError: the log has no quantities or no dates, or a quantity can't be used.
        MemoryBudgetError: series x days would not fit in memory; says how many would.

    Cost: a pass over the log, and 40 bytes per series and day at the peak, 24 more for each table.

    >>> import polars as pl, vitrina as vt
    >>> lines = pl.DataFrame({"user_id": [1, 2, 1], "item_id": ["tea", "tea", "jam"], "timestamp": ["2027-03-01", "2027-03-04", "2027-03-03"], "value": [2, 1, 5]})
    >>> demand = vt.plan.demand_of(vt.read_interactions(lines, any_year=True))
    >>> demand.units.tolist(), demand.state.tolist()
    ([[2.0, 0.0, 0.0, 1.0], [0.0, 0.0, 5.0, 0.0]], [[1, 1, 1, 1], [0, 0, 1, 1]])
    """
    making = Making(returns, step, min_sales, top, holidays, suspicious, *logs_of(stock, prices))
    if data.time_unit != "us":
        raise DataError(
            f"Demand is per day, and the {data!r} has {'steps' if data.time_unit else 'no times'} and no dates. Name its column of dates: time='...'."
        )
    where = _places(data, place)
    codes = None if where is None else where[1]
    lines = Lines.joined(list(data.map_shards(_LinesOf(zone, place == "user", codes))))
    table = data.item_table
    made = assembled(lines, data.items, None if where is None else where[0], making)
    return replace(made, table=None if table is None else table.frame, title=None if table is None else table.title)


def logs_of(stock: Any, prices: Any) -> tuple[StockLog | None, PriceLog | None]:
    """Tables beside a log with the names of their columns."""
    return (
        stock if stock is None or isinstance(stock, StockLog) else StockLog(stock),
        prices if prices is None or isinstance(prices, PriceLog) else PriceLog(prices),
    )


@dataclass(frozen=True)
class _LinesOf:
    """The sums of a shard."""

    zone: str | None
    each: bool  # whether a person is a place
    codes: Int32 | None  # (users,) the place of each person, where it isn't the person

    def __call__(self, shard: Dataset) -> Lines:
        events = shard.events
        if events.values is None:
            raise DataError(
                f"Demand needs quantities, and the {shard!r} has no values. Name their column: vt.read_interactions(..., value='quantity'); where each line "
                "is one unit, add a column of 1."
            )
        if events.kinds is not None and len(kinds := np.unique(events.kinds)) > 1:
            names = ", ".join(repr(shard.kind_names[kind]) for kind in kinds)
            raise DataError(
                f"Demand is what was sold, and the log has events of several kinds ({names}). Keep the sales: vt.filters.kinds(data, ['buy'])."
            )
        if not np.isfinite(events.values).all():
            raise DataError(
                f"Quantities must be numbers, and {int((~np.isfinite(events.values)).sum()):,} of {len(events):,} lines have none. Leave these lines out."
            )
        assert events.times is not None
        place = np.zeros(len(events), np.int32) if not self.each and self.codes is None else shard.user_of + np.int32(shard.first_user)
        return Lines.of(events.items, place if self.codes is None else self.codes[place], events.times, events.values, zone=self.zone)


def _places(data: Dataset, place: str | None) -> tuple[Vocabulary, Int32 | None] | None:
    """Ids of places, and the place of each person where it isn't the person."""
    if place is None:
        return None
    if place == "user":
        return data.users, None
    table = data.user_table
    if table is None or place not in table.frame.columns:
        known = ["user", *([] if table is None else table.frame.columns)]
        raise UnknownNameError.of("place of demand", place, known)
    column = table.frame[place]
    if column.dtype not in (pl.String, pl.Categorical) and not column.dtype.is_integer():
        raise DataError(f"The place {place!r} must be a column of ids or categories. It holds {column.dtype}.")
    if column.null_count():
        raise DataError(f"{column.null_count():,} people of the log have no {place!r} in the table of users. Fill it, or give place=None.")
    ids = Vocabulary.of(column.unique(maintain_order=True))
    return ids, ids.encode(column)


def assembled(lines: Lines, items: Vocabulary, places: Vocabulary | None, making: Making) -> Demand:
    """Lay sums of lines on the calendar."""
    units, notes = lines.settled(making.returns)
    sold = units > 0
    if not sold.any():
        raise DataError("Demand needs sales, and no line of the log has a quantity above 0.")
    start, length = int(lines.day.min()), int(lines.day.max() - lines.day.min()) + 1
    stock = None if making.stock is None else rows_of(making.stock, items, places)
    width = 1 if places is None else len(places)
    keys = lines.item.astype(np.int64) * width + lines.place
    listed = None if stock is None else stock.item.astype(np.int64) * width + stock.place
    series, left_out = _series(keys[sold], units[sold], listed, making)
    _require_room(len(series), length, keys[sold], making)
    at = _index(series, keys)
    notes += left_out + _ends(lines, start, length)
    demand = Demand(
        _scattered(at, lines.day - start, units, (len(series), length)), np.zeros((len(series), length), np.int8), (series // width).astype(np.int32),
        items, EPOCH + timedelta(days=start), place=None if places is None else (series % width).astype(np.int32), places=places,
        stocked=stock is not None,
    )  # fmt: skip
    known = None
    if stock is not None and listed is not None:
        known, notes = on_days(stock, _index(series, listed), start, length, len(series)), [*notes, *stock.notes]
    state, said = _states(demand, lines, known, making)
    price, said_of_price = _prices(lines, making, demand, at, width)
    demand = replace(demand, state=state, price=price, units=np.where(state == ABSENT, np.float32(0), demand.units))
    return _finished(replace(demand, notes=(*notes, *said, *said_of_price)), making)


def _finished(demand: Demand, making: Making) -> Demand:
    """The demand with a word on suspicious zeros, in the steps that were asked for."""
    if not demand.stocked:
        runs = suspicious_runs(demand)
        demand = runs.censored(demand) if making.suspicious == "censor" else replace(demand, notes=(*demand.notes, *runs.sentences))
    return in_steps(demand, making.step)


def _series(keys: Int64, units: Float64, listed: Int64 | None, making: Making) -> tuple[Int64, list[str]]:
    """Keys of the series that are kept, ascending, and a sentence on the others."""
    found, where = np.unique(keys, return_inverse=True)
    days, total = np.bincount(where), np.bincount(where, units)
    keep = days >= making.min_sales
    notes = []
    if not keep.all():
        share = total[~keep].sum() / total.sum()
        notes.append(
            f"{int((~keep).sum()):,} of {len(keep):,} series with fewer than {making.min_sales} days of a sale are left out ({share:.1%} of the units)."
        )
    if not keep.any():
        raise DataError(f"No series has {making.min_sales} days with a sale: the most is {int(days.max())}. Give a smaller min_sales.")
    if making.top is not None and making.top < keep.sum():
        order = np.lexsort((found, -total, ~keep))[: making.top]
        share = total[order].sum() / total.sum()
        notes.append(f"The {making.top:,} series of the most units are kept, {share:.1%} of all units.")
        return np.sort(found[order]), notes
    never = np.setdiff1d(listed, found) if listed is not None and making.min_sales == 1 else found[:0]
    if len(never):
        notes.append(f"{len(never):,} series have stock and never a sale.")
    return np.union1d(found[keep], never), notes


def _require_room(series: int, days: int, keys: Int64, making: Making) -> None:
    free = psutil.virtual_memory().available
    cell = CELL_BYTES + TABLE_BYTES * ((making.stock is not None) + (making.prices is not None))
    fits = int(MEMORY_SHARE * free / (cell * days))
    if series <= fits:
        return
    counts = np.sort(np.unique(keys, return_counts=True)[1])[::-1]
    least = int(counts[fits]) + 1 if 0 < fits < len(counts) else making.min_sales + 1
    raise MemoryBudgetError(
        f"Demand of {series:,} series over {days:,} days needs {cell * series * days / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free. "
        f"Give top={max(fits, 1)} or min_sales={least}, or leave out days with vt.filters.period."
    )


def _index(series: Int64, keys: Int64) -> Int64:
    """The place of each key among the series, -1 where it has none."""
    at = np.minimum(np.searchsorted(series, keys), len(series) - 1)
    return np.where(series[at] == keys, at, -1)


def _scattered(at: Int64, column: Int64, values: Float64, shape: tuple[int, int], fill: float = 0.0) -> Float32:
    laid = np.full(shape, fill, np.float32)
    use = at >= 0
    laid[at[use], column[use]] = values[use]
    return laid


def _states(demand: Demand, lines: Lines, stock: Known | None, making: Making) -> tuple[Any, list[str]]:
    """(series, days) what is known of each day, and sentences."""
    begun = demand.units > 0
    if stock is not None:
        begun |= ~np.isnan(stock.value)
    state = np.where(np.maximum.accumulate(begun, axis=1), SEEN, ABSENT).astype(np.int8)
    start = (demand.start - EPOCH).days
    weekly, holidays = shut_days(lines, 1 if demand.places is None else len(demand.places), start, demand.days)
    place = np.zeros(len(demand), np.int32) if demand.place is None else demand.place
    if making.holidays == "unknown" and holidays.any():
        state[holidays[place]] = ABSENT
    notes = said_of(weekly, holidays, demand.start, kept=making.holidays == "zero")
    if stock is not None:
        out = sold_out(demand, stock, holds=making.stock is None or making.stock.holds) & (state == SEEN)
        state[out] = SOLD_OUT
        without = int((~(stock.own | ~np.isnan(stock.value)).any(axis=1)).sum())
        notes.append(f"{int(out.sum()):,} days are sold out, {out.sum() / max((state > ABSENT).sum(), 1):.1%} of those known.")
        if without:
            notes.append(f"{without:,} series have no row in the stock: their days count as in stock.")
    return state, notes


def sold_out(demand: Demand, stock: Known, *, holds: bool) -> Any:
    """(series, days) whether the stock says that an item was sold out."""
    own = stock.own & (stock.least <= 0)
    if not holds:
        return own
    day = np.arange(demand.days, dtype=np.int32)
    last_row = np.where(stock.own, day, np.int32(-1))
    last_sale = np.where((demand.units > 0) & ~stock.own, day, np.int32(-2))
    for last in (last_row, last_sale):
        np.maximum.accumulate(last, axis=1, out=last)
    return own | ((stock.value <= 0) & ~stock.own & (last_sale <= last_row))


def _prices(lines: Lines, making: Making, demand: Demand, at: Int64, width: int) -> tuple[Float32 | None, list[str]]:
    """(series, days) prices out of their table, or of the lines; and sentences."""
    shape, start = demand.units.shape, (demand.start - EPOCH).days
    if making.prices is not None:
        rows = rows_of(making.prices, demand.items, demand.places)
        everywhere = making.prices.place is None
        key = rows.item.astype(np.int64) * (1 if everywhere else width) + (0 if everywhere else rows.place)
        own = demand.item.astype(np.int64) if everywhere or demand.place is None else demand.item.astype(np.int64) * width + demand.place
        named, where = np.unique(own, return_inverse=True)
        price = on_days(rows, _index(named, key), start, shape[1], len(named)).value[where]
        unknown = int(np.isnan(price).all(axis=1).sum())
        return price, [*rows.notes, *([f"{unknown:,} series have no price."] if unknown else [])]
    if not lines.priced.any():
        return None, []
    mean = np.divide(lines.money, lines.priced, out=np.full(len(lines), np.nan), where=lines.priced > 0)
    return _scattered(at, lines.day - start, mean, shape, np.nan), [_said_of(lines)]


def _said_of(lines: Lines) -> str:
    """What the prices of lines are."""
    gifts = float((lines.units - lines.priced).sum())
    rest = f" {gifts:,.0f} units without a price, or at a price of 0, don't count in it." if gifts else ""
    return f"The price of a day is the mean over its units, and known on days with a sale.{rest}"


def _ends(lines: Lines, start: int, length: int) -> list[str]:
    """A word on a first or last day that looks cut off."""
    day, first, last = lines.days.T
    if len(day) < 7 or not last.any():
        return []
    first_hour, last_hour, edge = np.median(first), np.median(last), HOURS_EARLY * DAY // 24
    notes = []
    if first[0] > first_hour + edge:
        notes.append(
            f"The first day begins at {_clock(first[0])}, usually it is {_clock(first_hour)}: it may be cut off (demand.between(1, {length}))."
        )
    if last[-1] < last_hour - edge:
        notes.append(
            f"The last day ends at {_clock(last[-1])}, usually it is {_clock(last_hour)}: it may be cut off (demand.between(0, {length - 1}))."
        )
    return notes


def _clock(moment: float) -> str:
    minutes = int(moment) // 60_000_000
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
