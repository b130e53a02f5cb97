"""LiGR: pre-norm blocks whose residual branches are gated, with a SwiGLU."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from vitrina.sequence.blocks.base import Attention, Block
from vitrina.sequence.blocks.positions import Positions
from vitrina.sequence.dropout import Dropout
from vitrina.sequence.layout import Layout


@final
class LiGR(Block):
    """x = x + sigmoid(Wa x) * Drop(Attention(LN x)); x = x + sigmoid(Wf x) * Drop(W2 Drop(SiLU(W1 LN x) * (W3 LN x))).

    [Borisyuk et al. 2025](https://arxiv.org/abs/2502.03417), in the form of eSASRec. The gates read the unnormalised x.

    Args:
        multiplier: hidden size of the SwiGLU in units of dim.
        positions: what its attention knows of places beside the positions of the tokens: Rotary(), RelativePositions().
    """

    multiplier: int = Field(default=4, gt=0)
    positions: Positions | None = None

    def build(self, dim: int, heads: int, dropout: float, length: int = 0) -> nn.Module:
        return _LiGR(dim, heads, dropout, self.multiplier, self.positions, length)


@final
class _LiGR(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float, multiplier: int, positions: Positions | None, length: int) -> None:
        super().__init__()
        self.norm_a, self.norm_f = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, dropout, positions, length)
        self.gate_a, self.gate_f = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.up, self.side = (nn.Linear(dim, multiplier * dim, bias=False) for _ in range(2))
        self.down = nn.Linear(multiplier * dim, dim, bias=False)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, layout: Layout, causal: bool) -> Tensor:
        n = self.norm_a(x)
        return self._after_attention(x, self.attention(n, n, layout, causal))

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        n = self.norm_a(x)
        return self._after_attention(x[layout.last], self.attention.last(n[layout.last], n, layout))

    def _after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        x = x + torch.sigmoid(self.gate_a(x)) * self.drop(attended)
        n = self.norm_f(x)
        hidden = self.drop(F.silu(self.up(n)) * self.side(n))
        return x + torch.sigmoid(self.gate_f(x)) * self.drop(self.down(hidden))
