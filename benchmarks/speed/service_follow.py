"""How soon the processes on one PostgreSQL know what one of them has accepted, and what looking costs. Rows of Markdown.

    python -m benchmarks.speed.service_follow [--events 300]

Two processes each have a store and a follower on one database, at the pace that a service has. One appends an event every 30 ms or so; the clock runs from the moment when it is acknowledged until it is in the history that
the other has in memory. The idle cost is that of the looks alone: of the process, and of its connection in PostgreSQL. Waiting is what an answer to events takes longer so that they count in the next request.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import psutil

from benchmarks.kit.machine import machine
from benchmarks.kit.postgres_server import PostgresServer
from vitrina.service.facts import Facts
from vitrina.service.follow import EVERY, Follower
from vitrina.service.histories import Histories
from vitrina.service.records import Event
from vitrina.service.store.postgres import Postgres
from vitrina.service.store.rows import digest
from vitrina.service.store.store import Store

TENANT = "shop"


def opened(address: str, folder: Path) -> tuple[Store, Follower, Histories]:
    """A store with its follower, and the histories that it fills."""
    backend = Postgres(address)
    store = Store.open(folder, backend=backend)
    histories = Histories.of_log()
    follower = Follower(backend.read, backend.read.last(), digest)
    follower.start([SimpleNamespace(name=TENANT, histories=histories, items=Facts(), users=Facts())])
    return store, follower, histories


async def known(store: Store, histories: Histories, count: int) -> list[float]:
    """Seconds from each acknowledgement until the other process knew."""
    spent = []
    for number in range(count):
        await asyncio.sleep(random.uniform(0.02, 0.04))
        moment = time.time_ns() // 1000
        await store.append(TENANT, [Event(f"known-{number}", "click", f"user-{number}", "tea", moment, moment)])
        begin = time.perf_counter()
        while not len(histories.of(f"user-{number}")):
            await asyncio.sleep(0.0005)
        spent.append(time.perf_counter() - begin)
    return sorted(spent)


async def waited(store: Store, follower: Follower, count: int) -> tuple[list[float], list[float]]:
    """Seconds of an append, and of the wait behind it."""
    appended, waits = [], []
    for number in range(count):
        moment, begin = time.time_ns() // 1000, time.perf_counter()
        await store.append(TENANT, [Event(f"waited-{number}-{n}", "click", f"user-{n}", "tea", moment, moment) for n in range(20)])
        middle = time.perf_counter()
        await follower.caught_up()
        appended.append(middle - begin)
        waits.append(time.perf_counter() - middle)
    return sorted(appended), sorted(waits)


def idle(seconds: float = 5.0) -> tuple[float, float]:
    """Shares of a core that looking takes while nothing happens: of this process (which has two followers), and of the server."""
    own = psutil.Process()
    served = [
        one
        for one in psutil.process_iter(["name", "cmdline"])
        if "vitrina" in " ".join(one.info["cmdline"] or []) and one.info["name"] == "postgres"
    ]
    before = [sum(one.cpu_times()[:2]) for one in [own, *served]]
    time.sleep(seconds)
    after = [sum(one.cpu_times()[:2]) for one in [own, *served]]
    spent = [b - a for a, b in zip(before, after, strict=True)]
    return spent[0] / seconds / 2, sum(spent[1:]) / seconds / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300)
    count = parser.parse_args().events

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder, PostgresServer({}) as server:
            address = server.database("shop")
            one, other = (opened(address, Path(folder) / name) for name in ("one", "other"))
            seen = await known(one[0], other[2], count)
            appended, waits = await waited(one[0], one[1], count)
            process, database = idle()
            for store, follower, _ in (one, other):
                follower.close()
                await store.close()
        print(f"{count} events, a look every {1000 * EVERY:.0f} ms. {machine()}.\n")
        print(
            "| known elsewhere after, median, ms | p99 | append of 20, median, ms | waiting until they count, median, ms | p99 | idle: of a core, per process | of the server |\n|---|---|---|---|---|---|---|"
        )
        cells = [seen[count // 2], seen[int(0.99 * count)], appended[count // 2], waits[count // 2], waits[int(0.99 * count)]]
        print("| " + " | ".join(f"{1000 * cell:.1f}" for cell in cells) + f" | {process:.2%} | {database:.2%} |")

    asyncio.run(run())


if __name__ == "__main__":
    main()
