"""The features of an item as learned vectors."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from torch import Tensor

from vitrina.base.config import Names
from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset
from vitrina.sequence.embed.base import Embed, FittedTable, Internals, Rows, Table
from vitrina.sequence.embed.coding import Bags, Coding
from vitrina.types import Bool


@final
class Features(Embed):
    """A learned vector for each value of a category, summed over the item's values, and one for each number x, times (x - mean) / deviation,
    with x clipped to the range that it has in training.

    Unknown values, and those that no item with events has, add nothing. Items without an event that share a value with the others
    get a vector too, and are recommended.

    Args:
        columns: columns of categories, lists of categories or numbers of the item table; None takes all of them.

    Raises:
        DataError: the log has no item table, or the columns can't be used.

    >>> import vitrina as vt
    >>> embed = vt.sequence.SumOf(parts=(vt.sequence.Ids(), vt.sequence.Features(columns=("aisle",))))
    >>> model = vt.SequenceModel(embed=embed, dim=8, training=vt.sequence.Training(epochs=1, patience=None))
    >>> data = vt.testing.toy()
    >>> model.fit(data).recommend(data.queries(), k=1).items.shape
    (6, 1)
    """

    columns: Names | None = None

    def build(self, data: Dataset, rows: Rows, dim: int) -> Table:
        if data.item_table is None:
            raise DataError(f"{self!r} needs a table of items, and {data!r} has none. Read the log with items=..., or use Ids().")
        coding = Coding.of(data.item_table, self.columns, rows.codes[: rows.trained])
        return _Featured(rows, Bags(coding, data.item_table.frame[rows.codes.astype(np.int64)], dim))

    def covers(self, data: Dataset) -> Bool:
        if data.item_table is None:
            return super().covers(data)
        coding = Coding.of(data.item_table, self.columns, data.catalogue.items)
        return np.diff(coding.matrix(data.item_table.frame).indptr) > 0


@final
class _Featured(Table):
    def __init__(self, rows: Rows, bags: Bags) -> None:
        super().__init__(rows)
        self.bags = bags

    def head(self, n: int) -> Tensor:
        return self.bags(torch.arange(n, device=self.bags.indptr.device))

    def internals(self) -> Internals:
        return self.bags.internals()

    def continue_from(self, fitted: FittedTable) -> None:
        self.bags.continue_from(fitted.internals)
