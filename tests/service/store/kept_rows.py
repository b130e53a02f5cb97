"""Rows for the tests of the store, and what a store gives back of them."""

from __future__ import annotations

import time
from typing import Any

from vitrina.service.records import Event, Shown
from vitrina.service.store.reading import Readable


def now() -> int:
    return time.time_ns() // 1000


def event(name: str, user: str | None = "ann", **more: Any) -> Event:
    """An event that was accepted now."""
    usual = {"kind": "click", "item": "tea", "time": (moment := now()), "received": moment}
    return Event(event_id=name, user=user, **(usual | more))


def answer(name: str, user: str | None = "ann", items: tuple[str, ...] = ("tea", "jam"), moment: int | None = None) -> Shown:
    """An answer that went out."""
    lists = (list(items), [1.5] * len(items), ["model"] * len(items))
    return Shown(name, now() if moment is None else moment, "home", "v1", user, None, None, None, None, *lists)


def ids(store: Readable, tenant: str = "shop", after: int = 0) -> list[str]:
    """Of all events, in the order in which they come back."""
    return [name for frame in store.events(tenant, after) for name in frame["event_id"]]


def people(store: Readable, tenant: str = "shop") -> set[str | None]:
    """Everybody who is in an event or in an answer."""
    return {user for kind in (store.events, store.shown) for frame in kind(tenant) for user in frame["user"]}
