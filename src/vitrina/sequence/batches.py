"""Packed batches of windows; no loop over users."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitrina.forms.windows import Sequences
from vitrina.sequence.layout import Layout
from vitrina.types import Float32, Int64


@dataclass(frozen=True, eq=False)
class EventTerms:
    """What tokens say beside their items: terms of `vitrina.forms.event_codes.EventCoding`, and how strongly each counts."""

    terms: Tensor  # (tokens, terms of one)
    amounts: Tensor  # (tokens, terms of one)

    def of(self, tokens: slice) -> EventTerms:
        return EventTerms(self.terms[tokens], self.amounts[tokens])

    def to(self, device: torch.device) -> EventTerms:
        return EventTerms(self.terms.to(device), self.amounts.to(device))


@dataclass(frozen=True, eq=False)
class Batch:
    """Packed tokens, where they are asked, and what should be named there."""

    rows: Tensor  # (tokens,) rows of the item table, -1 for a mask
    layout: Layout
    users: Tensor  # (windows,) user codes, -1 unknown
    at: Tensor  # (positions,) tokens that are asked
    targets: Tensor  # (positions,) rows; empty when there is nothing to learn
    weights: Tensor | None = None  # (positions,) how much each target counts; None: all alike
    place: Int64 | None = None  # (tokens,) where the event of each token stands in the columns of the windows, -1 for a mask
    events: EventTerms | None = None  # what is read of the tokens beside their items

    def with_events(self, terms: Int64, amounts: Float32) -> Batch:
        """The same with what its tokens say beside their items, (tokens, terms of one)."""
        return replace(self, events=EventTerms(tensor(terms), torch.from_numpy(amounts)))

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        weights = None if self.weights is None else self.weights.to(device)
        return Batch(
            self.rows.to(device), self.layout.to(device), self.users.to(device), self.at.to(device), self.targets.to(device), weights,
            self.place, None if self.events is None else self.events.to(device),
        )  # fmt: skip

    def share(self, rank: int, world: int) -> Share:
        """The windows of one of several processes: runs of about as many tokens."""
        ends = torch.cumsum(self.layout.lengths, 0)
        owner = (ends - 1) * world // ends[-1]
        first, last = int(torch.searchsorted(owner, rank)), int(torch.searchsorted(owner, rank, right=True))
        own = last > first
        if not own:  # fewer windows than processes: it goes through one that isn't its own, which counts for nothing
            first, last = 0, 1
        tokens = slice(int(self.layout.starts[first]), int(ends[last - 1]))
        mine = torch.nonzero((self.at >= tokens.start) & (self.at < tokens.stop)).squeeze(1)
        times, asked_at = (None if moments is None else moments[tokens] for moments in (self.layout.times, self.layout.asked_at))
        layout = Layout(self.layout.lengths[first:last], times, asked_at)
        weights = None if self.weights is None else self.weights[mine]
        part = Batch(
            self.rows[tokens], layout, self.users[first:last], self.at[mine] - tokens.start, self.targets[mine], weights,
            None if self.place is None else self.place[tokens], None if self.events is None else self.events.of(tokens),
        )  # fmt: skip
        counted = (len(mine), len(self.at)) if self.weights is None else (float(self.weights[mine].sum()), float(self.weights.sum()))
        return Share(part, mine, counted[0] / counted[1] * own)


@dataclass(frozen=True, eq=False)
class Share:
    """What one of several processes learns of a batch."""

    batch: Batch
    positions: Tensor  # (own positions,) where they stand among those of the whole batch
    weight: float  # of its mean loss in that of the whole batch, which is a mean over all positions, weighted where they are


def tensor(array: NDArray[Any]) -> Tensor:
    """Whole numbers as a tensor of int64."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64))


def weights_of(windows: Sequences, place: Int64) -> Tensor | None:
    """How much targets at these places count; None where the log has no weights."""
    return None if windows.weights is None else torch.from_numpy(np.ascontiguousarray(windows.weights[place], dtype=np.float32))
