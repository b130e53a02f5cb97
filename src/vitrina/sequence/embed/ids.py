"""One learned vector per item."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from vitrina.data.dataset import Dataset
from vitrina.sequence.dropout import RowDropout
from vitrina.sequence.embed.base import Embed, FittedTable, Rows, Table


@final
class Ids(Embed):
    """One learned vector per item. In a sum with content or features, items without an event have none of it.

    Dropout is on the table, one mask per step for input and output alike, as in RecTools 0.13, with which eSASRec's numbers were published.
    The vector of an item with n events loses max(dropout, rare / sqrt(1 + n / 10)) of its elements: what few events say is not to be
    learned by heart, and what many say needs no such care.

    Args:
        dropout: share that is dropped of every vector.
        rare: share that is dropped for an item without events; falls with its events.
    """

    dropout: float = Field(default=0.0, ge=0, lt=1)
    rare: float = Field(default=0.0, ge=0, lt=1)

    def build(self, data: Dataset, rows: Rows, dim: int) -> Table:
        events = torch.from_numpy(data.catalogue.events[rows.codes[: rows.trained]].astype(np.float32))
        return _Ids(rows, dim, (self.rare / (1 + events / 10).sqrt()).clamp(min=self.dropout))


@final
class _Ids(Table):
    cold: Tensor

    def __init__(self, rows: Rows, dim: int, dropout: Tensor) -> None:
        super().__init__(rows)
        self.ids = nn.Embedding(rows.trained, dim)
        self.drop = RowDropout(dropout)
        self.register_buffer("cold", torch.zeros(len(rows) - rows.trained, dim), persistent=False)

    def head(self, n: int) -> Tensor:
        known = self.drop(self.ids.weight[:n])
        return known if n <= self.trained else torch.cat([known, self.cold[: n - self.trained]])

    def continue_from(self, fitted: FittedTable) -> None:
        """A new item starts from the mean of the known ones, or from nothing where its content says where it belongs."""
        known = fitted.vectors[fitted.row.clamp(min=0)]
        mean = known[fitted.known].mean(0)
        start = torch.where(fitted.covered[:, None], 0.0, mean)
        vectors = torch.where(fitted.known[:, None], known, start)
        self.ids.weight.copy_(vectors[: self.trained])
        self.cold.copy_(vectors[self.trained :])
