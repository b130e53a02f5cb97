"""Experiments that run: who is in which arm, whether that is as planned, and what can be said by now. Here the numbers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from msgspec import Struct

from vitrina.base.errors import DataError
from vitrina.base.time import DAY
from vitrina.experiments import Ratio, Share, outcomes, sequential
from vitrina.experiments.checks import counted
from vitrina.service.console.asked import Asked
from vitrina.service.console.counted import SEEN
from vitrina.service.console.words import now

if TYPE_CHECKING:
    from vitrina.experiments import Experiment
    from vitrina.service.store.store import Store

DAYS = 1.0  # after a unit's first list: what it did then is its number
PLANNED = 10_000  # units at which the intervals are narrowest
MOST_KINDS = 3  # of events that are compared
SECONDS = 60  # that what was computed is shown again


class Compared(Struct):
    """A metric of an arm beside control; `low` and `high` may be looked at every day."""

    metric: str
    arm: str
    control: str
    units: int
    control_value: float | None
    value: float | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: str


class Running(Struct):
    """An experiment, with what is known of it by now."""

    name: str
    scenario: str
    unit: str
    arms: dict[str, float]
    share: float
    started: int | None
    lists: dict[str, int]
    units: dict[str, int]
    complete: int
    verdict: str  # of the sizes of the arms: "pass", "warn", "refuse", or "too early"
    ratio: str
    checks: list[tuple[str, str, str]]
    compared: list[Compared]
    sentences: list[str]


class Seen(Struct):
    """All experiments of the tenant."""

    running: list[Running]
    at: int


class Looks:
    """What was computed of experiments, for a minute: a pass over all that was shown is not made for every look."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Seen]] = {}

    async def of(self, asked: Asked) -> Seen:
        """The experiments of the tenant.

        Raises:
            StoreUnavailableError: the database doesn't answer.
        """
        tenant = asked.tenant.name
        kept = self._kept.get(tenant)
        if kept is None or time.monotonic() - kept[0] > SECONDS:
            served = asked.service.settings.experiments_of(tenant)
            of = [(one.experiment, asked.service.settings.name_of(one.scenario)) for one in served.values()]
            seen = await asyncio.to_thread(lambda: Seen([running(asked.service.store, tenant, *one) for one in of], now()))
            kept = self._kept[tenant] = (time.monotonic(), seen)
        return kept[1]


async def load(asked: Asked) -> Seen:
    """The page's numbers."""
    return await asked.looks.of(asked)


def running(store: Store, tenant: str, experiment: Experiment, scenario: str) -> Running:
    """What is known of one experiment by now.

    Cost: a pass over all that was shown and all events; memory for the units, and for their events of one day each.
    """
    exposures = exposed(store, tenant, experiment)
    base = {
        "name": experiment.name,
        "scenario": scenario,
        "unit": experiment.unit,
        "arms": dict(experiment.arms),
        "share": experiment.share,
    }
    arms = [*experiment.arms]
    units = {arm: int((exposures["arm"] == arm).sum()) for arm in arms}
    lists = {arm: int(exposures.filter(pl.col("arm") == arm)["lists"].sum()) for arm in arms}
    started = None if exposures.is_empty() else int(exposures["time"].min())  # type: ignore[call-overload]
    sizes = counted(np.array([units[arm] for arm in arms]), arms, experiment.arms) if len(exposures) else None
    ratio = "Nobody has been in it yet." if sizes is None else sizes.sentence
    told = {"started": started, "lists": lists, "units": units, "ratio": ratio, "verdict": "too early" if sizes is None else sizes.verdict}
    events = _events(store, tenant, exposures, "user" if experiment.unit == "user" else "session")
    return Running(**base, **told, **_results(exposures, events, experiment))


def exposed(store: Store, tenant: str, experiment: Experiment) -> pl.DataFrame:
    """unit, arm, time of the first list, lists: a row per unit and arm."""
    unit = "user" if experiment.unit == "user" else "session"
    parts = []
    for frame in store.shown(tenant):
        own = frame.filter(
            (pl.col("experiment") == experiment.name) & pl.col("variant").is_in([*experiment.arms]) & pl.col(unit).is_not_null()
        )
        own = own.select(pl.col(unit).alias("unit"), pl.col("variant").alias("arm"), "time", "recommendation_id")
        parts.append(own.group_by("unit", "arm").agg(pl.col("time").min(), lists=pl.col("recommendation_id").n_unique()))
    empty = pl.DataFrame(schema={"unit": pl.String, "arm": pl.String, "time": pl.Int64, "lists": pl.UInt32})
    return pl.concat([empty, *parts]).group_by("unit", "arm").agg(pl.col("time").min(), pl.col("lists").sum()).sort("time", "unit")


