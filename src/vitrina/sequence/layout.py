"""Packed windows: every real token once, in one long row, and the rectangle that attention needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the tokens of a packed batch sit, and when. Token t belongs to window `window[t]`, place `place[t]` of it, oldest first.

    Times are those of the log: microseconds since 1970 where its time is real, None where it has none or a visitor's history comes without.
    The moment of asking is the last one at which the history ended with the token: in training the time of the event that follows it,
    at answer time the `now` of the query (the time of its last event where it has no `now`). A mask stands at the time of the event that it
    hides, or at `now`, and every token of a window with masks is asked at its own time.
    """

    lengths: Tensor  # (windows,) int64, each at least 1
    times: Tensor | None = None  # (tokens,) int64, when the event of each token happened
    asked_at: Tensor | None = None  # (tokens,) int64, the moment at which each token is asked; None where times is

    @cached_property
    def width(self) -> int:
        return int(self.lengths.max())

    @cached_property
    def full(self) -> bool:
        """All windows have one length, so packing is a reshape."""
        return bool((self.lengths == self.width).all())

    @cached_property
    def window(self) -> Tensor:
        return torch.repeat_interleave(torch.arange(len(self.lengths), device=self.lengths.device), self.lengths)

    @cached_property
    def starts(self) -> Tensor:
        """(windows,) the first token of each window."""
        return torch.cumsum(self.lengths, 0) - self.lengths

    @cached_property
    def place(self) -> Tensor:
        return torch.arange(len(self.window), device=self.lengths.device) - self.starts[self.window]

    @cached_property
    def from_end(self) -> Tensor:
        """(tokens,) 0 for the last token of a window, 1 for the one before."""
        return self.lengths[self.window] - 1 - self.place

    @cached_property
    def last(self) -> Tensor:
        """(windows,) the last token of each window."""
        return self.starts + self.lengths - 1

    @cached_property
    def _cell(self) -> Tensor:
        return self.window * self.width + self.place

    @cached_property
    def real(self) -> Tensor:
        """(windows, width) which cells of the rectangle hold a token."""
        return torch.arange(self.width, device=self.lengths.device) < self.lengths[:, None]

    def to(self, device: torch.device) -> Layout:
        times, asked_at = (None if moments is None else moments.to(device) for moments in (self.times, self.asked_at))
        return Layout(self.lengths.to(device), times, asked_at)

    def pad(self, packed: Tensor) -> Tensor:
        """(tokens, d) -> (windows, width, d), zeros behind the end of a window."""
        shape = (len(self.lengths), self.width, *packed.shape[1:])
        if self.full:
            return packed.reshape(shape)
        rectangle = packed.new_zeros((shape[0] * shape[1], *shape[2:]))
        return rectangle.index_copy(0, self._cell, packed).reshape(shape)

    def pack(self, padded: Tensor) -> Tensor:
        """(windows, width, d) -> (tokens, d)."""
        flat = padded.reshape(-1, *padded.shape[2:])
        return flat if self.full else flat.index_select(0, self._cell)
