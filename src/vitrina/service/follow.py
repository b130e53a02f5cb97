"""What other processes of a service, on one database, have accepted: it joins the histories and facts in this process's memory.

Every process reads the same rows in the same order, its own among them, so that all of them know the same.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, final

from vitrina.service.records import Attributes, Event
from vitrina.service.store.base import Changes, StoreUnavailableError

LOG = logging.getLogger(__name__)
EVERY = 0.025  # seconds between two looks at the database: one small query where nothing is new
AWAY = 0.2  # the same, while it doesn't answer
FRESH = 1.0  # seconds that an answer to a client waits for what it has just sent to count


class Shared(Protocol):
    """A database that several processes write."""

    def last(self) -> int:
        """The number of the latest commit."""
        ...

    def changes(self, tenant: str, after: int, last: int) -> Changes:
        """What was committed after a number, up to another one or to an earlier one that it names."""
        ...


class _People(Protocol):
    def erase(self, user: str) -> int: ...
    def users(self) -> list[str]: ...
    def add(self, events: Sequence[Event]) -> int: ...


class _Columns(Protocol):
    def set(self, rows: Sequence[Attributes], *, whole: bool = False) -> None: ...
    def forget(self, id: str) -> None: ...
    def since(self, version: int) -> list[str]: ...


class Followed(Protocol):
    """What of a tenant is in memory."""

    @property
    def name(self) -> str: ...
    @property
    def histories(self) -> _People: ...
    @property
    def items(self) -> _Columns: ...
    @property
    def users(self) -> _Columns: ...


@final
class Follower:
    """Looks forty times per second, from a thread of its own, and at once where somebody waits for what was just committed.

    Args:
        shared: the database.
        begin: the number up to which the memory is filled already.
        digest: of a person's id, as the database notes who is forgotten.

    Attributes:
        lag: seconds since everything was known.
    """

    def __init__(self, shared: Shared, begin: int, digest: Callable[[str], bytes], *, every: float = EVERY) -> None:
        self._shared, self._digest, self._every = shared, digest, every
        self.begin, self._after = begin, dict[str, int]()
        self._tenants: list[Followed] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._wake = threading.Condition()
        self._closing, self._away = False, False
        self._known_at = time.monotonic()
        self._thread: threading.Thread | None = None

    @property
    def lag(self) -> float:
        return max(0.0, time.monotonic() - self._known_at - self._every)

    def start(self, tenants: Iterable[Followed]) -> None:
        """Follow for these tenants from now on."""
        self._tenants = list(tenants)
        self._thread = threading.Thread(target=self._run, name="vitrina-follow", daemon=True)
        self._thread.start()

    async def caught_up(self, within: float = FRESH) -> bool:
        """Wait until what was committed before this call counts; False where that isn't so in time, and the database is behind or away."""
        future = asyncio.get_running_loop().create_future()
        with self._wake:
            if self._closing or self._thread is None:
                return False
            self._waiting.append(future)
            self._wake.notify()
        done, _ = await asyncio.wait([future], timeout=within)
        return bool(done)

    def close(self) -> None:
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                if not self._waiting and not self._closing:
                    self._wake.wait(self._every)
                if self._closing:
                    return
                waiting, self._waiting = self._waiting, []
            begin = time.monotonic()
            try:
                self._look()
            except Exception as error:  # whatever it is: without this thread nothing of what others accept would ever count
                self._told_away(error)
                with self._wake:  # they wait on; each has its own time
                    self._waiting = [future for future in [*waiting, *self._waiting] if not future.done()]
                    if not self._closing:
                        self._wake.wait(max(AWAY, self._every))
                continue
            self._known_at, self._away = begin, False
            for future in waiting:
                _resolve(future)

    def _look(self) -> None:
        last = self._shared.last()
        for tenant in self._tenants:
            after = self._after.get(tenant.name, self.begin)
            while after < last:
                changes = self._shared.changes(tenant.name, after, last)
                self._apply(tenant, changes)
                self._after[tenant.name] = after = changes.upto

    def _apply(self, tenant: Followed, changes: Changes) -> None:
        """Who was forgotten first: events that the database has are of after that."""
        if changes.forgotten:
            gone = set(changes.forgotten)
            for user in {*tenant.histories.users(), *tenant.users.since(-1)}:
                if self._digest(user) in gone:
                    tenant.histories.erase(user)
                    tenant.users.forget(user)
        if changes.events:
            tenant.histories.add(changes.events)
        if changes.items:
            tenant.items.set(changes.items, whole=True)
        if changes.users:
            tenant.users.set(changes.users, whole=True)

    def _told_away(self, error: Exception) -> None:
        if not self._away:
            away = isinstance(error, StoreUnavailableError)  # and no fault of the program
            LOG.warning("what other processes accept is not seen for now: %s", error, exc_info=None if away else error)
        self._away = True


def _resolve(future: asyncio.Future[None]) -> None:
    def done() -> None:
        if not future.done():
            future.set_result(None)

    try:
        future.get_loop().call_soon_threadsafe(done)
    except RuntimeError:  # the loop is closed: nobody waits
        return
