"""The store keeps what it is given, once, in its order; whichever database is behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from vitrina.service.records import Event, Shown
from vitrina.service.store.store import Store


def event(name: str, user: str | None = "ann", **more: Any) -> Event:
    """An event that was accepted now."""
    now = time.time_ns() // 1000
    return Event(name, "click", user, "tea", **({"time": now, "received": now} | more))


def answer(name: str, user: str | None = "ann", items: tuple[str, ...] = ("tea", "jam"), moment: int = 7) -> Shown:
    return Shown(name, moment, "home", "v1", user, None, None, None, None, list(items), [1.5] * len(items), ["model"] * len(items))


def ids(store: Store, tenant: str = "shop", after: int = 0) -> list[str]:
    """Of all events, in the order in which they come back."""
    return [name for frame in store.events(tenant, after) for name in frame["event_id"]]


@pytest.fixture
def opened(tmp_path: Any) -> Callable[[], Store]:
    """Opens one and the same store, again and again."""
    return lambda: Store.open(tmp_path / "state")


def test_events_come_back_as_they_went(opened):
    whole = event("a", value=2.5, basket="b1", recommendation_id="r", position=3, session="s", properties=b'{"page":"caf\xc3\xa9"}', time=5)
    bare = event("b", None)

    async def run() -> pl.DataFrame:
        store = opened()
        assert await store.append("shop", [whole, bare]) == [True, True]
        frame = next(store.events("shop"))
        await store.close()
        return frame

    rows = asyncio.run(run()).to_dicts()
    for row, e in zip(rows, (whole, bare), strict=True):
        row.pop("sequence")
        assert row == {name: getattr(e, name) for name in e.__struct_fields__} | {"properties": e.properties.decode()}


def test_an_event_counts_once(opened):
    async def run() -> None:
        store = opened()
        assert await store.append("shop", [event("a"), event("b"), event("a")]) == [True, True, False]
        assert await store.append("other", [event("a")]) == [True]
        await store.seal()
        assert await store.append("shop", [event("b"), event("c")]) == [False, True]
        await store.close()
        store = opened()
        assert await store.append("shop", [event("c"), event("a")]) == [False, False]
        assert ids(store) == ["a", "b", "c"]
        await store.close()

    asyncio.run(run())
