"""The contract of a database: what the one writer thread asks of it, and what readers may ask at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from vitrina.base.errors import VitrinaError
from vitrina.service.records import Attributes, Audited, Event, Rejected, Shown


class StoreUnavailableError(VitrinaError):
    """The database doesn't answer: nothing was kept, and the same rows may be sent again."""


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


Job = AddEvents | AddShown | SetItems | SetUsers | Reject | Audit


class Backend(Protocol):
    """A database. `write` is called by one thread; the readers by any, at the same time.

    Raises:
        StoreUnavailableError: from every method, where it can't be reached; the next call tries again.
    """

    def migrate(self) -> list[str]:
        """Bring the schema to this version, one step per transaction; the names of the steps that were taken."""
        ...

    def write(self, jobs: Sequence[Job]) -> list[list[bool] | None]:
        """All jobs in one transaction, which is on disk when this returns; the result of each."""
        ...

    def events(self, tenant: str, after: int = 0) -> Iterator[pl.DataFrame]:
        """Events that are not sealed, in the order in which they were accepted, some 10,000 at a time: `sequence` (rises), and the fields of `Event`."""
        ...

    def shown(self, tenant: str, since: int = 0) -> Iterator[pl.DataFrame]:
        """Answers that are not sealed, a row per place: recommendation_id, time, scenario, version, user, session, experiment, variant, propensity (of the
        variant), position (from 1), item, score, source, item_propensity."""
        ...

    def items(self, tenant: str) -> list[Attributes]: ...

    def users(self, tenant: str) -> list[Attributes]: ...

    def rejected(self, tenant: str, most: int = 100) -> list[Rejected]:
        """The latest, newest first."""
        ...

    def audited(self, tenant: str, most: int = 100) -> list[Audited]: ...

    def tenants(self) -> list[str]: ...

    def close(self) -> None: ...
