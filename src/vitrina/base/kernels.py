"""How the few compiled kernels are compiled, and how their rows are spread over the cores.

The threads are our own, and not those of a threading layer of numba: GNU OpenMP kills a process made by fork, the layer
`workqueue` one that calls from two threads, and code for either takes several times as long to compile.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import Any, final

import numba
import numpy as np
from numba.core.bytecode import FunctionIdentity
from numba.core.caching import IndexDataCacheFile

THREADS: int = numba.config.NUMBA_NUM_THREADS  # pyright: ignore[reportPrivateImportUsage,reportAttributeAccessIssue]
ROWS = 64  # of a run, where there are enough: fewer don't pay for its scratch memory
RUNS = 4  # for each thread: who has the short ones takes more of them

# numba counts the functions of a process, and the count is all that tells a sort of an array from an argsort of one in the name of the compiled
# code. Of two files of a cache that were written by two processes, a third one would run the code of the first for both, which ends in wrong
# results or a crash (https://github.com/numba/numba/issues/10486). A random number is another one in every process, also in one made by fork.
FunctionIdentity._unique_ids = iter(lambda: secrets.randbits(64), -1)  # pyright: ignore[reportAttributeAccessIssue]


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` with numba; keep the result on disk where some folder is writable.

    The first call on a machine compiles (seconds); later processes read the cache.
    """
    return _compiled(function, fastmath=False)


def sum_kernel(function: Callable[..., Any]) -> Any:
    """The same for a sum whose terms may be added in any order, several at a time: faster, and rounded in an order of its own, always the same."""
    return _compiled(function, fastmath={"reassoc", "contract"})


def _compiled(function: Callable[..., Any], fastmath: Any) -> Any:
    try:
        compiled: Any = numba.njit(cache=True, nogil=True, fastmath=fastmath)(function)
    except RuntimeError:  # numba found no folder to cache in
        return numba.njit(cache=False, nogil=True, fastmath=fastmath)(function)
    if not numba.config.DISABLE_JIT:  # pyright: ignore[reportPrivateImportUsage,reportAttributeAccessIssue]
        compiled._cache._cache_file.__class__ = NamedFiles
        compiled._cache._cache_file.add_stamps(function)
    return compiled


class NamedFiles(IndexDataCacheFile):
    """The files of a compiled function, each named by the types that it is compiled for.

    numba numbers them, and of two processes that compile for other types at the same time both take the same number: what is loaded then runs on
    data of the wrong types, which ends in an error, a wrong result or a crash ([numba 4807](https://github.com/numba/numba/issues/4807)). Where two write the
    index at once, one of the entries is lost, and compiled again later.
    """

    def add_stamps(self, function: Callable[..., Any]) -> None:
        """Count as another source, too, where the file of a kernel that it calls is another one: numba looks at its own file only, and would run the old code of the rest."""
        called: list[Any] = [getattr(function.__globals__.get(name), "_cache", None) for name in function.__code__.co_names]
        stamps = [cache._cache_file._source_stamp for cache in called if hasattr(cache, "_cache_file")]
        if stamps:
            self._source_stamp = (self._source_stamp, hashlib.sha256(repr(stamps).encode()).hexdigest())

    def save(self, key: Any, data: Any) -> None:
        types = hashlib.sha256(repr((self._source_stamp, key)).encode()).hexdigest()[:24]
        name = f"{self._index_name.removesuffix('.nbi')}.{types}.nbc"
        self._save_data(name, data)
        self._save_index(self._load_index() | {key: name})


@final
class Spread:
    """A kernel over rows: `function(first, last, *arguments)` does the rows first..last-1 of its work, and makes its own scratch.

    Called with the number of rows and the arguments it does them all, on as many threads as NUMBA_NUM_THREADS says (by default
    one for each core). It may be called from several threads, and in a process made by fork.

    Cost: some 50 microseconds where there is more than one row.

    >>> import numpy as np
    >>> @Spread
    ... def squares(first, last, out):
    ...     for row in range(first, last):
    ...         out[row] = row * row
    >>> out = np.empty(5, np.int64)
    >>> squares(5, out)
    >>> out.tolist()
    [0, 1, 4, 9, 16]
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.compiled = kernel(function)

    def __call__(self, rows: int, *arguments: Any) -> None:
        runs = runs_of(rows)
        if runs <= 1:
            return self.compiled(0, rows, *arguments)
        cuts = list(pairwise(np.linspace(0, rows, runs + 1).astype(np.int64).tolist()))
        at_once(lambda run: self.compiled(*cuts[run], *arguments), len(cuts))


def at_once(work: Callable[[int], None], runs: int) -> None:
    """work(0) to work(runs - 1), shared out among the calling thread and those of the kernels: for work that lets others run meanwhile."""
    left = iter(range(runs))

    def some() -> None:
        for run in left:
            work(run)

    others = _workers.start(some, min(THREADS, runs) - 1)
    try:
        some()
    finally:
        for _ in left:  # after an error nobody begins another run
            pass
        waited = [other for other in others if not other.cancel()]
        for other in waited:
            other.result()


def runs_of(rows: int) -> int:
    """Into how many runs so many rows are cut."""
    return 1 if THREADS == 1 else min(rows, max(THREADS, min(rows // ROWS, RUNS * THREADS)))


@final
class _Workers:
    """The threads that help the calling one; they start when they are first needed."""

    def __init__(self) -> None:
        self.pool: ThreadPoolExecutor | None = None
        self.making = threading.Lock()

    def start(self, work: Callable[[], None], threads: int) -> list[Future[None]]:
        with self.making:
            self.pool = self.pool or ThreadPoolExecutor(max(THREADS - 1, 1), "vitrina")
            try:
                return [self.pool.submit(work) for _ in range(threads)]
            except RuntimeError:  # the interpreter is ending, and takes no more work
                return []

    def forget(self) -> None:
        """A process made by fork has none of the threads of its parent, and locks as they happened to be."""
        self.pool, self.making = None, threading.Lock()


_workers = _Workers()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_workers.forget)
