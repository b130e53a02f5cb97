"""The process of one model on another machine: the same isolated run, started by a worker of the executor beside the folders that all of them see."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any, final

from vitrina.base.errors import MemoryBudgetError
from vitrina.base.executor import Executor
from vitrina.jobs import processes

STOP = "stop"  # a file in the folder of a job: its process ends
LEAVE = 10.0  # seconds that jobs elsewhere get to hear of it


@final
@dataclass(frozen=True)
class StopFile:
    """An Event that another machine can set: a file, or the end of the folder it would be in."""

    folder: Path

    def wait(self, seconds: float) -> bool:
        time.sleep(seconds)
        return (self.folder / STOP).exists() or not self.folder.exists()


@final
@dataclass(frozen=True)
class OnNode:
    """Runs a job where it is called. Each try has a folder of its own, as a node that was given up may still write."""

    out: Path
    limit: float | None

    def __call__(self, job: Mapping[str, Any]) -> tuple[dict[str, Any], Path]:
        if not self.out.is_dir():
            error = (
                f"The node {platform.node()} doesn't see the folder {self.out.parent}. Keep the results (on the command line --out, in code 'cache') "
                "on storage that all nodes of the cluster have at the same path."
            )
            return {"status": "failed", "error": error}, self.out
        own = Path(tempfile.mkdtemp(prefix="try-", dir=self.out))
        return processes.run_job(job, own, StopFile(self.out), threads=1, limit=self.limit), own


def run_on(executor: Executor, job: Mapping[str, Any], out: Path, stop: Event, limit: float | None) -> tuple[dict[str, Any], Path]:
    """Run one job by the executor; its result, and the folder of the try that gave it.

    Args:
        executor: whose workers see `out` at the same path.
        job: see `worker`.
        out: an empty folder.
        stop: when set, the process is ended where it runs, and StoppedError raised.
        limit: seconds of the fit with its answers, wherever it waited before.

    Raises:
        StoppedError: `stop` was set.
        VitrinaError: the executor has lost its cluster.
    """
    results: list[Any] = []
    waiting = Thread(target=_take, args=(executor, OnNode(out, limit), job, results), daemon=True)  # a lost cluster may never answer
    waiting.start()
    while waiting.is_alive():
        if stop.wait(processes.POLL):
            (out / STOP).touch()
            waiting.join(LEAVE)
            raise processes.StoppedError
    result = results[0]
    if isinstance(result, MemoryBudgetError):
        return {"status": "out of memory", "error": str(result)}, out
    if isinstance(result, BaseException):
        raise result
    return result


def _take(executor: Executor, run: OnNode, job: Mapping[str, Any], results: list[Any]) -> None:
    try:
        results.extend(executor.map(run, [job]))
    except BaseException as error:
        results.append(error)
