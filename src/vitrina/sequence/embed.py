"""How an item becomes a vector: by its id, by its content, or by both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from pydantic import Field
from torch import Tensor, nn

from vitrina.config import Config
from vitrina.data.dataset import Dataset
from vitrina.errors import DataError
from vitrina.models.content_vectors import likeness
from vitrina.types import Int32


class Table(nn.Module, ABC):
    """`forward()` gives the whole table, (rows, dim)."""

    @abstractmethod
    def forward(self) -> Tensor: ...


class Embed(Config, ABC):
    """A way to make the item table (rows, dim), which serves both as input and as output."""

    @abstractmethod
    def build(self, data: Dataset, items: Int32, dim: int) -> Table:
        """A module for these item codes, one row each."""


@final
class Ids(Embed):
    """One learned vector an item.

    Args:
        dropout: dropout on the whole table, one mask a step for input and output alike (as in RecTools 0.13, with which eSASRec's numbers
            were published).
    """

    dropout: float = Field(default=0.0, ge=0, lt=1)

    def build(self, data: Dataset, items: Int32, dim: int) -> Table:
        return _Ids(len(items), dim, self.dropout)


@final
class ContentProjection(Embed):
    """A learned projection W v + b of the items' content v: their TF-IDF vectors, reduced to `rank` directions by a truncated SVD.

    Args:
        rank: directions kept of the content.

    Raises:
        DataError: nothing in the item table describes the items.
    """

    rank: int = Field(default=256, gt=0)

    def build(self, data: Dataset, items: Int32, dim: int) -> Table:
        vectors = likeness(data, self.rank)
        if vectors is None:
            raise DataError(f"{self!r} needs a table of items with text or categories, and {data!r} has none. Use Ids().")
        return _Projected(torch.from_numpy(vectors[items]), dim)


@final
class SumOf(Embed):
    """The sum of several embeddings: `SumOf(parts=(Ids(), ContentProjection()))`."""

    parts: tuple[Embed, ...] = Field(min_length=1)

    def build(self, data: Dataset, items: Int32, dim: int) -> Table:
        return _Sum([part.build(data, items, dim) for part in self.parts])


@final
class _Ids(Table):
    def __init__(self, rows: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.ids = nn.Embedding(rows, dim)
        self.drop = nn.Dropout(dropout)

    def forward(self) -> Tensor:
        return self.drop(self.ids.weight)


@final
class _Projected(Table):
    vectors: Tensor

    def __init__(self, vectors: Tensor, dim: int) -> None:
        super().__init__()
        self.register_buffer("vectors", vectors, persistent=False)
        self.project = nn.Linear(vectors.shape[1], dim)

    def forward(self) -> Tensor:
        return self.project(self.vectors)


@final
class _Sum(Table):
    def __init__(self, parts: list[Table]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self) -> Tensor:
        return torch.stack([part() for part in self.parts]).sum(0)
