"""The best small tree of all, over scores of arms: a policy that prints as a few rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from vitrina.base.errors import MemoryBudgetError
from vitrina.base.kernels import kernel
from vitrina.base.printing import as_text, decimals, fixed
from vitrina.base.state import State
from vitrina.policy.encoder import MISSING, Encoder
from vitrina.policy.policies import one_hot, within
from vitrina.policy.units import Units
from vitrina.types import Float32, Float64, Int32, Int64

WORK = 1e10  # additions that a search may take: a minute or two on one core
NONE = -1  # the column of a node that is a leaf
GAIN = 1e-9  # by which a tree must be better than a smaller one, as a share: sums in another order differ by less


@final
@dataclass(frozen=True, eq=False, repr=False)
class TreePolicy:
    """A tree whose leaves are arms. Node i goes to 2 i + 1 where its column is at most the threshold, else to 2 i + 2.

    Who may not get the arm of the leaf gets the first arm, in the order of the arms, that is allowed.

    Args:
        encoder: of features.
        arms: their names.
        column: (nodes,) place in `encoder.names`; -1 for a leaf.
        threshold: (nodes,) on the scale of the encoder.
        arm: (nodes,) of leaves; -1 elsewhere.
        share: (nodes,) of the rows it was fitted on.
        value: (nodes, arms) mean score of each arm for those rows. That of the arm chosen is too good: it was chosen for it.
        error: (nodes, arms) standard error of that.
    """

    encoder: Encoder
    arms: tuple[str, ...]
    column: Int32
    threshold: Float32
    arm: Int32
    share: Float64
    value: Float64
    error: Float64

    def leaves(self, units: Units) -> Int64:
        """(units,) the node of the leaf that each unit is in."""
        return _leaves(self.encoder.matrix(units), self.column, self.threshold)

    def probabilities(self, units: Units) -> Float64:
        """(units, arms) 1 for the arm of the leaf."""
        return one_hot(within(self.arm[self.leaves(units)], units.allowed), len(self.arms))

    def values(self, units: Units) -> tuple[Float64, Float64]:
        """(units, arms) mean scores of the leaf of each unit, and their errors."""
        leaves = self.leaves(units)
        return self.value[leaves], self.error[leaves]

    @property
    def rules(self) -> pl.DataFrame:
        """A row per leaf: rule, arm, share (of the rows it was fitted on), value (of the arm there), and the value of the arm that is best for all."""
        common = int((self.share[:, None] * self.value)[self.arm >= 0].sum(axis=0).argmax())
        rows = [
            (
                " and ".join(way) or "everybody",
                self.arms[self.arm[node]],
                self.share[node],
                self.value[node, self.arm[node]],
                self.value[node, common],
            )
            for node, way in self._ways(0, ())
        ]
        schema = {
            "rule": pl.String,
            "arm": pl.String,
            "share": pl.Float64,
            "value": pl.Float64,
            f"value of {self.arms[common]}": pl.Float64,
        }
        return pl.DataFrame(rows, schema, orient="row")

    def _ways(self, node: int, way: tuple[str, ...]) -> list[tuple[int, tuple[str, ...]]]:
        """Each leaf below a node with the tests on the way to it."""
        if self.column[node] == NONE:
            return [(node, way)]
        low, high = self._tests(node)
        return self._ways(2 * node + 1, (*way, low)) + self._ways(2 * node + 2, (*way, high))

    def _tests(self, node: int) -> tuple[str, str]:
        """The test of a node and its contrary, in words."""
        at, name = int(self.column[node]), self.encoder.names[int(self.column[node])]
        if at >= self.encoder.numbers.height:
            if name.endswith(f" {MISSING}"):
                what = name.removesuffix(f" {MISSING}")
                return f"{what} is known", f"{what} is not known"
            what, _, level = name.rpartition(" = ")
            return f"{what} is not {level}", f"{what} is {level}"
        _, mean, scale, gaps = self.encoder.numbers.row(at)
        cut = f"{float(self.threshold[node]) * scale + mean:.4g}"
        counts = f" (not known counts as {mean:.4g})" if gaps else ""
        return f"{name} ≤ {cut}{counts}", f"{name} > {cut}{counts}"

    def __repr__(self) -> str:
        return f"TreePolicy({int((self.arm >= 0).sum())} leaves, {len(self.arms)} arms)"

    def __str__(self) -> str:
        return as_text(self)

    def __rich__(self) -> Any:
        from rich.table import Table  # noqa: PLC0415  who prints

        rules = self.rules
        table = Table("", box=None, header_style="bold", pad_edge=False)
        places = decimals([*rules["value"], *rules[:, 4]])
        table.add_column("arm")
        for heading in ("share", *rules.columns[3:]):
            table.add_column(heading, justify="right")
        for rule, arm, share, value, common in rules.iter_rows():
            table.add_row(rule, arm, f"{share:.1%}", fixed(value, places), fixed(common, places))
        return table

    def examples(self) -> Units:
        """Units that nobody is, to ask it about."""
        return self.encoder.examples(self.arms)

    def state(self) -> State:
        names = ("column", "threshold", "arm", "share", "value", "error")
        return State({"arms": self.arms}, {name: getattr(self, name) for name in names}, children={"encoder": self.encoder})

    @classmethod
    def of_state(cls, state: State) -> TreePolicy:
        return cls(state.children["encoder"], tuple(state.config["arms"]), **state.arrays)  # pyright: ignore[reportArgumentType]


def grown(units: Units, scores: Float64, *, depth: int, bins: int, min_rows: int) -> TreePolicy:
    """The tree with the largest sum of scores, of all whose tests are among the offered ones.

    Args:
        units: (n rows) features, and arms that are allowed.
        scores: (n, arms).
        depth: tests on the way to a leaf, at most.
        bins: parts that the values of a column are cut into, at quantiles; all of them where there are no more different values.
        min_rows: of a leaf.

    Raises:
        MemoryBudgetError: the search would take more than a minute or two.

    Cost: depth 1: rows x columns; depth 2: rows x columns^2 additions per arm, and columns^2 x bins^2; each further level multiplies it by columns x bins.
    """
    encoder = Encoder.of(units)
    matrix = encoder.matrix(units)
    codes, cuts = _binned(matrix, bins)
    tests, arms = sum(map(len, cuts)), scores.shape[1]
    work = len(units) * arms * len(cuts) * (1 if depth < 2 else len(cuts)) * max(tests, 1) ** max(depth - 2, 0)
    if work > WORK:
        raise MemoryBudgetError(
            f"A tree of depth {depth} over {len(cuts)} columns and {len(units):,} rows takes some {work:.0e} additions, and more than {WORK:.0e} are minutes and hours. "
            "Take depth=2, fewer bins, fewer features, or a sample of the rows: log.rows(...)."
        )
    scores = _as_given(scores, units)
    nodes = 2 ** (depth + 1) - 1
    column, threshold, arm = np.full(nodes, NONE, np.int32), np.zeros(nodes, np.float32), np.full(nodes, NONE, np.int32)
    edges = np.array([len(c) for c in cuts], np.int64)
    for at, own, part, leaf in _places(_search(codes, np.ascontiguousarray(scores), edges, depth, min_rows)[1]):
        column[at], threshold[at], arm[at] = own, cuts[own][part] if own != NONE else 0.0, leaf
    leaf = _leaves(matrix, column, threshold)
    return TreePolicy(encoder, units.arms, column, threshold, arm, *_told(leaf, scores, nodes))


def _as_given(scores: Float64, units: Units) -> Float64:
    """Scores of what a unit would get: where an arm isn't allowed, those of the first that is."""
    if units.allowed is None:
        return scores
    first = scores[np.arange(len(scores)), units.allowed.argmax(axis=1)]
    return np.where(units.allowed, scores, first[:, None])


