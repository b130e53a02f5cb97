"""Sums over all events before a token whose weights fade, at a cost that grows with the length and not with its square.

A window is cut into chunks. Within one, each token meets each event; what the chunks before have left is one matrix that fades from chunk to
chunk. [Sun et al. 2023](https://arxiv.org/abs/2307.08621), section 2.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.jit._trace import is_tracing

from vitrina.sequence.blocks.relative import apart
from vitrina.sequence.layout import Layout

CHUNK = 32  # events, about: a product of so many is as quick as one that remembers


def cut(padded: Tensor, at: int = -2) -> Tensor:
    """(..., width, d) as (..., chunks, events, d), zeros behind the end; `at` is the axis of the width, counted from the end.

    A graph that is traced has one chunk, as it has no loop over a width that isn't known.
    """
    if is_tracing():
        return padded.unsqueeze(at - 1)
    width = padded.shape[at]
    count = math.ceil(width / CHUNK)
    size = math.ceil(width / count)
    if count * size != width:
        padded = F.pad(padded, (0, 0) * (-at - 1) + (0, count * size - width))
    return padded.unflatten(at, (count, size))


def retained(q: Tensor, k: Tensor, v: Tensor, rate: Tensor, width: int, *, own: bool = True) -> Tensor:
    """sum over j <= i of exp(-rate (i - j)) (q[i] . k[j]) v[j], (windows, heads, width, size of v).

    Args:
        q, k: (windows, heads, width, size); windows may be 1 where all have the same.
        v: (windows, heads, width, size of v).
        rate: (heads,) not below 0.
        width: of the windows, which a graph can't see at its inputs.
        own: whether a token is among its events.

    Cost: windows x width x size x (size of v + chunk) multiplications a head.
    """
    q, k, v = cut(q), cut(k), cut(v)
    size = width if is_tracing() else q.shape[-2]
    place = torch.arange(size, device=q.device).to(v.dtype)
    faded = (-rate[:, None, None, None] * (place[:, None] - place).clamp(min=0)).exp().tril(0 if own else -1)  # (heads, 1, i, j)
    out = (q @ k.transpose(-1, -2) * faded) @ v
    if v.shape[-3] > 1:
        at = rate[:, None, None, None]
        left = (k * (-at * (size - 1 - place)[:, None]).exp()).transpose(-1, -2) @ v  # (windows, heads, chunks, size, size of v)
        out = out + (q * (-at * (place + 1)[:, None]).exp()) @ _carried(left, (-rate * size).exp()[:, None, None])
    return joined(out, width)


def joined(parts: Tensor, width: int) -> Tensor:
    """What `cut` made, as it was: (..., width, d)."""
    return parts.squeeze(-3) if is_tracing() else parts.flatten(-3, -2)[..., :width, :]


def _forwards(layout: Layout, times: Tensor) -> Tensor:
    """(windows, width) the latest time so far: a clock doesn't run backwards, and what is padded has the time of the last event."""
    if is_tracing():  # a graph has no running maximum
        before = layout.once(apart) >= 0
        return torch.where(before, times[:, None, :], times[:, :1, None]).amax(-1)
    return times.cummax(1).values


def _carried(left: Tensor, faded: Tensor) -> Tensor:
    """What each chunk finds of those before it, (windows, heads, chunks, ...)."""
    found, carried = [], torch.zeros_like(left[:, :, 0])
    for chunk in left.unbind(2):
        found.append(carried)
        carried = faded * carried + chunk
    return torch.stack(found, 2)


class Faded(NamedTuple):
    """exp((i - a) x) in two parts, for angles x and a = ln 2: a wave that halves with each radian."""

    cos: Tensor
    sin: Tensor

    @classmethod
    def of(cls, gaps: Tensor, speeds: Tensor, at: int) -> Faded:
        """Of microseconds, with an axis for the speeds (radians a microsecond) at `at`, counted from the end."""
        angle = gaps.clamp(min=0).float().unsqueeze(at) * speeds.view(-1, *[1] * (-at - 1))
        angle = angle.clamp_(max=60)  # where nothing is left of it, a large angle only costs time
        size = (-math.log(2) * angle).exp_()
        return cls(size * angle.cos(), size * angle.sin_())


