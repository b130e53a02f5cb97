"""The one thread that writes: it takes all that waits, commits it at once, and then answers everybody in it."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, final

from vitrina.service.store.base import AddShown, Backend, Job, StoreUnavailableError

MOST_WAITING = 50_000  # rows: what comes on top is refused
MOST_SHOWN = 20_000  # answers
PER_COMMIT = 5_000  # rows, about: what one transaction takes
LINGER = 0.05  # seconds that what was shown waits for company


@dataclass(slots=True, eq=False)
class _Waiting:
    """A job, or something to call between two commits, and who waits for it."""

    job: Job | Callable[[], Any]
    rows: int
    future: asyncio.Future[Any] | Future[Any] | None


@final
class Writer:
    """Commits jobs in the order in which they came, many per transaction; a job is answered when its transaction is on disk.

    What was shown waits apart, for up to 50 ms, and goes along with the next commit: nobody waits for it, and it must not cost a flush per answer.

    Args:
        backend: is called from the writer's own thread.
        most: rows that may wait; what comes on top is refused at once.

    Attributes:
        lost: answers that were shown and could not be kept.
    """

    def __init__(self, backend: Backend, most: int = MOST_WAITING) -> None:
        self.lost = 0
        self.waiting = 0
        self._backend, self._most = backend, most
        self._jobs: deque[_Waiting] = deque()
        self._shown: deque[AddShown] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="vitrina-store-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job, rows: int) -> asyncio.Future[Any]:
        """Put a job into the queue; the future, of the running event loop, is done after the commit.

        Raises:
            StoreUnavailableError: too much waits already, or the store is closed.
        """
        future = asyncio.get_running_loop().create_future()
        self._put(_Waiting(job, rows, future), bounded=True)
        return future

    def ask(self, job: Job | Callable[[], Any]) -> Any:
        """The result of a job, or of something to call on the writer's thread between two commits. Waits for it: for threads, never for the event loop."""
        future: Future[Any] = Future()
        self._put(_Waiting(job, 1, future), bounded=False)
        return future.result()

    def show(self, job: AddShown) -> None:
        """Put what was shown into its queue; what doesn't fit is counted as lost."""
        with self._wake:
            if self._closing or len(self._shown) >= MOST_SHOWN:
                self.lost += len(job.shown)
                return
            self._shown.append(job)
            if len(self._shown) == 1:
                self._wake.notify()

    def close(self) -> None:
        """Commit what waits, and end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _put(self, entry: _Waiting, *, bounded: bool) -> None:
        with self._wake:
            if self._closing:
                raise StoreUnavailableError("The store is closed: the service is stopping. Send the same rows again when it is back.")
            if bounded and self.waiting and self.waiting + entry.rows > self._most:
                raise StoreUnavailableError(
                    f"The store is behind: {self.waiting} rows wait to be written, and {self._most} may. Send the same rows again in a moment."
                )
            self._jobs.append(entry)
            self.waiting += entry.rows
            if len(self._jobs) == 1:
                self._wake.notify()

    def _run(self) -> None:
        while True:
            entries = self._take()
            if not entries:
                return
            called = entries[0].job
            if callable(called):
                _answer([(entries[0], *_outcome(called))])
            else:
                _answer(self._commit(entries))

    def _take(self) -> list[_Waiting]:
        """What the next transaction has: jobs up to the first that is called, and what was shown; nothing when it is time to end."""
        with self._wake:
            while not self._jobs and not self._closing:
                if self._shown and not self._wake.wait(LINGER):
                    break
                if not self._shown:
                    self._wake.wait()
            entries: list[_Waiting] = []
            rows = 0
            while self._jobs and rows < PER_COMMIT and not (callable(self._jobs[0].job) and (entries or self._shown)):
                entry = self._jobs.popleft()
                rows += entry.rows
                entries.append(entry)
                if callable(entry.job):
                    break
            self.waiting -= rows
            if not entries or not callable(entries[0].job):
                entries = [*(_Waiting(job, 0, None) for job in self._shown), *entries]  # first: who is erased must not come back by it
                self._shown.clear()
            return entries

    def _commit(self, entries: Sequence[_Waiting]) -> list[tuple[_Waiting, Any, Exception | None]]:
        """What came of each: all in one transaction, and each in its own where one of them is no good."""
        results, error = _outcome(lambda: self._backend.write([entry.job for entry in entries]))  # type: ignore[misc]
        if error is None:
            return [(entry, result, None) for entry, result in zip(entries, results, strict=True)]
        if len(entries) > 1 and not isinstance(error, StoreUnavailableError):
            return [outcome for entry in entries for outcome in self._commit([entry])]
        self.lost += sum(len(entry.job.shown) for entry in entries if isinstance(entry.job, AddShown))
        return [(entry, None, error) for entry in entries]


def _outcome(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """What a call gave, or how it failed: the thread goes on in any case."""
    try:
        return call(), None
    except Exception as error:
        return None, error


def _answer(outcomes: Sequence[tuple[_Waiting, Any, Exception | None]]) -> None:
    """Tell everybody: threads at once, event loops by one call each."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any, Exception | None]]] = {}
    for entry, result, error in outcomes:
        if isinstance(entry.future, asyncio.Future):
            loops.setdefault(entry.future.get_loop(), []).append((entry.future, result, error))
        elif entry.future is not None:
            entry.future.set_result(result) if error is None else entry.future.set_exception(error)
    for loop, told in loops.items():
        _outcome(lambda loop=loop, told=told: loop.call_soon_threadsafe(_tell, told))  # a loop that is closed has nobody who waits


def _tell(outcomes: Sequence[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
    for future, result, error in outcomes:
        if future.done():  # who asked has gone
            continue
        future.set_result(result) if error is None else future.set_exception(error)
