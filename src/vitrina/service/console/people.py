"""One person's page: history, the list of each model with why, and what was left out by what. Here the numbers; `person` draws them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from vitrina.base.errors import VitrinaError
from vitrina.service.console import trying
from vitrina.service.console.asked import Asked
from vitrina.service.console.reasons import why_words
from vitrina.service.console.words import SECOND, fitted
from vitrina.service.trace import Stage

if TYPE_CHECKING:
    from vitrina.service.pipeline import Answered
    from vitrina.wire import RecommendedItem

PAST = 14  # events of a history that are shown
BESIDE = 6  # lists beside each other
DEEP = 50  # places of the list as it is, in which an item of the changed one is looked for
SOME = 12  # people that are named where nobody is asked for
NAMED = 20  # items that a rule left out and that are named


class Past(Struct):
    """An event of a history."""

    item: str
    title: str
    day: str | None
    kind: str | None


class Place(Struct):
    """A place of a list; `before` is its rank without what was changed, None where it wasn't among the first `DEEP`."""

    item: str
    title: str
    rank: int
    score: float | None
    source: str
    why: list[str]
    before: int | None = None


class Listed(Struct):
    """A list of one model; `empty` says why it has none, `error` why it couldn't be asked."""

    key: str
    label: str
    version: str
    model: str
    fitted: str | None
    places: list[Place]
    notes: list[str] = []
    empty: str | None = None
    error: str | None = None


class LeftOut(Struct):
    """What one rule or condition left out."""

    by: str
    count: int
    items: list[tuple[str, str]]  # id and title of some


class Passed(Struct):
    """A stage that the request went through."""

    name: str
    milliseconds: float
    left: int | None
    dropped: list[LeftOut]
    skipped: dict[str, str]


class Seen(Struct):
    """A person, or a visitor, with all that the page shows."""

    user: str | None
    scenario: str
    events: int
    columns: dict[str, Any]
    past: list[Past]
    lists: list[Listed]
    stages: list[Passed]
    changed: bool
    gone: list[tuple[int, str, str]]  # rank before, id, title
    unknown: list[str]  # of the typed history
    variant: str | None = None
    some: list[tuple[str, int, str]] = []  # people to look at: id, events, what they did last


async def load(asked: Asked) -> Seen:
    """The page's numbers."""
    scenario, user = asked.scenario, asked.text("user") or None
    typed = await asyncio.to_thread(lambda: asked.typed)
    if user is None and not typed:
        return Seen(None, scenario.name, 0, {}, [], [], [], False, [], [], some=await asyncio.to_thread(some_people, asked))
    request, plain = trying.request_of(asked, scenario.name), trying.request_of(asked, scenario.name, changed=False, k=DEEP)
    assigned = scenario.assign(request)
    arm = None if assigned is None else assigned.arm
    way, off = scenario.way(assigned), frozenset(asked.query.getlist("without")).intersection(trying.rules_of(scenario, arm))
    changed = trying.is_changed(asked, scenario, arm, off)
    named = next(
        (one for one in trying.ways(asked.tenant) if one.way is way), trying.Named(scenario.name, scenario.name, scenario.name, way)
    )
    before_asked = _or_error(way, plain) if changed else _nothing()
    asking = (_first(asked, named, request, arm, off), before_asked, *(_other(asked, one) for one in _beside(asked, named)))
    results: list[Any] = [*await asyncio.gather(*asking)]
    (answered, listed), before, others = results[0], results[1], results[2:]
    gone = _compared(asked, listed, before) if changed and not isinstance(before, str) and before is not None else []
    past, count = past_of(asked, user)
    unknown = [line for line in typed if not asked.names.known(asked.tenant, line)]
    stages = [] if answered is None or answered.trace is None else [_passed(asked, stage) for stage in answered.trace.stages]
    columns = {} if user is None else dict(asked.tenant.users.of(user))
    return Seen(user, scenario.name, count, columns, past, [listed, *others], stages, changed, gone, unknown, arm)


async def _nothing() -> None:
    return None


async def _or_error(way: Any, request: Any) -> Answered | str:
    """A list, or the sentence why it can't be asked."""
    try:
        return await trying.ask(way, request)
    except VitrinaError as error:
        return str(error)


async def _first(asked: Asked, named: trying.Named, request: Any, arm: str | None, off: frozenset[str]) -> tuple[Answered | None, Listed]:
    """The list of the scenario that is looked at, by the version and with the rules that are asked for."""
    try:
        way = named.way
        if off:
            way = await asked.tried.without(asked.tenant.scenarios[named.scenario], way.version, arm, off)
        answered = await trying.ask(way, request, traced=True)
    except VitrinaError as error:
        return None, _refused(named, str(error))
    return answered, listed_of(asked, named, answered)