@dataclass(frozen=True)
class Waves:
    """How much each event counts at the moment at which a token is asked, by damped waves of several periods: what of it depends on times alone.

    Args:
        periods: in seconds.
        back: of the events behind a token instead of those before it, seen from the token's own time.
    """

    periods: tuple[float, ...]
    back: bool = False

    def __call__(self, layout: Layout) -> Found | None:
        """None where there are no times."""
        if layout.times is None or layout.asked_at is None:
            return None
        times = _forwards(layout, layout.pad(layout.times))
        asked = times if self.back else torch.maximum(layout.pad(layout.asked_at), times)
        times = -times.flip(1) if self.back else times
        times, asked = (
            cut(times[..., None])[..., 0],
            cut(-asked.flip(1)[..., None] if self.back else asked[..., None])[..., 0],
        )  # (windows, chunks, events)
        ends = times[..., -1]
        before = torch.cat([ends[:, :1], ends[:, :-1]], 1)
        inside = Faded.of(asked[..., :, None] - times[..., None, :], self._speeds(times), -4)
        inside = Faded(*(part.tril(-1 if self.back else 0) for part in inside))
        return Found(
            inside, Faded.of(ends[..., None] - times, self._speeds(times), -3), Faded.of(asked - before[..., None], self._speeds(times), -3),
            Faded.of(ends - before, self._speeds(times), -2),
        )  # fmt: skip

    def last(self, layout: Layout) -> Faded | None:
        """(windows, periods, 1, width) for the last tokens."""
        if layout.times is None or layout.asked_at is None:
            return None
        times = _forwards(layout, layout.pad(layout.times))
        asked = torch.maximum(layout.asked_at[layout.last], times.max(1).values)
        return Faded.of((asked[:, None] - times)[:, None], self._speeds(times), -3)

    def _speeds(self, times: Tensor) -> Tensor:
        return torch.tensor([2e-6 * math.pi / period for period in self.periods], device=times.device)


@dataclass(frozen=True, eq=False)
class Found:
    """What `Waves` makes of the times of a batch, (windows, periods, chunks, ...)."""

    inside: Faded  # (..., i, j) between tokens and events of a chunk
    to_end: Faded  # (..., j) from an event to the end of its chunk
    since: Faded  # (..., i) from the end of the chunk before to the moment of the token
    step: Faded  # from the end of the chunk before to that of this one

    @cached_property
    def both(self) -> Tensor:
        """(windows, 2, periods, chunks, i, j) sines, then cosines."""
        return torch.stack([self.inside.sin, self.inside.cos], 1)

    @cached_property
    def leaving(self) -> Tensor:
        """(windows, periods, chunks, 2, j) what an event leaves at the end of its chunk, cosines, then sines."""
        return torch.stack([self.to_end.cos, self.to_end.sin], -2)

    def sums(self, v: Tensor) -> Tensor:
        """(windows, 2, periods, width, size) sum over events of the wave times v: sines for the first of the two, cosines for the second."""
        width, v = v.shape[-2], cut(v)
        out = self.both.to(v.dtype) @ v
        if v.shape[-3] > 1:
            out = out + self._across(v)
        return joined(out, width)

    def _across(self, v: Tensor) -> Tensor:
        """What the chunks before add, (windows, 2, periods, chunks, i, size)."""
        left = self.leaving.to(v.dtype)[:, None] @ v  # (windows, 2, periods, chunks, cosine and sine, size)
        cos, sin = (part[:, None, :, :, None].to(v.dtype) for part in self.step)  # (windows, 1, periods, chunks, 1)
        found, real, other = [], torch.zeros_like(left[:, :, :, 0, 0]), torch.zeros_like(left[:, :, :, 0, 0])
        for at in range(left.shape[3]):
            found.append(torch.stack([real, other], -2))
            c, s = cos[:, :, :, at], sin[:, :, :, at]
            real, other = c * real - s * other + left[:, :, :, at, 0], s * real + c * other + left[:, :, :, at, 1]
        since = [part.to(v.dtype) for part in self.since]
        sines = torch.stack([since[1], since[0]], -1)  # (windows, periods, chunks, i, 2): sine and cosine of a sum of angles
        cosines = torch.stack([since[0], -since[1]], -1)
        return torch.stack([sines, cosines], 1) @ torch.stack(found, 3)
