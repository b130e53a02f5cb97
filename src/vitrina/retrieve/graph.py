"""An approximate index of item vectors: a graph through which a search walks towards the largest products (usearch, extra `index`)."""

from __future__ import annotations

import threading
from typing import Any, final

import numpy as np

from vitrina.base.errors import MissingExtraError
from vitrina.types import Float32, Int32

LENGTH = 0.99  # which quantile of the lengths items are brought to


def usearch_index() -> Any:
    """The class of usearch's indexes.

    Raises:
        MissingExtraError: usearch isn't installed.
    """
    try:
        from usearch.index import Index  # noqa: PLC0415  an extra
    except ImportError:
        raise MissingExtraError.of("usearch", "index", "An approximate index") from None
    return Index


@final
class Graph:
    """A hierarchical navigable small world graph ([Malkov and Yashunin 2016](https://arxiv.org/abs/1603.09320)) of item vectors.

    The largest product is made the smallest distance by one more dimension, which brings items to one length: sqrt(length^2 - |v|^2) of an item, 0
    of a history ([Bachrach et al. 2014](https://doi.org/10.1145/2645710.2645741)). Without it long vectors draw all edges to themselves. The length is that of
    the 99th percentile: by that of the longest, a few that are much longer than the rest would leave the rest alike but for that dimension.

    Args:
        items: (indexed,) codes of what is in it, ascending.
        index: of usearch.
    """

    def __init__(self, items: Int32, index: Any) -> None:
        self.items, self.index = items, index
        self.searching = threading.Lock()  # an index has as many places for searches as there are cores, which one search of a batch takes

    @classmethod
    def of(cls, vectors: Float32, items: Int32, connectivity: int, build: int, search: int) -> Graph:
        """Of the vectors of `items`; one after the other, on one core, so that the same vectors make the same graph.

        Cost: items x build products of vectors, and as much memory as the vectors, and 10 bytes per edge.
        """
        own = vectors[items]
        squares = np.einsum("id,id->i", own, own, dtype=np.float64)
        length = np.quantile(squares, LENGTH) if len(items) else 0
        rest = np.sqrt(np.maximum(length - squares, 0)).astype(np.float32)
        made = usearch_index()(
            ndim=own.shape[1] + 1, metric="ip", dtype="f32", connectivity=connectivity, expansion_add=build, expansion_search=search
        )
        if len(items):
            made.add(np.arange(len(items), dtype=np.uint64), np.column_stack([own, rest]), threads=1)
        return cls(items, made)

    def to_bytes(self) -> bytes:
        """The graph and the vectors, as usearch writes them; `items` are beside it."""
        return bytes(self.index.save())

    @classmethod
    def of_bytes(cls, items: Int32, written: bytes, search: int) -> Graph:
        """The inverse of `to_bytes`."""
        index = usearch_index().restore(written)
        index.expansion_search = search
        return cls(items, index)

    def nearest(self, states: Float32, n: int) -> Int32:
        """(queries, n) codes of items of large products, -1 where no more were found. Each query is searched for by itself."""
        out = np.full((len(states), n), -1, np.int32)
        if len(states) and len(self.items):
            asked = np.column_stack([states, np.zeros(len(states), np.float32)])
            with self.searching:
                found = self.index.search(asked, n)
            keys = np.atleast_2d(found.keys)  # of a single query those alone that were found
            counts = found.counts if len(states) > 1 else np.array([keys.shape[1]])
            there = np.arange(keys.shape[1]) < counts[:, None]
            out[:, : keys.shape[1]][there] = self.items[keys[there].astype(np.int64)]
        return out