async def _other(asked: Asked, named: trying.Named) -> Listed:
    """The list of another model for the same request; what it doesn't read of it is left away."""
    request, scenario = trying.request_of(asked, named.scenario), asked.tenant.scenarios[named.scenario]
    read = {"diversity": trying.diversity_of(scenario) is not None, "weights": bool(trying.heads_of(scenario))}
    request = replace(request, **{name: None for name, is_read in read.items() if not is_read})
    answered = await _or_error(named.way, request)
    return _refused(named, answered) if isinstance(answered, str) else listed_of(asked, named, answered)


def _beside(asked: Asked, first: trying.Named) -> list[trying.Named]:
    """The other ways: those of the same scenario before those of others."""
    rest = [one for one in trying.ways(asked.tenant) if one.way is not first.way]
    return sorted(rest, key=lambda one: one.scenario != first.scenario)[: BESIDE - 1]


def listed_of(asked: Asked, named: trying.Named, answered: Answered) -> Listed:
    """An answer with titles and reasons."""
    titles = asked.names.titles(asked.tenant, [item.item for item in answered.items])
    places = [Place(i.item, i.title or titles[i.item], i.rank, i.score, i.source, _why(asked, i)) for i in answered.items]
    return Listed(named.key, named.label, named.version, named.model, fitted(named.way.version), places, [*answered.notes], answered.empty)


def _why(asked: Asked, item: RecommendedItem) -> list[str]:
    return why_words(item.why or {}, item.reasons, item.rank, lambda other: asked.names.title(asked.tenant, other) or other)


def _refused(named: trying.Named, error: str) -> Listed:
    return Listed(named.key, named.label, named.version, named.model, fitted(named.way.version), [], error=error)


def _compared(asked: Asked, listed: Listed, before: Answered) -> list[tuple[int, str, str]]:
    """Set where each item stood before, and tell which of the first places are gone."""
    ranks = {item.item: item.rank for item in before.items}
    for place in listed.places:
        place.before = ranks.get(place.item)
    now, length = {place.item for place in listed.places}, len(listed.places)
    return [
        (i.rank, i.item, i.title or asked.names.title(asked.tenant, i.item) or i.item) for i in before.items[:length] if i.item not in now
    ]


def _passed(asked: Asked, stage: Stage) -> Passed:
    dropped = []
    for rule, count in sorted(stage.counts.items(), key=lambda pair: -pair[1]):
        items = [*stage.dropped.get(rule, ())][:NAMED]
        dropped.append(LeftOut(rule, count, [*asked.names.titles(asked.tenant, items).items()]))
    return Passed(stage.name, round(stage.seconds * 1000, 3), stage.left, dropped, dict(stage.skipped))


def past_of(asked: Asked, user: str | None, most: int = PAST) -> tuple[list[Past], int]:
    """The latest events of a person, newest first, and how many there are."""
    if user is None:
        return [], 0
    histories = asked.tenant.histories
    events = histories.of(user)
    codes = events.items[::-1][:most].tolist()
    items = [histories.items.texts[code] for code in codes]
    titles = asked.names.titles(asked.tenant, items)
    times = events.times[::-1][:most].tolist() if events.times is not None and histories.timed else [None] * len(items)
    kinds = events.kinds[::-1][:most].tolist() if events.kinds is not None and len(histories.kind_names) > 1 else [None] * len(items)
    past = [
        Past(item, titles[item], None if time is None else _day(time), None if kind is None else histories.kind_names[kind])
        for item, time, kind in zip(items, times, kinds, strict=True)
    ]
    return past, len(events)


def _day(time: int) -> str:
    at = datetime.fromtimestamp(time / SECOND, UTC)
    return f"{at.day} {at:%b %Y}"


def some_people(asked: Asked, words: str = "", most: int = SOME) -> list[tuple[str, int, str]]:
    """Some people with what they did last: those whose id has the words, else the first ones."""
    found: Mapping[str, None] = {}
    wanted = words.lower()
    for user in asked.tenant.histories.users():
        if wanted in user.lower():
            found = {**found, user: None}
        if len(found) >= most:
            break
    if words and len(asked.tenant.histories.of(words)):
        found = {words: None, **found}
    return [(user, *_latest(asked, user)) for user in [*found][:most]]


def _latest(asked: Asked, user: str) -> tuple[int, str]:
    past, count = past_of(asked, user, 2)
    return count, ", ".join(one.title for one in past)
