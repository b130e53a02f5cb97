"""What a service does on a timer: it moves old rows into files, drops what is too old, and measures what no request measures."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, final

from vitrina.service import logs
from vitrina.service.store.base import StoreUnavailableError

if TYPE_CHECKING:
    from vitrina.service.records import Retained
    from vitrina.service.service import Service

DAY, HOUR = 86_400.0, 3_600.0


@final
class Background:
    """The timer of a service. An error of a task is logged and counted, and the task comes again at its next turn.

    Tasks: "seal" (once a period of `keep.seal`, all that was accepted before the period began), "retention" (hourly), "measure" (each time).

    Args:
        service: whose store is looked after.
        clock: seconds since 1970.
    """

    def __init__(self, service: Service, clock: Callable[[], float] = time.time) -> None:
        self._service, self._clock = service, clock
        self._tasks: Mapping[str, Callable[[], Awaitable[None]]] = {"seal": self._seal, "retention": self._retain, "measure": self._measure}
        self._done: dict[str, float] = {}

    async def run(self) -> None:
        """Look at what is due, again and again; ends when it is cancelled."""
        while True:
            await self.turn()
            await asyncio.sleep(self._service.settings.keep.every)

    async def turn(self) -> None:
        """Look once."""
        for name, task in self._tasks.items():
            try:
                await task()
            except Exception as error:
                self._service.metrics.background_errors.labels(name).inc()
                if isinstance(error, StoreUnavailableError):  # a database that is away is no fault of the program
                    logs.warn(f"The task '{name}' has to wait: {error}", task=name)
                else:
                    logs.error(f"The task '{name}' failed; it comes again in {self._service.settings.keep.every:g} s", error, task=name)

    async def _seal(self) -> None:
        if (before := self._due("seal", self._service.settings.keep.seal * DAY)) is not None:
            rows = await self._service.store.seal(int(before * 1e6))
            if rows:
                logs.say("sealed", rows=rows)
            self._done["seal"] = before

    async def _retain(self) -> None:
        if (now := self._due("retention", HOUR)) is None:
            return
        keep = self._service.settings.keep
        due: dict[Retained, float | None] = {"events": keep.events, "shown": keep.shown, "rejected": keep.rejected}
        for kind, days in due.items():
            for tenant in self._service.tenants:
                if days is None:
                    continue
                rows = await self._service.store.retain(tenant, kind, int((now - days * DAY) * 1e6))
                if rows:
                    logs.say("dropped what is too old", tenant=tenant, kind=kind, rows=rows)
        self._done["retention"] = now

    async def _measure(self) -> None:
        metrics, folder = self._service.metrics, Path(self._service.settings.state)
        with contextlib.suppress(OSError):
            metrics.free.set(shutil.disk_usage(folder).free)
        started = time.perf_counter()
        await self._service.store.flush()
        metrics.lag.set(time.perf_counter() - started)

    def _due(self, task: str, period: float) -> float | None:
        """The beginning of this period, in seconds since 1970, where the task wasn't done in it."""
        begun = self._clock() // period * period
        return begun if self._done.get(task) != begun else None
