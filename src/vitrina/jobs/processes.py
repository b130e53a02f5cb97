"""Starting, watching and ending the process of one model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from vitrina.base.threads import THREAD_VARIABLES
from vitrina.jobs.worker import READY, RESULT

POLL = 0.05  # seconds
STARTUP = 120.0  # seconds for importing and compiling, beside the limit
PATIENCE = 5.0  # seconds that a process gets to end by itself
KILLED = 9  # SIGKILL, a name that Windows lacks


class StoppedError(Exception):
    """The work was interrupted while the process ran."""


class Stop(Protocol):
    """What a `threading.Event` does: waits some seconds, and says whether it was set."""

    def wait(self, timeout: float, /) -> bool: ...


def run_job(
    job: Mapping[str, Any], out: Path, stop: Stop, *, threads: int, limit: float | None = None, alive: Path | None = None
) -> dict[str, Any]:
    """Run one job in a fresh interpreter and return its result, with `status` and `error` whatever happened.

    Args:
        job: see `worker`; plain values.
        out: an existing folder for the job, the log of the process and its result.
        stop: when set, the process is ended and StoppedError raised.
        threads: that its kernels may use.
        limit: seconds from the moment that the process is ready, or begins its next trial.
    """
    (out / "job.json").write_text(json.dumps(dict(job) | {"out": str(out)}), encoding="utf-8")
    with (out / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "vitrina.jobs.worker", str(out / "job.json")],
            stdin=subprocess.PIPE, stdout=log, stderr=log, env=_environment(threads), start_new_session=True,
        )  # fmt: skip
        try:
            timed_out = _wait(process, stop, limit, out / READY)
        finally:
            _end(process)
    return _result(process.returncode, out, limit if timed_out else None)


def _environment(threads: int) -> dict[str, str]:
    """The parent's import path, so that the models of its modules can be imported; no more threads than allowed."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    limits = {name: str(min(threads, int(os.environ.get(name) or threads))) for name in THREAD_VARIABLES}
    return os.environ | limits | {"PYTHONPATH": path}


def _wait(process: subprocess.Popen[bytes], stop: Stop, limit: float | None, ready: Path) -> bool:
    """Until the process ends (False) or its limit is over (True). Importing and compiling have an allowance of their own."""
    started = time.time()
    while process.poll() is None:
        if stop.wait(POLL):
            raise StoppedError
        deadline = started + STARTUP if not ready.exists() else ready.stat().st_mtime
        if limit is not None and time.time() - deadline > limit:
            return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _result(code: int, out: Path, limit: float | None) -> dict[str, Any]:
    if limit is not None:
        return {"status": "failed", "error": f"It took longer than the time limit of {limit:g} seconds."}
    if (out / RESULT).exists():
        return json.loads((out / RESULT).read_text(encoding="utf-8"))
    if code in (-KILLED, 128 + KILLED):
        return {"status": "out of memory", "error": "Its process was killed by the system, most likely because memory ran out."}
    how = f"with the exit code {code}" if code >= 0 else f"by the signal {_signal_name(-code)}"
    printed = (out / "log.txt").read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return {"status": "failed", "error": f"Its process ended {how}" + (f": {printed[-1].strip()}" if printed else ".")}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
