"""The post-norm block of BERT, as in the original BERT4Rec."""

from __future__ import annotations

from typing import final

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from vitrina.sequence.blocks.base import Attention, Block
from vitrina.sequence.blocks.positions import Positions
from vitrina.sequence.dropout import Dropout
from vitrina.sequence.layout import Layout


@final
class BERT4RecBlock(Block):
    """x = LN(x + Drop(Attention(x))); x = LN(x + Drop(W2 GELU(W1 x))). [Sun et al. 2019](https://arxiv.org/abs/1904.06690), eq. 2 to 7.

    Args:
        multiplier: hidden size of the feed-forward part in units of dim.
        positions: what its attention knows of places beside the positions of the tokens: Rotary(), RelativePositions().
    """

    multiplier: int = Field(default=4, gt=0)
    positions: Positions | None = None

    def build(self, dim: int, heads: int, dropout: float, length: int = 0) -> nn.Module:
        return _BERT4Rec(dim, heads, dropout, self.multiplier, self.positions, length)


@final
class _BERT4Rec(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float, multiplier: int, positions: Positions | None, length: int) -> None:
        super().__init__()
        self.norm_a, self.norm_f = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, dropout, positions, length)
        self.up, self.down = nn.Linear(dim, multiplier * dim), nn.Linear(multiplier * dim, dim)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, layout: Layout, causal: bool) -> Tensor:
        return self._after_attention(x, self.attention(x, x, layout, causal))

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        last = x[layout.last]
        return self._after_attention(last, self.attention.last(last, x, layout))

    def _after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        x = self.norm_a(x + self.drop(attended))
        return self.norm_f(x + self.drop(self.down(F.gelu(self.up(x)))))
