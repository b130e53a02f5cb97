"""An item's page: what is known of it, what is like it, who gets it, and how often it was shown and taken lately."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import polars as pl
from msgspec import Struct

from vitrina.base.errors import UnknownNameError, VitrinaError
from vitrina.report.html import Column, Html, el, figure, name, section, sentence, table
from vitrina.report.words import count, percent, plural
from vitrina.service.console import counted, plots
from vitrina.service.console.asked import Asked, Call, Page
from vitrina.service.console.frame import search_field, unsaid
from vitrina.service.console.names import item_link, item_path, person_path
from vitrina.service.console.person import field
from vitrina.service.console.window import DAYS, Window
from vitrina.service.console.words import model_of, when
from vitrina.wire import SimilarRequest

MOST = 12  # of each list on the page


class Similar(Struct):
    """An item that is like this one."""

    item: str
    title: str
    score: float | None


class Given(Struct):
    """Somebody who was shown the item."""

    user: str | None
    time: int
    scenario: str
    position: int
    clicked: bool


class Seen(Struct):
    """An item with all that the page shows."""

    item: str
    title: str | None
    columns: dict[str, Any]
    deleted: bool
    log_events: int | None
    log_people: int | None
    similar: list[Similar]
    refused: str | None
    people: list[Given]
    shown: int
    shown_to: int
    kind: str | None
    clicked: int
    events: list[tuple[str, int]]
    width: int
    per_bin: dict[str, list[tuple[int, int]]]


async def load(asked: Asked) -> Seen:
    """The page's numbers.

    Raises:
        UnknownNameError: nobody knows the item.
    """
    item = asked.parts["item"]
    if not asked.names.known(asked.tenant, item):
        raise UnknownNameError(f"Nobody knows the item {item[:200]!r}: no model that serves, and no PUT /v1/items. Find one at /items.")
    window = await asked.windows.of(asked.tenant.name)
    similar, refused = await _similar(asked, item)
    artifact = asked.scenario.version.artifact
    at = asked.names.table(artifact).ids.get(item)
    catalogue = artifact.recommender.catalogue
    return Seen(
        item, asked.names.title(asked.tenant, item), _columns(asked, at), item in asked.tenant.items.deleted,
        None if at is None else int(catalogue.events[at]), None if at is None else int(catalogue.users[at]), similar, refused, *_lately(window, item),
    )  # fmt: skip


async def _similar(asked: Asked, item: str) -> tuple[list[Similar], str | None]:
    try:
        answered = await asked.scenario.way(None).batcher.similar(SimilarRequest(item=item, k=MOST, scenario=asked.scenario.name))
    except VitrinaError as error:
        return [], str(error)
    titles = asked.names.titles(asked.tenant, [one.item for one in answered.items])
    return [Similar(one.item, one.title or titles[one.item], one.score) for one in answered.items], answered.empty


def _columns(asked: Asked, at: int | None) -> dict[str, Any]:
    """Of the model's own table, and over it what was set since."""
    known = asked.scenario.version.artifact.item_table
    own = {} if known is None or at is None else known.frame.row(at, named=True)
    return {key: value for key, value in {**own, **asked.tenant.items.of(asked.parts["item"])}.items() if value is not None}


def _lately(window: Window, item: str) -> tuple[Any, ...]:
    """Who was shown it, how often, and what came of it."""
    kind = counted.wanted_kind(window)
    places = counted.answered(window, kind).filter(pl.col("item") == item)
    latest = places.sort("time", descending=True).head(MOST)
    people = [
        Given(row["user"], row["time"], row["scenario"], row["position"], bool(row["clicked"])) for row in latest.iter_rows(named=True)
    ]
    events = window.events.filter(pl.col("item") == item)
    kinds = events["kind"].value_counts().sort(["count", "kind"], descending=[True, False]).rows()
    width, shown = counted.over_time(places["time"], window.since, window.until)
    _, happened = counted.over_time(events["time"], window.since, window.until)
    clicked = int(places["clicked"].sum())
    return people, places.height, places["who"].n_unique(), kind, clicked, kinds, width, {"shown": shown, "events": happened}


def render(asked: Asked, seen: Seen) -> Page:
    """The page."""
    taken = f"In the log of the model {plural(seen.log_people, 'person', 'people')} took it, {plural(seen.log_events, 'time')} in all" if seen.log_people is not None and seen.log_events is not None else "No model that serves knows it, so it is in no list"  # fmt: skip
    lately = f"in the last {DAYS} days it was not shown"
    if seen.shown:
        lately = f"in the last {DAYS} days it was shown {plural(seen.shown, 'time')} to {plural(seen.shown_to, 'person', 'people')}"
    answer = [f"{taken}; {lately}{_clicks(seen)}."]
    notice = (
        el("p", "It was deleted, so it is in no list. PUT /v1/items brings it back.", class_="notice refused") if seen.deleted else None
    )
    facts = [f"id {seen.item}"] if seen.title else []
    parts = [notice, _trend(seen), _alike(asked, seen), _given(asked, seen), _known(seen)]
    body = msgspec.json.encode({"item": seen.item, "k": MOST, "scenario": asked.scenario.name}).decode()
    return Page(seen.title or f"Item {seen.item}", answer, parts, facts, [Call("POST", "/v1/similar", body, "What is like it")])


