"""FuXi-Linear: retention, places and damped waves of time, at a cost that grows with the length and not with its square."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from vitrina.base.errors import ParameterError
from vitrina.sequence.blocks.base import Block
from vitrina.sequence.blocks.norms import normed
from vitrina.sequence.blocks.relative import behind_last
from vitrina.sequence.blocks.retention import Waves, retained
from vitrina.sequence.blocks.stages import Stages
from vitrina.sequence.layout import Layout

KERNEL = 32  # numbers of a place's vector
SLOWEST = 10_000.0  # of the waves that the vectors of places begin with


@final
class FuXiLinear(Block):
    """n = LN x; [u, q, k, v] = SiLU(W n); x = Stages(u * [LN s, LN t, LN p], x), with sums over the events j <= i of each token i:

    s[i] = exp(-r (i - j + 1)) (q[i] . k[j]) v[j], a rate r for each head;
    t[i] = 2^-w wave(w) (Wt n)[j], w = 2 pi (seconds from event j to the moment at which i is asked) / period, the wave a sine or a cosine;
    p[i] = c (e[i] . e[j]) / 16 (Wp n)[j] + d (Wp n)[i], e the learned vectors of 32 numbers of places, c and d learned.

    FuXi-Linear ([Ye et al. 2026](https://arxiv.org/abs/2602.23671), with the constants of the
    [authors' code](https://github.com/USTC-StarTeam/fuxi-linear)). There is no softmax; each sum is worked out in chunks, exactly. Looking both
    ways, later events count by their distance, from the token's own time. A moment before its event counts as its event's.

    A time that isn't known adds nothing. When a token is asked: see `SequenceModel.reads_now`.

    Args:
        multiplier: hidden size of the SwiGLU in units of dim.
        times: whether there is a channel for times; False for a log without real time.
        periods: of the waves at most; as many as divide half the dim. Each takes its share of the channel's numbers, half by sines, half by cosines.
        shortest: period in seconds; from it to the `longest` each is as many times the one before. The defaults are the published ones, 8 periods
            of 16^0 to 16^7 seconds, which is eight and a half years.
        longest: period in seconds.

    Cost: tokens x (dim^2 + dim x 32 events of a chunk), whatever the length; windows x chunks x dim^2 / heads numbers are held. A layer has 11 dim^2
    weights and 3 multiplier dim^2.
    """

    multiplier: int = Field(default=1, gt=0)
    times: bool = True
    periods: int = Field(default=8, gt=0)
    shortest: float = Field(default=1.0, gt=0)
    longest: float = Field(default=16.0**7, gt=0)

    @property
    def needs_time(self) -> bool:
        return self.times

    def build(self, dim: int, heads: int, dropout: float, length: int) -> nn.Module:
        """As `Block.build` says.

        Raises:
            ParameterError: the dim is odd.
        """
        if dim % 2 and self.times:
            raise ParameterError(
                f"FuXiLinear() has sines and cosines of time in equal parts, so that the dim must be even. Got dim={dim}; FuXiLinear(times=False) takes it.",
                owner="FuXiLinear",
            )
        kinds = max(n for n in range(1, self.periods + 1) if dim // 2 % n == 0)
        ratio = (self.longest / self.shortest) ** (1 / max(kinds - 1, 1))
        waves = Waves(tuple(self.longest / ratio**n for n in range(kinds))) if self.times else None
        return _FuXiLinear(dim, heads, dropout, length, self.multiplier, waves)


@final
class _FuXiLinear(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float, length: int, multiplier: int, waves: Waves | None) -> None:
        super().__init__()
        self.heads, self.waves = heads, waves
        self.back = None if waves is None else Waves(waves.periods, back=True)
        channels = 2 if waves is None else 3
        self.sizes = [dim, dim, channels * dim, dim]  # of v, k, u, q
        self.into = nn.Linear(dim, (channels + 3) * dim, bias=False)
        self.fading = nn.Parameter(torch.zeros(heads))
        self.of_places = nn.Linear(dim, dim, bias=False)
        self.of_times = None if waves is None else nn.Linear(dim, dim, bias=False)
        self.places = nn.Parameter(_waves_of_places(length + 1))  # flat: as a matrix they would be drawn at the start
        self.mixed, self.own = nn.Parameter(torch.full((1,), 0.02)), nn.Parameter(torch.ones(1))
        self.stages = Stages(channels * dim, dim, dropout, multiplier)

    def forward(self, x: Tensor, layout: Layout, causal: bool) -> Tensor:
        n = normed(x)
        # s of the first event is (q . k) v, whose norm turns over where q . k passes 0: rounded to bfloat16, gradients there are another number
        with torch.autocast(x.device.type, enabled=False):
            v, k, u, q = F.silu(self.into(n)).split(self.sizes, -1)
            found = [self._retained(layout.pad(q), layout.pad(k), layout.pad(v), layout, causal)]
        if self.of_times is not None:
            found.append(self._by_time(layout.pad(self.of_times(n)), layout, causal))
        placed = self.of_places(n)
        by_place = self._by_place(layout.pad(placed), layout, causal)
        packed = [normed(layout.pack(part)) for part in found] + [normed(self.mixed * layout.pack(by_place) + self.own * placed)]
        return self.stages(u * torch.cat(packed, -1), x)

    def last(self, x: Tensor, layout: Layout) -> Tensor:
        n, at = normed(x), layout.last
        of_v_k, of_u_q = self.into.weight.split([sum(self.sizes[:2]), sum(self.sizes[2:])])
        v, k = (self._split(layout.pad(part)) for part in F.silu(F.linear(n, of_v_k)).split(self.sizes[:2], -1))
        u, q = F.silu(F.linear(n[at], of_u_q)).split(self.sizes[2:], -1)
        behind = layout.once(behind_last).clamp(min=0)  # what is behind the end has v = 0
        faded = (-self._rate[:, None, None] * (behind[:, None] + 1)).exp()
        found = [((self._split(q[:, None]) @ k.transpose(-1, -2) * faded) @ v).flatten(1)]
        if self.of_times is not None:
            found.append(self._last_by_time(layout.pad(self.of_times(n)), layout))
        placed, vectors = self.of_places(n), self._vectors
        weights = vectors[layout.lengths - 1] @ vectors[: layout.width].t() / (KERNEL / 2)
        by_place = (weights[:, None] @ layout.pad(placed)).flatten(1)
        found.append(self.mixed * by_place + self.own * placed[at])
        return self.stages(u * torch.cat([normed(part) for part in found], -1), x[at])

    @property
    def _rate(self) -> Tensor:
        """(heads,) r: halved from head to head at the start."""
        return (-F.softplus(self.fading).cumsum(0)).exp()

    @property
    def _vectors(self) -> Tensor:
        """(places, 32) e"""
        return self.places.view(-1, KERNEL)

    def _retained(self, q: Tensor, k: Tensor, v: Tensor, layout: Layout, causal: bool) -> Tensor:
        rate = self._rate
        q, k, v = self._split(q) * (-rate[:, None, None]).exp(), self._split(k), self._split(v)
        out = retained(q, k, v, rate, layout.width)
        if not causal:
            out = out + retained(q.flip(2), k.flip(2), v.flip(2), rate, layout.width, own=False).flip(2)
        return out.transpose(1, 2).flatten(2)

    def _by_time(self, v: Tensor, layout: Layout, causal: bool) -> Tensor:
        assert self.waves is not None
        assert self.back is not None
        waves, back = layout.once(self.waves), None if causal else layout.once(self.back)
        if waves is None:
            return torch.zeros_like(v)
        shared = self._shared(v)
        out = waves.sums(shared)
        if back is not None:
            out = out + back.sums(shared.flip(3)).flip(3)
        return out.permute(0, 3, 1, 2, 4).flatten(2)

    def _last_by_time(self, v: Tensor, layout: Layout) -> Tensor:
        assert self.waves is not None
        waves = layout.once(self.waves.last)
        if waves is None:
            return torch.zeros_like(v[:, 0])
        return (torch.stack([waves.sin, waves.cos], 1).to(v.dtype) @ self._shared(v)).flatten(1)

    def _by_place(self, v: Tensor, layout: Layout, causal: bool) -> Tensor:
        vectors = self._vectors[None, None, : layout.width]
        if not causal:
            return vectors[0] @ (vectors[0].transpose(-1, -2) @ v) / (KERNEL / 2)
        return retained(vectors / (KERNEL / 2), vectors, v[:, None], self.mixed.new_zeros(1), layout.width)[:, 0]

    def _shared(self, v: Tensor) -> Tensor:
        """(windows, sines and cosines, periods, width, numbers of each)"""
        assert self.waves is not None
        return v.unflatten(-1, (2, len(self.waves.periods), -1)).permute(0, 2, 3, 1, 4)

    def _split(self, padded: Tensor) -> Tensor:
        return padded.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (windows, heads, width, dim of a head)


def _waves_of_places(count: int) -> Tensor:
    """(count x 32,) sines and cosines of places, one vector behind the other."""
    speeds = SLOWEST ** (-torch.arange(KERNEL // 2) / (KERNEL // 2))
    angles = torch.arange(count)[:, None] * speeds
    return torch.cat([angles.sin(), angles.cos()], 1).flatten()
