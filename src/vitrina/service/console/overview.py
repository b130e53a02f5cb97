"""The first page: what runs, whether it is well, what to do next."""

from __future__ import annotations

import asyncio

import polars as pl
from msgspec import Struct

from vitrina.base.time import DAY, HOUR
from vitrina.report.html import Column, Html, el, join, name, section, table
from vitrina.report.words import count, percent, plural
from vitrina.service.console import counted
from vitrina.service.console.asked import Asked, Call, Page, address
from vitrina.service.console.frame import unsaid
from vitrina.service.console.window import Window
from vitrina.service.console.words import age, fitted, model_of, moment, now

OLD = 30 * DAY  # of a model: it hasn't seen what people did since
FEW = 10  # clicks before a share is told


class Row(Struct):
    """A scenario."""

    scenario: str
    model: str
    created: str | None
    loaded: int
    version: str
    experiment: str | None
    lists: int
    last_hour: int
    clicked: int
    shown: int
    low: float
    high: float


class Seen(Struct):
    """All that the page shows."""

    not_ready: list[str]
    rows: list[Row]
    kind: str | None
    events: int
    people: int
    refused: int
    hours: float
    open: bool


async def load(asked: Asked) -> Seen:
    """The page's numbers."""
    window = await asked.windows.of(asked.tenant.name)
    refused = await asyncio.to_thread(asked.service.store.rejected, asked.tenant.name, 1)
    people = len(asked.tenant.histories.users())
    rows = await asyncio.to_thread(_rows, asked, window)
    fresh = [one for one in refused if one.received > window.since]
    return Seen(
        list(asked.service.not_ready), rows, counted.wanted_kind(window), window.events.height, people, len(fresh), window.hours,
        not asked.service.settings.keys,
    )  # fmt: skip


def _rows(asked: Asked, window: Window) -> list[Row]:
    places = counted.answered(window, counted.wanted_kind(window))
    shares = {row.of: row for row in counted.shares(places, "scenario")}
    rows = []
    for key, scenario in asked.tenant.scenarios.items():
        own = places.filter(pl.col("scenario") == key).unique("recommendation_id")
        share, version = shares.get(key), scenario.version
        running = scenario.experiment.name if scenario.experiment is not None else None
        recent = own.filter(pl.col("time") > window.until - HOUR).height
        numbers = (0, 0, 0.0, 1.0) if share is None else (share.clicked, share.shown, share.low, share.high)
        rows.append(
            Row(
                key, model_of(version.artifact.manifest), fitted(version), version.loaded, version.id, running, own.height, recent, *numbers
            )
        )
    return rows


def render(asked: Asked, seen: Seen) -> Page:
    """The page."""
    well = "All is well" if not seen.not_ready else "The service can’t serve: " + " ".join(seen.not_ready)
    lists = sum(row.lists for row in seen.rows)
    lately = (
        f"{plural(lists, 'list')} and {plural(seen.events, 'event')} in the last {count(seen.hours / 24)} days"
        if lists or seen.events
        else "nobody has asked for a list yet"
    )
    answer = [f"{well}. {plural(len(seen.rows), 'scenario')}; {lately}."]
    calls = [Call("GET", "/v1/models", what="What serves"), Call("GET", "/v1/health/ready", what="Whether it is well")]
    return Page("Overview", answer, [_scenarios(seen), _next(seen)], [f"{plural(seen.people, 'person', 'people')} with a history"], calls)


def _scenarios(seen: Seen) -> Html:
    kind = seen.kind or "click"
    columns = [
        Column("Scenario", number=False, class_="first"), Column("Served by", number=False), Column("Fitted", number=False, class_="date"), Column("Lists"), Column("in the last hour"),
        Column(f"Places with “{kind}”"), Column(unsaid("Pages"), number=False),
    ]  # fmt: skip
    body = []
    for row in seen.rows:
        clicked = (
            f"{percent(row.clicked / row.shown, 1)} ({percent(row.low, 1)} to {percent(row.high, 1)})"
            if row.clicked >= FEW
            else "too early"
            if row.shown
            else "–"
        )
        links = join(
            (
                el("a", title, href=address(path, [("scenario", row.scenario)]))
                for path, title in (("/people", "People"), ("/dashboard", "Dashboard"))
            ),
            " · ",
        )
        runs = el("span", "experiment ", name(row.experiment), class_="remark") if row.experiment else None
        body.append(
            [
                el("div", name(row.scenario), runs),
                row.model,
                f"{age(row.created)} ago" if row.created else "–",
                count(row.lists),
                count(row.last_hour),
                clicked,
                links,
            ]
        )
    return section("scenarios-now", "What runs", table(columns, body, caption="Scenarios"))


def _next(seen: Seen) -> Html:
    """What to do, the most important first."""
    steps = [el("li", step) for step in _steps(seen)]
    return section("next", "What to do next", el("ol", *steps, class_="todo"))


def _steps(seen: Seen) -> list[Html | str]:
    link = lambda path, text: el("a", text, href=path)  # noqa: E731  said often
    steps: list[Html | str] = [f"Put this right: {reason}" for reason in seen.not_ready]
    if not any(row.lists for row in seen.rows):
        steps.append(join(("Ask for a list: POST /v1/recommend. Or ", link("/people", "look at what somebody gets"), ".")))
    elif not seen.events:
        steps.append(
            join(
                (
                    "Send what came of the lists: POST /v1/events, with the recommendation_id of the answer. Then ",
                    link("/dashboard", "the dashboard"),
                    " says what works.",
                )
            )
        )
    if seen.refused:
        steps.append(join(("Some rows were refused lately: ", link("/data", "see why"), ".")))
    for row in seen.rows:
        made = moment(row.created)
        if made is not None and now() - made > OLD:
            steps.append(
                f"{row.scenario} is served by a model that was fitted {age(row.created)} ago. Fit it again with what came in since: vitrina fit CONFIG --from-service DIR."
            )
        if row.experiment:
            steps.append(join((f"{row.experiment} runs in {row.scenario}: ", link("/experiments", "see what it says by now"), ".")))
    if seen.open:
        steps.append("The service has no key and answers this machine alone. Before others may come: vitrina key NAME.")
    return steps or [join(("Nothing. ", link("/people", "Look at a person"), ", or ", link("/models", "at the models"), "."))]
