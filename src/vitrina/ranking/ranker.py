"""What a ranker is: it learns from pairs of query and item, of which some were taken, to put the pairs of a query in order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from vitrina.base.config import Config
from vitrina.base.errors import ArtifactError, ParameterError
from vitrina.types import Bool, Float32, Int32, Int64, ranges


@dataclass(frozen=True, eq=False)
class Examples:
    """Pairs of query and item with what came of them, query after query.

    Args:
        features: (pairs, names), NaN where one is missing.
        gains: (pairs,) how good the pair was, 0 for nothing.
        lengths: (queries,) the pairs of each query; a query is a group of which the order is learned.
        names: of the features.
        held_out: (queries,) whether a query is kept to stop by, and not learned from.
        positions: (pairs,) places at which the items were shown, from 1; None where lists were not shown.
        weights: (pairs,) how much a pair counts; None where all count alike.
    """

    features: Float32
    gains: Float32
    lengths: Int64
    names: tuple[str, ...]
    held_out: Bool
    positions: Int32 | None = None
    weights: Float32 | None = None

    def __post_init__(self) -> None:
        pairs, queries = len(self.gains), len(self.lengths)
        for name, rows in (("features", pairs), ("positions", pairs), ("weights", pairs), ("held_out", queries)):
            column = getattr(self, name)
            if column is not None and len(column) != rows:
                raise ParameterError(f"The {name!r} of Examples must have {rows:,} rows. Got {len(column):,}.", parameter=name)
        if self.lengths.sum() != pairs or self.features.shape[1:] != (len(self.names),):
            raise ParameterError(
                f"Examples of {pairs:,} pairs need 'lengths' that sum up to it and {len(self.names)} columns of features. Got a sum of "
                f"{self.lengths.sum():,} and the shape {self.features.shape}."
            )

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, queries: Bool | Int64) -> Examples:
        """Some of the queries with their pairs."""
        chosen = np.arange(len(self))[queries]
        pairs = ranges((np.cumsum(self.lengths) - self.lengths)[chosen], self.lengths[chosen])
        return replace(
            self, features=self.features[pairs], gains=self.gains[pairs], lengths=self.lengths[chosen], held_out=self.held_out[chosen],
            positions=None if self.positions is None else self.positions[pairs],
            weights=None if self.weights is None else self.weights[pairs],
        )  # fmt: skip


@runtime_checkable
class FittedRanker(Protocol):
    """What a ranker has learned. Scores are compared within a query, and the higher one is shown first.

    To be saved it needs `state() -> vt.State` and a classmethod `of_state(state)`. It may have `gains`, (names,) shares of what each feature was
    worth, and `contributions(features)`, (pairs, names) what each feature adds to a score: tables and explanations show them.
    """

    def score(self, features: Float32) -> Float32: ...  # (pairs, names) -> (pairs,)


class Ranker(Config, ABC):
    """The base of a ranker. One of your own, on any library, is a subclass at the top of a module with

    - `fit(examples)`, which returns an object with `score(features)`;
    - on that object `state()` and a classmethod `of_state(state)` if it is to be saved: `vt.State(files={"model.txt": text})` keeps what
      the library writes as text or bytes, `vt.State(arrays={...})` arrays. No pickle is written or read.

    >>> import numpy as np, vitrina as vt
    >>> class First(vt.ranking.Ranker):
    ...     def fit(self, examples):
    ...         return FirstColumn()
    >>> class FirstColumn:
    ...     def score(self, features):
    ...         return features[:, 0]
    """

    def check(self) -> None:
        """Refuse to begin where something is missing that the fit needs, such as a package: it is asked before sources are fitted. By default nothing."""

    @abstractmethod
    def fit(self, examples: Examples) -> FittedRanker:
        """Learn from the examples that are not held out; those that are may say when to stop."""

    def fit_again(self, examples: Examples, fitted: FittedRanker) -> FittedRanker:
        """Learn from more examples than `fitted` did, when later ones have said that it is of use. A ranker that was stopped goes as far as it went:
        examples that are held out are now of the same time as the others. By default as `fit` does."""
        return self.fit(examples)


def require_state(ranker: Any) -> None:
    """Refuse to save a fitted ranker that doesn't say what there is to keep.

    Raises:
        ArtifactError: it has no `state` and `of_state`; says what to write.
    """
    if callable(getattr(ranker, "state", None)) and hasattr(type(ranker), "of_state"):
        return
    name = type(ranker).__name__
    raise ArtifactError(
        f"The ranker {name} can't be saved, as it doesn't say what there is to keep, and no pickle is written. Give {name} a method state(self) that "
        "returns vt.State(files={'model.txt': text}) with what its library writes as bytes (of CatBoost: save_model(..., format='json')), and a "
        f"classmethod of_state(cls, state) that makes it again: {name}(read(state.files['model.txt']))."
    )


def scores_of(ranker: FittedRanker, features: Float32) -> Float32:
    """(pairs,) the scores of a fitted ranker.

    Raises:
        ParameterError: they are not one finite number per pair.
    """
    scores = np.asarray(ranker.score(features), np.float32)
    if scores.shape != (len(features),) or not np.isfinite(scores).all():
        raise ParameterError(
            f"The 'score' of {type(ranker).__name__} must be a finite number per pair, ({len(features)},). Got the shape {scores.shape}"
            f"{'' if scores.shape != (len(features),) else ' with NaN or infinite numbers'}."
        )
    return scores
