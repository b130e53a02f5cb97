"""How much is let in: requests per second of a key, requests that wait for the model, bytes of a body."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from vitrina.service.problems import RefusedError

READ_ON = 8  # times the limit
T = TypeVar("T")
Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class GoneError(Exception):
    """Who asked has gone: nobody waits for an answer."""


class Bucket:
    """A bucket of `burst` tokens that fills by `rate` per second; a request takes one.

    >>> bucket = Bucket(rate=2, burst=1, now=0.0)
    >>> bucket.wait(0.0), bucket.wait(0.0), bucket.wait(0.5)
    (0.0, 0.5, 0.0)
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate, self._burst, self._tokens, self._at = rate, burst, float(burst), now

    def wait(self, now: float) -> float:
        """Take a token: 0, or the seconds until there is one."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1 - 1e-9:  # sums of times are not exact
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate


class Rates:
    """A bucket per key, in the memory of this process."""

    def __init__(self, rate: float | None, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: dict[str, Bucket] = {}

    def check(self, name: str) -> None:
        """Count a request of a key.

        Raises:
            RefusedError: 429, and says when to come again.
        """
        if self._rate is None:
            return
        now = time.monotonic()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(self._rate, self._burst, now)
        if wait := bucket.wait(now):
            raise RefusedError(
                429,
                f"The key {name!r} may send {self._rate:g} requests per second, {self._burst} at once. Come again in {wait:.1f} s.",
                retry_after=wait,
            )


class Gate:
    """Requests that wait for the model: as many as are let in; who comes then is told so at once, so that those inside are answered in time."""

    __slots__ = ("inside", "most")

    def __init__(self, most: int) -> None:
        self.most, self.inside = most, 0

    def __enter__(self) -> None:
        if self.inside >= self.most:
            raise RefusedError(503, f"{self.inside:,} requests wait for the model already. Come again in a second.", retry_after=1.0)
        self.inside += 1

    def __exit__(self, *_: object) -> None:
        self.inside -= 1


class Deadlines:
    """Gives up what takes longer than some seconds. One timer for all that runs: one per request would cost more than the request's own decoding.

    It looks ten times in that time, so that an end comes up to a tenth later.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[asyncio.Task[Any], float] = {}  # in the order in which they come
        self._late: set[asyncio.Task[Any]] = set()
        self._lifted: set[asyncio.Task[Any]] = set()
        self._watching = False

    def __len__(self) -> int:
        return len(self._ends) + len(self._lifted)

    async def within(self, work: Awaitable[T]) -> T:
        """What the work gives.

        Raises:
            TimeoutError: it took too long, and was cancelled.
        """
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        self._ends[task] = loop.time() + self._seconds
        if not self._watching:
            self._watching = True
            loop.call_later(self._seconds / 10, self._watch, loop)
        try:
            return await work
        except asyncio.CancelledError:
            if task in self._late and task.uncancel() == 0:
                raise TimeoutError from None
            raise
        finally:
            self._ends.pop(task, None)
            self._late.discard(task)
            self._lifted.discard(task)

    def lift(self) -> None:
        """Let the task that runs take as long as it takes."""
        task = asyncio.current_task()
        if task in self._ends:
            del self._ends[task]
            self._lifted.add(task)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, end in self._ends.items():
            if end > now:
                break
            if task not in self._late:
                self._late.add(task)
                task.cancel()
        self._watching = bool(self._ends)
        if self._watching:
            loop.call_later(self._seconds / 10, self._watch, loop)


async def body_of(receive: Receive, headers: Mapping[bytes, bytes], most: int) -> bytes:
    """The body of a request, of which never more than `most` bytes are held.

    What is somewhat larger is read to its end and thrown away, as a client that is still sending doesn't see the answer.

    Raises:
        RefusedError: 413.
        GoneError: the client went away.
    """
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > 18 or int(length) > (most if b"expect" in headers else most * READ_ON):
        raise _too_large(most)
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        part = message.get("body", b"")
        size += len(part)
        if size <= most:
            parts.append(part)
        elif size > most * READ_ON:
            raise _too_large(most)
        if not message.get("more_body"):
            break
    if size > most:
        raise _too_large(most)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(most: int) -> RefusedError:
    return RefusedError(413, f"A body may have {most:,} bytes. Send it in parts.", headers=[(b"connection", b"close")])
