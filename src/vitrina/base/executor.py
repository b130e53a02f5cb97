"""Who runs a function over many parts: this process, processes of this machine, or what a floor above gives (a cluster)."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, final, runtime_checkable

from vitrina.base.errors import MemoryBudgetError, ParameterError
from vitrina.base.threads import ONE_THREAD, environment

T = TypeVar("T")
R = TypeVar("R")
AHEAD = 2  # parts per worker that are under way or wait to be taken: results of a slow reader don't pile up


@runtime_checkable
class Executor(Protocol):
    """Runs a function over items: `map` gives the results in the order of the items, whoever is done first.

    A function and its items go to other processes, so both are plain: a function at the top of a module or a dataclass with `__call__`, whose fields
    are paths, numbers and configs. It may be run twice for one item (a machine that is lost), so it writes whole files or none.
    """

    @property
    def workers(self) -> int: ...
    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]: ...


@runtime_checkable
class StartsTogether(Protocol):
    """An executor that starts its workers at one moment, with torch.distributed set up between them, and ends them together."""

    def together(self, function: Callable[[T], None], item: T, folder: Path) -> None:
        """`function(item)` in every worker, to the end of all of them. What the executor itself writes goes into `folder`, which all workers see.

        Raises:
            VitrinaError: what one of them refused, or that one was lost.
        """
        ...


@final
@dataclass(frozen=True)
class InProcess:
    """One item after another, here.

    >>> list(InProcess().map(abs, [-1, 2]))
    [1, 2]
    """

    workers: int = 1

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        return map(function, items)


@final
@dataclass(frozen=True)
class Processes:
    """Items go to `workers` spawned processes of this machine, of one thread each. They stay for the next map, with what they have loaded, and end with
    this process, by whatever end; and at once where a map is left early.

    Args:
        workers: 1 or more.

    Raises:
        ParameterError: no worker.
        MemoryBudgetError: from `map`, a worker was killed from outside, as the system does when memory runs out.
    """

    workers: int

    def __post_init__(self) -> None:
        check_workers(self.workers)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        pool = _Pool.taken(self.workers)
        waiting: deque[Future[Any]] = deque()
        whole = False
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= AHEAD * self.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
            whole = True
        except BrokenProcessPool as error:
            raise MemoryBudgetError(
                "A worker process was ended by the system, most likely because memory ran out. Use fewer workers; what is finished is kept where the "
                'job has a folder. (A script that starts workers needs its calls under: if __name__ == "__main__":)'
            ) from error
        finally:  # after an error or Ctrl-C, or where the results are not wanted any more, nobody waits for what is under way
            pool.give_back() if whole else pool.end()


@final
class _Pool:
    """Processes that end when the pipe to them is closed; at most one pool waits for its next map."""

    idle: ClassVar[list[_Pool]] = []
    lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, key: tuple[Any, ...]) -> None:
        self.key = key
        context = multiprocessing.get_context("spawn")
        self.theirs, self.ours = context.Pipe(duplex=False)
        self.processes = ProcessPoolExecutor(key[0], mp_context=context, initializer=_end_with, initargs=(self.theirs,))

    @classmethod
    def taken(cls, workers: int) -> _Pool:
        """The pool that waits, if it has so many workers and they import from where this process does now; else a new one."""
        key = (workers, os.getpid(), *sys.path)
        with cls.lock:
            pool = cls.idle.pop() if cls.idle else None
        if pool is not None and pool.key != key:
            pool.end()
            pool = None
        return pool or cls(key)

    def submit(self, function: Callable[[Any], Any], item: Any) -> Future[Any]:
        with environment(ONE_THREAD), _no_interrupt_in_children():  # it starts a process where fewer than all are there and none is free
            return self.processes.submit(function, item)

    def give_back(self) -> None:
        with self.lock:
            if not self.idle:
                self.idle.append(self)
                return
        self.end()

    def end(self) -> None:
        self.ours.close()
        self.processes.shutdown(wait=True, cancel_futures=True)
        self.theirs.close()


def _end_with(pipe: Connection) -> None:
    """In a worker: the parent holds the other end of the pipe: when it is closed, by whatever end, so is this process. Ctrl-C is the parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        with contextlib.suppress(EOFError, OSError):
            pipe.recv_bytes()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextlib.contextmanager
def _no_interrupt_in_children() -> Iterator[None]:
    """Ctrl-C waits for the end of it, and never comes to processes that are started inside: one that still imports would show a trace."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def check_workers(workers: int) -> None:
    """Refuse a number of workers below 1."""
    if workers < 1:
        raise ParameterError(f"The 'workers' must be 1 or more. Got {workers}.", parameter="workers", value=workers)


def local(workers: int = 1) -> Executor:
    """Here for one worker, in processes for more."""
    return InProcess() if workers == 1 else Processes(workers)
