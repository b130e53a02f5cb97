"""Two models for the same people: how alike their lists are, and for whom they differ most."""

from __future__ import annotations

import math

from msgspec import Struct

from vitrina.base.errors import UnknownNameError
from vitrina.report.html import Column, Html, el, join, name, section, sentence, table
from vitrina.report.words import fixed, percent, plural
from vitrina.service.console import trying
from vitrina.service.console.asked import Asked, Page
from vitrina.service.console.frame import unsaid
from vitrina.service.console.models import FOLDER
from vitrina.service.console.names import item_link, person_path
from vitrina.service.console.words import Z
from vitrina.wire import RecommendRequest

BLOCK = 8  # people who are asked about at a time: others wait no longer for the model
NAMED = 3  # items of a list that the other doesn't have


class Side(Struct):
    """One of the two."""

    key: str
    label: str
    model: str
    version: str
    items: int  # distinct ones in all lists
    popular: float  # share of places that popularity filled


class Person(Struct):
    """A person with what the two lists share, and what each has alone: ids and titles."""

    user: str
    events: int
    shared: int
    of: int
    first: bool  # whether the first item is the same
    alone: tuple[list[tuple[str, str]], list[tuple[str, str]]]


class Seen(Struct):
    """All that the page shows."""

    sides: list[Side]
    k: int
    people: list[Person]
    overlap: float | None
    low: float | None
    high: float | None
    same_first: float | None


async def load(asked: Asked) -> Seen:
    """The page's numbers.

    Raises:
        UnknownNameError: there is no such model.
    """
    one, other = await _way(asked, asked.text("a")), await _way(asked, asked.text("b"))
    k, people = asked.whole("k", 10, 1, 50), spread(asked.tenant.histories.users(), asked.whole("people", 30, 1, 200))
    lists = [await _lists(asked, side, people, k) for side in (one, other)]
    rows = [_person(asked, user, mine, theirs) for user, mine, theirs in zip(people, *lists, strict=True)]
    shares = [row.shared / row.of for row in rows if row.of]
    mean, half = mean_of(shares)
    sides = [_side(side, own) for side, own in zip((one, other), lists, strict=True)]
    first = sum(row.first for row in rows) / len(rows) if rows else None
    ends = (None, None) if mean is None or half is None else (max(mean - half, 0.0), min(mean + half, 1.0))
    return Seen(sides, k, sorted(rows, key=lambda row: (row.shared / max(row.of, 1), row.user)), mean, *ends, first)


def spread(users: list[str], most: int) -> list[str]:
    """Some people, evenly from all of them, the same at every look.

    >>> spread(["a", "b", "c", "d"], 2)
    ['a', 'c']
    """
    step = max(len(users) / most, 1.0)
    return [users[int(at * step)] for at in range(min(most, len(users)))]


def mean_of(values: list[float]) -> tuple[float | None, float | None]:
    """The mean, and half of its interval of 95%; None where there are too few."""
    if not values:
        return None, None
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, Z * math.sqrt(variance / len(values))


async def _way(asked: Asked, key: str) -> trying.Named:
    known = {one.key: one for one in trying.ways(asked.tenant)}
    scenario, folder, where = key.partition(FOLDER)
    if folder and scenario in asked.tenant.scenarios:
        way = await asked.tried.beside(asked.tenant.scenarios[scenario], where)
        return trying.Named(key, where, scenario, way)
    if key not in known:
        raise UnknownNameError.of("model", key, known)
    return known[key]


async def _lists(asked: Asked, side: trying.Named, people: list[str], k: int) -> list[list[tuple[str, str]]]:
    """(item, source) of each person's list."""
    requests = [RecommendRequest(user=user, k=k, scenario=side.scenario) for user in people]
    answers = [one for at in range(0, len(requests), BLOCK) for one in await side.way.batcher.look(requests[at : at + BLOCK])]
    return [[(item.item, item.source) for item in answered.items] for answered in answers]


def _side(side: trying.Named, lists: list[list[tuple[str, str]]]) -> Side:
    places = [place for own in lists for place in own]
    popular = sum(source == "fallback" for _, source in places) / max(len(places), 1)
    return Side(side.key, side.label, side.model, side.version, len({item for item, _ in places}), popular)


def _person(asked: Asked, user: str, mine: list[tuple[str, str]], theirs: list[tuple[str, str]]) -> Person:
    one, other = [item for item, _ in mine], [item for item, _ in theirs]
    shared = len(set(one) & set(other))
    alone = tuple(
        [*asked.names.titles(asked.tenant, [i for i in a if i not in b][:NAMED]).items()] for a, b in ((one, other), (other, one))
    )
    return Person(user, len(asked.tenant.histories.of(user)), shared, max(len(one), len(other)), one[:1] == other[:1], alone)  # type: ignore[arg-type]


def render(asked: Asked, seen: Seen) -> Page:
    """The page."""
    one, other = seen.sides
    if seen.overlap is None:
        said = "There are no people to ask for: send events first, or start with the log that the model was fitted on."
        return Page("Compare", [said])
    doubt = f" ({percent(seen.low)} to {percent(seen.high)})" if seen.low is not None else ""
    answer = f"The two lists share {percent(seen.overlap)}{doubt} of their places; {percent(seen.same_first)} of {plural(len(seen.people), 'person', 'people')} get the same item first."
    return Page(f"{one.label} and {other.label}", [answer], [_sides(seen), _people(asked, seen)], [f"the first {seen.k} places"])


def _sides(seen: Seen) -> Html:
    columns = [
        Column(unsaid("Which"), number=False),
        Column("Model", number=False),
        Column("Different items"),
        Column("Places by popularity"),
    ]
    body = [
        [name(side.label), el("div", side.model, el("span", side.version, class_="remark")), side.items, percent(side.popular)]
        for side in seen.sides
    ]
    return section("sides", "The two", table(columns, body, caption=f"Of {plural(len(seen.people), 'person', 'people')}"))


def _people(asked: Asked, seen: Seen) -> Html:
    one, other = seen.sides
    columns = [
        Column("Person", number=False), Column("Events"), Column("Shared"), Column(f"Only {one.label}", number=False, class_="wide-cell"),
        Column(f"Only {other.label}", number=False, class_="wide-cell"),
    ]  # fmt: skip
    body = [
        [
            el("a", "Person ", name(row.user), href=person_path(row.user)), fixed(row.events, 0), f"{row.shared} of {row.of}",
            *(join((item_link(asked, item, title) for item, title in alone), "; ") if alone else "–" for alone in row.alone),
        ]
        for row in seen.people
    ]  # fmt: skip
    listed = table(columns, body, caption="Those whose lists differ most come first") if body else sentence("Nobody.")
    return section("people", "Person by person", listed)
