"""The store of the service: what is accepted is on disk before anybody is told so, and stays there once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, final

from vitrina.report.words import plural
from vitrina.service.records import Attributes, Audited, Erasure, Event, Rejected, Retained, Shown
from vitrina.service.store import segments, upkeep
from vitrina.service.store.base import AddEvents, AddShown, Audit, Backend, Reject, SetItems, SetUsers
from vitrina.service.store.locking import lock, unlock
from vitrina.service.store.reading import Readable
from vitrina.service.store.sqlite import SQLite
from vitrina.service.store.writer import Writer

ITSELF = "service"  # who did what nobody asked for


@final
class Store(Readable):
    """Events, what was shown, items and people of all tenants: in a database and, sealed by time, in Parquet files of a state folder.

    What writes is called on the event loop and returns when the commit is on disk. One thread writes, many calls per commit.

    Raises:
        StoreUnavailableError: from every method, where the database can't be written or too much waits: the same call may be made again, and no event is doubled by it.
    """

    def __init__(self, folder: Path, backend: Backend, held: int | None) -> None:
        """A store that is brought up to date; see `open`."""
        super().__init__(folder, backend.read)
        self.writer = Writer(backend)
        self._backend, self._held = backend, held
        self._turn = threading.Lock()  # sealing, erasing and dropping take turns

    @classmethod
    def open(cls, folder: str | Path, *, backend: Backend | None = None) -> Store:
        """Open a state folder, or begin one. The schema is brought to this version; what an end in the middle left is tidied and finished.

        Args:
            folder: of the state.
            backend: None: SQLite in the folder, which no other service may use meanwhile.

        Raises:
            DataError: the store is one of a later version.
            StoreUnavailableError: another service uses it, or it can't be written.
        """
        folder = Path(folder)
        backend = SQLite(folder) if backend is None else backend
        held = lock(folder) if backend.seals else None
        try:
            _brought_up(folder, backend)
        except BaseException:
            backend.close()
            unlock(held)
            raise
        return cls(folder, backend, held)

    @property
    def lost(self) -> int:
        """Answers that were shown and could not be kept."""
        return self.writer.lost

    async def append(self, tenant: str, events: Sequence[Event]) -> list[bool]:
        """Keep events; False where the tenant has an event of that id already, also one that is sealed or erased."""
        return await self.writer.submit(AddEvents(tenant, events), len(events)) if events else []

    def show(self, tenant: str, shown: Shown) -> None:
        """Keep an answer that went out, soon: what an end of the process or a full queue takes away is at most the last moments, and is counted in `lost` where it can be.

        An answer without items has no place to keep.
        """
        if shown.items:
            self.writer.show(AddShown(tenant, [shown]))

    async def set_items(self, tenant: str, rows: Sequence[Attributes]) -> list[bool]:
        """Set columns of items (null empties one, and stays as null), or take items away; False where one to take away wasn't known, which is noted all the same."""
        return await self.writer.submit(SetItems(tenant, rows), len(rows)) if rows else []

    async def set_users(self, tenant: str, rows: Sequence[Attributes]) -> list[bool]:
        """Set columns of people; as of items."""
        return await self.writer.submit(SetUsers(tenant, rows), len(rows)) if rows else []

    async def reject(self, tenant: str, rows: Sequence[Rejected]) -> None:
        """Keep rows that were refused."""
        if rows:
            await self.writer.submit(Reject(tenant, rows), len(rows))

    async def audit(self, entry: Audited) -> None:
        """Keep what somebody did."""
        await self.writer.submit(Audit(entry), 1)

    async def erase(self, tenant: str, user: str, who: str) -> int:
        """Forget a person; how many rows that were. What begins is finished at the next start, whatever comes between."""

        def erased() -> int:
            rows = upkeep.erase(self.folder, self._read, self.writer.ask, Erasure(tenant, user, who, upkeep.now()))
            self.writer.ask(self._backend.scrub)
            return rows

        return await self._in_turn(erased)

    async def seal(self, before: int | None = None) -> int:
        """Move what was accepted before a moment, by default all, into files; how many rows that were. A database that keeps its rows has none to move."""
        moment = upkeep.now() if before is None else before
        return await self._in_turn(lambda: _sealed(self.folder, self._backend, self.writer.ask, moment)) if self._backend.seals else 0

    async def retain(self, tenant: str, kind: Retained, before: int, who: str = ITSELF) -> int:
        """Drop events, or what was shown, or refused rows, that were accepted before a moment; how many rows that were."""
        return await self._in_turn(lambda: upkeep.retain(self.folder, self._read, self.writer.ask, tenant, kind, before, who))

    async def flush(self) -> None:
        """Return when all that was given before is on disk."""
        await asyncio.to_thread(self.writer.ask, lambda: None)

    async def close(self) -> None:
        """Commit what waits, and let the folder go. A second time does nothing."""

        def closed() -> None:
            with self._turn:
                self.writer.close()
                self._backend.close()
                unlock(self._held)
                self._held = None

        await asyncio.to_thread(closed)

    async def _in_turn(self, work: Callable[[], int]) -> int:
        def worked() -> int:
            with self._turn:
                if self._backend.seals:
                    segments.tidy(self.folder, self._read, self.writer.ask)  # after an error of the disk, say
                return work()

        return await asyncio.to_thread(worked)


def _brought_up(folder: Path, backend: Backend) -> None:
    """Bring a store to this version, and end what was begun."""

    def ask(job: Any) -> Any:
        return backend.write([job])[0]

    for step in backend.migrate():
        ask(Audit(Audited(upkeep.now(), "", ITSELF, "migrate", step)))
    if backend.seals:
        segments.without_temporary(folder)  # of others who keep things there: nobody is at it yet
        segments.tidy(folder, backend.read, ask)
    for erasure in backend.read.erasures():
        upkeep.erase(folder, backend.read, ask, erasure)
    backend.scrub()


def _sealed(folder: Path, backend: Backend, ask: segments.Ask, before: int) -> int:
    rows = 0
    for tenant in backend.read.tenants():
        made = segments.seal(folder, backend.read, ask, tenant, before)
        if made:
            count = sum(segment.rows for segment in made)
            ask(Audit(Audited(upkeep.now(), tenant, ITSELF, "seal", ", ".join(s.name for s in made), plural(count, "row"))))
            rows += count
    return rows
