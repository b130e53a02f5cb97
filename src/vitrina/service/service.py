"""The service without HTTP: a store, tenants with their scenarios, and what measures them."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import takewhile
from typing import Any, Self

import polars as pl

from vitrina.data.dataset import Dataset
from vitrina.report.words import plural
from vitrina.service.answering import Answering
from vitrina.service.batcher import Batcher
from vitrina.service.doubles import Doubles
from vitrina.service.facts import Facts
from vitrina.service.follow import Follower
from vitrina.service.histories import Histories
from vitrina.service.metrics import Metrics
from vitrina.service.models import Place, Way
from vitrina.service.pipeline import Pipeline
from vitrina.service.records import Event
from vitrina.service.registry import Registry, Version
from vitrina.service.scenario import Scenario
from vitrina.service.settings import ScenarioSettings, Settings, beside
from vitrina.service.store.rows import digest
from vitrina.service.store.store import Store
from vitrina.service.tenant import Tenant

LOG = logging.getLogger(__name__)
SERVING = "serving.json"  # in the state folder: which version serves each scenario


class Service:
    """Everything that answers, made from settings: `await Service.open(settings)`, and at the end `await service.close()`.

    Models answer in one thread, one batch at a time, and are loaded in another; the store writes in its own.

    Attributes:
        tenants: by name.
        follower: sees what other processes on the same database accept; None where there can be none.
        told: what there is to know of the start, in sentences.
    """

    def __init__(self, settings: Settings, store: Store, metrics: Metrics) -> None:
        self.settings = settings
        self.store = store
        self.metrics = metrics
        self.tenants: dict[str, Tenant] = {}
        self.follower: Follower | None = None
        self.told: list[str] = []
        self._answering = ThreadPoolExecutor(1, "vitrina-model")
        self._loading = ThreadPoolExecutor(1, "vitrina-load")
        self._registry = Registry(settings.state / SERVING)
        self._closed = False

    @classmethod
    async def open(cls, settings: Settings, *, logs: Mapping[str, Dataset] = {}) -> Self:
        """Open the store, fill histories, load the models and warm them.

        Args:
            logs: histories at the start, by tenant. The store's own events come after them, without those that the log has already (`Doubles`).

        Raises:
            ArtifactError: a model of the settings is damaged.
            StoreUnavailableError: the database can't be reached.

        Cost: the models, and 12 to 19 s per million events of the store (measured on a machine that others used too).
        """
        elsewhere = [] if settings.state.exists() else _kept_elsewhere(settings)
        backend = _backend(settings)
        store = await asyncio.to_thread(partial(Store.open, settings.state, backend=backend))
        service = None
        try:
            service = cls(settings, store, Metrics())
            service.told += elsewhere
            if backend is not None:
                service.follower = Follower(backend.read, await asyncio.to_thread(backend.read.last), digest)
            for name in settings.tenants:
                service.tenants[name] = await service._tenant(name, logs.get(name))
        except BaseException:
            await (store.close() if service is None else service.close())
            raise
        if service.follower is not None:
            service.follower.start(service.tenants.values())
        service._watch()
        return service

    @property
    def not_ready(self) -> list[str]:
        """Why it can't serve, in sentences; empty where it can. A database that is away is no reason: lists come from memory."""
        if self._closed:
            return ["The service is stopping."]
        waiting = [
            f"{name}/{one.name}" for name, tenant in self.tenants.items() for one in tenant.scenarios.values() if one.serving is None
        ]
        return [f"The scenario {name} has no model yet." for name in waiting]

    @property
    def ready(self) -> bool:
        return not self.not_ready

    async def close(self) -> None:
        """Let the requests that run end, write what is queued, and close the store. A second time does nothing."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._loading.shutdown)
        await asyncio.to_thread(self._answering.shutdown)
        if self.follower is not None:
            await asyncio.to_thread(self.follower.close)
        await self.store.close()

    async def _tenant(self, name: str, log: Dataset | None) -> Tenant:
        histories = await asyncio.to_thread(partial(Histories.of_log, log, kinds=self.settings.kinds or None))
        items, users = Facts(), Facts()
        items.set(await asyncio.to_thread(self.store.items, name))
        users.set(await asyncio.to_thread(self.store.users, name))
        added, double = await asyncio.to_thread(_fill, histories, self._events(name), log)
        if double:
            self.told.append(f"{double:,} events of the store are in the log of {name!r} already; they count once.")
        if added:
            self.told.append(f"{plural(added, 'event')} of the store joined the histories of {name!r}.")
        unseen = [kind for kind in self.settings.kinds if kind not in histories.kind_names]
        if unseen:
            self.told.append(f"No event of {name!r} is of the kind {' or '.join(map(repr, unseen))} yet, which the setting 'kinds' names.")
        place = Place(
            registry=self._registry,
            allowed=self.settings.model_folders(name),
            make=lambda version, settings: self._way(name, version, settings, histories, items, users, log),
            loader=self._loading,
            serves=self._serves,
        )
        experiments = {self.settings.name_of(one.scenario): one for one in self.settings.experiments_of(name).values()}
        scenarios = {key: Scenario(name, key, one, place, experiments.get(key)) for key, one in self.settings.of_tenant(name).items()}
        for scenario in scenarios.values():
            self.told += await scenario.open()
        return Tenant(name, self.store, histories, items, users, scenarios, self.metrics, self.follower)

    def _events(self, tenant: str) -> Iterator[pl.DataFrame]:
        """What the store has at the start; what is committed meanwhile comes by the follower."""
        frames = self.store.events(tenant)
        if self.follower is None:
            return frames
        last = self.follower.begin
        return (frame.filter(pl.col("sequence") <= last) for frame in takewhile(lambda frame: frame["sequence"][0] <= last, frames))

    def _way(
        self,
        tenant: str,
        version: Version,
        settings: ScenarioSettings,
        histories: Histories,
        items: Facts,
        users: Facts,
        log: Dataset | None,
    ) -> Way:
        pipeline = Pipeline.of(
            version.artifact, histories, items, users, reranker=settings.reranker, candidates=settings.candidates, repeat=settings.repeat,
            budget=settings.budget_ms / 1000, version=version.id, log=log,
        )  # fmt: skip
        name = settings.name or next((key for key, one in self.settings.of_tenant(tenant).items() if one is settings), "arm")
        pipeline.watch = partial(self.metrics.staged, tenant, name)
        answering = None if settings.answers is None else Answering(pipeline, self._answering, settings.answers)
        return Way(version, pipeline, Batcher(pipeline, self._answering, waiting=self.settings.limits.waiting), answering)

    def _serves(self, key: str, version: Version) -> None:
        tenant, _, scenario = key.partition("/")
        fitted = None if version.created is None else version.created.timestamp()
        self.metrics.serves(tenant, scenario, version.id, version.model, fitted)
        LOG.info("%s/%s is served by %s (%s)", tenant, scenario, version.id, version.folder)

    def _watch(self) -> None:
        self.metrics.watch("recommend", lambda: float(sum(way.batcher.depth for way in self._ways())))
        self.metrics.watch("store", lambda: float(self.store.writer.waiting))
        self.metrics.lost.set_function(lambda: float(self.store.lost))
        self.metrics.ready.set_function(lambda: float(self.ready))

    def _ways(self) -> Iterator[Way]:
        for tenant in self.tenants.values():
            for scenario in tenant.scenarios.values():
                yield from {id(way): way for way in scenario.ways.values()}.values()


def _backend(settings: Settings) -> Any:
    """The database of the settings; None is SQLite in the state folder."""
    if settings.store == "sqlite":
        return None
    return importlib.import_module("vitrina.service.store.postgres").Postgres(settings.store)  # needs an extra


def _kept_elsewhere(settings: Settings) -> list[str]:
    """Where a service of one of the artifacts alone has kept what a new state folder doesn't have."""
    folders = dict.fromkeys(beside(one.artifact) for one in settings.scenarios.values())
    return [
        f"The state folder is new, and events of another service are in {folder}. To go on with them: --state {folder}"
        for folder in folders
        if settings.store == "sqlite" and folder.is_dir()
    ]


def _fill(histories: Histories, frames: Iterator[pl.DataFrame], log: Dataset | None) -> tuple[int, int]:
    """Let the events of the store count; how many entered, and how many the log had already."""
    doubles, entered = Doubles(log), 0
    for frame in frames:
        columns = doubles.left(frame).select("event_id", "kind", "user", "item", "time", "received", "value", "basket")
        entered += histories.add([Event(*row) for row in columns.iter_rows()])
    return entered, doubles.found
