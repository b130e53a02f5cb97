"""Whatever is done in whatever order, the store gives what a plain list would."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from kept_rows import answer

from vitrina.service.records import Attributes, Event
from vitrina.service.store.reading import Readable
from vitrina.service.store.store import Store

TENANTS = st.sampled_from(["shop", "other"])
PEOPLE = st.sampled_from(["ann", "anna", "7", "", None])
NAMES = st.sampled_from([*"abcdefgh", "a" * 300, "é\x00"])
MOMENTS = st.integers(0, 9)


class Plain:
    """The oracle: lists, read from the beginning each time."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Event]] = []
        self.shown: list[tuple[str, Any]] = []
        self.known: set[tuple[str, str]] = set()
        self.users: dict[tuple[str, str], dict[str, Any]] = {}

    def append(self, tenant: str, events: list[Event]) -> list[bool]:
        stored = []
        for e in events:
            new = (tenant, e.event_id) not in self.known
            if new:
                self.known.add((tenant, e.event_id))
                self.events.append((tenant, e))
            stored.append(new)
        return stored

    def erase(self, tenant: str, user: str) -> int:
        before = len(self.events) + 2 * len(self.shown) + len(self.users)
        self.events = [(t, e) for t, e in self.events if (t, e.user) != (tenant, user)]
        self.shown = [(t, s) for t, s in self.shown if (t, s.user) != (tenant, user)]
        self.users.pop((tenant, user), None)
        return before - len(self.events) - 2 * len(self.shown) - len(self.users)

    def retain(self, tenant: str, before: int) -> int:
        old = [(t, e) for t, e in self.events if t == tenant and e.received < before]
        self.events = [one for one in self.events if one not in old]
        self.known -= {(t, e.event_id) for t, e in old}
        return len(old)


class Machine(RuleBasedStateMachine):
    """The same calls to both."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.plain = Plain()
        self.loop = asyncio.new_event_loop()
        self.store = Store.open(self.folder)

    def done(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @rule(tenant=TENANTS, rows=st.lists(st.tuples(NAMES, PEOPLE, MOMENTS), max_size=6))
    def append(self, tenant: str, rows: list[tuple[str, str | None, int]]) -> None:
        events = [Event(name, "click", user, "tea", 1, moment) for name, user, moment in rows]
        assert self.done(self.store.append(tenant, events)) == self.plain.append(tenant, events)

    @rule(tenant=TENANTS, user=PEOPLE)
    def show(self, tenant: str, user: str | None) -> None:
        shown = answer(str(len(self.plain.shown)), user, moment=5)
        self.store.show(tenant, shown)
        self.plain.shown.append((tenant, shown))

    @rule(tenant=TENANTS, user=st.sampled_from(["ann", "7"]), column=st.sampled_from("xy"), value=st.sampled_from([1, "a", None]))
    def set_user(self, tenant: str, user: str, column: str, value: Any) -> None:
        self.done(self.store.set_users(tenant, [Attributes(user, {column: value})]))
        columns = self.plain.users.setdefault((tenant, user), {})
        columns[column] = value

    @rule(before=st.none() | MOMENTS)
    def seal(self, before: int | None) -> None:
        self.done(self.store.seal(before))

    @rule(tenant=TENANTS, user=st.sampled_from(["ann", "7", ""]))
    def erase(self, tenant: str, user: str) -> None:
        assert self.done(self.store.erase(tenant, user, "me")) == self.plain.erase(tenant, user)

    @rule(tenant=TENANTS, before=MOMENTS)
    def retain(self, tenant: str, before: int) -> None:
        assert self.done(self.store.retain(tenant, "events", before)) == self.plain.retain(tenant, before)

    @rule()
    def reopen(self) -> None:
        self.done(self.store.close())
        self.store = Store.open(self.folder)

    @invariant()
    def same(self) -> None:
        self.done(self.store.flush())
        for read in (self.store, Readable.read_only(self.folder)):
            for tenant in ("shop", "other"):
                events = [row for frame in read.events(tenant) for row in frame.select("event_id", "user", "received").rows()]
                assert events == [(e.event_id, e.user, e.received) for t, e in self.plain.events if t == tenant]
                shown = [row for frame in read.shown(tenant) for row in frame.select("recommendation_id", "user").rows()]
                assert shown == [(s.recommendation_id, s.user) for t, s in self.plain.shown if t == tenant for _ in s.items]
                assert {u.id: u.columns for u in read.users(tenant)} == {
                    user: c for (t, user), c in self.plain.users.items() if t == tenant
                }
                numbers = [number for frame in read.events(tenant) for number in frame["sequence"]]
                assert numbers == sorted(set(numbers))

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.done(self.store.close())
            self.loop.close()
            shutil.rmtree(self.folder)


Machine.TestCase.settings = settings(max_examples=8, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck))
test_it_is_as_a_list_would_be = Machine.TestCase
