"""What the service keeps: rows as they go to the store, and as they come back."""

from __future__ import annotations

from typing import Literal, Self

from msgspec import Raw, Struct

from vitrina.base.printing import sentence_end
from vitrina.wire import Value

MOST_KEPT = 4096  # bytes of a row that was refused


class Event(Struct, frozen=True, gc=False):
    """An event that was accepted: ids are texts, times microseconds since 1970."""

    event_id: str
    kind: str
    user: str | None
    item: str | None
    time: int
    received: int
    value: float | None = None
    basket: str | None = None
    recommendation_id: str | None = None
    position: int | None = None
    session: str | None = None
    properties: bytes = b"{}"  # JSON


class Shown(Struct, frozen=True):
    """An answer that went out: a row per place, when it is read as a table."""

    recommendation_id: str
    time: int
    scenario: str
    version: str
    user: str | None
    session: str | None
    experiment: str | None
    variant: str | None
    propensity: float | None
    items: list[str]
    scores: list[float | None]
    sources: list[str]
    propensities: list[float | None] | None = None


class Attributes(Struct, frozen=True):
    """Columns of an item or of a person that are set; `delete` takes it away."""

    id: str
    columns: dict[str, Value]
    delete: bool = False


class Rejected(Struct, frozen=True):
    """A row that was refused, and why."""

    received: int
    row: bytes  # the JSON as it came, cut
    reason: str

    @classmethod
    def of(cls, received: int, row: bytes | Raw, reason: str) -> Self:
        """As it is kept: at most 4 KiB of the row, and a reason that ends as a sentence does."""
        return cls(received, bytes(memoryview(row)[:MOST_KEPT]), sentence_end(reason))


class Audited(Struct, frozen=True):
    """Something that an operator, or the service by itself, did: who (the name of the key), what, on what, and how it ended."""

    time: int
    tenant: str
    who: str
    action: str  # "load", "rollback", "erase", "retention", "seal", "migrate"
    subject: str
    detail: str = ""


Sealable = Literal["events", "shown"]  # what is moved into files
Retained = Literal["events", "shown", "rejected"]  # what is dropped when its time is over


class Segment(Struct, frozen=True):
    """A file of rows that were moved out of the database: all of a tenant from the sequence `first` to `last`."""

    tenant: str
    kind: Sealable
    first: int
    last: int
    rows: int
    oldest: int  # when the first of them was accepted
    newest: int
    state: Literal["writing", "sealed", "dropping"] = "sealed"

    @property
    def name(self) -> str:
        """Of the file, in the tenant's folder: names sort as the sequence does."""
        return f"{self.kind}-{self.first:015d}.parquet"


class Erasure(Struct, frozen=True):
    """A person who is being forgotten, until nothing is left of them."""

    tenant: str
    user: str
    who: str
    time: int
