"""From the Dataset's ragged arrays to packed batches by token budget; no loop over users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitrina.sequence.layout import Layout
from vitrina.types import Float32, Int32, Int64, Queries, ranges


@dataclass(frozen=True, eq=False)
class Sequences:
    """Histories as rows of the item table: history s is `rows[start[s]:stop[s]]`, oldest first."""

    rows: Int64  # (events,)
    times: Int64 | None  # (events,)
    start: Int64  # (histories,)
    stop: Int64  # (histories,)
    users: Int32  # (histories,) user codes, -1 unknown
    weights: Float32 | None = None  # (events,)
    now: Int64 | None = None  # (histories,) the moment of asking

    @classmethod
    def of(cls, queries: Queries, row_of_item: Int64) -> Sequences:
        """The histories of `queries`; events whose item has no row are left out."""
        place = ranges(queries.start, queries.lengths)
        codes = queries.events.items[place]
        rows = np.full(len(codes), -1, np.int64)
        inside = codes < len(row_of_item)
        rows[inside] = row_of_item[codes[inside]]
        known = rows >= 0
        counts = np.bincount(np.repeat(np.arange(len(queries)), queries.lengths)[known], minlength=len(queries))
        stop = np.cumsum(counts)
        times = None if queries.events.times is None else queries.events.times[place][known]
        weights = None if queries.events.weights is None else queries.events.weights[place][known]
        return cls(rows[known], times, stop - counts, stop, queries.users, weights, queries.now)

    def __len__(self) -> int:
        return len(self.start)

    @property
    def lengths(self) -> Int64:
        return self.stop - self.start

    def weights_of(self, place: Int64) -> Tensor | None:
        """How much targets at these places count; None where the log has no weights."""
        return None if self.weights is None else torch.from_numpy(np.ascontiguousarray(self.weights[place], dtype=np.float32))

    def take(self, chosen: NDArray[Any]) -> Sequences:
        now = None if self.now is None else self.now[chosen]
        return replace(self, start=self.start[chosen], stop=self.stop[chosen], users=self.users[chosen], now=now)

    def last(self, length: int) -> Sequences:
        """At most the last `length` events of each history."""
        return replace(self, start=np.maximum(self.start, self.stop - length))


@dataclass(frozen=True, eq=False)
class Batch:
    """Packed tokens, where they are asked, and what should be named there."""

    rows: Tensor  # (tokens,) rows of the item table, -1 for a mask
    layout: Layout
    users: Tensor  # (windows,) user codes, -1 unknown
    at: Tensor  # (positions,) tokens that are asked
    targets: Tensor  # (positions,) rows; empty when there is nothing to learn
    weights: Tensor | None = None  # (positions,) how much each target counts; None: all alike

    def to(self, device: torch.device) -> Batch:
        if device.type == "cpu":
            return self
        weights = None if self.weights is None else self.weights.to(device)
        return Batch(
            self.rows.to(device), self.layout.to(device), self.users.to(device), self.at.to(device), self.targets.to(device), weights
        )


def token_batches(lengths: Int64, tokens: int, rng: np.random.Generator | None) -> Iterator[Int64]:
    """Indices of histories, grouped by similar length so that each group has about `tokens` tokens; groups in random order.

    Without a generator the order is fixed: longest first.
    """
    jitter = rng.random(len(lengths)) if rng is not None else np.zeros(len(lengths))
    order = np.argsort(-(lengths + jitter), kind="stable")
    group = np.cumsum(lengths[order]) // max(tokens, 1)
    edges = np.flatnonzero(np.diff(group)) + 1
    parts = np.split(order, edges)
    visit = rng.permutation(len(parts)) if rng is not None else range(len(parts))
    for place in visit:
        if len(parts[place]):
            yield parts[place]


def tensor(array: NDArray[Any]) -> Tensor:
    """Whole numbers as a tensor of int64."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64))
