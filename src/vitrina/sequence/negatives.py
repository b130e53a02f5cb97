"""Where the items come from that a position is told not to choose."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from pydantic import Field
from torch import Tensor

from vitrina.base.config import Config


@dataclass(frozen=True, eq=False)
class Pool:
    """What negatives are drawn from: the rows of the item table and how often each is a target in an epoch, in expectation."""

    counts: Tensor  # (rows,) float32
    generator: torch.Generator

    @property
    def size(self) -> int:
        return len(self.counts)

    @cached_property
    def frequency(self) -> Tensor:
        """(rows,) share of each row among the targets."""
        return self.counts / self.counts.sum()

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        return self.below(self.size, shape)

    def below(self, bound: int, shape: tuple[int, ...]) -> Tensor:
        """Whole numbers from 0 to bound - 1, drawn on the CPU whatever the device, so that a seed means the same."""
        return torch.randint(bound, shape, generator=self.generator).to(self.counts.device)

    def chances(self, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
        """Numbers from 0 to 1, likewise."""
        return torch.rand(shape, generator=self.generator, dtype=dtype).to(self.counts.device)

    def weighted(self, weights: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Draws with replacement in proportion to `weights` (rows,): a binary search in the running sum."""
        edges = torch.cumsum(weights.double(), 0)
        points = self.chances(shape, torch.float64) * edges[-1]
        return torch.searchsorted(edges, points).clamp_(max=self.size - 1)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Rows of the item table: (n,) shared by all positions, or (positions, n), and how likely one draw was to give each."""

    rows: Tensor
    log_q: Tensor  # same shape as rows

    @property
    def shared(self) -> bool:
        return self.rows.dim() == 1

    @property
    def n(self) -> int:
        return self.rows.shape[-1]


class Negatives(Config, ABC):
    """`n` draws with replacement per position, or `n` for the whole batch when `shared`."""

    n: int = Field(default=256, gt=0)
    shared: bool = False

    @abstractmethod
    def draw(self, pool: Pool, targets: Tensor) -> Drawn: ...

    @abstractmethod
    def q(self, pool: Pool) -> Tensor:
        """(rows,) the chance that one draw gives each row, taken over batches."""

    def _shape(self, targets: Tensor) -> tuple[int, ...]:
        return (self.n,) if self.shared else (len(targets), self.n)

    def _drawn(self, pool: Pool, rows: Tensor) -> Drawn:
        return Drawn(rows, self.q(pool).log()[rows])


@final
class Uniform(Negatives):
    """Every item alike: q[i] = 1 / items."""

    def draw(self, pool: Pool, targets: Tensor) -> Drawn:
        return self._drawn(pool, pool.uniform(self._shape(targets)))

    def q(self, pool: Pool) -> Tensor:
        return torch.full_like(pool.counts, 1.0 / pool.size)


@final
class ByPopularity(Negatives):
    """q[i] in proportion to (times that i is a target) ^ alpha."""

    alpha: float = 0.75

    def draw(self, pool: Pool, targets: Tensor) -> Drawn:
        return self._drawn(pool, pool.weighted(self._weights(pool), self._shape(targets)))

    def q(self, pool: Pool) -> Tensor:
        weights = self._weights(pool)
        return weights / weights.sum()

    def _weights(self, pool: Pool) -> Tensor:
        return pool.counts.clamp(min=1e-9) ** self.alpha


@final
class InBatch(Negatives):
    """Targets of the other positions of the batch. Over batches that is popularity: q[i] = share of i among the targets."""

    def draw(self, pool: Pool, targets: Tensor) -> Drawn:
        pick = pool.below(len(targets), self._shape(targets))
        return self._drawn(pool, targets[pick])

    def q(self, pool: Pool) -> Tensor:
        return pool.frequency.clamp(min=1e-12)


@final
class Mixed(Negatives):
    """A share `ratio` of the draws in-batch, the rest uniform. q[i] = ratio * frequency[i] + (1 - ratio) / items.

    The correction uses the mixture's own q, as in mixed negative sampling, [Yang et al. 2020](https://research.google/pubs/pub50257/),
    and not popularity alone.
    """

    ratio: float = Field(default=0.5, ge=0, le=1)

    def draw(self, pool: Pool, targets: Tensor) -> Drawn:
        shape = self._shape(targets)
        pick = pool.below(len(targets), shape)
        from_batch = pool.chances(shape) < self.ratio
        return self._drawn(pool, torch.where(from_batch, targets[pick], pool.uniform(shape)))

    def q(self, pool: Pool) -> Tensor:
        return (self.ratio * pool.frequency + (1 - self.ratio) / pool.size).clamp(min=1e-12)
