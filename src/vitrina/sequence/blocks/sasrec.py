"""The block of SASRec, with the residuals of the original code."""

from __future__ import annotations

from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from vitrina.sequence.blocks.base import Attention, Block
from vitrina.sequence.blocks.positions import Positions
from vitrina.sequence.dropout import Dropout
from vitrina.sequence.layout import Layout


@final
class SASRecBlock(Block):
    """q = LN x; x = q + Attention(q, x, x); f = LN x; x = f + Drop(W2 Drop(ReLU(W1 f))); LN at the end.

    [Kang and McAuley 2018](https://arxiv.org/abs/1808.09781). Residuals go through the normalised queries, as in the
    authors' code; keys and values are not normalised.

    Args:
        positions: what its attention knows of places beside the positions of the tokens: Rotary(), RelativePositions().
    """

    positions: Positions | None = None

    def build(self, dim: int, heads: int, dropout: float, length: int = 0) -> nn.Module:
        return _SASRec(dim, heads, dropout, self.positions, length)

    def final(self, dim: int) -> nn.Module:
        return nn.LayerNorm(dim, eps=1e-8)


@final
class _SASRec(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float, positions: Positions | None, length: int) -> None:
        super().__init__()
        self.norm_a, self.norm_f = nn.LayerNorm(dim, eps=1e-8), nn.LayerNorm(dim, eps=1e-8)
        self.attention = Attention(dim, heads, dropout, positions, length)
        self.up, self.down = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, layout: Layout, causal: bool) -> Tensor:
        q = self.norm_a(x)
        return self._after_attention(q, self.attention(q, x, layout, causal))

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        q = self.norm_a(x[layout.last])
        return self._after_attention(q, self.attention.last(q, x, layout))

    def _after_attention(self, q: Tensor, attended: Tensor) -> Tensor:
        f = self.norm_f(q + attended)
        return f + self.drop(self.down(self.drop(F.relu(self.up(f)))))
