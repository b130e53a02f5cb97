"""What the field at the top finds: people by their ids, items by id and title."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from vitrina.report.html import el, name, section, sentence
from vitrina.report.words import plural
from vitrina.service.console.asked import Asked, Page
from vitrina.service.console.names import item_path, person_path
from vitrina.service.console.people import some_people

MOST = 20


class Person(Struct):
    """A person, told by what they did last."""

    id: str
    events: int
    told: str


class Item(Struct):
    """An item."""

    id: str
    title: str


class Found(Struct):
    """What has the words."""

    q: str
    people: list[Person]
    items: list[Item]


async def load(asked: Asked) -> Found:
    """What is found."""
    words = asked.text("q")
    if not words:
        return Found("", [], [])
    people, items = await asyncio.to_thread(lambda: (some_people(asked, words, MOST), asked.names.find(asked.tenant, words, MOST)))
    return Found(words, [Person(*one) for one in people], [Item(*one) for one in items])


def render(asked: Asked, found: Found) -> Page:
    """The page."""
    if not found.q:
        return Page("Find", ["Type the id of a person, or the id or words of the title of an item."])
    people = [
        el("li", el("a", "Person ", name(one.id), href=person_path(one.id)), " ", el("span", f"{plural(one.events, 'event')}; last {one.told}", class_="remark"))
        for one in found.people
    ]  # fmt: skip
    items = [el("li", el("a", name(one.title), href=item_path(one.id))) for one in found.items]
    parts = [
        section("people", "People", el("ul", *people, class_="rows links") if people else sentence("No person has this in the id.")),
        section(
            "items",
            "Items",
            el("ul", *items, class_="rows links") if items else sentence("No item has this id, or all these words in its title."),
        ),
    ]
    many = lambda n: f"at least {n}" if n == MOST else str(n)  # noqa: E731  said twice
    return Page(f"Found for “{found.q}”", [f"People: {many(len(people))}. Items: {many(len(items))}."], parts)
