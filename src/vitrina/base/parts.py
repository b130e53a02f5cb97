"""A job over parts whose finished parts are kept in a folder: killed, it goes on where it was; cancelled, it leaves nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, final

import psutil

from vitrina.base.errors import ParameterError
from vitrina.base.executor import Executor, InProcess
from vitrina.base.files import one_at_a_time, speaking_of, write_text

T = TypeVar("T")
FORMAT = 1
JOB, RUNNING = "job.json", "running.json"
PATIENCE = 10.0  # seconds that a cancelled job gets to end by itself
SAME = 2.0  # seconds: the beginning of a process moves a little when the clock is set


def run_parts(
    function: Callable[[T], Any],
    parts: Sequence[T],
    folder: Path,
    *,
    key: str,
    executor: Executor = InProcess(),
    done: Callable[[int], None] = lambda finished: None,
) -> list[Any]:
    """Run a function over the parts that the folder has no record of, and give the results of all, in their order.

    `folder/job.json` says what is asked, `folder/part-00007.json` is the record of a finished part, renamed into place after its function came to an end.
    The same call after a kill goes on with the rest. What a killed try left behind in the folder (names that begin with a dot) is removed.

    Args:
        function: writes whole files or none, the same bytes at each try, and returns what JSON holds; see `Executor` for where it may live.
        parts: what it is called with.
        folder: of this job alone; files of the parts may stand in it.
        key: fingerprint of what is asked, the parts included.
        executor: who runs it.
        done: called with the number of finished parts, at the beginning and after each.
    Raises:
        ParameterError: the folder has another job, or the job runs already.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> run_parts(abs, [-1, 2], folder, key="sizes"), sorted(path.name for path in folder.iterdir())
    ([1, 2], ['job.json', 'part-00000.json', 'part-00001.json'])
    """
    with alone(folder):
        _check_job(folder, key, len(parts))
        _sweep(folder)
        left = [number for number in range(len(parts)) if not _record(folder, number).exists()]
        done(len(parts) - len(left))
        finished = executor.map(_Recorded(function, folder), [(number, parts[number]) for number in left])
        for count, _ in enumerate(finished, len(parts) - len(left) + 1):
            done(count)
        return [json.loads(_record(folder, number).read_text(encoding="utf-8")) for number in range(len(parts))]


def cancel(folder: Path) -> bool:
    """End the job of a folder if it runs, and remove the folder with all its parts; False where there is none.

    Raises:
        ParameterError: it runs on another machine.
    """
    if not folder.exists():
        return False
    process = _owner(folder)
    if process is not None and process.pid != os.getpid():
        process.terminate()
        with contextlib.suppress(psutil.NoSuchProcess):
            if process in psutil.wait_procs([process], PATIENCE)[1]:
                process.kill()
                process.wait(PATIENCE)
    shutil.rmtree(folder)
    return True


@final
@dataclass(frozen=True)
class _Recorded:
    """The function, and then its record."""

    function: Callable[[Any], Any]
    folder: Path

    def __call__(self, part: tuple[int, Any]) -> None:
        number, given = part
        result = self.function(given)
        write_text(_record(self.folder, number), json.dumps(result))


def _record(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05}.json"


def _check_job(folder: Path, key: str, parts: int) -> None:
    asked = {"format": FORMAT, "key": key, "parts": parts}
    path = folder / JOB
    if not path.exists():
        write_text(path, json.dumps(asked))
    elif json.loads(path.read_text(encoding="utf-8")) != asked:
        raise ParameterError(
            f"{folder} has the parts of another job: it was begun with other data, another model or other options. "
            "Ask for the same again to go on with it, cancel it, or name another place."
        )


def _sweep(folder: Path) -> None:
    """What a killed try left behind."""
    for left in list(folder.rglob(".*")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder as its only job; the mark of a process that is gone counts for nothing. Inside a block of the same folder it does nothing.

    Raises:
        ParameterError: another process holds it.
    """
    with speaking_of(folder):
        folder.mkdir(parents=True, exist_ok=True)
    me = psutil.Process()
    with one_at_a_time(folder):
        owner = _owner(folder)
        if owner not in (None, me):
            raise ParameterError(f"The job of {folder} is running already. Wait for its end, or cancel it.")
        if owner is None:
            write_text(folder / RUNNING, json.dumps({"host": socket.gethostname(), "pid": me.pid, "started": _started(me)}))
    if owner == me:
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ParameterError):
            if _owner(folder) == me:  # the block may have removed the folder, and another job made it anew
                _sweep(folder)
                (folder / RUNNING).unlink(missing_ok=True)
                folder.rmdir()  # where nothing came of it


def _started(process: psutil.Process) -> float:
    """Seconds that tell a process from others that had or will have its number, also where the clock is set in the meantime.

    Linux counts from the start of the machine; the time of the day that psutil makes of it moves with the clock.
    """
    try:
        ticks = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return process.create_time()
    return int(ticks) / os.sysconf("SC_CLK_TCK")


def _owner(folder: Path) -> psutil.Process | None:
    """The process that runs the job of a folder, if one does.

    Raises:
        ParameterError: it runs on another machine, where nobody here can look.
    """
    try:
        mark = json.loads((folder / RUNNING).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if mark["host"] != socket.gethostname():
        raise ParameterError(
            f"The job of {folder} was begun on the machine {mark['host']!r}. Go on with it there; if it is gone, remove {folder / RUNNING}."
        )
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(mark["pid"])
        if abs(_started(process) - mark["started"]) < SAME:  # else its number was given to another one
            return process
    return None
