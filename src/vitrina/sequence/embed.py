"""How an item becomes a vector: by its id, by its features, by its content, or by several of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from vitrina.config import Config
from vitrina.data.dataset import Dataset
from vitrina.errors import DataError, ParameterError
from vitrina.models.content_vectors import ContentVectors
from vitrina.types import Int32


class Embed(Config, ABC):
    """A way to make the item table (rows, dim), which serves both as input and as output."""

    @property
    def serves_cold(self) -> bool:
        """Whether items without an event in training get a vector that means something."""
        return False

    @abstractmethod
    def build(self, data: Dataset, items: Int32, dim: int) -> Table:
        """A module for these item codes, one row each."""


class Table(nn.Module, ABC):
    """`forward()` gives the whole table, (rows, dim)."""

    @abstractmethod
    def forward(self) -> Tensor: ...


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
class _Ids(Table):
    def __init__(self, rows: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, dim))
        self.drop = nn.Dropout(dropout)

    def forward(self) -> Tensor:
        return self.drop(self.weight)


@final
class Features(Embed):
    """The sum of a learned vector for each category and list entry (a mean over a list), and a learned direction for each number.

    Args:
        columns: of the item table; None takes every category, categories and number column.
    """

    columns: tuple[str, ...] | None = None

    @property
    def serves_cold(self) -> bool:
        return True

    def build(self, data: Dataset, items: Int32, dim: int) -> Table:
        return _Sparse(feature_matrix(data, items, self.columns), dim)


@final
class Content(Embed):
    """A learned projection of the items' TF-IDF content vectors, reduced to `rank` directions by a truncated SVD.

    Args:
        rank: directions kept of the content.
        columns: of the item table; None takes every text, category and categories column.
    """

    rank: int = Field(default=256, gt=0)
    columns: tuple[str, ...] | None = None

    @property
    def serves_cold(self) -> bool:
        return True

    def build(self, data: Dataset, items: Int32, dim: int) -> Table:
        return _Projected(dense_content(data, items, self.columns, self.rank), dim)


@final
class SumOf(Embed):
    """The sum of several embeddings: `SumOf(parts=(Ids(), Features()))`."""

    parts: tuple[Embed, ...] = Field(min_length=1)

    @property
    def serves_cold(self) -> bool:
        return all(part.serves_cold for part in self.parts)

    def build(self, data: Dataset, items: Int32, dim: int) -> Table:
        return _Sum([part.build(data, items, dim) for part in self.parts])


@final
class Gated(Embed):
    """g * first + (1 - g) * second with g = sigmoid(W [first, second] + b), a number for each dimension."""

    first: Embed = Ids()
    second: Embed = Features()

    @property
    def serves_cold(self) -> bool:
        return self.first.serves_cold and self.second.serves_cold

    def build(self, data: Dataset, items: Int32, dim: int) -> Table:
        return _Gate(self.first.build(data, items, dim), self.second.build(data, items, dim), dim)


@final
class _Sparse(Table):
    """Fixed sparse features (rows, columns) times learned vectors."""

    matrix: Tensor

    def __init__(self, matrix: Tensor, dim: int) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix, persistent=False)
        self.weight = nn.Parameter(torch.empty(matrix.shape[1], dim))

    def forward(self) -> Tensor:
        return torch.sparse.mm(self.matrix, self.weight)


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


@final
class _Gate(Table):
    def __init__(self, first: Table, second: Table, dim: int) -> None:
        super().__init__()
        self.first, self.second, self.gate = first, second, nn.Linear(2 * dim, dim)

    def forward(self) -> Tensor:
        first, second = self.first(), self.second()
        gate = torch.sigmoid(self.gate(torch.cat([first, second], 1)))
        return gate * first + (1 - gate) * second
