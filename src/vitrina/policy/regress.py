"""Two regressions that need no tuning: a ridge in closed form, and boosted trees. Whatever else has `fit` and `predict` stands in their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vitrina.base.config import Config
from vitrina.base.errors import MissingExtraError
from vitrina.base.forest import LEAVES, Forest, Tree, float32_below
from vitrina.base.state import State
from vitrina.types import Float32, Float64

GRID = 10.0 ** np.arange(-6, 3)  # penalties that are tried, per row
FLAT = 1e-9  # of the largest eigenvalue: directions that don't vary


class Model(Protocol):
    """What learns a reward: `fit` may return the fitted thing or itself."""

    def fit(self, X: Any, y: Any) -> Any: ...

    def predict(self, X: Any) -> Any: ...


@final
class Ridge(Config):
    """Linear regression with a penalty on the squares of coefficients, not on the intercept: coef = (X'X + l2 I)^-1 X'y for centred X and y.

    Args:
        l2: the penalty per row, on standardised columns; None: of 1e-6 to 100 that with the least generalised cross-validation error
            ([Golub, Heath and Wahba 1979](https://doi.org/10.1080/00401706.1979.10489751)).

    Cost: rows x columns^2.

    >>> Ridge().fit(np.array([[0.0], [1], [2]], np.float32), np.array([1.0, 3, 5])).predict([[3]]).round(3).tolist()
    [7.0]
    """

    l2: float | None = Field(default=None, ge=0)

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Linear:
        X, y = np.asarray(X, np.float64), np.asarray(y, np.float64)
        centre, mean = X.mean(axis=0), float(y.mean())
        X, y = X - centre, y - mean
        sizes, axes = np.linalg.eigh(X.T @ X)
        sizes, along = np.maximum(sizes, 0.0), axes.T @ (X.T @ y)
        varies = sizes > FLAT * sizes.max(initial=0.0)
        sizes, along, axes = sizes[varies], along[varies], axes[:, varies]
        penalty = len(y) * (self.l2 if self.l2 is not None else _best(sizes, along, float(y @ y), len(y)))
        coef = axes @ (along / (sizes + penalty))
        left = float(((y - X @ coef) ** 2).sum()) / max(len(y) - 1 - float((sizes / (sizes + penalty)).sum()), 1.0)
        return Linear(coef, mean - float(centre @ coef), centre, axes * np.sqrt(left / (sizes + penalty)), left / len(y))


def _best(sizes: Float64, along: Float64, total: float, rows: int) -> float:
    """The penalty per row of the least error n RSS / (n - 1 - df)^2."""

    def error(l2: float) -> float:
        inner = sizes + rows * l2
        left = total - 2 * float((along**2 / inner).sum()) + float((sizes * along**2 / inner**2).sum())
        return left / max(rows - 1 - float((sizes / inner).sum()), 0.5) ** 2

    return float(min(GRID, key=error))


@final
@dataclass(frozen=True, eq=False)
class Linear:
    """A fitted ridge: X @ coef + intercept.

    Args:
        centre: (columns,) the mean of X.
        spread: (columns, directions) whose product with its transpose is the posterior covariance of the coefficients.
        base: the variance of the prediction at the mean of X.
    """

    coef: Float64  # (columns,)
    intercept: float
    centre: Float64
    spread: Float64
    base: float

    def predict(self, X: Any) -> Float64:
        return np.asarray(X, np.float64) @ self.coef + self.intercept

    def error(self, X: Any) -> Float64:
        """(rows,) standard errors of predictions, were the truth linear."""
        return np.sqrt(self.base + (((np.asarray(X, np.float64) - self.centre) @ self.spread) ** 2).sum(axis=1))

    @classmethod
    def zero(cls, columns: int) -> Linear:
        """What is 0 for everybody, and known to be."""
        return cls(np.zeros(columns), 0.0, np.zeros(columns), np.zeros((columns, 0)), 0.0)

    def state(self) -> State:
        return State({"intercept": self.intercept, "base": self.base}, {"coef": self.coef, "centre": self.centre, "spread": self.spread})

    @classmethod
    def of_state(cls, state: State) -> Linear:
        return cls(intercept=state.config["intercept"], base=state.config["base"], **state.arrays)


@final
class Boosting(Config):
    """Gradient-boosted trees by scikit-learn's histograms of features, kept as arrays: scoring them needs no scikit-learn.

    Growing stops when a tenth of the rows, which the trees don't see, has not gained for `patience` rounds.

    Args:
        rounds: trees at most.
        learning_rate: what is taken of each.
        leaves: of a tree at most.
        min_rows: of a leaf at least.
        patience: rounds.
        seed: of the tenth.

    Cost: some 0.2 s per 100,000 rows, 10 columns and 100 trees on one core; scoring takes 4 ns per tree and row.
    """

    rounds: int = Field(default=200, ge=1)
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    leaves: int = Field(default=4, ge=2, le=LEAVES)
    min_rows: int = Field(default=200, ge=1)
    patience: int = Field(default=20, ge=1)
    seed: int = Field(default=0, ge=0)

    def fit(self, X: NDArray[Any], y: NDArray[Any], *, rising: tuple[int, ...] | None = None) -> Boosted:
        """Learn from X (rows, columns) and y (rows,).

        Args:
            rising: for each column 1 where the prediction must never fall with it, -1 where it must never rise, else 0.

        Raises:
            MissingExtraError: scikit-learn isn't installed.
        """
        try:
            from sklearn.ensemble import HistGradientBoostingRegressor  # noqa: PLC0415  an extra
        except ImportError:
            raise MissingExtraError.of("scikit-learn", "policy", "Boosting") from None
        X, y = np.ascontiguousarray(X, np.float32), np.asarray(y, np.float64)
        if not X.shape[1]:
            return Boosted(Forest.of(()), float(y.mean()))
        grown = HistGradientBoostingRegressor(
            max_iter=self.rounds, learning_rate=self.learning_rate, max_leaf_nodes=self.leaves, min_samples_leaf=self.min_rows, early_stopping=len(y) >= 10 * self.min_rows,  # pyright: ignore[reportArgumentType]  its stub knows the texts only
            n_iter_no_change=self.patience, validation_fraction=0.1, random_state=self.seed, monotonic_cst=rising,
        ).fit(X, y)  # fmt: skip
        trees = tuple(_tree_of(predictor.nodes) for stage in grown._predictors for predictor in stage)
        return Boosted(Forest.of(trees), float(np.ravel(grown._baseline_prediction)[0]))


def _tree_of(nodes: Any) -> Tree:
    """A tree of scikit-learn: one table of inner nodes and leaves, a child after its parent."""
    leaf = nodes["is_leaf"].astype(bool)
    if leaf[0]:
        return Tree.unsplit(float(nodes["value"][0]))
    code = np.where(leaf, ~(np.cumsum(leaf) - 1), np.cumsum(~leaf) - 1)
    inner, leaves = nodes[~leaf], nodes[leaf]
    return Tree(
        inner["feature_idx"].astype(np.int32), float32_below(inner["num_threshold"]), inner["missing_go_to_left"] == 0, code[inner["left"]], code[inner["right"]],
        inner["gain"].astype(np.float64), inner["count"].astype(np.float64), leaves["value"].astype(np.float64), leaves["count"].astype(np.float64),
    )  # fmt: skip


@final
@dataclass(frozen=True, eq=False)
class Boosted:
    """Fitted trees: their sum, and what they started from."""

    forest: Forest
    start: float

    def predict(self, X: Float32) -> Float64:
        return self.forest.score(np.asarray(X, np.float32)) + self.start

    def state(self) -> State:
        return State({"start": self.start}, vars(self.forest))

    @classmethod
    def of_state(cls, state: State) -> Boosted:
        return cls(Forest(**state.arrays), state.config["start"])
