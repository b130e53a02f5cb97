"""Sources that are asked side by side, each within its time; what fails or is late is left out, and counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import polars as pl

STUCK = 4  # calls of one source that may still run after their time; more aren't begun, so that threads don't pile up
COUNTS = ("asked", "failed", "late")


@final
@dataclass(frozen=True, eq=False)
class Tally:
    """How often each source was asked, failed and was late; the one thing of a fitted mixture that changes, and no part of what is saved.

    >>> tally = Tally(("words", "vectors"))
    >>> tally.add("words", "late", "over 0.1 s")
    >>> tally.frame().rows()
    [('words', 0, 0, 1, 'over 0.1 s'), ('vectors', 0, 0, 0, None)]
    """

    names: tuple[str, ...]
    _counts: dict[tuple[str, str], int] = field(default_factory=dict)
    _last: dict[str, str] = field(default_factory=dict)
    _running: dict[str, int] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)

    def add(self, name: str, what: str, why: str | None = None) -> None:
        with self._lock:
            self._counts[name, what] = self._counts.get((name, what), 0) + 1
            if why is not None:
                self._last[name] = why

    def started(self, name: str) -> bool:
        """Whether one more call of a source that is waited for may begin."""
        with self._lock:
            running = self._running.get(name, 0)
            self._running[name] = running + (running < STUCK)
            return running < STUCK

    def ended(self, name: str) -> None:
        with self._lock:
            self._running[name] -= 1

    def frame(self) -> pl.DataFrame:
        """A row per source: source, asked, failed, late, and the last thing that went wrong."""
        with self._lock:
            rows = [(name, *(self._counts.get((name, what), 0) for what in COUNTS), self._last.get(name)) for name in self.names]
        return pl.DataFrame(rows, schema=["source", *COUNTS, "last"], orient="row", schema_overrides={"last": pl.String})


@final
class Asked:
    """A call of a source, in a thread of its own where it is waited for only so long."""

    def __init__(self, name: str, call: Callable[[], Any], seconds: float | None, tally: Tally) -> None:
        self.name, self.call, self.seconds, self.tally = name, call, seconds, tally
        self.answer: Any = None
        self.why: str | None = None
        self.began = time.monotonic()
        self.thread: threading.Thread | None = None
        if seconds is None:
            return
        if tally.started(name):
            self.thread = threading.Thread(target=self._in_thread, daemon=True, name=f"search-{name}")
            self.thread.start()
        else:
            self.why = f"{STUCK} earlier calls still run"
            tally.add(name, "late", self.why)

    def _in_thread(self) -> None:
        try:
            self._run()
        finally:
            self.tally.ended(self.name)

    def _run(self) -> None:
        try:
            self.answer = self.call()
        except Exception as error:  # whatever a source of somebody's own raises: the others still answer
            self.why = f"{type(error).__name__}: {error}"

    def result(self) -> Any:
        """The answer; None where there is none, which is counted."""
        if self.seconds is None:
            self._run()
        elif self.thread is not None:
            self.thread.join(max(0.0, self.began + self.seconds - time.monotonic()))
            if self.thread.is_alive():
                self.why = f"over {self.seconds:g} s"
                self.tally.add(self.name, "late", self.why)
                return None
        if self.answer is None and self.why is not None and (self.seconds is None or self.thread is not None):
            self.tally.add(self.name, "failed", self.why)
        return self.answer


def answers_of(
    names: Sequence[str], calls: Sequence[Callable[[], Any]], seconds: Sequence[float | None], tally: Tally
) -> tuple[list[Any], list[str]]:
    """What each call returns, None where it raised or was late; and what went wrong, in words.

    Calls with a time begin at once, in threads; the others follow in the thread that asks, so that nothing is spent on threads where nobody waits.
    A call that is late can't be stopped, and goes on by itself.
    """
    asked = [Asked(name, call, limit, tally) for name, call, limit in zip(names, calls, seconds, strict=True)]
    unhurried = [one for one in asked if one.seconds is None]
    done = {id(one): one.result() for one in [*unhurried, *(one for one in asked if one.seconds is not None)]}
    return [done[id(one)] for one in asked], [f"{one.name}: {one.why}" for one in asked if done[id(one)] is None]
