"""What a scenario does: requests, latency, empty answers, what was shown and how often it was clicked, beside what the model promised offline. Here the numbers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import polars as pl
from msgspec import Struct

from vitrina.service.console import counted, trying
from vitrina.service.console.asked import Asked
from vitrina.service.console.gauged import Gauged, Latency
from vitrina.service.console.window import Window
from vitrina.service.console.words import fitted, model_of

if TYPE_CHECKING:
    from vitrina.artifacts import Artifact
    from vitrina.service.console.names import Table

MOST_SHOWN = 8  # items


class Route(Struct):
    """Requests of a route by how they ended."""

    route: str
    answered: int
    refused: int  # 4xx
    failed: int  # 5xx


class Offline(Struct):
    """A number of the model, measured on the log when it was fitted."""

    metric: str
    value: float


class Seen(Struct):
    """All that the page shows, of one scenario."""

    scenario: str
    version: str
    model: str
    created: str | None
    loaded: int
    answers: int
    empty: int
    fallback: int
    lost: int
    lag: float
    depth: dict[str, float]
    routes: list[Route]
    latencies: list[Latency]
    stages: list[Latency]
    dropped: list[tuple[str, str, int]]
    skipped: dict[str, int]
    offline: list[Offline]
    since: int
    until: int
    cut: bool
    lists: int
    people: int
    width: int
    per_bin: dict[str, list[tuple[int, int]]]
    kind: str | None
    unlinked: int
    by_position: list[counted.Share]
    by_scenario: list[counted.Share]
    by_version: list[counted.Share]
    models: dict[str, str]  # of the versions, as far as they are in memory
    by_source: dict[str, int]
    reach: counted.Reach
    top: list[tuple[str, str, int]]  # id, title, places


async def load(asked: Asked) -> Seen:
    """The page's numbers: of the process since its start, and of what was shown lately."""
    scenario, tenant = asked.scenario, asked.tenant.name
    gauged = Gauged(asked.service.metrics)
    of = {"tenant": tenant, "scenario": scenario.name}
    window = await asked.windows.of(tenant)
    version = scenario.version
    table = asked.names.table(version.artifact)
    shown = await asyncio.to_thread(_shown, window, scenario.name, version.artifact, table)
    titles = asked.names.titles(asked.tenant, [item for item, _ in shown["top"]])
    shown["top"] = [(item, titles[item], count) for item, count in shown["top"]]
    shown["models"] = {one.version: one.model for one in trying.ways(asked.tenant)}
    answers, empty, fallback = (
        int(gauged.total(f"vitrina_{name}_total", **of)) for name in ("answers", "empty_answers", "fallback_answers")
    )
    return Seen(
        scenario.name, version.id, model_of(version.artifact.manifest), fitted(version), version.loaded,
        answers, empty, fallback,
        int(gauged.total("vitrina_shown_lost_total")), gauged.total("vitrina_ingest_lag_seconds"),
        {labels["queue"]: value for labels, value in gauged.of("vitrina_queue_depth")}, routes_of(gauged),
        gauged.latencies("vitrina_request_seconds", "route"), gauged.latencies("vitrina_stage_seconds", "stage", **of),
        sorted(((own["stage"], own["rule"], int(n)) for own, n in gauged.of("vitrina_dropped_items_total", **of)), key=lambda row: -row[2]),
        {own["source"]: int(n) for own, n in gauged.of("vitrina_skipped_sources_total", **of) if n},
        [Offline(metric, value) for metric, value in version.artifact.manifest.get("metrics", {}).items()], **shown,
    )  # fmt: skip


def routes_of(gauged: Gauged) -> list[Route]:
    """Requests by route; the pages of the console are one."""
    found: dict[str, Route] = {}
    for labels, value in gauged.of("vitrina_requests_total"):
        route = found.setdefault(labels["route"], Route(labels["route"], 0, 0, 0))
        status = int(labels["status"])
        if status < 400:
            route.answered += int(value)
        elif status < 500:
            route.refused += int(value)
        else:
            route.failed += int(value)
    return sorted(found.values(), key=lambda one: -one.answered)


def _shown(window: Window, scenario: str, artifact: Artifact, table: Table) -> dict[str, Any]:
    """What was shown in the window, and what came of it."""
    kind = counted.wanted_kind(window)
    places = counted.answered(window, kind)
    own = places.filter(pl.col("scenario") == scenario)
    happened = window.events.filter(pl.col("kind") == (kind or ""))
    lists = own.unique("recommendation_id", keep="first", maintain_order=True)
    width, per_bin = counted.over_time(lists["time"], window.since, window.until)
    lines = {"lists": per_bin}
    if kind is not None:
        lines[kind] = counted.over_time(happened["time"], window.since, window.until)[1]
    catalogue = artifact.recommender.catalogue
    return {
        "since": window.since, "until": window.until, "cut": window.cut, "lists": lists.height, "people": own["who"].n_unique(), "width": width,
        "per_bin": lines, "kind": kind, "unlinked": happened.filter(pl.col("recommendation_id").is_null()).height,
        "by_position": counted.shares(own, "scenario", by_position=True), "by_scenario": counted.shares(places, "scenario"),
        "by_version": counted.shares(own, "version"), "by_source": dict(own["source"].value_counts().sort("count", descending=True).rows()),
        "reach": counted.reach(own["item"].to_list(), catalogue.events, table.frame["id"], catalogue.mask),
        "top": own["item"].value_counts().sort(["count", "item"], descending=[True, False]).head(MOST_SHOWN).rows(),
    }  # fmt: skip
