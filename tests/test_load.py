"""The load generator: what it sends, and that latency counts from when a request was due."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


@contextmanager
def answering(answer: Any) -> Iterator[SimpleNamespace]:
    """A server that gives `answer(number of the request)` as (status, seconds of everybody's time); None ends the connection."""
    told = SimpleNamespace(bodies=[], port=0)
    loop, ready = asyncio.new_event_loop(), threading.Event()

    async def each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            told.bodies.append(json.loads(await reader.readexactly(size)))
            found = answer(len(told.bodies))
            if found is None:
                writer.close()
                return
            status, stall = found
            time.sleep(stall)
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % status)

    async def serve() -> None:
        server = await asyncio.start_server(each, "127.0.0.1", 0)
        told.port = server.sockets[0].getsockname()[1]
        ready.set()

    loop.set_exception_handler(lambda *_: None)  # connections that end while they are read
    loop.create_task(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    ready.wait(5)
    try:
        yield told
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


def test_a_stall_is_in_the_latency_of_all_that_were_due_in_it() -> None:
    from benchmarks.kit.load import NUMBER, Request, hammer

    with answering(lambda n: (200, 0.5 if n == 150 else 0)) as server:
        requests = [Request("/", {"id": NUMBER}, label="a"), Request("/", {"id": "same"}, label="b")]
        done = hammer(server.port, requests, rate=200, seconds=1.5, warmup=0.2, connections=4)
    assert (done.sent, done.answered, dict(done.errors)) == (300, 300, {})
    assert done.rate == pytest.approx(200)
    # 100 requests were due in the half second: the wait of most is long, and a generator that waits for answers would have seen 4 of them
    assert done.p95 > 200
    assert done.most > 450
    assert done.p50 < done.p95 <= done.p99 <= done.most
    assert {name: found["answered"] for name, found in done.labels.items()} == {"a": 150, "b": 150}
    ids = [body["id"] for body in server.bodies if body["id"] != "same"]
    assert len(set(ids)) == len(ids) > 150
    assert done.body == "ok"


def test_what_goes_wrong_is_counted_by_what_it_is() -> None:
    from benchmarks.kit.load import Request, hammer

    with answering(lambda n: None if n % 10 == 0 else (503 if n % 10 == 5 else 200, 0)) as server:
        done = hammer(server.port, [Request("/", {})], rate=100, seconds=1, warmup=0, connections=2)
    assert set(done.errors) == {"503", "lost"}
    assert done.answered + sum(done.errors.values()) == done.sent == 100
    assert not done.holds(100, 1000)


def test_without_a_rate_each_connection_goes_on_with_its_answer() -> None:
    from benchmarks.kit.load import Request, hammer

    with answering(lambda _: (200, 0.01)) as server:
        done = hammer(server.port, [Request("/", {})], seconds=0.5, warmup=0, connections=2)
    assert 10 < done.answered <= 52  # one at a time takes 10 ms
    assert not done.errors