def _told(leaf: Int64, scores: Float64, nodes: int) -> tuple[Float64, Float64, Float64]:
    """Share of the rows, mean scores and their errors, by leaf; NaN-free: zeros for other nodes."""
    counts = np.bincount(leaf, minlength=nodes)
    some = np.maximum(counts, 1)[:, None]
    sums = np.stack([np.bincount(leaf, column, nodes) for column in scores.T], axis=1)
    squares = np.stack([np.bincount(leaf, column**2, nodes) for column in scores.T], axis=1)
    mean = sums / some
    variance = np.maximum(squares / some - mean**2, 0.0) / np.maximum(some - 1, 1)
    return counts / max(len(leaf), 1), mean, np.sqrt(variance)


def _binned(matrix: Float32, bins: int) -> tuple[NDArray[np.uint8], list[Float32]]:
    """(rows, columns) the part of each value, and the thresholds between parts of each column."""
    codes, cuts = np.zeros(matrix.shape, np.uint8), []
    for at in range(matrix.shape[1]):
        values = np.unique(matrix[:, at])
        if len(values) > bins:
            values = np.unique(np.quantile(matrix[:, at], np.linspace(0, 1, bins + 1), method="inverted_cdf"))
        between = ((values[:-1].astype(np.float64) + values[1:]) / 2).astype(np.float32)
        cuts.append(
            np.where(between >= values[1:], values[:-1], between).astype(np.float32)
        )  # neighbours in float32 have nothing between them
        codes[:, at] = np.searchsorted(cuts[-1], matrix[:, at], side="left")
    return codes, cuts


Node = int | tuple[int, int, Any, Any]  # the arm of a leaf; or a column, the last part that goes low, and the nodes below


