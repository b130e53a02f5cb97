"""Events that are acknowledged after their commit, at `synchronous=FULL`: batches of 20 by 8 clients, beside what the disk can do. Rows of Markdown.

    python -m benchmarks.speed.service_ingest [--seconds 5] [--rounds 3]

`flushes` is the disk's own rate, measured in the same round: 4 KiB written and fdatasync, one after another. `store` calls `Store.append` from one process; `HTTP` sends `POST /v1/events` to the
whole service from a process of its own on the same two cores, where validation, histories, JSON and the socket come on top. Every event is new; the best round counts.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

import vitrina as vt
from benchmarks.kit.load import NUMBER, Request, hammer
from benchmarks.kit.machine import machine
from benchmarks.kit.serving import serving
from vitrina.service.records import Event
from vitrina.service.store.base import Backend
from vitrina.service.store.store import Store

CLIENTS, BATCH = 8, 20


def flushes(folder: Path, seconds: float) -> float:
    """How often per second the disk takes 4 KiB and says that it has them."""
    handle = os.open(folder / "flushed", os.O_WRONLY | os.O_CREAT)
    block, count, start = os.urandom(4096), 0, time.perf_counter()
    os.ftruncate(handle, 64 * 4096)
    while time.perf_counter() - start < seconds:
        os.pwrite(handle, block, count % 64 * 4096)
        os.fdatasync(handle)
        count += 1
    os.close(handle)
    return count / (time.perf_counter() - start)


def store(folder: Path, seconds: float, clients: int, batch: int, backend: Backend | None = None) -> tuple[float, float]:
    """Events per second, and the 99th percentile of a call in milliseconds."""

    async def run() -> tuple[float, float]:
        opened = Store.open(folder, backend=backend)
        spent: list[float] = []
        end = time.perf_counter() + seconds

        async def client(number: int) -> None:
            count = 0
            while (begin := time.perf_counter()) < end:
                moment = time.time_ns() // 1000
                names = [f"{number}-{count}-{i}-0f8fad5b" for i in range(batch)]
                stored = await opened.append(
                    "shop", [Event(n, "click", f"user-{count % 5000}", f"item-{count % 777}", moment, moment) for n in names]
                )
                assert all(stored)
                spent.append(time.perf_counter() - begin)
                count += 1

        await asyncio.gather(*(client(number) for number in range(clients)))
        await opened.close()
        return len(spent) * batch / seconds, 1000 * sorted(spent)[int(0.99 * len(spent))]

    return asyncio.run(run())


def http(folder: Path, seconds: float, clients: int, batch: int) -> tuple[float, float]:
    """The same over HTTP, of a service that also has a small model and the histories of all these people."""
    data = vt.testing.synthetic(500, 100, 10)
    model = vt.Popularity()
    vt.save(model.fit(data), folder / "model", model=model, data=data)
    events = [
        {"event_id": f"{NUMBER}-{i}-0f8fad5b", "kind": "click", "user": f"user-{i * 131 % 5000}", "item": f"item-{i * 7 % 777}"}
        for i in range(batch)
    ]
    (folder / "serve.toml").write_text(f'[service]\nhistories = "store"\n[scenarios.default]\nartifact = "{folder / "model"}"\n')
    with serving(folder / "serve.toml", folder / "state") as served:
        done = hammer(served.port, [Request("/v1/events", {"events": events})], seconds=seconds, connections=clients)
    if done.errors:
        sys.exit(f"Not everything was acknowledged: {dict(done.errors)}. The last answer: {done.body[:300]}")
    return done.rate * batch, done.p99


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{machine()}.\n\n| what | batch | clients | events/s | p99 of a call, ms | flushes/s of the disk |\n|---|---|---|---|---|---|")
    for what, clients, batch in (
        ("store", 1, 1), ("store", CLIENTS, 1), ("store", CLIENTS, BATCH), ("store", 64, BATCH), ("store", CLIENTS, 500),
        ("HTTP", 1, 1), ("HTTP", CLIENTS, 1), ("HTTP", CLIENTS, BATCH), ("HTTP", 64, BATCH), ("HTTP", CLIENTS, 500),
    ):  # fmt: skip
        rounds = []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                disk = flushes(folder, 1)
                done = (
                    store(folder / "state", options.seconds, clients, batch)
                    if what == "store"
                    else http(folder, options.seconds, clients, batch)
                )
                rounds.append((*done, disk))
        rate, p99, disk = max(rounds)
        print(f"| {what} | {batch} | {clients} | {rate:,.0f} | {p99:.1f} | {disk:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
