"""The plain pre-norm transformer block, which BERT4Rec uses in both directions."""

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
class PreNorm(Block):
    """x = x + Drop(Attention(LN x)); x = x + Drop(W2 GELU(W1 LN x)). [Xiong et al. 2020](https://arxiv.org/abs/2002.04745).

    Args:
        multiplier: hidden size of the feed-forward part in units of dim.
        norm_after: a LayerNorm behind the last block (GPT-2); BERT4Rec in its common re-implementation has none.
        positions: what its attention knows of places beside the positions of the tokens: Rotary(), RelativePositions().
    """

    multiplier: int = Field(default=4, gt=0)
    norm_after: bool = True
    positions: Positions | None = None

    def build(self, dim: int, heads: int, dropout: float, length: int = 0) -> nn.Module:
        return _PreNorm(dim, heads, dropout, self.multiplier, self.positions, length)

    def final(self, dim: int) -> nn.Module:
        return nn.LayerNorm(dim) if self.norm_after else nn.Identity()


@final
class _PreNorm(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float, multiplier: int, positions: Positions | None, length: int) -> None:
        super().__init__()
        self.norm_a, self.norm_f = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, dropout, positions, length)
        self.up, self.down = nn.Linear(dim, multiplier * dim), nn.Linear(multiplier * dim, dim)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, layout: Layout, causal: bool) -> Tensor:
        n = self.norm_a(x)
        return self._after_attention(x, self.attention(n, n, layout, causal))

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        n = self.norm_a(x)
        return self._after_attention(x[layout.last], self.attention.last(n[layout.last], n, layout))

    def _after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        x = x + self.drop(attended)
        return x + self.drop(self.down(self.drop(F.gelu(self.up(self.norm_f(x))))))
