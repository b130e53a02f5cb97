"""The contract of a database: what the one writer thread asks of it, and what readers may ask at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from vitrina.base.errors import VitrinaError
from vitrina.service.records import Attributes, Audited, Erasure, Event, Rejected, Retained, Sealable, Segment, Shown


class StoreUnavailableError(VitrinaError):
    """The database doesn't answer, or the disk failed: nobody can say that the rows are kept. The same may be sent again, and none is there twice."""


@dataclass(frozen=True, slots=True)
class AddEvents:
    """Keep events; the result is a list of booleans, False where the tenant has an event of that id already."""

    tenant: str
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class AddShown:
    """Keep answers that went out."""

    tenant: str
    shown: Sequence[Shown]


@dataclass(frozen=True, slots=True)
class SetItems:
    """Set columns of items; the result is a list of booleans, False where an item to delete isn't known."""

    tenant: str
    rows: Sequence[Attributes]


@dataclass(frozen=True, slots=True)
class SetUsers:
    """Set columns of people; as of items."""

    tenant: str
    rows: Sequence[Attributes]


@dataclass(frozen=True, slots=True)
class Reject:
    """Keep rows that were refused."""

    tenant: str
    rows: Sequence[Rejected]


@dataclass(frozen=True, slots=True)
class Audit:
    """Keep what somebody did."""

    entry: Audited


@dataclass(frozen=True, slots=True)
class Retain:
    """Drop rows that were accepted before a moment, and ids of events with them; of events and of what was shown those that aren't sealed. The result is how many rows there were."""

    tenant: str
    kind: Retained
    before: int  # microseconds since 1970


@dataclass(frozen=True, slots=True)
class ForgetIds:
    """Forget ids of events that were sealed and dropped: a second event with such an id is a new one."""

    tenant: str
    event_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Erase:
    """Begin to forget a person: note it, and drop what the database has of them (digests of event ids stay). The result is how many rows there were."""

    erasure: Erasure


@dataclass(frozen=True, slots=True)
class Erased:
    """Nothing is left of a person in files: the note goes, and `scrub` is due."""

    erasure: Erasure


@dataclass(frozen=True, slots=True)
class Mark:
    """Note how far a segment is. From `sealed` on its rows are no longer among the live ones; `gone` takes the note away."""

    segment: Segment
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Trim:
    """Delete some rows that are in segments; the result is how many were deleted, 0 where none is left."""

    tenant: str
    kind: Sealable


Job = AddEvents | AddShown | SetItems | SetUsers | Reject | Audit | Retain | ForgetIds | Erase | Erased | Mark | Trim
Result = list[bool] | int | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What was committed to a database that several processes share, of one tenant.

    Args:
        upto: the number up to which this is all.
        items, users: whole rows.
        forgotten: digests of people who were erased.
    """

    upto: int
    events: Sequence[Event]
    items: Sequence[Attributes]
    users: Sequence[Attributes]
    forgotten: Sequence[bytes]


class Readings(Protocol):
    """What a database may be asked by any thread, while another one writes.

    Raises:
        StoreUnavailableError: from every method, where it can't be reached; the next call tries again.
    """

    def events(self, tenant: str, after: int = 0) -> Iterator[pl.DataFrame]:
        """Events that are not sealed, in the order in which they were accepted, some 10,000 at a time: `sequence` (rises), and the fields of `Event`."""
        ...

    def shown(self, tenant: str, after: int = 0) -> Iterator[pl.DataFrame]:
        """Answers that are not sealed, a row per place: sequence (of the answer), recommendation_id, time, scenario, version, user, session, experiment,
        variant, propensity (of the variant), position (from 1), item, score, source, item_propensity."""
        ...

    def items(self, tenant: str) -> list[Attributes]:
        """Those that were set, and those that were deleted, which stay as `delete`."""
        ...

    def users(self, tenant: str) -> list[Attributes]: ...

    def rejected(self, tenant: str, most: int = 100) -> list[Rejected]:
        """The latest, newest first."""
        ...

    def audited(self, tenant: str, most: int = 100) -> list[Audited]:
        """The latest, newest first; with those of the whole service (tenant "")."""
        ...

    def tenants(self) -> list[str]: ...

    def segments(self, tenant: str, kind: Sealable | None = None) -> list[Segment]:
        """By their sequence, in any state; none where the database doesn't seal."""
        ...

    def erasures(self) -> list[Erasure]:
        """Those that have begun and not ended."""
        ...

    def copy(self, folder: Path) -> None:
        """Write a copy of the database, as of one moment, into a folder."""
        ...


class Backend(Protocol):
    """A database. Its methods are called by one thread; `read` by any, at the same time.

    Raises:
        StoreUnavailableError: from every method, where it can't be reached; the next call tries again.
    """

    @property
    def seals(self) -> bool:
        """Whether rows are moved into files beside the database; `Mark`, `Trim` and `ForgetIds` come only then."""
        ...

    @property
    def read(self) -> Readings:
        """What readers ask."""
        ...

    def migrate(self) -> list[str]:
        """Bring the schema to this version, one step per transaction; the names of the steps that were taken."""
        ...

    def write(self, jobs: Sequence[Job]) -> list[Result]:
        """All jobs in one transaction, which is on disk when this returns; the result of each. After an error nothing of them is kept."""
        ...

    def scrub(self) -> None:
        """Nothing that was deleted may be left in the files; does nothing where no erasure has asked for it."""
        ...

    def close(self) -> None: ...
