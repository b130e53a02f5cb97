"""An inverted index in segments, as it is at one moment: what changes makes another one, which shares them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, final

import numpy as np
import polars as pl

from vitrina.base.arrays import Bool, Int32, Int64
from vitrina.base.kernels import kernel
from vitrina.base.state import State
from vitrina.search.segment import Segment, merged

DEAD = 0.25  # of a segment's documents: beyond it they are cleared away
NEAR = 2  # a segment is merged with the one before it where that is not larger than so many of it


@final
@dataclass(frozen=True, eq=False)
class Part:
    """A segment, and which of its documents still hold."""

    segment: Segment
    alive: Bool | None = None  # (documents,); None where all do

    @cached_property
    def documents(self) -> int:
        return len(self.segment) if self.alive is None else int(self.alive.sum())

    @cached_property
    def length(self) -> float:
        """The lengths of its documents together."""
        lengths = self.segment.lengths if self.alive is None else self.segment.lengths[self.alive]
        return float(lengths.sum(dtype=np.float64))

    def without(self, codes: Int32) -> Part:
        """The same without the documents of these items."""
        own = self.segment.codes
        at = np.minimum(np.searchsorted(own, codes), max(len(own) - 1, 0))
        at = at[own[at] == codes] if len(own) else at[:0]
        if not len(at) or (self.alive is not None and not self.alive[at].any()):
            return self
        alive = np.ones(len(own), bool) if self.alive is None else self.alive.copy()
        alive[at] = False
        return replace(self, alive=alive)

    def cleared(self) -> Part:
        """The same without what is dead, where that is much."""
        return self if self.documents >= (1 - DEAD) * len(self.segment) else Part(merged([(self.segment, self.alive)]))


@final
@dataclass(frozen=True, eq=False)
class Inverted:
    """Segments, of which an item is alive in one at most.

    New documents are a segment of their own, which is merged with those before it while they aren't much larger: there are about as many
    segments as the logarithm of the number of documents has digits to base 2, and each document is moved as often.
    """

    parts: tuple[Part, ...] = ()

    @cached_property
    def documents(self) -> int:
        return sum(part.documents for part in self.parts)

    @cached_property
    def mean_length(self) -> float:
        """The mean weighted number of terms of a document; 1 where there is none."""
        return sum(part.length for part in self.parts) / max(self.documents, 1) or 1.0

    def put(self, segment: Segment) -> Inverted:
        """The same with new documents, in place of those that their items had."""
        kept = [*self.without(segment.codes).parts, Part(segment)]
        while len(kept) > 1 and kept[-2].documents <= NEAR * kept[-1].documents:
            last, before = kept.pop(), kept.pop()
            kept.append(Part(merged([(before.segment, before.alive), (last.segment, last.alive)])))
        return Inverted(tuple(part for part in kept if part.documents))

    def without(self, codes: Int32) -> Inverted:
        """The same without the documents of these items."""
        parts = [part.without(codes).cleared() for part in self.parts]
        return Inverted(tuple(part for part in parts if part.documents))

    def found(self, terms: pl.Series) -> list[Int32]:
        """The numbers of these terms in each segment, -1 for none."""
        return [part.segment.find(terms) for part in self.parts]

    def frequencies(self, numbers: Sequence[Int32]) -> Int64:
        """(terms,) how many documents have each of the terms that `found` gave."""
        total = np.zeros(len(numbers[0]) if numbers else 0, np.int64)
        for part, own in zip(self.parts, numbers, strict=True):
            known = own >= 0
            starts, stops = part.segment.indptr[own[known]], part.segment.indptr[own[known] + 1]
            total[known] += stops - starts if part.alive is None else _alive(starts, stops, part.segment.rows, part.alive)
        return total

    def state(self) -> State:
        """What an artifact keeps of it."""
        arrays: dict[str, Any] = {}
        files = {}
        for number, part in enumerate(self.parts):
            own = part.segment
            fields = {name: getattr(own, name) for name in ("codes", "lengths", "indptr", "rows", "counts")}
            fields |= {} if part.alive is None else {"alive": part.alive}
            arrays |= {f"{number}_{name}": array for name, array in fields.items()}
            files[f"terms_{number}"] = pl.DataFrame({"term": own.names})
        return State({"segments": len(self.parts)}, arrays, files)

    @classmethod
    def of_state(cls, state: State) -> Inverted:
        def part(number: int) -> Part:
            own = {name: state.arrays[f"{number}_{name}"] for name in ("codes", "lengths", "indptr", "rows", "counts")}
            return Part(Segment(names=state.table(f"terms_{number}")["term"], **own), state.arrays.get(f"{number}_alive"))

        return cls(tuple(part(number) for number in range(state.config["segments"])))


@kernel
def _alive(starts, stops, rows, alive):  # pragma: no cover
    """(terms,) how many of the documents with each term are alive."""
    out = np.zeros(len(starts), np.int64)
    for term in range(len(starts)):
        for at in range(starts[term], stops[term]):
            out[term] += alive[rows[at]]
    return out
