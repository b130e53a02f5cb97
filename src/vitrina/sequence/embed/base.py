"""What an embedding is: a config that builds the item table, and says which items it can serve without an event."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from vitrina.base.config import Config
from vitrina.data.dataset import Dataset
from vitrina.types import Bool, Int32, Int64
from vitrina.vocabulary import id_hashes

Internals = Mapping[str, Any]  # tensors, and the codings of features


@dataclass(frozen=True, eq=False)
class Rows:
    """The items of the table: those with events, then cold ones, both in an order of the ids, so that other codes give the same network."""

    codes: Int32  # (rows,) item codes
    trained: int  # the first rows, which have events and are trained on
    covered: Bool  # (rows,) whether content or features give the item a vector

    @classmethod
    def of(cls, data: Dataset, covered: Bool, known: Bool | None = None) -> Rows:
        """Every item with events in `data`; of the others those that are `covered` (items,), or `known` (items,) from before."""
        order = np.argsort(id_hashes(data.items), kind="stable").astype(np.int32)
        warm = data.catalogue.events[order] > 0
        cold = ~warm & (covered if known is None else covered | known)[order]
        codes = np.concatenate([order[warm], order[cold]])
        return cls(codes, int(warm.sum()), covered[codes])

    def __len__(self) -> int:
        return len(self.codes)

    def row_of_item(self, n_items: int) -> Int64:
        """(items,) the row of each item, -1 for none."""
        out = np.full(n_items, -1, np.int64)
        out[self.codes] = np.arange(len(self.codes))
        return out


@dataclass(frozen=True, eq=False)
class FittedTable:
    """The table of a fitted model, for a new one that continues from it."""

    vectors: Tensor  # (old rows, dim) what the table, or this part of it, gave
    internals: Internals  # what `Table.internals` gave
    row: Tensor  # (rows,) where each row of the new table stood, -1 for a new item
    covered: Tensor  # (rows,) whether content or features give the item a vector

    @property
    def known(self) -> Tensor:
        return self.row >= 0

    def part(self, name: str) -> FittedTable:
        """What belongs to one part of a combination."""
        inner = {key.removeprefix(f"{name}."): value for key, value in self.internals.items() if key.startswith(f"{name}.")}
        return replace(self, vectors=inner.pop("vectors"), internals=inner)


class Table(nn.Module, ABC):
    """`forward()` gives the rows that are trained on, (trained, dim); `whole()` the cold ones too, (rows, dim)."""

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self.trained, self.size = rows.trained, len(rows)

    def forward(self) -> Tensor:
        return self.head(self.trained)

    def whole(self) -> Tensor:
        return self.head(self.size)

    @abstractmethod
    def head(self, n: int) -> Tensor:
        """The first n rows, (n, dim)."""

    def internals(self) -> Internals:
        """What `continue_from` needs beside the vectors, by name."""
        return {}

    @abstractmethod
    def continue_from(self, fitted: FittedTable) -> None:
        """Give known items what they had, and new ones a start. Called without gradients."""


class Embed(Config, ABC):
    """A way to make the item table (rows, dim), which serves both as input and as output."""

    @property
    def made_of(self) -> str:
        """The kinds that it is put together of: what a `start` must share."""
        return type(self).__name__

    @abstractmethod
    def build(self, data: Dataset, rows: Rows, dim: int) -> Table:
        """A module for these items, one row each."""

    def covers(self, data: Dataset) -> Bool:
        """(items,) the items that get a vector without any event, and so can be recommended. None, unless an embedding says otherwise."""
        return np.zeros(data.n_items, bool)
