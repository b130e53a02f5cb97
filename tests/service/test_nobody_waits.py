"""What becomes of a change when nobody waits for its answer any more: it counts in memory as it does on disk, and is audited."""

import asyncio
import threading
import time
from contextlib import asynccontextmanager, contextmanager

import httpx
import pytest
from live_server import opened, toy_settings

from vitrina.service.app import application
from vitrina.service.settings import Limits

BASE = "http://localhost"


@asynccontextmanager
async def asked(tmp_path, seconds=0.2):
    """A client of a real service with a short limit, and the service."""
    service = await opened(toy_settings(tmp_path, limits=Limits(seconds=seconds)))
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application(service)), base_url=BASE) as client:
            yield client, service
    finally:
        await service.close()


@contextmanager
def held(service):
    """The store's writer stands still, as it does when a disk is slow."""
    inside, go_on = threading.Event(), threading.Event()
    stands = threading.Thread(target=service.store.writer.ask, args=(lambda: (inside.set(), go_on.wait(20)),))
    stands.start()
    assert inside.wait(10)
    try:
        yield
    finally:
        go_on.set()
        stands.join()


async def until(true, seconds=10.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def test_an_event_that_was_kept_too_late_counts_in_the_next_list_all_the_same(tmp_path):
    event = {"event_id": "late", "kind": "purchase", "user": "new", "item": "tea"}

    async def work():
        async with asked(tmp_path) as (client, service):
            with held(service):
                assert (await client.post("/v1/events", json=event)).status_code == 503
            again = (await client.post("/v1/events", json=event)).json()
            assert again["duplicates"] == 1  # it is on disk
            tenant = service.tenants["default"]
            await until(lambda: "new" in tenant.histories.users())
            items = (await client.post("/v1/recommend", json={"user": "new"})).json()["items"]
            assert "tea" not in [one["item"] for one in items]

    asyncio.run(work())


def test_columns_that_were_kept_too_late_count_all_the_same(tmp_path):
    async def work():
        async with asked(tmp_path) as (client, service):
            with held(service):
                assert (await client.put("/v1/items", json={"item": "tea", "delete": True})).status_code == 503
                assert (await client.put("/v1/users", json={"user": "ann", "columns": {"country": "SE"}})).status_code == 503
            await service.store.flush()
            await until(lambda: service.tenants["default"].users.of("ann") == {"country": "SE"})
            items = (await client.post("/v1/recommend", json={"user": "nobody"})).json()["items"]
            assert "tea" not in [one["item"] for one in items]

    asyncio.run(work())


def test_forgetting_a_person_takes_as_long_as_it_takes(tmp_path):
    async def work():
        async with asked(tmp_path) as (client, service):
            await client.post("/v1/events", json={"event_id": "e", "kind": "click", "user": "new", "item": "tea"})
            loop = asyncio.get_running_loop()
            with held(service):
                erased = loop.create_task(client.delete("/v1/users/new"))
                await asyncio.sleep(0.5)  # more than twice the limit
                assert not erased.done()
                assert list(service.metrics.values("vitrina_requests_in_flight")) == [({}, 1.0)]
            answer = await erased
            assert (answer.status_code, answer.json()["rows"]) == (200, 1)

    asyncio.run(work())


def test_a_person_is_forgotten_in_memory_too_where_who_asked_has_gone(tmp_path):
    async def work():
        async with asked(tmp_path) as (client, service):
            await client.post("/v1/events", json={"event_id": "e", "kind": "click", "user": "new", "item": "tea"})
            tenant = service.tenants["default"]
            with held(service):
                erased = asyncio.create_task(tenant.erase("new", "ann"))
                await asyncio.sleep(0.1)
                erased.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await erased
            await until(lambda: "new" not in tenant.histories.users())

    asyncio.run(work())


def test_a_model_that_takes_longer_than_a_request_may_serves_and_is_audited(tmp_path):
    async def work():
        async with asked(tmp_path) as (client, service):
            go_on = threading.Event()
            service._loading.submit(go_on.wait, 20)  # another load takes its time
            loaded = asyncio.create_task(client.post("/v1/models/default", json={"folder": "next"}))
            gone = asyncio.create_task(service.tenants["default"].load("default", "one", "gone"))
            await asyncio.sleep(0.5)
            assert not loaded.done()
            gone.cancel()
            go_on.set()
            assert (await loaded).json()["model"] == "Popularity"
            await until(lambda: [one.who for one in service.store.audited("default") if one.action == "load"] == ["gone", "local"])

    asyncio.run(work())
