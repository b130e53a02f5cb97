"""Two processes on one database know the same of everybody, within a second and in one order."""

from __future__ import annotations

import asyncio
import time
from random import Random
from types import SimpleNamespace

import pytest

from vitrina.service.facts import Facts
from vitrina.service.follow import Follower
from vitrina.service.histories import Histories
from vitrina.service.records import Attributes, Event
from vitrina.service.store.postgres import Postgres
from vitrina.service.store.rows import digest
from vitrina.service.store.store import Store


def event(name: str, user: str = "ann", item: str = "tea", moment: int = 0) -> Event:
    return Event(name, "click", user, item, moment, time.time_ns() // 1000)


class Process:
    """As much of a service as follows: a store, and a tenant's memory."""

    def __init__(self, address: str, folder, every: float = 0.2) -> None:
        self.backend = Postgres(address)
        self.store = Store.open(folder, backend=self.backend)
        self.tenant = SimpleNamespace(name="shop", histories=Histories.of_log(), items=Facts(), users=Facts())
        self.follower = Follower(self.backend.read, 0, digest, every=every)
        self.follower.start([self.tenant])

    def history(self, user: str) -> list[str]:
        return [self.tenant.histories.items.texts[code] for code in self.tenant.histories.of(user).items]

    async def close(self) -> None:
        self.follower.close()
        await self.store.close()


@pytest.fixture
def together(postgres, tmp_path):
    """Runs something with as many processes as it wants."""

    def run(work, count=2, **settings):
        async def ran():
            processes = [Process(postgres, tmp_path / str(n), **settings) for n in range(count)]
            try:
                await work(*processes)
            finally:
                for process in processes:
                    await process.close()

        asyncio.run(ran())

    return run


async def until(condition, seconds=5.0) -> float:
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() < begin + seconds
        await asyncio.sleep(0.005)
    return time.monotonic() - begin


def test_an_error_that_nobody_expected_doesnt_end_the_following(caplog):
    class Shared:
        asked = 0

        def last(self) -> int:
            self.asked += 1
            if self.asked == 1:
                raise KeyError("sequence")
            return 0

    follower = Follower(Shared(), 0, digest, every=0.01)
    follower.start([])
    assert asyncio.run(follower.caught_up(within=5.0))
    follower.close()
    assert "is not seen for now" in caplog.text


def test_what_one_accepts_the_others_know(together):
    async def work(one, other):
        await one.store.append("shop", [event("a"), event("b", item="jam")])
        await until(lambda: other.history("ann") == ["tea", "jam"])
        await other.store.append("shop", [event("b", item="jam"), event("c", item="egg")])
        for process in (one, other):
            await until(lambda process=process: process.history("ann") == ["tea", "jam", "egg"])

    together(work)


def test_what_was_just_sent_counts_when_it_is_waited_for(together):
    async def work(one, other):
        for n in range(30):
            await one.store.append("shop", [event(str(n), item=f"i{n}")])
            assert await one.follower.caught_up()
            assert len(one.history("ann")) == n + 1

    together(work, every=60.0)  # nobody looks by himself


def test_many_writers_have_one_order_everywhere(together):
    async def work(*processes):
        async def write(process, seed):
            random = Random(seed)
            for batch in range(15):
                rows = [
                    event(f"{seed}-{batch}-{n}", f"u{random.randrange(3)}", f"{seed}-{batch}-{n}") for n in range(random.randrange(1, 30))
                ]
                await process.store.append("shop", rows)

        await asyncio.gather(*(write(process, seed) for seed, process in enumerate(processes)))
        for process in processes:
            assert await process.follower.caught_up(5.0)
        kept = [name for frame in processes[0].store.events("shop") for name in frame.sort("sequence")["event_id"].to_list()]
        for process in processes:
            found = {user: process.history(user) for user in ("u0", "u1", "u2")}
            assert sorted(name for history in found.values() for name in history) == sorted(kept)
            places = {name: place for place, name in enumerate(kept)}
            for history in found.values():
                assert [places[name] for name in history] == sorted(places[name] for name in history)

    together(work, count=3, every=0.01)


def test_columns_and_what_is_deleted_come_along(together):
    async def work(one, other):
        await one.store.set_items("shop", [Attributes("tea", {"price": 1, "brand": "x"}), Attributes("jam", {}, delete=True)])
        await one.store.set_users("shop", [Attributes("ann", {"age": 3}), Attributes("bob", {"age": 4})])
        await until(lambda: other.tenant.users.of("bob") == {"age": 4} and "jam" in other.tenant.items.deleted)
        assert other.tenant.items.of("tea") == {"price": 1, "brand": "x"}
        await other.store.set_items("shop", [Attributes("tea", {"brand": None}), Attributes("jam", {"price": 2})])
        await other.store.set_users("shop", [Attributes("bob", {}, delete=True)])
        await until(lambda: "bob" in one.tenant.users.deleted)
        assert one.tenant.items.of("tea") == {"price": 1, "brand": None}
        assert one.tenant.items.of("jam") == {"price": 2}
        assert "jam" not in one.tenant.items.deleted

    together(work)


def test_who_is_erased_is_forgotten_everywhere_and_may_come_back(together):
    async def work(one, other):
        await one.store.append("shop", [event("a"), event("b", "bob")])
        await one.store.set_users("shop", [Attributes("ann", {"age": 3})])
        await until(lambda: other.history("ann") == ["tea"] and other.tenant.users.of("ann"))
        await one.store.erase("shop", "ann", "me")
        await one.store.append("shop", [event("c", item="jam")])
        await until(lambda: other.history("ann") == ["jam"])
        assert other.tenant.users.of("ann") == {}
        assert other.history("bob") == ["tea"]

    together(work)


def test_much_comes_in_parts(together, monkeypatch):
    monkeypatch.setattr("vitrina.service.store.postgres.CHUNK", 7)

    async def work(one, other):
        await one.store.append("shop", [event(str(n), item=str(n)) for n in range(100)])
        await one.store.set_items("shop", [Attributes("tea", {"price": 1})])
        await until(lambda: other.tenant.items.of("tea") == {"price": 1})
        assert other.history("ann") == [str(n) for n in range(100)]

    together(work)


def test_it_goes_on_when_the_database_comes_back(stoppable_postgres, tmp_path, caplog):
    address = stoppable_postgres.database("shop")

    async def run():
        one, other = Process(address, tmp_path), Process(address, tmp_path)
        await one.store.append("shop", [event("a")])
        await until(lambda: other.history("ann") == ["tea"])
        await asyncio.to_thread(stoppable_postgres.stop)
        assert not await other.follower.caught_up(0.3)
        await until(lambda: other.follower.lag > 0.3)
        assert other.history("ann") == ["tea"]
        await asyncio.to_thread(stoppable_postgres.start)
        await until(lambda: other.follower.lag == 0)
        await one.store.append("shop", [event("b", item="jam")])
        await until(lambda: other.history("ann") == ["tea", "jam"])
        await one.close()
        await other.close()
        assert not await other.follower.caught_up()

    asyncio.run(run())
    assert caplog.text.count("what other processes accept is not seen") == 2  # once per process
