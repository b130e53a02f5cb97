"""Whether the service grows: 30 minutes of everything at once, and its memory over time.

    python -m benchmarks.speed.service_soak [--minutes 30] [--rate 100] [--model itemmap]

Of 100 requests a second 70 ask for lists (a tenth of them for strangers and histories), 10 for similar items, 15 send an event (a tenth of them of somebody new) and 5 set columns of an item; every 20 seconds the model is loaded again from its
folder, and swapped. Memory is what the process has (RSS), every 5 seconds. Growth is told from minute 5 (a sixth of a shorter run) to the end, medians of a minute (of a twelfth): below 5% is the goal.
What events say is kept in memory as histories, so some growth is data: it is told apart by what the new people and events take.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np

from benchmarks.kit.load import NUMBER, Loaded, Request, hammer
from benchmarks.kit.machine import machine
from benchmarks.kit.served import MODELS, artifact, log
from benchmarks.kit.serving import Served, serving

EVERY = 5.0  # seconds between two looks at the memory
SWAP = 20.0  # seconds between two swaps
PEOPLE = 20_000


def mixed(people: list[str], items: list[str]) -> list[Request]:
    """Requests in the shares that the page says."""
    rng = np.random.default_rng(0)

    def one(kind: str) -> Request:
        user, item = people[rng.integers(len(people))], items[rng.integers(len(items))]
        if kind == "recommend":
            return Request("/v1/recommend", {"user": user}, label=kind)
        if kind == "stranger":
            some = [items[at] for at in rng.integers(0, len(items), 3)]
            return Request("/v1/recommend", {"user": f"stranger-{NUMBER}", "history": some, "exclude": [item]}, label="recommend")
        if kind == "similar":
            return Request("/v1/similar", {"item": item}, label=kind)
        if kind == "item":
            return Request("/v1/items", {"item": item, "columns": {"price": float(rng.integers(1, 100)), "in_stock": True}}, "PUT", kind)
        who = f"stranger-{NUMBER}" if kind == "newcomer" else user
        return Request("/v1/events", {"event_id": f"soak-{NUMBER}", "kind": "purchase", "user": who, "item": item}, label="event")

    kinds = ["recommend"] * 630 + ["stranger"] * 70 + ["similar"] * 100 + ["event"] * 135 + ["newcomer"] * 15 + ["item"] * 50
    return [one(kind) for _ in range(PEOPLE // len(kinds)) for kind in rng.permutation(kinds)]


class Swaps(threading.Thread):
    """Loads the model again and again, and looks at the memory."""

    def __init__(self, served: Served, folder: Path) -> None:
        super().__init__(daemon=True)
        self.served, self.folder = served, folder
        self.memory: list[tuple[float, float]] = []  # seconds, MiB
        self.swaps = 0
        self.failed: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        started = time.monotonic()
        while not self.over.wait(EVERY):
            now = time.monotonic() - started
            self.memory.append((now, self.served.memory()))
            if now > SWAP * (self.swaps + 1):
                self.swap()

    def swap(self) -> None:
        body = json.dumps({"folder": str(self.folder)}).encode()
        asked = urllib.request.Request(f"http://127.0.0.1:{self.served.port}/v1/models/default", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                answer.read()
        except OSError as error:
            self.failed.append(f"{error}: {error.read().decode()[:300] if hasattr(error, 'read') else ''}")
        self.swaps += 1


def told(done: Loaded, swaps: Swaps, numbers: dict[str, float], minutes: float, rate: float) -> str:
    """The page's block."""
    span = min(60.0, 60 * minutes / 12)
    begin, end = min(300.0, 60 * minutes / 6), swaps.memory[-1][0]

    def at(moment: float) -> float:
        return statistics.median(memory for when, memory in swaps.memory if moment <= when < moment + span)

    first, last = at(begin), at(end - span)
    marks = ", ".join(f"{when / 60:.0f}: {at(when):,.0f}" for when in np.linspace(0, end - span, 7))
    kinds = ", ".join(f"{name} {found['answered']:,} (p99 {found['p99']:.0f} ms)" for name, found in done.labels.items())
    events = sum(value for name, value in numbers.items() if name.startswith("vitrina_events_total") and "stored" in name)
    lost = numbers.get("vitrina_shown_lost_total", 0)
    return (
        f"{minutes:g} minutes at {rate:g} requests/s. {machine()}.\n\n"
        "| answered | errors | swaps | failed | events kept | answers whose showing was lost | memory at minute "
        f"{begin / 60:.0f}, MiB | at the end, MiB | growth, of at most 5% |\n|{'---|' * 9}\n"
        f"| {done.answered:,} | {sum(done.errors.values())} | {swaps.swaps} | {len(swaps.failed)} | {events:,.0f} | {lost:,.0f} | {first:,.0f} | {last:,.0f} | {last / first - 1:+.1%} |\n\n"
        f"By kind: {kinds}. Memory by minute, MiB: {marks}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.service_soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--model", choices=MODELS, default="itemmap")
    options = parser.parse_args()
    data, folder = log(), artifact(options.model)
    requests = mixed(data.users.ids.to_list(), data.items.ids.to_list())
    state = Path(tempfile.mkdtemp(prefix="vitrina-")) / "state"
    try:
        with serving(folder, state) as served:
            swaps = Swaps(served, folder)
            swaps.start()
            done = hammer(served.port, requests, rate=options.rate, seconds=60 * options.minutes)
            swaps.over.set()
            swaps.join()
            numbers = served.numbers()
    finally:
        shutil.rmtree(state.parent)
    if swaps.failed:
        print(f"A swap failed: {swaps.failed[0]}", file=sys.stderr)
    print(told(done, swaps, numbers, options.minutes, options.rate))


if __name__ == "__main__":
    main()
