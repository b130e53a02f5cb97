"""Dropout that costs little on a CPU."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@final
class Dropout(nn.Module):
    """x * keep / (1 - p) with P(keep = 0) = p, in training only. [Srivastava et al. 2014](https://jmlr.org/papers/v15/srivastava14a.html).

    On a CPU each element costs one random byte, so that p is rounded to a multiple of 1/256 (and the scale follows the rounded p);
    torch's own draws there took two fifths of a training step.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.dropped = min(255, round(p * 256))  # of 256 values of a byte

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.dropped:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        return x * ((_bytes(x) >= self.dropped).to(x.dtype) * (256 / (256 - self.dropped)))


@final
class RowDropout(nn.Module):
    """Dropout with a share of its own for each row, rounded to a multiple of 1/256.

    Args:
        p: (rows,) the share of each row's elements that are dropped.
    """

    dropped: Tensor

    def __init__(self, p: Tensor) -> None:
        super().__init__()
        self.register_buffer("dropped", (p * 256).round().clamp(max=255).to(torch.uint8)[:, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x are the first rows, (n, dim)."""
        if not self.training:
            return x
        dropped = self.dropped[: len(x)]
        return x * ((_bytes(x) >= dropped).to(x.dtype) * (256 / (256 - dropped.to(x.dtype))))


def _bytes(x: Tensor) -> Tensor:
    """A random byte for each element."""
    words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64, device=x.device).random_(-(2**63), None)  # the whole range of 64 bits
    return words.view(torch.uint8)[: x.numel()].view(x.shape)
