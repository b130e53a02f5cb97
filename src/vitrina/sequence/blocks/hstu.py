"""HSTU: pointwise attention with a bias for places and one for times."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitrina.sequence.blocks.base import Block
from vitrina.sequence.blocks.norms import normed
from vitrina.sequence.blocks.relative import BUCKETS, apart, behind_last, buckets, last_buckets, looked_up
from vitrina.sequence.dropout import Dropout
from vitrina.sequence.layout import Layout


@final
class HSTU(Block):
    """n = LN x; [u, q, v, k] = SiLU(W n); a[i, j] = SiLU(q[i] . k[j] + p[i - j] + t[b(i, j)]) / length; x = x + Wo Drop(u * LN(a v)) + c.

    [Zhai et al. 2024](https://arxiv.org/abs/2402.17152), eq. 1 to 3, with the buckets of the authors' code: b(i, j) = floor(ln(max(1, s)) / 0.301)
    for the s seconds between event j and the moment at which token i is asked. One table p of places and one table t of times for all heads.
    There is no softmax, so that an event's weight doesn't fall because there are others; u gates in place of a feed-forward part; the layer
    norms have no weights.

    A token is asked when its own event happened; with `SequenceModel(reads_now=True)` at the time of the next event in training and at `now` for
    a visitor, as in the published numbers. A time that isn't known (a visitor without times), and a span of time that training never met, add
    nothing.

    Args:
        times: whether there is a bias for times; False for a log without real time.

    Cost: windows x width^2 x dim multiplications, as softmax attention, but not in one fused kernel: windows x width^2 x (3 heads + 2) numbers
    are held for the gradient. Without the feed-forward part a layer has 5 dim^2 weights; LiGR has 18 dim^2.
    """

    times: bool = True

    @property
    def needs_time(self) -> bool:
        return self.times

    def build(self, dim: int, heads: int, dropout: float, length: int) -> nn.Module:
        return _HSTU(dim, heads, dropout, length, self.times)


@final
class _HSTU(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float, length: int, times: bool) -> None:
        super().__init__()
        self.heads, self.length = heads, length
        self.into, self.out = nn.Linear(dim, 4 * dim, bias=False), nn.Linear(dim, dim)
        self.places = nn.Parameter(torch.zeros(2 * length + 1))  # p, for i - j from -length to length
        self.times = nn.Parameter(torch.zeros(BUCKETS)) if times else None  # t
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor, layout: Layout, causal: bool) -> Tensor:
        u, q, v, k = F.silu(self.into(normed(x))).chunk(4, -1)
        bias = self._bias(layout.once(apart), None if self.times is None else layout.once(buckets))
        weights = self._weights(layout.pad(q), layout.pad(k), bias)
        mixed = (weights.tril() if causal else weights) @ self._split(layout.pad(v))  # v is 0 behind the end of a window
        return self._gated(x, u, layout.pack(mixed.transpose(1, 2).flatten(2)))

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        n, at = normed(x), layout.last
        of_u_q, of_v_k = self.into.weight.chunk(2)
        u, q = F.silu(F.linear(n[at], of_u_q)).chunk(2, -1)
        v, k = F.silu(F.linear(n, of_v_k)).chunk(2, -1)
        bias = self._bias(layout.once(behind_last), None if self.times is None else layout.once(last_buckets))
        weights = self._weights(q[:, None], layout.pad(k), bias)
        mixed = weights @ self._split(layout.pad(v))  # (windows, heads, 1, dim of a head)
        return self._gated(x[at], u, mixed.flatten(1))

    def _weights(self, q: Tensor, k: Tensor, bias: Tensor) -> Tensor:
        """a, (windows, heads, i, j)"""
        return F.silu(self._split(q) @ self._split(k).transpose(-1, -2) + bias.unsqueeze(-3)) / self.length

    def _bias(self, places: Tensor, spans: Tensor | None) -> Tensor:
        """p + t, (windows or none, i, j), of the places and the buckets of time that lie between."""
        bias = looked_up(self.places, places + self.length)
        return bias if self.times is None or spans is None else bias + looked_up(self.times, spans)

    def _gated(self, x: Tensor, u: Tensor, mixed: Tensor) -> Tensor:
        return x + self.out(self.drop(u * normed(mixed)))

    def _split(self, padded: Tensor) -> Tensor:
        return padded.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (windows, heads, width, dim of a head)
