"""Outcomes that come after the decision: orders, rides, returns, each counted for the decisions in whose window it falls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, final, get_args

import numpy as np
import polars as pl

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.time import DAY
from vitrina.data.read.clock import Clock, GivenUnit
from vitrina.data.read.sources import find_sources
from vitrina.policy.log import DecisionLog
from vitrina.policy.reading import Ids, Numbers, Wanted, read_columns
from vitrina.types import Float64, Int64
from vitrina.vocabulary import Vocabulary

How = Literal["any", "count", "sum"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Linked:
    """A log with what came of its decisions, and what was left out on the way. It prints as sentences.

    Args:
        log: the decisions whose window has passed, with the new rewards.
        young: decisions that are out, as their window wasn't over.
        used: events that fall into a window.
        shared: of these, in windows of several decisions: each of them counts it.
        outside: events of known units in no window: before the decision, or after its end.
        strangers: events of units that the log doesn't have.
        twice: events that are there before, to the letter: counted all the same.
        until: the moment up to which events are known, in microseconds since 1970.
    """

    log: DecisionLog
    young: int
    used: int
    shared: int
    outside: int
    strangers: int
    twice: int
    until: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """What happened, for people."""
        moment = str(np.datetime64(self.until, "us").astype("datetime64[s]")).replace("T", " ")
        said = (
            (len(self.log), f"{len(self.log):,} decisions have their outcomes; events are known until {moment}."),
            (self.young, f"{self.young:,} decisions are too young for the whole window, and are left out: whether or not something came of them, and in all arms."),
            (self.used, f"{self.used:,} events fall into a window{f'; {self.shared:,} into those of several decisions, and each counts them' * bool(self.shared)}."),
            (self.outside, f"{self.outside:,} events came before a decision or after its window, and count for none."),
            (self.strangers, f"{self.strangers:,} events are of others than were decided on."),
            (self.twice, f"{self.twice:,} events are there a second time with the same time and value, and are counted so: where they are one event, leave them out first."),
        )  # fmt: skip
        return tuple(sentence for count, sentence in said if count)

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    __repr__ = __str__


def link_outcomes(
    log: DecisionLog,
    events: Any,
    *,
    time: str,
    days: float,
    unit: str | None = None,
    cluster: str | None = None,
    value: str | None = None,
    rewards: Mapping[str, How] | None = None,
    until: Any = None,
    time_unit: GivenUnit | None = None,
    any_year: bool = False,
) -> Linked:
    """The log with rewards that came later, each in the window of its decision: from its moment on, and before `days` later.

    Every decision gets the same time, or arms that were given later would look worse: those whose window isn't over are left out.

    Args:
        log: decisions with times; it may have no reward yet (`reward=None`).
        events: a Polars, pandas or Arrow table, a path, or a list of these: a row per order, ride, or whatever came.
        time: its column of times. Where they are mere dates, all of the day of the decision counts as after it.
        days: the length of the window.
        unit: its column of ids of the log's units.
        cluster: instead of it, its column of ids of the log's clusters, where whatever came belongs to these: orders of a client, decisions by trip.
        value: its column of numbers, for "sum".
        rewards: name of each new reward -> "any" (1 where something came), "count" or "sum" of the values. By default `happened`, `times`, and `value` where there are values.
        until: the moment up to which events are known, a date or text; by default that of the last event.
        time_unit, any_year: of the times of events, as in `vt.read_interactions`.

    Raises:
        DataError: the log has no times; a column or a row of the events can't be used; no window is over.
        ParameterError: neither unit nor cluster is named, or both; a sum is asked for without values; the window is no positive number.

    Cost: a sort of the events; a search per decision, whatever one unit has.

    >>> import polars as pl
    >>> log = DecisionLog.of_frame(pl.DataFrame({"client": [7, 8], "arm": ["a", "b"], "at": ["2024-03-01", "2024-03-25"]}), unit="client", action="arm", reward=None, time="at")
    >>> orders = pl.DataFrame({"client": [7, 7, 7], "at": ["2024-02-28", "2024-03-04", "2024-03-30"], "paid": [9.0, 5.5, 1.0]})
    >>> linked = link_outcomes(log, orders, unit="client", time="at", value="paid", days=14)
    >>> {name: values.tolist() for name, values in linked.log.rewards.items()}, linked.young, linked.outside
    ({'happened': [1.0], 'times': [1.0], 'value': [5.5]}, 1, 2)
    """
    asked = _asked(log, unit, cluster, value, rewards, days)
    known = Vocabulary.of(log.units.ids) if cluster is None else Vocabulary.of(log.cluster_ids)
    own = known.encode(log.units.ids) if cluster is None else log.clusters
    found = _events(events, unit if cluster is None else cluster, time, value, Clock(time_unit, any_year), known)
    end = found.last if until is None else _moment(until)
    begin, length = np.asarray(log.times, np.int64), round(days * DAY)
    old = begin + length <= end + 1
    if not old.any():
        raise DataError(
            f"No decision is old enough: the first window of {days:g} days ends after the last event that is known. Take a shorter window, or wait; "
            "where events are known for longer than the last of them says, give until=."
        )
    windows = _windows(found, own[old].astype(np.int64), begin[old], length)
    log = log.rows(old)
    for name, how in asked.items():
        log = log.with_reward(name, windows.reward(how))
    linked = Linked(
        log, int((~old).sum()), windows.used, windows.shared, len(found.times) - windows.used, found.strangers, found.twice, end
    )
    return replace(linked, log=replace(log, notes=(*log.notes, *linked.sentences)))


def _asked(
    log: DecisionLog, unit: str | None, cluster: str | None, value: str | None, rewards: Mapping[str, How] | None, days: float
) -> Mapping[str, How]:
    """The rewards that are to be made."""
    if log.times is None or log.time_unit != "us":
        raise DataError(
            "Outcomes are linked by time, and this log has no moments of its decisions. Name their column with time= when it is read."
        )
    if (unit is None) == (cluster is None):
        raise ParameterError(
            f"Name the column of ids of the events with unit=, or with cluster=. Got {'neither' if unit is None else 'both'}."
        )
    if isinstance(days, bool) or not isinstance(days, (int, float)) or not 0 < days < 100_000:
        raise ParameterError(f"The 'days' of a window must be a positive number. Got {days!r}.", parameter="days", value=days)
    made: dict[str, How] = {"happened": "any", "times": "count", "value": "sum"}
    if value is None:
        del made["value"]
    asked = made if rewards is None else dict(rewards)
    for name, how in asked.items():
        if how not in get_args(How):
            raise ParameterError(f'The reward {name!r} must be "any", "count" or "sum" of what came. Got {how!r}.', parameter="rewards")
        if how == "sum" and value is None:
            raise ParameterError(
                f"The reward {name!r} is a sum, and no values are named. Give value=, the column of them.", parameter="value"
            )
    if not asked:
        raise ParameterError('The \'rewards\' must name one at least, such as {"ordered": "any"}. Got none.', parameter="rewards")
    return asked


class _Events(NamedTuple):
    """Events of known units, by (unit, time)."""

    codes: Int64
    times: Int64
    values: Float64
    last: int  # moment of any event
    strangers: int
    twice: int


def _events(events: Any, ids: str | None, time: str, value: str | None, clock: Clock, known: Vocabulary) -> _Events:
    assert ids is not None, "one of unit and cluster is named"
    wanted = {
        "unit": Wanted("unit", ids, Ids()),
        "time": Wanted("time", time, lambda column, name, source: clock.read(column, name)),
    } | ({} if value is None else {"value": Wanted("value", value, Numbers("value"))})
    columns = read_columns(find_sources(events, "the table of events"), wanted)
    if not clock.real:
        raise DataError("Outcomes are linked by time: the times of events must be moments, not steps.")
    codes = known.encode(columns.values["unit"]).astype(np.int64)
    times = columns.values["time"].to_numpy()
    values = columns.values["value"].to_numpy() if value is not None else np.ones(len(times))
    twice = len(times) - pl.DataFrame({"unit": columns.values["unit"], "time": times, "value": values}).n_unique()
    here = codes >= 0
    if not here.any():
        raise DataError(
            f"None of the {len(times):,} events is of a unit of the log: the column {ids!r} has other ids, such as {columns.values['unit'][0]!r}."
        )
    order = np.flatnonzero(here)[np.lexsort((times[here], codes[here]))]
    return _Events(codes[order], times[order], values[order], int(times.max()), int((~here).sum()), twice)


class _Windows(NamedTuple):
    """Of each decision the run of events in its window."""

    first: Int64
    stop: Int64
    sums: Float64
    used: int
    shared: int

    def reward(self, how: How) -> Float64:
        count = (self.stop - self.first).astype(np.float64)
        return self.sums if how == "sum" else count if how == "count" else (count > 0).astype(np.float64)


def _windows(events: _Events, codes: Int64, begin: Int64, length: int) -> _Windows:
    """The events of a unit stand together in time, so a window is a run of them; a moment is its place among all times, so that (unit, moment) is one number."""
    moments = np.unique(events.times)
    width = len(moments) + 1
    keys = events.codes * width + np.searchsorted(moments, events.times)
    first, stop = (np.searchsorted(keys, codes * width + np.searchsorted(moments, edge)) for edge in (begin, begin + length))
    total = np.concatenate([[0], np.cumsum(events.values, dtype=np.longdouble)])
    cover = np.cumsum(np.bincount(first, minlength=len(keys) + 1) - np.bincount(stop, minlength=len(keys) + 1))
    return _Windows(first, stop, (total[stop] - total[first]).astype(np.float64), int((cover > 0).sum()), int((cover > 1).sum()))


def _moment(until: Any) -> int:
    """Microseconds since 1970 of a date, a moment, or their text."""
    try:
        return int(np.datetime64(until, "us").astype(np.int64))
    except (ValueError, TypeError):
        raise ParameterError(
            f"The 'until' must be a date or a moment, such as '2024-05-01'. Got {until!r}.", parameter="until", value=until
        ) from None
