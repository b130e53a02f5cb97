"""How several lists become one: by places, by scores made comparable, or by a mix that was learned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self, final

import numpy as np
from pydantic import Field, model_validator

from vitrina.base.config import Config
from vitrina.base.errors import ParameterError
from vitrina.forms.scale import MinMax, ReciprocalRank, Scale
from vitrina.ranking.pairs import Pairs
from vitrina.types import Float32, Float64, Ragged


class Fusion(Config, ABC):
    """From what several sources say of the candidates of each query to one score for each.

    A fusion reads `pairs.scores`, NaN where a source says nothing, and `pairs.found`. A source that gave no answer says nothing of any candidate.
    """

    @property
    def of_others(self) -> bool:
        """Whether a source that can score any item is also asked about the candidates of the others."""
        return False

    @abstractmethod
    def of(self, pairs: Pairs) -> Float32:
        """(pairs,) what orders the candidates of a query, the most first."""

    def counted(self, sources: int) -> tuple[bool, ...]:
        """Which of so many sources count; the others aren't asked.

        Raises:
            ParameterError: this fusion was made for another number of sources.
        """
        return (True,) * sources


@final
class RRF(Fusion):
    """score = sum over sources of weight / (constant + rank), rank from 1. [Cormack et al. 2009](https://doi.org/10.1145/1571941.1572114).

    It needs nothing of scores but their order, so nothing is to be learned and nothing can be on the wrong scale; how far the first is ahead of the second is lost.
    Equal scores of a source share the best of their ranks. What a list doesn't have gets 0 from it.

    Args:
        constant: 60 is the paper's, for topics with many relevant documents; where a query has one or two, 1 to 5 is better, as the first places count for more.
            Programs that count ranks from 0 mean by k what is `constant=k - 1` here.
        weights: one for each source, none below 0 and one above; None is 1 for all.

    >>> import vitrina as vt
    >>> vt.search.RRF(constant=2)
    RRF(constant=2.0)
    """

    constant: float = Field(default=60, gt=0)
    weights: tuple[float, ...] | None = Field(default=None, strict=False)

    @model_validator(mode="after")
    def _weights(self) -> Self:
        return _checked(self, self.weights)

    def of(self, pairs: Pairs) -> Float32:
        parts = parts_of(ReciprocalRank(constant=self.constant), np.where(pairs.found, pairs.scores, np.nan), pairs.items)
        return mixed(parts, self.weights)

    def counted(self, sources: int) -> tuple[bool, ...]:
        return _counted(self, self.weights, sources)


@final
class Convex(Fusion):
    """score = sum over sources of weight * part / sum of weights, where the scale makes the parts of each source's scores, per query.
    [Bruch et al. 2023](https://arxiv.org/abs/2210.11934).

    How far one item is ahead of another stays, which places alone lose. An item that a source says nothing of gets 0 from it, as its last one does.

    Args:
        weights: one for each source, none below 0 and one above; None is the same for all.
        scale: `vt.scale.MinMax()`, `vt.scale.Sigmas()`, which one outlier doesn't move, or another object of `vt.scale`.
        others: a source that can score any item also scores the candidates of the others, so that 0 means bad and not "below its depth".

    >>> import vitrina as vt
    >>> vt.search.Convex(weights=(0.3, 0.7), scale=vt.scale.Sigmas())
    Convex(weights=(0.3, 0.7), scale=Sigmas())
    """

    weights: tuple[float, ...] | None = Field(default=None, strict=False)
    scale: Scale = MinMax()
    others: bool = True

    @model_validator(mode="after")
    def _weights(self) -> Self:
        return _checked(self, self.weights)

    @property
    def of_others(self) -> bool:
        return self.others

    def of(self, pairs: Pairs) -> Float32:
        parts = parts_of(self.scale, pairs.scores, pairs.items)
        weights = np.ones(parts.shape[1]) if self.weights is None else np.array(self.weights)
        return mixed(parts, tuple(weights / weights.sum()))

    def counted(self, sources: int) -> tuple[bool, ...]:
        return _counted(self, self.weights, sources)


def parts_of(scale: Scale, scores: Float32, items: Ragged) -> Float32:
    """(pairs, sources) what a scale makes of scores (pairs, sources), source by source and query by query; NaN is no opinion, and 0 then.

    Cost: memory of queries x the most candidates of a query, for each source in turn.
    """
    width = int(items.lengths.max(initial=0))
    places = np.arange(len(items.values)) - items.indptr[:-1][items.row_of]
    out = np.zeros(scores.shape, np.float32)
    for source in range(scores.shape[1]) if width else ():
        wide = np.full((len(items), width), -np.inf, np.float32)
        wide[items.row_of, places] = np.where(np.isnan(scores[:, source]), -np.inf, scores[:, source])
        out[:, source] = scale.of(wide)[items.row_of, places]
    return out


def mixed(parts: Float32, weights: tuple[float, ...] | Float64 | None) -> Float32:
    """(pairs,) sums that don't depend on which source said what: in double precision, and rounded once, so that equal sums are equal."""
    weights = np.ones(parts.shape[1]) if weights is None else np.asarray(weights, np.float64)
    return (parts.astype(np.float64) * weights).sum(axis=1).astype(np.float32)


def _checked(fusion: Any, weights: tuple[float, ...] | None) -> Any:
    if weights is not None and (not weights or min(weights) < 0 or not max(weights) > 0):
        raise ValueError(f"{type(fusion).__name__} needs a weight for each source, none below 0 and one above. Got {weights!r}.")
    return fusion


def _counted(fusion: Fusion, weights: tuple[float, ...] | None, sources: int) -> tuple[bool, ...]:
    if weights is not None and len(weights) != sources:
        raise ParameterError(
            f"The 'weights' of {type(fusion).__name__} must be one for each of the {sources} sources, in their order. Got {weights!r}.",
            owner=type(fusion).__name__, parameter="weights", value=weights,
        )  # fmt: skip
    return (True,) * sources if weights is None else tuple(weight > 0 for weight in weights)
