"""Several embeddings made one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from vitrina.data.dataset import Dataset
from vitrina.sequence.embed.base import Embed, FittedTable, Internals, Rows, Table
from vitrina.types import Bool


class _Combination(Embed, ABC):
    parts: tuple[Embed, ...] = Field(min_length=1, strict=False)

    @property
    def made_of(self) -> str:
        return f"{type(self).__name__}({', '.join(part.made_of for part in self.parts)})"

    def covers(self, data: Dataset) -> Bool:
        return np.any([part.covers(data) for part in self.parts], axis=0)

    def build(self, data: Dataset, rows: Rows, dim: int) -> Table:
        parts = [part.build(data, rows, dim) for part in self.parts]
        return _Combined(rows, parts, self.mix(len(parts), dim))

    @abstractmethod
    def mix(self, parts: int, dim: int) -> nn.Module:
        """A module from (parts, rows, dim) to (rows, dim)."""


@final
class SumOf(_Combination):
    """The sum of several embeddings: `SumOf(parts=(Ids(), ContentProjection()))`. An item that one of them covers is served without events."""

    def mix(self, parts: int, dim: int) -> nn.Module:
        return _Sum()


@final
class Gated(_Combination):
    """sum_i sigmoid(W_i [v_1, ..., v_n] + b_i) * v_i: how much of each embedding's vector v_i an item takes depends on all of them.

    The gate of [Arevalo et al. 2017](https://arxiv.org/abs/1702.01992), one sigmoid per part and direction. Cost: (parts x dim)^2 x rows per step.
    """

    def mix(self, parts: int, dim: int) -> nn.Module:
        return _Gates(parts, dim)


@final
class _Sum(nn.Module):
    def forward(self, vectors: Tensor) -> Tensor:
        return vectors.sum(0)


@final
class _Gates(nn.Module):
    def __init__(self, parts: int, dim: int) -> None:
        super().__init__()
        self.gates = nn.Linear(parts * dim, parts * dim)

    def forward(self, vectors: Tensor) -> Tensor:
        parts, rows, dim = vectors.shape
        gates = torch.sigmoid(self.gates(vectors.transpose(0, 1).reshape(rows, parts * dim)))
        return (gates.view(rows, parts, dim).transpose(0, 1) * vectors).sum(0)


@final
class _Combined(Table):
    def __init__(self, rows: Rows, parts: list[Table], mix: nn.Module) -> None:
        super().__init__(rows)
        self.parts, self.mix = nn.ModuleList(parts), mix

    def head(self, n: int) -> Tensor:
        return self.mix(torch.stack([part.head(n) for part in self.parts]))  # type: ignore[operator]

    def internals(self) -> Internals:
        out = {f"mix.{name}": value for name, value in self.mix.state_dict().items()}
        for place, part in enumerate(self.parts):
            assert isinstance(part, Table)
            inner = {"vectors": part.whole(), **part.internals()}
            out |= {f"{place}.{name}": value for name, value in inner.items()}
        return out

    def continue_from(self, fitted: FittedTable) -> None:
        self.mix.load_state_dict({n.removeprefix("mix."): value for n, value in fitted.internals.items() if n.startswith("mix.")})
        for place, part in enumerate(self.parts):
            assert isinstance(part, Table)
            part.continue_from(fitted.part(str(place)))
