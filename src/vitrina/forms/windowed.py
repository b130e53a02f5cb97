"""What forms share that encode a history into a state and multiply it with a table of items, whatever runs the network."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vitrina.forms.base import Form
from vitrina.forms.similar import vector_cosines
from vitrina.forms.windows import Sequences
from vitrina.types import Float32, Int32, Int64, Queries


@dataclass(frozen=True, eq=False, repr=False)
class Windowed(Form):
    """score = state(history) . item, of the last events of a history that the table holds.

    Args:
        codes: item codes of the table's rows; other items have no score.
        table: (rows, dim) the item table, which the network reads too.
    """

    codes: Int32  # (rows,)
    table: Float32  # (rows, dim)

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
    def item_vectors(self) -> Float32:
        """(items, dim) over the whole vocabulary; zeros where the table has no row."""
        out = np.zeros((len(self.vocabulary), self.vectors.shape[1]), np.float32)
        out[self.codes] = self.vectors
        return out

    @property
    def adds(self) -> str:
        """What a score has beside the product of state and item vector."""
        return "the counts of the visitor's own events" if self.counts_own else ""

    def item_relations(self, items: Int32) -> Float32:
        """Cosines of the item vectors."""
        return vector_cosines(self.item_vectors, items)

    def windows(self, queries: Queries) -> Sequences:
        """What is read of each history."""
        return Sequences.of(queries, self.row_of_item).last(self.length)

    def finished(self, scores: Float32, histories: Sequences) -> Float32:
        """The products of states and item vectors as scores, in place: own events added, -inf for what has no row and for histories without a known item."""
        if self.counts_own:
            owner, rows, additions = self.own(histories)
            scores[owner, self.codes[rows]] += additions
        if len(self.codes) < len(self.vocabulary):
            scores[:, self.row_of_item < 0] = -np.inf
        scores[histories.lengths == 0] = -np.inf
        return scores
