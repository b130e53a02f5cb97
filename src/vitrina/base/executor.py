"""Who runs a function over many parts: this process, processes of this machine, or what a floor above gives (a cluster)."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, final, runtime_checkable

from vitrina.base.errors import ParameterError

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
    """Items go to `workers` spawned processes of this machine, which end with the map.

    Args:
        workers: 1 or more.

    Raises:
        ParameterError: no worker.
    """

    workers: int

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ParameterError(f"The 'workers' must be 1 or more. Got {self.workers}.", parameter="workers", value=self.workers)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.workers, mp_context=context) as pool:
            waiting: deque[Future[Any]] = deque()
            try:
                for item in items:
                    waiting.append(pool.submit(function, item))
                    if len(waiting) >= AHEAD * self.workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def local(workers: int = 1) -> Executor:
    """Here for one worker, in processes for more."""
    return InProcess() if workers == 1 else Processes(workers)
