"""Histories as windows of rows of a table of items, and their batches; for what reads them event by event."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    kinds: NDArray[np.uint8] | None = None  # (events,) codes of the log, where they are read
    values: Float32 | None = None  # (events,) where they are read

    @classmethod
    def of(cls, queries: Queries, row_of_item: Int64, also: tuple[str, ...] = ()) -> Sequences:
        """The histories of `queries`; events whose item has no row are left out. `also` names further columns to take: "kinds", "values"."""
        place = ranges(queries.start, queries.lengths)
        codes = queries.events.items[place]
        rows = np.full(len(codes), -1, np.int64)
        inside = codes < len(row_of_item)
        rows[inside] = row_of_item[codes[inside]]
        known = rows >= 0
        counts = np.bincount(np.repeat(np.arange(len(queries)), queries.lengths)[known], minlength=len(queries))
        stop = np.cumsum(counts)
        taken = {name: column[place][known] for name, column in queries.events.columns().items() if name in ("times", "weights", *also)}
        return cls(rows[known], taken.pop("times", None), stop - counts, stop, queries.users, now=queries.now, **taken)

    def __len__(self) -> int:
        return len(self.start)

    @property
    def lengths(self) -> Int64:
        return self.stop - self.start

    def take(self, chosen: NDArray[Any]) -> Sequences:
        now = None if self.now is None else self.now[chosen]
        return replace(self, start=self.start[chosen], stop=self.stop[chosen], users=self.users[chosen], now=now)

    def last(self, length: int) -> Sequences:
        """At most the last `length` events of each history."""
        return replace(self, start=np.maximum(self.start, self.stop - length))


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


def own_counts(histories: Sequences, eps: float) -> tuple[Int64, Int64, Float32]:
    """(history, row, log((c + eps) / eps)) for the rows of each history, each pair once; c is how often it is there."""
    owner = np.repeat(np.arange(len(histories)), histories.lengths)
    rows = histories.rows[ranges(histories.start, histories.lengths)]
    size = int(rows.max(initial=0)) + 1
    keys, counts = np.unique(owner * size + rows, return_counts=True)
    return keys // size, keys % size, np.log((counts + eps) / eps).astype(np.float32)
