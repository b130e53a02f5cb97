"""The paths that lead to items, as a tree in arrays: which codes may follow, and what is left under each beginning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from vitrina.base.errors import DataError
from vitrina.types import Bool, Int32, Int64, Ragged, ranges


@final
@dataclass(frozen=True, eq=False)
class Trie:
    """A tree whose leaves are items, one path of tokens each. An item may have several leaves, each with a path of its own.

    Nodes are numbered level by level, the root first, in the order of their paths; the children of a node are the run
    `first_child[node]:first_child[node + 1]`. Leaves keep the order in which they were given: that of item codes, so that ties go to the lower one.

    >>> trie = Trie.of(np.array([[0, 2], [1, 3], [1, 2]]), np.array([7, 8, 9]))
    >>> trie.children(0), trie.token[1:3].tolist(), trie.leaves.tolist(), trie.decisive.tolist()
    (range(1, 3), [0, 1], [3, 1, 2, 1, 1, 1], [1, 2, 2])
    """

    paths: Int32  # (leaves, levels) tokens from the root on, -1 behind the end
    item: Int32  # (leaves,) item codes, ascending
    node_at: Int32  # (leaves, levels + 1) the node after so many tokens; behind the end the leaf's own
    first_child: Int32  # (nodes + 1,)
    token: Int32  # (nodes,) the token that leads to it, -1 for the root

    @classmethod
    def of(cls, paths: NDArray[np.integer], item: NDArray[np.integer]) -> Trie:
        """Of the paths (leaves, levels) to items in ascending order.

        Raises:
            DataError: two leaves have one path, or a path is the beginning of another one.
        """
        paths = np.ascontiguousarray(paths, np.int32)
        order = np.lexsort(paths.T[::-1])
        ordered, size = paths[order], 1
        differs, parent = np.zeros(len(paths), bool), np.zeros(len(paths), np.int32)
        if len(paths):
            differs[0] = True
        node_at, counts, tokens = np.zeros((len(paths), paths.shape[1] + 1), np.int32), list[Int64](), [np.array([-1], np.int32)]
        first = 0  # node of the level above
        for level in range(paths.shape[1]):
            there = ordered[:, level] >= 0
            differs[1:] |= ordered[1:, level] != ordered[:-1, level]
            begins = differs & there
            node = np.where(there, size + np.cumsum(begins, dtype=np.int32) - 1, parent).astype(np.int32)
            counts.append(np.bincount(parent[begins] - first, minlength=size - first))
            first, size = size, size + int(begins.sum())
            tokens.append(ordered[begins, level])
            node_at[order, level + 1], parent = node, node
        counts.append(np.zeros(size - first, np.int64))
        first_child = np.concatenate([[1], 1 + np.cumsum(np.concatenate(counts))]).astype(np.int32)
        _require_own_ends(parent, first_child, paths[order])
        return cls(paths, np.ascontiguousarray(item, np.int32), node_at, first_child, np.concatenate(tokens))

    def __len__(self) -> int:
        return len(self.item)

    @property
    def levels(self) -> int:
        return self.paths.shape[1]

    def children(self, node: int) -> range:
        return range(int(self.first_child[node]), int(self.first_child[node + 1]))

    @cached_property
    def leaves(self) -> Int32:
        """(nodes,) how many leaves are under each node; 1 where only one item is left, so that nothing is to be decided any more."""
        return self.counts(np.ones(len(self), bool))

    @cached_property
    def lowest(self) -> Int32:
        """(nodes,) the first leaf under each node."""
        out = np.full(len(self.token), len(self), np.int32)
        for level in range(self.levels, -1, -1):
            np.minimum.at(out, self.node_at[:, level], np.arange(len(self), dtype=np.int32))
        return out

    @cached_property
    def decisive(self) -> Int32:
        """(leaves,) after how many tokens no other leaf is left."""
        return np.argmax(self.leaves[self.node_at] == 1, axis=1).astype(np.int32)

    def counts(self, allowed: Bool) -> Int32:
        """(nodes,) how many of the `allowed` (leaves,) are under each node."""
        node_at, out = self.node_at[allowed], np.zeros(len(self.token), np.int32)
        inner = np.ones(len(node_at), bool)
        for level in range(self.levels + 1):
            out += np.bincount(node_at[inner, level], minlength=len(out)).astype(np.int32)
            if level < self.levels:
                inner = self.paths[allowed, level] >= 0  # behind its end a leaf isn't counted again
        return out

    def leaves_of(self, items: Ragged, n_items: int) -> Ragged:
        """The leaves of each row's items, each once; items without one are left out."""
        count = np.bincount(self.item, minlength=n_items)
        stop = np.cumsum(count)
        known = items.keep((items.values >= 0) & (items.values < n_items))
        lengths = count[known.values]
        rows = np.bincount(known.row_of, lengths, minlength=len(items)).astype(np.int64)
        return Ragged.of_lengths(rows, ranges((stop - count)[known.values], lengths)).unique()

    def options(self, nodes: NDArray[np.integer]) -> tuple[Int64, Int64]:
        """For each node its children: (all children,) which of the nodes it is of, and the child."""
        start, stop = self.first_child[nodes].astype(np.int64), self.first_child[np.asarray(nodes) + 1]
        return np.repeat(np.arange(len(start)), stop - start), ranges(start, stop - start)


def _require_own_ends(ends: Int32, first_child: Int32, paths: Int32) -> None:
    """Each path must end in a node of its own, from which nothing goes on."""
    inner = first_child[ends + 1] > first_child[ends]
    twice = np.append(ends[1:] == ends[:-1], False) if len(ends) else np.zeros(0, bool)
    wrong = np.flatnonzero(inner | twice)
    if len(wrong):
        path = [token for token in paths[wrong[0]].tolist() if token >= 0]
        raise DataError(
            f"Each item needs a path of codes of its own, which is not the beginning of another one. {path} leads to several: take "
            "`codes.distinct`, which has one more digit where codes collide."
        )
