"""Regression trees, scored quickly, from any thread, in a process made by fork; whoever grew them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitrina.base.arrays import Bool, Float32, Float64, Int32, Int64
from vitrina.base.kernels import Spread

LEAVES = 32  # of a tree at most: a bit of a word each
LANES = 64  # rows that go through a tree side by side
DE_BRUIJN = 0x077CB531  # a power of two times it has each of the 32 values in its highest 5 bits
ALL = np.uint32(0xFFFFFFFF)
BIT = np.empty(LEAVES, np.int64)
BIT[[(DE_BRUIJN << bit & 0xFFFFFFFF) >> 27 for bit in range(LEAVES)]] = np.arange(LEAVES)


@dataclass(frozen=True, eq=False)
class Tree:
    """One tree: inner nodes, whose children below 0 are leaves (~child)."""

    feature: Int32  # (nodes,)
    threshold: Float32  # (nodes,) a row goes right where it is above
    right_if_nan: Bool  # (nodes,)
    left: Int64  # (nodes,)
    right: Int64  # (nodes,)
    gain: Float64  # (nodes,)
    rows: Float64  # (nodes,) of the training part
    leaf: Float64  # (leaves,)
    leaf_rows: Float64  # (leaves,)

    @classmethod
    def unsplit(cls, value: float) -> Tree:
        """A tree that is one leaf."""
        none, places = np.empty(0), np.empty(0, np.int64)
        return cls(
            places.astype(np.int32), none.astype(np.float32), none.astype(bool), places, places, none, none, np.array([value]), np.ones(1)
        )

    @property
    def expected(self) -> float:
        return float(self.leaf @ self.leaf_rows / self.leaf_rows.sum())

    def rows_of(self, child: int) -> float:
        return float(self.rows[child] if child >= 0 else self.leaf_rows[~child])


@dataclass(frozen=True, eq=False)
class Forest:
    """The sum of trees, made for scoring: tree t has the nodes start[t]..start[t + 1]-1.

    A tree is kept as its leaves from left to right, and for each inner node the leaves that are left when its condition sends a row to
    the right: a word of bits. The leaf of a row is the first that no node has taken away
    ([Lucchese et al. 2015](https://doi.org/10.1145/2766462.2767733)). Every node is looked at, by 64 rows at once and without a branch, which is
    eight times as quick as walking.
    """

    start: Int64  # (trees + 1,)
    feature: Int32
    threshold: Float32
    right_if_nan: Bool
    kept: NDArray[np.uint32]  # the leaves that are left when a row goes right
    value: Float64  # (trees, 32) leaves from left to right

    @classmethod
    def of(cls, trees: tuple[Tree, ...]) -> Forest:
        kept, value = [np.empty(0, np.uint32)], np.zeros((len(trees), LEAVES))
        for t, tree in enumerate(trees):
            words, leaves = np.zeros(len(tree.feature), np.uint32), _leaves_below(tree)
            if leaves:
                value[t, : len(tree.leaf)] = tree.leaf[[*leaves[0][0], *leaves[0][1]]]
                place = {leaf: at for at, leaf in enumerate([*leaves[0][0], *leaves[0][1]])}
                words = np.array([~sum(1 << place[leaf] for leaf in leaves[n][0]) & 0xFFFFFFFF for n in range(len(words))], np.uint32)
            else:
                value[t, 0] = tree.leaf[0]
            kept.append(words)
        start = np.append(0, np.cumsum([len(tree.feature) for tree in trees])).astype(np.int64)
        joined = (
            {n: np.concatenate([getattr(tree, n) for tree in trees]) for n in ("feature", "threshold", "right_if_nan")} if trees else {}
        )
        empty = {"feature": np.empty(0, np.int32), "threshold": np.empty(0, np.float32), "right_if_nan": np.empty(0, bool)}
        return cls(start, **(joined or empty), kept=np.concatenate(kept), value=value)

    def __len__(self) -> int:
        return len(self.start) - 1

    def score(self, features: Float32) -> Float64:
        """(rows,) sums of the leaves of each row of `features`. NaN goes where the tree learned to send it.

        Cost: 3 to 4 ns per tree and row on one core.
        """
        matrix, out = np.ascontiguousarray(features, np.float32), np.empty(len(features), np.float64)
        _score_blocks(
            -(-len(matrix) // LANES), matrix, self.start, self.feature, self.threshold, self.right_if_nan, self.kept, self.value, out
        )
        return out


def _leaves_below(tree: Tree) -> dict[int, tuple[list[int], list[int]]]:
    """For each inner node its leaves on the left and on the right, in that order."""
    below: dict[int, tuple[list[int], list[int]]] = {}

    def of(child: int) -> list[int]:
        return [~child] if child < 0 else [*below[child][0], *below[child][1]]

    for node in reversed(range(len(tree.feature))):  # a child has a higher number than its parent
        below[node] = of(int(tree.left[node])), of(int(tree.right[node]))
    return below


@Spread
def _score_blocks(first, last, features, start, feature, threshold, right_if_nan, kept, value, out):  # pragma: no cover
    """Blocks of LANES rows; features are turned, so that a node reads its own in one run."""
    columns = np.empty((features.shape[1], LANES), np.float32)
    left, total = np.empty(LANES, np.uint32), np.empty(LANES, np.float64)
    for block in range(first, last):
        begin = block * LANES
        rows = min(LANES, len(features) - begin)
        for lane in range(LANES):
            for f in range(features.shape[1]):
                columns[f, lane] = features[begin + min(lane, rows - 1), f]
        total[:] = 0
        for t in range(len(start) - 1):
            left[:] = ALL
            for node in range(start[t], start[t + 1]):
                column, most, word = columns[feature[node]], threshold[node], kept[node]
                if right_if_nan[node]:
                    for lane in range(LANES):
                        left[lane] &= ALL if column[lane] <= most else word
                else:
                    for lane in range(LANES):
                        left[lane] &= word if column[lane] > most else ALL
            for lane in range(LANES):
                lowest = left[lane] & (~left[lane] + np.uint32(1))
                total[lane] += value[t, BIT[np.uint32(lowest * np.uint32(DE_BRUIJN)) >> np.uint32(27)]]
        for lane in range(rows):
            out[begin + lane] = total[lane]


def float32_below(threshold: Float64) -> Float32:
    """The largest float32 that is not above: any float32 is above the one where it is above the other."""
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)
