"""The vectors behind an index: those of the last time that all were written together, those that changed since, and a graph of them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, final

import numpy as np

from vitrina.base.arrays import Bool, Float32, Int32
from vitrina.base.state import State
from vitrina.retrieve.graph import Graph
from vitrina.retrieve.products import ItemVectors

LATE = 0.05  # of the vectors: where more have changed, all are written together again
FEW = 4096  # so many may have changed in any case
CONNECTIVITY, BUILD, SEARCH = 16, 96, 256  # of the graph
ASKED, BEST = 100, 10  # items that are asked for what is nearest to them, to see what the graph misses


@dataclass
class Kept:
    """What is made of a base when it is first needed."""

    graph: tuple[Graph, float] | None = None
    described: Bool | None = None
    making: Any = field(default_factory=threading.Lock)


@final
@dataclass(frozen=True, eq=False)
class VectorTable:
    """Rows of length 1 of the items of an index, zeros where one says nothing. It never changes: `put` gives another one, which shares the large part.

    Args:
        base: (written, dim)
        late: (changed,) items, ascending, whose vectors are others than those of the base, or beyond it.
        of_late: (changed, dim)
    """

    base: Float32
    late: Int32 = field(default_factory=lambda: np.empty(0, np.int32))
    of_late: Float32 = field(default_factory=lambda: np.empty((0, 0), np.float32))
    kept: Kept = field(default_factory=Kept)

    @property
    def dim(self) -> int:
        return self.base.shape[1]

    def put(self, codes: Int32, vectors: Float32, items: int) -> VectorTable:
        """The same with the vectors of these items, of a vocabulary of so many."""
        held = ~np.isin(self.late, codes)
        late = np.concatenate([self.late[held], codes])
        order = np.argsort(late)
        of_late = np.concatenate([self.of_late[held].reshape(-1, self.dim), vectors])[order]
        changed = replace(self, late=late[order], of_late=of_late)
        return changed if len(late) <= max(LATE * len(self.base), FEW) and len(self.base) else VectorTable(changed.whole(items))

    def whole(self, items: int) -> Float32:
        """(items, dim) all of them; a copy where any is late."""
        if not len(self.late) and len(self.base) == items:
            return self.base
        out = np.zeros((items, self.dim), np.float32)
        out[: len(self.base)] = self.base
        out[self.late] = self.of_late
        return out

    def items(self, count: int) -> ItemVectors:
        """What products are made of, for a vocabulary of so many items."""
        described = np.zeros(count, bool)
        described[: len(self.base)] = self.described
        described[self.late] = self.of_late.any(axis=1)
        return ItemVectors(self.base, described, self.late, self.of_late)

    @cached_property
    def described(self) -> Bool:
        """(written,) which rows of the base are vectors."""
        if self.kept.described is None:
            self.kept.described = np.asarray(self.base.any(axis=1))
        return self.kept.described

    def state(self, items: int) -> State:
        """What an artifact keeps of it, for a vocabulary of so many items: the graph where one was made, if nothing changed since."""
        whole, made = self.whole(items), self.kept.graph
        if made is None or whole is not self.base:
            return State({}, {"vectors": whole})
        return State({"found": made[1]}, {"vectors": whole, "graph_items": made[0].items}, {"graph": made[0].to_bytes()})

    @classmethod
    def of_state(cls, state: State) -> VectorTable:
        """The inverse of `state`."""
        written, vectors = state.files.get("graph"), np.asarray(state.arrays["vectors"])
        if not isinstance(written, bytes):
            return cls(vectors)
        graph = Graph.of_bytes(state.arrays["graph_items"], written, SEARCH)
        return cls(vectors, kept=Kept((graph, state.config["found"])))

    def graph(self) -> tuple[Graph, float]:
        """A graph of the base, and the share of the exact best that it finds; it is made once, and later tables of the same base have it.

        Cost: a millisecond per item, on one core.
        """
        with self.kept.making:
            if self.kept.graph is None:
                graph = Graph.of(self.base, np.flatnonzero(self.described).astype(np.int32), CONNECTIVITY, BUILD, SEARCH)
                self.kept.graph = graph, found_of_exact(graph, self.base)
            return self.kept.graph


def found_of_exact(graph: Graph, vectors: Float32) -> float:
    """The share of the nearest ten of some items, by all products, that the graph finds; 1 where there are no items."""
    if not len(graph.items):
        return 1.0
    asked = vectors[np.random.default_rng(0).choice(graph.items, min(ASKED, len(graph.items)), replace=False)]
    best = min(BEST, len(graph.items))
    exact = np.argpartition(-(vectors @ asked.T), best - 1, axis=0)[:best].T
    found = graph.nearest(asked, SEARCH)
    return float(np.mean([np.isin(one, other).mean() for one, other in zip(exact, found, strict=True)]))
