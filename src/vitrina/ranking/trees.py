"""Boosted trees, read from the text that LightGBM writes, scored and explained without it: quickly, from any thread, in a process made by fork."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from vitrina.base.errors import ArtifactError
from vitrina.base.forest import LEAVES, Forest, Tree, float32_below
from vitrina.base.kernels import Spread
from vitrina.types import Bool, Float32, Float64, Int32, Int64


@final
@dataclass(frozen=True, eq=False, repr=False)
class Trees:
    """The sum of regression trees over named features.

    Args:
        names: of the features, in the order of their columns.
        text: as LightGBM wrote it; what an artifact keeps.

    Raises:
        ArtifactError: the text is none of LightGBM's, or its trees are of a kind that isn't read: more than 32 leaves, categories, linear leaves.
    """

    names: tuple[str, ...]
    text: bytes

    def __repr__(self) -> str:
        return f"Trees({len(self)} trees over {len(self.names)} features)"

    def __len__(self) -> int:
        return len(self._nodes.start) - 1

    def score(self, features: Float32) -> Float32:
        """(rows,) sums of the leaves of each row of `features` (rows, names). NaN goes where the tree learned to send it.

        Cost: 3 to 4 ns per tree and row on one core, where LightGBM takes 30.
        """
        return self._nodes.score(features).astype(np.float32)

    def contributions(self, features: Float32) -> Float64:
        """(rows, names) what each feature adds to the score of a row, against the mean of the rows that the trees were made of.

        Shapley values of the trees, what is unknown following the shares of rows in the nodes
        ([Lundberg et al. 2018](https://arxiv.org/abs/1802.03888)); they sum up to the score less `base`.

        Cost: leaves x depth^3 per row and tree: a few milliseconds per row for 200 trees.
        """
        paths, out = self._paths, np.zeros((len(features), len(self.names)), np.float64)
        _explain(len(features), np.ascontiguousarray(features, np.float32), paths.leaf_start, paths.value, paths.part_start, paths.feature, paths.share,
                 paths.test_start, paths.threshold, paths.right, paths.right_if_nan, _orders(paths.deepest), out)  # fmt: skip
        return out

    @cached_property
    def base(self) -> float:
        """The mean score of the rows that the trees were made of."""
        return float(sum(tree.expected for tree in self._trees))

    @cached_property
    def gains(self) -> Float64:
        """(names,) by how much the splits of each feature lowered the loss, as a share of all."""
        gains = np.zeros(len(self.names))
        for tree in self._trees:
            np.add.at(gains, tree.feature, tree.gain)
        return gains / max(gains.sum(), 1e-300)

    @cached_property
    def _trees(self) -> tuple[Tree, ...]:
        try:
            return tuple(_read(part) for part in _sections(self.text))
        except (KeyError, ValueError, UnicodeDecodeError) as error:
            raise ArtifactError(f"The trees of a ranker are not as LightGBM writes them: {error}. Fit the model again.") from error

    @cached_property
    def _nodes(self) -> Forest:
        return Forest.of(self._trees)

    @cached_property
    def _paths(self) -> _Paths:
        return _Paths.of(self._trees)


def _read(lines: Mapping[str, str]) -> Tree:
    def numbers(name: str, dtype: type = np.float64) -> NDArray[Any]:
        return np.array(lines[name].split(), dtype)

    if int(lines["num_leaves"]) > LEAVES or int(lines["num_cat"]) or int(lines["is_linear"]):
        raise ValueError(f"a tree has more than {LEAVES} leaves, categories or linear leaves")
    leaf = numbers("leaf_value")
    if len(leaf) == 1:  # no split paid
        return Tree.unsplit(float(leaf[0]))
    threshold, decision = numbers("threshold"), numbers("decision_type", np.int64)
    default_right, nan_is_missing = decision & 2 == 0, decision >> 2 & 3 == 2
    return Tree(
        numbers("split_feature", np.int32), float32_below(threshold), np.where(nan_is_missing, default_right, threshold < 0),
        numbers("left_child", np.int64), numbers("right_child", np.int64), numbers("split_gain"), numbers("internal_count"), leaf,
        numbers("leaf_count"),
    )  # fmt: skip


def _sections(text: bytes) -> list[dict[str, str]]:
    """The lines `name=value` of each tree."""
    whole = text.decode()
    if not whole.startswith("tree\n"):
        raise ValueError("it doesn't begin with 'tree'")
    parts = whole.partition("\nend of trees")[0].split("\nTree=")[1:]
    return [dict(line.split("=", 1) for line in part.splitlines() if "=" in line) for part in parts]


@dataclass(frozen=True, eq=False)
class _Paths:
    """All leaves for explaining. A leaf has parts, one per feature on its way; a part has tests, one per node of that feature.

    The share of a part is that of the training rows which its nodes let through, were the feature unknown.
    """

    leaf_start: Int64  # (leaves + 1,) parts of each leaf
    value: Float64  # (leaves,)
    part_start: Int64  # the same as leaf_start[:-1], by leaf
    feature: Int32  # (parts,)
    share: Float64  # (parts,)
    test_start: Int64  # (parts + 1,)
    threshold: Float32  # (tests,)
    right: Bool  # (tests,) whether the leaf is on the right
    right_if_nan: Bool  # (tests,)
    deepest: int

    @classmethod
    def of(cls, trees: tuple[Tree, ...]) -> _Paths:
        values: list[float] = []
        parts: list[int] = []
        feature: list[int] = []
        share: list[float] = []
        tests: list[int] = []
        nodes: list[tuple[float, bool, bool]] = []
        for tree in trees:
            for value, way in _ways(tree):
                values.append(value)
                parts.append(len(way))
                for name, (fraction, own) in way.items():
                    feature.append(name)
                    share.append(fraction)
                    tests.append(len(own))
                    nodes += own
        starts = [np.append(0, np.cumsum(lengths)).astype(np.int64) for lengths in (parts, tests)]
        thresholds, right, nan = (np.array([node[i] for node in nodes]) for i in range(3))
        return cls(
            starts[0], np.array(values), starts[0][:-1], np.array(feature, np.int32), np.array(share), starts[1],
            thresholds.astype(np.float32), right.astype(bool), nan.astype(bool), max(parts, default=0),
        )  # fmt: skip


Way = dict[int, tuple[float, list[tuple[float, bool, bool]]]]


def _ways(tree: Tree) -> list[tuple[float, Way]]:
    """For each leaf its value, and by feature the share of rows let through and the tests on the way."""
    found: list[tuple[float, Way]] = []
    open_: list[tuple[int, Way]] = [(0, {})] if len(tree.feature) else []
    while open_:
        node, way = open_.pop()
        if node < 0:
            found.append((float(tree.leaf[~node]), way))
            continue
        name = int(tree.feature[node])
        for child, right in ((int(tree.left[node]), False), (int(tree.right[node]), True)):
            fraction, own = way.get(name, (1.0, []))
            test = (float(tree.threshold[node]), right, bool(tree.right_if_nan[node]))
            open_.append((child, way | {name: (fraction * tree.rows_of(child) / float(tree.rows[node]), [*own, test])}))
    return found


def _orders(deepest: int) -> Float64:
    """[d, s]: the share of the orders of d features in which exactly s given others, and no more, come before one: s! (d - 1 - s)! / d!."""
    table = np.zeros((deepest + 1, max(deepest, 1)))
    for d in range(1, deepest + 1):
        table[d, 0] = 1 / d
        for s in range(1, d):
            table[d, s] = table[d, s - 1] * s / (d - s)
    return table


@Spread
def _explain(
    first, last, features, leaf_start, value, part_start, feature, share, test_start, threshold, right, right_if_nan, orders, out
):  # fmt: skip  # pragma: no cover
    """For each leaf and each feature i on its way: out[i] += value * (in_i - share_i) * sum over sets S of the others before it of
    orders(|S|) * product of in_j over S * product of share_j over the rest, by the coefficients of the product of (share_j + in_j t)."""
    width = orders.shape[0]
    inside, poly = np.empty(width, np.float64), np.empty(width + 1, np.float64)
    for row in range(first, last):
        for leaf in range(len(value)):
            begin, size = part_start[leaf], leaf_start[leaf + 1] - leaf_start[leaf]
            for i in range(size):
                x, through = features[row, feature[begin + i]], 1.0
                for test in range(test_start[begin + i], test_start[begin + i + 1]):
                    goes_right = right_if_nan[test] if np.isnan(x) else x > threshold[test]
                    if goes_right != right[test]:
                        through = 0.0
                inside[i] = through
            for i in range(size):
                poly[: size + 1] = 0
                poly[0] = 1
                degree = 0
                for j in range(size):
                    if j != i:
                        degree += 1
                        for s in range(degree, 0, -1):
                            poly[s] = poly[s] * share[begin + j] + poly[s - 1] * inside[j]
                        poly[0] *= share[begin + j]
                weight = 0.0
                for s in range(size):
                    weight += orders[size, s] * poly[s]
                out[row, feature[begin + i]] += value[leaf] * (inside[i] - share[begin + i]) * weight
