"""What a service kept, as tables for everything that judges: what was shown with what came of it, who was in which arm, and what happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from vitrina.base.errors import DataError
from vitrina.data.impressions import Impressions
from vitrina.service.store.frames import EVENTS, PLACES
from vitrina.service.store.reading import Readable

MOMENT = pl.Datetime("us")
LINK = ["recommendation_id", "item"]

State = str | Path | Readable


def events(state: State, *, tenant: str = "default", kinds: Sequence[str] | None = None) -> pl.DataFrame:
    """Events that were accepted, in their order: `sequence`, the fields of an event, and `time` and `received` as moments (UTC).

    Args:
        state: the state folder of a service, which may be running; or an open store.
        kinds: only these.

    Raises:
        DataError: there is no store in the folder.
        StoreUnavailableError: the database can't be reached.
    """
    parts = [frame if kinds is None else frame.filter(pl.col("kind").is_in(list(kinds))) for frame in _opened(state).events(tenant)]
    return _whole(iter(parts), list(EVENTS)).with_columns(pl.col("time", "received").cast(MOMENT))


def exposures(state: State, *, tenant: str = "default", experiment: str | None = None) -> pl.DataFrame:
    """A row per answer that was shown within an experiment: `unit` (the person, or the session), `arm`, `propensity`, `time`, `experiment`, `scenario`, `version`,
    `recommendation_id`: for `vt.experiments.outcomes(..., unit="unit", arm="arm", time="time")`.

    Who was outside of it (no id, held out, not in the ramp yet) has no row.

    Args:
        experiment: of this name; None: of all.
    """
    parts = (
        frame.filter(pl.col("variant").is_not_null()).unique("recommendation_id", maintain_order=True)
        for frame in _opened(state).shown(tenant)
    )
    table = _whole(parts, PLACES)
    if experiment is not None:
        table = table.filter(pl.col("experiment") == experiment)
    unit = pl.coalesce("user", "session").alias("unit")
    return table.select(
        unit, pl.col("variant").alias("arm"), "propensity", pl.col("time").cast(MOMENT), "experiment", "scenario", "version", "recommendation_id"
    )  # fmt: skip


def impressions(
    state: State, *, outcome: str, tenant: str = "default", scenario: str | None = None, experiment: str | None = None
) -> Impressions:
    """What was shown, a row per place, with what came of it: 1 where an event of the kind `outcome` names the recommendation and the item, else 0.

    Values are added up over such events, and are there where any of them has one. Propensities are there where the service knew the chance of every place.

    Args:
        outcome: the kind of event that counts, such as "click".
        scenario: only what was shown there.
        experiment: only what was shown within it.

    Raises:
        DataError: nothing was shown.

    Memory: the rows that were shown, and the events that name a recommendation.
    """
    store = _opened(state)
    shown = _whole(store.shown(tenant), PLACES)
    for column, wanted in (("scenario", scenario), ("experiment", experiment)):
        shown = shown if wanted is None else shown.filter(pl.col(column) == wanted)
    if shown.is_empty():
        raise DataError(
            f"The service showed nothing to the tenant {tenant!r} that fits. Ask it for recommendations first: POST /v1/recommend."
        )
    linked = (frame.filter((pl.col("kind") == outcome) & pl.col("recommendation_id").is_not_null()) for frame in store.events(tenant))
    came = _whole(linked, list(EVENTS)).group_by(LINK).agg(outcome=pl.lit(1.0), value=pl.col("value").sum(), valued=pl.col("value").count())
    table = shown.join(came, on=LINK, how="left", maintain_order="left").with_columns(pl.col("outcome", "value").fill_null(0.0))
    columns: dict[str, Any] = {"position": "position", "outcome": "outcome", "time": "time"}
    if table["valued"].sum():
        columns["value"] = "value"
    if not table["item_propensity"].has_nulls():
        columns["propensity"] = "item_propensity"
    return Impressions.of_frame(
        table.drop("propensity", "valued"), request="recommendation_id", user="user", item="item", time_unit="us", any_year=True, **columns
    )


def _opened(state: State) -> Readable:
    return state if isinstance(state, Readable) else Readable.read_only(state)


def _whole(frames: Iterator[pl.DataFrame], columns: list[str]) -> pl.DataFrame:
    parts = [frame.select(columns) for frame in frames]
    empty = pl.DataFrame(schema={name: EVENTS.get(name, pl.String) for name in columns})
    return pl.concat(parts) if parts else empty
