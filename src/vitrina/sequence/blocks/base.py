"""What a block is: a config that builds a module over packed tokens, and the attention that most blocks share."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from inspect import signature
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitrina.base.config import Config
from vitrina.sequence.blocks.positions import Positions
from vitrina.sequence.dropout import Dropout
from vitrina.sequence.layout import Layout


class Block(Config, ABC):
    """One kind of layer. A new kind is one file with a config and its module."""

    @property
    def needs_time(self) -> bool:
        """Whether its states depend on the times of events, so that the log must have real time. A visitor may come without."""
        return False

    @abstractmethod
    def build(self, dim: int, heads: int, dropout: float, length: int) -> nn.Module:
        """A module with `forward(x, layout, causal)`: packed (tokens, dim) to packed (tokens, dim).

        It may also have `last(x, layout)`: what `forward` gives for the last token of each window, (windows, dim), without the work for the
        others. Answering asks no more of the uppermost block; one without `last` is asked for every token.

        Args:
            length: the most recent events that are looked at. A window has at most one token more, the mask behind a history. Blocks here
                that don't look at it have a default, for calls of before.
        """

    def final(self, dim: int) -> nn.Module:
        """What follows the last block."""
        return nn.Identity()


def stack(block: Block, layers: int, dim: int, heads: int, dropout: float, length: int) -> nn.ModuleList:
    """So many modules of a block. One whose `build` takes no length, as before, still works, with a warning."""
    sizes: tuple[Any, ...] = (dim, heads, dropout, length)
    if len(signature(block.build).parameters) == len(sizes) - 1:
        warnings.warn(
            f"{type(block).__name__}.build takes (dim, heads, dropout), and from the next release on must take (dim, heads, dropout, length): "
            "length is how many events are looked at.",
            FutureWarning,
            stacklevel=2,
        )
        sizes = sizes[:-1]
    return nn.ModuleList(block.build(*sizes) for _ in range(layers))


@final
class Attention(nn.Module):
    """Multi-head softmax attention inside each window; values are made of what the keys are made of. [Vaswani et al. 2017](https://arxiv.org/abs/1706.03762).

    softmax(Q K' / sqrt(dim / heads)) V over the tokens of the same window, and only earlier ones when causal.

    Args:
        positions: what it knows of places, for windows of at most `length` events and a mask.

    Cost: windows x width^2 x dim multiplications; width is the longest window of the batch.
    """

    def __init__(self, dim: int, heads: int, dropout: float, positions: Positions | None = None, length: int = 0) -> None:
        super().__init__()
        self.heads, self.drop = heads, Dropout(dropout)
        self.query, self.key, self.value, self.out = (nn.Linear(dim, dim) for _ in range(4))
        self.placed = None if positions is None else positions.build(dim, heads, length)

    def forward(self, queries: Tensor, keys: Tensor, layout: Layout, causal: bool) -> Tensor:
        q, k, v = (self._split(layout.pad(part)) for part in (self.query(queries), self.key(keys), self.value(keys)))
        # behind the end of a window there are only padded keys: a causal mask hides them from every real token already
        mask = None if causal or layout.full else layout.real[:, None, None, :]
        if self.placed is not None:
            place = torch.arange(layout.width, device=q.device)
            q, k = self.placed.turned(q, place), self.placed.turned(k, place)
            if (bias := self.placed.bias(layout)) is not None:
                mask = bias[None] if mask is None else torch.where(mask, bias, -torch.inf)
                mask, causal = (mask.masked_fill(_ahead(mask), -torch.inf) if causal else mask), False
        if self.training and self.drop.p and q.device.type == "cpu":
            mixed = self._dropped(q, k, mask, causal) @ v
        else:
            dropout = self.drop.p if self.training else 0.0
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=causal)
        return self.out(layout.pack(mixed.transpose(1, 2).flatten(2)))

    def last(self, queries: Tensor, keys: Tensor, layout: Layout) -> Tensor:
        """(windows, dim) for the last token of each window, which sees all of it, causal or not; `queries` are these tokens alone."""
        q, k, v = (self._split(part) for part in (self.query(queries)[:, None], layout.pad(self.key(keys)), layout.pad(self.value(keys))))
        mask = None if layout.full else layout.real[:, None, None, :]
        if self.placed is not None:
            places = layout.lengths[:, None, None] - 1
            q, k = self.placed.turned(q, places), self.placed.turned(k, torch.arange(layout.width, device=k.device))
            if (bias := self.placed.last_bias(layout)) is not None:
                mask = bias if mask is None else torch.where(mask, bias, -torch.inf)
        return self.out(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).flatten(1))

    def _dropped(self, q: Tensor, k: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
        """Attention weights with dropout; torch's own function draws its masks slowly on a CPU."""
        logits = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        if causal:
            logits = logits.masked_fill(_ahead(logits), -torch.inf)
        elif mask is not None:
            logits = logits.masked_fill(~mask, -torch.inf) if mask.dtype is torch.bool else logits + mask
        return self.drop(logits.softmax(-1))

    def _split(self, padded: Tensor) -> Tensor:
        windows, width, dim = padded.shape
        return padded.view(windows, width, self.heads, dim // self.heads).transpose(1, 2)  # (windows, heads, width, dim of a head)


def _ahead(logits: Tensor) -> Tensor:
    """(i, j) which events are later than the token."""
    return torch.ones(logits.shape[-2:], dtype=torch.bool, device=logits.device).triu(1)
