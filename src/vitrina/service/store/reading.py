"""What a store holds, for readers: the console, the histories at a start, and training."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from vitrina.base.errors import DataError, ParameterError
from vitrina.base.files import atomic_folder
from vitrina.service.records import Attributes, Audited, Rejected
from vitrina.service.store import segments
from vitrina.service.store.base import Backend, Readings
from vitrina.service.store.sqlite import SQLiteReadings

TRIES = 3  # of a backup: files may go away under it where their time is over


class Readable:
    """The rows of a state folder, and of the database behind it. Every method may be called from any thread, while the service runs and when it doesn't.

    Raises:
        StoreUnavailableError: from every method, where the database can't be reached.
    """

    def __init__(self, folder: Path, read: Readings) -> None:
        self.folder, self._read = folder, read

    @classmethod
    def read_only(cls, folder: str | Path, *, backend: Backend | None = None) -> Readable:
        """Open a state folder to read, beside the service that writes it or without one.

        Raises:
            DataError: there is no store in it, or one of a later version.
        """
        read = SQLiteReadings(Path(folder)) if backend is None else backend.read
        read.tenants()
        return Readable(Path(folder), read)

    def events(self, tenant: str, after: int = 0, since: int = 0) -> Iterator[pl.DataFrame]:
        """Events in the order in which they were accepted, table by table: `sequence`, which rises, and the fields of `Event`. Only those after a sequence;
        files in which everything was accepted before a moment are left out."""
        return segments.read(self.folder, self._read, "events", tenant, after, since)

    def shown(self, tenant: str, since: int = 0, after: int = 0) -> Iterator[pl.DataFrame]:
        """What was shown from a moment on, and after a sequence, a row per place."""
        for frame in segments.read(self.folder, self._read, "shown", tenant, after, since):
            chosen = frame.filter(pl.col("time") >= since)
            if len(chosen):
                yield chosen

    def items(self, tenant: str) -> list[Attributes]:
        """Columns of items; those with `delete` must not be shown."""
        return self._read.items(tenant)

    def users(self, tenant: str) -> list[Attributes]:
        """Columns of people."""
        return self._read.users(tenant)

    def rejected(self, tenant: str, most: int = 100) -> list[Rejected]:
        """Rows that were refused, and why, newest first."""
        return self._read.rejected(tenant, most)

    def audited(self, tenant: str, most: int = 100) -> list[Audited]:
        """What was done, newest first."""
        return self._read.audited(tenant, most)

    def tenants(self) -> list[str]:
        """Everybody who has a row."""
        return self._read.tenants()

    def backup(self, target: str | Path) -> None:
        """Copy all of it, as of one moment, into a new folder, from which a service starts as from the original. The service may go on meanwhile.

        Raises:
            ParameterError: the folder is there already.
            WriteError: it can't be written; nothing is left of it.
        """
        target = Path(target)
        if target.exists():
            raise ParameterError(
                f"The backup needs a new folder, and {target} is there already. Name another.", parameter="target", value=str(target)
            )
        for attempt in range(TRIES):
            try:
                with atomic_folder(target) as staging:
                    staging.chmod(0o700)
                    self._copy(staging)
                return
            except FileNotFoundError as error:
                if attempt == TRIES - 1:
                    raise DataError(
                        f"{self.folder} has no {error.filename}, which its database names. Bring it back from an older backup."
                    ) from error

    def _copy(self, target: Path) -> None:
        self._read.copy(target)
        copied = SQLiteReadings(target)
        for tenant in copied.tenants():
            for segment in copied.segments(tenant):
                if segment.state == "sealed":
                    place = segments.folder_of(target, tenant)
                    place.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(segments.folder_of(self.folder, tenant) / segment.name, place / segment.name)
