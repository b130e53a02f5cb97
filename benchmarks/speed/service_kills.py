"""A service is killed at random moments and must lose nothing, double nothing and start again: the tally, as a row of Markdown.

    python -m benchmarks.speed.service_kills [--rounds 200] [--seed 0]

Each round is a process that opens the service (without HTTP) that the one before it left, sends again what that one was not told of, and then takes events in batches of 5 by 4 clients, keeps what was
shown, seals, erases people of earlier rounds, drops what is old and swaps models, all at once, until SIGKILL comes 0 to 600 ms after the start; in every tenth round it comes during the start. Every fourth round begins with a store of the first version of the schema and is
killed within 40 ms, in the middle of migrating. What was acknowledged is written to a file before and after each call. After each kill the store is read as it lies there, and
at the end of a row of rounds, and after each migration, opened: every acknowledged event is there once, nothing else is there twice, who was erased is in no byte, no temporary file is left, and each start serves the model
of the last swap that was acknowledged, or of one that was begun after it.
A process that is killed is not a power cut: what the disk holds then, the disk's maker promises, not this script.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import vitrina as vt
from benchmarks.kit.places import ROOT
from vitrina.service.records import Event, Shown
from vitrina.service.service import Service
from vitrina.service.settings import ScenarioSettings, Settings
from vitrina.service.store.reading import Readable
from vitrina.service.store.store import Store

TENANT, MODELS = "default", "models"
FIRST = ROOT / "tests" / "fixtures" / "store-1.sql"
CLIENTS, BATCH, PEOPLE = 4, 5, 6
LONGEST, MIGRATION = 0.6, 0.04  # seconds until the kill
ROW = 15  # rounds on one store
KEPT = 1_500_000  # microseconds of events that retention leaves
Doing = Callable[["Round"], Awaitable[Any]]


class Round:
    """What a process does until it is killed."""

    def __init__(self, folder: Path, number: int, seed: int) -> None:
        self.number, self.chance = number, random.Random(seed)
        self.log = os.open(folder / "told", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.folder, self.earlier = folder, list(told(folder))

    def note(self, what: str, **more: Any) -> None:
        """One line, in the hands of the system when this returns: a kill of the process takes nothing from it."""
        os.write(self.log, json.dumps({"what": what, "round": self.number, **more}).encode() + b"\n")

    async def run(self) -> None:
        self.note("open")
        models = self.folder.parent / MODELS
        self.service = await Service.open(
            Settings(scenarios={"default": ScenarioSettings(artifact=models / "EASE")}, state=self.folder / "state")
        )
        self.store, self.tenant = self.service.store, self.service.tenants[TENANT]
        serving = self.tenant.scenario("default").version
        self.note("opened", model=serving.model)
        for batch in unanswered(self.earlier):
            await self.send(batch)
        await asyncio.gather(*(self.client(number) for number in range(CLIENTS)), *(self.forever(doing) for doing in DOINGS))

    async def client(self, number: int) -> None:
        count = 0
        while True:
            await self.send([f"{self.number}-{number}-{count}-{i}" for i in range(BATCH)])
            count += 1

    async def send(self, names: list[str]) -> None:
        moment = time.time_ns() // 1000
        self.note("sent", names=names, received=moment)
        answer = await self.tenant.add_events([Event(name, "click", person(name), "tea", moment, moment) for name in names])
        assert answer.stored + answer.duplicates == len(names)
        self.note("kept", names=names)

    async def forever(self, doing: Doing) -> None:
        while True:
            await asyncio.sleep(self.chance.random() / 10)
            await doing(self)

    async def show(self) -> None:
        self.store.show(
            TENANT, Shown("r", time.time_ns() // 1000, "home", "v", f"p{self.number}.0", None, None, None, None, ["tea"], [1.0], ["model"])
        )

    async def seal(self) -> None:
        self.note("seal")
        await self.store.seal()
        self.note("sealed")

    async def erase(self) -> None:
        if self.number:
            user = f"p{self.chance.randrange(self.number)}.{self.chance.randrange(PEOPLE)}"
            self.note("erase", user=user)
            await self.tenant.erase(user, "me")
            self.note("erased", user=user)

    async def retain(self) -> None:
        before = time.time_ns() // 1000 - KEPT
        self.note("retain", before=before)
        await self.store.retain(TENANT, "events", before)
        self.note("retained", before=before)

    async def swap(self) -> None:
        model = self.chance.choice(["EASE", "Popularity"])
        self.note("swap", model=model)
        await self.tenant.load("default", model, "me")
        self.note("swapped", model=model)


DOINGS: tuple[Doing, ...] = (Round.show, Round.seal, Round.erase, Round.retain, Round.swap)  # what goes on beside the clients


def person(name: str) -> str:
    """Who an event is of: a person of its round, who is erased in later rounds only."""
    number, client, count, _ = map(int, name.split("-"))
    return f"p{number}.{(client + count) % PEOPLE}"


def told(folder: Path) -> Iterator[dict[str, Any]]:
    """What the processes before wrote down."""
    if (folder / "told").exists():
        yield from map(json.loads, (folder / "told").read_text().splitlines())


def unanswered(lines: list[dict[str, Any]]) -> list[list[str]]:
    """Batches of the round before that were sent and not acknowledged."""
    kept = {tuple(line["names"]) for line in lines if line["what"] == "kept"}
    return [list(names) for names in dict.fromkeys(tuple(line["names"]) for line in lines if line["what"] == "sent") if names not in kept]


def work(folder: str, number: int, seed: int) -> None:
    """A process of one round."""
    asyncio.run(Round(Path(folder), number, seed).run())


def migrate(folder: str, *_: int) -> None:
    """A process of a round of migration."""
    (Path(folder) / "told").write_text('{"what": "open"}\n')
    asyncio.run(Store.open(Path(folder) / "state").close())
    time.sleep(60)


def killed(target: Callable[..., None], folder: Path, number: int, seed: int, longest: float, awaited: str = "open") -> None:
    """Start a process, wait until it says that it opens the store, or has opened it, and kill it after a random time."""
    lines = folder / "told"
    begin = lines.stat().st_size if lines.exists() else 0
    line = f'"what": "{awaited}"'.encode()
    process = PROCESSES.Process(target=target, args=(str(folder), number, seed))
    process.start()
    while not (lines.exists() and line in lines.read_bytes()[begin:]) and process.is_alive():
        time.sleep(0.001)
    time.sleep(random.Random(seed).random() * longest)
    assert process.pid is not None
    alive = process.is_alive()
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert alive and process.exitcode == -signal.SIGKILL, "the process had ended by itself"  # noqa: PT018


PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["vitrina.service.service", "vitrina.models", "vitrina.forms", "vitrina.testing", "apsw"]
)  # then a round begins at once


def check(folder: Path, store: Readable) -> Counter[str]:
    """Events that were acknowledged and are not there, or are there twice; and what else is wrong."""
    lines = list(told(folder))
    there = Counter(name for frame in store.events(TENANT) for name in frame["event_id"])
    sequences = [number for frame in store.events(TENANT) for number in frame["sequence"]]
    begun = {line["user"] for line in lines if line["what"] == "erase"}
    erased = {line["user"] for line in lines if line["what"] == "erased"}
    dropped = max((line["before"] for line in lines if line["what"] == "retain"), default=0)
    first: dict[str, int] = {}  # when it was sent first, and perhaps kept
    for line in lines:
        if line["what"] == "sent":
            first |= {name: line["received"] for name in line["names"] if name not in first}
    found: Counter[str] = Counter()
    for line in lines:
        if line["what"] == "kept":
            found["acknowledged"] += len(line["names"])
            safe = [name for name in line["names"] if person(name) not in begun and first[name] >= dropped]
            found["lost"] += sum(not there[name] for name in safe)
            found["came back"] += sum(there[name] for name in line["names"] if person(name) in erased)
    found["wrong model"] += wrong_models(lines)
    found["doubled"] += sum(count > 1 for count in there.values()) + (sequences != sorted(set(sequences)))
    return found


def wrong_models(lines: list[dict[str, Any]]) -> int:
    """Starts that served another model than the one of the last swap that was acknowledged, or of one that was begun after it."""
    wrong, possible = 0, {"EASE"}
    for line in lines:
        if line["what"] == "swap":
            possible = possible | {line["model"]}
        elif line["what"] == "swapped":
            possible = {line["model"]}
        elif line["what"] == "opened":
            wrong += line["model"] not in possible
            possible = {line["model"]}
    return wrong


def left(folder: Path) -> Counter[str]:
    """After an orderly start and end: temporary files, and people who were erased and are in some byte."""
    asyncio.run(Store.open(folder / "state").close())
    erased = {line["user"] for line in told(folder) if line["what"] == "erased"}
    files = [path for path in (folder / "state").rglob("*") if path.is_file()]
    content = b"\n".join(path.read_bytes() for path in files)
    return Counter(
        {"leftovers": sum(path.name.startswith(".") for path in files), "not erased": sum(user.encode() in content for user in erased)}
    )


def migration(folder: Path, number: int, seed: int) -> Counter[str]:
    """A round of migration: the rows of the first version are there once, however far it got."""
    import apsw

    (folder / "state").mkdir(parents=True)
    connection = apsw.Connection(str(folder / "state" / "store.sqlite"))
    with connection:
        connection.execute(FIRST.read_text(encoding="utf-8"))
    connection.close()
    killed(migrate, folder, number, seed, MIGRATION)

    async def kept() -> list[bool]:
        store = Store.open(folder / "state")
        found = [name for tenant in ("shop", "other") for frame in store.events(tenant) for name in frame["event_id"]]
        await store.close()
        return [found == ["a", "b", "a"]]

    return Counter({"migrations": 1, "lost": sum(not good for good in asyncio.run(kept()))})


def rounds(count: int, seed: int, place: Path) -> Counter[str]:
    """Kill a store so many times; what was found."""
    chance = random.Random(seed)
    total: Counter[str] = Counter()
    for model in (vt.EASE(l2=1), vt.Popularity()):
        vt.save(model.fit(vt.testing.toy()), place / MODELS / type(model).__name__, data=vt.testing.toy())
    folder, number = place / "row-0", 0
    for one in range(count):
        total["rounds"] += 1
        if one % 4 == 3:
            total += migration(place / f"migration-{one}", one, chance.randrange(2**32))
            continue
        folder.mkdir(exist_ok=True)
        killed(work, folder, number, chance.randrange(2**32), LONGEST, "open" if one % 10 == 9 else "opened")
        begun = any(line["what"] == "opened" for line in told(folder))  # before that there may be no table
        found = check(folder, Readable.read_only(folder / "state")) if begun else Counter[str]()
        number += 1
        last = number == ROW or one + 1 == count or (one + 2 == count and count % 4 == 0)
        total += Counter({name: found[name] for name in ("lost", "doubled", "came back", "wrong model")})
        if last:
            total += left(folder) + interrupted(folder) + Counter(acknowledged=found["acknowledged"])
            folder, number = place / f"row-{one + 1}", 0
    return total


def interrupted(folder: Path) -> Counter[str]:
    """How many kills came in the middle of what."""
    going: dict[tuple[str, int], bool] = {}
    for line in told(folder):
        for begin, end in (("seal", "sealed"), ("erase", "erased"), ("retain", "retained"), ("open", "opened"), ("swap", "swapped")):
            if line["what"] in (begin, end):
                going[begin, line["round"]] = line["what"] == begin
    return Counter(f"in {begin}" for (begin, _), on in going.items() if on)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        t = rounds(options.rounds, options.seed, Path(place))
    print(
        "| rounds of SIGKILL | in migrating | in opening | in sealing | in erasing | in dropping | in swapping | events acknowledged | lost | doubled | back after erasure | another model | "
        "leftovers after the next start |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
        f"| {t['rounds']} | {t['migrations']} | {t['in open']} | {t['in seal']} | {t['in erase']} | {t['in retain']} | {t['in swap']} | {t['acknowledged']:,} | {t['lost']} | "
        f"{t['doubled']} | {t['came back'] + t['not erased']} | {t['wrong model']} | {t['leftovers']} |"
    )
    if t["lost"] + t["doubled"] + t["came back"] + t["not erased"] + t["leftovers"] + t["wrong model"]:
        raise SystemExit(f"Not what is promised: {dict(t)}")


if __name__ == "__main__":
    main()
