"""The ranker on LightGBM: boosted trees that are taught by the order of each query."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from pydantic import Field

from vitrina.base.errors import MissingExtraError, ParameterError
from vitrina.base.state import State
from vitrina.ranking.ranker import Examples, FittedRanker, Ranker
from vitrina.ranking.trees import LEAVES, Trees
from vitrina.types import Float32, Float64

PURPOSE = "The ranker LambdaRank"
LEVELS = 32  # of gains: LightGBM learns from grades


@final
class LambdaRank(Ranker):
    """Boosted trees of LightGBM (the extra `rank`) on the gradient of nDCG.

    For two items of a query with gains g_i > g_j the loss is log(1 + exp(s_j - s_i)) times by how much swapping the two would change nDCG
    ([Burges 2010](https://www.microsoft.com/en-us/research/publication/from-ranknet-to-lambdarank-to-lambdamart-an-overview/)). Training ends when nDCG@10 of the
    held-out queries hasn't risen for `patience` trees, and the trees up to the best are kept. More than 32 different gains become 32 grades of
    the same number of pairs, each by its mean. One thread and a fixed seed: the same examples give the same trees.

    Args:
        trees: at most.
        leaves: of a tree, at most 32.
        learning_rate: by how much a tree counts.
        patience: trees without a better nDCG@10 of the held-out queries, after which training ends.
        least_pairs: that a leaf must hold.
        truncation: pairs are learned from where one of both stands among that many.
        columns: the share of features that a tree looks at.
        l2: of the values of leaves.
        positions: learn beside the trees a number per place at which an item was shown, which is left out of the scores: what is higher in a list is
            taken more often, whatever it is. It needs lists that were shown (`vt.TwoStage(...).fit(data, impressions=...)`). What the held-out lists
            say of when to stop is as biased, so all `trees` are made: a hundred are usual.
        seed: of the columns that trees look at.

    Raises:
        MissingExtraError: LightGBM is not installed, or lacks a library of the system.
        ParameterError: no query is left to learn from, or there are no places and `positions` asks for them.

    Cost: some 10 ns per pair, feature and tree; what is fitted scores 3 to 4 ns per pair and tree, without LightGBM.
    """

    trees: int = Field(default=500, ge=1)
    leaves: int = Field(default=15, ge=2, le=LEAVES)
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    patience: int = Field(default=50, ge=1)
    least_pairs: int = Field(default=50, ge=1)
    truncation: int = Field(default=20, ge=1)
    columns: float = Field(default=0.8, gt=0, le=1)
    l2: float = Field(default=1.0, ge=0)
    positions: bool = False
    seed: int = Field(default=0, ge=0, lt=2**31)

    def check(self) -> None:
        imported()

    def fit(self, examples: Examples) -> TreeRanker:
        lightgbm = imported()
        learned, held = examples.take(~examples.held_out), examples.take(examples.held_out)
        if not len(learned.gains):
            raise ParameterError(
                f"{type(self).__name__} has nothing to learn from: all {len(examples):,} queries are held out, or none has a pair."
            )
        if self.positions and examples.positions is None:
            raise ParameterError(
                "LambdaRank(positions=True) learns from lists that were shown, and these examples have no places: give the fit vt.Impressions with "
                "positions, or leave 'positions' out.", owner="LambdaRank", parameter="positions", value=True,
            )  # fmt: skip
        levels = levels_of(examples.gains)
        sets = [self._dataset(lightgbm, learned, levels, None)]
        if len(held.gains) and not self.positions:
            sets.append(self._dataset(lightgbm, held, levels, sets[0]))
        stop = [lightgbm.early_stopping(self.patience, verbose=False)] if len(sets) > 1 else []
        booster = lightgbm.train(self._parameters(levels), sets[0], self.trees, valid_sets=sets[1:], callbacks=stop)
        text = booster.model_to_string(num_iteration=booster.best_iteration or None)
        return TreeRanker(Trees(examples.names, text.partition("\\nfeature_importances:")[0].encode()))

    def fit_again(self, examples: Examples, fitted: FittedRanker) -> TreeRanker:
        """As many trees as `fitted` has."""
        assert isinstance(fitted, TreeRanker)
        return self.model_copy(update={"trees": max(len(fitted.trees), 1)}).fit(examples.take(~examples.held_out))

    def _dataset(self, lightgbm: Any, part: Examples, levels: Float64, reference: Any) -> Any:
        return lightgbm.Dataset(
            np.ascontiguousarray(part.features), grades_of(part.gains, levels), group=part.lengths[part.lengths > 0], weight=part.weights,
            reference=reference, position=part.positions if self.positions else None, params={"verbosity": -1, "num_threads": 1, "data_random_seed": self.seed},
        )  # fmt: skip

    def _parameters(self, levels: Float64) -> dict[str, Any]:
        return {
            "objective": "lambdarank", "metric": "ndcg", "eval_at": [10], "label_gain": levels.tolist(),
            "lambdarank_truncation_level": self.truncation, "num_leaves": self.leaves, "learning_rate": self.learning_rate,
            "min_data_in_leaf": self.least_pairs, "feature_fraction": self.columns, "lambda_l2": self.l2, "seed": self.seed,
            "data_random_seed": self.seed, "num_threads": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1,
        }  # fmt: skip


@final
@dataclass(frozen=True, eq=False, repr=False)
class TreeRanker:
    """Boosted trees that were fitted; they need no LightGBM."""

    trees: Trees

    def __repr__(self) -> str:
        return f"TreeRanker({self.trees!r})"

    def score(self, features: Float32) -> Float32:
        return self.trees.score(features)

    @property
    def gains(self) -> Float64:
        return self.trees.gains

    def contributions(self, features: Float32) -> Float64:
        return self.trees.contributions(features)

    def state(self) -> State:
        return State({"names": self.trees.names}, files={"trees.txt": self.trees.text})

    @classmethod
    def of_state(cls, state: State) -> TreeRanker:
        text = state.files["trees.txt"]
        assert isinstance(text, bytes)
        return cls(Trees(tuple(state.config["names"]), text))


def levels_of(gains: Float32) -> Float64:
    """The gain of each grade, rising: the different gains, or the means of 32 parts of the same size, 0 apart, where there are more.

    >>> levels_of(np.array([0, 3, 1, 0, 1], np.float32)).tolist()
    [0.0, 1.0, 3.0]
    """
    levels = np.unique(np.append(gains, 0).astype(np.float64))
    if len(levels) <= LEVELS:
        return levels
    above = np.sort(gains[gains > 0].astype(np.float64))
    return np.unique([0.0, *(part.mean() for part in np.array_split(above, LEVELS - 1))])


def grades_of(gains: Float32, levels: Float64) -> Float64:
    """The grade of each gain: that of the nearest level, and not 0 where there is a gain."""
    middle = (levels[1:] + levels[:-1]) / 2
    grades = np.searchsorted(middle, gains.astype(np.float64), side="right")
    return np.where(gains > 0, np.maximum(grades, 1), grades).astype(np.float64)


def imported() -> Any:
    """LightGBM.

    Raises:
        MissingExtraError: it is not installed, or a library of the system that it needs isn't.
    """
    try:
        return importlib.import_module("lightgbm")
    except ImportError:
        raise MissingExtraError.of("LightGBM", "rank", PURPOSE) from None
    except OSError as error:  # its compiled part was found, and what that needs of the system wasn't
        raise MissingExtraError(
            f"{PURPOSE} needs LightGBM, which is installed and can't be loaded: {error}. It needs the OpenMP library of the system: "
            "apt install libgomp1 (Debian, Ubuntu), dnf install libgomp (Fedora), brew install libomp (macOS)."
        ) from None
