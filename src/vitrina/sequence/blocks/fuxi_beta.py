"""FuXi-beta: only places and times say how much of each event is taken; there are no queries and keys."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from vitrina.sequence.blocks.base import Block
from vitrina.sequence.blocks.norms import rms
from vitrina.sequence.blocks.relative import apart, behind_last, last_log_seconds, log_seconds, looked_up
from vitrina.sequence.blocks.stages import Stages
from vitrina.sequence.layout import Layout


@final
class FuXiBeta(Block):
    """[u, v] = SiLU(W RMS x); p = P v, t = T v with T[i, j] = a (1 + max(0, s))^-b; x = Stages(u * RMS[p, t], x).

    FuXi-beta (Ye et al. 2025, [code](https://github.com/USTC-StarTeam/fuxi-linear), its function "pow"). P[i, j] is a learned number for i - j, and s
    are the seconds from event j to the moment at which token i is asked; a and b are learned in each layer. What is alike plays no part in what is
    mixed: the paper found attention to add little beside these two, and a function of time is cheaper than a table of buckets.

    A time that isn't known adds nothing. When a token is asked: see `SequenceModel.reads_now`.

    Args:
        multiplier: hidden size of the SwiGLU in units of dim.
        times: whether there is a channel for times; False for a log without real time.

    Cost: windows x width^2 x dim multiplications for each channel; those of places are one product for the whole batch. A layer has 5 dim^2 weights and
    3 multiplier dim^2.
    """

    multiplier: int = Field(default=3, gt=0)
    times: bool = True

    @property
    def needs_time(self) -> bool:
        return self.times

    def build(self, dim: int, heads: int, dropout: float, length: int) -> nn.Module:
        return _FuXiBeta(dim, dropout, length, self.multiplier, self.times)


@final
class _FuXiBeta(nn.Module):
    def __init__(self, dim: int, dropout: float, length: int, multiplier: int, times: bool) -> None:
        super().__init__()
        self.length, self.dim, channels = length, dim, 1 + times
        self.into = nn.Linear(dim, (channels + 1) * dim, bias=False)
        self.places = nn.Parameter(0.02 * torch.randn(2 * length + 1))  # P, for i - j from -length to length
        self.scale = nn.Parameter(torch.empty(1).uniform_(-0.2, 0.2)) if times else None  # a
        self.power = nn.Parameter(torch.empty(1).uniform_(0.4, 0.8)) if times else None  # b
        self.stages = Stages(channels * dim, dim, dropout, multiplier)

    def forward(self, x: Tensor, layout: Layout, causal: bool) -> Tensor:
        v, u = F.silu(self.into(rms(x))).tensor_split([self.dim], -1)
        by_place = looked_up(self.places, layout.once(apart) + self.length)
        found = self._found(layout.pad(v), by_place, None if self.scale is None else layout.once(log_seconds), causal)
        return self.stages(u * rms(layout.pack(found)), x)

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        n, at = rms(x), layout.last
        of_v, of_u = self.into.weight.tensor_split([self.dim])
        by_place = looked_up(self.places, layout.once(behind_last) + self.length)
        logs = None if self.scale is None else layout.once(last_log_seconds)
        found = self._found(layout.pad(F.silu(F.linear(n, of_v))), by_place, logs, causal=False)
        return self.stages(F.silu(F.linear(n[at], of_u)) * rms(found[:, 0]), x[at])

    def _found(self, v: Tensor, by_place: Tensor, logs: Tensor | None, causal: bool) -> Tensor:
        """(windows, i, channels x dim); v is 0 behind the end of a window."""
        channels = [(by_place.tril() if causal else by_place) @ v]
        if self.scale is not None and self.power is not None:
            if logs is None:
                channels.append(torch.zeros_like(channels[0]))
            else:
                faded = (-self.power * logs.to(v.dtype)).exp()
                channels.append(self.scale * ((faded.tril() if causal else faded) @ v))
        return torch.cat(channels, -1)
