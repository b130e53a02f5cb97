"""A learned projection of what describes the items."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from vitrina.base.errors import DataError
from vitrina.data.dataset import Dataset
from vitrina.models.content_vectors import item_tfidf, likeness
from vitrina.sequence.embed.base import Embed, FittedTable, Rows, Table
from vitrina.types import Bool, Float32
from vitrina.vocabulary import id_hashes


@final
class ContentProjection(Embed):
    """A learned projection W v + b of the items' content v: their TF-IDF vectors, reduced to `rank` directions by a truncated SVD.

    Items with a description and without an event get a vector too, and are recommended.

    Args:
        rank: directions kept of the content.

    Raises:
        DataError: nothing in the item table describes the items.
    """

    rank: int = Field(default=256, gt=0)

    def build(self, data: Dataset, rows: Rows, dim: int) -> Table:
        vectors = directions(data, self.rank)
        if vectors is None:
            raise DataError(f"{self!r} needs a table of items with text or categories, and {data!r} has none. Use Ids().")
        return _Projected(rows, torch.from_numpy(vectors[rows.codes]), dim)

    def covers(self, data: Dataset) -> Bool:
        if data.item_table is None:
            return super().covers(data)
        try:
            terms = item_tfidf(data.item_table)
        except DataError:  # nothing describes the items: `build` says so
            return super().covers(data)
        return np.diff(terms.indptr) > 0


def directions(data: Dataset, rank: int) -> Float32 | None:
    """(items, rank) `likeness` of the items in an order of their ids: the signs of its directions depend on the order."""
    if data.item_table is None:
        return None
    order = np.argsort(id_hashes(data.items), kind="stable")
    in_order = likeness(data.changed(item_table=data.item_table.take(order)), rank)
    if in_order is None:
        return None
    vectors = np.empty_like(in_order)
    vectors[order] = in_order
    return vectors


@final
class _Projected(Table):
    vectors: Tensor

    def __init__(self, rows: Rows, vectors: Tensor, dim: int) -> None:
        super().__init__(rows)
        self.register_buffer("vectors", vectors, persistent=False)
        self.project = nn.Linear(vectors.shape[1], dim)

    def head(self, n: int) -> Tensor:
        return self.project(self.vectors[:n])

    def continue_from(self, fitted: FittedTable) -> None:
        """The projection that gives the known items what they had, by least squares: other items turn the directions of the content."""
        known = self.vectors[fitted.known]
        inputs = torch.cat([known, known.new_ones(len(known), 1)], 1)
        wanted = fitted.vectors[fitted.row[fitted.known]]
        solution = torch.linalg.lstsq(inputs.double(), wanted.double(), driver="gelsd").solution.to(known.dtype)
        self.project.weight.copy_(solution[:-1].t())
        self.project.bias.copy_(solution[-1])