def _events(store: Store, tenant: str, exposures: pl.DataFrame, unit: str) -> pl.DataFrame:
    """The events of the units within their windows: unit, kind, time."""
    first = exposures.group_by("unit").agg(pl.col("time").min().alias("since"))
    parts = [pl.DataFrame(schema={"unit": pl.String, "kind": pl.String, "time": pl.Int64})]
    if len(first):
        for frame in store.events(tenant):
            own = frame.filter(~pl.col("kind").is_in(SEEN)).select(pl.col(unit).alias("unit"), "kind", "time").join(first, on="unit")
            parts.append(
                own.filter(pl.col("time").is_between(pl.col("since"), pl.col("since") + DAYS * DAY)).select("unit", "kind", "time")
            )
    return pl.concat(parts)


def _results(exposures: pl.DataFrame, events: pl.DataFrame, experiment: Experiment) -> dict[str, Any]:
    """Differences from control with intervals that may be looked at every day."""
    nothing: dict[str, Any] = {"complete": 0, "checks": [], "compared": [], "sentences": []}
    if exposures.is_empty():
        return nothing | {"sentences": ["Too early: ask for lists with the id of a person, and they are in an arm from then on."]}
    kinds = events["kind"].value_counts().sort(["count", "kind"], descending=[True, False])["kind"].head(MOST_KINDS).to_list()
    if not kinds:
        return nothing | {"sentences": ["Too early: nobody in it has done anything that was sent to POST /v1/events."]}
    try:
        table = _table(exposures, events, kinds)
    except DataError:
        return nothing | {
            "sentences": [f"Too early: nobody has been in it for {DAYS:g} day, which is what is looked at of each {experiment.unit}."]
        }
    metrics: dict[str, Any] = {f"{experiment.unit}s with {kind}": Share(column=f"any {kind}") for kind in kinds}
    metrics |= {f"{kind} per list": Ratio(numerator=kind, denominator="lists") for kind in kinds[:1]}
    if table["arm"].n_unique() < 2:
        return nothing | {
            "complete": table["unit"].n_unique(),
            "sentences": ["Too early: one arm alone has people whose first day is over."],
        }
    found = sequential(
        table, metrics, arm="arm", unit="unit", time="known_at", planned=PLANNED, shares=experiment, control=experiment.control
    )
    last = found.table.group_by("metric", "arm", maintain_order=True).last()
    rows = [_compared(row) for row in last.iter_rows(named=True)]
    checks = [(check.name, check.verdict, check.sentence) for check in found.checks.rows]
    return {"complete": table["unit"].n_unique(), "checks": checks, "compared": rows, "sentences": [*found.sentences]}


def _table(exposures: pl.DataFrame, events: pl.DataFrame, kinds: list[str]) -> pl.DataFrame:
    """A row per unit whose window is over: how often it did each kind of thing, and whether at all.

    Raises:
        DataError: no window is over.
    """
    seen = exposures.with_columns(pl.col("time").cast(pl.Datetime("us")))
    known, joined = pl.from_epoch(pl.Series([now()]), time_unit="us")[0], None
    for kind in kinds:
        own = events.filter(pl.col("kind") == kind).with_columns(pl.col("time").cast(pl.Datetime("us")))
        asked: Mapping[str, Any] = {
            "unit": "unit",
            "arm": "arm",
            "time": "time",
            "event_unit": "unit",
            "event_time": "time",
            "until": known,
        }
        found = outcomes(seen, own, days=DAYS, rewards={kind: "count", f"any {kind}": "any"}, **asked).table
        joined = found if joined is None else joined.join(found.select("unit", "arm", kind, f"any {kind}"), on=["unit", "arm"])
    assert joined is not None
    return joined.join(exposures.select("unit", "arm", "lists"), on=["unit", "arm"])


def _compared(row: Mapping[str, Any]) -> Compared:
    ends = (row["low_so_far"], row["high_so_far"]) if row["verdict"] != "too early" else (None, None)
    values = (row["control_value"], row["value"], row["difference"]) if row["verdict"] != "too early" else (None, None, None)
    return Compared(row["metric"], row["arm"], row["control"], row["units"], *values, *ends, row["verdict"])
