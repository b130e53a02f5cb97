"""PostgreSQL stops, crashes and starts under load, and two services on it lose nothing, double nothing and go on recommending. Rows of Markdown.

    python -m benchmarks.speed.service_restarts [--rounds 30] [--off 1.5] [--on 2]

Four clients send batches of 20 events over HTTP, two to each service, and send what was not acknowledged again, as `vitrina.client` does by itself. Two ask for lists all the time and never try
again. Every second round the server is stopped as an administrator does, every other as a crash does. In the end the database holds each acknowledged event once, and both services know it.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.postgres_server import PostgresServer
from benchmarks.kit.serving import serving
from vitrina.client import Client
from vitrina.service.store.postgres import PostgresReadings

BATCH, SENDERS, ASKERS = 20, 4, 2
TENANT = "default"


@dataclass
class Seen:
    """What clients saw.

    Args:
        acknowledged: ids of events.
        duplicates: events that had been kept though the answer was lost or a refusal came, and were sent again.
        slowest: seconds that a list took at most.
        failed: lists that didn't come, and why.
    """

    acknowledged: list[str] = field(default_factory=list)
    duplicates: int = 0
    lists: int = 0
    slowest: float = 0.0
    failed: list[str] = field(default_factory=list)


@contextmanager
def services(folder: Path, address: str, count: int = 2) -> Iterator[list[str]]:
    """The addresses of services of one small model on one database."""
    data = vt.testing.toy()
    vt.save(vt.EASE(l2=1).fit(data), folder / "model", data=data)
    with ExitStack() as stack, ThreadPoolExecutor(count) as pool:
        opened = [serving(folder / "model", folder / f"state{n}", "--store", address, "--histories", "store") for n in range(count)]
        yield [f"http://127.0.0.1:{service.port}" for service in pool.map(stack.enter_context, opened)]


def restarted(server: PostgresServer, urls: list[str], rounds: int, off: float, on: float) -> Seen:
    """What clients saw while the database went away and came back."""
    seen, stop = Seen(), threading.Event()

    def send(number: int) -> None:
        with Client(urls[number % len(urls)], retries=100) as client:
            batch = 0
            while not stop.is_set():
                moment = time.time()
                names = [f"{number}-{batch}-{n}" for n in range(BATCH)]
                rows = [{"event_id": name, "kind": "purchase", "user": f"u{number}", "item": "tea", "time": moment} for name in names]
                answer = client.send(rows)
                seen.acknowledged.extend(names)
                seen.duplicates += answer.duplicates
                batch += 1

    def ask(number: int) -> None:
        with Client(urls[number % len(urls)], retries=0) as client:
            while not stop.is_set():
                begin = time.perf_counter()
                try:
                    assert client.recommend("ann", k=3).items
                except Exception as error:  # whatever it is, it counts
                    seen.failed.append(repr(error))
                seen.lists += 1
                seen.slowest = max(seen.slowest, time.perf_counter() - begin)

    with ThreadPoolExecutor(SENDERS + ASKERS) as pool:
        running = [pool.submit(send, n) for n in range(SENDERS)] + [pool.submit(ask, n) for n in range(ASKERS)]
        try:
            for number in range(rounds):
                time.sleep(on)
                (server.kill if number % 2 else server.stop)()
                time.sleep(off)
                server.start()
            time.sleep(on)
        finally:
            stop.set()
        for one in running:
            one.result()
    return seen


def kept(address: str) -> Counter[str]:
    """How often each event is in the database."""
    readings = PostgresReadings(address)
    found = Counter(name for frame in readings.events(TENANT) for name in frame["event_id"])
    readings.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--off", type=float, default=1.5)
    parser.add_argument("--on", type=float, default=2.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, PostgresServer({}) as server:
        address = server.database("shop")
        with services(Path(folder), address) as urls:
            seen = restarted(server, urls, options.rounds, options.off, options.on)
            found = kept(address)
    lost, doubled = set(seen.acknowledged) - set(found), sum(count > 1 for count in found.values())
    print(f"{options.rounds} rounds, {options.off:g} s without a server in each. {machine()}.\n")
    print(
        "| events acknowledged | of them lost | doubled | sent again though kept | lists | failed | slowest list, ms |\n|---|---|---|---|---|---|---|"
    )
    print(
        f"| {len(seen.acknowledged):,} | {len(lost)} | {doubled} | {seen.duplicates} | {seen.lists:,} | {len(seen.failed)} | {1000 * seen.slowest:.0f} |"
    )


if __name__ == "__main__":
    main()