def _search(codes: NDArray[np.uint8], scores: Float64, edges: Int64, depth: int, min_rows: int) -> tuple[float, Node]:
    """The best tree of these rows, and its sum of scores.

    The last two levels are searched in tables of sums by the parts of two columns; above them every test is tried.
    """
    sums = scores.sum(axis=0)
    best: tuple[float, Node] = float(sums.max()), int(sums.argmax())
    if depth == 0 or len(scores) < 2 * min_rows or not edges.sum():
        return best
    if depth <= 2:
        value, own = _shallow(codes, scores, edges, min_rows, depth == 2)
        return (value, _node_of(own)) if value > best[0] + GAIN * abs(best[0]) else best
    for column in range(len(edges)):
        for part in range(edges[column]):
            low = codes[:, column] <= part
            if min(low.sum(), (~low).sum()) < min_rows:
                continue
            (less, below), (more, above) = (_search(codes[side], scores[side], edges, depth - 1, min_rows) for side in (low, ~low))
            if less + more > best[0] + GAIN * abs(best[0]):
                best = less + more, (column, part, below, above)
    return best


def _node_of(own: Int32) -> Node:
    """What `_shallow` found: a root, and for each side a column (-1: a leaf), a part and the arms of two leaves."""
    root, part, *sides = own.tolist()
    low, high = (arm if column == NONE else (column, at, arm, other) for column, at, arm, other in (sides[:4], sides[4:]))
    return root, part, low, high


def _places(node: Node, at: int = 0) -> Iterator[tuple[int, int, int, int]]:
    """Place, column, part and arm of each node below."""
    if isinstance(node, int):
        yield at, NONE, 0, node
        return
    column, part, low, high = node
    yield at, column, part, NONE
    yield from _places(low, 2 * at + 1)
    yield from _places(high, 2 * at + 2)


@kernel
def _shallow(codes, scores, edges, min_rows, two):  # pragma: no cover
    """The best tree with one test, or with two levels of them: its sum, and root column and part, then column, part and two arms per side."""
    n, arms = scores.shape
    others, most = len(edges) if two else 1, edges.max() + 1
    best, own = -np.inf, np.full(10, -1, np.int32)
    low, high = np.zeros((others, most, arms + 1)), np.zeros((others, most, arms + 1))
    for c in range(len(edges)):
        if edges[c] == 0:
            continue
        sums = np.zeros((edges[c] + 1, others, most, arms + 1))  # by the part of c, and that of another column; the last arm counts rows
        for i in range(n):
            for k in range(others):
                for a in range(arms):
                    sums[codes[i, c], k, codes[i, k] if two else 0, a] += scores[i, a]
                sums[codes[i, c], k, codes[i, k] if two else 0, arms] += 1.0
        low[:], high[:] = 0.0, 0.0
        for p in range(edges[c] + 1):
            high += sums[p]
        for p in range(edges[c]):
            low += sums[p]
            high -= sums[p]
            rows = low[0, :, arms].sum()
            if rows < min_rows or n - rows < min_rows:
                continue
            left, right = _best_of(low, edges, min_rows, two), _best_of(high, edges, min_rows, two)
            if left[0] + right[0] > best:
                best = left[0] + right[0]
                own[0], own[1] = c, p
                own[2], own[3], own[4], own[5] = left[1], left[2], left[3], left[4]
                own[6], own[7], own[8], own[9] = right[1], right[2], right[3], right[4]
    return best, own


@kernel
def _best_of(sums, edges, min_rows, two):  # pragma: no cover
    """The best leaf or single test of the rows of sums (columns, parts, arms + 1): value, column, part, arm below, arm above."""
    arms = sums.shape[2] - 1
    total, low = np.zeros(arms + 1), np.zeros(arms + 1)
    for p in range(sums.shape[1]):
        total += sums[0, p]
    arm = np.argmax(total[:arms])
    best, column, part, low_arm, high_arm = total[arm], -1, 0, arm, arm
    if two:
        for k in range(len(edges)):
            low[:] = 0.0
            for p in range(edges[k]):
                low += sums[k, p]
                if low[arms] < min_rows or total[arms] - low[arms] < min_rows:
                    continue
                below, above = 0, 0
                for a in range(1, arms):
                    below = a if low[a] > low[below] else below
                    above = a if total[a] - low[a] > total[above] - low[above] else above
                value = low[below] + total[above] - low[above]
                if value > best + GAIN * abs(best):
                    best, column, part, low_arm, high_arm = value, k, p, below, above
    return best, column, part, low_arm, high_arm


def _leaves(matrix: Float32, column: Int32, threshold: Float32) -> Int64:
    """(rows,) the leaf of each row."""
    node, rows = np.zeros(len(matrix), np.int64), np.arange(len(matrix))
    while True:
        inner = column[node] != NONE
        if not inner.any():
            return node
        at = node[inner]
        node[inner] = 2 * at + 1 + (matrix[rows[inner], column[at]] > threshold[at])
