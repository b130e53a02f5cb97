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

from vitrina.errors import WriteError

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


@contextlib.contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its place, in one step, when the block ends well.

    An old folder stays readable until then; after an error or Ctrl-C it is untouched and the temporary one is gone.
    """
    with _speaking_of(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        with _speaking_of(target):
            staging.chmod(0o777 & ~_umask())
            yield staging
            for path in [*staging.rglob("*"), staging]:
                _flush(path)
            if target.exists():
                _exchange(staging, target)
            else:
                staging.rename(target)
            _flush(target.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # after an exchange this is the old content


@contextlib.contextmanager
def atomic_file(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that takes its place when the block ends well."""
    staging = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        with _speaking_of(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield staging
            _flush(staging)
            staging.replace(target)
            _flush(target.parent)
    finally:
        with contextlib.suppress(OSError):
            staging.unlink(missing_ok=True)


@contextlib.contextmanager
def _speaking_of(target: Path) -> Iterator[None]:
    """What goes wrong in writing is told with the place that was asked for, not with the temporary one beside it.

    Raises:
        WriteError: with the reason. Errors that speak of other files go on as they are.
    """
    try:
        yield
    except WriteError:
        raise
    except Exception as error:
        reason = _reason(error, target)
        if reason is None:
            raise
        raise WriteError(f"{target} can't be written: {reason}. Make room or choose a place that can be written to.") from error


def _reason(error: Exception, target: Path) -> str | None:
    """Why `target` could not be written; None where the error is about something else."""
    named = getattr(error, "filename", None)
    places = (str(target), str(target.with_name(f".{target.name}-")), *map(str, target.parents))
    if named is not None and not (str(named) in places or str(named).startswith(places[1])):
        return None
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    found = re.search(r"([\w -]+) \(os error (?:5|27|28|30|122)\)", str(error))  # how Polars tells what the system said
    if found:
        return found[1].strip()
    return "the disk may be full" if isinstance(error, OSError) and "requested and" in str(error) else None  # how NumPy does


def write_text(target: Path, text: str) -> None:
    """Write a whole text file, or leave the old one."""
    with atomic_file(target) as staging:
        staging.write_text(text, encoding="utf-8")


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
