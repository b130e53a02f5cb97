"""A service to look at: a small shop with titles that try to be markup, three models, an experiment, and what people did; on a server of its own."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import uvicorn

import vitrina as vt
from vitrina.service.app import application
from vitrina.service.records import Event, Rejected
from vitrina.service.service import Service
from vitrina.service.settings import AnswerSettings, Key, ScenarioSettings, ServedExperiment, Settings, hash_of
from vitrina.wire import RecommendRequest

NASTY = "<script>alert('title')</script>"
KEY, READER, OTHER = "vt_all", "vt_reader", "vt_other"
AISLES = ("drinks", "bread", "fruit", "<b>odd</b>")
USERS, ITEMS, WEEKS = 60, 40, 12


def shop() -> vt.Dataset:
    """A log of 60 people and 40 items with titles, aisles and prices; item 3 has a title that is markup, item 5 none."""
    rng, rows = random.Random(0), []
    for user in range(USERS):
        liked = rng.sample(range(ITEMS), 8)
        for week in range(WEEKS):
            for item in rng.sample(liked, 3):
                rows.append((f"u{user}", str(item), f"2026-{1 + week // 4:02d}-{1 + 7 * (week % 4):02d}", 1.0 + item % 7))
    log = pl.DataFrame(rows, schema=["user", "item", "time", "value"], orient="row")
    titles = [NASTY if item == 3 else None if item == 5 else f"{AISLES[item % 3]} number {item}" for item in range(ITEMS)]
    items = pl.DataFrame({
        "item": [str(item) for item in range(ITEMS)], "title": titles, "aisle": [AISLES[item % 4] for item in range(ITEMS)],
        "price": [1.0 + item % 7 for item in range(ITEMS)],
    })  # fmt: skip
    return vt.read_interactions(
        log, user="user", item="item", time="time", value="value", items=items, title="title", item_kinds={"aisle": "category"}, name="shop"
    )


def artifacts(folder: Path, data: vt.Dataset) -> None:
    """Three models side by side."""
    varied = vt.Reranked(model=vt.Cooccurrence(), reranker=vt.MMR(diversity=0.2))
    for name, model in (("top", vt.TopPersonal()), ("together", vt.Cooccurrence()), ("varied", varied)):
        vt.save(
            model.fit(data), folder / name, model=model, data=data, metrics={"nDCG@10": 0.25, "recall@10": 0.4}, source={"repeat": True}
        )
    said = [f"{title or 'It'} is made by hand. It costs little and lasts long." for title in data.item_table.frame["title"]]
    goods = data.item_table.frame.with_columns(sku=data.items.ids, text=pl.Series(said))
    vt.save(vt.search.ItemIndex.build(goods, id="sku", columns=["title", "text"], title="title"), folder / "index")


def settings(folder: Path, *, keys: bool) -> Settings:
    """Two scenarios of one tenant, an experiment and rules in the first, and a third scenario of somebody else."""
    rules = vt.Rules(
        rules={
            "no odd things": vt.rules.Hide(where={"aisle": "<b>odd</b>"}),
            "one drink": vt.rules.AtMost(n=1, first=5, where={"aisle": "drinks"}),
        }
    )
    trial = vt.experiments.Experiment(name="together or top", arms={"top": 0.5, "together": 0.5})
    known = {
        "all": Key(hash=hash_of(KEY)),
        "reader": Key(hash=hash_of(READER), scopes=("read",)),
        "other": Key(hash=hash_of(OTHER), tenant="other"),
    }
    scenarios = {
        "home": ScenarioSettings(artifact=folder / "top", rules=rules),
        "basket": ScenarioSettings(artifact=folder / "varied"),
        "find": ScenarioSettings(artifact=folder / "index", answers=AnswerSettings()),
    }
    if keys:
        scenarios["secret"] = ScenarioSettings(artifact=folder / "top", tenant="other")
    arm = ScenarioSettings(artifact=folder / "together", rules=rules)
    return Settings(
        scenarios=scenarios, state=folder / ("state-keys" if keys else "state"), keys=known if keys else {}, port=0, admin_port=None,
        experiments={"trial": ServedExperiment(experiment=trial, scenario="home", arms={"together": arm})},
    )  # fmt: skip


async def visited(service: Service, lists: int = 150) -> None:
    """Lists for people over the last three days, clicks on some, and rows that are wrong."""
    tenant, rng, now = service.tenants["default"], random.Random(1), time.time_ns() // 1000
    events = []
    for at in range(lists):
        user = f"u{rng.randrange(USERS)}" if rng.random() < 0.9 else None
        answer, _ = await tenant.recommend(RecommendRequest(user=user, scenario=rng.choice(["home", "basket"]), session=f"s{at}"))
        for item in answer.items:
            if rng.random() < 0.4 / item.rank:
                when = now - rng.randrange(2 * 86_400_000_000)
                named: dict[str, Any] = {"recommendation_id": answer.recommendation_id, "position": item.rank}
                events.append(Event(f"e{len(events)}", "click", user, item.item, when, when + 900_000, **named))
    events.append(Event("new", "purchase", "newcomer", "unheard-of", now, now))
    await tenant.add_events([*events, events[0], Rejected(now, NASTY.encode(), f"The 'kind' is missing in {NASTY}.")])
    await service.store.flush()


@dataclass(frozen=True)
class Looked:
    """A server that runs."""

    address: str
    service: Service
    loop: asyncio.AbstractEventLoop

    def does(self, work: Any) -> Any:
        """The result of a coroutine in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)


@contextmanager
def looked_at(folder: Path, data: vt.Dataset, *, keys: bool = False, lists: int = 150) -> Iterator[Looked]:
    """The server, in a thread with its own loop."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    made: dict[str, Any] = {}

    async def serve() -> None:
        try:
            service = await Service.open(settings(folder, keys=keys), logs={"default": data})
            await visited(service, lists)
            config = uvicorn.Config(application(service), port=0, ws="none", lifespan="off", log_config=None, access_log=False)
            made["server"], made["service"] = uvicorn.Server(config), service
        except BaseException as error:
            made["error"] = error
            ready.set()
            raise
        running = asyncio.create_task(made["server"].serve())
        while not made["server"].started:
            await asyncio.sleep(0.01)
        ready.set()
        await running
        await service.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(60)
    if "error" in made:
        raise made["error"]
    host, port = made["server"].servers[0].sockets[0].getsockname()[:2]
    try:
        yield Looked(f"http://{host}:{port}", made["service"], loop)
    finally:
        made["server"].should_exit = made["server"].force_exit = True
        thread.join(20)
