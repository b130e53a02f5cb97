"""Files that are whole or not there: written beside, flushed to the disk, renamed."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vitrina.base.errors import WriteError

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
ABOUT_WRITING = ("5", "27", "28", "30", "122")  # error numbers that reading doesn't give: a disk that is full or read-only


@contextlib.contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its place, in one step, when the block ends well.

    An old folder stays readable until then; after an error or Ctrl-C it is untouched and the temporary one is gone.
    """
    with speaking_of(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        with speaking_of(target):
            staging.chmod(0o777 & ~_umask())
            yield staging
            put_in_place(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # after an exchange this is the old content


def put_in_place(folder: Path, target: Path) -> None:
    """Give a whole folder another name on the same disk, in one step; where there is a folder of that name, the two change places."""
    for path in [*folder.rglob("*"), folder]:
        _flush(path)
    if target.exists():
        _exchange(folder, target)
    else:
        folder.rename(target)
    _flush(target.parent)


@contextlib.contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that takes its place when the block ends well."""
    staging = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        with speaking_of(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield staging
            _flush(staging)
            staging.replace(target)
            _flush(target.parent)
    finally:
        with contextlib.suppress(OSError):
            staging.unlink(missing_ok=True)


@contextlib.contextmanager
def speaking_of(target: Path) -> Iterator[None]:
    """What goes wrong in writing is told with the place that was asked for, not with the temporary one beside it.

    Raises:
        WriteError: with the reason; also where the error was about something inside `target`. Errors that speak of other files go on as they are.
    """
    try:
        yield
    except WriteError as error:
        if target not in error.target.parents:
            raise
        raise WriteError(target, error.reason) from error
    except Exception as error:
        reason = _reason(error, target)
        if reason is None:
            raise
        raise WriteError(target, reason) from error


def _reason(error: Exception, target: Path) -> str | None:
    """Why `target` could not be written; None where the error is about something else."""
    named = getattr(error, "filename", None)
    if named is not None and not _about(Path(str(named)), target):
        return None
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    system = re.search(r"([\w -]+) \(os error (\d+)\)", str(error))  # how Polars passes on what the system said
    if system and (system[2] in ABOUT_WRITING or f".{target.name}-" in str(error)):
        return system[1].strip()
    return "the disk may be full" if isinstance(error, OSError) and "requested and" in str(error) else None  # how NumPy does


def _about(path: Path, target: Path) -> bool:
    """Whether a path is the target, what it stands in, something inside it, or the temporary one beside it."""
    beside = path.is_relative_to(target.parent) and str(path.relative_to(target.parent)).startswith(f".{target.name}-")
    return path == target or path in target.parents or target in path.parents or beside


def write_text(target: Path, text: str) -> None:
    """Write a whole text file, or leave the old one."""
    with atomic_file(target) as staging:
        staging.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def one_at_a_time(place: Path) -> Iterator[None]:
    """Of processes of this machine that want the same folder, or the same file (which is made), one goes after the other; where the system has such locks."""
    try:
        import fcntl  # noqa: PLC0415  Windows has no such module
    except ModuleNotFoundError:
        yield
        return
    with speaking_of(place):
        handle = os.open(place, os.O_RDONLY if place.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with contextlib.suppress(OSError):  # storage without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def sha256_of(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _flush(path: Path) -> None:
    """Ask the system to put a file or folder on the disk; some file systems can't do it for folders."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _exchange(new: Path, old: Path) -> None:
    """Swap two folders: in one system call where there is one (Linux), with two renames elsewhere."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if rename is not None and rename(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(old), _RENAME_EXCHANGE) == 0:
        return
    aside = new.with_name(new.name + "-old")
    old.rename(aside)
    new.rename(old)
    aside.rename(new)
