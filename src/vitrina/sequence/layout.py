"""Packed windows: every real token once, in one long row, and the rectangle that attention needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the tokens of a packed batch sit, and when. Token t belongs to window `window[t]`, place `place[t]` of it, oldest first.

    Times are those of the log: microseconds since 1970 where its time is real, None where it has none or a visitor's history comes without.
    The moment of asking is the last one at which the history ended with the token: in training the time of the event that follows it,
    at answer time the `now` of the query (the time of its last event where it has no `now`). A mask stands at the time of the event that it
    hides, or at `now`, and every token of a window with masks is asked at its own time. So an objective makes it; a model that doesn't read the
    moment of asking (`SequenceModel.reads_now`) gives its blocks `within_history`.
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

    @cached_property
    def gaps(self) -> Tensor | None:
        """(windows, width, width) microseconds from event j to the moment at which token i is asked; None where times are."""
        if self.times is None or self.asked_at is None:
            return None
        return self.pad(self.asked_at)[:, :, None] - self.pad(self.times)[:, None, :]

    @cached_property
    def last_gaps(self) -> Tensor | None:
        """(windows, 1, width) the rows of `gaps` of the last tokens."""
        if self.times is None or self.asked_at is None:
            return None
        return self.asked_at[self.last][:, None, None] - self.pad(self.times)[:, None, :]

    @cached_property
    def _found(self) -> dict[Any, Any]:
        return {}

    def once(self, work: Callable[[Layout], T]) -> T:
        """What `work` makes of the layout, made once: all layers share what depends on places and times alone."""
        if work not in self._found:
            self._found[work] = work(self)
        return self._found[work]

    def within_history(self, masked: Tensor) -> Layout:
        """The same with no time but those of the events that are known: each token is asked at its own time, and a mask stands where the
        known event before it does (the first known one, where none is before it; the first mask, where none is known).

        Args:
            masked: (tokens,) which hide their event.
        """
        if self.times is None:
            return self
        place = torch.arange(len(masked), device=masked.device)
        seen = torch.where(masked, -1, place).cummax(0).values  # the latest known token so far, maybe of a window before
        ahead = torch.where(masked, len(masked), place).flip(0).cummin(0).values.flip(0)
        first = self.starts[self.window]
        ahead = torch.where(ahead <= self.last[self.window], ahead, first)
        times = self.times[torch.where(seen >= first, seen, ahead)]
        return Layout(self.lengths, times, times)

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