def _clicks(seen: Seen) -> str:
    if not seen.shown or seen.kind is None:
        return ""
    return f"; {percent(seen.clicked / seen.shown)} of these places have an event of the kind “{seen.kind}”"


def _trend(seen: Seen) -> Html:
    if not seen.shown and not seen.events:
        hint = f"It was not shown in the last {DAYS} days, and there are no events of it. Ask for lists (POST /v1/recommend) and send what came of them (POST /v1/events)."
        return section("trend", "Shown and taken", sentence(hint))
    drawn = plots.over_time(seen.per_bin, seen.width, plots.said_of(seen.per_bin))
    rows = [
        [when(start), count(shown), count(happened)]
        for (start, shown), (_, happened) in zip(*seen.per_bin.values(), strict=True)
        if shown or happened
    ]
    data = table([Column("From", number=False), Column("Shown"), Column("Events")], rows, caption="Shown and events over time")
    kinds = ", ".join(f"{kind} {count(n)}" for kind, n in seen.events)
    title = f"Shown {plural(seen.shown, 'time')}" + (f"; events: {kinds}" if kinds else "; no events yet")
    return section("trend", "Shown and taken", figure("trend-plot", title, drawn, data, note=f"per {plots.duration(seen.width)}, UTC"))


def _alike(asked: Asked, seen: Seen) -> Html:
    title = f"Similar items, by {model_of(asked.scenario.version.artifact.manifest)}"
    if not seen.similar:
        return section("similar", title, sentence(seen.refused or "The model knows nothing that is like it."))
    most = max((one.score or 0.0 for one in seen.similar), default=0.0)
    rows = [
        el("li", el("span", str(at), class_="rank"), el("div", item_link(asked, one.item, one.title), class_="what"), el("div", plots.bar(one.score, most), class_="score"))
        for at, one in enumerate(seen.similar, 1)
    ]  # fmt: skip
    return section("similar", title, el("ol", *rows, class_="ranked short"))


def _given(asked: Asked, seen: Seen) -> Html:
    if not seen.people:
        return section("people", "Who gets it", sentence("Nobody was shown it lately."))
    columns = [
        Column("Who", number=False),
        Column("When (UTC)", number=False),
        Column("Scenario", number=False),
        Column("Place"),
        Column(unsaid("What came of it"), number=False),
    ]
    rows = [
        [
            el("a", "Person ", name(one.user), href=person_path(one.user, one.scenario)) if one.user is not None else "A visitor",
            when(one.time), name(one.scenario), one.position, seen.kind if one.clicked else "",
        ]
        for one in seen.people
    ]  # fmt: skip
    return section("people", "Who gets it", table(columns, rows, caption=f"The latest of {plural(seen.shown, 'time')}"))


def _known(seen: Seen) -> Html:
    rows = (
        pair
        for key, value in seen.columns.items()
        for pair in (el("dt", key), el("dd", ", ".join(map(str, value)) if isinstance(value, list) else value))
    )
    known = el("dl", *rows, class_="settings") if seen.columns else sentence("Nothing: send its columns with PUT /v1/items.")
    return section("columns", "What is known of it", known)


# All items


class Found(Struct):
    """Items that were looked for."""

    words: str
    items: list[tuple[str, str]]


async def load_all(asked: Asked) -> Found:
    """The items that the words name; without words those that are taken most."""
    words = asked.text("q")
    if words:
        return Found(words, await asyncio.to_thread(asked.names.find, asked.tenant, words, 50))
    artifact = asked.scenario.version.artifact
    ids = asked.names.table(artifact).frame["id"].gather(artifact.recommender.catalogue.by_popularity[:30])
    return Found("", [*asked.names.titles(asked.tenant, ids).items()])


def render_all(asked: Asked, found: Found) -> Page:
    """The page."""
    find = el(
        "form", field("Id, or words of the title", search_field("q", found.words, "items", "milk")), el("button", "Find", type="submit", class_="main-act"),
        action="/items", method="get", class_="controls",
    )  # fmt: skip
    rows = [el("li", el("a", name(title), href=item_path(item, asked.text("scenario")))) for item, title in found.items]
    title = f"{plural(len(rows), 'item')} with “{found.words}”" if found.words else "What most people take"
    listed = (
        el("ul", *rows, class_="rows links") if rows else sentence("No item has this id, or all these words in its title. Try fewer words.")
    )
    return Page("Items", ["What an item is, what is like it, who gets it."], [section("found", title, listed)], before=find)
