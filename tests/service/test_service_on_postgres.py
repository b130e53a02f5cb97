"""Two services on one PostgreSQL, as processes, asked by the client over HTTP."""

from __future__ import annotations

import asyncio
import time

import pytest

from benchmarks.speed.service_restarts import BATCH, SENDERS, kept, restarted, services
from vitrina.client import AsyncClient, Client


@pytest.fixture(scope="module")
def together(tmp_path_factory, new_postgres):
    """A server, and two services on it."""
    with new_postgres() as server:
        address = server.database("shop")
        with services(tmp_path_factory.mktemp("services"), address) as urls:
            yield server, address, urls


def lists(url, user, **asked):
    with Client(url) as client:
        return [item.item for item in client.recommend(user, k=50, repeat=False, **asked).items]


def test_what_one_accepts_counts_at_the_other(together):
    _, address, (one, other) = together
    with Client(one) as client:
        assert client.health().status == "ready"
        assert "tea" in lists(one, "newcomer")
        assert client.send({"kind": "purchase", "user": "newcomer", "item": "tea"}).stored == 1
        assert "tea" not in lists(one, "newcomer")  # at once where it was sent
        deadline = time.monotonic() + 5
        while "tea" in lists(other, "newcomer"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        sent = {"event_id": "once", "kind": "purchase", "user": "newcomer", "item": "milk"}
        assert client.send(sent).stored == 1
        with Client(other) as second:
            assert second.send(sent).duplicates == 1
            assert second.put_items({"item": "bread", "delete": True}).stored == 1
            assert "bread" not in lists(other, "newcomer")
            while "bread" in lists(one, "newcomer"):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert client.put_items({"item": "bread"}).stored == 1
            assert second.erase("newcomer").rows > 2  # two events, and what was shown
        while "tea" not in lists(one, "newcomer"):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert kept(address)["once"] == 0


def test_the_async_client_does_the_same(together):
    _, address, (one, other) = together

    async def run():
        async with AsyncClient(one) as client, AsyncClient(other) as second:
            rows = [{"kind": "click", "user": f"u{n}", "item": "tea", "event_id": f"async-{n}"} for n in range(2500)]
            first, again = await asyncio.gather(client.send(rows), second.send(rows))
            assert [a.status == "stored" for a in first.results] == [b.status == "duplicate" for b in again.results]
            assert (await client.similar("tea", k=1)).items
            assert (await client.put_users({"user": "u1", "columns": {"age": 3}})).stored == 1

    asyncio.run(run())
    found = kept(address)
    assert {found[f"async-{n}"] for n in range(2500)} == {1}


def test_a_database_that_goes_away_and_comes_back(together):
    server, address, urls = together
    seen = restarted(server, urls, rounds=2, off=0.5, on=0.5)
    found = kept(address)
    assert seen.failed == []
    assert seen.lists > 50
    assert len(seen.acknowledged) >= SENDERS * BATCH  # everybody got through in the end; most of the time they wait as they are told
    assert {found[name] for name in seen.acknowledged} == {1}
