"""What forms share that encode a history into a state and multiply it with a table of items, whatever runs the network."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy import sparse

from vitrina.forms.base import SPARSE_QUERIES
from vitrina.forms.event_codes import KnownEvents
from vitrina.forms.vectors import Vectors
from vitrina.forms.windows import Sequences
from vitrina.retrieve.products import ItemVectors, Products
from vitrina.types import Float32, Int32, Int64, Queries


@dataclass(frozen=True, eq=False, repr=False)
class Windowed(Vectors):
    """score = state(history) . item, of the last events of a history that the table holds.

    Args:
        codes: item codes of the table's rows; other items have no score.
        table: (rows, dim) the item table, which the network reads too.
        events: what is read of an event beside its item.
    """

    codes: Int32  # (rows,)
    table: Float32  # (rows, dim)
    events: KnownEvents | None = field(default=None, kw_only=True)

    @property
    @abstractmethod
    def length(self) -> int:
        """How many events are read, at most."""

    @property
    @abstractmethod
    def vectors(self) -> Float32:
        """(rows, dim) what a state is multiplied with."""

    @property
    @abstractmethod
    def counts_own(self) -> bool:
        """Whether the visitor's own events are added to the product."""

    @abstractmethod
    def own(self, histories: Sequences) -> tuple[Int64, Int64, Float32]:
        """Which history, which row of the table, and what its own events add; asked where `counts_own`."""

    @cached_property
    def row_of_item(self) -> Int64:
        """(items,) the row of each item in the table, -1 for none."""
        rows = np.full(len(self.vocabulary), -1, np.int64)
        rows[self.codes] = np.arange(len(self.codes))
        return rows

    @cached_property
    def item_vectors(self) -> Float32:  # type: ignore[override]
        """(items, dim) over the whole vocabulary; zeros where the table has no row."""
        out = np.zeros((len(self.vocabulary), self.vectors.shape[1]), np.float32)
        out[self.codes] = self.vectors
        return out

    @cached_property
    def table_of_items(self) -> ItemVectors:
        """The item vectors; what has a row in the table is scored, be it of zeros."""
        return ItemVectors(self.item_vectors, self.row_of_item >= 0)

    @property
    def adds(self) -> str:
        """What a score has beside the product of state and item vector."""
        return "the counts of the visitor's own events" if self.counts_own else ""

    def windows(self, queries: Queries) -> Sequences:
        """What is read of each history."""
        return Sequences.of(queries, self.row_of_item, () if self.events is None else self.events.coding.reads).last(self.length)

    @property
    def kinds_read(self) -> tuple[str, ...]:
        """The kinds of events that are told apart."""
        return () if self.events is None else self.events.coding.kinds or ()

    def lacking(self, queries: Queries) -> str | None:
        """What histories lack of what is read beside items, in a sentence; None where nothing is missing."""
        return None if self.events is None else self.events.lacking(queries.counted().last(self.length))

    @abstractmethod
    def states(self, queries: Queries, histories: Sequences) -> Float32:
        """(queries, dim) of what is read of each history; zeros where there is nothing."""

    def encode(self, queries: Queries) -> Float32:
        """(queries, dim) states; zeros for a history without a known item."""
        out = np.zeros((len(queries), self.table.shape[1]), np.float32)
        for part, block in queries.blocks(SPARSE_QUERIES):
            read = block.counted()
            out[part] = self.states(read, self.windows(read))
        return out

    def products(self, queries: Queries) -> Products:
        """A history without a known item has no score."""
        histories = self.windows(queries)
        added = self._added(histories) if self.counts_own else None
        return Products(self.states(queries, histories), self.table_of_items, histories.lengths > 0, added)

    def _added(self, histories: Sequences) -> sparse.csr_matrix:
        """(queries, items) what the visitor's own events add."""
        owner, rows, additions = self.own(histories)
        return sparse.csr_matrix((additions, (owner, self.codes[rows])), (len(histories), len(self.vocabulary)), dtype=np.float32)
