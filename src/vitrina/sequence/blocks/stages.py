"""The feed-forward part of the FuXi blocks, in two stages."""

from __future__ import annotations

from typing import final

import torch.nn.functional as F
from torch import Tensor, nn

from vitrina.sequence.blocks.norms import rms
from vitrina.sequence.dropout import Dropout


@final
class Stages(nn.Module):
    """z = x + W0 Drop(c) + b; z + W2 (SiLU(W1 d) * W3 d) with d = Drop(RMS z). [Ye et al. 2025](https://arxiv.org/abs/2502.03036), section 3.3.

    The first stage brings what the channels found back to the size of a token, the second is a SwiGLU.

    Args:
        found: size of what the channels found.
        multiplier: hidden size of the SwiGLU in units of dim.
    """

    def __init__(self, found: int, dim: int, dropout: float, multiplier: int) -> None:
        super().__init__()
        self.into = nn.Linear(found, dim)
        self.up, self.side = (nn.Linear(dim, multiplier * dim, bias=False) for _ in range(2))
        self.down = nn.Linear(multiplier * dim, dim, bias=False)
        self.drop = Dropout(dropout)

    def forward(self, channels: Tensor, x: Tensor) -> Tensor:
        z = x + self.into(self.drop(channels))
        d = self.drop(rms(z))
        return z + self.down(F.silu(self.up(d)) * self.side(d))
