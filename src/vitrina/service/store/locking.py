"""One service per state folder: a lock that the system takes back when the process ends, however it ends."""

from __future__ import annotations

import os
from pathlib import Path

from vitrina.service.store.base import StoreUnavailableError

FILE = "lock"


def lock(folder: Path) -> int | None:
    """Hold a folder; the handle to give it back with. None where the system has no such locks (Windows): there nobody is kept out.

    Raises:
        StoreUnavailableError: another process holds it, or it can't be written to.
    """
    try:
        import fcntl  # noqa: PLC0415  Windows has no such module
    except ModuleNotFoundError:
        return None
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)  # what people did is in it
        handle = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailableError(f"The state folder {folder} can't be written: {error.strerror}. Name one that can be.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise StoreUnavailableError(
            f"The state folder {folder} is in use by another service. Stop that one, or name another folder."
        ) from error
    return handle


def unlock(handle: int | None) -> None:
    """Give a folder back."""
    if handle is not None:
        os.close(handle)
