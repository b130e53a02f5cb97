"""Parts on a Ray cluster, or on one that is started here for as long as the process lives."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, final

from vitrina.base.errors import MemoryBudgetError, MissingExtraError, ParameterError
from vitrina.base.executor import AHEAD, check_workers
from vitrina.base.threads import ONE_THREAD

T = TypeVar("T")
R = TypeVar("R")
STORE = 200_000_000  # bytes of a local cluster's object store: results are small, and what is large travels as paths
GRACE = 1.0  # seconds in which parts that nobody waits for may end by themselves
RETRIES = 3  # of a part whose node or worker process is lost
PATIENCE = 5.0  # seconds for the first answer of a cluster
_starting = threading.Lock()
_ours: list[tuple[str | None, int]] = []  # the cluster that was connected to here: address and workers; empty where somebody else did


@final
@dataclass(frozen=True)
class Ray:
    """Items go to tasks of one CPU each on a Ray cluster; a task whose node or process is lost runs again, up to three times.

    Workers import what this process can: its import path goes with them, and classes of the running script go as they are. On several machines the code
    and the folders of data must be at the same paths (an image, and shared storage).

    Args:
        address: "ray://host:10001", "host:6379" or "auto"; None: a cluster on this machine with `workers` CPUs, an object store of 200 MB
            and no dashboard, which is started at the first map and ends with this process.
        workers: how many tasks run at a time.

    Raises:
        ParameterError: no worker; from `map`, the cluster can't be reached, or is lost.
        MissingExtraError: from `map`, ray isn't installed.
        MemoryBudgetError: from `map`, the process of a task was killed again and again, as happens when memory runs out.
    """

    address: str | None = None
    workers: int = 2

    def __post_init__(self) -> None:
        check_workers(self.workers)

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        ray = connected(self.address, self.workers)
        shared = ray.put(function)  # it may hold what may be recommended: once per machine
        task = ray.remote(num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD")(_call)
        ordered: deque[Any] = deque()  # under way, or waiting for its turn
        running: list[Any] = []
        try:
            for item in items:
                if len(running) == self.workers:
                    running = ray.wait(running, num_returns=1)[1]
                running.append(task.remote(shared, item))
                ordered.append(running[-1])
                if len(ordered) >= AHEAD * self.workers:
                    yield _got(ray, ordered)
            while ordered:
                yield _got(ray, ordered)
        finally:
            if (
                ordered
            ):  # Ray ends this process where a task ends while it is cancelled (ray-project/ray#54846): short ones end by themselves
                for left in ray.wait(list(ordered), num_returns=len(ordered), timeout=GRACE)[1]:
                    ray.cancel(left, force=True)

    def together(self, function: Callable[[T], None], item: T, folder: Path) -> None:
        """`function(item)` in `workers` workers of Ray Train, one CPU each, and one GPU each where the cluster has as many."""
        from vitrina.jobs.ray_train import together  # noqa: PLC0415  slow to import

        ray = connected(self.address, self.workers)
        together(function, item, folder, workers=self.workers, gpus=ray.cluster_resources().get("GPU", 0) >= self.workers)


def _call(function: Callable[[Any], Any], item: Any) -> Any:
    return function(item)


def _got(ray: Any, ordered: deque[Any]) -> Any:
    """The result of the first; an error of ours comes back as it was raised."""
    try:
        result = ray.get(ordered[0])
    except ray.exceptions.RayTaskError as error:
        cause = getattr(error, "cause", None)
        raise (cause if isinstance(cause, Exception) else error) from None
    except (ray.exceptions.OutOfMemoryError, ray.exceptions.WorkerCrashedError) as error:
        raise MemoryBudgetError(
            f"A worker of the cluster was killed, and {RETRIES} more tries of its part as well, most likely because memory ran out. "
            "Use fewer workers per machine (more CPUs per machine than memory allows is the usual cause)."
        ) from error
    except ray.exceptions.RayError as error:
        raise ParameterError(f"The Ray cluster lost the job: {_first_line(error)}. Start it again: what is finished is kept.") from error
    ordered.popleft()
    return result


def connected(address: str | None, workers: int) -> Any:
    """The module ray, connected to the cluster.

    Raises:
        MissingExtraError: ray isn't installed.
        ParameterError: nothing answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))
    hook = sys.excepthook
    try:
        import ray  # noqa: PLC0415  an extra, and slow to import
    except ImportError:
        raise MissingExtraError.of("ray", "ray", "The engine 'ray'") from None
    sys.excepthook = hook  # Ray's own tells the cluster of an error first, and that never returned after a Ctrl-C
    with _starting:
        if ray.is_initialized() and _ours and _ours != [(address, workers)]:
            ray.shutdown()  # the cluster of an earlier map
        if not ray.is_initialized():
            _start(ray, address, workers)
            _ours[:] = [(address, workers)]
            atexit.register(ray.shutdown)
    return ray


def _start(ray: Any, address: str | None, workers: int) -> None:
    _silenced(ray)
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "runtime_env": {"env_vars": _environment()}}
    try:
        if address is None:
            _in_a_thread_that_stays(
                lambda: ray.init("local", num_cpus=workers, object_store_memory=STORE, include_dashboard=False, **quiet)
            )
        else:
            _reach(address)
            ray.init(address, **quiet)
    except (Exception, SystemExit) as error:  # Ray leaves the program where a cluster doesn't answer
        where = "A local Ray cluster can't be started" if address is None else f"No Ray cluster answers at {address!r}"
        raise ParameterError(
            f"{where}: {_first_line(error)}. Name the address that 'ray start --head' printed (host:6379), or ray://host:10001; without one a cluster "
            "starts on this machine.",
            parameter="cluster", value=address,
        ) from error  # fmt: skip


def _in_a_thread_that_stays(start: Callable[[], Any]) -> None:
    """Call `start`; on Linux the processes of a cluster end with the thread that started them, and a thread of a comparison ends with its model."""
    if threading.current_thread() is threading.main_thread():
        start()
        return
    done: Future[Any] = Future()

    def begin() -> None:
        try:
            done.set_result(start())
        except BaseException as error:
            done.set_exception(error)
        else:
            threading.Event().wait()

    threading.Thread(target=begin, daemon=True).start()
    done.result()


def _silenced(ray: Any) -> None:
    """Ray writes what happens to its nodes to standard output, where a document for machines may be; what matters comes as an error."""
    with contextlib.suppress(AttributeError):
        ray._private.worker.print_to_stdstream = lambda *given, **named: None


def _reach(address: str) -> None:
    """Fail at once where nobody listens: Ray itself tries for two minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), PATIENCE).close()


def _environment() -> dict[str, str]:
    """Of a worker: one thread, and the import path of this process."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return ONE_THREAD | {"PYTHONPATH": path}


def _first_line(error: BaseException) -> str:
    """Of what an error says; the next one too where the first only announces it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1]).rstrip(".")
