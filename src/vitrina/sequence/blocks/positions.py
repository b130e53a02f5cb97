"""Where events stand, told to the attention of a block: turned queries and keys, or a bias for how far apart they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from pydantic import Field
from torch import Tensor, nn

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.sequence.blocks.relative import apart, behind_last, looked_up
from vitrina.sequence.layout import Layout


class Positions(Config, ABC):
    """What the softmax attention of a block knows of places, beside the positions from the end that every model adds to its tokens."""

    @abstractmethod
    def build(self, dim: int, heads: int, length: int) -> Placed:
        """The module for one layer; `length` as in `Block.build`."""


class Placed(nn.Module, ABC):
    """One layer's share. A kind overrides what it changes."""

    def turned(self, padded: Tensor, place: Tensor) -> Tensor:
        """Queries or keys, (windows, heads, width, dim of a head), whose places `place` (width,) or (windows, 1, width) says."""
        return padded

    def bias(self, layout: Layout) -> Tensor | None:
        """(heads, width, width) what is added to the logits of token i and event j."""
        return None

    def last_bias(self, layout: Layout) -> Tensor | None:
        """(windows, heads, 1, width) the same for the last token of each window."""
        return None


@final
class Rotary(Positions):
    """Queries and keys are turned by their place, so that q[i] . k[j] depends on i - j. [Su et al. 2021](https://arxiv.org/abs/2104.09864), eq. 34.

    Numbers 2f and 2f + 1 of a head turn as a pair, by place x base^(-2f / dim of a head) radians. It has no weights, and the dim of a head must be even.

    Args:
        base: the slowest pair turns once in about 2 pi base places.
    """

    base: float = Field(default=10_000.0, gt=1)

    def build(self, dim: int, heads: int, length: int) -> Placed:
        if dim // heads % 2:
            raise ParameterError(
                f"Rotary() turns pairs of numbers, so that the dim of a head must be even. Got dim={dim} and heads={heads}, {dim // heads} a head.",
                owner="Rotary",
            )
        return _Rotary(self.base, dim // heads)


@final
class RelativePositions(Positions):
    """logit[i, j] += b[head, i - j], a learned number for each head and distance. [Raffel et al. 2020](https://arxiv.org/abs/1910.10683), section 2.1, without buckets.

    Distances run from -`length` to `length`; b begins at 0.
    """

    def build(self, dim: int, heads: int, length: int) -> Placed:
        return _Relative(heads, length)


@final
class _Rotary(Placed):
    speed: Tensor

    def __init__(self, base: float, size: int) -> None:
        super().__init__()
        self.register_buffer("speed", base ** (-torch.arange(0, size, 2) / size), persistent=False)

    def turned(self, padded: Tensor, place: Tensor) -> Tensor:
        angle = place[..., None] * self.speed  # (..., width, pairs)
        cos, sin, pairs = angle.cos(), angle.sin(), padded.unflatten(-1, (-1, 2))
        first, second = pairs[..., 0], pairs[..., 1]
        return torch.stack([first * cos - second * sin, first * sin + second * cos], -1).flatten(-2)


@final
class _Relative(Placed):
    def __init__(self, heads: int, length: int) -> None:
        super().__init__()
        self.heads, self.length = heads, length
        self.table = nn.Parameter(torch.zeros(heads * (2 * length + 1)))  # flat: as a matrix it would be drawn at the start

    def bias(self, layout: Layout) -> Tensor:
        return self._of(layout.once(apart))

    def last_bias(self, layout: Layout) -> Tensor:
        return self._of(layout.once(behind_last)).transpose(0, 1)

    def _of(self, places: Tensor) -> Tensor:
        """(heads, ...)"""
        own = self.table.view(self.heads, -1).t()
        found = looked_up(own, places + self.length)
        return found.permute(found.dim() - 1, *range(found.dim() - 1))
