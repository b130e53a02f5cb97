"""From who was shown what, and what came later, to one row per unit: those who did nothing have zeros, those who are too young are out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import polars as pl

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.time import DAY
from vitrina.data.impressions import Impressions
from vitrina.data.read.clock import Clock
from vitrina.data.read.sources import find_sources
from vitrina.experiments.assign import Experiment
from vitrina.experiments.trial import arms_read
from vitrina.policy.link import How, link_outcomes
from vitrina.policy.log import DecisionLog
from vitrina.policy.reading import Ids, Wanted, read_columns


@final
@dataclass(frozen=True, eq=False, repr=False)
class Outcomes:
    """A row per unit with what came of it, for `analyse` and `sequential`.

    Args:
        table: unit, arm, since (its first time in the experiment), known_at (when its window was over), the rewards, and each of them with `_before`, where that was asked. A
            unit in several arms has a row in each, which `analyse` counts and leaves out.
        sentences: what was counted, and what was left out and why.
    """

    table: pl.DataFrame
    sentences: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Outcomes({self.table['unit'].n_unique():,} units: {', '.join(self.table.columns[4:])})"

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def outcomes(
    assigned: Any,
    events: Any,
    *,
    days: float,
    event_unit: str,
    event_time: str,
    value: str | None = None,
    rewards: Mapping[str, How] | None = None,
    before: float | None = None,
    until: Any = None,
    experiment: Experiment | None = None,
    unit: str | None = None,
    arm: str | None = None,
    time: str | None = None,
) -> Outcomes:
    """What came of each unit within `days` of its first time in the experiment, and of the same unit before it.

    Units come from those who were ASSIGNED, and events are looked up for them: who has none has zeros, while an analysis of those who came leaves out just the people whom a
    treatment drove away. Everybody has the same window; whose isn't over yet is left out of all arms (`vt.policy.link_outcomes`).

    Args:
        assigned: `vt.Impressions` (people who were shown something), with `experiment`; or a table of exposures with `unit`, `time`, and `arm` or `experiment`.
        events: a table, a path or a list of these: a row per order, ride, or whatever came.
        days: the length of the window from the first time on.
        event_unit, event_time, value: columns of the events: the unit, the moment, and the number that is added up.
        rewards: name -> "any", "count" or "sum", as in `vt.policy.link_outcomes`.
        before: days before the first time, of which the same rewards are made as `<name>_before`: covariates, known before the treatment began.
        until: the moment up to which events are known; by default that of the last one.
        experiment: what says the arm of each unit; who is not in it is left out.

    Raises:
        DataError: a column or a row can't be used; impressions have no times; no window is over.
        ParameterError: neither an arm nor an experiment is named, or both.

    >>> import polars as pl
    >>> seen = pl.DataFrame({"user": ["ann", "bob", "ann"], "group": ["new", "old", "new"], "at": ["2026-03-02", "2026-03-03", "2026-03-09"]})
    >>> orders = pl.DataFrame({"user": ["ann", "ann"], "at": ["2026-02-25", "2026-03-05"], "paid": [4.0, 6.0]})
    >>> found = outcomes(seen, orders, days=7, before=14, unit="user", arm="group", time="at", event_unit="user", event_time="at", value="paid", rewards={"paid": "sum"},
    ...     until="2026-03-20")
    >>> found.table.select("unit", "arm", "paid", "paid_before").rows()
    [('ann', 'new', 6.0, 4.0), ('bob', 'old', 0.0, 0.0)]
    """
    if (arm is None) == (experiment is None):
        raise ParameterError(
            f"Who is in which arm is said by arm=, a column, or by experiment=. Got {'neither' if arm is None else 'both'}."
        )
    exposures, told = _of_impressions(assigned) if isinstance(assigned, Impressions) else _of_table(assigned, unit, arm, time)
    if experiment is not None:
        people = exposures["unit"].unique(maintain_order=True)
        places = pl.DataFrame({"unit": people, "arm": experiment.assign(people)["arm"]})
        exposures = exposures.join(places, on="unit", how="left", maintain_order="left")
    inside = exposures.drop_nulls("arm")
    if out := exposures["unit"].n_unique() - inside["unit"].n_unique():
        told.append(f"{out:,} units are not in the experiment.")
    first = (
        inside.group_by("unit", "arm", maintain_order=True).agg(pl.col("time").min()).with_columns(pl.col("time").cast(pl.Datetime("us")))
    )
    log = DecisionLog.of_frame(first, unit="unit", action="arm", reward=None, time="time")
    asked: dict[str, Any] = {"unit": event_unit, "time": event_time, "value": value, "rewards": rewards}
    linked = link_outcomes(log, events, days=days, until=until, **asked)
    table = _table(linked.log, days)
    if before is not None:
        assert linked.log.times is not None
        earlier = link_outcomes(
            replace(linked.log, times=linked.log.times - round(before * DAY), rewards={}), events, days=before, **asked
        ).log
        table = table.with_columns(pl.Series(f"{name}_before", values) for name, values in earlier.rewards.items())
    return Outcomes(table, (*told, *linked.sentences))


def _of_impressions(shown: Impressions) -> tuple[pl.DataFrame, list[str]]:
    if shown.times is None or shown.time_unit != "us":
        raise DataError(
            "Outcomes are linked by time, and these impressions have no moments. Name their column with time= when they are read."
        )
    frame = pl.DataFrame({"unit": shown.users, "time": shown.times})
    known = frame.filter(pl.col("unit") >= 0)
    strangers = frame.height - known.height
    told = [f"{strangers:,} places were shown to visitors whom nobody knows, and are left out."] if strangers else []
    return known.with_columns(unit=shown.people.ids.gather(known["unit"])), told


def _of_table(table: Any, unit: str | None, arm: str | None, time: str | None) -> tuple[pl.DataFrame, list[str]]:
    if unit is None or time is None:
        raise ParameterError("A table of exposures needs the names of its columns unit= and time=.")
    clock, ids = Clock(None, any_year=False), Ids()
    wanted = {"unit": Wanted("unit", unit, ids), "time": Wanted("time", time, lambda column, name, source: clock.read(column, name))}
    wanted |= {} if arm is None else {"arm": Wanted("arm", arm, arms_read)}
    read = read_columns(find_sources(table, "the table of exposures"), wanted)
    if not clock.real:
        raise DataError(f"Outcomes are linked by time: {time!r} must hold moments, not steps.")
    frame = pl.DataFrame([s.alias(key) for key, s in read.values.items()])
    return frame.with_columns(unit=ids.typed(frame["unit"])), []


def _table(log: DecisionLog, days: float) -> pl.DataFrame:
    since = pl.Series("since", log.times).cast(pl.Datetime("us"))
    arms = pl.Series("arm", log.arms).gather(log.actions)
    rewards = [pl.Series(name, values) for name, values in log.rewards.items()]
    table = pl.DataFrame([log.units.ids.alias("unit"), arms, since, since.alias("known_at"), *rewards])
    return table.with_columns(pl.col("known_at") + pl.duration(microseconds=round(days * DAY)))
