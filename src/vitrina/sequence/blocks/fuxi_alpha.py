"""FuXi-alpha: what is alike, what is near in place and what is near in time, each in a channel of its own."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from vitrina.sequence.blocks.base import Block
from vitrina.sequence.blocks.norms import rms
from vitrina.sequence.blocks.relative import BUCKETS, apart, behind_last, buckets, last_buckets, looked_up
from vitrina.sequence.blocks.stages import Stages
from vitrina.sequence.layout import Layout


@final
class FuXiAlpha(Block):
    """[u, q, k, v] = SiLU(W RMS x); s = SiLU(q k') v / length, p = P v, t = T v; x = Stages(u * RMS[s, p, t], x).

    [Ye et al. 2025](https://arxiv.org/abs/2502.03036), eq. 3 to 9, with the buckets of time of the authors' code, which are those of `HSTU`. P[i, j] is
    a learned number for i - j and T[i, j] one for the bucket of the time between event j and the moment at which token i is asked, both for all heads
    and without activation: places and times mix events by themselves, where HSTU adds them to what queries and keys say. `Stages` brings the
    gated channels back to dim, and has a SwiGLU behind it.

    A time that isn't known adds nothing. When a token is asked: see `SequenceModel.reads_now`.

    Args:
        multiplier: hidden size of the SwiGLU in units of dim; 1 in the paper's small models, 4 in its large ones.
        times: whether there is a channel for times; False for a log without real time.

    Cost: windows x width^2 x dim multiplications for each channel. A layer has 9 dim^2 weights and 3 multiplier dim^2.
    """

    multiplier: int = Field(default=1, gt=0)
    times: bool = True

    @property
    def needs_time(self) -> bool:
        return self.times

    def build(self, dim: int, heads: int, dropout: float, length: int) -> nn.Module:
        return _FuXiAlpha(dim, heads, dropout, length, self.multiplier, self.times)


@final
class _FuXiAlpha(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float, length: int, multiplier: int, times: bool) -> None:
        super().__init__()
        self.heads, self.length, channels = heads, length, 2 + times
        self.into = nn.Linear(dim, (channels + 3) * dim, bias=False)
        self.places = nn.Parameter(0.02 * torch.randn(2 * length + 1))  # P, for i - j from -length to length
        self.times = nn.Parameter(0.02 * torch.randn(BUCKETS)) if times else None  # T
        self.sizes = [dim, dim, channels * dim, dim]  # of v, k, u, q
        self.stages = Stages(channels * dim, dim, dropout, multiplier)

    def forward(self, x: Tensor, layout: Layout, causal: bool) -> Tensor:
        v, k, u, q = F.silu(self.into(rms(x))).split(self.sizes, -1)
        by_place = looked_up(self.places, layout.once(apart) + self.length)
        by_time = None if self.times is None else self._by_time(layout.once(buckets))
        found = self._found(layout.pad(q), layout.pad(k), layout.pad(v), by_place, by_time, causal)
        return self.stages(u * rms(layout.pack(found)), x)

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        n, at = rms(x), layout.last
        of_v_k, of_u_q = self.into.weight.split([sum(self.sizes[:2]), sum(self.sizes[2:])])
        v, k = F.silu(F.linear(n, of_v_k)).split(self.sizes[:2], -1)
        u, q = F.silu(F.linear(n[at], of_u_q)).split(self.sizes[2:], -1)
        by_place = looked_up(self.places, layout.once(behind_last) + self.length)
        by_time = None if self.times is None else self._by_time(layout.once(last_buckets))
        found = self._found(q[:, None], layout.pad(k), layout.pad(v), by_place, by_time, causal=False)
        return self.stages(u * rms(found[:, 0]), x[at])

    def _found(self, q: Tensor, k: Tensor, v: Tensor, by_place: Tensor, by_time: Tensor | None, causal: bool) -> Tensor:
        """(windows, i, channels x dim); v is 0 behind the end of a window."""

        def seen(weights: Tensor) -> Tensor:
            return weights.tril() if causal else weights

        alike = F.silu(self._split(q) @ self._split(k).transpose(-1, -2)) / self.length
        mixed = (seen(alike) @ self._split(v)).transpose(1, 2).flatten(2)
        channels = [mixed, seen(by_place) @ v]
        if self.times is not None:
            channels.append(torch.zeros_like(channels[1]) if by_time is None else seen(by_time) @ v)
        return torch.cat(channels, -1)

    def _by_time(self, spans: Tensor | None) -> Tensor | None:
        assert self.times is not None
        return None if spans is None else looked_up(self.times, spans)

    def _split(self, padded: Tensor) -> Tensor:
        return padded.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (windows, heads, width, dim of a head)
