"""Fixed additions to the logits of a few items: personalised popularity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from pydantic import Field
from torch import Tensor

from vitrina.base.config import Config
from vitrina.forms.windows import Sequences, own_counts
from vitrina.sequence.layout import Layout
from vitrina.types import Float32, Int64


@dataclass(frozen=True, eq=False)
class Bonus:
    """Sparse additions: `value[e]` to the logit of row `row[e]` at position `position[e]`; sorted by (position, row), each pair once."""

    position: Tensor  # (entries,) int64
    row: Tensor  # (entries,) int64
    value: Tensor  # (entries,) float32
    size: int  # rows of the item table
    positions: int

    @cached_property
    def _edges(self) -> Tensor:
        return torch.searchsorted(self.position, torch.arange(self.positions + 1, device=self.position.device))

    @cached_property
    def _keys(self) -> Tensor:
        return self.position * self.size + self.row

    def add_to(self, logits: Tensor, part: slice) -> None:
        """Add in place to the logits (part, rows) of a run of positions."""
        at = slice(int(self._edges[part.start]), int(self._edges[part.stop]))
        logits.index_put_((self.position[at] - part.start, self.row[at]), self.value[at].to(logits.dtype), accumulate=True)

    def at(self, rows: Tensor) -> Tensor:
        """(positions, n) additions for the given rows of each position; 0 where there is none."""
        if not len(self._keys):
            return torch.zeros_like(rows, dtype=self.value.dtype)
        wanted = torch.arange(len(rows), device=rows.device)[:, None] * self.size + rows
        place = torch.searchsorted(self._keys, wanted).clamp_(max=len(self._keys) - 1)
        return torch.where(self._keys[place] == wanted, self.value[place], 0.0)


@final
class PersonalPopularity(Config):
    """The visitor's own counts on top of the model: s[j] + log((c[j] + eps) / eps), c[j] = how often j is in the history so far.

    [Tonellotto et al. 2024](https://arxiv.org/abs/2409.04329), for softmax losses: their log(c + eps) - log(max + eps) differs from it by what is
    the same for all items. Counted up to each position in training, over the history at answer time; no gradient. What is older than the
    model's `length` events is not counted, in training and at answer time alike.

    Args:
        eps: the smaller, the more a repeat is favoured.
    """

    eps: float = Field(default=0.01, gt=0)

    def bonus(self, rows: Tensor, layout: Layout, at: Tensor, size: int) -> Bonus:
        """For the tokens `at` of a packed batch, counts over the tokens of the window up to and including it. Rows below 0 (masks) don't count."""
        width = layout.place[at] + 1
        position = torch.repeat_interleave(torch.arange(len(at), device=at.device), width)
        inside = torch.arange(len(position), device=at.device) - torch.repeat_interleave(torch.cumsum(width, 0) - width, width)
        row = rows[layout.starts[layout.window[at]][position] + inside]
        keys, counts = torch.unique((position * size + row)[row >= 0], return_counts=True)
        value = torch.log((counts + self.eps) / self.eps)
        return Bonus(keys // size, keys % size, value.float(), size, len(at))

    def of_histories(self, histories: Sequences) -> tuple[Int64, Int64, Float32]:
        """(history, row, addition to its logit at answer time), each pair once; the additions to all other logits are 0."""
        return own_counts(histories, self.eps)
